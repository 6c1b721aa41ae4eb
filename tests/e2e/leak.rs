//! No secret stands in anything that the command prints, logs, hands to a process or stores.
//!
//! Everything is told at the finest level. The planted texts are searched for in every form in which they may have
//! been written; `search.rs` proves that the search finds them.

mod search;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Config, Running, Simulator};
use tempfile::TempDir;

use search::{Looked, Search};

const CLIENT: &str = "client-4711-of-the-leak-test";
/// With letters that each encoding writes in its own way.
const CLIENT_SECRET: &str = "cl1ent/s3cret+ with=odd&letters\"";
const STORE_ID: &str = "AKIAOFTHELEAKTEST";
const STORE_SECRET: &str = "st0re/s3cret+key=of&the\"lake";
const STORE_TOKEN: &str = "st0re-session-t0ken/of+the=lake";
/// Values of keys that look secret, wherever a record may have one.
const IN_RECORDS: [&str; 7] = [
    "c4nary-of-cxml",
    "c4nary-of-a-portal",
    "c4nary-of-an-address",
    "c4nary-of-a-custom-field",
    "c4nary-of-an-object",
    "c4nary-of-a-misfit",
    "c4nary-inside-a-misfit",
];
/// No secret: it must land, so a search that does not find it is no search.
const PLAIN: &str = "c4nary-that-may-land";

/// A folder to call the command in, with secrets in the environment and in a file.
struct Desk {
    folder: TempDir,
}

/// All that one call printed.
struct Printed {
    code: i32,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Found in the arguments of a process while it ran.
    in_arguments: BTreeSet<String>,
}

const SECRETS: &str = r#"client_id = "${LEAK_ID}"
client_secret = "${LEAK_SECRET}""#;

const STORE: &str = r#"[lake.options]
aws_region = "eu-central-1"
aws_allow_http = true
aws_access_key_id = "${LEAK_STORE_ID}"
aws_secret_access_key = "${LEAK_STORE_SECRET}"
aws_session_token = "${LEAK_STORE_TOKEN}"
"#;

impl Desk {
    fn new() -> Desk {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("secret.txt"), CLIENT_SECRET).expect("it is writable");
        Desk { folder }
    }

    /// Writes a job that reads suppliers and currencies.
    fn job(&self, name: &str, url: &str, secrets: &str, payload: &str, lake: &str) {
        let text = format!(
            "connection = \"acme\"\n[coupa]\nurl = \"{url}\"\n{secrets}\npayload = \"{payload}\"\n\
             [extract]\nresources = [\"currencies\", \"suppliers\"]\nreconcile = \"always\"\n\
             tolerate = {{ quarantined = 1.0 }}\n[lake]\nurl = \"{lake}\"\n{STORE}"
        );
        std::fs::write(self.folder.path().join(name), text).expect("it is writable");
    }

    /// Calls the command, telling everything, and looks at the arguments of all processes meanwhile.
    fn call(&self, search: &Search, args: &[&str]) -> Printed {
        // Planning fills most of a log at the finest level, and is the same in every call: told once in full.
        let level = match args {
            ["run", "job.toml", ..] => "trace",
            _ => "trace,sqlparser=debug,datafusion=debug",
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_spendlake"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("SPENDLAKE_LOG", level)
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "1")
            .env("LEAK_ID", CLIENT)
            .env("LEAK_SECRET", CLIENT_SECRET)
            .env("LEAK_STORE_ID", STORE_ID)
            .env("LEAK_STORE_SECRET", STORE_SECRET)
            .env("LEAK_STORE_TOKEN", STORE_TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = command.spawn().expect("the command starts");
        let mut stdout = running.stdout.take().expect("a pipe");
        let mut stderr = running.stderr.take().expect("a pipe");
        std::thread::scope(|threads| {
            let stdout = threads.spawn(move || all_of(&mut stdout));
            let stderr = threads.spawn(move || all_of(&mut stderr));
            let mut in_arguments = BTreeSet::new();
            let ended = loop {
                #[cfg(target_os = "linux")]
                in_arguments.extend(search.in_arguments().into_iter().map(str::to_owned));
                if let Some(ended) = running.try_wait().expect("it is ours") {
                    break ended;
                }
                std::thread::sleep(Duration::from_millis(50));
            };
            Printed {
                code: ended.code().expect("an exit code"),
                stdout: stdout.join().expect("it reads"),
                stderr: stderr.join().expect("it reads"),
                in_arguments,
            }
        })
    }
}

