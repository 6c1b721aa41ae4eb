//! The whole road against the simulator, beside the floor of only downloading the same pages.
//!
//! `cargo bench -p pipeline --bench end_to_end [-- --invoices N]` prints what it measured on this run:
//! records and megabytes of JSON a second, CPU seconds a gigabyte, peak memory. Simulator, run and floor
//! are processes of their own, so that each figure is of one thing. Without `--bench` (under
//! `cargo test`) a small size is run, to show that it works.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::Utc;
use futures::StreamExt;
use pipeline::{Job, LakeSettings, Reconcile, RunOptions, Stop, Surroundings};
use serde::{Deserialize, Serialize};
use simulator::{Config, Simulator};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const ROLE: &str = "SPENDLAKE_BENCH_ROLE";
const IN_FLIGHT: usize = 8;
/// A gigabyte, as storage is sold.
const GB: f64 = 1e9;

/// What a process is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Role {
    Serve {
        invoices: u32,
        latency_ms: u64,
        limited: bool,
    },
    Run {
        url: String,
        lake: String,
        unified: bool,
        requests_per_second: Option<f64>,
        in_flight: usize,
    },
    Floor {
        url: String,
    },
}

/// What a process measured of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Measured {
    seconds: f64,
    cpu_seconds: f64,
    peak_bytes: u64,
    records: u64,
    bytes: u64,
    pages: u64,
    detail: Vec<(String, f64)>,
}

fn main() {
    if let Ok(role) = std::env::var(ROLE) {
        let role: Role = serde_json::from_str(&role).expect("the parent writes roles");
        return play(role);
    }
    let words: Vec<String> = std::env::args().collect();
    let full = words.iter().any(|word| word == "--bench");
    let asked = words
        .iter()
        .position(|word| word == "--invoices")
        .and_then(|at| words.get(at + 1)?.parse().ok());
    let size: u32 = asked.unwrap_or(if full { 100_000 } else { 500 });
    throughput(size);
    if full {
        memory(size);
        paced(size / 5);
    } else {
        paced(500);
    }
}

/// Run and floor over the same pages, unlimited.
fn throughput(invoices: u32) {
    println!("== {invoices} invoices of 8 lines, no limits, {IN_FLIGHT} requests in flight");
    for unified in [false, true] {
        let server = Server::start(invoices, Duration::ZERO, false);
        let folder = tempfile::tempdir().expect("a folder for the lake");
        let run = server.run(folder.path(), unified, None, IN_FLIGHT);
        let floor = measure(&Role::Floor {
            url: server.url.clone(),
        });
        let name = if unified {
            "run, unified tables too"
        } else {
            "run, to the change log"
        };
        report(name, &run);
        report("floor: download only", &floor);
        let target = if unified { 10.0 } else { 6.0 };
        let per_gb = run.cpu_seconds / (run.bytes as f64 / GB);
        let bound = 1.5 * (floor.seconds + run.cpu_seconds - floor.cpu_seconds);
        println!(
            "   CPU seconds a GB: {per_gb:.2} (target {target}); wall {:.2} s (target {bound:.2} s: 1.5 × the floor and the CPU it needs)",
            run.seconds
        );
        for (part, seconds) in &run.detail {
            println!("      {part:<40} {seconds:>8.2} s");
        }
    }
}

/// Peak memory at two sizes: it must not grow with the data.
fn memory(invoices: u32) {
    for size in [invoices / 5, invoices * 2] {
        let server = Server::start(size, Duration::ZERO, false);
        let folder = tempfile::tempdir().expect("a folder for the lake");
        let run = server.run(folder.path(), true, None, IN_FLIGHT);
        println!(
            "== peak memory at {size} invoices: {:.0} MB (target 400 MB, the same at both sizes)",
            run.peak_bytes as f64 / 1e6
        );
    }
}

