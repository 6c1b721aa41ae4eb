//! Coupa over HTTP.
//!
//! Documented: paths, JSON only when it is asked for and XML otherwise, an empty search as `[]` in JSON and 404 in
//! XML, `{"errors": {model: [sentences]}}` for what was wrong with a request. Ours (the documentation is silent):
//! 401 and 403 bodies, the key `query` for complaints about filters, 405 for verbs the simulator does not serve.

use std::{
    collections::HashMap,
    convert::Infallible,
    io::Write,
    sync::{
        Arc, Mutex, MutexGuard, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
};
use chrono::{DateTime, Utc};
use flate2::{Compression, write::GzEncoder};
use futures::stream;
use serde::Serialize;

use crate::{
    auth::{self, Refusal, Tokens},
    clock::Clock,
    config::Config,
    conn::Conn,
    faults::{Effect, Faults, On},
    page::{self, Kept},
    query::{Answer, Query},
    rate::{Admission, Limiter},
    world::{Resource, View, World},
    xml,
};

/// A request as the simulator saw it.
#[derive(Clone, Debug, Serialize)]
pub struct RequestRecord {
    /// By the simulator's clock.
    pub at: DateTime<Utc>,
    /// Real time since the simulator started, in microseconds.
    pub elapsed_micros: u64,
    pub method: String,
    pub path: String,
    /// Decoded, in order.
    pub query: Vec<(String, String)>,
    /// 0 when the connection was reset.
    pub status: u16,
    pub rows: usize,
    /// Of the body.
    pub bytes: usize,
}

/// What the server and its owner share.
pub(crate) struct Shared {
    pub config: Config,
    pub clock: Clock,
    pub world: RwLock<World>,
    pub kept: Kept,
    pub tokens: Tokens,
    pub faults: Mutex<Faults>,
    pub requests: Mutex<Vec<RequestRecord>>,
    pub started: Instant,
    turns: AtomicU64,
    limiter: Option<Limiter>,
}

struct Reply {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
    rows: usize,
    retry_after: Option<String>,
    /// The body is a gzip.
    packed: bool,
    /// Bytes a second at which the body is sent, if not at once.
    drip: Option<u64>,
}

impl Reply {
    fn new(status: u16, kind: &'static str, body: Vec<u8>, rows: usize) -> Reply {
        Reply {
            status,
            kind,
            body,
            rows,
            retry_after: None,
            packed: false,
            drip: None,
        }
    }

    /// An error in the form the caller asked for.
    fn error(status: u16, json: bool, key: &str, message: &str) -> Reply {
        let body = match (json, status) {
            (true, 400) => serde_json::json!({ "errors": { key: [message] } })
                .to_string()
                .into_bytes(),
            (true, _) => serde_json::json!({ "error": message })
                .to_string()
                .into_bytes(),
            (false, _) => xml::errors(&[message.to_owned()]),
        };
        Reply::new(status, kind(json), body, 0)
    }
}

fn kind(json: bool) -> &'static str {
    if json {
        "application/json; charset=utf-8"
    } else {
        "application/xml; charset=utf-8"
    }
}

impl Shared {
    pub fn new(config: Config, world: World) -> Shared {
        Shared {
            clock: config.clock.clone(),
            world: RwLock::new(world),
            kept: Kept::default(),
            tokens: Tokens::new(config.clients.clone(), config.token, config.seed),
            faults: Mutex::new(config.faults.clone()),
            requests: Mutex::new(Vec::new()),
            started: Instant::now(),
            turns: AtomicU64::new(0),
            limiter: config.rate.map(Limiter::new),
            config,
        }
    }

    /// Number of the next turn; the world must be held for writing.
    pub fn next_turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::SeqCst)
    }

    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().expect("no panic while faults are held")
    }

    pub fn requests(&self) -> MutexGuard<'_, Vec<RequestRecord>> {
        self.requests
            .lock()
            .expect("no panic while requests are held")
    }
}

