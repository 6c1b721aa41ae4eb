//! One HTTP answer, read whole and within limits: of size, of time, and of how far it unpacks.
//!
//! The HTTP client's own decompression has no limits and reads only the first member of a gzip
//! body, so bodies are unpacked here.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use flate2::bufread::MultiGzDecoder;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::client::Instance;
use crate::decode::DecodeError;
use crate::retry::{Trouble, http_date, retry_after};

/// How large an answer may be, and how long it may take.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub connect: Duration,
    pub first_byte: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
    pub total: Duration,
    /// After this long, a body has to have come at `slowest` bytes a second.
    pub drip_after: Duration,
    pub slowest: u64,
    pub wire_bytes: usize,
    pub body_bytes: usize,
    /// Times that a body may unpack to its size on the wire, once it is above `ratio_from`.
    pub ratio: usize,
    pub ratio_from: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(300),
            drip_after: Duration::from_secs(30),
            slowest: 1 << 10,
            wire_bytes: 32 << 20,
            body_bytes: 128 << 20,
            ratio: 200,
            ratio_from: 1 << 20,
        }
    }
}

/// What is read of an error's body; its status is what counts.
const ERROR_LIMIT: usize = 64 << 10;
const WORDS_LIMIT: usize = 300;
const HOST_LIMIT: usize = 100;

/// One HTTP answer, whole.
pub(crate) struct Answer {
    pub status: u16,
    pub body: Bytes,
    /// The server's clock.
    pub date: Option<DateTime<Utc>>,
    pub retry_after: Option<Duration>,
    /// Host of a redirect.
    pub location: Option<String>,
    /// Kept for as long as a large body is.
    pub _room: Room,
}

/// Bodies larger than this are held one at a time.
const LARGE_BYTES: usize = 6 << 20;

/// The room that bodies of one instance take: small ones as they come, of the large ones one at a time.
#[derive(Debug, Clone)]
pub(crate) struct Rooms(Arc<Semaphore>);

/// What one body has of it.
#[derive(Debug, Default)]
pub(crate) struct Room(Option<OwnedSemaphorePermit>);

impl Default for Rooms {
    fn default() -> Rooms {
        Rooms(Arc::new(Semaphore::new(1)))
    }
}

impl Rooms {
    /// Waits for the room that a body of so many bytes needs.
    async fn make(&self, room: &mut Room, bytes: usize) {
        if bytes > LARGE_BYTES && room.0.is_none() {
            room.0 = self.0.clone().acquire_owned().await.ok();
        }
    }
}

impl Answer {
    /// What may pass when asked again; `None` if the answer is final, or good.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        match self.status {
            429 => Some(Trouble::Throttled {
                status: 429,
                wait: self.retry_after,
            }),
            503 if self.retry_after.is_some() => Some(Trouble::Throttled {
                status: 503,
                wait: self.retry_after,
            }),
            status @ (408 | 425 | 500 | 502..=504) => Some(Trouble::Server { status }),
            // Nobody asked for a part, and a list without records is `[]`.
            201..=299 => Some(Trouble::Content(DecodeError::NotRecords {
                found: "a success without records (204, 206 or the like)",
            })),
            _ => None,
        }
    }

    /// What the server gives as its reason: the texts of a JSON error body, shortened.
    pub(crate) fn words(&self, instance: &Instance) -> String {
        let Ok(body) = serde_json::from_slice::<serde_json::Value>(&self.body) else {
            return String::new();
        };
        let words = ["error_description", "errors", "error", "message"]
            .iter()
            .find_map(|key| body.get(key))
            .map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            });
        let Some(words) = words else {
            return String::new();
        };
        format!(": {}", instance.scrubber().clean(&words, WORDS_LIMIT))
    }
}

/// Reads the body to its end, and unpacks it.
pub(crate) async fn read_answer(
    response: Response,
    limits: &Limits,
    rooms: &Rooms,
) -> Result<Answer, Trouble> {
    let mut room = Room::default();
    let status = response.status().as_u16();
    let headers = response.headers();
    let date = text(headers, DATE.as_str());
    let location = text(headers, LOCATION.as_str()).map(place);
    // Of two that differ, the longer one is the safe one.
    let retry_after = headers
        .get_all(RETRY_AFTER)
        .iter()
        .filter_map(|value| retry_after(value.to_str().ok()?, date))
        .max();
    let date = date.and_then(http_date);
    let encoding = Encoding::of(headers);
    let body = if status == 200 {
        let body = read_body(response, limits, rooms, &mut room).await?;
        unpack(body, encoding, limits, rooms, &mut room).await?
    } else {
        let start = read_start(response, limits).await;
        let unpacked = unpack(start, encoding, limits, rooms, &mut room).await;
        unpacked.unwrap_or_default()
    };
    Ok(Answer {
        status,
        body,
        date,
        retry_after,
        location,
        _room: room,
    })
}

