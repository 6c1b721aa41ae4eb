//! "It did the work, then said that it failed": the connection is cut around the commit, on either side of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use warehouse::{Kind as What, Outcome, Scope, Settings, Warehouse};

use crate::sinks::{Kind, Sink, adbc_postgres_uri, postgres};
use crate::tables::{
    CONNECTION, batch, lines, load, load_of, some_lines, unchanged_but_for_rows, version,
};

/// What happens to the next commit that passes.
const PASS: u8 = 0;
/// It never reaches the server.
const CUT_BEFORE: u8 = 1;
/// The server did it; the answer is lost.
const CUT_AFTER: u8 = 2;

/// A relay before the server that can lose a commit, or its answer.
struct Relay {
    address: SocketAddr,
    next: Arc<AtomicU8>,
}

impl Relay {
    async fn start() -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let next = Arc::new(AtomicU8::new(PASS));
        let shared = next.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, shared.clone()));
            }
        });
        Relay { address, next }
    }

    /// The uri of the server, by way of the relay, which reads along and so wants no encryption.
    fn uri(&self, uri: &str) -> String {
        let (head, tail) = uri.split_once('@').expect("user before host");
        let (_, rest) = tail.split_once('/').expect("a database");
        let join = if rest.contains('?') { "&" } else { "?" };
        format!("{head}@{}/{rest}{join}sslmode=disable", self.address)
    }
}

async fn relay(client: TcpStream, next: Arc<AtomicU8>) {
    let server = url::Url::parse(postgres()).expect("a uri");
    let port = server.port().unwrap_or(5432);
    let server = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("the server answers");
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut sent, mut told) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            read = from_client.read(&mut sent) => {
                let Ok(count @ 1..) = read else { return };
                let piece = &sent[..count];
                let commits = piece.windows(7).any(|bytes| bytes == b"COMMIT\0");
                let what = if commits { next.swap(PASS, Ordering::SeqCst) } else { PASS };
                if what == CUT_BEFORE {
                    return;
                }
                if to_server.write_all(piece).await.is_err() {
                    return;
                }
                if what == CUT_AFTER {
                    // The server has answered: it is done. Nobody is told.
                    let answered = from_server.read(&mut told).await;
                    assert!(answered.is_ok_and(|count| count > 0), "the server answers");
                    return;
                }
            }
            read = from_server.read(&mut told) => {
                let Ok(count @ 1..) = read else { return };
                if to_client.write_all(&told[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn check(kind: Kind) {
    let sink = Sink::new(kind).await;
    let relay = Relay::start().await;
    let uri = match kind {
        Kind::Postgres => postgres().to_string(),
        _ => adbc_postgres_uri(),
    };
    let settings = Settings {
        uri: SecretString::from(relay.uri(&uri)),
        schema: sink.schema().to_string(),
    };
    let table = lines();
    let mut warehouse = Warehouse::connect(&settings).await.expect("it opens");
    let rows = |version| vec![batch(CONNECTION, &some_lines(0..50, 2, version))];
    let whole = load_of(None, 1, Scope::Whole);
    load(&mut warehouse, &table, &whole, rows(1))
        .await
        .expect("it loads");
    let mut number = 1;
    for scope in [unchanged_but_for_rows(), Scope::Whole] {
        // Not done, and said so.
        relay.next.store(CUT_BEFORE, Ordering::SeqCst);
        let changes = load_of(Some(number), number + 1, scope);
        let error = load(&mut warehouse, &table, &changes, rows(number + 1)).await;
        let error = error.expect_err("the commit never arrived");
        assert_eq!(error.kind(), What::Unavailable, "{error}");
        assert_eq!(relay.next.load(Ordering::SeqCst), PASS, "the relay did cut");
        agree(&sink, number).await;

        // Done, and said to have failed.
        relay.next.store(CUT_AFTER, Ordering::SeqCst);
        let done = load(&mut warehouse, &table, &changes, rows(number + 1)).await;
        assert_eq!(
            done.expect("it was done"),
            Outcome::Loaded {
                rows: 100,
                nul_texts: 0
            }
        );
        assert_eq!(relay.next.load(Ordering::SeqCst), PASS, "the relay did cut");
        number += 1;
        agree(&sink, number).await;
        let loaded = warehouse
            .loaded(CONNECTION, "lines")
            .await
            .expect("it tells");
        assert_eq!(loaded.map(|loaded| loaded.version), Some(version(number)));
    }
}

async fn agree(sink: &Sink, number: u64) {
    let sql = format!(
        "SELECT count(*), min(text), max(text), (SELECT version FROM {0}._spendlake_loads) FROM {0}.lines",
        sink.schema()
    );
    let row = sink.rows(&sql).await.remove(0);
    let row: Vec<_> = row
        .iter()
        .map(|value| value.as_deref().unwrap_or(""))
        .collect();
    let text = format!("v{number}");
    assert_eq!(row, ["100", &text, &text, &number.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_found_out_about() {
    check(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_found_out_about_by_adbc() {
    check(Kind::AdbcPostgres).await;
}
