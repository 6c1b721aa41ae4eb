//! A reader sees the table before or after a load, and the ledger with it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use warehouse::{Kind as What, Scope};

use crate::sinks::{Kind, Sink, conforms, duckdb, duckdb_rows};
use crate::tables::{CONNECTION, batch, lines, load, load_of, some_lines, unchanged_but_for_rows};

conforms!(readers_see_whole_loads);

const LOADS: u64 = 12;
const DOCUMENTS: u32 = 400;

async fn readers_see_whole_loads(sink: Sink) {
    if sink.kind == Kind::AdbcDuckdb {
        return readers_of_a_file_see_whole_loads(sink).await;
    }
    let (table, mut warehouse) = (lines(), sink.open().await);
    let rows = |version| vec![batch(CONNECTION, &some_lines(0..DOCUMENTS, 2, version))];
    load(
        &mut warehouse,
        &table,
        &load_of(None, 1, Scope::Whole),
        rows(1),
    )
    .await
    .expect("it loads");
    let sink = Arc::new(sink);
    let (done, looks) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let reader = {
        let (sink, done, looks) = (sink.clone(), done.clone(), looks.clone());
        tokio::spawn(async move {
            let sql = look(sink.schema());
            while !done.load(Ordering::Relaxed) {
                let row = sink.rows(&sql).await.remove(0);
                must_be_whole(&row);
                looks.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        })
    };
    for version in 2..=LOADS {
        let scope = match version % 2 {
            0 => unchanged_but_for_rows(),
            _ => Scope::Whole,
        };
        let of = load_of(Some(version - 1), version, scope);
        load(&mut warehouse, &table, &of, rows(version))
            .await
            .expect("it loads");
    }
    done.store(true, Ordering::Relaxed);
    reader.await.expect("no look was wrong");
    assert!(looks.load(Ordering::Relaxed) > 5, "the reader did look");
}

fn look(schema: &str) -> String {
    format!(
        "SELECT count(*), min(text), max(text), \
         (SELECT max(version) FROM {schema}._spendlake_loads WHERE table_name = 'lines') \
         FROM {schema}.lines"
    )
}

fn must_be_whole(row: &[Option<String>]) {
    let row: Vec<&str> = row
        .iter()
        .map(|value| value.as_deref().unwrap_or(""))
        .collect();
    let [count, first, last, version] = row.as_slice() else {
        panic!("four columns: {row:?}");
    };
    assert_eq!(*count, (DOCUMENTS * 2).to_string(), "half a load: {row:?}");
    assert_eq!(first, last, "two loads at once: {row:?}");
    assert_eq!(
        format!("v{version}"),
        *first,
        "the ledger is of another load"
    );
}

const FILE: &str = "SPENDLAKE_LOOKED_AT_FILE";
const SCHEMA: &str = "SPENDLAKE_LOOKED_AT_SCHEMA";

/// Looks into a file whenever it is free. What a child process does; nothing without being told to.
#[test]
fn child_that_looks() {
    let (Ok(file), Ok(schema)) = (std::env::var(FILE), std::env::var(SCHEMA)) else {
        return;
    };
    for _ in 0..LOOKS {
        let database = loop {
            match duckdb(Path::new(&file)) {
                Ok(database) => break database,
                Err(_) => std::thread::sleep(Duration::from_millis(3)),
            }
        };
        must_be_whole(&duckdb_rows(&database, &look(&schema))[0]);
        drop(database);
        std::thread::sleep(Duration::from_millis(20));
    }
}

const LOOKS: u32 = 25;

/// A file has one owner at a time: who comes second is refused, waits, and then sees all of a load.
async fn readers_of_a_file_see_whole_loads(sink: Sink) {
    let (table, mut warehouse) = (lines(), sink.open().await);
    let rows = |version| vec![batch(CONNECTION, &some_lines(0..DOCUMENTS, 2, version))];
    load(
        &mut warehouse,
        &table,
        &load_of(None, 1, Scope::Whole),
        rows(1),
    )
    .await
    .expect("it loads");
    let mut reader = Command::new(std::env::current_exe().expect("this test has a path"))
        .args(["--exact", "readers::child_that_looks", "--nocapture"])
        .env(FILE, sink.file().expect("a file"))
        .env(SCHEMA, sink.schema())
        .spawn()
        .expect("a child starts");
    let (mut version, mut refused) = (1, 0);
    let ended = loop {
        if let Some(ended) = reader.try_wait().expect("it can be asked") {
            break ended;
        }
        let scope = match version % 2 {
            0 => unchanged_but_for_rows(),
            _ => Scope::Whole,
        };
        let of = load_of(Some(version), version + 1, scope);
        match load(&mut warehouse, &table, &of, rows(version + 1)).await {
            Ok(_) => version += 1,
            Err(error) => {
                assert_eq!(error.kind(), What::Unavailable, "{error}");
                refused += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(ended.success(), "the reader saw something else");
    assert!(version > 3, "{version} loads, {refused} times refused");
}
