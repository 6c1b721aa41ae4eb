//! Answers of every kind, from a server of bare sockets to the real client: each has one outcome.
//!
//! Real sockets need real time, so the client's waits and limits are made short through its
//! `Tuning`; what depends on long waits is tested in virtual time, in `limiter`.

mod answers;
mod matrix;
mod odd;
mod server;
mod tls;
mod transport;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use chrono::TimeDelta;
use futures::StreamExt;
use schemas::{Resource, Schemas};

use self::server::{Script, Server, records};
use crate::answer::Limits;
use crate::client::{Instance, Settings, Tuning};
use crate::decode::Misfit;
use crate::error::ExtractError;
use crate::page::Payload;
use crate::read::{Scan, read};
use crate::testing::hurried;

/// Wide with lines and a watermark; nested, and replaced whole; a flat dimension; never changed.
const SHAPES: [&str; 4] = [
    "invoices",
    "budget_lines",
    "currencies",
    "receiving_transactions",
];
const COUNT: i64 = 120;

fn shape(name: &str) -> Arc<Resource> {
    static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| Schemas::embedded().unwrap());
    Arc::new(SCHEMAS.resources[name].clone())
}

fn tuning(limits: Limits) -> Tuning {
    Tuning {
        patience: hurried(Duration::from_millis(2)),
        limits,
        ..Tuning::default()
    }
}

/// Sizes that a test reaches soon, and times that it does not.
fn small() -> Limits {
    Limits {
        wire_bytes: 1 << 20,
        body_bytes: 2 << 20,
        ratio_from: 1 << 18,
        ..Limits::default()
    }
}

/// Times that a test reaches soon.
fn hasty() -> Limits {
    Limits {
        first_byte: Duration::from_millis(400),
        idle: Duration::from_millis(300),
        total: Duration::from_millis(1_500),
        drip_after: Duration::from_millis(600),
        ..small()
    }
}

fn settings(url: &str, max_in_flight: usize) -> Settings {
    Settings {
        url: url.parse().unwrap(),
        client_id: "the-client".to_owned().into(),
        client_secret: "the-s/cret".to_owned().into(),
        scopes: Vec::new(),
        requests_per_second: None,
        max_in_flight,
    }
}

fn scan(resource: &Resource) -> Scan {
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    Scan {
        since: resource
            .watermark
            .as_ref()
            .map(|_| now - TimeDelta::days(1)),
        until_id: Some(COUNT),
        server_time: now,
        extra_keys: Vec::new(),
        payload: Payload::Declared,
        run_id: "run-1".to_owned(),
        extracted_at: now,
    }
}

/// What a read brought before it ended.
#[derive(Debug, Default)]
struct Read {
    ids: Vec<i64>,
    misfits: Vec<Misfit>,
    notes: Vec<String>,
    error: Option<ExtractError>,
}

async fn collect(instance: &Instance, resource: &Arc<Resource>) -> Read {
    let mut outcome = Read::default();
    let mut batches = Box::pin(read(instance, resource.clone(), scan(resource)));
    while let Some(batch) = batches.next().await {
        match batch {
            Ok(decoded) => {
                let ids = decoded.batch.column(0).as_primitive::<Int64Type>();
                outcome.ids.extend_from_slice(ids.values());
                outcome.misfits.extend(decoded.misfits);
                outcome.notes.extend(decoded.notes);
            }
            Err(error) => outcome.error = Some(error),
        }
    }
    outcome.ids.sort_unstable();
    outcome
}

/// Reads all of a resource, one request at a time, from a server that follows the script.
async fn run(name: &str, script: Script, limits: Limits) -> (Server, Read) {
    let resource = shape(name);
    let server = Server::start(records(&resource, COUNT), script).await;
    let url = format!("http://{}", server.address);
    let instance = Instance::tuned(settings(&url, 1), tuning(limits)).unwrap();
    let outcome = match instance.sign_in().await {
        Ok(()) => collect(&instance, &resource).await,
        Err(error) => Read {
            error: Some(error),
            ..Read::default()
        },
    };
    (server, outcome)
}

/// An error says what to do, and nothing that was not for everybody's eyes.
fn check_message(error: &ExtractError, case: &str) {
    let mut texts = format!("{error} {error:?} {}", error.hint().unwrap_or_default());
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        texts.push_str(&inner.to_string());
        cause = inner.source();
    }
    assert!(
        error.hint().is_some_and(|hint| !hint.is_empty()),
        "{case}: no remedy in {error:?}"
    );
    for secret in [
        "the-s/cret",
        "the-s%2Fcret",
        "the-s\\/cret",
        "token-1",
        "token-2",
        "dGhlLXMvY3JldA",
    ] {
        assert!(!texts.contains(secret), "{case}: {texts}");
    }
    assert!(!texts.contains("MARK"), "{case}: a body is shown: {texts}");
    assert!(texts.len() < 2_000, "{case}: {texts}");
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
