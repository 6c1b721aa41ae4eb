//! What stops a read, or makes it go on from a piece, one case at a time.

use chrono::TimeDelta;

use super::super::Sweep;
use super::memory::{Crash, MemoryLog};
use super::server::{Server, Shared, moment};
use super::source::{ClientClock, Dates, Profile, Source};
use super::{on_one_thread, resource, run, settings};
use crate::summary::ResourceSummary;

/// A source where nothing happens by itself.
fn calm() -> Profile {
    Profile {
        overlap: 60,
        page: 50,
        pace: 0,
        deletes: false,
        late: 0,
        backwards: false,
        silent: false,
        hides: false,
        rewinds: false,
        hot: false,
        dates: Dates::Right,
        client_clock: ClientClock::Right,
        ignores: Vec::new(),
        crashes: false,
        in_flight: 1,
        piece_records: 1_000_000,
    }
}

struct Case {
    server: Server,
    source: Shared,
    log: MemoryLog,
    profile: Profile,
}

impl Case {
    /// A source of about `count` records, and an empty log.
    async fn new(count: usize, profile: Profile) -> Case {
        let server = Server::start().await;
        let mut source = Source::new(7, profile.clone());
        source.restless = false;
        source.fill(count);
        let source = server.put("things", source);
        Case {
            log: MemoryLog::new(source.clone()),
            server,
            source,
            profile,
        }
    }

    async fn run(
        &mut self,
        adjust: impl FnOnce(&mut super::Settings),
    ) -> (Result<(), String>, ResourceSummary) {
        let now = moment(self.source.lock().unwrap().now);
        self.log.open(now);
        let mut settings = settings(&self.profile, now);
        adjust(&mut settings);
        let resource = resource("things");
        let (result, summary) = run(&self.server, 1, &resource, &settings, &mut self.log).await;
        assert!(self.log.violations.is_empty(), "{:#?}", self.log.violations);
        (result.map_err(|error| error.message), summary)
    }

    fn source(&self) -> std::sync::MutexGuard<'_, Source> {
        self.source.lock().unwrap()
    }

    fn present(&self) -> usize {
        self.log.newest().values().filter(|row| row.present).count()
    }
}

#[test]
fn a_first_load_goes_on_from_its_last_piece() {
    on_one_thread(async {
        let profile = Profile {
            piece_records: 200,
            page: 20,
            ..calm()
        };
        let mut whole = Case::new(1_000, profile.clone()).await;
        whole.run(|_| {}).await.0.unwrap();
        let all = whole.source().requests;

        let mut case = Case::new(1_000, profile).await;
        let started = moment(case.source().now);
        case.log.crash = Some((3, Crash::Before));
        case.run(|_| {}).await.0.unwrap_err();
        let cursor = case.log.facts.cursor.unwrap();
        assert_eq!((cursor.started, case.log.facts.watermark), (started, None));
        assert!(case.present() >= 300, "{}", case.present());

        case.source().now += 5_000;
        let (result, summary) = case.run(|_| {}).await;
        result.unwrap();
        let again = case.source().requests;
        // One piece of 200 records is read again, and a few requests find its bounds.
        assert!(
            again <= all + 10 + 25,
            "{again} requests in two runs, {all} in one"
        );
        assert_eq!(case.log.facts.cursor, None);
        // What changed since the beginning was read after it, so the watermark is of now.
        let now = moment(case.source().now);
        assert_eq!(case.log.facts.watermark, Some(now - TimeDelta::seconds(60)));
        assert_eq!(case.present(), case.source().truth().len());
        assert!(summary.pieces > 0);
    });
}

#[test]
fn a_sweep_that_misses_too_much_marks_nothing_unless_told_to() {
    on_one_thread(async {
        let mut case = Case::new(400, calm()).await;
        case.run(|_| {}).await.0.unwrap();
        let held = case.present();
        case.source().delete_share(3);
        let sweeping = |settings: &mut super::Settings| settings.sweep = Sweep::Now;
        let (result, summary) = case.run(sweeping).await;
        assert!(
            result.unwrap_err().contains("no longer shown"),
            "30 % are gone"
        );
        assert_eq!((summary.deleted, case.present()), (0, held));

        let (result, summary) = case
            .run(|settings| {
                settings.sweep = Sweep::Now;
                settings.accept_deletes = true;
            })
            .await;
        result.unwrap();
        assert_eq!(case.present(), case.source().truth().len());
        assert_eq!(summary.deleted as usize, held - case.present());
    });
}

#[test]
fn an_empty_source_is_not_believed() {
    on_one_thread(async {
        let mut case = Case::new(5, calm()).await;
        case.run(|_| {}).await.0.unwrap();
        let (held, watermark) = (case.present(), case.log.facts.watermark);
        case.source().delete_share(1);
        case.source().now += 1_000;
        let (result, _) = case.run(|settings| settings.sweep = Sweep::Now).await;
        assert!(result.unwrap_err().contains("shows no"));
        assert_eq!(
            (case.present(), case.log.facts.watermark),
            (held, watermark)
        );
    });
}

