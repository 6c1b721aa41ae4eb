//! The protocol against sources that change while they are read.
//!
//! Each seed is a schedule: what changes, when it shows, what goes wrong. After every commit the log checks
//! that progress is not ahead of its rows; after the last run, on a source at rest, it equals the truth.
//! `SPENDLAKE_SEED=n` replays one seed, `SPENDLAKE_LONG=1` runs twenty times as many.

mod changes;
mod controls;
mod lake;

mod memory;
mod server;
mod source;
mod stops;

use chrono::{DateTime, TimeDelta, Utc};
use extract::Payload;
use schemas::{Field, Kind as FieldKind, Resource};

use self::controls::{CONTROLS, wrong_records};
use self::memory::{Crash, MemoryLog};
use self::server::{Server, Shared, moment};
use self::source::{ClientClock, Profile, Source};
use super::{ChangeLog, Protocol, References, Settings, Sweep};
use crate::error::Error;
use crate::job::Stop;
use crate::summary::ResourceSummary;

const SEEDS: u64 = 1_000;
const LONG_SEEDS: u64 = 20_000;
const RUNS: usize = 6;

fn resource(name: &str) -> Resource {
    let field = |name: &str, kind| Field {
        name: name.to_string(),
        kind,
    };
    Resource {
        name: name.to_string(),
        doc: "For tests.".to_string(),
        path: format!("/api/{name}"),
        scope: "core.common.read".to_string(),
        key: "id".to_string(),
        watermark: Some("updated_at".to_string()),
        query: Default::default(),
        fields: vec![
            field("id", FieldKind::Int64),
            field("updated_at", FieldKind::Timestamp),
            field("content", FieldKind::Utf8),
        ],
        documented: Vec::new(),
        sample: "[]".to_string(),
    }
}

fn settings(profile: &Profile, now: DateTime<Utc>) -> Settings {
    Settings {
        run_id: "run".to_string(),
        now,
        since: None,
        overlap: TimeDelta::seconds(profile.overlap),
        payload: Payload::Declared,
        full: false,
        sweep: Sweep::Never,
        accept_deletes: false,
        check: false,
        dry_run: false,
        piece_records: profile.piece_records,
        piece_bytes: u64::MAX,
        gone_floor: 10,
        gone_share: 0.2,
    }
}

async fn run(
    server: &Server,
    in_flight: usize,
    resource: &Resource,
    settings: &Settings,
    log: &mut impl ChangeLog,
) -> (Result<(), Error>, ResourceSummary) {
    let mut summary = ResourceSummary::of(&resource.name);
    let protocol = Protocol {
        instance: server.instance(in_flight),
        resource,
        settings,
        log,
        summary: &mut summary,
        observe: &|_| {},
        stop: &Stop::default(),
        extra_keys: Vec::new(),
        references: &References::default(),
    };
    let result = protocol.read().await;
    (result, summary)
}

/// What a seed's runs came to.
#[derive(Debug, Default)]
struct Outcome {
    violations: Vec<String>,
    trace: u64,
    requests: u64,
    commits: usize,
    crashes: usize,
    refusals: usize,
    pieces: u64,
}

/// One seed from the first run to the last.
async fn follow(server: &Server, seed: u64) -> Outcome {
    let profile = Profile::of(seed);
    let name = format!("s{seed}");
    let resource = resource(&name);
    let source = server.put(&name, Source::new(seed, profile.clone()));
    let mut log = MemoryLog::new(source.clone());
    let mut outcome = Outcome::default();
    for nth in 0..RUNS {
        let now = next_run(&source, nth);
        log.open(now);
        let settings = plan_run(&profile, &source, now);
        let roll = |below| source.lock().expect("no holder panics").roll(below);
        log.crash = (profile.crashes && roll(2) == 0).then(|| {
            let crash = if roll(2) == 0 {
                Crash::Before
            } else {
                Crash::After
            };
            (roll(4) as usize, crash)
        });
        let (result, summary) =
            run(server, profile.in_flight, &resource, &settings, &mut log).await;
        outcome.pieces += summary.pieces;
        match result {
            Ok(()) => {}
            Err(error) if error.message.contains("the process ended") => outcome.crashes += 1,
            Err(error) if may_refuse(&profile, &error) => outcome.refusals += 1,
            Err(error) => outcome.violations.push(format!("run {nth}: {error}")),
        }
    }
    log.crash = None;
    let settings = plan_last_run(&profile, &source);
    log.open(moment(source.lock().expect("no holder panics").now));
    let (result, _) = run(server, profile.in_flight, &resource, &settings, &mut log).await;
    if let Err(error) = result {
        outcome.violations.push(format!("last run: {error}"));
    }
    outcome.violations.append(&mut log.violations);
    outcome
        .violations
        .extend(compare(&log, &source, profile.needs_sweep()));
    outcome.commits = log.commits;
    let source = source.lock().expect("no holder panics");
    (outcome.trace, outcome.requests) = (source.trace, source.requests);
    server.remove(&name);
    outcome
}

/// What somebody asks for in a run on the way.
fn plan_run(profile: &Profile, source: &Shared, now: DateTime<Utc>) -> Settings {
    let mut source = source.lock().expect("no holder panics");
    let mut settings = settings(profile, now);
    settings.full = source.roll(8) == 0;
    settings.check = profile.needs_check();
    if profile.needs_sweep() && source.roll(3) == 0 {
        settings.sweep = Sweep::Now;
    }
    settings
}

