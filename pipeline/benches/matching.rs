//! How fast orders, receipts and invoices are matched, and in how much memory.
//!
//! `cargo bench -p pipeline --bench matching -- [INVOICE_LINES…]` (100,000 and 1,000,000 where none is named) makes
//! unified tables of invoice lines, 0.6 as many order lines and 0.8 as many receipts, runs the mapping of
//! `report.po_invoice_match` over them in a process of its own, and prints seconds, plan and peak memory. Where
//! `python3` (or `$PYTHON`) has the module `duckdb`, the same query runs there over the same files.

mod lake_of;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use datafusion::common::TableReference;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use pipeline::catalog::{DataFiles, Lake, Snapshot, new_report_session, referenced_tables};
use schemas::Schemas;

use lake_of::{Sizes, TOLERANCES, fill, open};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Names the process that measures one size, so that the peak of memory is its own.
const CHILD: &str = "--measure";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let [first, folder, rest @ ..] = &words[..]
        && first == CHILD
    {
        runtime.block_on(measure(Path::new(folder), !rest.is_empty()));
        return;
    }
    let sizes: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    // `cargo bench` says so; as a test it is enough that it works.
    let is_bench = words.iter().any(|word| word == "--bench");
    let sizes = match (sizes.is_empty(), is_bench) {
        (true, true) => vec![100_000, 1_000_000],
        (true, false) => vec![2_000],
        (false, _) => sizes,
    };
    let optimised = if cfg!(debug_assertions) {
        "dev profile"
    } else {
        "bench profile"
    };
    for (place, &invoice_lines) in sizes.iter().enumerate() {
        let folder = tempfile::tempdir().expect("a folder for the lake");
        let sizes = Sizes::of(invoice_lines);
        let started = Instant::now();
        runtime.block_on(fill(folder.path(), &sizes));
        println!(
            "== {} invoice lines, {} order lines, {} receipts ({optimised}); made in {:.1} s",
            sizes.invoice_lines,
            sizes.order_lines,
            sizes.receipts,
            started.elapsed().as_secs_f64()
        );
        let mut child = Command::new(std::env::current_exe().expect("this program has a path"));
        child.arg(CHILD).arg(folder.path());
        if place == 0 && is_bench {
            child.arg("plan");
        }
        let status = child.status().expect("the measuring process starts");
        assert!(status.success(), "the measuring process ends well");
        beside_duckdb(folder.path());
    }
}

fn matching(schemas: &Schemas) -> &str {
    &schemas.report_tables["po_invoice_match"].mappings[0].sql
}

async fn measure(folder: &Path, with_plan: bool) {
    let schemas = Schemas::embedded().expect("our definitions are right");
    let lake = open(folder);
    let ctx = new_report_session(Some(&lake)).expect("a session");
    let sql = matching(&schemas);
    for name in referenced_tables(&ctx, sql).expect("the query is read") {
        let reference = TableReference::partial(name.layer.clone(), name.name.clone());
        if name.layer == "words" {
            let words = lake_of::tolerances();
            ctx.register_batch(reference, words)
                .expect("a table of words");
            continue;
        }
        let snapshot = snapshot(&lake, &name).await;
        let files = DataFiles::of_snapshot(&lake, &snapshot);
        ctx.register_table(reference, Arc::new(files))
            .expect("a table");
    }
    let started = Instant::now();
    let frame = ctx.sql(sql).await.expect("the query plans");
    let context = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await.expect("a plan");
    let planned = started.elapsed().as_secs_f64();
    let mut rows = 0;
    let mut batches = execute_stream(plan.clone(), context).expect("the plan starts");
    while let Some(batch) = batches.next().await {
        rows += batch.expect("the plan runs").num_rows();
    }
    let seconds = started.elapsed().as_secs_f64();
    if with_plan {
        println!(
            "{}",
            DisplayableExecutionPlan::with_metrics(plan.as_ref()).indent(false)
        );
    }
    println!(
        "   matched {rows} rows in {seconds:.2} s (planned in {planned:.2} s), peak memory {:.0} MB",
        peak_bytes() as f64 / 1e6
    );
}

async fn snapshot(lake: &Lake, name: &pipeline::catalog::TableName) -> Snapshot {
    let found = Snapshot::open(lake, name)
        .await
        .expect("a table is readable");
    found.unwrap_or_else(|| panic!("{name} is not in the lake"))
}

/// The same query by another engine; says so where there is none.
fn beside_duckdb(folder: &Path) {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let schemas = Schemas::embedded().expect("our definitions are right");
    let query = folder.join("matching.sql");
    let words = folder.join("tolerances.csv");
    std::fs::write(&query, matching(&schemas)).expect("the query is written");
    std::fs::write(&words, TOLERANCES).expect("the tolerances are written");
    let script = include_str!("matching_duckdb.py");
    let ran = Command::new(python)
        .arg("-c")
        .arg(script)
        .arg(folder)
        .arg(query)
        .arg(words)
        .status();
    match ran {
        Ok(status) if status.success() => {}
        Ok(_) => println!("   DuckDB: no module, or the query failed there"),
        Err(_) => println!("   DuckDB: there is no Python"),
    }
}

/// The most memory this process ever held.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|kilobytes| kilobytes.parse::<u64>().ok());
    peak.unwrap_or(0) * 1024
}
