//! Commits whose answers are lost, while another process compacts the table: ours, and one that trusts.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};
use object_store::memory::InMemory;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::on_one_thread;
use super::store::{FaultyStore, Operation};
use crate::catalog::{DataFiles, Lake, Snapshot, TableName, new_session};
use crate::load::{Commit, LoadError, TableWriter, WrittenFile, commit, ensure_table};

const TRIALS: u64 = 25;
const LONG_TRIALS: u64 = 300;
const COMMITS: i64 = 5;
const ROWS: i64 = 4;

/// Who commits.
#[derive(Clone, Copy, Debug)]
enum Committer {
    /// Reads its sequence before it writes, and again after an error.
    Ours,
    /// Leaves retries to the library, and does it again when that fails.
    Trusting,
}

#[derive(Debug, Default)]
struct Counts {
    faults: u32,
    errors: u32,
    lost: u32,
    doubled: u32,
}

#[test]
fn a_lost_answer_and_a_compaction_double_nothing() {
    on_one_thread(async {
        let count = match std::env::var_os("SPENDLAKE_LONG") {
            Some(_) => LONG_TRIALS,
            None => TRIALS,
        };
        let ours = trials(Committer::Ours, count).await;
        let trusting = trials(Committer::Trusting, count).await;
        println!(
            "{count} trials of {COMMITS} commits; ours: {ours:?}; a committer that trusts: {trusting:?}"
        );
        assert!(ours.faults > 50, "{ours:?}");
        assert_eq!((ours.lost, ours.doubled), (0, 0));
        assert!(
            trusting.doubled > 0,
            "the faults are such that they can be noticed"
        );
    });
}

/// In how many trials the table lost or doubled rows.
async fn trials(committer: Committer, count: u64) -> Counts {
    let mut counts = Counts::default();
    for seed in 0..count {
        let store = FaultyStore::new(Arc::new(InMemory::new()), None);
        let lake = Lake::of_store(Arc::new(store.clone()));
        let name = TableName::new("coupa", "numbers");
        let made = ensure_table(&lake, &name, "Numbers.", &schema(), None).await;
        made.expect("nothing disturbs it");
        let mut dice = Pcg64Mcg::seed_from_u64(seed);
        for sequence in 1..=COMMITS {
            if dice.random_bool(0.65) {
                let faults = Operation::Commit.faults();
                store.break_next_commit(faults[dice.random_range(0..faults.len())]);
                counts.faults += 1;
            }
            // The next run begins with what this one did not finish.
            let mut runs = 0;
            while append(&lake, &name, sequence, committer).await.is_err() {
                counts.errors += 1;
                runs += 1;
                assert!(runs < 5, "a run that nothing disturbs ends well");
            }
        }
        let found = numbers(&lake, &name).await;
        let times = |number: i64| found.iter().filter(|one| **one == number).count();
        counts.lost += u32::from((0..COMMITS * ROWS).any(|number| times(number) == 0));
        counts.doubled += u32::from((0..COMMITS * ROWS).any(|number| times(number) > 1));
    }
    counts
}

async fn append(
    lake: &Lake,
    name: &TableName,
    sequence: i64,
    committer: Committer,
) -> Result<(), LoadError> {
    let base = Snapshot::open(lake, name).await?.expect("it was made");
    let app_id = "numbers".to_string();
    if let Committer::Ours = committer
        && base.transaction(&app_id).await? >= Some(sequence)
    {
        return Ok(());
    }
    let first = (sequence - 1) * ROWS;
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + ROWS));
    let batch = RecordBatch::try_new(schema(), vec![numbers]).expect("it fits");
    let mut writer = TableWriter::new(lake, name, &schema(), None, "numbers")?;
    writer.write(&batch).await?;
    let add = writer.finish().await?;
    match committer {
        Committer::Ours => {
            let facts = Commit {
                app_id,
                sequence,
                add,
                lineage: HashMap::from([("spendlake.run_id".to_string(), "run".into())]),
                ..Commit::default()
            };
            commit(&base, &facts).await.map(drop)
        }
        Committer::Trusting => trust(&base, &add).await,
    }
}

/// As the library's documentation shows it: its own retries, and no transaction.
async fn trust(base: &Snapshot, add: &[WrittenFile]) -> Result<(), LoadError> {
    let actions = add.iter().map(|written| {
        Action::Add(Add {
            path: written.file.path.clone(),
            size: written.file.bytes as i64,
            data_change: true,
            stats: Some(written.file.statistics()),
            ..Add::default()
        })
    });
    let failed = |source| LoadError::Commit {
        table: base.name.to_string(),
        source: Box::new(source),
    };
    let operation = DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: None,
        predicate: None,
    };
    let state: &dyn TableReference = base.table.snapshot().map_err(failed)?.snapshot();
    CommitBuilder::from(CommitProperties::default())
        .with_actions(actions.collect())
        .build(Some(state), base.table.log_store(), operation)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn numbers(lake: &Lake, name: &TableName) -> Vec<i64> {
    let table = Snapshot::open(lake, name).await.expect("it opens");
    let files = DataFiles::of_snapshot(lake, &table.expect("it is there"));
    let ctx = new_session(Some(lake)).expect("a session");
    let frame = ctx.read_table(Arc::new(files)).expect("it is planned");
    let batches = frame.collect().await.expect("every file is whole");
    let numbers = batches.iter().flat_map(|batch| {
        batch
            .column(0)
            .as_primitive::<Int64Type>()
            .values()
            .to_vec()
    });
    numbers.collect()
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(
        "number",
        DataType::Int64,
        false,
    )]))
}
