//! Whole tables in and out: order, untouched input, and a clear outcome for bad files.

use std::io::Cursor;

use software::{Catalogue, Classifier, Options, Summary, TableError, classify_table, explain_row};

fn classifier() -> Classifier {
    Classifier::new(&Catalogue::embedded().expect("embedded data reads"))
}

fn run(input: &[u8], options: Options) -> Result<(String, Summary), TableError> {
    let mut out = Vec::new();
    let summary = classify_table(&classifier(), Cursor::new(input), &mut out, options)?;
    Ok((String::from_utf8(out).expect("output is UTF-8"), summary))
}

fn rows(text: &str, delimiter: u8) -> Vec<Vec<String>> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .from_reader(text.as_bytes())
        .records()
        .map(|r| {
            r.expect("output is CSV")
                .iter()
                .map(str::to_string)
                .collect()
        })
        .collect()
}

#[test]
fn the_cases_are_decided_right() {
    let classifier = classifier();
    let mut reader =
        csv::Reader::from_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases.csv"))
            .expect("the cases are there");
    let (mut all, mut wrong, mut names, mut wrong_names) = (0, Vec::new(), 0, Vec::new());
    for row in reader.records() {
        let row = row.expect("cases are CSV");
        let line = software::Line {
            supplier: &row[0],
            description: &row[1],
            commodity: &row[2],
            unspsc: &row[3],
            account: &row[4],
            ..Default::default()
        };
        let decision = classifier.classify(&line);
        all += 1;
        if decision.is_software != (&row[5] == "true") {
            wrong.push(format!(
                "{} | {}: {}",
                &row[0],
                &row[1],
                decision.evidence_text()
            ));
            continue;
        }
        for (wanted, found) in [
            (&row[6], decision.vendor),
            (&row[7], decision.product),
            (&row[8], decision.category),
        ] {
            if !wanted.is_empty() {
                names += 1;
                if found != Some(wanted) {
                    wrong_names.push(format!(
                        "{} | {}: {found:?}, not {wanted}",
                        &row[0], &row[1]
                    ));
                }
            }
        }
    }
    assert!(
        all > 400 && wrong.len() * 100 <= all * 2,
        "{} of {all} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        wrong_names.len() * 100 <= names * 3,
        "{} of {names} wrong:\n{}",
        wrong_names.len(),
        wrong_names.join("\n")
    );
}

#[test]
fn columns_may_stand_in_any_order_and_case() {
    let a =
        "Supplier,DESCRIPTION,amount,note\nSoftcat,Jira licences,10.00,x\nSoftcat,Laptop,20.00,y\n";
    let b =
        "note,amount,description,supplier\nx,10.00,Jira licences,Softcat\ny,20.00,Laptop,Softcat\n";
    let (a, _) = run(a.as_bytes(), Options::default()).expect("reads");
    let (b, _) = run(b.as_bytes(), Options::default()).expect("reads");
    let tail = |text: &str| {
        rows(text, b',')
            .iter()
            .map(|r| r[4..].to_vec())
            .collect::<Vec<_>>()
    };
    assert_eq!(tail(&a), tail(&b));
    let found = rows(&a, b',');
    assert_eq!(found[0][..4], ["Supplier", "DESCRIPTION", "amount", "note"]);
    assert_eq!(
        found[0][4..],
        [
            "is_software",
            "confidence",
            "certainty",
            "vendor",
            "product",
            "category",
            "evidence"
        ]
    );
    assert_eq!(found[1][4], "true");
    assert_eq!(found[1][7..9], ["Atlassian", "Jira"]);
    assert_eq!(found[2][4], "false");
}

#[test]
fn input_values_pass_unchanged_and_appended_ones_are_safe() {
    let input =
        "supplier,description,amount\n=HYPERLINK(1),\"annual \"\"software\"\" licence\nx\",-5\n";
    let (text, summary) = run(input.as_bytes(), Options::default()).expect("reads");
    let found = &rows(&text, b',')[1];
    assert_eq!(
        found[..3],
        ["=HYPERLINK(1)", "annual \"software\" licence\nx", "-5"]
    );
    assert_eq!(found[6], "'=HYPERLINK(1)");
    assert_eq!(summary.formulas, 1);
    let options = Options {
        escape_formulas: true,
        ..Options::default()
    };
    let (text, _) = run(input.as_bytes(), options).expect("reads");
    assert_eq!(
        rows(&text, b',')[1][..3],
        ["'=HYPERLINK(1)", "annual \"software\" licence\nx", "-5"]
    );
}

