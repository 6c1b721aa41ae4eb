//! What must hold for every line: spelling does not matter, the same line gets the same decision,
//! the evidence adds up.

use std::sync::LazyLock;

use proptest::prelude::*;
use software::{Cache, Catalogue, Classifier, Decision, Line, Signal};

static CLASSIFIER: LazyLock<Classifier> =
    LazyLock::new(|| Classifier::new(&Catalogue::embedded().expect("embedded data reads")));

/// Built apart, with hash tables filled anew.
static AGAIN: LazyLock<Classifier> =
    LazyLock::new(|| Classifier::new(&Catalogue::embedded().expect("embedded data reads")));

fn supplier() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "Zendesk",
            "Microsoft",
            "CDW",
            "Amazon",
            "Salesforce",
            "Müller Büro",
            "Acme Software",
            "Box",
            "PADDLE.NET* NOTION",
            "Société Générale",
            "",
        ])
        .prop_map(str::to_string),
        "\\PC{0,24}",
    ]
}

fn description() -> impl Strategy<Value = String> {
    let words = vec![
        "jira",
        "licence",
        "renewal",
        "laptop",
        "consulting",
        "Slack",
        "box",
        "of",
        "paper",
        "adobe",
        "acrobat",
        "pro",
        "x12",
        "01/04/2025 -",
        "31/03/2026",
        "subscription",
        "rent",
        "software",
        "Zoom",
        "tv licence",
        "Café",
        "GmbH",
        "=1+1",
        "365",
        "Microsoft",
    ];
    prop_oneof![
        proptest::collection::vec(proptest::sample::select(words), 0..7)
            .prop_map(|words| words.join(" ")),
        "\\PC{0,60}",
    ]
}

fn decide<'a>(supplier: &'a str, description: &'a str) -> Decision<'a> {
    CLASSIFIER.classify(&Line {
        supplier,
        description,
        ..Line::default()
    })
}

/// A decision without the names taken from the input.
fn essence(d: &Decision) -> (bool, u64, Option<String>, Option<String>) {
    (
        d.is_software,
        d.logit.to_bits(),
        d.product.map(str::to_string),
        d.category.map(str::to_string),
    )
}

proptest! {
    #[test]
    fn evidence_adds_up_and_confidence_follows(s in supplier(), d in description(), a in description(), u in "[0-9]{0,10}") {
        let line = Line { supplier: &s, description: &d, account: &a, unspsc: &u, ..Line::default() };
        let decision = CLASSIFIER.classify(&line);
        let sum: f64 = decision.evidence.iter().map(|e| e.weight).sum();
        prop_assert!((sum - decision.logit).abs() < 1e-9);
        prop_assert_eq!(decision.evidence[0].signal, Signal::Prior);
        prop_assert_eq!(decision.is_software, decision.logit > 0.0);
        prop_assert!((0.5..=1.0).contains(&decision.confidence));
        let p = 1.0 / (1.0 + (-decision.logit).exp());
        prop_assert!((decision.probability() - p).abs() < 1e-12);
        prop_assert!(decision.is_software || decision.vendor.is_none() && decision.product.is_none());
        prop_assert_eq!(decision.is_software, decision.category.is_some());
    }

    #[test]
    fn the_same_line_gets_the_same_decision_cached_or_not(s in supplier(), d in description(), other in supplier()) {
        let line = Line { supplier: &s, description: &d, ..Line::default() };
        let mut cache = Cache::default();
        CLASSIFIER.classify_cached(&Line { supplier: &other, ..line }, &mut cache);
        let cached = CLASSIFIER.classify_cached(&line, &mut cache);
        prop_assert_eq!(&cached, &CLASSIFIER.classify_cached(&line, &mut cache));
        prop_assert_eq!(&cached, &CLASSIFIER.classify(&line));
        prop_assert_eq!(&cached, &AGAIN.classify(&line));
    }

    #[test]
    fn case_and_spacing_do_not_matter(s in supplier(), d in description()) {
        // Marks such as " t/a " are found in any case; characters whose case changes their
        // transliteration are left out.
        let ascii = |text: &str| -> String { text.chars().filter(char::is_ascii).collect() };
        let (s, d) = (ascii(&s), ascii(&d));
        let plain = essence(&decide(&s, &d));
        let (s2, d2) = (s.to_uppercase(), d.to_uppercase().replace(' ', "  "));
        prop_assert_eq!(&plain, &essence(&decide(&s2, &d2)));
        let (s3, d3) = (format!(" {} ", s.to_lowercase()), d.to_lowercase());
        prop_assert_eq!(&plain, &essence(&decide(&s3, &d3)));
    }
}

#[test]
fn legal_forms_accents_and_punctuation_do_not_matter() {
    for spellings in [
        [
            "Zendesk",
            "ZENDESK, INC.",
            "Zendesk (UK) Ltd",
            "zendesk gmbh",
        ],
        [
            "Dassault Systèmes",
            "DASSAULT SYSTEMES S.A.",
            "dassault  systemes SE",
            "Dassault-Systemes",
        ],
        ["Sage", "The Sage Ltd", "SAGE (UK) LIMITED", "sage plc"],
        [
            "monday.com",
            "MONDAY.COM LTD",
            "Monday.com Inc.",
            "monday com",
        ],
        [
            "ServiceNow",
            "Service Now Inc",
            "servicenow nederland b.v.",
            "SERVICENOW",
        ],
    ] {
        let first = decide(spellings[0], "annual subscription");
        assert!(first.is_software);
        for spelling in spellings {
            let other = decide(spelling, "annual subscription");
            assert_eq!(other.vendor, first.vendor, "{spelling}");
            assert_eq!(other.is_software, first.is_software, "{spelling}");
        }
    }
}

#[test]
fn common_words_need_support() {
    for (word, text) in [
        ("Monday", "Monday delivery"),
        ("Box", "Box"),
        ("Slack", "Slack rope"),
        ("Notion", "Notion"),
        ("Zoom", "Zoom"),
    ] {
        assert!(!decide("Harbour Trading Ltd", text).is_software, "{text}");
        let supported = format!("{word} annual subscription 20 seats");
        assert!(
            decide("Harbour Trading Ltd", &supported).is_software,
            "{supported}"
        );
    }
}

#[test]
fn a_long_hostile_description_is_read_in_bounded_time() {
    let long = "jira software licence adobe ".repeat(200_000);
    let start = std::time::Instant::now();
    assert!(decide("CDW", &long).is_software);
    assert!(start.elapsed().as_secs() < 5);
}
