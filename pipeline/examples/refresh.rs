//! Maps what the change log of a lake holds into unified tables, and tells what each table took.
//!
//! `cargo run -p pipeline --example refresh -- LAKE CONNECTION` asks no source. Tables that are up to date
//! take nothing; remove `LAKE/unified` first to measure the whole work.

use std::collections::BTreeMap;

use chrono::Utc;
use pipeline::LakeSettings;
use pipeline::catalog::Lake;
use pipeline::run::RunMark;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, connection] = words.as_slice() else {
        eprintln!("usage: refresh LAKE CONNECTION");
        std::process::exit(2);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(16 << 20)
        .build()
        .expect("a runtime");
    let lake = Lake::open(&LakeSettings {
        url: url.clone(),
        options: BTreeMap::new(),
    })
    .expect("the lake opens");
    let schemas = schemas::Schemas::embedded().expect("our definitions are right");
    let mark = RunMark {
        connection: connection.clone(),
        run_id: "refresh".to_string(),
        started_at: Utc::now(),
        epoch: 0,
    };
    let tables = runtime
        .block_on(pipeline::run::refresh(&lake, &schemas, &mark))
        .expect("the tables refresh");
    for table in tables.iter().filter(|table| table.seconds > 0.05) {
        println!(
            "{:<44} {:>8.2} s {:>9} rows {:>9} inserted",
            table.table, table.seconds, table.rows, table.inserted
        );
    }
    for error in tables.iter().filter_map(|table| table.error.as_ref()) {
        println!("{}", error.message);
    }
    let used = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!(
        "{}",
        used.lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap_or_default()
    );
}
