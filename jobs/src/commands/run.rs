//! `spendlake run`: jobs one after the other, what they did, and how to go on.

use std::path::Path;
use std::time::Duration;

use pipeline::summary::{Outcome, Problem, ResourceSummary, TableSummary};
use pipeline::{Job, RunOptions, Stop, Summary, Surroundings};
use schemas::Schemas;
use serde_json::Value;

use super::{Ended, World, failures};
use crate::cli::Run;
use crate::output::{self, Align, Exit, Failure, nearest, print_failures, say};
use crate::progress::Progress;

pub async fn run(args: &Run, overlay: Option<&Path>, world: &World) -> Ended {
    let schemas = super::definitions(overlay)?;
    refuse_unknown(args.resources.as_deref().unwrap_or_default(), &schemas)?;
    let options = RunOptions {
        resources: args.resources.clone(),
        full: args.full,
        reconcile: args.reconcile,
        accept_deletes: args.accept_deletes,
        dry_run: args.dry_run,
    };
    let stop = stop_on_signals();
    let mut exit = Exit::Done;
    let mut documents = Vec::with_capacity(args.jobs.len());
    for path in &args.jobs {
        let job = super::load(path, &schemas, world).ready().map_err(failures);
        let ended = match (job, super::of_job(&schemas, path)) {
            (Ok(job), Ok(schemas)) => execute(&job, &schemas, &options, world, &stop)
                .await
                .map_err(|failure| vec![failure]),
            (job, schemas) => Err([job.err(), schemas.err()]
                .into_iter()
                .flatten()
                .flatten()
                .collect()),
        };
        match ended {
            Ok(summary) => {
                print_summary(&summary, args.dry_run);
                exit = exit.worst(Exit::of(summary.exit_code()));
                documents.push(serde_json::to_value(&summary).expect("a summary is JSON"));
            }
            Err(failures) => {
                exit = exit.worst(print_failures(&failures));
                documents.push(failed(path, &failures));
            }
        }
        if stop.is_requested() {
            break;
        }
    }
    if args.json {
        print_json(documents, args.jobs.len());
    }
    Ok(exit)
}

/// Runs one job, showing how far it is.
pub async fn execute(
    job: &Job,
    schemas: &Schemas,
    options: &RunOptions,
    world: &World,
    stop: &Stop,
) -> Result<Summary, Failure> {
    let progress = Progress::start();
    let observe = |event| progress.observe(event);
    let around = Surroundings {
        clock: &world.clock,
        observe: &observe,
        stop: stop.clone(),
    };
    pipeline::run(job, schemas, options, &around)
        .await
        .map_err(Failure::from)
}

/// The first Ctrl-C (or SIGTERM) asks the run to end at its next safe point, the second ends the
/// process: that is safe too, but what is in flight is read again.
pub fn stop_on_signals() -> Stop {
    let stop = Stop::default();
    let requested = stop.clone();
    tokio::spawn(async move {
        signalled().await;
        requested.request();
        say(
            "stopping at the next safe point; what is committed stays, and a second run continues \
             (Ctrl-C again to stop at once)",
        );
        signalled().await;
        say("stopped; a second run continues from the last commit");
        std::process::exit(Exit::Later as i32);
    });
    stop
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn signalled() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without signals there is nothing to wait for but the end of the process.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn refuse_unknown(names: &[String], schemas: &Schemas) -> Result<(), Vec<Failure>> {
    let known = || schemas.resources.keys().map(String::as_str);
    let unknown = names
        .iter()
        .filter(|name| !schemas.resources.contains_key(*name));
    let failures: Vec<Failure> = unknown
        .map(|name| {
            let hint = match nearest(name, known()) {
                Some(near) => format!("did you mean {near}?"),
                None => "`spendlake schemas list` shows all names".to_owned(),
            };
            Failure::change(format!("unknown resource \"{name}\" in --resources"), hint)
        })
        .collect();
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failures),
    }
}

/// The document of a job that could not start.
fn failed(path: &Path, failures: &[Failure]) -> Value {
    let errors: Vec<Value> = failures.iter().map(Failure::json).collect();
    serde_json::json!({
        "job": path.display().to_string(),
        "outcome": "failed",
        "errors": errors,
    })
}

/// One job gives its document, several give a list, in the order of the call.
fn print_json(mut documents: Vec<Value>, job_count: usize) {
    let document = match (job_count, documents.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            documents.extend(last);
            Value::Array(documents)
        }
    };
    println!("{document}");
}

/// What the run did, as tables, then all that went wrong.
pub fn print_summary(summary: &Summary, dry_run: bool) {
    let width = output::stderr_width();
    let resources = resource_rows(&summary.resources);
    if !resources.is_empty() {
        say(format!(
            "\n{}",
            output::table(&RESOURCE_COLUMNS, resources, width)
        ));
    }
    let tables = table_rows(summary);
    let unchanged = summary.tables.len() - tables.len();
    if !tables.is_empty() {
        let drawn = output::table(&TABLE_COLUMNS, tables, width);
        say(format!("\n{drawn}"));
    }
    match unchanged {
        0 => say(""),
        1 => say("\none table is as it was\n"),
        count => say(format!("\n{count} tables are as they were\n")),
    }
    for note in notes(summary) {
        say(note);
    }
    print_failures(&super::grouped(problems(summary)));
    say(verdict(summary, dry_run));
}

