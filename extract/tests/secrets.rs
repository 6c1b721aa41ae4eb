//! A session with faults, told at the finest level: no secret stands in anything that was printed.
//!
//! A process of its own, because it listens to everything that this crate and its dependencies tell.

use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use chrono::Utc;
use extract::{Instance, Payload, Scan, Settings, probe, read};
use futures::StreamExt;
use schemas::Schemas;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// With letters that each encoding writes in its own way.
const SECRET: &str = "s3cr/t\"+ with=odd&letters";
const CLIENT: &str = "client-id-4711";
const TOKEN: &str = "token.eyJhbGciOiJub25lIn0.abc-DEF_ghi";
const IN_A_RECORD: &str = "canary-of-a-record";

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u8>>>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Answers lists with these in turn, and whatever else comes with the last one; repeats what it was
/// told wherever it can.
async fn serve(listener: TcpListener, answers: Vec<(&'static str, String)>) {
    let mut answers = answers.into_iter();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.windows(4).any(|four| four == b"\r\n\r\n") {
            if stream.read_buf(&mut asked).await.unwrap() == 0 {
                break;
            }
        }
        let (status, body) = if asked.starts_with(b"POST") {
            (
                "200 OK",
                format!(r#"{{"access_token":"{TOKEN}","expires_in":86399}}"#),
            )
        } else {
            match answers.next() {
                Some(answer) => answer,
                None => return,
            }
        };
        if status.is_empty() {
            continue;
        }
        let head = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(body.as_bytes()).await;
    }
}

fn echo() -> String {
    let json = serde_json::json!({
        "errors": {"base": [format!("{SECRET} {CLIENT} {TOKEN}")]},
    });
    json.to_string()
}

fn record(id: i64) -> String {
    format!(
        r#"{{"id":{id},"updated-at":"2026-03-01T00:00:00Z","cxml-secret":"{IN_A_RECORD}","total-with-taxes":"1.50","supplier":{{"id":1,"portal-password":"{IN_A_RECORD}"}}}}"#
    )
}

#[test]
fn i11_nothing_that_is_printed_holds_a_secret() {
    let told = Told::default();
    let writer = told.clone();
    // Takes what `log` is told as well.
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let mut shown = told.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let page = |ids: std::ops::RangeInclusive<i64>| {
            let records: Vec<String> = ids.map(record).collect();
            ("200 OK", format!("[{}]", records.join(",")))
        };
        let sessions = [
            // A read through passing faults.
            vec![
                page(3..=3),
                ("401 Unauthorized", echo()),
                ("500 Oops", echo()),
                ("429 Slow", echo()),
                ("", String::new()),
                ("200 OK", format!("<html>{TOKEN}</html>")),
                page(1..=3),
            ],
            // One that ends, with a server that repeats all it knows.
            vec![page(3..=3), ("400 Bad Request", echo())],
            vec![
                page(3..=3),
                ("200 OK", echo()),
                ("200 OK", echo()),
                ("200 OK", echo()),
            ],
        ];
        for answers in sessions {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let settings = Settings {
                url: format!("http://{}", listener.local_addr().unwrap())
                    .parse()
                    .unwrap(),
                client_id: CLIENT.to_owned().into(),
                client_secret: SECRET.to_owned().into(),
                scopes: vec!["core.invoice.read".to_owned()],
                requests_per_second: None,
                max_in_flight: 2,
            };
            writeln!(shown, "{settings:?}").unwrap();
            tokio::spawn(serve(listener, answers));
            let instance = Instance::new(settings).unwrap();
            writeln!(shown, "{instance:?}").unwrap();
            let resource = Arc::new(Schemas::embedded().unwrap().resources["invoices"].clone());
            let found = probe(&instance, &resource).await.unwrap();
            writeln!(shown, "{found:?}").unwrap();
            let scan = Scan {
                since: None,
                until_id: found.max_id,
                server_time: Utc::now(),
                extra_keys: found.extra_keys,
                payload: Payload::Declared,
                run_id: "run-1".to_owned(),
                extracted_at: Utc::now(),
            };
            let mut batches = Box::pin(read(&instance, resource, scan));
            while let Some(batch) = batches.next().await {
                match batch {
                    Ok(batch) => writeln!(shown, "{batch:?}").unwrap(),
                    Err(error) => {
                        let hint = error.hint();
                        writeln!(shown, "{error} {error:?} {hint:?}").unwrap();
                    }
                }
            }
        }
    });
    let told = told.0.lock().unwrap();
    let text = String::from_utf8_lossy(&told);
    // It did listen: to our crate, and to the HTTP client below it.
    for heard in ["retry", "hyper", "invoices"] {
        assert!(text.contains(heard), "nothing was told of {heard}");
    }
    for secret in [SECRET, CLIENT, TOKEN, IN_A_RECORD] {
        let json = serde_json::Value::from(secret).to_string();
        let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let debug = format!("{secret:?}");
        for form in [
            secret,
            json.trim_matches('"'),
            debug.trim_matches('"'),
            &percent,
            &percent.replace('+', "%20"),
            &BASE64_STANDARD_NO_PAD.encode(secret),
            &BASE64_URL_SAFE_NO_PAD.encode(secret),
        ] {
            let found = text.find(form);
            let around =
                found.map(|at| &text[text.floor_char_boundary(at.saturating_sub(200))..at]);
            assert!(found.is_none(), "{form} behind {around:?}");
        }
    }
}