/// The service.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(answer).with_state(shared)
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(conn): ConnectInfo<Conn>,
    request: Request,
) -> Response<Body> {
    let at = shared.clock.now();
    let elapsed = shared.started.elapsed();
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let raw = parts.uri.query().unwrap_or_default();
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(raw.as_bytes())
        .into_owned()
        .collect();
    let reply = if path.starts_with("/api/") {
        api(&shared, &conn, &parts.method, &path, &parts.headers, &pairs).await
    } else if path == "/oauth2/token" {
        token(&shared, &conn, &parts.method, &parts.headers, &pairs, body).await
    } else if shared.config.control && path.starts_with("/simulator/") {
        crate::control::answer(&shared, &parts.method, &path, &pairs, body)
            .await
            .map_or_else(
                || Some(Reply::error(404, true, "", "Not found")),
                |(status, body)| Some(Reply::new(status, kind(true), body, 0)),
            )
    } else {
        Some(Reply::error(
            404,
            asks_json(&parts.headers, &pairs),
            "",
            "Not found",
        ))
    };
    let broken = reply.is_none();
    // A reset is made by the connection as soon as anything is written to it.
    let reply = reply.unwrap_or_else(|| Reply::new(200, kind(true), Vec::new(), 0));
    if shared.config.record_requests && !path.starts_with("/simulator/") {
        shared.requests().push(RequestRecord {
            at,
            elapsed_micros: elapsed.as_micros() as u64,
            method: parts.method.to_string(),
            path,
            query: pairs,
            status: if broken { 0 } else { reply.status },
            rows: reply.rows,
            bytes: reply.body.len(),
        });
    }
    let date = http_date(shared.clock.now());
    let mut response = Response::builder()
        .status(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(header::CONTENT_TYPE, reply.kind)
        .header(header::DATE, date);
    if let Some(value) = reply
        .retry_after
        .and_then(|value| HeaderValue::from_str(&value).ok())
    {
        response = response.header(header::RETRY_AFTER, value);
    }
    if reply.packed {
        response = response.header(header::CONTENT_ENCODING, "gzip");
    }
    let body = match reply.drip {
        None => Body::from(Bytes::from(reply.body)),
        Some(bytes) => dripping(reply.body.into(), bytes),
    };
    response.body(body).expect("headers are made of plain text")
}

fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A body that comes ten times a second, a piece at a time.
fn dripping(body: Bytes, bytes_a_second: u64) -> Body {
    let piece = (bytes_a_second as usize).div_ceil(10).max(1);
    Body::from_stream(stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let piece = rest.split_to(piece.min(rest.len()));
        Some((Ok::<_, Infallible>(piece), rest))
    }))
}

/// The body packed, without its end.
fn cut_gzip(body: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed
        .write_all(body)
        .expect("memory takes all that is written");
    let mut packed = packed.finish().expect("memory takes all that is written");
    packed.truncate(packed.len().saturating_sub(12));
    packed
}

fn asks_json(headers: &HeaderMap, pairs: &[(String, String)]) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    accept.contains("application/json")
        || pairs
            .iter()
            .any(|(key, value)| key == "format" && value == "json")
}

