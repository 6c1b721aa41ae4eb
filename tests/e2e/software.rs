//! `spendlake software classify` and `spendlake suppliers match` as a user meets them.

use std::path::Path;
use std::process::{Command, Output};

fn classify(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spendlake"))
        .args(["software", "classify"])
        .args(args)
        .current_dir(folder)
        .output()
        .expect("the command starts")
}

#[test]
fn a_list_keeps_its_rows_and_gains_the_decision() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = "id,Supplier,Description,Amount\n\
                1,Atlassian Pty Ltd,Jira Software Cloud annual subscription,1200.00\n\
                2,Meyer Gartenbau,Garden maintenance March,300.00\n\
                3,CDW,Adobe Creative Cloud licences,950.00\n\
                4,=HYPERLINK(1),Office chairs,80.00\n";
    std::fs::write(folder.path().join("list.csv"), list).expect("the folder is writable");
    let left = classify(folder.path(), &["list.csv", "--output", "out.csv"]);
    assert_eq!(left.status.code(), Some(0), "{left:?}");
    assert!(left.stdout.is_empty(), "talk goes to stderr");
    let mut out = csv::Reader::from_path(folder.path().join("out.csv")).expect("it is written");
    let header = out.headers().expect("a header").clone();
    let added = [
        "is_software",
        "confidence",
        "certainty",
        "vendor",
        "product",
        "category",
        "evidence",
    ];
    assert_eq!(header.iter().skip(4).collect::<Vec<_>>(), added);
    let rows: Vec<csv::StringRecord> = out.records().map(|row| row.expect("a row")).collect();
    let column = |row: usize, name: &str| {
        let at = header
            .iter()
            .position(|h| h == name)
            .expect("the column is there");
        rows[row][at].to_owned()
    };
    let ids: Vec<String> = (0..rows.len()).map(|row| column(row, "id")).collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
    let decided: Vec<String> = (0..rows.len())
        .map(|row| column(row, "is_software"))
        .collect();
    assert_eq!(decided, ["true", "false", "true", "false"]);
    assert_eq!(column(0, "vendor"), "Atlassian");
    assert_eq!(column(2, "vendor"), "Adobe");
    assert_eq!(column(3, "Supplier"), "=HYPERLINK(1)");
    assert!(String::from_utf8_lossy(&left.stderr).contains("--escape-formulas"));

    let why = classify(folder.path(), &["list.csv", "--explain", "3"]);
    let why = String::from_utf8_lossy(&why.stdout).into_owned();
    assert!(why.contains("Adobe"), "{why}");
}

#[test]
fn a_list_that_can_not_be_used_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("a.csv"), "x,y\n1,2\n").expect("the folder is writable");
    for args in [
        vec!["a.csv"],
        vec!["missing.csv"],
        vec!["a.csv", "--output", "a.csv"],
        vec!["a.csv", "--catalogue", "missing"],
    ] {
        let left = classify(folder.path(), &args);
        let told = String::from_utf8_lossy(&left.stderr);
        assert_eq!(left.status.code(), Some(2), "{args:?}: {told}");
        assert!(!told.contains("panicked"), "{told}");
    }
    let kept = std::fs::read_to_string(folder.path().join("a.csv")).expect("it is still there");
    assert_eq!(kept, "x,y\n1,2\n");
}

#[test]
fn suppliers_of_one_company_are_grouped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("the folder is writable");
    };
    file(
        "list.csv",
        "Number,Supplier\n7,Zendesk Inc\n8,Smith Plumbing\n9,ZENDESK INTL LTD\n10,Smith Electrical\n",
    );
    file("decisions.csv", "a,b,decision\n8,10,same\n");
    file("wrong.csv", "a,b,decision\n8,10,perhaps\n");
    let matched = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_spendlake"))
            .args(["suppliers", "match", "list.csv"])
            .args(args)
            .current_dir(folder.path())
            .output()
            .expect("the command starts")
    };
    let groups = |left: &Output| -> Vec<String> {
        assert_eq!(left.status.code(), Some(0), "{left:?}");
        let mut out = csv::Reader::from_reader(&left.stdout[..]);
        out.records()
            .map(|row| row.expect("a row")[2].to_owned())
            .collect()
    };
    assert_eq!(groups(&matched(&[])), ["1", "2", "1", "3"]);
    let decided = matched(&["--decisions", "decisions.csv"]);
    assert_eq!(groups(&decided), ["1", "2", "1", "2"]);
    let wrong = matched(&["--decisions", "wrong.csv"]);
    assert_eq!(wrong.status.code(), Some(2));
    let told = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(told.contains("same or different"), "{told}");
}
