//! A server of bare sockets, so that it can answer in ways that no HTTP library would.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use schemas::Resource;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

/// What is done with a connection, piece by piece; then it is closed.
#[derive(Clone, Debug)]
pub enum Piece {
    Send(Vec<u8>),
    Wait(Duration),
    /// The same bytes again and again, until the other side hangs up.
    Endless(Vec<u8>),
    /// A reset instead of an orderly end.
    Reset,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub query: HashMap<String, String>,
    pub authorization: Option<String>,
    pub accept: String,
    pub at: Instant,
}

impl Asked {
    pub fn is_list(&self) -> bool {
        self.path.starts_with("/api/")
    }
}

/// What stands in for the right answer: given the request, its number among those of lists (from 1),
/// and the right body.
pub type Script = Box<dyn FnMut(&Asked, usize, &[u8]) -> Option<Vec<Piece>> + Send>;

pub struct State {
    pub asked: Vec<Asked>,
    pub script: Script,
    pub connections: usize,
    /// So many connections are closed before anything is said.
    pub cuts: usize,
    records: Vec<(i64, String)>,
    sign_ins: usize,
}

pub struct Server {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(records: Vec<(i64, String)>, script: Script) -> Server {
        Server::with_tls(records, script, None).await
    }

    pub async fn with_tls(
        records: Vec<(i64, String)>,
        script: Script,
        tls: Option<TlsAcceptor>,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            asked: Vec::new(),
            script,
            connections: 0,
            cuts: 0,
            records,
            sign_ins: 0,
        }));
        let shared = state.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let _ = stream.set_nodelay(true);
                let cut = shared.lock().unwrap().count_connection();
                if cut {
                    continue;
                }
                let (shared, tls) = (shared.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(Socket::Plain(stream), &shared).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(Socket::Tls(Box::new(stream)), &shared).await;
                            }
                        }
                    }
                });
            }
        });
        Server {
            address,
            state,
            task,
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Requests for lists so far.
    pub fn lists(&self) -> usize {
        self.state()
            .asked
            .iter()
            .filter(|asked| asked.is_list())
            .count()
    }
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Both for T {}

impl Socket {
    fn io(&mut self) -> &mut dyn Both {
        match self {
            Socket::Plain(stream) => stream,
            Socket::Tls(stream) => stream.as_mut(),
        }
    }

    fn reset(&mut self) {
        if let Socket::Plain(stream) = self {
            let _ = stream.set_zero_linger();
        }
    }
}

async fn serve(mut socket: Socket, state: &Mutex<State>) {
    let mut buffer = Vec::new();
    while let Some(asked) = next_request(&mut socket, &mut buffer).await {
        let pieces = state.lock().unwrap().answer(asked);
        match pieces {
            Ok(body) => {
                if socket
                    .io()
                    .write_all(&whole(200, &[], &body))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            Err(pieces) => {
                let _ = play(&mut socket, pieces).await;
                return;
            }
        }
    }
}

async fn play(socket: &mut Socket, pieces: Vec<Piece>) -> std::io::Result<()> {
    for piece in pieces {
        match piece {
            Piece::Send(bytes) => {
                socket.io().write_all(&bytes).await?;
                socket.io().flush().await?;
            }
            Piece::Wait(time) => sleep(time).await,
            Piece::Endless(bytes) => loop {
                socket.io().write_all(&bytes).await?;
            },
            Piece::Reset => {
                // What was sent before should arrive before.
                sleep(Duration::from_millis(5)).await;
                socket.reset();
                return Ok(());
            }
        }
    }
    socket.io().shutdown().await
}

async fn next_request(socket: &mut Socket, buffer: &mut Vec<u8>) -> Option<Asked> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.io().read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let target = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while buffer.len() < end + length {
        if socket.io().read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    buffer.drain(..end + length);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Asked {
        path: path.to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        authorization: headers.get("authorization").cloned(),
        accept: headers.get("accept").cloned().unwrap_or_default(),
        at: Instant::now(),
    })
}

impl State {
    /// Whether this connection is to be cut.
    fn count_connection(&mut self) -> bool {
        self.connections += 1;
        let cut = self.cuts > 0;
        self.cuts = self.cuts.saturating_sub(1);
        cut
    }

    fn answer(&mut self, asked: Asked) -> Result<Vec<u8>, Vec<Piece>> {
        let body = if asked.is_list() {
            self.list(&asked)
        } else {
            self.sign_ins += 1;
            format!(
                r#"{{"access_token":"token-{}","expires_in":86399}}"#,
                self.sign_ins
            )
            .into_bytes()
        };
        self.asked.push(asked.clone());
        let number = self.asked.iter().filter(|asked| asked.is_list()).count();
        match (self.script)(&asked, number, &body) {
            Some(pieces) => Err(pieces),
            None => Ok(body),
        }
    }

    fn list(&self, asked: &Asked) -> Vec<u8> {
        let number = |name: &str| {
            asked
                .query
                .get(name)
                .map(|value| value.parse::<i64>().unwrap())
        };
        let above = number("id[gt]").unwrap_or(0);
        let end = number("id[lt_or_eq]").unwrap_or(i64::MAX);
        let limit = number("limit").unwrap_or(50).min(50) as usize;
        let offset = number("offset").unwrap_or(0) as usize;
        let mut rows: Vec<_> = self
            .records
            .iter()
            .filter(|(id, _)| *id > above && *id <= end)
            .collect();
        if asked.query.get("dir").is_some_and(|dir| dir == "desc") {
            rows.reverse();
        }
        let only_id = asked
            .query
            .get("fields")
            .is_some_and(|fields| fields == r#"["id"]"#);
        let texts: Vec<String> = rows
            .into_iter()
            .skip(offset)
            .take(limit)
            .map(|(id, text)| match only_id {
                true => format!(r#"{{"id":{id}}}"#),
                false => text.clone(),
            })
            .collect();
        format!("[{}]", texts.join(",")).into_bytes()
    }
}

/// A well-formed answer.
pub fn whole(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = head(status, headers, Some(body.len()));
    bytes.extend_from_slice(body);
    bytes
}

/// The head of an answer; without a length, its body ends with the connection.
pub fn head(status: u16, headers: &[(&str, &str)], length: Option<usize>) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Whatever\r\n");
    text.push_str("Date: Sun, 01 Mar 2026 00:00:00 GMT\r\n");
    if let Some(length) = length {
        text.push_str(&format!("Content-Length: {length}\r\n"));
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Records made from a resource's own sample, ids counted from 1.
pub fn records(resource: &Resource, count: i64) -> Vec<(i64, String)> {
    let sample: Vec<Map<String, Value>> = serde_json::from_str(&resource.sample).unwrap();
    let template = |id: i64| sample[id as usize % sample.len()].clone();
    (1..=count)
        .map(|id| {
            let mut record = template(id);
            record.insert("id".to_owned(), id.into());
            (id, Value::Object(record).to_string())
        })
        .collect()
}
