//! Mutants of good job files: whatever is written, the answer is a job, or problems that name a place and repeat
//! no secret.
//!
//! Beside the parser and not in `fuzz/`, since a job is made of the engine's types.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;

use super::super::{Loaded, Place, Problems, file, job};

const SEEDS: [&str; 5] = [
    super::GOOD,
    EVERYTHING,
    include_str!("../../../nightly.toml"),
    include_str!("../../../local.toml"),
    include_str!("../../commands/starter.toml"),
];

const EVERYTHING: &str = r#"connection = "acme-2"
[coupa]
url = "http://127.0.0.1:8780"
client_id = "${COUPA_CLIENT_ID}"
client_secret = "${file:secret.txt}"
requests_per_second = 2.5
max_in_flight = 20
payload = "full"
[extract]
resources = ["invoices", "suppliers"]
since = 2023-01-01
overlap = "36h"
reconcile = "never"
check = "never"
piece_records = 5000
tolerate = { quarantined = 0 }
[lake]
url = "s3://${BUCKET}/prefix/"
[lake.options]
aws_region = "eu-central-1"
aws_allow_http = true
aws_secret_access_key = "${AWS_SECRET_ACCESS_KEY}"
[warehouse]
uri = "postgres://loader:${PASSWORD}@db.example/spend"
"#;

/// What every variable holds, and the file.
const IN_ENVIRONMENT: &str = "env-s3cr3t-v4lue";
const IN_A_FILE: &str = "f1le-s3cr3t-v4lue";
/// A secret that stands in the file itself, on a line that is not mutated.
const IN_CLEAR: &str = "cl3ar-s3cr3t-v4lue";
const CLEAR_LINES: [&str; 4] = [
    "client_secret = \"cl3ar-s3cr3t-v4lue\"",
    "aws_secret_access_key = 'cl3ar-s3cr3t-v4lue'",
    "uri = \"postgres://loader:cl3ar-s3cr3t-v4lue@db.example/spend\"",
    "client_secret = \"${COUPA_CLIENT_ID}cl3ar-s3cr3t-v4lue${\"",
];

#[test]
fn a_mutant_is_a_job_or_is_told_where_it_is_wrong() {
    let seconds = std::env::var("SPENDLAKE_FUZZ_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .map(Duration::from_secs);
    let wanted = match std::env::var_os("SPENDLAKE_LONG") {
        Some(_) => 500_000,
        None => 10_000,
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("secret.txt"), IN_A_FILE).expect("it is writable");
    let path = folder.path().join("job.toml");
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut pool: Vec<String> = SEEDS.map(str::to_owned).into();
    let begun = Instant::now();
    let (mut count, mut jobs, mut told) = (0_usize, 0_usize, 0_usize);
    while seconds.map_or(count < wanted, |seconds| begun.elapsed() < seconds) {
        let mutant = match count % 4 {
            0 => dice.around_a_secret(&pool),
            _ => dice.mutant(&pool),
        };
        let started = Instant::now();
        let loaded = check(&mutant, &path);
        // Far more than a busy machine may hold a test up.
        assert!(started.elapsed() < Duration::from_secs(60), "{mutant}");
        told += loaded.problems.len();
        jobs += usize::from(loaded.ready().is_ok());
        // A mutant of a mutant goes further.
        if count.is_multiple_of(16) && mutant.len() < 1 << 14 && !mutant.contains(IN_CLEAR) {
            if pool.len() < 256 {
                pool.push(mutant);
            } else {
                let place = SEEDS.len() + dice.below(256 - SEEDS.len());
                pool[place] = mutant;
            }
        }
        count += 1;
    }
    println!(
        "{count} mutants: {jobs} jobs, {told} problems told, in {:?}",
        begun.elapsed()
    );
    assert!(jobs > count / 100, "some are still jobs: {jobs}");
    assert!(told > count / 2, "most are not: {told}");
}

/// Deeper than any stack.
#[test]
fn nesting_without_end_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("job.toml");
    for (open, close) in [("[", "]"), ("{a=", "}"), ("[{a=", "}]")] {
        let nested = format!("x = {}1{}", open.repeat(100_000), close.repeat(100_000));
        assert!(check(&nested, &path).ready().is_err());
    }
    let dotted = format!("{}a = 1", "a.".repeat(100_000));
    assert!(check(&dotted, &path).ready().is_err());
}

