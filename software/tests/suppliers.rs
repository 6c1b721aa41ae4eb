//! Suppliers of one company are found, others are left alone, and a person's word stands.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::sync::LazyLock;

use proptest::prelude::*;
use software::{
    Catalogue, Judgement, MatchSummary, Method, Options, Placed, Record, SupplierMatcher,
    TableError, match_table,
};

static MATCHER: LazyLock<SupplierMatcher> = LazyLock::new(|| {
    let catalogue = Catalogue::embedded().expect("embedded data reads");
    SupplierMatcher::new(&catalogue).expect("embedded words read")
});

fn named(name: &str) -> Record {
    Record {
        name: name.to_string(),
        ..Record::default()
    }
}

fn groups(records: &[Record], judgements: &[Judgement]) -> Vec<Placed> {
    MATCHER.groups(records, judgements)
}

fn are_one(a: &Record, b: &Record) -> bool {
    let placed = groups(&[a.clone(), b.clone()], &[]);
    placed[0].group == placed[1].group
}

#[test]
fn the_labelled_list_is_matched() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suppliers.csv");
    let mut reader = csv::Reader::from_path(path).expect("the list is there");
    let rows: Vec<(String, String)> = reader
        .deserialize()
        .collect::<Result<_, _>>()
        .expect("the list is CSV");
    let records: Vec<Record> = rows.iter().map(|(_, name)| named(name)).collect();
    let placed = groups(&records, &[]);
    let (mut right, mut wrong, mut missed) = (0, Vec::new(), 0);
    for i in 0..rows.len() {
        for j in i + 1..rows.len() {
            match (rows[i].0 == rows[j].0, placed[i].group == placed[j].group) {
                (true, true) => right += 1,
                (true, false) => missed += 1,
                (false, true) => wrong.push((&rows[i].1, &rows[j].1)),
                (false, false) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "unrelated names were linked: {wrong:?}");
    let recall = f64::from(right) / f64::from(right + missed);
    assert!(recall > 0.93, "{right} pairs found, {missed} missed");
}

#[test]
fn what_two_names_share_must_tell_a_company() {
    for (a, b) in [
        ("Smith Plumbing Ltd", "Smith Electrical Ltd"),
        ("Phoenix Fire Services", "Phoenix Cars"),
        ("St Mary's Primary School", "St Peter's Primary School"),
        ("Leeds City Council", "Leeds City College"),
        ("Harris Ltd", "Harrison Ltd"),
        ("J Smith Ltd", "K Smith Ltd"),
        ("Unit 12 Studios", "Unit 14 Studios"),
        ("Mr John Smith", "Mr John Smith"),
        ("Smith, John", "John Smith Ltd"),
        ("", ""),
        ("Ltd", "GmbH"),
    ] {
        assert!(!are_one(&named(a), &named(b)), "{a} | {b}");
    }
    for (a, b) in [
        ("Zendesk, Inc.", "ZENDESK INTERNATIONAL LTD"),
        ("Müller Bau GmbH", "Mueller Bau"),
        ("Respond Group Ltd dba Aptean", "Aptean"),
        ("Data Dog", "Datadog Inc"),
        ("Care Quality Commision", "CARE QUALITY COMMISSION"),
    ] {
        assert!(are_one(&named(a), &named(b)), "{a} | {b}");
    }
}

#[test]
fn numbers_and_domains_link_whatever_the_names() {
    let with = |name: &str, tax: &str, site: &str, mail: &str| Record {
        tax_number: tax.to_string(),
        website: site.to_string(),
        email: mail.to_string(),
        ..named(name)
    };
    let tax = |text: &str, name: &str| with(name, text, "", "");
    assert!(are_one(
        &tax("GB 123 7654 21", "Old Name Ltd"),
        &tax("gb123765421", "Acme")
    ));
    for placeholder in ["000000000", "N/A", "123456789", "999999"] {
        assert!(!are_one(
            &tax(placeholder, "Beacon Ltd"),
            &tax(placeholder, "Acme")
        ));
    }
    let site = with("Old Name Ltd", "", "https://www.acme.co.uk/about", "");
    assert!(are_one(
        &site,
        &with("Acme", "", "", "sales@shop.acme.co.uk")
    ));
    let mail = |name: &str| with(name, "", "", "someone@gmail.com");
    assert!(!are_one(&mail("Beacon Ltd"), &mail("Acme")));
    let placed = groups(
        &[
            tax("GB123765421", "Old Name Ltd"),
            tax("GB123765421", "Acme"),
        ],
        &[],
    );
    let methods = placed.iter().filter_map(|p| p.link).map(|l| l.method);
    assert_eq!(methods.collect::<Vec<_>>(), [Method::TaxNumber]);
}

#[test]
fn a_platform_that_many_share_links_nobody() {
    let records: Vec<Record> = (0..40)
        .map(|n| Record {
            website: "tradersplace.example.com".to_string(),
            ..named(&format!(
                "{} Trader",
                ["Quorl", "Ublix", "Zemtra", "Fexhold"][n % 4].repeat(n / 4 + 1)
            ))
        })
        .collect();
    let placed = groups(&records, &[]);
    assert!(
        placed
            .iter()
            .all(|p| p.link.is_none_or(|l| l.method != Method::Domain))
    );
}

#[test]
fn a_persons_word_wins() {
    let records = [
        named("Acme Widgets"),
        named("ACME WIDGETS LTD"),
        named("Borax"),
    ];
    // One name is one supplier: a decision on it holds for all its spellings.
    let same = Judgement {
        a: 0,
        b: 2,
        same: true,
    };
    let placed = groups(&records, &[same]);
    assert_eq!(
        placed
            .iter()
            .map(|p| p.group)
            .collect::<BTreeSet<_>>()
            .len(),
        1
    );
    assert_eq!(placed[2].link.map(|l| l.method), Some(Method::Decision));
    let records = [
        named("Zendesk"),
        named("Zendesk International Holdings"),
        named("Zendesk Europe"),
    ];
    let apart = |a, b| Judgement { a, b, same: false };
    let placed = groups(&records, &[apart(0, 1), apart(1, 2)]);
    assert_eq!(placed[2].group, 0);
    assert_eq!(
        placed[1].group, 1,
        "neither straight nor by way of the third"
    );
}

fn run(
    input: &str,
    decisions: Option<&str>,
) -> Result<(Vec<BTreeMap<String, String>>, MatchSummary), TableError> {
    let mut out = Vec::new();
    let input = Cursor::new(input.as_bytes());
    let summary = match_table(&MATCHER, input, decisions, &mut out, Options::default())?;
    let rows = csv::Reader::from_reader(&out[..])
        .deserialize()
        .collect::<Result<_, _>>()
        .expect("output is CSV");
    Ok((rows, summary))
}

#[test]
fn a_table_keeps_its_rows_and_gains_groups() {
    let input =
        "Supplier Name,id,note\nZendesk Inc,7,=1+1\nBorax,8,\nZENDESK INTERNATIONAL LIMITED,9,x\n";
    let (rows, summary) = run(input, None).expect("a good table");
    let column = |name: &str| rows.iter().map(|r| r[name].as_str()).collect::<Vec<_>>();
    assert_eq!(column("id"), ["7", "8", "9"]);
    assert_eq!(column("note"), ["=1+1", "", "x"]);
    assert_eq!(column("group"), ["1", "2", "1"]);
    assert_eq!(column("linked_to"), ["", "", "7"]);
    assert_eq!(column("catalogue_vendor")[0], "Zendesk");
    assert_eq!(
        (
            summary.rows,
            summary.groups,
            summary.linked,
            summary.formulas
        ),
        (3, 2, 1, 1)
    );
    let (rows, _) = run(input, Some("a,b,decision\n7,9,different\n")).expect("a good table");
    assert_ne!(rows[0]["group"], rows[2]["group"]);
}

#[test]
fn a_bad_table_says_what_to_do() {
    let told = |input: &str, decisions| run(input, decisions).expect_err("it is bad").to_string();
    assert!(told("", None).contains("empty"));
    assert!(told("a,b\n1,2\n", None).contains("call it supplier or name"));
    assert!(told("name,name\nx,y\n", None).contains("twice"));
    assert!(told("name\nx\n", Some("a,b\n")).contains("decision"));
    assert!(told("name\nx\n", Some("a,b,decision\nx,y,maybe\n")).contains("same or different"));
}

fn name() -> impl Strategy<Value = String> {
    let words = proptest::sample::select(vec![
        "Zendesk",
        "Zendesc",
        "Smith",
        "Acme",
        "Data",
        "Dog",
        "Datadog",
        "Group",
        "Services",
        "UK",
        "Ltd",
        "GmbH",
        "J",
        "Müller",
        "Mr",
        "t/a",
        "&",
        "12",
        "(North)",
        "International",
        "",
    ]);
    proptest::collection::vec(words, 0..5).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(300)))]

    /// Groups are groups: every record in one, whoever stands for it stands for itself, and links lead
    /// to a record of the same group.
    #[test]
    fn groups_are_consistent(names in proptest::collection::vec(prop_oneof![name(), "\\PC{0,20}"], 0..30)) {
        let records: Vec<Record> = names.iter().map(|n| named(n)).collect();
        let placed = groups(&records, &[]);
        prop_assert_eq!(placed.len(), records.len());
        for (at, here) in placed.iter().enumerate() {
            prop_assert_eq!(placed[here.group].group, here.group);
            prop_assert_eq!(here.link.is_none(), here.group == at);
            if let Some(link) = here.link {
                prop_assert_eq!(placed[link.to].group, here.group);
                prop_assert!(link.score >= software::LINKED);
            }
            if let Some(link) = here.proposal {
                prop_assert_ne!(placed[link.to].group, here.group);
                prop_assert!(link.score < software::LINKED);
            }
        }
        prop_assert_eq!(groups(&records, &[]), placed);
    }

    /// The order of the list does not decide who belongs together.
    #[test]
    fn order_changes_no_group(names in proptest::collection::vec(name(), 2..14), turn in 0usize..14) {
        let sets = |names: &[String]| {
            let records: Vec<Record> = names.iter().map(|n| named(n)).collect();
            let mut sets: BTreeMap<usize, Vec<String>> = BTreeMap::new();
            for (name, placed) in names.iter().zip(groups(&records, &[])) {
                sets.entry(placed.group).or_default().push(name.clone());
            }
            let mut sets: Vec<Vec<String>> = sets.into_values().collect();
            sets.iter_mut().for_each(|s| s.sort());
            sets.sort();
            sets
        };
        let mut turned = names.clone();
        turned.rotate_left(turn % names.len());
        prop_assert_eq!(sets(&names), sets(&turned));
    }
}
