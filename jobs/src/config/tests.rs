use std::path::Path;
use std::time::Duration;

use extract::Payload;
use pipeline::Reconcile;
use secrecy::ExposeSecret;

use super::*;

const GOOD: &str = r#"
connection = "acme"

[coupa]
url           = "https://acme.coupahost.com"
client_id     = "${COUPA_CLIENT_ID}"
client_secret = "${COUPA_CLIENT_SECRET}"

[lake]
url = "./lake"
"#;

/// Loads `text` as a file in a folder of its own, with two variables set.
fn loaded(text: &str) -> (tempfile::TempDir, Loaded) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("job.toml");
    std::fs::write(&path, text).expect("the folder is writable");
    let environment = |name: &str| match name {
        "COUPA_CLIENT_ID" => Some("the-id".to_owned()),
        "COUPA_CLIENT_SECRET" => Some("s3cr3t-value".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    let loaded = load(&path, &environment, &["invoices", "suppliers"]);
    (folder, loaded)
}

fn job(text: &str) -> Job {
    let (_folder, loaded) = loaded(text);
    loaded.ready().expect("the job file is right")
}

/// Every problem as `line: what (hint)`.
fn problems(text: &str) -> Vec<String> {
    let (folder, loaded) = loaded(text);
    let root = folder.path().display().to_string();
    let line = |problem: &Problem| {
        let line = problem.line.map_or("-".to_owned(), |line| line.to_string());
        format!("{line}: {} ({})", problem.what, problem.hint).replace(&root, "FOLDER")
    };
    assert!(loaded.problems.iter().all(|p| p.file.ends_with("job.toml")));
    loaded.problems.iter().map(line).collect()
}

/// The first problem of the good file with one text replaced.
fn check(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from} stands in the good file");
    let found = problems(&GOOD.replacen(from, to, 1));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains(expected), "{expected}\n{found:#?}");
}

#[test]
fn defaults_are_those_of_the_contract() {
    let job = job(GOOD);
    assert_eq!(job.connection, "acme");
    assert_eq!(job.source.requests_per_second, Some(10.0));
    assert_eq!(job.source.max_in_flight, 8);
    assert_eq!(job.source.client_secret.expose_secret(), "s3cr3t-value");
    assert_eq!(job.overlap, Duration::from_secs(600));
    assert_eq!(job.resources, None);
    assert_eq!(job.tolerate_quarantined, 0.001);
    assert!(matches!(job.reconcile, Reconcile::Weekly));
    assert!(job.check);
    assert_eq!(job.piece_records, 20_000);
    assert!(matches!(job.payload, Payload::Declared));
}

#[test]
fn every_key_is_read() {
    let text = r#"
connection = "acme-2"
[coupa]
url = "http://127.0.0.1:8780"
client_id = "plain-id"
client_secret = "${COUPA_CLIENT_SECRET}"
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
url = "s3://bucket/prefix/"
[lake.options]
aws_region = "eu-central-1"
aws_allow_http = true
aws_secret_access_key = "${COUPA_CLIENT_SECRET}"
"#;
    let job = job(text);
    assert!(!job.check);
    assert_eq!(job.piece_records, 5_000);
    assert_eq!(job.source.requests_per_second, Some(2.5));
    assert_eq!(job.resources.expect("a list").len(), 2);
    assert_eq!(
        job.since.expect("a date").to_rfc3339(),
        "2023-01-01T00:00:00+00:00"
    );
    assert_eq!(job.overlap, Duration::from_secs(36 * 3600));
    assert_eq!(job.tolerate_quarantined, 0.0);
    assert_eq!(job.lake.url, "s3://bucket/prefix");
    let option = |key: &str| job.lake.options[key].expose_secret().to_owned();
    assert_eq!(option("aws_allow_http"), "true");
    assert_eq!(option("aws_secret_access_key"), "s3cr3t-value");
}

#[test]
fn the_simulator_has_no_ceiling_unless_asked_for() {
    let simulator = GOOD.replace("https://acme.coupahost.com", "http://localhost:8780");
    assert_eq!(job(&simulator).source.requests_per_second, None);
}

#[test]
fn a_lake_path_starts_at_the_job_file() {
    let (folder, loaded) = loaded(GOOD);
    let lake = loaded.parts.lake.expect("a lake").url;
    assert_eq!(Path::new(&lake), folder.path().join("lake"));
}

#[test]
fn all_problems_are_found_at_once() {
    let text = r#"
connection = "ac me"
conection = "x"
[coupa]
url = "acme.coupahost.com"
client_idd = "x"
client_secret = "in-clear-and-secret"
requests_per_second = 26
max_in_flight = 0
payload = "fulll"
lake = 3
[extract]
resources = ["invoice", "zebras"]
since = "soon"
overlap = "10 minutes"
reconcile = true
tolerate = { quarantined = 2 }
[lake]
url = "~/lake"
[warehouse]
uri = "postgresql://user:hunter2@host/db"
"#;
    let found = problems(text);
    let expected = [
        "2: connection is not a plain name",
        "3: unknown key at the top of the file: \"conection\" (did you mean \"connection\"?)",
        "5: the url has no scheme",
        "6: unknown key in [coupa]: \"client_idd\" (did you mean \"client_id\"?)",
        "7: client_secret is written in clear",
        "8: requests_per_second is 26",
        "9: max_in_flight is 0",
        "10: unknown payload \"fulll\" (did you mean \"full\"?)",
        "11: key \"lake\" does not belong in [coupa] (move it to the top",
        "13: unknown resource \"invoice\" (did you mean \"invoices\"?)",
        "13: unknown resource \"zebras\" (allowed are invoices, suppliers)",
        "14: since is not a date",
        "15: overlap is not a duration",
        "16: key \"reconcile\" holds true or false (write text in quotes)",
        "17: tolerate.quarantined is 2",
        "19: the lake's url starts with ~",
        "21: uri in [warehouse] holds a password in clear",
        "-: client_id in [coupa] is missing",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
    }
    let all = found.join("\n");
    assert!(!all.contains("in-clear-and-secret") && !all.contains("hunter2"));
}

