//! One commit of one table: files in, files out, progress and lineage, all or nothing.
//!
//! Every commit carries an application transaction. It is read before the write and again after any
//! error, because an error does not tell whether the commit was applied: the answer may be lost on the way.

use std::collections::HashMap;

use arrow::datatypes::{DataType, FieldRef, Schema};
use chrono::{DateTime, Utc};
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, Add, Remove, StructType, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use serde_json::json;

use super::{LoadError, WrittenFile};
use crate::catalog::{KEPT_ROWS, Lake, Snapshot, TableName};

/// Appends retry this often when something else commits in between; merges never do.
const APPEND_ATTEMPTS: u32 = 5;
/// How far back a commit of our own is looked for after its answer was lost.
const COMMITS_LOOKED_AT: usize = 20;

const RUN: &str = "spendlake.run_id";
/// Where a commit says which of its run's commits it is.
const PLACE: &str = "spendlake.transaction";

/// What one commit of a run changes in one table.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// Names the writer: one feed of one table.
    pub app_id: String,
    /// Keeps out runs whose lease has passed on; `None` for work outside of a run.
    pub fence: Option<Fence>,
    /// When the run that commits began: the files' time of modification.
    pub run_started_at: DateTime<Utc>,
    /// Grows by one with every commit of `app_id`; a sequence already there is not committed again.
    pub sequence: i64,
    /// Further facts that become true with this commit: watermarks, versions consumed.
    pub progress: Vec<(String, i64)>,
    pub add: Vec<WrittenFile>,
    /// Paths of files whose rows the added ones replace or carry over.
    pub remove: Vec<String>,
    /// Lineage, written into the commit: run, resource, window, counts, fingerprint.
    pub lineage: HashMap<String, serde_json::Value>,
}

/// The lease under which a commit is made: an application transaction whose number only grows.
#[derive(Clone, Debug)]
pub struct Fence {
    pub app_id: String,
    pub epoch: i64,
}

/// Opens the table, creating it empty when it is not there yet, and adding columns that it lacks.
///
/// A column that `schema` no longer has stays, and is null in new rows.
/// Errors: `LoadError::Schema` when a column of the lake has another type than `schema` says, or lacks a member
/// of a nested one.
pub async fn ensure_table(
    lake: &Lake,
    name: &TableName,
    doc: &str,
    schema: &Schema,
    partition_column: Option<&str>,
) -> Result<Snapshot, LoadError> {
    if let Some(snapshot) = Snapshot::open(lake, name).await? {
        return match missing_columns(name, &snapshot.schema, schema)? {
            missing if missing.is_empty() => Ok(snapshot),
            missing => add_columns(snapshot, missing).await,
        };
    }
    let wrong = |source: DeltaTableError| LoadError::Commit {
        table: name.to_string(),
        source: Box::new(source),
    };
    let columns = columns_of(name, schema)?;
    let handle = crate::catalog::table_handle(lake, name);
    let created = handle
        .create()
        .with_columns(columns.fields().cloned())
        .with_partition_columns(partition_column)
        .with_comment(doc)
        .with_save_mode(SaveMode::Ignore)
        .await
        .map_err(wrong)?;
    Ok(Snapshot::of(name, created)?)
}

fn columns_of(table: &TableName, schema: &Schema) -> Result<StructType, LoadError> {
    schema
        .try_into_kernel()
        .map_err(|e: arrow::error::ArrowError| LoadError::Batch {
            table: table.to_string(),
            source: Box::new(e),
        })
}

/// Adds columns by a commit of their own. Rows from before have null there; readers at work see the table as
/// it was.
async fn add_columns(snapshot: Snapshot, missing: Vec<FieldRef>) -> Result<Snapshot, LoadError> {
    let columns = columns_of(&snapshot.name, &Schema::new(missing.clone()))?;
    let added = snapshot
        .table
        .clone()
        .add_columns()
        .with_fields(columns.fields().cloned().collect::<Vec<_>>())
        // As for all commits: whoever finds that the table has moved on looks at it anew.
        .with_commit_properties(CommitProperties::default().with_max_retries(0))
        .await;
    match added {
        Ok(table) => Ok(Snapshot::of(&snapshot.name, table)?),
        Err(error) => {
            // Another run may have added them, or this commit's answer was lost.
            let newest = reload(&snapshot).await?;
            let wanted = Schema::new(missing);
            match missing_columns(&newest.name, &newest.schema, &wanted)?.is_empty() {
                true => Ok(newest),
                false => Err(LoadError::Commit {
                    table: snapshot.name.to_string(),
                    source: Box::new(error),
                }),
            }
        }
    }
}

/// Commits on top of `base`; with files to remove, only on exactly that version.
///
/// Returns the table after the commit, also when the same commit had landed before.
/// Errors: `LoadError::Conflict` when a merge's base is no longer the newest version.
pub async fn commit(base: &Snapshot, commit: &Commit) -> Result<Snapshot, LoadError> {
    let mut snapshot = base.clone();
    for attempt in 1.. {
        if landed(&snapshot, commit).await? {
            // The sequence is taken: by this very commit, whose answer was lost, or by another run.
            return if is_ours(&snapshot, commit).await? {
                Ok(snapshot)
            } else {
                Err(LoadError::Conflict {
                    table: base.name.to_string(),
                    version: snapshot.version,
                })
            };
        }
        if let Some(fence) = &commit.fence
            && snapshot.transaction(&fence.app_id).await? > Some(fence.epoch)
        {
            return Err(LoadError::Fenced {
                table: base.name.to_string(),
            });
        }
        let error = match try_commit(&snapshot, commit).await {
            Ok(table) => return Ok(Snapshot::of(&base.name, table)?),
            Err(error) => error,
        };
        snapshot = reload(&snapshot).await?;
        if landed(&snapshot, commit).await? {
            continue;
        }
        let moved_on = snapshot.version > base.version;
        if !commit.remove.is_empty() && moved_on {
            return Err(LoadError::Conflict {
                table: base.name.to_string(),
                version: snapshot.version,
            });
        }
        if !moved_on || attempt >= APPEND_ATTEMPTS {
            return Err(LoadError::Commit {
                table: base.name.to_string(),
                source: Box::new(error),
            });
        }
    }
    unreachable!("the loop returns at its last attempt")
}