/// `None`: the connection is to be reset.
async fn api(
    shared: &Shared,
    conn: &Conn,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    pairs: &[(String, String)],
) -> Option<Reply> {
    let json = asks_json(headers, pairs);
    let mut segments = path["/api/".len()..].split('/').filter(|s| !s.is_empty());
    let name = segments.next().unwrap_or_default().to_owned();
    let id = segments.next().map(str::to_owned);
    let deeper = segments.next().is_some();
    let on = if id.is_some() { On::Show } else { On::List };
    let effects = shared.faults().strike(on, Some(&name), pairs);
    let mut pairs = pairs.to_vec();
    for effect in &effects {
        match effect {
            Effect::Delay(time) => tokio::time::sleep(*time).await,
            Effect::Ignore { parameter } => {
                pairs.retain(|(key, _)| !key.starts_with(parameter.as_str()))
            }
            other => {
                if let Some(reply) = strike(other, shared, conn, json)? {
                    return Some(reply);
                }
            }
        }
    }
    if let Some(limiter) = &shared.limiter {
        match limiter.admit(Instant::now()) {
            Admission::Wait(time) if time.is_zero() => {}
            Admission::Wait(time) => tokio::time::sleep(time).await,
            Admission::Refuse => {
                let mut reply = Reply::error(429, json, "", "Too Many Requests");
                reply.retry_after = limiter.retry_after().map(|seconds| seconds.to_string());
                return Some(reply);
            }
        }
    }
    if !shared.config.latency.is_zero() {
        tokio::time::sleep(shared.config.latency).await;
    }
    let resource = Resource::named(&name);
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "));
    let scopes = resource.map(scopes).unwrap_or_default();
    if let Err(refusal) = shared.tokens.check(bearer, &scopes, shared.clock.secs()) {
        let (status, text) = match refusal {
            Refusal::Scope => (
                shared.config.scope_status,
                "The client does not have the scope for this endpoint",
            ),
            Refusal::Expired => (401, "The token has expired"),
            Refusal::TooYoung => (401, "The token is not valid yet"),
            Refusal::Unknown => (401, "The token is not valid"),
        };
        return Some(Reply::error(status, json, "", text));
    }
    let Some(resource) = resource.filter(|_| !deeper) else {
        return Some(Reply::error(404, json, "", "Not found"));
    };
    if *method != Method::GET {
        return Some(Reply::error(405, json, "", "Method not allowed"));
    }
    let mut reply = match id {
        Some(id) => show(shared, resource, &id, json, &pairs),
        None => list(shared, resource, json, &pairs),
    };
    for effect in &effects {
        match effect {
            Effect::Empty => (reply.body, reply.rows) = (b"[]".to_vec(), 0),
            Effect::Garbage => reply.body = b"<html><body>Bad gateway".to_vec(),
            Effect::Html => {
                reply.kind = "text/html; charset=utf-8";
                reply.body = b"<!DOCTYPE html><html><body>We are back soon.</body></html>".to_vec();
            }
            Effect::CutGzip => {
                reply.body = cut_gzip(&reply.body);
                reply.packed = true;
            }
            Effect::Drip { bytes } => reply.drip = Some(*bytes),
            Effect::Cut { bytes } => conn.break_after(*bytes),
            _ => {}
        }
    }
    Some(reply)
}

/// Scopes of which one opens a resource. Documented: items hang on two, supplier items on one.
fn scopes(resource: Resource) -> Vec<&'static str> {
    match resource {
        Resource::Items => vec!["core.item.read", "core.catalog.read"],
        other => vec![other.meta().scope],
    }
}

/// An effect that replaces the answer: `Some(None)` when it does not, `None` when the connection is reset.
fn strike(effect: &Effect, shared: &Shared, conn: &Conn, json: bool) -> Option<Option<Reply>> {
    match effect {
        Effect::Status { code, retry_after } => {
            let mut reply = Reply::error(*code, json, "base", "Something went wrong");
            reply.retry_after = retry_after.map(|seconds| seconds.to_string());
            Some(Some(reply))
        }
        Effect::RetryAfter { code, value } => {
            let mut reply = Reply::error(*code, json, "base", "Something went wrong");
            reply.retry_after = Some(match value.as_str() {
                "date" => http_date(shared.clock.now() + chrono::TimeDelta::seconds(5)),
                value => value.to_owned(),
            });
            Some(Some(reply))
        }
        Effect::Reset => {
            conn.break_after(0);
            None
        }
        _ => Some(None),
    }
}