#[test]
fn references_that_lead_nowhere() {
    let id = "${COUPA_CLIENT_ID}";
    check(
        id,
        "${NOPE}",
        "the environment variable NOPE is not set (export NOPE=",
    );
    check(id, "${EMPTY}", "the environment variable EMPTY is empty");
    check(id, "${NOPE", "a ${ has no closing }");
    check(
        id,
        "${a b}",
        "neither the name of a variable nor file:/path",
    );
    check(
        id,
        "${file:gone}",
        "the file FOLDER/gone cannot be read: there is no such file",
    );
}

#[test]
fn a_secret_from_a_file_loses_its_line_end_only() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("secret"), " a b \n").expect("the folder is writable");
    let read = |text: &str| expand::expand(text, folder.path(), &|_| None);
    assert_eq!(read("<${file:secret}>"), Ok("< a b >".to_owned()));
}

#[test]
fn a_secret_in_clear_is_refused_wherever_it_stands() {
    let secret = "\"${COUPA_CLIENT_SECRET}\"";
    check(secret, "\"abc\"", "client_secret is written in clear");
    check(
        secret,
        "\"abc${COUPA_CLIENT_SECRET}\"",
        "client_secret is written in clear",
    );
    let option =
        "[lake]\noptions = { aws_access_key_id = \"AKIA\", aws_secret_access_key = \"x\" }";
    check(
        "[lake]",
        option,
        "aws_secret_access_key is written in clear",
    );
}

#[test]
fn addresses_that_are_refused() {
    let url = "https://acme.coupahost.com";
    for (address, expected) in [
        (
            "http://acme.coupahost.com",
            "the url is not encrypted (write https://acme",
        ),
        ("https://10.0.0.1", "10.0.0.1 is a private address"),
        ("http://192.168.1.4", "the url is not encrypted"),
        ("https://169.254.169.254", "a link-local address"),
        ("https://100.64.0.1", "a private address"),
        ("https://[fd00::1]", "a private address"),
        ("https://[::ffff:10.0.0.1]", "a private address"),
        ("https://0.0.0.0", "no address of a server"),
        ("https://acme.coupahost.com/api", "the url has a path, /api"),
        ("https://acme.coupahost.com?x=1", "the url has a query"),
        (
            "https://me:hunter2@acme.coupahost.com",
            "the url holds a user or password",
        ),
        ("ftp://acme.coupahost.com", "the url is ftp://"),
    ] {
        check(url, address, expected);
    }
    for address in [
        "http://localhost:1",
        "http://[::1]:1",
        "https://gateway.example/",
    ] {
        job(&GOOD.replace(url, address));
    }
}

#[test]
fn lakes_that_are_refused() {
    check(
        "./lake",
        "ftp://host/x",
        "a lake on ftp:// is not available in this version",
    );
    check("./lake", "s3:///x", "names no bucket");
    check("./lake", "", "url in [lake] is empty");
}

#[test]
fn text_that_is_not_toml_is_never_quoted() {
    let text = GOOD.replace("\"${COUPA_CLIENT_SECRET}\"", "hunter2");
    let found = problems(&text);
    assert!(found[0].starts_with("7: not TOML: "), "{found:?}");
    assert!(!found.concat().contains("hunter2"), "{found:?}");
}

#[test]
fn reading_a_lake_needs_no_credentials() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("job.toml");
    std::fs::write(&path, GOOD).expect("the folder is writable");
    assert!(load_lake(&path, &|_| None).is_ok());
    assert_eq!(load(&path, &|_| None, &[]).problems.len(), 2);
}

#[test]
fn a_missing_job_file_names_the_way_to_one() {
    let loaded = load(Path::new("nowhere/job.toml"), &|_| None, &[]);
    let problem = &loaded.problems[0];
    let expected = "nowhere/job.toml: the job file cannot be read: there is no such file";
    assert_eq!(problem.to_string(), expected);
    assert!(problem.hint.contains("spendlake init"));
}

#[test]
fn durations() {
    assert_eq!(units::duration("10m"), Some(Duration::from_secs(600)));
    assert_eq!(units::duration("7 d"), Some(Duration::from_secs(604_800)));
    for wrong in [
        "",
        "m",
        "10",
        "-1m",
        "+1m",
        "1.5h",
        "10 min",
        "99999999999999999999d",
    ] {
        assert_eq!(units::duration(wrong), None, "{wrong}");
    }
}

/// Nothing is wrong with the starter and the examples once their secrets are there.
#[test]
fn the_job_files_we_ship_are_right() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for secret in ["coupa_client_id", "coupa_client_secret"] {
        std::fs::write(folder.path().join(secret), "x\n").expect("the folder is writable");
    }
    // What is commented out in the starter is right too, from its first setting on.
    let (_, settings) = crate::commands::STARTER.split_at(
        crate::commands::STARTER
            .find("connection")
            .expect("the first setting"),
    );
    for text in [
        crate::commands::STARTER,
        &settings.replace("\n# ", "\n"),
        include_str!("../../local.toml"),
        include_str!("../../nightly.toml"),
    ] {
        let path = folder.path().join("job.toml");
        std::fs::write(&path, text.replace("/run/secrets/", "")).expect("the folder is writable");
        let set = |name: &str| Some(format!("value-of-{name}"));
        assert_eq!(load(&path, &set, &[]).problems, []);
    }
}

mod mutants;
