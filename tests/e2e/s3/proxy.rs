//! Between the product and an S3 server: passes requests on, and now and then does what networks and servers do.
//!
//! One connection a request on both sides, so that a fault hits one request and no other.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Served,
    /// The connection ends before the server has seen the request.
    Reset,
    /// The server says that it failed; it did nothing.
    Failed,
    /// The server asks for patience; it did nothing.
    Busy,
    /// The server did it; its answer is lost on the way.
    AnswerLost,
    /// The answer's body ends half way.
    AnswerCut,
    Late,
}

/// Requests by fate.
#[derive(Debug, Default)]
pub struct Counts {
    pub requests: AtomicU64,
    pub reset: AtomicU64,
    pub failed: AtomicU64,
    pub busy: AtomicU64,
    pub answer_lost: AtomicU64,
    pub answer_cut: AtomicU64,
    pub late: AtomicU64,
}

/// A proxy on a port of its own, until it is dropped.
pub struct Proxy {
    pub endpoint: String,
    pub counts: Arc<Counts>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// `faults`: of 1,000 requests, how many meet each of the six faults; `seed` decides which.
    pub async fn start(server: &str, faults: u64, seed: u64) -> Proxy {
        let server = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let counts = Arc::new(Counts::default());
        let told = counts.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = told.requests.fetch_add(1, Ordering::Relaxed);
                let fate = fate(faults, seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
                note(&told, fate);
                let server = server.clone();
                tokio::spawn(async move {
                    // A client that went away is its own affair.
                    let _ = pass(client, &server, fate).await;
                });
            }
        });
        Proxy {
            endpoint: format!("http://{address}"),
            counts,
            task,
        }
    }

    pub fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn fate(faults: u64, mut z: u64) -> Fate {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let drawn = (z ^ (z >> 31)) % 1_000;
    match drawn.checked_div(faults) {
        Some(0) => Fate::Reset,
        Some(1) => Fate::Failed,
        Some(2) => Fate::Busy,
        Some(3) => Fate::AnswerLost,
        Some(4) => Fate::AnswerCut,
        Some(5) => Fate::Late,
        _ => Fate::Served,
    }
}

fn note(counts: &Counts, fate: Fate) {
    let count = match fate {
        Fate::Served => return,
        Fate::Reset => &counts.reset,
        Fate::Failed => &counts.failed,
        Fate::Busy => &counts.busy,
        Fate::AnswerLost => &counts.answer_lost,
        Fate::AnswerCut => &counts.answer_cut,
        Fate::Late => &counts.late,
    };
    count.fetch_add(1, Ordering::Relaxed);
}

async fn pass(mut client: TcpStream, server: &str, fate: Fate) -> io::Result<()> {
    let request = read_request(&mut client).await?;
    match fate {
        Fate::Reset => return Ok(()),
        Fate::Failed => return answer(client, "500 Internal Server Error", "InternalError").await,
        Fate::Busy => return answer(client, "503 Slow Down", "SlowDown").await,
        Fate::Late => tokio::time::sleep(Duration::from_millis(400)).await,
        _ => {}
    }
    let mut upstream = TcpStream::connect(server).await?;
    upstream.write_all(&request).await?;
    let mut response = Vec::new();
    upstream.read_to_end(&mut response).await?;
    match fate {
        Fate::AnswerLost => return Ok(()),
        Fate::AnswerCut => {
            let head = head_end(&response).unwrap_or(response.len());
            response.truncate(head + (response.len() - head) / 2);
        }
        _ => {}
    }
    client.write_all(&response).await?;
    client.shutdown().await
}

async fn answer(mut client: TcpStream, status: &str, code: &str) -> io::Result<()> {
    let body = format!("<Error><Code>{code}</Code></Error>");
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    client.write_all(text.as_bytes()).await?;
    client.shutdown().await
}

/// A request with its body, told to be the only one of its connection.
async fn read_request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let end = loop {
        if let Some(end) = head_end(&request) {
            break end;
        }
        if client.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let length = content_length(&request[..end]);
    while request.len() < end + length {
        if client.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    request.splice(end - 2..end - 2, b"connection: close\r\n".iter().copied());
    Ok(request)
}

/// Where the body begins.
fn head_end(message: &[u8]) -> Option<usize> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(end + 4)
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let lines = head.lines();
    let found = lines.filter_map(|line| line.strip_prefix("content-length:"));
    found
        .filter_map(|text| text.trim().parse().ok())
        .next()
        .unwrap_or(0)
}
