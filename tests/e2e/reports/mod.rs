//! Named reports and pages, on a small lake whose rows lie beside this file.
//!
//! `lake/<table>.csv` holds the rows, made by hand; the header gives each column's type. What each report
//! must answer is in `expected/`, reckoned by `expected.py` in plain loops: the working.

mod browser;
mod devtools;
mod lake;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use pipeline::query::check_reports;
use schemas::{ParameterDefault, Report, Schemas};
use tempfile::TempDir;

const JOB: &str = "connection = \"acme\"\n[coupa]\nurl = \"https://acme.coupahost.com\"\n\
    client_id = \"${ID}\"\nclient_secret = \"${SECRET}\"\n[lake]\nurl = \"./lake\"\n";
const PERIOD: [&str; 4] = ["--from", "2026-01-01", "--to", "2026-07-01"];
const DAY: [&str; 2] = ["--set", "on=2026-07-01"];

/// A folder with the job and the lake.
struct Desk {
    folder: TempDir,
}

struct Left {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Desk {
    fn new() -> Desk {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("job.toml"), JOB).expect("the folder is writable");
        lake::make(&here("lake"), &folder.path().join("lake"));
        Desk { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn report(&self, args: &[&str]) -> Left {
        let ended = Command::new(env!("CARGO_BIN_EXE_spendlake"))
            .args(["report", "job.toml"])
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env_clear()
            .output()
            .expect("the command starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Left {
            code: ended.status.code().expect("an exit code"),
            stdout: text(ended.stdout),
            stderr: text(ended.stderr),
        }
    }
}

fn here(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/reports");
    folder.join(name)
}

fn schemas() -> Schemas {
    Schemas::embedded().expect("reads")
}

/// What a report is asked with here: the period and the day that the working has.
fn asked(report: &Report) -> Vec<&'static str> {
    let takes = |name: &str| report.parameters.iter().any(|p| p.name == name);
    let mut args = Vec::new();
    if takes("from") {
        args.extend(PERIOD);
    }
    if takes("on") {
        args.extend(DAY);
    }
    args
}

/// Cells of a CSV, without the zeros that end a decimal.
fn cells(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let rows = reader.records().map(|row| {
        let row = row.expect("a row");
        row.iter().map(shortened).collect()
    });
    rows.collect()
}

fn shortened(cell: &str) -> String {
    let is_decimal = cell.split_once('.').is_some_and(|(whole, fraction)| {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits(whole.strip_prefix('-').unwrap_or(whole)) && digits(fraction)
    });
    match is_decimal {
        true => cell.trim_end_matches('0').trim_end_matches('.').to_string(),
        // What the working names plainly, the command has made harmless.
        false => cell
            .strip_prefix("'=")
            .map_or(cell.to_string(), |rest| format!("={rest}")),
    }
}

#[test]
fn every_report_answers_what_was_reckoned_by_hand() {
    let desk = Desk::new();
    let mut wrong = Vec::new();
    let mut asked_count = 0;
    for report in schemas().reports.values() {
        let file = here("expected").join(format!("{}.csv", report.name));
        let expected = std::fs::read_to_string(&file)
            .unwrap_or_else(|_| panic!("{} has no working in expected.py", report.name));
        let args = [
            &[report.name.as_str()],
            &asked(report)[..],
            &["--format", "csv"],
        ]
        .concat();
        let left = desk.report(&args);
        assert_eq!(left.code, 0, "{}: {}", report.name, left.stderr);
        assert!(
            expected.lines().count() > 1,
            "{} answers nothing",
            report.name
        );
        if cells(&left.stdout) != cells(&expected) {
            wrong.push(format!(
                "{}\n{}\nexpected\n{expected}",
                report.name, left.stdout
            ));
        }
        asked_count += 1;
    }
    assert!(asked_count >= 20);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_report_is_planned_against_the_declared_columns() {
    let problems = check_reports(&schemas()).await;
    let problems: Vec<String> = problems.iter().map(|p| p.message.clone()).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));

    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("reports")).expect("made");
    for (name, sql) in [
        ("column", "SELECT vendor_idd FROM report.invoice_match"),
        (
            "kind",
            "SELECT net || 1 > DATE '2026-01-01' FROM report.invoice_match",
        ),
        ("layer", "SELECT id FROM coupa.invoices"),
    ] {
        let path = folder.path().join(format!("reports/wrong_{name}.sql"));
        std::fs::write(path, format!("-- Wrong\n{sql}\n")).expect("written");
    }
    let laid = Schemas::with_overlay(folder.path()).expect("reads");
    let problems = check_reports(&laid).await;
    let found: BTreeSet<String> = problems
        .iter()
        .filter_map(|p| p.message.split(": ").next().map(str::to_string))
        .collect();
    let expected = ["column", "kind", "layer"].map(|name| format!("reports/wrong_{name}.sql"));
    assert_eq!(found, BTreeSet::from(expected));
    let hint = problems.iter().find_map(|problem| problem.hint.as_deref());
    assert_eq!(hint, Some("did you mean report.invoice_match.vendor_id?"));
}

