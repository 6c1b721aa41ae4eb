//! A run stays below 512 MiB, however many records there are and however large each of them is.
//!
//! Measured is the high-water mark of the resident set of a process of its own (`VmHWM`). Limits that the system
//! would enforce count what is only reserved (address space, stacks of threads), which says nothing of memory in use.
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use simulator::{Config, Running, Simulator};

const CAP_BYTES: u64 = 512 << 20;

/// What a run took.
#[derive(Debug)]
struct Took {
    peak_bytes: u64,
    received_bytes: u64,
    records: u64,
}

#[test]
fn many_records_stay_below_the_cap() {
    let config = Config::for_tests(11, 0.02).count("invoices", 4_000);
    let coupa = Simulator::start(config).expect("a free port");
    let took = run(&coupa, &["invoices"]);
    println!("many records: {took:?}");
    assert_eq!(took.records, coupa.truth("invoices").len() as u64);
    assert!(took.peak_bytes < CAP_BYTES, "{took:?}");
}

/// A batch of 1,024 of these records would be a gigabyte, and a page of 50 more than is read of a page. What waits
/// between the stages is bounded by bytes, so the run takes no more than with small ones.
#[test]
fn large_records_stay_below_the_cap() {
    let config = Config::for_tests(12, 0.02).count("suppliers", 300);
    let coupa = Simulator::start(config).expect("a free port");
    let text = noise(1 << 20);
    for supplier in coupa.truth("suppliers") {
        let record = json!({ "id": supplier["id"], "custom-fields": { "minutes": text } });
        coupa.upsert("suppliers", &record);
    }
    let took = run(&coupa, &["suppliers"]);
    println!("large records: {took:?}");
    assert!(took.received_bytes > CAP_BYTES / 2, "{took:?}");
    assert!(took.peak_bytes < CAP_BYTES, "{took:?}");
}

/// Letters that do not compress well: a body that unpacks to many times its size would be refused.
fn noise(length: usize) -> String {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + (state % 26) as u8)
    };
    (0..length).map(letter).collect()
}

/// Runs the command on these resources, and looks at its memory until it ends.
fn run(coupa: &Running, resources: &[&str]) -> Took {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let job = format!(
        "connection = \"acme\"\n[coupa]\nurl = \"{}\"\nclient_id = \"${{COUPA_CLIENT_ID}}\"\n\
         client_secret = \"${{COUPA_CLIENT_SECRET}}\"\n[extract]\nresources = {resources:?}\n\
         [lake]\nurl = \"./lake\"\n",
        coupa.url()
    );
    std::fs::write(folder.path().join("job.toml"), job).expect("the folder is writable");
    let client = coupa.client();
    let mut running = Command::new(env!("CARGO_BIN_EXE_spendlake"))
        .args(["run", "job.toml", "--json"])
        .current_dir(folder.path())
        .env_clear()
        .env("COUPA_CLIENT_ID", &client.id)
        .env("COUPA_CLIENT_SECRET", &client.secret)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the command starts");
    let mut peak_bytes = 0;
    while running.try_wait().expect("it is ours").is_none() {
        peak_bytes = peak_bytes.max(high_water(running.id()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = running.wait_with_output().expect("it is ours");
    assert!(output.status.success(), "{:?}", output.status);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one document");
    let sum = |key: &str| {
        let resources = summary["resources"].as_array().into_iter().flatten();
        resources.filter_map(|one| one[key].as_u64()).sum()
    };
    Took {
        peak_bytes,
        received_bytes: sum("bytes"),
        records: sum("records"),
    }
}

/// The most that a process has had in memory so far.
fn high_water(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}