fn place(location: &str) -> String {
    let mut host = match Url::parse(location) {
        Ok(url) => url.host_str().unwrap_or("another place").to_owned(),
        Err(_) => "another path".to_owned(),
    };
    host.truncate(host.floor_char_boundary(HOST_LIMIT));
    host
}

async fn read_body(
    mut response: Response,
    limits: &Limits,
    rooms: &Rooms,
    room: &mut Room,
) -> Result<Bytes, Trouble> {
    let too_large = || {
        Trouble::Content(DecodeError::TooLarge {
            what: format!("more than {} bytes on the wire", limits.wire_bytes),
        })
    };
    let announced = response.content_length().unwrap_or(0);
    if announced > limits.wire_bytes as u64 {
        return Err(too_large());
    }
    let started = Instant::now();
    // What is announced is not yet sent.
    let mut body = BytesMut::with_capacity((announced as usize).min(1 << 20));
    loop {
        let chunk = timeout(limits.idle, response.chunk())
            .await
            .map_err(|_| Trouble::Timeout("further part of the answer"))?
            .map_err(|error| Trouble::Connection(crate::client::chain(&error)))?;
        let Some(chunk) = chunk else {
            return Ok(body.freeze());
        };
        if body.len() + chunk.len() > limits.wire_bytes {
            return Err(too_large());
        }
        rooms.make(room, body.len() + chunk.len()).await;
        body.extend_from_slice(&chunk);
        let elapsed = started.elapsed();
        if elapsed > limits.drip_after
            && (body.len() as f64) < limits.slowest as f64 * elapsed.as_secs_f64()
        {
            return Err(Trouble::Timeout("answer at a usable speed"));
        }
    }
}

/// As much of an error's body as comes at once; how it ends does not matter.
async fn read_start(mut response: Response, limits: &Limits) -> Bytes {
    let mut body = BytesMut::new();
    let reading = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let free = ERROR_LIMIT - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(free)]);
            if body.len() == ERROR_LIMIT {
                return;
            }
        }
    };
    let _ = timeout(limits.idle.min(Duration::from_secs(5)), reading).await;
    body.freeze()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Encoding {
    Plain,
    Gzip,
    Other,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Encoding {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let (first, second) = (values.next(), values.next());
        match (
            first.map(|value| value.as_bytes().to_ascii_lowercase()),
            second,
        ) {
            (None, _) => Encoding::Plain,
            (Some(value), None) => match value.as_slice() {
                b"" | b"identity" => Encoding::Plain,
                b"gzip" | b"x-gzip" => Encoding::Gzip,
                _ => Encoding::Other,
            },
            _ => Encoding::Other,
        }
    }
}

async fn unpack(
    body: Bytes,
    encoding: Encoding,
    limits: &Limits,
    rooms: &Rooms,
    room: &mut Room,
) -> Result<Bytes, Trouble> {
    match encoding {
        Encoding::Plain => Ok(body),
        // An empty body is empty however it is packed; it is told as that.
        Encoding::Gzip if body.is_empty() => Ok(body),
        Encoding::Gzip => gunzip(&body, limits, rooms, room).await,
        Encoding::Other => Err(Trouble::Content(DecodeError::NotRecords {
            found: "packed in a way that was not asked for",
        })),
    }
}

async fn gunzip(
    packed: &[u8],
    limits: &Limits,
    rooms: &Rooms,
    room: &mut Room,
) -> Result<Bytes, Trouble> {
    let ratio_bytes = packed.len().saturating_mul(limits.ratio);
    let most = limits.body_bytes.min(ratio_bytes.max(limits.ratio_from));
    let broken = |error| Trouble::Connection(format!("the gzip body is broken or cut: {error}"));
    let first = most.min(LARGE_BYTES);
    let mut body = Vec::with_capacity(packed.len().saturating_mul(4).min(first));
    // One byte more than is allowed, so that what is just allowed passes.
    let mut reader = MultiGzDecoder::new(packed).take(first as u64 + 1);
    reader.read_to_end(&mut body).map_err(broken)?;
    if body.len() > first && first < most {
        rooms.make(room, body.len()).await;
        reader.set_limit((most - first) as u64);
        reader.read_to_end(&mut body).map_err(broken)?;
    }
    if body.len() <= most {
        return Ok(body.into());
    }
    let what = if most < limits.body_bytes {
        format!("unpacks to more than {} times its size", limits.ratio)
    } else {
        format!("unpacks to more than {} bytes", limits.body_bytes)
    };
    Err(Trouble::Content(DecodeError::TooLarge { what }))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
