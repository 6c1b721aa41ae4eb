//! Some of the same schedules over a real lake: the log is a table in a folder, and each run opens it anew.

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use extract::Misfit;
use schemas::Schemas;

use super::super::{ChangeLog, Facts, Progress};
use super::memory::{Crash, MemoryLog, Row};
use super::server::{Server, moment};
use super::source::{Profile, Source};
use super::{
    Outcome, compare, may_refuse, next_run, on_one_thread, plan_last_run, plan_run, resource, run,
};
use crate::catalog::{DataFiles, Lake, LakeSettings, Snapshot, TableName, new_session};
use crate::error::{Error, Kind};
use crate::load::KnownVersions;
use crate::run::RunMark;
use crate::run::log::LogAppend;

const SEEDS: u64 = 20;

/// A log whose process ends at one of its commits.
struct Breaking<'a> {
    log: LogAppend<'a>,
    crash: Option<(u64, Crash)>,
}

impl ChangeLog for Breaking<'_> {
    async fn facts(&self) -> Result<Facts, Error> {
        self.log.facts().await
    }

    async fn held(&self, since: Option<DateTime<Utc>>) -> Result<KnownVersions, Error> {
        self.log.held(since).await
    }

    fn stamp(&self) -> DateTime<Utc> {
        self.log.stamp()
    }

    async fn write(&mut self, rows: &RecordBatch, misfits: &[Misfit]) -> Result<(), Error> {
        self.log.write(rows, misfits).await
    }

    async fn write_deletions(&mut self, ids: &[i64]) -> Result<u64, Error> {
        self.log.write_deletions(ids).await
    }

    async fn commit(&mut self, progress: Progress) -> Result<(), Error> {
        let crash = match &mut self.crash {
            Some((0, crash)) => Some(*crash),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        if crash != Some(Crash::Before) {
            self.log.commit(progress).await?;
        }
        match crash {
            None => Ok(()),
            Some(_) => Err(Error::new(Kind::Unavailable, "the process ended here")),
        }
    }
}

#[test]
fn nothing_is_lost_in_a_real_lake() {
    on_one_thread(async {
        let server = Server::start().await;
        let mut total = Outcome::default();
        for seed in 0..SEEDS {
            let outcome = follow(&server, seed).await;
            assert!(
                outcome.violations.is_empty(),
                "seed {seed}: {:#?}",
                outcome.violations
            );
            total.commits += outcome.commits;
            total.crashes += outcome.crashes;
            total.pieces += outcome.pieces;
        }
        println!(
            "{SEEDS} schedules, {} commits, {} pieces, {} crashes",
            total.commits, total.pieces, total.crashes
        );
        assert!(total.pieces > 0 && total.crashes > 0, "{total:?}");
    });
}

#[test]
fn a_commit_between_two_of_a_run_is_not_taken_for_its_own() {
    on_one_thread(async {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = Lake::open(&LakeSettings {
            url: folder.path().to_str().expect("a plain path").to_string(),
            options: Default::default(),
        });
        let lake = lake.expect("the lake opens");
        let schemas = Schemas::embedded().expect("the definitions are sound");
        let resource = resource("things");
        let mark = |run: &str| RunMark {
            connection: "acme".to_string(),
            run_id: run.to_string(),
            started_at: moment(1_772_323_200),
            epoch: 0,
        };
        let open = async |run| {
            let log = LogAppend::open(&lake, &schemas, &resource, &mark(run)).await;
            log.expect("the log opens")
        };
        let progress = |id| Progress {
            max_id: Some(id),
            ..Progress::default()
        };
        let mut one = open("one").await;
        one.commit(progress(1))
            .await
            .expect("its first commit lands");
        open("two")
            .await
            .commit(progress(2))
            .await
            .expect("another run's lands");
        let lost = one.commit(progress(3)).await;
        assert!(lost.is_err(), "the place was taken by another run");
        let facts = open("three").await.facts().await.expect("facts are read");
        assert_eq!(facts.max_id, Some(2));
    });
}