impl Printed {
    fn must_hold_none(&self, search: &Search, doing: &str) {
        let nothing = BTreeSet::new();
        for (place, bytes) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let found = search.in_bytes(bytes);
            assert_eq!(found, nothing, "{doing}: in {place}");
        }
        assert!(self.in_arguments.is_empty(), "{doing}: in an argument");
    }

    fn says(&self, text: &str) -> bool {
        let printed = [self.stdout.as_slice(), self.stderr.as_slice()].concat();
        String::from_utf8_lossy(&printed).contains(text)
    }
}

fn all_of(pipe: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).expect("the pipe is whole");
    bytes
}

fn planted() -> Vec<String> {
    let mut planted: Vec<String> = [CLIENT_SECRET, STORE_SECRET, STORE_TOKEN]
        .map(str::to_owned)
        .into();
    planted.extend(IN_RECORDS.map(str::to_owned));
    // As the Authorization header of Basic and of the store would join them.
    planted.push(format!("{CLIENT}:{CLIENT_SECRET}"));
    planted.push(format!("AWS4{STORE_SECRET}"));
    planted
}

/// A company whose records hold secrets under keys that say so, one of them in a record that does not fit.
fn company() -> Running {
    let mut config = Config::for_tests(97, 0.01);
    config.clients[0].id = CLIENT.to_owned();
    config.clients[0].secret = CLIENT_SECRET.to_owned();
    let coupa = Simulator::start(config).expect("a free port");
    let [cxml, portal, address, custom, object, misfit, inside] = IN_RECORDS;
    let ids: Vec<i64> = coupa
        .truth("suppliers")
        .iter()
        .filter_map(|supplier| supplier["id"].as_i64())
        .collect();
    coupa.upsert(
        "suppliers",
        &json!({
            "id": ids[0],
            "cxml-secret": cxml,
            "portal-password": portal,
            "primary-address": { "wifi-password": address },
            "custom-fields": { "gate-secret": custom, "gate-colour": PLAIN },
            "portal-credentials": { "user": object, "words": [object, object] },
        }),
    );
    coupa.upsert(
        "suppliers",
        &json!({
            "id": ids[1],
            "cxml-password": misfit,
            "name": { "label": PLAIN, "api-key": inside, "deep": [{ "old-secret": inside }] },
        }),
    );
    let answered = Value::from(coupa.truth("suppliers")).to_string();
    for secret in IN_RECORDS {
        assert!(answered.contains(secret), "{secret} is on its way");
    }
    coupa
}

#[test]
fn no_secret_is_printed_logged_or_stored() {
    let coupa = company();
    let desk = Desk::new();
    let (url, lake) = (coupa.url(), desk.folder.path().join("lake"));
    desk.job("job.toml", &url, SECRETS, "declared", "./lake");
    let from_a_file = "client_id = \"${LEAK_ID}\"\nclient_secret = \"${file:secret.txt}\"";
    desk.job("full.toml", &url, from_a_file, "full", "./lake");
    let search = Search::of(&planted());

    let mut printed = Vec::new();
    let mut call = |code: i32, args: &[&str]| {
        let left = desk.call(&search, args);
        let stderr = String::from_utf8_lossy(&left.stderr);
        let end = stderr.floor_char_boundary(stderr.len().saturating_sub(2_000));
        assert_eq!(left.code, code, "{args:?}: {}", &stderr[end..]);
        printed.push((args.join(" "), left));
    };
    call(0, &["check", "job.toml"]);
    // On the way it meets what a bad day brings.
    coupa.faults(|faults| {
        let day = "suppliers:401x1,suppliers:500x1,suppliers:garbagex1,currencies:htmlx1";
        *faults = day.parse().expect("faults");
    });
    call(0, &["run", "job.toml", "--json"]);
    call(0, &["run", "full.toml", "--full", "--json"]);
    call(0, &["status", "job.toml", "--json"]);
    let all = "SELECT * FROM coupa.suppliers";
    call(0, &["query", "job.toml", all, "--format", "json"]);
    call(0, &["quarantine", "list", "job.toml"]);
    call(0, &["quarantine", "show", "job.toml", "suppliers"]);
    call(0, &["quarantine", "replay", "job.toml"]);
    call(0, &["maintain", "job.toml"]);

    // The tokens are known by now; they are secrets like the others.
    let tokens = coupa.tokens();
    assert!(tokens.len() >= 3, "each call that asked had its own");
    let mut secrets = planted();
    for token in &tokens {
        secrets.extend(token.rsplit('.').next().map(str::to_owned));
    }
    secrets.extend(tokens);
    let search = Search::of(&secrets);
    let plain = Search::of(&[PLAIN.to_owned()]);
    for (doing, left) in &printed {
        left.must_hold_none(&search, doing);
        // It did tell of what lies below.
        assert!(left.says("TRACE"), "{doing} told little");
    }
    let (_, run) = &printed[1];
    for part in ["hyper", "datafusion", "suppliers"] {
        assert!(run.says(part), "nothing was told of {part}");
    }

    let mut looked = Looked::default();
    let found = search.in_files(&lake, &mut looked);
    assert_eq!(found, BTreeSet::new(), "in the lake");
    assert!(looked.parquet_files > 5, "{looked:?}");
    assert!(looked.unpacked_bytes > 100_000, "{looked:?}");
    assert!(!plain.in_files(&lake, &mut Looked::default()).is_empty());
    for layer in ["coupa/suppliers", "quarantine/suppliers"] {
        let found = plain.in_files(&lake.join(layer), &mut Looked::default());
        assert!(!found.is_empty(), "what may land did, in {layer}");
    }
    let shown: u64 = printed
        .iter()
        .map(|(_, left)| left.stderr.len() as u64)
        .sum();
    println!("no secret in {looked:?} and {shown} bytes of log");
}

