//! Loads that are killed at moments that nobody chose: ledger and table always agree.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::StreamExt;
use secrecy::SecretString;
use warehouse::{Scope, Settings, Warehouse};

use crate::sinks::{Kind, Sink};
use crate::tables::{CONNECTION, batch, gone, lines, load_of, some_lines, version};

const DOCUMENTS: u32 = 300;
const URI: &str = "SPENDLAKE_KILLED_URI";
const SCHEMA: &str = "SPENDLAKE_KILLED_SCHEMA";
/// What a child says after each load.
const LOADED: &str = "loaded a version";

/// Loads version after version until somebody ends it. What a child process does; nothing without being told to.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_loads() {
    let (Ok(uri), Ok(schema)) = (std::env::var(URI), std::env::var(SCHEMA)) else {
        return;
    };
    let settings = Settings {
        uri: SecretString::from(uri),
        schema,
    };
    let mut warehouse = Warehouse::connect(&settings).await.expect("it opens");
    loop {
        if load_next(&mut warehouse).await.is_ok() {
            println!("{LOADED}");
        }
    }
}

async fn load_next(warehouse: &mut Warehouse) -> Result<(), warehouse::WarehouseError> {
    let held = warehouse.loaded(CONNECTION, "lines").await?;
    let from = held.map(|loaded| loaded.version.number);
    let to = from.unwrap_or(0) + 1;
    let scope = match (from, to % 3) {
        (None, _) | (_, 0) => Scope::Whole,
        _ => gone(CONNECTION, &["never-there"]),
    };
    let all = some_lines(0..DOCUMENTS, 3, to);
    let batches: Vec<_> = all.chunks(90).map(|some| batch(CONNECTION, some)).collect();
    let rows = futures::stream::iter(batches).then(|batch| async move {
        // Slowly, so that most moments are in the midst of a load.
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok(batch)
    });
    let of = load_of(from, to, scope);
    warehouse.load(&lines(), &of, Box::pin(rows)).await?;
    Ok(())
}

fn start(sink: &Sink) -> Child {
    use secrecy::ExposeSecret;
    Command::new(std::env::current_exe().expect("this test has a path"))
        .args(["--exact", "kills::child_that_loads", "--nocapture"])
        .env(URI, sink.settings.uri.expose_secret())
        .env(SCHEMA, sink.schema())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child starts")
}

/// Waits for the child's first load.
fn wait_for_load(child: &mut Child) {
    let said = child.stdout.as_mut().expect("it is piped");
    let mut lines = BufReader::new(said).lines();
    let loaded = lines.any(|line| line.expect("text").contains(LOADED));
    assert!(loaded, "the child ended without a load");
}

/// Moments from a seed.
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// The version that ledger and table agree on; 0 before the first load.
async fn agreed(warehouse: &mut Warehouse, sink: &Sink) -> u64 {
    let held = warehouse
        .loaded(CONNECTION, "lines")
        .await
        .expect("it tells");
    let Some(loaded) = held else {
        return 0;
    };
    let number = loaded.version.number;
    assert_eq!(loaded.version, version(number));
    let sql = format!(
        "SELECT count(*), count(DISTINCT document_id), min(text), max(text) FROM {}.lines",
        sink.schema()
    );
    let row = sink.rows(&sql).await.remove(0);
    let row: Vec<_> = row
        .iter()
        .map(|value| value.as_deref().unwrap_or(""))
        .collect();
    let text = format!("v{number}");
    let (rows, documents) = ((DOCUMENTS * 3).to_string(), DOCUMENTS.to_string());
    assert_eq!(
        row,
        [&rows, &documents, &text, &text],
        "the ledger says {number}"
    );
    number
}

async fn check(kind: Kind, kills: u32, seed: u64, longest: u64) {
    let mut dice = Dice(seed);
    let sink = &Sink::new(kind).await;
    let (mut last, mut moved) = (0, 0);
    for kill in 1..=kills {
        let mut child = start(sink);
        // Every second one has a load behind it, however slow the machine; the others may be at their start.
        if kill % 2 == 0 {
            wait_for_load(&mut child);
        }
        tokio::time::sleep(Duration::from_millis(dice.up_to(longest))).await;
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        let mut warehouse = sink.open().await;
        let number = agreed(&mut warehouse, sink).await;
        assert!(number >= last, "kill {kill}: back from {last} to {number}");
        moved += u32::from(number > last);
        last = number;
    }
    assert!(
        moved * 4 > kills,
        "only {moved} of {kills} children came to a load"
    );
    println!("{kills} processes were killed; version {last} was reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_leaves_ledger_and_table_in_agreement() {
    check(Kind::Postgres, 50, 0x5eed, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_by_adbc_leaves_ledger_and_table_in_agreement() {
    check(Kind::AdbcPostgres, 10, 0xadbc, 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_leaves_a_file_in_agreement() {
    check(Kind::AdbcDuckdb, 10, 0xd0c, 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_process_that_is_ended_leaves_ledger_and_table_in_agreement() {
    let sink = Sink::new(Kind::Postgres).await;
    let mut warehouse = sink.open().await;
    load_next(&mut warehouse).await.expect("it loads");
    let mut dice = Dice(0xbac);
    let client = crate::sinks::client().await;
    let (mut last, mut failed) = (1, 0);
    for _ in 0..30 {
        let wait = Duration::from_millis(dice.up_to(40));
        // Only sessions that work on this schema: other tests have theirs.
        let end = format!(
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = '{}' AND l.pid <> pg_backend_pid()",
            sink.schema()
        );
        let killer = async {
            tokio::time::sleep(wait).await;
            client.batch_execute(&end).await.expect("it can be asked");
        };
        let (done, ()) = tokio::join!(load_next(&mut warehouse), killer);
        failed += u32::from(done.is_err());
        let number = agreed(&mut warehouse, &sink).await;
        match done {
            Ok(()) => assert_eq!(number, last + 1),
            Err(error) => {
                assert_eq!(error.kind(), warehouse::Kind::Unavailable, "{error}");
                assert_eq!(number, last);
            }
        }
        last = number;
    }
    assert!(failed > 5, "only {failed} of 30 loads were hit");
}