async fn follow(server: &Server, seed: u64) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(&LakeSettings {
        url: folder.path().to_str().expect("a plain path").to_string(),
        options: Default::default(),
    });
    let lake = lake.expect("the lake opens");
    let schemas = Schemas::embedded().expect("the definitions are sound");
    let profile = Profile::of(seed);
    let name = format!("lake{seed}");
    let resource = resource(&name);
    let source = server.put(&name, Source::new(seed, profile.clone()));
    let mut outcome = Outcome::default();
    let mut view = MemoryLog::new(source.clone());
    for nth in 0..=super::RUNS {
        let last = nth == super::RUNS;
        let (now, settings) = if last {
            let settings = plan_last_run(&profile, &source);
            (
                moment(source.lock().expect("no holder panics").now),
                settings,
            )
        } else {
            let now = next_run(&source, nth);
            (now, plan_run(&profile, &source, now))
        };
        let mark = RunMark {
            connection: "acme".to_string(),
            run_id: format!("run-{nth}"),
            started_at: now,
            epoch: 0,
        };
        let log = LogAppend::open(&lake, &schemas, &resource, &mark).await;
        let roll = |below| source.lock().expect("no holder panics").roll(below);
        let crash = (profile.crashes && !last && roll(2) == 0).then(|| {
            let crash = if roll(2) == 0 {
                Crash::Before
            } else {
                Crash::After
            };
            (roll(4), crash)
        });
        let mut log = Breaking {
            log: log.expect("the log opens"),
            crash,
        };
        let (result, summary) =
            run(server, profile.in_flight, &resource, &settings, &mut log).await;
        outcome.pieces += summary.pieces;
        match result {
            Ok(()) => {}
            Err(error) if error.message.contains("the process ended") => outcome.crashes += 1,
            Err(error) if !last && may_refuse(&profile, &error) => outcome.refusals += 1,
            Err(error) => outcome.violations.push(format!("run {nth}: {error}")),
        }
        let log = LogAppend::open(&lake, &schemas, &resource, &mark)
            .await
            .expect("the log opens");
        view.facts = log.facts().await.expect("facts are read");
        view.rows = rows(&lake, &name).await;
        view.commits += 1;
        view.check();
    }
    outcome.commits = view.commits;
    outcome.violations.append(&mut view.violations);
    outcome
        .violations
        .extend(compare(&view, &source, profile.needs_sweep()));
    server.remove(&name);
    outcome
}

async fn rows(lake: &Lake, name: &str) -> Vec<Row> {
    let table = Snapshot::open(lake, &TableName::new("coupa", name))
        .await
        .expect("it opens");
    let table = table.expect("it is there");
    let mut rows = Vec::new();
    if table.files.is_empty() {
        return rows;
    }
    let ctx = new_session(Some(lake)).expect("a session");
    let files = DataFiles::of_snapshot(lake, &table);
    ctx.register_table("log", std::sync::Arc::new(files))
        .expect("it is registered");
    let sql =
        "SELECT id, _op = 'upsert', content, _content_hash, updated_at, _extracted_at FROM log";
    let batches = ctx
        .sql(sql)
        .await
        .expect("it is planned")
        .collect()
        .await
        .expect("it runs");
    for batch in &batches {
        let times = |n: usize| batch.column(n).as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let at = DateTime::from_timestamp_micros(times(5).value(row));
            rows.push(Row {
                id: batch.column(0).as_primitive::<Int64Type>().value(row),
                present: batch.column(1).as_boolean().value(row),
                serial: batch
                    .column(2)
                    .as_string::<i32>()
                    .value(row)
                    .parse()
                    .expect("a serial"),
                hash: batch.column(3).as_binary::<i32>().value(row).to_vec(),
                stamp: times(4).value(row),
                extracted_at: at.expect("a time"),
            });
        }
    }
    rows
}