#[test]
fn no_secret_stands_in_what_a_failure_says() {
    let coupa = company();
    let desk = Desk::new();
    let search = Search::of(&planted());
    // A source and a store that repeat all they are told, and ones that are away.
    let (echo, away) = (echo_server(), "http://127.0.0.1:9");
    let store = |name: &str, endpoint: &str| {
        desk.job(name, &coupa.url(), SECRETS, "declared", "s3://bucket/lake");
        let path = desk.folder.path().join(name);
        let text = std::fs::read_to_string(&path).expect("it was written");
        std::fs::write(path, format!("{text}aws_endpoint = \"{endpoint}\"\n"))
            .expect("it is writable");
    };
    desk.job("echo.toml", &echo, SECRETS, "declared", "./lake");
    desk.job("away.toml", away, SECRETS, "declared", "./lake");
    store("store-echo.toml", &echo);
    let wrong = SECRETS.replace("LEAK_SECRET", "LEAK_STORE_SECRET");
    desk.job("refused.toml", &coupa.url(), &wrong, "declared", "./lake");
    // What stands in the file itself is refused, and not repeated.
    let clear = format!("client_id = \"x\"\nclient_secret = '{CLIENT_SECRET}'");
    desk.job("clear.toml", &coupa.url(), &clear, "declared", "./lake");
    let broken = format!("client_id = \"x\"\nclient_secret = \"{STORE_TOKEN}");
    desk.job("broken.toml", &coupa.url(), &broken, "declared", "./lake");
    let misplaced = format!("{SECRETS}\nclient_secert = \"{STORE_TOKEN}\"");
    desk.job(
        "misplaced.toml",
        &coupa.url(),
        &misplaced,
        "declared",
        "./lake",
    );

    for (args, codes, says) in [
        (&["run", "echo.toml", "--json"][..], [2, 4], "401"),
        (&["check", "echo.toml"][..], [2, 4], "401"),
        (&["run", "away.toml", "--json"], [4, 4], "127.0.0.1:9"),
        (&["check", "store-echo.toml"], [2, 4], "403"),
        (&["run", "store-echo.toml", "--json"], [2, 4], "403"),
        (&["status", "store-echo.toml"], [2, 4], "403"),
        (&["maintain", "store-echo.toml"], [2, 4], "403"),
        (&["run", "refused.toml", "--json"], [2, 2], "401"),
        (&["run", "clear.toml", "--json"], [2, 2], "in clear"),
        (&["run", "broken.toml"], [2, 2], "not TOML"),
        (&["check", "misplaced.toml"], [2, 2], "client_secert"),
    ] {
        let left = desk.call(&search, args);
        let doing = args.join(" ");
        let stderr = String::from_utf8_lossy(&left.stderr);
        assert!(
            codes.contains(&left.code),
            "{doing}: {}\n{stderr}",
            left.code
        );
        assert!(left.says(says), "{doing} does not say {says}: {stderr}");
        left.must_hold_none(&search, &doing);
    }
    let found = search.in_files(&desk.folder.path().join("lake"), &mut Looked::default());
    assert_eq!(found, BTreeSet::new(), "in the lake");
}

/// Answers every request with a refusal that repeats it: request line, headers and body.
fn echo_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || echo(stream));
        }
    });
    format!("http://{address}")
}

fn echo(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
    let mut asked = Vec::new();
    let mut part = [0; 4_096];
    // Until nothing more comes: the bodies are short.
    while let Ok(count @ 1..) = stream.read(&mut part) {
        asked.extend_from_slice(&part[..count]);
    }
    let text = String::from_utf8_lossy(&asked);
    let status = match text.starts_with("POST /oauth2") {
        true => "401 Unauthorized",
        false => "403 Forbidden",
    };
    let said = json!({ "error": text, "error_description": text }).to_string();
    let body = format!("{said}\n<Error><Code>AccessDenied</Code><Message>{text}</Message></Error>");
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
}