async fn landed(snapshot: &Snapshot, commit: &Commit) -> Result<bool, LoadError> {
    let committed = snapshot.transaction(&commit.app_id).await?;
    Ok(committed.is_some_and(|sequence| sequence >= commit.sequence))
}

/// Whether one of the newest commits is this one.
async fn is_ours(snapshot: &Snapshot, commit: &Commit) -> Result<bool, LoadError> {
    let run = commit.lineage.get(RUN);
    let recent = snapshot.history(COMMITS_LOOKED_AT).await?;
    let place = json!([commit.app_id, commit.sequence]);
    // A run commits to a table more than once: its name alone does not tell which commit landed.
    let ours = |info: &HashMap<String, serde_json::Value>| {
        info.get(RUN) == run && info.get(PLACE) == Some(&place)
    };
    Ok(run.is_some() && recent.iter().any(ours))
}

async fn reload(snapshot: &Snapshot) -> Result<Snapshot, LoadError> {
    let mut table = snapshot.table.clone();
    table
        .update_state()
        .await
        .map_err(|e| crate::catalog::table_failed(&snapshot.name, e))?;
    Ok(Snapshot::of(&snapshot.name, table)?)
}

async fn try_commit(base: &Snapshot, commit: &Commit) -> Result<DeltaTable, DeltaTableError> {
    let removed = base.table.snapshot()?;
    let mut actions: Vec<Action> = commit
        .add
        .iter()
        .map(|file| add_action(file, commit.run_started_at))
        .collect();
    if !commit.remove.is_empty() {
        for file in removed.log_data().iter() {
            if commit.remove.iter().any(|path| *path == file.path()) {
                let remove: Remove = file.remove_action(true);
                actions.push(Action::Remove(remove));
            }
        }
    }
    let mut transactions = vec![transaction(&commit.app_id, commit.sequence)];
    transactions.extend(
        commit
            .fence
            .iter()
            .map(|fence| transaction(&fence.app_id, fence.epoch)),
    );
    transactions.extend(
        commit
            .progress
            .iter()
            .map(|(id, value)| transaction(id, *value)),
    );
    let properties = CommitProperties::default()
        // No retry by the library: it would not notice that its own commit landed.
        .with_max_retries(0)
        .with_metadata(metadata(commit))
        .with_application_transactions(transactions);
    let operation = DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: (!base.partition_columns.is_empty()).then(|| base.partition_columns.clone()),
        predicate: None,
    };
    let state = removed.snapshot();
    let reference: &dyn TableReference = state;
    let done = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(Some(reference), base.table.log_store(), operation)
        .await?;
    let mut table = base.table.clone();
    table.load_version(done.version()).await?;
    Ok(table)
}

fn metadata(commit: &Commit) -> HashMap<String, serde_json::Value> {
    let mut metadata = commit.lineage.clone();
    metadata.insert(PLACE.to_string(), json!([commit.app_id, commit.sequence]));
    metadata
}

fn transaction(app_id: &str, version: i64) -> Transaction {
    Transaction::new(app_id, version)
}

fn add_action(written: &WrittenFile, at: DateTime<Utc>) -> Action {
    let file = &written.file;
    let tags = written
        .kept
        .then(|| HashMap::from([(KEPT_ROWS.to_string(), Some("true".to_string()))]));
    Action::Add(Add {
        path: file.path.clone(),
        partition_values: file.partition.clone(),
        size: file.bytes as i64,
        modification_time: at.timestamp_millis(),
        data_change: true,
        stats: Some(file.statistics()),
        tags,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    })
}

/// Columns of `wanted` that the table lacks and that may be null in the rows it has.
fn missing_columns(
    name: &TableName,
    found: &Schema,
    wanted: &Schema,
) -> Result<Vec<FieldRef>, LoadError> {
    let mut missing = Vec::new();
    for field in wanted.fields() {
        let mismatch = |found: String| LoadError::Schema {
            table: name.to_string(),
            column: field.name().clone(),
            found,
            wanted: field.data_type().to_string(),
        };
        match found.field_with_name(field.name()) {
            Err(_) if field.is_nullable() => missing.push(field.clone()),
            Err(_) => return Err(mismatch("missing".to_string())),
            Ok(there) if !same_type(there.data_type(), field.data_type()) => {
                return Err(mismatch(there.data_type().to_string()));
            }
            Ok(_) => {}
        }
    }
    Ok(missing)
}

/// Equal but for nullability and the names that formats give to list items and map entries.
fn same_type(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::List(a), DataType::List(b)) => same_type(a.data_type(), b.data_type()),
        (DataType::Map(a, _), DataType::Map(b, _)) => match (a.data_type(), b.data_type()) {
            (DataType::Struct(a), DataType::Struct(b)) => a
                .iter()
                .zip(b)
                .all(|(a, b)| same_type(a.data_type(), b.data_type())),
            _ => false,
        },
        (DataType::Struct(a), DataType::Struct(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.name() == b.name() && same_type(a.data_type(), b.data_type()))
        }
        // The table format has no narrow binary and no fixed size.
        _ => a == b,
    }
}