#[test]
fn bom_semicolons_and_line_ends_are_understood() {
    let input =
        "\u{feff}supplier;description\r\nZendesk;Support, 10 agents\r\n\r\nStaples;Paper\r\n";
    let (text, summary) = run(input.as_bytes(), Options::default()).expect("reads");
    assert_eq!(summary.rows, 2);
    let body = text.strip_prefix('\u{feff}').expect("the mark stays");
    assert_eq!(rows(body, b';')[1][1..3], ["Support, 10 agents", "true"]);
}

#[test]
fn a_header_alone_gives_a_header() {
    let (text, summary) = run(b"supplier\n", Options::default()).expect("reads");
    assert_eq!(text.lines().count(), 1);
    assert_eq!(summary, Summary::default());
}

#[test]
fn bad_files_are_refused_with_the_place() {
    let error = |input: &[u8]| {
        run(input, Options::default())
            .expect_err("is refused")
            .to_string()
    };
    assert!(error(b"").contains("empty"));
    assert!(error(b" \n\n").contains("empty"));
    assert!(error(b"id,price\n1,2\n").contains("no usable column among id, price"));
    assert!(error(b"supplier,supplier\na,b\n").contains("occurs twice"));
    assert!(
        error(b"supplier,description\na,b\nc\n")
            .contains("line 3 has 1 fields where the header has 2")
    );
    assert!(error(b"supplier,description\na,caf\xe9\n").contains("line 2 is not UTF-8"));
    assert!(error(b"\xff\xfes\0u\0").contains("UTF-16"));
}

#[test]
fn charges_that_come_back_count() {
    let mut input = "supplier,amount,date\n".to_string();
    for month in 1..=6 {
        input += &format!("Nimbus Data Ltd,49.00,2025-{month:02}-15\n");
    }
    input += "Nimbus Data Ltd,900.00,2025-03-02\n";
    let (text, _) = run(input.as_bytes(), Options::default()).expect("reads");
    let found = rows(&text, b',');
    assert!(
        found[1]
            .last()
            .is_some_and(|e| e.contains("recurring \"monthly\""))
    );
    assert!(found[7].last().is_some_and(|e| !e.contains("recurring")));
}

#[test]
fn an_explanation_names_signals_and_the_runner_up() {
    let input = "supplier,description\nx,y\nCDW,Adobe Acrobat Pro licence for use with Jira\n";
    let explain = |row| {
        explain_row(
            &classifier(),
            Cursor::new(input.as_bytes()),
            row,
            Options::default(),
        )
    };
    let text = explain(2).expect("the row is there");
    for part in [
        "software, certain",
        "vendor Adobe, product Acrobat Pro",
        "bought through CDW",
        "runner-up: Atlassian, Jira",
        "prior",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(
        explain(3)
            .expect_err("there are two")
            .to_string()
            .contains("the file has 2")
    );
}

#[test]
fn a_folder_extends_and_overrides() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("is written")
    };
    write(
        "catalog.csv",
        "vendor,product,category,match\nHarbour Trading,,crm,strong\nHarbour Trading,Keel,crm,weak\nZendesk,,,none\n",
    );
    write(
        "words.csv",
        "phrases,signal,where\nberth booking,software_licence,text\nlaptop,none,text\n",
    );
    write(
        "weights.toml",
        "prior = -1.0\n[weights]\nrenewal_word = 0.9\n",
    );
    let catalogue = Catalogue::with_folder(folder.path()).expect("reads");
    assert_eq!(catalogue.weights().prior, -1.0);
    let classifier = Classifier::new(&catalogue);
    let line = software::Line {
        supplier: "Harbour Trading Ltd",
        description: "Keel",
        ..Default::default()
    };
    let decision = classifier.classify(&line);
    assert_eq!(
        (decision.vendor, decision.product, decision.category),
        (Some("Harbour Trading"), Some("Keel"), Some("crm"))
    );
    write("wrods.csv", "");
    let error = Catalogue::with_folder(folder.path())
        .expect_err("is refused")
        .to_string();
    assert!(error.contains("the nearest is words.csv"), "{error}");
    std::fs::remove_file(folder.path().join("wrods.csv")).expect("is removed");
    write("words.csv", "phrases,signal,where\nx,licence_wrod,text\n");
    let error = Catalogue::with_folder(folder.path())
        .expect_err("is refused")
        .to_string();
    assert!(error.contains("the nearest is `licence_word`"), "{error}");
}