async fn token(
    shared: &Shared,
    conn: &Conn,
    method: &Method,
    headers: &HeaderMap,
    pairs: &[(String, String)],
    body: Body,
) -> Option<Reply> {
    let effects = shared.faults().strike(On::Token, None, pairs);
    for effect in &effects {
        if let Effect::Delay(time) = effect {
            tokio::time::sleep(*time).await;
        }
        if let Some(reply) = strike(effect, shared, conn, true)? {
            return Some(reply);
        }
    }
    if *method != Method::POST {
        return Some(Reply::error(404, true, "", "Not found"));
    }
    let body = to_bytes(body, 64 * 1024).await.unwrap_or_default();
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(auth::basic);
    Some(
        match shared.tokens.issue(&form, basic, shared.clock.secs()) {
            Ok(body) => Reply::new(200, kind(true), body.into_bytes(), 0),
            Err((status, error, description)) => {
                let body = serde_json::json!({ "error": error, "error_description": description });
                Reply::new(status, kind(true), body.to_string().into_bytes(), 0)
            }
        },
    )
}

/// What a call without `fields` and `return_object` is answered: all, or what the tenant's default filter keeps.
fn with_default(shared: &Shared, resource: Resource, query: &mut Query) {
    if query.answer == Answer::Full
        && let Some(fields) = shared.config.default_fields.get(resource.name())
    {
        query.answer = Answer::Fields(fields.clone());
    }
}

fn list(shared: &Shared, resource: Resource, json: bool, pairs: &[(String, String)]) -> Reply {
    let mut query = match Query::read(pairs, shared.config.refuse_large_pages) {
        Ok(query) => query,
        Err(problem) => return Reply::error(400, json, "query", &problem),
    };
    with_default(shared, resource, &mut query);
    let world = shared
        .world
        .read()
        .expect("no panic while the world is held");
    let rows = match shared.kept.rows(
        &world,
        resource,
        &query,
        shared.config.ignore_unknown_filters,
    ) {
        Ok(rows) => rows,
        Err(problem) => return Reply::error(400, json, "query", &problem),
    };
    if rows.is_empty() && !json {
        return Reply::error(404, false, "", "No results match your search criteria");
    }
    let view = View {
        deleted_lines: query.deleted_lines,
    };
    let body = shared
        .kept
        .plan(resource, &query.answer, |plan| match json {
            true => page::json(&world, resource, &rows, false, plan, view),
            false => page::xml(&world, resource, &rows, false, plan, view),
        });
    match body {
        Ok(body) => Reply::new(200, kind(json), body, rows.len()),
        Err(problem) => Reply::error(400, json, "query", &problem),
    }
}

fn show(
    shared: &Shared,
    resource: Resource,
    id: &str,
    json: bool,
    pairs: &[(String, String)],
) -> Reply {
    let mut query = match Query::read(pairs, false) {
        Ok(query) => query,
        Err(problem) => return Reply::error(400, json, "query", &problem),
    };
    with_default(shared, resource, &mut query);
    let world = shared
        .world
        .read()
        .expect("no panic while the world is held");
    let Some(row) = id
        .parse()
        .ok()
        .and_then(|id| page::find(&world, resource, id))
    else {
        return Reply::error(404, json, "", "Record not found");
    };
    let view = View {
        deleted_lines: query.deleted_lines,
    };
    let body = shared
        .kept
        .plan(resource, &query.answer, |plan| match json {
            true => page::json(&world, resource, &[row], true, plan, view),
            false => page::xml(&world, resource, &[row], true, plan, view),
        });
    match body {
        Ok(body) => Reply::new(200, kind(json), body, 1),
        Err(problem) => Reply::error(400, json, "query", &problem),
    }
}

/// The truth of a resource: what a full answer would be, of every record, in JSON.
pub(crate) fn truth(shared: &Shared, resource: Resource, deleted_lines: bool) -> Vec<u8> {
    let world = shared
        .world
        .read()
        .expect("no panic while the world is held");
    let rows = page::all(&world, resource);
    let body = shared.kept.plan(resource, &Answer::Full, |plan| {
        page::json(&world, resource, &rows, false, plan, View { deleted_lines })
    });
    body.expect("a full answer has no fields that could be wrong")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_cut_gzip_does_not_unpack() {
        let body = "[{\"id\":1},{\"id\":2}]".repeat(9);
        let mut unpacked = Vec::new();
        let packed = cut_gzip(body.as_bytes());
        let read = flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked);
        assert!(read.is_err() && body.as_bytes().starts_with(&unpacked));
    }
}