/// Reads the mutant, and holds what is told of it against what must hold of every message.
fn check(text: &str, path: &std::path::Path) -> Loaded {
    let environment = |name: &str| (name != "UNSET").then(|| IN_ENVIRONMENT.to_owned());
    let mut problems = Problems::of(path);
    let written = file::parse(text, &mut problems);
    let place = Place::of(path, &environment, &["invoices", "suppliers"]);
    let parts = written.map(|written| job::check(&written, &place, &mut problems));
    let loaded = Loaded {
        parts: parts.unwrap_or_default(),
        problems: problems.sorted(),
    };
    let lines = text.split('\n').count();
    for problem in &loaded.problems {
        let shown = format!("{problem} ({})", problem.hint);
        match problem.line {
            Some(line) => assert!((1..=lines).contains(&line), "{shown}\n{text}"),
            None => assert!(names_a_key(&problem.what), "{shown}\n{text}"),
        }
        assert!(!problem.hint.is_empty(), "{shown}\n{text}");
        assert!(!problem.what.contains('\n'), "{shown}\n{text}");
        for secret in [IN_ENVIRONMENT, IN_A_FILE, IN_CLEAR] {
            let shown = shown.to_lowercase();
            assert!(!shown.contains(secret), "{secret}: {shown}\n{text}");
        }
    }
    if let (Some(source), []) = (&loaded.parts.source, loaded.problems.as_slice()) {
        let secret = source.client_secret.expose_secret();
        assert!(!secret.contains(IN_CLEAR), "taken in clear: {text}");
    }
    loaded
}

fn names_a_key(what: &str) -> bool {
    let keys = ["connection", "url", "uri", "client_id", "client_secret"];
    keys.iter().any(|key| what.starts_with(key))
}

const WORDS: [&str; 48] = [
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ",",
    ".",
    "#",
    "\n",
    "\r",
    "\t",
    "\\",
    "\\u00e9",
    "\\UFFFFFFFF",
    "${",
    "}",
    "${COUPA_CLIENT_SECRET}",
    "${UNSET}",
    "${file:secret.txt}",
    "${file:/}",
    "${file:",
    "nan",
    "-inf",
    "1e400",
    "9223372036854775808",
    "-1",
    "0xFF",
    "1979-05-27T07:32:00Z",
    "true",
    "\u{e9}",
    "\u{0}",
    "\u{1f4a5}",
    "\u{feff}",
    "[coupa]",
    "[lake.options]",
    "\nurl = ",
    "s3://",
    "https://",
    "user:word@",
    ":99999/%zz?a#b",
    "10m",
    "99999999999999999999d",
];

/// Numbers by a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize) % most.max(1)
    }

    fn mutant(&mut self, pool: &[String]) -> String {
        let mut text = pool[self.below(pool.len())].clone();
        for _ in 0..=self.below(4) {
            self.mutate(&mut text, pool);
        }
        text
    }

    /// A file with a secret in clear, and mutants before and behind its line.
    fn around_a_secret(&mut self, pool: &[String]) -> String {
        let text = pool[self.below(SEEDS.len())].clone();
        let lines: Vec<&str> = text.lines().collect();
        let at = self.below(lines.len() + 1);
        let (mut before, mut behind) = (lines[..at].join("\n"), lines[at..].join("\n"));
        for _ in 0..=self.below(2) {
            self.mutate(&mut before, pool);
            self.mutate(&mut behind, pool);
        }
        let line = CLEAR_LINES[self.below(CLEAR_LINES.len())];
        format!("{before}\n{line}\n{behind}")
    }

    fn mutate(&mut self, text: &mut String, pool: &[String]) {
        let at = self.below(text.len() + 1);
        let at = text.floor_char_boundary(at);
        let end = text.ceil_char_boundary((at + self.below(24)).min(text.len()));
        let word = WORDS[self.below(WORDS.len())];
        match self.below(8) {
            0 => text.replace_range(at..end, ""),
            1 => text.insert_str(at, word),
            2 => text.replace_range(at..end, word),
            3 => {
                let part = text[at..end].to_owned();
                text.insert_str(at, &part);
            }
            4 => {
                let other = &pool[self.below(pool.len())];
                let from = self.below(other.len() + 1);
                let from = other.floor_char_boundary(from);
                let to = other.ceil_char_boundary((from + self.below(64)).min(other.len()));
                text.insert_str(at, &other[from..to]);
            }
            5 => {
                let mut lines: Vec<&str> = text.lines().collect();
                let (one, two) = (self.below(lines.len()), self.below(lines.len()));
                if !lines.is_empty() {
                    lines.swap(one, two);
                    *text = lines.join("\n");
                }
            }
            // A value of another line.
            6 => {
                let values = text.lines().filter_map(|line| line.split_once('='));
                let values: Vec<&str> = values.map(|(_, value)| value).collect();
                if values.len() > 1 {
                    let (from, to) = (self.below(values.len()), self.below(values.len()));
                    *text = text.replacen(values[to], values[from], 1);
                }
            }
            _ => {
                let lines: Vec<&str> = text.lines().collect();
                let gone = self.below(lines.len());
                let kept = lines.iter().enumerate().filter(|(place, _)| *place != gone);
                *text = kept.map(|(_, line)| *line).collect::<Vec<_>>().join("\n");
            }
        }
    }
}
