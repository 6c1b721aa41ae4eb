//! `spendlake quarantine`: records that did not fit.

use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use pipeline::quarantine::{QuarantineGroup, entries, groups};
use pipeline::run::{Replayed, RunMark, replay};

use super::{Ended, World, failures, grouped, need_lake};
use crate::cli::{Quarantine, QuarantineReplay, QuarantineShow, Status};
use crate::config;
use crate::output::{self, Align, Exit, Failure, print_failures, say};

pub async fn quarantine(args: &Quarantine, overlay: Option<&Path>, world: &World) -> Ended {
    match args {
        Quarantine::List(args) => list(args, world).await,
        Quarantine::Show(args) => show(args, world).await,
        Quarantine::Replay(args) => again(args, overlay, world).await,
    }
}

async fn list(args: &Status, world: &World) -> Ended {
    let parts = config::load_lake(&args.job, &world.environment).map_err(failures)?;
    let lake = need_lake(&parts, &args.job)?;
    let open = groups(lake, connection(&parts)).await.map_err(one)?;
    if args.json {
        return print_json(&open);
    }
    if open.is_empty() {
        say("no record is in quarantine");
        return Ok(Exit::Done);
    }
    let rows = open.iter().map(row).collect();
    let table = output::table(&GROUP_COLUMNS, rows, output::stdout_width());
    super::print(&format!("{table}\n"))
}

async fn show(args: &QuarantineShow, world: &World) -> Ended {
    let parts = config::load_lake(&args.job, &world.environment).map_err(failures)?;
    let lake = need_lake(&parts, &args.job)?;
    let open = entries(lake, connection(&parts), &args.resource, args.limit);
    let open = open.await.map_err(one)?;
    let lines: Vec<String> = open
        .iter()
        .map(|entry| serde_json::to_string(entry).expect("an entry is JSON") + "\n")
        .collect();
    super::print(&lines.concat())
}

async fn again(args: &QuarantineReplay, overlay: Option<&Path>, world: &World) -> Ended {
    let schemas = super::of_job(&super::definitions(overlay)?, &args.job)?;
    let parts = config::load_lake(&args.job, &world.environment).map_err(failures)?;
    let lake = need_lake(&parts, &args.job)?;
    let mark = RunMark {
        connection: connection(&parts).to_owned(),
        run_id: uuid::Uuid::now_v7().to_string(),
        started_at: (world.clock)(),
        epoch: 0,
    };
    let done = replay(lake, &schemas, &mark, args.resources.as_deref()).await;
    let (replayed, tables) = done.map_err(one)?;
    if args.json {
        print_json(&replayed)?;
    } else if replayed.is_empty() {
        say("no record is in quarantine");
    } else {
        let rows = replayed.iter().map(replayed_row).collect();
        let table = output::table(&REPLAY_COLUMNS, rows, output::stdout_width());
        super::print(&format!("{table}\n"))?;
    }
    let of_resources = replayed
        .iter()
        .filter_map(|done| Some((format!("resource {}", done.resource), done.error.as_ref()?)));
    let of_tables = tables
        .iter()
        .filter_map(|table| Some((table.table.clone(), table.error.as_ref()?)));
    let problems = grouped(of_resources.chain(of_tables));
    if problems.is_empty() {
        return Ok(Exit::Done);
    }
    Ok(print_failures(&problems))
}

fn connection(parts: &config::Parts) -> &str {
    parts
        .connection
        .as_deref()
        .expect("a connection was checked")
}

fn one(error: pipeline::Error) -> Vec<Failure> {
    vec![Failure::from(error)]
}

fn print_json<T: serde::Serialize>(document: &T) -> Ended {
    let text = serde_json::to_string(document).expect("a report is JSON");
    super::print(&format!("{text}\n"))
}

const GROUP_COLUMNS: [(&str, Align); 6] = [
    ("resource", Align::Left),
    ("reason", Align::Left),
    ("field", Align::Left),
    ("records", Align::Right),
    ("example id", Align::Left),
    ("last seen", Align::Left),
];

fn row(group: &QuarantineGroup) -> Vec<String> {
    vec![
        group.resource.clone(),
        group.reason.clone(),
        // A key of the source's, as it came.
        group.field.escape_debug().to_string(),
        output::count(group.records),
        group.example_id.clone().unwrap_or_default(),
        group.last_seen.map(moment).unwrap_or_default(),
    ]
}

const REPLAY_COLUMNS: [(&str, Align); 3] = [
    ("resource", Align::Left),
    ("landed", Align::Right),
    ("still unfit", Align::Right),
];

fn replayed_row(done: &Replayed) -> Vec<String> {
    vec![
        done.resource.clone(),
        output::count(done.landed),
        output::count(done.unfit),
    ]
}

fn moment(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}
