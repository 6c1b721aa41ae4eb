//! Reads against a small server inside the test: a set of records and the query words we send.

mod server;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use futures::StreamExt;
use proptest::prelude::*;

use self::server::{Fault, Server};
use super::*;
use crate::client::{Settings, Tuning};
use crate::error::Kind as ErrorKind;
use crate::probe::probe;
use crate::testing::{hurried, resource};

fn instance(server: &Server, max_in_flight: usize) -> Instance {
    let tuning = Tuning {
        patience: hurried(Duration::from_millis(5)),
        ..Tuning::default()
    };
    Instance::tuned(settings(&server.address, max_in_flight), tuning).unwrap()
}

fn settings(url: &str, max_in_flight: usize) -> Settings {
    Settings {
        url: url.parse().unwrap(),
        client_id: "the-client".to_owned().into(),
        client_secret: "the-secret".to_owned().into(),
        scopes: vec!["core.invoice.read".to_owned(), "core.user.read".to_owned()],
        requests_per_second: None,
        max_in_flight,
    }
}

fn scan(since: Option<DateTime<Utc>>, until_id: Option<i64>) -> Scan {
    Scan {
        since,
        until_id,
        server_time: server::start() + TimeDelta::hours(1),
        extra_keys: Vec::new(),
        payload: Payload::Declared,
        run_id: "run-1".to_owned(),
        extracted_at: server::start() + TimeDelta::hours(1),
    }
}

#[derive(Default)]
struct Outcome {
    /// Each time a record was seen: its id and its time of change in seconds since the start.
    rows: Vec<(i64, i64)>,
    requests: u64,
    notes: Vec<String>,
}

async fn collect(instance: &Instance, scan: Scan) -> Result<Outcome, ExtractError> {
    let mut batches = Box::pin(read(instance, Arc::new(resource()), scan));
    let mut outcome = Outcome::default();
    while let Some(decoded) = batches.next().await {
        let decoded = decoded?;
        let ids = decoded.batch.column(0).as_primitive::<Int64Type>();
        let times = decoded
            .batch
            .column(1)
            .as_primitive::<TimestampMicrosecondType>();
        let seconds = |micros: &i64| micros / 1_000_000 - server::start().timestamp();
        let pairs = ids.values().iter().zip(times.values());
        outcome
            .rows
            .extend(pairs.map(|(id, time)| (*id, seconds(time))));
        outcome.requests += decoded.requests;
        outcome.notes.extend(decoded.notes);
    }
    outcome.rows.sort_unstable();
    Ok(outcome)
}