const RESOURCE_COLUMNS: [(&str, Align); 10] = [
    ("resource", Align::Left),
    ("records", Align::Right),
    ("changed", Align::Right),
    ("deleted", Align::Right),
    ("quarantined", Align::Right),
    ("requests", Align::Right),
    ("retries", Align::Right),
    ("received", Align::Right),
    ("time", Align::Right),
    ("outcome", Align::Left),
];

const TABLE_COLUMNS: [(&str, Align); 7] = [
    ("table", Align::Left),
    ("inserted", Align::Right),
    ("updated", Align::Right),
    ("deleted", Align::Right),
    ("rows", Align::Right),
    ("version", Align::Right),
    ("time", Align::Right),
];

fn resource_rows(resources: &[ResourceSummary]) -> Vec<Vec<String>> {
    let row = |one: &ResourceSummary| {
        vec![
            one.resource.clone(),
            output::count(one.records),
            output::count(one.changed),
            output::count(one.deleted),
            output::count(one.quarantined),
            output::count(one.requests),
            output::count(one.retries),
            output::bytes(one.bytes),
            seconds(one.seconds),
            word(one.outcome).to_owned(),
        ]
    };
    resources.iter().map(row).collect()
}

fn table_rows(summary: &Summary) -> Vec<Vec<String>> {
    let changed =
        |one: &&TableSummary| one.inserted + one.updated + one.deleted > 0 || one.error.is_some();
    let rows = summary.tables.iter().filter(changed).map(|one| {
        vec![
            one.table.clone(),
            output::count(one.inserted),
            output::count(one.updated),
            output::count(one.deleted),
            output::count(one.rows),
            one.version.to_string(),
            seconds(one.seconds),
        ]
    });
    rows.collect()
}

/// What went wrong, by resource and table. To be stopped on request is no fault of theirs.
fn problems(summary: &Summary) -> impl Iterator<Item = (String, &Problem)> {
    let resources = summary.resources.iter().filter_map(|one| {
        let problem = one.error.as_ref()?;
        let failed = one.outcome != Outcome::Interrupted;
        failed.then(|| (format!("resource {}", one.resource), problem))
    });
    let tables = summary.tables.iter().filter_map(|one| {
        let problem = one.error.as_ref()?;
        Some((one.table.clone(), problem))
    });
    resources.chain(tables)
}

/// What is no error, but should not pass in silence.
fn notes(summary: &Summary) -> Vec<String> {
    let mut notes = Vec::new();
    for one in &summary.resources {
        if one.rounded > 0 {
            notes.push(format!(
                "note: {}: {} amounts had more than nine decimal places and were rounded half-even; \
                 the exact text stays in _raw",
                one.resource,
                output::count(one.rounded)
            ));
        }
        let of_kind = |kind: &str| {
            let found = one.drift.iter().filter(|drift| drift.kind == kind);
            found.map(|drift| drift.path.as_str()).collect::<Vec<_>>()
        };
        let (new, changed) = (of_kind("new_field"), of_kind("type_changed"));
        if !new.is_empty() {
            notes.push(format!(
                "note: {}: keys that no definition names, kept in custom_fields or _raw: {}",
                one.resource,
                new.join(", ")
            ));
        }
        if !changed.is_empty() {
            notes.push(format!(
                "note: {}: fields that hold another type than defined, see quarantine.{}: {}",
                one.resource,
                one.resource,
                changed.join(", ")
            ));
        }
        for warning in &one.warnings {
            notes.push(format!("warning: {}: {warning}", one.resource));
        }
    }
    for one in &summary.tables {
        if one.unmapped_statuses > 0 {
            notes.push(format!(
                "note: {}: {} rows have a status that no word table maps; it stands in remote_status",
                one.table,
                output::count(one.unmapped_statuses)
            ));
        }
    }
    notes
}

fn verdict(summary: &Summary, dry_run: bool) -> String {
    let took = (summary.finished_at - summary.started_at)
        .to_std()
        .unwrap_or(Duration::ZERO);
    let (run, connection) = (&summary.run_id, &summary.connection);
    let head = format!(
        "{connection}: {} after {}",
        word(summary.outcome),
        output::duration(took)
    );
    match summary.outcome {
        Outcome::Done if dry_run => format!("{head}; a dry run: nothing was committed"),
        Outcome::Done => format!("{head}, run {run}"),
        Outcome::Misfits => {
            format!("{head}, run {run}; everything else landed, the misfits lie in quarantine.…")
        }
        Outcome::Interrupted => {
            format!("{head}, run {run}; what is committed stays, a second run continues")
        }
        Outcome::Failed => {
            format!("{head}, run {run}; what is committed stays, running again is safe")
        }
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Misfits => "too many misfits",
        Outcome::Interrupted => "stopped",
        Outcome::Failed => "failed",
    }
}

fn seconds(seconds: f64) -> String {
    output::duration(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO))
}