#[test]
fn a_window_that_is_empty_because_its_filter_broke_is_not_believed() {
    on_one_thread(async {
        let mut case = Case::new(100, calm()).await;
        case.run(|_| {}).await.0.unwrap();
        case.source().touch_newest();
        case.run(|_| {}).await.0.unwrap();
        let watermark = case.log.facts.watermark;
        case.source().time_filter_broken = true;
        let (result, _) = case.run(|_| {}).await;
        assert!(result.unwrap_err().contains("when asked by id"));
        assert_eq!(case.log.facts.watermark, watermark);
    });
}

#[test]
fn a_source_that_was_set_back_is_not_followed_unless_told_to() {
    on_one_thread(async {
        let mut case = Case::new(200, calm()).await;
        case.run(|_| {}).await.0.unwrap();
        case.source().drop_newest(60);
        case.source().now += 1_000;
        let (result, _) = case.run(|_| {}).await;
        assert!(result.unwrap_err().contains("set back"));
        let (result, _) = case
            .run(|settings| {
                settings.full = true;
                settings.sweep = Sweep::Now;
                settings.accept_deletes = true;
            })
            .await;
        result.unwrap();
        assert_eq!(case.present(), case.source().truth().len());
        case.run(|_| {}).await.0.unwrap();
    });
}

#[test]
fn the_watermark_is_the_servers_whatever_the_clients_clock_says() {
    on_one_thread(async {
        let mut found = Vec::new();
        for off in [0, 7_200, -7_200] {
            let mut case = Case::new(100, calm()).await;
            for step in 0..3 {
                // The clock of the client jumps in the last run.
                let off = if step == 2 { -off } else { off };
                let (result, _) = case
                    .run(|settings| settings.now += TimeDelta::seconds(off))
                    .await;
                result.unwrap();
                found.push((step, case.log.facts.watermark));
                case.source().now += 600;
            }
        }
        for (step, watermark) in &found {
            assert_eq!(*watermark, found[*step].1);
        }
    });
}

#[test]
fn a_late_record_is_reported_and_warned_of() {
    on_one_thread(async {
        let mut case = Case::new(100, calm()).await;
        case.run(|_| {}).await.0.unwrap();
        case.source().show_late(50);
        let (result, summary) = case.run(|_| {}).await;
        result.unwrap();
        assert!(
            summary.late_seconds.is_some_and(|late| late > 30),
            "{summary:?}"
        );
        assert!(
            summary.warnings.iter().any(|text| text.contains("overlap")),
            "{summary:?}"
        );
    });
}

#[test]
fn a_silent_change_is_found_within_thirty_days() {
    on_one_thread(async {
        let mut case = Case::new(300, calm()).await;
        case.run(|_| {}).await.0.unwrap();
        let ids: Vec<i64> = case.source().truth().into_keys().collect();
        case.source().change_without_stamp(&ids);
        let mut most = 0;
        for _ in 0..30 {
            case.source().now += 86_400;
            let (result, summary) = case.run(|settings| settings.check = true).await;
            result.unwrap();
            most = most.max(summary.records);
        }
        let truth = case.source().truth();
        let stale = truth
            .iter()
            .filter(|(id, v)| case.log.newest()[id].serial != v.serial);
        assert_eq!(stale.count(), 0);
        assert!(most < 40, "{most} of 300 were read in one day");
    });
}

#[test]
fn what_others_refer_to_is_fetched_by_id() {
    on_one_thread(async {
        let mut case = Case::new(300, calm()).await;
        // Older than what the job wants.
        let since = moment(case.source().now - 3_600);
        case.log.wanted_since = since.timestamp();
        case.run(|settings| settings.since = Some(since))
            .await
            .0
            .unwrap();
        assert_eq!(case.present(), 0);
        let watermark = case.log.facts.watermark;
        let ids: Vec<i64> = case.source().truth().into_keys().take(70).collect();
        let mut named = ids.clone();
        named.push(999_999);
        let mut settings = settings(&case.profile, since);
        for _ in 0..2 {
            settings.since = Some(since);
            let mut summary = ResourceSummary::of("things");
            let resource = resource("things");
            let protocol = super::super::Protocol {
                instance: case.server.instance(1),
                resource: &resource,
                settings: &settings,
                log: &mut case.log,
                summary: &mut summary,
                observe: &|_| {},
                stop: &Default::default(),
                extra_keys: Vec::new(),
                references: &Default::default(),
            };
            protocol.fetch_missing(&named).await.unwrap();
            assert!(case.log.newest().keys().eq(ids.iter()));
        }
        assert_eq!(
            (case.log.rows.len(), case.log.facts.watermark),
            (70, watermark)
        );
    });
}