/// The source comes to rest; then whatever the schedule needs to be followed to its end.
fn plan_last_run(profile: &Profile, source: &Shared) -> Settings {
    let mut source = source.lock().expect("no holder panics");
    source.come_to_rest();
    if profile.needs_check() {
        // Every part of the rotating check comes round.
        source.now += 31 * 86_400;
    }
    let mut settings = settings(profile, moment(source.now));
    settings.check = profile.needs_check();
    if profile.needs_sweep() {
        settings.sweep = Sweep::Now;
        // Somebody looked, and says that what is gone is gone.
        settings.accept_deletes = true;
    }
    settings
}

/// Whether a run may end so on a source that hides, loses or takes back records.
fn may_refuse(profile: &Profile, error: &Error) -> bool {
    let refusals = ["no longer shown", "set back", "shows no", "showed none"];
    let refused = refusals.iter().any(|part| error.message.contains(part));
    refused && (profile.hides || profile.rewinds || profile.deletes)
}

/// Time passes; returns what the client's clock says.
fn next_run(source: &Shared, nth: usize) -> DateTime<Utc> {
    let mut source = source.lock().expect("no holder panics");
    if nth > 0 {
        source.between_runs();
    }
    let off = match source.profile.client_clock {
        ClientClock::Right => 0,
        ClientClock::Off(off) => off,
        ClientClock::Jumping => source.roll(200_000) as i64 - 100_000,
    };
    moment(source.now + off)
}

/// The log's newest versions and the truth: nothing lost, nothing stale, nothing twice.
fn compare(log: &MemoryLog, source: &Shared, swept: bool) -> Vec<String> {
    let source = source.lock().expect("no holder panics");
    let truth = source.truth();
    let newest = log.newest();
    let mut wrong = Vec::new();
    for (id, version) in &truth {
        match newest.get(id) {
            Some(row) if row.present && row.serial == version.serial => {}
            Some(row) => wrong.push(format!("record {id} is stale: {row:?}, {version:?}")),
            None => wrong.push(format!("record {id} is lost: {version:?}")),
        }
    }
    if swept {
        let ghosts = newest
            .values()
            .filter(|row| row.present && !truth.contains_key(&row.id));
        wrong.extend(
            ghosts.map(|row| format!("record {} is gone, not in the log: {row:?}", row.id)),
        );
    }
    let mut rows: Vec<_> = log.rows.iter().collect();
    rows.sort_by_key(|row| (row.id, row.extracted_at));
    for pair in rows.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        if a.id == b.id && a.extracted_at == b.extracted_at {
            wrong.push(format!("two versions at one time: {a:?}, {b:?}"));
        }
        if a.id == b.id && (a.present, a.serial) == (b.present, b.serial) {
            wrong.push(format!("the same version twice: {a:?}, {b:?}"));
        }
    }
    wrong
}

fn on_one_thread(test: impl Future<Output = ()>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime starts").block_on(test);
}

#[test]
fn nothing_is_lost_whatever_the_schedule() {
    let replay = std::env::var("SPENDLAKE_SEED")
        .ok()
        .map(|seed| seed.parse().expect("a number"));
    let count = if std::env::var_os("SPENDLAKE_LONG").is_some() {
        LONG_SEEDS
    } else {
        SEEDS
    };
    let seeds = replay.map_or(0..count, |seed: u64| seed..seed + 1);
    on_one_thread(async {
        let server = Server::start().await;
        let started = std::time::Instant::now();
        let mut total = Outcome::default();
        let mut failed = Vec::new();
        for seed in seeds.clone() {
            let outcome = follow(&server, seed).await;
            if let Some(first) = outcome.violations.first() {
                let rest = outcome.violations.len();
                println!(
                    "SPENDLAKE_SEED={seed}: {first} ({rest} in all; {:?})",
                    Profile::of(seed)
                );
                failed.push(seed);
            }
            total.requests += outcome.requests;
            total.commits += outcome.commits;
            total.crashes += outcome.crashes;
            total.refusals += outcome.refusals;
            total.pieces += outcome.pieces;
        }
        println!(
            "{} schedules, {} requests, {} commits, {} pieces, {} crashes, {} refusals in {:.1} s; failed: {failed:?}",
            seeds.end - seeds.start,
            total.requests,
            total.commits,
            total.pieces,
            total.crashes,
            total.refusals,
            started.elapsed().as_secs_f64()
        );
        assert!(
            failed.is_empty(),
            "{} schedules failed, the first with SPENDLAKE_SEED={}",
            failed.len(),
            failed[0]
        );
        if replay.is_none() {
            assert!(
                total.pieces > 100 && total.crashes > 100 && total.refusals > 10,
                "{total:?}"
            );
        }
    });
}

#[test]
fn one_seed_is_one_schedule() {
    on_one_thread(async {
        let server = Server::start().await;
        let seeds = (0..)
            .filter(|seed| Profile::of(*seed).in_flight == 1)
            .take(20);
        for seed in seeds {
            let first = follow(&server, seed).await;
            let again = follow(&server, seed).await;
            assert_eq!(
                (first.trace, first.requests, first.commits),
                (again.trace, again.requests, again.commits),
                "seed {seed}"
            );
        }
    });
}

#[test]
fn protocols_that_lose_records_are_caught() {
    for control in CONTROLS {
        let caught: Vec<u64> = (0..50)
            .filter(|seed| wrong_records(control, *seed) > 0)
            .collect();
        println!("{control:?}: caught by {} of 50 schedules", caught.len());
        assert!(!caught.is_empty(), "{control:?} was not caught");
    }
}
