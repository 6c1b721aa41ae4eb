//! Just enough of Coupa's query language to page by id, and faults on demand.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use axum::routing::{get, post};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// A status and its `Retry-After`, once or for ever.
    Once(u16, &'static str),
    Always(u16, &'static str),
    /// The connection ends before the body does.
    CutBodyOnce,
    CutJsonOnce,
    HtmlOnce,
    EmptyOnce,
    Html,
    ErrorObject,
    BadClient,
    BadScope,
}

#[derive(Default)]
pub struct Inner {
    /// Seconds after the start at which each record changed last.
    pub records: BTreeMap<i64, i64>,
    pub page_rows: usize,
    /// Changes some records at every request.
    pub restless: Option<u64>,
    pub ignores_ids: bool,
    pub ignores_time: bool,
    /// From now on only tokens issued later count.
    pub tokens_end: bool,
    pub sign_ins: usize,
    pub times: Vec<Instant>,
    fault: Option<Fault>,
    clock: i64,
}

pub struct Server {
    pub address: String,
    inner: Arc<Mutex<Inner>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The server's clock begins here, and moves a second a request.
pub fn start() -> DateTime<Utc> {
    "2026-03-01T00:00:00Z".parse().expect("a time")
}

impl Server {
    pub async fn start(ids: impl Iterator<Item = i64>) -> Server {
        let inner = Arc::new(Mutex::new(Inner {
            records: ids.map(|id| (id, id % 400)).collect(),
            page_rows: 50,
            clock: 1_000,
            ..Inner::default()
        }));
        let router = Router::new()
            .route("/oauth2/token", post(sign_in))
            .route("/api/invoices", get(list))
            .with_state(inner.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Server {
            address,
            inner,
            task,
        }
    }

    pub fn state(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn break_with(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }
}

async fn sign_in(State(inner): State<Arc<Mutex<Inner>>>, body: String) -> Response<Body> {
    let mut inner = inner.lock().unwrap();
    assert!(body.contains("grant_type=client_credentials") && body.contains("the-secret"));
    inner.sign_ins += 1;
    match inner.fault {
        // A rude server that repeats what it was told.
        Some(Fault::BadClient) => answer(
            401,
            r#"{"error":"invalid_client","error_description":"the-secret"}"#,
        ),
        Some(Fault::BadScope) => answer(400, r#"{"error":"invalid_scope"}"#),
        _ => {
            let token = format!(
                r#"{{"access_token":"token-{}","expires_in":86399}}"#,
                inner.sign_ins
            );
            answer(200, &token)
        }
    }
}

async fn list(
    State(inner): State<Arc<Mutex<Inner>>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let query: HashMap<String, String> = query.into_owned().collect();
    let mut inner = inner.lock().unwrap();
    inner.times.push(Instant::now());
    assert_eq!(headers["accept"], "application/json");
    if inner.tokens_end && headers["authorization"] == "Bearer token-1" {
        return answer(401, "{}");
    }
    let body = page(&inner, &query);
    let date = start() + TimeDelta::seconds(inner.clock);
    inner.clock += 1;
    inner.disturb();
    let mut answer = match inner.fault {
        Some(fault) => broken(&mut inner, fault, &body),
        None => answer(200, &body),
    };
    answer
        .headers_mut()
        .insert("date", date.to_rfc2822().parse().unwrap());
    answer
}

impl Inner {
    fn disturb(&mut self) {
        let Some(seed) = self.restless else { return };
        let mut dice = seed + self.clock as u64;
        for _ in 0..5 {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let id = (dice >> 33) as i64 % 700 + 1;
            self.records.insert(id, self.clock);
        }
    }
}

fn page(inner: &Inner, query: &HashMap<String, String>) -> String {
    let number = |name: &str| query.get(name).map(|value| value.parse::<i64>().unwrap());
    let since = query
        .get("updated-at[gt_or_eq]")
        .filter(|_| !inner.ignores_time)
        .map(|since| (since.parse::<DateTime<Utc>>().unwrap() - start()).num_seconds());
    let above = number("id[gt]").filter(|_| !inner.ignores_ids).unwrap_or(0);
    let end = number("id[lt_or_eq]").unwrap_or(i64::MAX);
    let matching = |(id, changed): &(&i64, &i64)| {
        **id > above && **id <= end && since.is_none_or(|since| **changed >= since)
    };
    let mut rows: Vec<(i64, i64)> = inner
        .records
        .iter()
        .filter(matching)
        .map(|(id, changed)| (*id, *changed))
        .collect();
    if query.get("dir").map(String::as_str) == Some("desc") {
        rows.reverse();
    }
    let limit = (number("limit").unwrap_or(50) as usize).min(inner.page_rows);
    let offset = number("offset").unwrap_or(0) as usize;
    let texts: Vec<String> = rows.iter().skip(offset).take(limit).map(record).collect();
    format!("[{}]", texts.join(","))
}

fn record((id, changed): &(i64, i64)) -> String {
    let time = start() + TimeDelta::seconds(*changed);
    let time = time.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!(r#"{{"id":{id},"updated-at":"{time}","total":"1.50","custom-fields":{{}}}}"#)
}

fn broken(inner: &mut Inner, fault: Fault, body: &str) -> Response<Body> {
    let passes = !matches!(fault, Fault::Always(..) | Fault::Html | Fault::ErrorObject);
    if passes {
        inner.fault = None;
    }
    match fault {
        Fault::Once(status, after) | Fault::Always(status, after) => {
            let mut answer = answer(status, r#"{"errors":["no"]}"#);
            if !after.is_empty() {
                answer
                    .headers_mut()
                    .insert("retry-after", after.parse().unwrap());
            }
            if status == 302 {
                let place = "https://elsewhere.example/api/invoices?x=1"
                    .parse()
                    .unwrap();
                answer.headers_mut().insert("location", place);
            }
            answer
        }
        Fault::CutBodyOnce => {
            let half = body.as_bytes()[..body.len() / 2].to_vec();
            let parts: [Result<Vec<u8>, std::io::Error>; 2] =
                [Ok(half), Err(std::io::Error::other("cut"))];
            Response::new(Body::from_stream(futures::stream::iter(parts)))
        }
        Fault::CutJsonOnce => answer(200, &body[..body.len() / 2]),
        Fault::EmptyOnce => answer(200, ""),
        Fault::HtmlOnce | Fault::Html => answer(200, "<!DOCTYPE html><html>sign in</html>"),
        Fault::ErrorObject => answer(200, r#"{"errors":{"x":["no"]}}"#),
        Fault::BadClient | Fault::BadScope => answer(200, body),
    }
}

fn answer(status: u16, body: &str) -> Response<Body> {
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    response.body(Body::from(body.to_owned())).unwrap()
}