fn run<F: Future>(future: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

async fn failure(fault: Fault) -> (Server, ExtractError) {
    let server = Server::start(1..200).await;
    server.break_with(fault);
    let instance = instance(&server, 4);
    let error = match instance.sign_in().await {
        Ok(()) => collect(&instance, scan(None, Some(199))).await.err(),
        Err(error) => Some(error),
    };
    (server, error.expect("the fault is final"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_record_comes_once(
        ids in proptest::collection::btree_set(1_i64..3_000, 0..500),
        page_rows in 3_usize..60,
        max_in_flight in 1_usize..9,
        since in proptest::option::of(0_i64..400),
        payload_full: bool,
    ) {
        run(async {
            let server = Server::start(ids.iter().copied()).await;
            server.state().page_rows = page_rows;
            let instance = instance(&server, max_in_flight);
            let found = probe(&instance, &resource()).await.unwrap();
            assert_eq!(found.max_id, ids.last().copied());
            // Records changed at as many seconds as their id modulo 400.
            let since_time = since.map(|since| server::start() + TimeDelta::seconds(since));
            let mut scan = scan(since_time, found.max_id);
            scan.payload = if payload_full { Payload::Full } else { Payload::Declared };
            let outcome = collect(&instance, scan).await.unwrap();
            let expected: Vec<(i64, i64)> = ids
                .iter()
                .map(|id| (*id, id % 400))
                .filter(|(_, changed)| *changed >= since.unwrap_or(0))
                .collect();
            assert_eq!(outcome.rows, expected);
            assert!(outcome.notes.is_empty());
            assert_eq!(outcome.requests + 2, instance.counters().requests);
        });
    }
}

#[test]
fn what_changes_while_we_read_is_not_lost() {
    run(async {
        for seed in 0..6 {
            let server = Server::start(1..600).await;
            server.state().page_rows = 20;
            server.state().restless = Some(seed);
            let instance = instance(&server, 3);
            let mut seen = BTreeMap::new();
            let mut since = None;
            for round in 0..3 {
                if round == 2 {
                    server.state().restless = None;
                }
                let found = probe(&instance, &resource()).await.unwrap();
                let outcome = collect(&instance, scan(since, found.max_id)).await.unwrap();
                for (id, changed) in outcome.rows {
                    let newest: &mut i64 = seen.entry(id).or_default();
                    *newest = changed.max(*newest);
                }
                since = Some(found.server_time);
            }
            assert_eq!(seen, server.state().records);
        }
    });
}

#[test]
fn an_idle_window_costs_one_request() {
    run(async {
        let server = Server::start(1..400).await;
        let instance = instance(&server, 8);
        let late = server::start() + TimeDelta::seconds(500);
        let outcome = collect(&instance, scan(Some(late), Some(399)))
            .await
            .unwrap();
        assert_eq!((outcome.rows.len(), outcome.requests), (0, 1));
    });
}

#[test]
fn one_reader_renews_the_token_for_all() {
    run(async {
        let server = Server::start(1..3_000).await;
        let instance = instance(&server, 8);
        instance.sign_in().await.unwrap();
        server.state().tokens_end = true;
        let outcome = collect(&instance, scan(None, Some(2_999))).await.unwrap();
        assert_eq!(outcome.rows.len(), 2_999);
        assert_eq!(server.state().sign_ins, 2);
    });
}

#[test]
fn passing_faults_lose_nothing() {
    let faults = [
        Fault::Once(429, "0"),
        Fault::Once(503, "0"),
        Fault::Once(500, ""),
        Fault::Once(403, ""),
        Fault::CutBodyOnce,
        Fault::CutJsonOnce,
        Fault::HtmlOnce,
        Fault::EmptyOnce,
    ];
    run(async {
        for fault in faults {
            let server = Server::start(1..500).await;
            let instance = instance(&server, 3);
            instance.sign_in().await.unwrap();
            server.break_with(fault);
            let outcome = collect(&instance, scan(None, Some(499))).await.unwrap();
            let expected: Vec<_> = (1..500).map(|id| (id, id % 400)).collect();
            assert_eq!(outcome.rows, expected, "{fault:?}");
            assert!(instance.counters().retries > 0, "{fault:?}");
        }
    });
}

#[test]
fn a_throttled_instance_is_left_alone() {
    run(async {
        let server = Server::start(1..2_000).await;
        let instance = instance(&server, 4);
        instance.sign_in().await.unwrap();
        server.break_with(Fault::Once(429, "1"));
        let begin = Instant::now();
        collect(&instance, scan(None, Some(1_999))).await.unwrap();
        assert!(begin.elapsed() >= Duration::from_secs(1));
        let times = server.state().times.clone();
        let longest = times
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap();
        assert!(longest >= Duration::from_millis(900), "{longest:?}");
    });
}

#[test]
fn final_answers_say_what_to_do() {
    let cases = [
        (
            Fault::Always(404, ""),
            ErrorKind::Invalid,
            "404 after 1 attempt",
            "no /api/invoices",
        ),
        (
            Fault::Always(400, ""),
            ErrorKind::Invalid,
            "400 after 1 attempt",
            "",
        ),
        (
            Fault::Always(403, ""),
            ErrorKind::Invalid,
            "403 after 2 attempts",
            "core.invoice.read",
        ),
        (
            Fault::Always(401, ""),
            ErrorKind::Invalid,
            "401 after 4 attempts",
            "still active",
        ),
        (
            Fault::Always(302, ""),
            ErrorKind::Invalid,
            "redirected to elsewhere.example",
            "coupa.url",
        ),
        (
            Fault::Always(500, ""),
            ErrorKind::Unavailable,
            "answered 500 after",
            "again later",
        ),
        (
            Fault::Html,
            ErrorKind::Unavailable,
            "unreadable answer after 3 attempts",
            "login",
        ),
        (
            Fault::ErrorObject,
            ErrorKind::Unavailable,
            "unreadable answer",
            "",
        ),
        (
            Fault::BadClient,
            ErrorKind::Invalid,
            "client id or the client secret is wrong",
            "client_id",
        ),
        (
            Fault::BadScope,
            ErrorKind::Invalid,
            "every scope",
            "core.invoice.read core.user.read",
        ),
    ];
    run(async {
        for (fault, kind, text, hint) in cases {
            let (_server, error) = failure(fault).await;
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(text), "{error}");
            assert!(error.hint().unwrap_or_default().contains(hint), "{error:?}");
            assert!(!format!("{error:?}").contains("the-secret"), "{error:?}");
        }
    });
}

#[test]
fn a_server_without_paging_by_id_is_read_by_offset() {
    run(async {
        let server = Server::start(1..300).await;
        server.state().ignores_ids = true;
        let instance = instance(&server, 4);
        let mut outcome = collect(&instance, scan(None, Some(299))).await.unwrap();
        outcome.rows.dedup();
        let expected: Vec<_> = (1..300).map(|id| (id, id % 400)).collect();
        assert_eq!(outcome.rows, expected);
        assert!(
            outcome.notes[0].contains("by offset"),
            "{:?}",
            outcome.notes
        );
    });
}

#[test]
fn an_ignored_filter_is_noted() {
    run(async {
        let server = Server::start(1..120).await;
        server.state().ignores_time = true;
        let instance = instance(&server, 4);
        let since = server::start() + TimeDelta::seconds(60);
        let outcome = collect(&instance, scan(Some(since), Some(119)))
            .await
            .unwrap();
        assert_eq!(outcome.rows.len(), 119);
        assert!(
            outcome.notes[0].starts_with("59 records are older"),
            "{:?}",
            outcome.notes
        );
    });
}

#[test]
fn a_dropped_stream_stops_asking() {
    run(async {
        let server = Server::start(1..20_000).await;
        let instance = instance(&server, 4);
        let mut batches = Box::pin(read(
            &instance,
            Arc::new(resource()),
            scan(None, Some(19_999)),
        ));
        batches.next().await.unwrap().unwrap();
        drop(batches);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let asked = server.state().times.len();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(server.state().times.len(), asked);
        assert!(asked < 300, "{asked}");
    });
}

#[test]
fn an_unsafe_address_is_refused() {
    for (url, part) in [
        ("http://acme.coupahost.com", "in clear"),
        ("https://user:pw@acme.coupahost.com", "a user"),
        ("https://10.0.0.7", "private"),
        ("https://[fd00::1]", "private"),
        ("ftp://127.0.0.1", "in clear"),
    ] {
        let error = Instance::new(settings(url, 1)).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    let instance = Instance::new(settings("https://acme.coupahost.com", 1)).unwrap();
    let shown = format!("{instance:?}");
    assert!(shown.contains("acme") && !shown.contains("the-"), "{shown}");
}
