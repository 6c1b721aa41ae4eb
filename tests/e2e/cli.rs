//! The command as a user meets it: whole output and exit codes.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use insta::assert_snapshot;
use serde_json::{Value, json};
use simulator::{Config, Running, Simulator};
use tempfile::TempDir;

const JOB: &str = r#"connection = "acme"

[coupa]
url           = "https://acme.coupahost.com"
client_id     = "${COUPA_CLIENT_ID}"
client_secret = "${COUPA_CLIENT_SECRET}"

[lake]
url = "./lake"
"#;

/// A folder to work in, with the variables that the job names.
struct Desk {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// What one call left.
struct Left {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Desk {
    fn new() -> Desk {
        Desk {
            folder: tempfile::tempdir().expect("a temporary folder"),
            variables: vec![
                ("COUPA_CLIENT_ID", "the-id".into()),
                ("COUPA_CLIENT_SECRET", "the-s3cret".into()),
            ],
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) -> &Desk {
        std::fs::write(self.path().join(name), text).expect("the folder is writable");
        self
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).expect("the file is there")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spendlake"));
        command.args(args).current_dir(self.path()).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `spendlake` in the folder.
    fn call(&self, args: &[&str]) -> Left {
        self.left(self.command(args).output().expect("the command starts"))
    }

    /// What was left, the folder's name cut out. No secret may ever show.
    fn left(&self, output: Output) -> Left {
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).expect("UTF-8");
            // macOS has its temporary folders behind a link.
            text.replace(&format!("/private{}", self.path().display()), "DESK")
                .replace(&self.path().display().to_string(), "DESK")
        };
        let left = Left {
            code: output.status.code().expect("an exit code"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        let secrets = self
            .variables
            .iter()
            .filter(|(name, _)| name.contains("SECRET"));
        for (_, secret) in secrets {
            assert!(!left.seen().contains(secret), "{}", left.seen());
        }
        left
    }
}

impl Left {
    /// Everything a user sees.
    fn seen(&self) -> String {
        let mut seen = String::new();
        if !self.stdout.is_empty() {
            seen.push_str(&format!("--- stdout\n{}\n", self.stdout.trim_end()));
        }
        if !self.stderr.is_empty() {
            seen.push_str(&format!("--- stderr\n{}\n", self.stderr.trim_end()));
        }
        format!("{seen}--- exit {}", self.code)
    }
}

#[test]
fn a_wrong_call_is_for_the_caller_to_change() {
    let desk = Desk::new();
    for args in [
        &[][..],
        &["runn"],
        &["run"],
        &["run", "job.toml", "--fulll"],
        &["query", "job.toml"],
        &["query", "job.toml", "SELECT 1", "--format", "parquet"],
        &["demo", "--scale", "0"],
    ] {
        let left = desk.call(args);
        assert_eq!((left.code, left.stdout.as_str()), (2, ""), "{args:?}");
        assert!(!left.stderr.is_empty(), "{args:?}");
    }
    assert_eq!(desk.call(&["--help"]).code, 0);
}

#[test]
fn a_bad_job_file_shows_all_its_problems_at_once() {
    let desk = Desk::new();
    let job = JOB
        .replace("connection", "conection")
        .replace("https://acme", "http://acme")
        .replace("\"${COUPA_CLIENT_SECRET}\"", "\"hunter2\"")
        .replace("./lake", "ftp://lake");
    desk.write("job.toml", &job);
    let left = desk.call(&["run", "job.toml"]);
    assert_snapshot!(left.seen(), @r##"
    --- stderr
    error: job.toml:1: unknown key at the top of the file: "conection"
      hint: did you mean "connection"?
    error: job.toml:4: the url is not encrypted
      hint: write https://acme.coupahost.com; http is taken for this machine only
    error: job.toml:6: client_secret is written in clear
      hint: write client_secret = "${COUPA_CLIENT_SECRET}" (the environment) or "${file:/run/secrets/x}" (a file), and replace the secret if others have seen this file
    error: job.toml:9: a lake on ftp:// is not available in this version
      hint: write a folder, as in "./lake", or s3://bucket/prefix, gs://bucket/prefix, az://container/prefix
    error: job.toml: connection is missing
      hint: write connection = "acme"
    --- exit 2
    "##);
    assert!(!desk.path().join("lake").exists());
}

#[test]
fn missing_secrets_are_named() {
    let mut desk = Desk::new();
    desk.variables.clear();
    desk.write("job.toml", JOB);
    let left = desk.call(&["check", "job.toml", "--offline"]);
    assert_snapshot!(left.seen(), @r##"
    --- stderr
    ok: lake, definitions
    job.toml: 2 problems
    error: job.toml:5: the environment variable COUPA_CLIENT_ID is not set
      hint: export COUPA_CLIENT_ID=… before the call, or read a file: ${file:/run/secrets/x}
    error: job.toml:6: the environment variable COUPA_CLIENT_SECRET is not set
      hint: export COUPA_CLIENT_SECRET=… before the call, or read a file: ${file:/run/secrets/x}
    --- exit 2
    "##);
}

#[test]
fn a_missing_job_file() {
    let left = Desk::new().call(&["run", "job.toml"]);
    assert_snapshot!(left.seen(), @r##"
    --- stderr
    error: job.toml: the job file cannot be read: there is no such file
      hint: `spendlake init` writes a starter job file; `spendlake demo` needs none
    --- exit 2
    "##);
}

#[test]
fn init_writes_once() {
    let desk = Desk::new();
    let left = desk.call(&["init", "acme"]);
    assert_eq!(left.code, 0);
    assert!(left.stderr.contains("core.invoice.read"), "{}", left.stderr);
    let written = desk.read("acme/spendlake.toml");
    assert!(written.contains("${COUPA_CLIENT_SECRET}"));
    assert_snapshot!(desk.call(&["init", "acme"]).seen(), @r##"
    --- stderr
    error: acme/spendlake.toml exists already and was left alone
      hint: name another folder, or move the file away first
    --- exit 2
    "##);
    assert_eq!(desk.read("acme/spendlake.toml"), written);
    // It is a job as it stands, but for the credentials of a company that does not exist.
    assert_eq!(
        desk.call(&["check", "--offline", "acme/spendlake.toml"])
            .code,
        0
    );
}

#[test]
fn definitions_can_be_listed_shown_and_taken_along() {
    let desk = Desk::new();
    let list = desk.call(&["schemas", "list"]);
    assert_eq!(list.code, 0);
    for name in ["coupa.invoices", "unified.invoices"] {
        assert!(list.stdout.contains(name), "{}", list.stdout);
    }
    let show = desk.call(&["schemas", "show", "coupa.invoices"]);
    assert!(show.stdout.starts_with("==> coupa/invoices.toml\n"));
    assert_snapshot!(desk.call(&["schemas", "show", "invoices"]).seen(), @r##"
    --- stderr
    error: there is no definition "invoices"
      hint: did you mean coupa.invoices or unified.invoices?
    --- exit 2
    "##);
    assert_snapshot!(desk.call(&["schemas", "show", "unified.invoicez"]).seen(), @r##"
    --- stderr
    error: there is no definition "unified.invoicez"
      hint: did you mean unified.invoices?
    --- exit 2
    "##);

    assert_eq!(desk.call(&["schemas", "export", "mine"]).code, 0);
    assert_eq!(
        desk.call(&["schemas", "list", "--schemas", "mine"]).stdout,
        list.stdout
    );
    assert_snapshot!(desk.call(&["schemas", "export", "mine"]).seen(), @r##"
    --- stderr
    error: mine is not empty and was left alone
      hint: name a new folder
    --- exit 2
    "##);

    let broken = desk
        .read("mine/coupa/currencies.toml")
        .replace("scope", "scoop");
    desk.write("mine/coupa/currencies.toml", &broken);
    assert_snapshot!(desk.call(&["schemas", "list", "--schemas", "mine"]).seen(), @r##"
    --- stderr
    error: coupa/currencies.toml:3: unknown key "scoop", allowed are path, scope, key, watermark, query, documented, fields
      hint: change the files under --schemas; `spendlake schemas export DIR` writes the ones in the binary to compare with
    --- exit 2
    "##);
}

#[test]
fn reading_a_lake_that_is_not_there() {
    let desk = Desk::new();
    desk.write("job.toml", JOB);
    assert_snapshot!(desk.call(&["query", "job.toml", "SELECT 1"]).seen(), @r##"
    --- stderr
    error: there is no lake at DESK/lake yet
      hint: `spendlake run job.toml` fills it
    --- exit 2
    "##);
    assert_eq!(desk.call(&["status", "job.toml"]).code, 2);
    assert!(!desk.path().join("lake").exists());
}

#[test]
fn a_lake_that_cannot_be_written() {
    let desk = Desk::new();
    desk.write("job.toml", JOB)
        .write("lake", "a file in the way");
    let left = desk.call(&["check", "job.toml", "--offline"]);
    assert_eq!(left.code, 2, "{}", left.seen());
    for part in [
        "error: lake: ",
        "DESK/lake",
        "hint: set lake.url to a folder",
    ] {
        assert!(
            left.stderr.contains(part),
            "{part}
{}",
            left.seen()
        );
    }
}

/// A desk with a job that reads a small simulated company.
fn desk_with(coupa: &Running) -> Desk {
    let mut desk = Desk::new();
    let client = coupa.client();
    desk.variables = vec![
        ("COUPA_CLIENT_ID", client.id.clone()),
        ("COUPA_CLIENT_SECRET", client.secret.clone()),
    ];
    desk.write(
        "job.toml",
        &JOB.replace("https://acme.coupahost.com", &coupa.url()),
    );
    desk
}

fn coupa() -> Running {
    Simulator::start(Config::for_tests(1, 0.01)).expect("a free port")
}

#[test]
fn refused_credentials_are_said_once() {
    let coupa = coupa();
    let mut desk = desk_with(&coupa);
    desk.variables[1].1 = "not-the-s3cret".into();
    for command in [&["check", "job.toml"], &["run", "job.toml"]] {
        let left = desk.call(command);
        assert_eq!(left.code, 2, "{}", left.seen());
        assert_eq!(left.stderr.matches("error:").count(), 1, "{}", left.seen());
        let hint = "hint: compare coupa.client_id and coupa.client_secret";
        assert!(left.stderr.contains(hint), "{}", left.seen());
    }
}

#[test]
fn a_missing_scope_is_named() {
    let mut config = Config::for_tests(1, 0.01);
    config.clients[0]
        .scopes
        .retain(|scope| scope != "core.invoice.read");
    let coupa = Simulator::start(config).expect("a free port");
    let left = desk_with(&coupa).call(&["check", "job.toml"]);
    assert_eq!(left.code, 2, "{}", left.seen());
    assert_eq!(left.stderr.matches("error:").count(), 1, "{}", left.seen());
    assert!(
        left.stderr.contains("error: resource invoices"),
        "{}",
        left.seen()
    );
    assert!(left.stderr.contains("core.invoice.read"), "{}", left.seen());
}

#[test]
fn check_names_the_faults_of_every_section() {
    let mut config = Config::for_tests(1, 0.01);
    config.clients[0]
        .scopes
        .retain(|scope| scope != "core.invoice.read");
    let coupa = Simulator::start(config).expect("a free port");
    let desk = desk_with(&coupa);
    let job = desk
        .read("job.toml")
        .replace("[lake]", "[lake]\nurll = \"x\"");
    desk.write("job.toml", &job)
        .write("lake", "a file in the way");
    let left = desk.call(&["check", "job.toml"]);
    assert_eq!(left.code, 2, "{}", left.seen());
    for part in [
        "job.toml: 3 problems",
        "error: job.toml:9: unknown key in [lake]: \"urll\"\n  hint: did you mean \"url\"?",
        "error: lake: ",
        "error: resource invoices: ",
    ] {
        assert!(left.stderr.contains(part), "{part}\n{}", left.seen());
    }
}

#[test]
fn a_source_that_is_away_is_for_later() {
    let desk = Desk::new();
    // Port 9 of this machine: nobody answers.
    desk.write(
        "job.toml",
        &JOB.replace("https://acme.coupahost.com", "http://127.0.0.1:9"),
    );
    let left = desk.call(&["run", "job.toml", "--json"]);
    assert_eq!(left.code, 4, "{}", left.seen());
    let document: Value = serde_json::from_str(&left.stdout).expect("one document");
    assert_eq!(document["outcome"], "failed");
    assert_eq!(document["errors"][0]["exit_code"], 4);
}

/// One company through all commands, since a first run is what takes time.
#[test]
fn a_run_and_what_can_be_asked_afterwards() {
    let coupa = coupa();
    let desk = desk_with(&coupa);
    let left = desk.call(&["check", "job.toml"]);
    assert_eq!(left.code, 0, "{}", left.seen());
    assert!(
        left.stderr.ends_with("job.toml: ready to run\n"),
        "{}",
        left.seen()
    );

    // A job that is wrong does not keep the others from running; the code is the worst one.
    desk.write("bad.toml", "connection = 1");
    let resources = ["--resources", "currencies,suppliers"];
    let left = desk.call(&[&["run", "bad.toml", "job.toml", "--json"], &resources[..]].concat());
    assert_eq!(left.code, 2, "{}", left.seen());
    let both: Value = serde_json::from_str(&left.stdout).expect("one document");
    assert_eq!(both[0]["outcome"], "failed");
    assert_eq!(both[1]["outcome"], "done");
    let currencies = coupa.truth("currencies").len();
    assert_eq!(both[1]["resources"][0]["resource"], "currencies");
    assert_eq!(both[1]["resources"][0]["changed"], currencies);

    let left = desk.call(&[&["run", "job.toml", "--json"], &resources[..]].concat());
    assert_eq!(left.code, 0, "{}", left.seen());
    let again: Value = serde_json::from_str(&left.stdout).expect("one document");
    assert_eq!(again["resources"][0]["changed"], 0);
    assert!(left.stderr.contains("acme: done after "), "{}", left.seen());

    let left = desk.call(&["status", "job.toml", "--json"]);
    let tables: Value = serde_json::from_str(&left.stdout).expect("one document");
    let rows = |name: &str| {
        let tables = tables.as_array().expect("a list").iter();
        let found = tables.filter(|table| table["table"] == name);
        found.map(|table| table["rows"].as_u64()).next().flatten()
    };
    assert_eq!(rows("coupa.currencies"), Some(currencies as u64));
    assert_eq!(rows("unified.currencies"), Some(currencies as u64));

    let ask = |sql: &str, format: &str| desk.call(&["query", "job.toml", sql, "--format", format]);
    let sql = "SELECT 1 AS n, CAST('0.10' AS DECIMAL(38, 9)) AS amount, 'a,\"b' AS text";
    assert_snapshot!(ask(sql, "json").seen(), @r##"
    --- stdout
    [{"n":1,"amount":"0.100000000","text":"a,\"b"}]
    --- exit 0
    "##);
    assert_snapshot!(ask(sql, "csv").seen(), @r##"
    --- stdout
    n,amount,text
    1,0.100000000,"a,""b"
    --- exit 0
    "##);
    assert_snapshot!(ask(sql, "table").seen(), @r##"
    --- stdout
     n   amount   text
    ───────────────────
     1     0.10   a,"b
    --- exit 0
    "##);
    for (wrong, near) in [
        (
            "SELECT * FROM unified.currencie",
            "did you mean unified.currencies?",
        ),
        (
            "SELECT cod FROM unified.currencies",
            "unified.currencies.code",
        ),
    ] {
        let left = ask(wrong, "csv");
        assert_eq!(
            (left.code, left.stdout.as_str()),
            (2, ""),
            "{}",
            left.seen()
        );
        assert!(left.stderr.contains(near), "{}", left.seen());
    }
    assert_snapshot!(ask("SELECT code,\n  nam FROM unified.currencies", "csv").seen(), @r##"
    --- stderr
    error: there is no column `nam`, in line 2, column 3:
          nam FROM unified.currencies
          ^^^
      hint: did you mean unified.currencies.name?
    --- exit 2
    "##);
    let left = ask("\\d", "csv");
    let listed = format!("unified.currencies,{currencies},");
    assert!(left.stdout.contains(&listed), "{}", left.seen());
    assert_eq!(
        left.stdout,
        desk.call(&["query", "job.toml", "--tables", "--format", "csv"])
            .stdout
    );
    let left = ask("\\d unified.currencies", "csv");
    let column = "\ncode,utf8,true,ISO 4217 code";
    assert!(left.stdout.contains(column), "{}", left.seen());
    let described = [
        "query",
        "job.toml",
        "--describe",
        "currencies",
        "--format",
        "csv",
    ];
    assert_eq!(left.stdout, desk.call(&described).stdout);
    // The lake as it was before its first rows, and a version that is yet to come.
    let sql = "SELECT COUNT(*) AS n FROM unified.currencies";
    let as_of = |moment: &str| {
        desk.call(&[
            "query", "job.toml", sql, "--format", "csv", "--as-of", moment,
        ])
    };
    assert_eq!(as_of("0").stdout, "n\n0\n");
    assert_eq!(as_of("2999-01-01").stdout, format!("n\n{currencies}\n"));
    for (moment, complaint) in [
        ("99", "unified.currencies has no version 99 yet"),
        (
            "2001-01-01",
            "unified.currencies was not there on 2001-01-01T00:00:00Z",
        ),
        ("soon", "write a version (12), a day"),
    ] {
        let left = as_of(moment);
        assert_eq!(left.code, 2, "{}", left.seen());
        assert!(left.stderr.contains(complaint), "{}", left.seen());
    }
    // From a pipe, as scripts write it.
    let mut command = desk.command(&["query", "job.toml", "--format", "csv", "--escape-formulas"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut asked = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let sql = b"SELECT '=1+1' AS text,\n -1 AS number;\n";
    let mut stdin = asked.stdin.take().expect("piped");
    std::io::Write::write_all(&mut stdin, sql).expect("it reads");
    drop(stdin);
    let left = desk.left(asked.wait_with_output().expect("it ends"));
    assert_eq!(left.stdout, "text,number\n'=1+1,-1\n", "{}", left.seen());
    desk.write("all.sql", "SELECT * FROM unified.currencies");
    let args = ["query", "job.toml", "-f", "all.sql", "--format", "parquet"];
    let left = desk.call(&[&args[..], &["--output", "all.parquet"]].concat());
    assert_eq!(
        left.stderr,
        format!("wrote {currencies} rows to all.parquet\n")
    );
    assert_eq!(
        &std::fs::read(desk.path().join("all.parquet")).expect("a file")[..4],
        b"PAR1"
    );
}

#[test]
fn misfits_beyond_what_is_tolerated() {
    let coupa = coupa();
    let desk = desk_with(&coupa);
    coupa.upsert("currencies", &json!({"id": 1, "code": {"not": "text"}}));
    let left = desk.call(&["run", "job.toml", "--resources", "currencies"]);
    assert_eq!(left.code, 3, "{}", left.seen());
    assert!(left.stderr.contains("too many misfits"), "{}", left.seen());
    let sql = "SELECT COUNT(*) AS n FROM quarantine.currencies";
    let left = desk.call(&["query", "job.toml", sql, "--format", "csv"]);
    assert_eq!(left.stdout, "n\n1\n", "{}", left.seen());
}

#[test]
#[cfg(unix)]
fn ctrl_c_stops_at_a_safe_point_and_says_how_to_go_on() {
    let mut config = Config::for_tests(1, 0.01);
    config.faults = "suppliers:delay=3000".parse().expect("a fault");
    let coupa = Simulator::start(config).expect("a free port");
    let desk = desk_with(&coupa);
    let mut command = desk.command(&["run", "job.toml", "--resources", "suppliers,currencies"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = command.spawn().expect("the command starts");
    // The first list request shows that the run is under way.
    while !coupa
        .requests()
        .iter()
        .any(|request| request.path.contains("suppliers"))
    {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let signal = Command::new("kill")
        .args(["-INT", &run.id().to_string()])
        .status();
    assert!(signal.expect("kill exists").success());
    let left = desk.left(run.wait_with_output().expect("it ends"));
    assert_eq!(left.code, 4, "{}", left.seen());
    for part in ["stopping at the next safe point", "a second run continues"] {
        assert!(left.stderr.contains(part), "{}", left.seen());
    }
}
