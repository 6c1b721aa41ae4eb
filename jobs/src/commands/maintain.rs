//! `spendlake maintain`: fewer and larger files, and none that nobody needs.

use chrono::TimeDelta;
use pipeline::{MaintainOptions, Maintained, Stop};

use super::{Ended, World, failures, grouped, need_lake};
use crate::cli::Maintain;
use crate::config;
use crate::output::{self, Align, Exit, Failure, print_failures, say};

pub async fn maintain(args: &Maintain, world: &World) -> Ended {
    let parts = config::load_lake(&args.job, &world.environment).map_err(failures)?;
    let lake = need_lake(&parts, &args.job)?;
    let options = MaintainOptions {
        keep: TimeDelta::days(args.keep_days),
        dry_run: args.dry_run,
    };
    let stop = Stop::default();
    let on_signal = stop.clone();
    let waiting = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            say("stopping after this table; what is done stays");
            on_signal.request();
        }
    });
    let told = pipeline::maintain(lake, options, &stop, &|_| {}).await;
    waiting.abort();
    let tables = told.map_err(|error| vec![Failure::from(error)])?;
    if args.json {
        let document = serde_json::to_string(&tables).expect("a report is JSON");
        super::print(&format!("{document}\n"))?;
    } else {
        let rows = tables.iter().map(row).collect();
        let table = output::table(&COLUMNS, rows, output::stdout_width());
        super::print(&format!("{table}\n"))?;
        if args.dry_run {
            say("nothing was changed: this was a dry run");
        }
    }
    let problems = tables
        .iter()
        .filter_map(|table| Some((table.table.clone(), table.error.as_ref()?)));
    let problems = grouped(problems);
    if problems.is_empty() {
        return Ok(Exit::Done);
    }
    Ok(print_failures(&problems))
}

const COLUMNS: [(&str, Align); 4] = [
    ("table", Align::Left),
    ("files before", Align::Right),
    ("files now", Align::Right),
    ("removed", Align::Right),
];

fn row(table: &Maintained) -> Vec<String> {
    vec![
        table.table.clone(),
        output::count(table.files_before),
        output::count(table.files_after),
        output::count(table.removed),
    ]
}