#[test]
fn the_small_lake_has_the_columns_of_the_definitions() {
    let schemas = schemas();
    for table in lake::tables(&here("lake")) {
        let declared = schemas.table(&table.name.layer, &table.name.name);
        let declared = declared.unwrap_or_else(|| panic!("{} is not defined", table.name));
        let declared = pipeline::transform::table_schema(declared);
        for field in table.schema.fields() {
            let column = declared.field_with_name(field.name());
            let kind = column.map(|column| column.data_type().clone());
            let kind = kind.unwrap_or_else(|_| panic!("{}.{}", table.name, field.name()));
            assert_eq!(&kind, field.data_type(), "{}.{}", table.name, field.name());
        }
    }
}

#[test]
fn parameters_are_typed_and_bound() {
    let desk = Desk::new();
    let ask = |args: &[&str]| desk.report(&[args, &PERIOD, &["--format", "csv"]].concat());
    let eur = ask(&["spend_by_category", "--currency", "USD"]);
    assert_eq!(
        cells(&eur.stdout)[1][..2],
        ["Travel", "270.49"],
        "documents in dollars alone, in dollars"
    );
    assert_eq!(
        ask(&["largest_suppliers", "--top", "2"])
            .stdout
            .lines()
            .count(),
        3
    );
    let injected = ask(&["spend_by_category", "--currency", "x' OR '1'='1"]);
    assert_eq!((injected.code, injected.stdout.lines().count()), (0, 1));
    for (args, complaint, hint) in [
        (
            &["spend_by_category", "--top", "many"][..],
            "top: \"many\" is not a whole number",
            "top: Rows at most.",
        ),
        (
            &["spend_by_category", "--set", "from=2026-02-30"],
            "from: \"2026-02-30\" is not a day",
            "First day that counts",
        ),
        (
            &["spend_by_category", "--set", "curency=EUR"],
            "unknown parameter \"curency\", did you mean \"currency\"?",
            "report JOB list",
        ),
        (
            &["spend_by_categori"],
            "there is no report \"spend_by_categori\"",
            "did you mean spend_by_category?",
        ),
    ] {
        let left = ask(args);
        assert_eq!(left.code, 2, "{}", left.stderr);
        assert!(left.stderr.contains(complaint), "{}", left.stderr);
        assert!(left.stderr.contains(hint), "{}", left.stderr);
    }
    let tail = ask(&[
        "tail_spend",
        "--set",
        "head=0.5",
        "--set",
        "invoice_cost=12.50",
    ]);
    let row = &cells(&tail.stdout)[1];
    assert_eq!((row[1].as_str(), row[8].as_str()), ("4", "50"), "{row:?}");
}

#[test]
fn lists_and_single_reports() {
    let desk = Desk::new();
    let list = desk.report(&["list"]);
    assert_eq!(list.code, 0, "{}", list.stderr);
    for part in [
        "spend_by_month",
        "Who are our largest suppliers",
        "from = year_ago",
    ] {
        assert!(list.stdout.contains(part), "{}", list.stdout);
    }
    let args = [&["aging"][..], &DAY].concat();
    assert_snapshot!(desk.report(&args).stdout, @r"
     days_overdue   currency   invoices   balance
    ──────────────────────────────────────────────
     no due date    EUR               1   -119.00
     not due        EUR               1     57.10
     1-30           EUR               1     91.63
     61-90          EUR               1    952.00
    ");
    let left = desk.report(&[&args[..], &["--format", "parquet"]].concat());
    assert_eq!(left.code, 2);
    let left = desk.report(&[&args[..], &["--format", "html", "--output", "-"]].concat());
    assert!(
        left.stdout.starts_with("<!doctype html>"),
        "{}",
        left.stderr
    );
}

#[test]
fn a_page_is_one_file_or_a_folder_of_tables() {
    let desk = Desk::new();
    let page = [&["spend"][..], &PERIOD, &DAY].concat();
    let left = desk.report(&page);
    assert_eq!(
        (left.code, left.stdout.as_str()),
        (0, ""),
        "{}",
        left.stderr
    );
    assert!(
        left.stderr.starts_with("wrote spend.html, "),
        "{}",
        left.stderr
    );
    let html = std::fs::read_to_string(desk.path("spend.html")).expect("a page");
    assert!(html.len() < 1_500_000, "{} bytes", html.len());
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;"));
    assert!(!html.contains("<img"));
    for extension in ["csv", "json", "parquet"] {
        let folder = format!("tables-{extension}");
        let left =
            desk.report(&[&page[..], &["--format", extension, "--output", &folder]].concat());
        assert_eq!(left.code, 0, "{}", left.stderr);
        let file = desk
            .path(&folder)
            .join(format!("largest_suppliers.{extension}"));
        let bytes = std::fs::read(file).expect("a table");
        match extension {
            "csv" => assert!(
                String::from_utf8(bytes)
                    .expect("text")
                    .contains("\"'=HYPERLINK(")
            ),
            "json" => assert_eq!(bytes[0], b'['),
            _ => assert_eq!(&bytes[..4], b"PAR1"),
        }
    }
    let left = desk.report(&[&page[..], &["--format", "csv"]].concat());
    assert_eq!(left.code, 2, "several tables need a folder");
}

#[test]
fn defaults_are_days_around_today() {
    for report in schemas().reports.values() {
        for parameter in &report.parameters {
            let from_today = !matches!(parameter.default, ParameterDefault::Value(_));
            let is_day = matches!(parameter.name.as_str(), "from" | "to" | "on");
            assert_eq!(from_today, is_day, "{} of {}", parameter.name, report.name);
        }
    }
}