/// A slow source with Coupa's documented ceiling.
fn paced(invoices: u32) {
    let server = Server::start(invoices, Duration::from_millis(300), true);
    let folder = tempfile::tempdir().expect("a folder for the lake");
    let run = server.run(folder.path(), true, Some(25.0), 12);
    let least = f64::from(invoices.div_ceil(50)) / 25.0;
    println!(
        "== {invoices} invoices at 300 ms a page and 25 requests a second: {:.2} s, {:.2} × pages / 25 (target 1.1)",
        run.seconds,
        run.seconds / least
    );
    for (part, seconds) in run.detail.iter().filter(|(part, _)| part == "read") {
        println!(
            "      of it {part}: {seconds:.2} s, {:.2} × pages / 25",
            seconds / least
        );
    }
}

fn report(name: &str, measured: &Measured) {
    let megabytes = measured.bytes as f64 / 1e6;
    println!(
        "   {name:<26} {:>7.2} s  {:>9.0} records/s  {:>7.1} MB/s of JSON  {:>6.2} CPU s  peak {:>4.0} MB  ({} pages, {megabytes:.0} MB)",
        measured.seconds,
        measured.records as f64 / measured.seconds,
        megabytes / measured.seconds,
        measured.cpu_seconds,
        measured.peak_bytes as f64 / 1e6,
        measured.pages,
    );
}

struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(invoices: u32, latency: Duration, limited: bool) -> Server {
        let role = Role::Serve {
            invoices,
            latency_ms: latency.as_millis() as u64,
            limited,
        };
        let mut child = spawn(&role);
        let mut line = String::new();
        let output = child.stdout.as_mut().expect("its output is piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("the simulator prints its address");
        Server {
            child,
            url: line.trim().to_string(),
        }
    }

    fn run(
        &self,
        folder: &std::path::Path,
        unified: bool,
        requests_per_second: Option<f64>,
        in_flight: usize,
    ) -> Measured {
        measure(&Role::Run {
            url: self.url.clone(),
            lake: folder.display().to_string(),
            unified,
            requests_per_second,
            in_flight,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(role: &Role) -> Child {
    Command::new(std::env::current_exe().expect("this program has a path"))
        .env(
            ROLE,
            serde_json::to_string(role).expect("a role is plain data"),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts again")
}

fn measure(role: &Role) -> Measured {
    let mut child = spawn(role);
    let mut output = String::new();
    let stdout = child.stdout.as_mut().expect("its output is piped");
    stdout.read_to_string(&mut output).expect("it prints text");
    assert!(child.wait().expect("it ends").success(), "{role:?} failed");
    serde_json::from_str(&output).expect("it prints what it measured")
}

fn play(role: Role) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(16 << 20)
        .build()
        .expect("a runtime");
    match role {
        Role::Serve {
            invoices,
            latency_ms,
            limited,
        } => serve(invoices, Duration::from_millis(latency_ms), limited),
        Role::Run {
            url,
            lake,
            unified,
            requests_per_second,
            in_flight,
        } => {
            let job = job(&url, lake, requests_per_second, in_flight);
            print(runtime.block_on(run(job, unified)));
        }
        Role::Floor { url } => print(runtime.block_on(floor(&url))),
    }
}

fn print(measured: Measured) {
    println!(
        "{}",
        serde_json::to_string(&measured).expect("figures are plain data")
    );
}

fn serve(invoices: u32, latency: Duration, limited: bool) {
    let unlimited = Config::for_tests(7, 0.1);
    let rate = if limited {
        Config::default().rate
    } else {
        None
    };
    let config = Config {
        lines: Some(8),
        latency,
        rate,
        control: true,
        ..unlimited.count("invoices", invoices)
    };
    let running = Simulator::start(config).expect("the simulator starts");
    println!("{}", running.url());
    std::io::stdout().flush().expect("the parent reads");
    // It serves until the parent goes.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn job(url: &str, lake: String, requests_per_second: Option<f64>, in_flight: usize) -> Job {
    let client = Config::default().clients.remove(0);
    Job {
        connection: "bench".to_string(),
        source: extract::Settings {
            url: url.parse().expect("the simulator's address is one"),
            client_id: client.id.into(),
            client_secret: client.secret.into(),
            scopes: Vec::new(),
            requests_per_second,
            max_in_flight: in_flight,
        },
        payload: extract::Payload::Declared,
        resources: Some(vec!["invoices".to_string()]),
        since: None,
        overlap: Duration::from_secs(600),
        reconcile: Reconcile::Never,
        check: false,
        piece_records: pipeline::job::PIECE_RECORDS,
        tolerate_quarantined: 0.0,
        lake: LakeSettings {
            url: lake,
            options: BTreeMap::new(),
        },
        warehouse: None,
    }
}

async fn run(job: Job, unified: bool) -> Measured {
    let mut schemas = schemas::Schemas::embedded().expect("our definitions are right");
    if !unified {
        schemas.tables.clear();
        schemas.report_tables.clear();
    }
    let around = Surroundings {
        clock: &Utc::now,
        observe: &|_| {},
        stop: Stop::default(),
    };
    let started = Instant::now();
    let summary = pipeline::run(&job, &schemas, &RunOptions::default(), &around)
        .await
        .expect("the run starts");
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(
        summary.exit_code(),
        0,
        "{:?}",
        summary.problems().collect::<Vec<_>>()
    );
    let resource = &summary.resources[0];
    let mut detail = vec![("read".to_string(), resource.seconds)];
    detail.extend(
        summary
            .tables
            .iter()
            .filter(|table| table.seconds > 0.2)
            .map(|table| (table.table.clone(), table.seconds)),
    );
    Measured {
        seconds,
        cpu_seconds: cpu_seconds(),
        peak_bytes: peak_bytes(),
        records: resource.records,
        bytes: resource.bytes,
        pages: resource.pages,
        detail,
    }
}

/// Asks for exactly the pages that the run asked for, at the same concurrency, and throws them away.
async fn floor(url: &str) -> Measured {
    let client = reqwest::Client::new();
    let sent: Vec<serde_json::Value> = client
        .get(format!("{url}/simulator/requests"))
        .send()
        .await
        .expect("the simulator tells its requests")
        .json()
        .await
        .expect("as JSON");
    let pages: Vec<(String, Vec<(String, String)>)> = sent
        .iter()
        .filter(|request| request["path"] == "/api/invoices")
        .map(|request| {
            let path = format!("{url}{}", request["path"].as_str().expect("a path"));
            let query = request["query"].as_array().expect("pairs").iter();
            let text =
                |pair: &serde_json::Value, at: usize| pair[at].as_str().expect("text").to_string();
            (
                path,
                query.map(|pair| (text(pair, 0), text(pair, 1))).collect(),
            )
        })
        .collect();
    let token = token(&client, url).await;
    let started = Instant::now();
    let before = cpu_seconds();
    let sizes: Vec<u64> = futures::stream::iter(&pages)
        .map(|(path, query)| {
            let request = client
                .get(path)
                .query(query)
                .bearer_auth(&token)
                .header("Accept", "application/json")
                .header("Accept-Encoding", "gzip");
            async move {
                let mut body = request.send().await.expect("a page").bytes_stream();
                let mut size = 0;
                while let Some(chunk) = body.next().await {
                    size += chunk.expect("a piece of a page").len() as u64;
                }
                size
            }
        })
        .buffer_unordered(IN_FLIGHT)
        .collect()
        .await;
    Measured {
        seconds: started.elapsed().as_secs_f64(),
        cpu_seconds: cpu_seconds() - before,
        peak_bytes: peak_bytes(),
        records: pages.len() as u64 * 50,
        bytes: sizes.iter().sum(),
        pages: pages.len() as u64,
        detail: Vec::new(),
    }
}

async fn token(client: &reqwest::Client, url: &str) -> String {
    let known = Config::default().clients.remove(0);
    let answer: serde_json::Value = client
        .post(format!("{url}/oauth2/token"))
        .form(&[
            ("grant_type", "client_credentials"),
            ("client_id", &known.id),
            ("client_secret", &known.secret),
        ])
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("as JSON");
    answer["access_token"]
        .as_str()
        .expect("a token")
        .to_string()
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name stands in parentheses and may hold spaces; fields are counted behind it.
    let fields: Vec<&str> = text
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().collect())
        .unwrap_or_default();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|t| t.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

/// The most memory this process ever held.
fn peak_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}
