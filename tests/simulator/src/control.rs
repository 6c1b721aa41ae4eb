//! Remote control, for a simulator that runs as a process of its own: advance, requests, truth.

use axum::{
    body::{Body, to_bytes},
    http::Method,
};
use serde::Deserialize;

use crate::{
    change::{self, Change},
    server::{Shared, truth},
    world::Resource,
};

/// Body of `POST /simulator/advance`: a [`Change`], and how far the clock moves before it.
#[derive(Deserialize)]
struct Advance {
    #[serde(default)]
    seconds: u64,
    #[serde(flatten)]
    change: serde_json::Map<String, serde_json::Value>,
}

/// Answers a path below `/simulator/`; `None`: there is no such path.
pub(crate) async fn answer(
    shared: &Shared,
    method: &Method,
    path: &str,
    pairs: &[(String, String)],
    body: Body,
) -> Option<(u16, Vec<u8>)> {
    let rest = path.strip_prefix("/simulator/")?;
    match (method, rest) {
        (&Method::POST, "advance") => {
            let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
            Some(match advance(shared, &body) {
                Ok(changed) => (200, changed),
                Err(problem) => (
                    400,
                    serde_json::json!({ "error": problem })
                        .to_string()
                        .into_bytes(),
                ),
            })
        }
        (&Method::GET, "requests") => {
            let requests = shared.requests();
            Some((
                200,
                serde_json::to_vec(&*requests).expect("records of requests are plain"),
            ))
        }
        (&Method::DELETE, "requests") => {
            shared.requests().clear();
            Some((200, b"[]".to_vec()))
        }
        (&Method::GET, rest) => {
            let resource = Resource::named(rest.strip_prefix("truth/")?)?;
            let deleted = pairs
                .iter()
                .any(|(key, value)| key == "show_deleted_lines" && value == "true");
            Some((200, truth(shared, resource, deleted)))
        }
        _ => None,
    }
}

fn advance(shared: &Shared, body: &[u8]) -> Result<Vec<u8>, String> {
    let text = if body.is_empty() { b"{}" } else { body };
    let advance: Advance = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    let change: Change =
        serde_json::from_value(advance.change.into()).map_err(|e| e.to_string())?;
    shared
        .clock
        .advance(std::time::Duration::from_secs(advance.seconds));
    let mut world = shared
        .world
        .write()
        .expect("no panic while the world is held");
    let turn = shared.next_turn();
    let changed = change::advance(&mut world, &change, turn, shared.clock.secs());
    Ok(serde_json::to_vec(&changed).expect("lists of ids are plain"))
}
