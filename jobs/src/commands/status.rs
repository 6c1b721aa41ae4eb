//! `spendlake status`: what the lake holds, asked of the lake alone.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use pipeline::TableStatus;

use super::{Ended, World, failures};
use crate::cli::Status;
use crate::config;
use crate::output::{self, Align, Exit, Failure, say};

pub async fn status(args: &Status, world: &World) -> Ended {
    let parts = config::load_lake(&args.job, &world.environment).map_err(failures)?;
    super::need_lake(&parts, &args.job)?;
    let job = parts
        .without_source()
        .expect("a lake and a connection were checked");
    let tables = pipeline::status(&job, (world.clock)())
        .await
        .map_err(|error| vec![Failure::from(error)])?;
    if args.json {
        let document = serde_json::to_string(&tables).expect("a status is JSON");
        return super::print(&format!("{document}\n"));
    }
    if tables.is_empty() {
        say(nothing_yet(&args.job));
        return Ok(Exit::Done);
    }
    let rows = tables.iter().map(row).collect();
    let table = output::table(&COLUMNS, rows, output::stdout_width());
    super::print(&format!("{table}\n"))
}

fn nothing_yet(job: &Path) -> String {
    format!(
        "the lake holds no tables yet; `spendlake run {}` fills it",
        job.display()
    )
}

const COLUMNS: [(&str, Align); 8] = [
    ("table", Align::Left),
    ("rows", Align::Right),
    ("version", Align::Right),
    ("files", Align::Right),
    ("size", Align::Right),
    ("watermark", Align::Left),
    ("lag", Align::Right),
    ("last commit", Align::Left),
];

fn row(table: &TableStatus) -> Vec<String> {
    let lag = table.lag_seconds.map(|lag| {
        // A watermark ahead of our clock is a clock that goes wrong, not a negative lag.
        output::duration(Duration::from_secs(lag.max(0).unsigned_abs()))
    });
    vec![
        table.table.clone(),
        output::count(table.rows),
        table.version.to_string(),
        output::count(table.files),
        output::bytes(table.bytes),
        table.watermark.map(moment).unwrap_or_default(),
        lag.unwrap_or_default(),
        last_commit(table),
    ]
}

/// `2026-03-01T08:00:00Z, run 0195…`
fn last_commit(table: &TableStatus) -> String {
    let when = table.last_commit_at.map(moment);
    let run = table.last_run_id.as_ref().map(|run| format!("run {run}"));
    let parts: Vec<String> = when.into_iter().chain(run).collect();
    parts.join(", ")
}

fn moment(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}
