//! The sources over HTTP, in this process: each under a path of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, Uri};
use axum::routing::{get, post};
use chrono::{DateTime, SecondsFormat, Utc};
use extract::{Instance, Settings};

use super::source::{Query, Source};

pub type Shared = Arc<Mutex<Source>>;

#[derive(Clone, Default)]
struct Sources(Arc<Mutex<HashMap<String, Shared>>>);

/// Serves as many sources as are put into it.
pub struct Server {
    sources: Sources,
    /// Clients with as many requests in flight.
    one: Instance,
    three: Instance,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start() -> Server {
        let sources = Sources::default();
        let router = Router::new()
            .route("/oauth2/token", post(token))
            .route("/api/{name}", get(list))
            .with_state(sources.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        let instance = |max_in_flight| {
            let settings = Settings {
                url: format!("http://{address}").parse().expect("an address"),
                client_id: "id".to_string().into(),
                client_secret: "secret".to_string().into(),
                scopes: Vec::new(),
                requests_per_second: None,
                max_in_flight,
            };
            Instance::new(settings).expect("loopback is accepted")
        };
        Server {
            sources,
            one: instance(1),
            three: instance(3),
            task,
        }
    }

    pub fn instance(&self, in_flight: usize) -> &Instance {
        if in_flight == 1 {
            &self.one
        } else {
            &self.three
        }
    }

    /// Serves `source` at `/api/<name>`.
    pub fn put(&self, name: &str, source: Source) -> Shared {
        let shared = Arc::new(Mutex::new(source));
        let mut sources = self.sources.0.lock().expect("no holder panics");
        sources.insert(name.to_string(), shared.clone());
        shared
    }

    pub fn remove(&self, name: &str) {
        self.sources
            .0
            .lock()
            .expect("no holder panics")
            .remove(name);
    }
}

async fn token() -> Response<Body> {
    json(
        r#"{"access_token":"token","expires_in":86399}"#.to_string(),
        None,
    )
}

async fn list(
    State(sources): State<Sources>,
    Path(name): Path<String>,
    uri: Uri,
) -> Response<Body> {
    let source = sources
        .0
        .lock()
        .expect("no holder panics")
        .get(&name)
        .cloned();
    let source = source.expect("the source is served");
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let query: Query = pairs.into_owned().collect();
    let answer = source.lock().expect("no holder panics").answer(&query);
    let whole = query
        .get("fields")
        .is_none_or(|fields| fields.contains("content"));
    let records: Vec<String> = answer
        .rows
        .iter()
        .map(|(id, version)| {
            let stamp = moment(version.stamp).to_rfc3339_opts(SecondsFormat::Secs, true);
            let content = if whole {
                format!(r#","content":"{}""#, version.serial)
            } else {
                String::new()
            };
            format!(r#"{{"id":{id},"updated-at":"{stamp}"{content}}}"#)
        })
        .collect();
    json(format!("[{}]", records.join(",")), Some(answer.date))
}

/// `None`: the server's own date; `Some(None)`: no date at all.
fn json(body: String, date: Option<Option<i64>>) -> Response<Body> {
    let mut response = Response::builder().header("content-type", "application/json");
    let date = match date {
        None => Some(moment(0)),
        Some(date) => date.map(moment),
    };
    // What the server would put there itself can not be left out, but it can be made unreadable.
    let date = date.map_or("none".to_string(), |date| {
        date.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    });
    response = response.header("date", date);
    response.body(Body::from(body)).expect("a sound answer")
}

pub fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).expect("a time of our days")
}
