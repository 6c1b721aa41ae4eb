//! Edges of the decoder one by one; `oracle` compares it with a second reading of random records.

mod oracle;
mod reading;

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sha2::{Digest, Sha256};

use super::*;
use crate::testing::resource;

fn decoder() -> Decoder {
    let stamp = Stamp {
        run_id: "run-1".to_owned(),
        extracted_at: "2026-03-01T00:00:00Z".parse().unwrap(),
    };
    Decoder::new(Arc::new(resource()), stamp)
}

fn decode(page: &str) -> Decoded {
    let mut decoder = decoder();
    decoder.page(page.as_bytes()).unwrap();
    decoder.finish().unwrap()
}

/// The column of the first row of `[record]`, as Arrow shows it.
fn check(record: &str, column: &str, expected: &str) {
    let decoded = decode(&format!("[{record}]"));
    assert_eq!(decoded.misfits, [], "{record}");
    let array = decoded.batch.column_by_name(column).unwrap();
    let options = FormatOptions::default().with_null("null");
    let shown = ArrayFormatter::try_new(array, &options).unwrap();
    assert_eq!(shown.value(0).to_string(), expected, "{record}");
}

fn check_misfit(record: &str, field: &str, reason: Reason) {
    let good = r#"{"id":1,"total":"2.50","lines":[{"id":7}],"tags":["a"],"own":1}"#;
    let decoded = decode(&format!("[{good},{record},{good}]"));
    assert_eq!(decoded.batch.num_rows(), 2, "{record}");
    let [misfit] = decoded.misfits.as_slice() else {
        panic!("{record}: {:?}", decoded.misfits);
    };
    assert_eq!(
        (misfit.field.as_str(), misfit.reason),
        (field, reason),
        "{record}: {}",
        misfit.detail
    );
    assert_eq!(
        decoded.batch.slice(0, 1),
        decoded.batch.slice(1, 1),
        "{record}"
    );
}

#[test]
fn scalars_are_read_as_declared() {
    check(r#"{"id":"12"}"#, "id", "12");
    check(r#"{"id":1,"total":12.5}"#, "total", "12.500000000");
    check(
        r#"{"id":1,"total":"12345678901234567890.123456789"}"#,
        "total",
        "12345678901234567890.123456789",
    );
    check(r#"{"id":1,"total":1e-2}"#, "total", "0.010000000");
    check(r#"{"id":1,"total":""}"#, "total", "null");
    check(
        r#"{"id":1,"updated-at":"2026-03-01T02:00:00+02:00"}"#,
        "updated_at",
        "2026-03-01T00:00:00Z",
    );
    check(r#"{"id":1,"updated_at":""}"#, "updated_at", "null");
    check(
        r#"{"id":1,"tags":["a",1.0,true,null,"","\u00e9\n"]}"#,
        "tags",
        "[a, 1.0, true, null, , é\n]",
    );
    check(r#"{"id":1,"t\u0061gs":["a"]}"#, "tags", "[a]");
}

#[test]
fn objects_and_lists_come_in_several_forms() {
    check(
        r#"{"id":1,"supplier":{"name":"A","id":5,"more":{}}}"#,
        "supplier",
        "{id: 5, name: A}",
    );
    check(
        r#"{"id":1,"supplier":5}"#,
        "supplier",
        "{id: 5, name: null}",
    );
    check(
        r#"{"id":1,"supplier":"A \"B\""}"#,
        "supplier",
        "{id: null, name: A \"B\"}",
    );
    check(r#"{"id":1,"supplier":null}"#, "supplier", "null");
    check(r#"{"id":1,"supplier":""}"#, "supplier", "null");
    check(
        r#"{"id":1,"supplier":{}}"#,
        "supplier",
        "{id: null, name: null}",
    );
    check(r#"{"id":1,"lines":null}"#, "lines", "null");
    check(r#"{"id":1}"#, "lines", "null");
    check(r#"{"id":1,"lines":[]}"#, "lines", "[]");
    let line = "[{id: 7, note: x, custom_fields: null}]";
    check(r#"{"id":1,"lines":{"id":7,"note":"x"}}"#, "lines", line);
    check(
        r#"{"id":1,"lines":[{"id":7,"left-out":1,"note":"x"}]}"#,
        "lines",
        line,
    );
}

#[test]
fn keys_of_the_customers_own_are_kept() {
    let record = r#"{"id":1,"Own-Key":{"a": [1]},"left-out":9,"custom-fields":{"cost-note":"x","none":null}}"#;
    check(
        record,
        "custom_fields",
        r#"{Own_Key: {"a": [1]}, cost_note: "x", none: null}"#,
    );
    check(r#"{"id":1}"#, "custom_fields", "null");
    check(r#"{"id":1,"custom-fields":{}}"#, "custom_fields", "{}");
    check(r#"{"id":1,"custom-fields":[]}"#, "custom_fields", "null");
    check(
        r#"{"id":1,"a":1,"custom-fields":{"a":1}}"#,
        "custom_fields",
        "{a: 1}",
    );
    let lines = r#"{"id":1,"lines":[{"id":7,"seat":4},{"id":8}]}"#;
    check(
        lines,
        "lines",
        "[{id: 7, note: null, custom_fields: {seat: 4}}, {id: 8, note: null, custom_fields: null}]",
    );
}

#[test]
fn drift_is_reported_once() {
    let mut decoder = decoder();
    let page = br#"[{"id":1,"a":1,"lines":[{"b":1},{"b":2}]},{"c":1,"id":2,"a":1},{"id":3,"supplier":{"x":1}}]"#;
    decoder.page(page).unwrap();
    decoder.page(page).unwrap();
    let drift = decoder.finish().unwrap().drift;
    let found: Vec<_> = drift
        .iter()
        .map(|drift| (drift.path.as_str(), drift.example_id.as_deref()))
        .collect();
    assert_eq!(
        found,
        [("a", Some("1")), ("lines.b", Some("1")), ("c", Some("2"))]
    );
    decoder.page(page).unwrap();
    assert_eq!(decoder.finish().unwrap().drift, []);
}

#[test]
fn misfits_cost_the_others_nothing() {
    check_misfit(r#"{"id":9,"total":"1,234.50"}"#, "total", Reason::WrongType);
    check_misfit(r#"{"id":9,"total":1e30}"#, "total", Reason::OutOfRange);
    check_misfit(r#"{"id":1.5}"#, "id", Reason::OutOfRange);
    check_misfit(
        r#"{"id":9,"lines":[{"id":1,"own":1},{"id":"x"}]}"#,
        "lines.id",
        Reason::WrongType,
    );
    check_misfit(
        r#"{"id":9,"lines":[{"id":1},[]]}"#,
        "lines",
        Reason::WrongType,
    );
    check_misfit(r#"{"id":9,"lines":"x"}"#, "lines", Reason::WrongType);
    check_misfit(r#"{"id":9,"supplier":[]}"#, "supplier", Reason::WrongType);
    check_misfit(r#"{"id":9,"supplier":1.5}"#, "supplier", Reason::WrongType);
    check_misfit(r#"{"id":9,"tags":[{"a":1}]}"#, "tags", Reason::WrongType);
    check_misfit(r#"{"id":9,"tags":{"a":1}}"#, "tags", Reason::WrongType);
    check_misfit(
        r#"{"id":9,"updated-at":"yesterday"}"#,
        "updated_at",
        Reason::WrongType,
    );
    check_misfit(
        r#"{"id":9,"updated-at":5}"#,
        "updated_at",
        Reason::WrongType,
    );
    check_misfit(
        r#"{"id":9,"custom-fields":"x"}"#,
        "custom_fields",
        Reason::WrongType,
    );
    check_misfit(
        r#"{"id":9,"total":1,"total":2}"#,
        "total",
        Reason::DuplicateKey,
    );
    check_misfit(
        r#"{"id":9,"updated-at":null,"updated_at":""}"#,
        "updated_at",
        Reason::DuplicateKey,
    );
    check_misfit(
        r#"{"id":9,"a":1,"custom-fields":{"a":2}}"#,
        "custom_fields.a",
        Reason::DuplicateKey,
    );
    check_misfit(r#"{"total":1}"#, "id", Reason::MissingKey);
    check_misfit(r#"{"id":0}"#, "id", Reason::MissingKey);
    check_misfit(r#"{"id":null}"#, "id", Reason::MissingKey);
    check_misfit("null", "", Reason::NotARecord);
    check_misfit("[1]", "", Reason::NotARecord);
    check_misfit("12", "", Reason::NotARecord);
    check_misfit(r#"{"id":9,"tags":["\ud800"]}"#, "tags", Reason::Encoding);
    check_misfit(r#"{"id":9,"total":01}"#, "total", Reason::Syntax);
    check_misfit(r#"{"id":9,"total":NaN}"#, "total", Reason::Syntax);
    check_misfit(r#"{"id":9 "total":1}"#, "", Reason::Syntax);
    check_misfit("{\"id\":9,\"tags\":[\"\u{1}\"]}", "tags", Reason::Syntax);
}

#[test]
fn a_misfit_keeps_its_id_and_text() {
    let decoded = decode(r#"[{"total":"x","id":77},{"total":"x"}]"#);
    let ids: Vec<_> = decoded
        .misfits
        .iter()
        .map(|misfit| misfit.id.as_deref())
        .collect();
    assert_eq!(ids, [Some("77"), None]);
    assert_eq!(decoded.misfits[0].raw, r#"{"total":"x","id":77}"#);
    assert_eq!(
        decoded.misfits[0].detail,
        "expected decimal(38, 9), found another text"
    );
    assert_eq!(decoded.last_id, Some(77));
}

#[test]
fn limits_stand_before_the_parser() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for key in ["own", "tags", "lines", "left_out", "total"] {
            let record = format!(r#"{{"id":9,"{key}":{deep}}}"#);
            check_misfit(&record, "", Reason::TooDeep);
        }
    }
    let fits = format!(r#"{{"id":9,"own":{}{}}}"#, "[".repeat(63), "]".repeat(63));
    assert_eq!(decode(&format!("[{fits}]")).misfits, []);
    let large = format!(r#"{{"id":9,"own":"{}"}}"#, "é".repeat(9 << 20));
    check_misfit(&large, "", Reason::TooLarge);
    let misfits = decode(&format!("[{large}]")).misfits;
    assert_eq!(misfits[0].id.as_deref(), Some("9"));
    assert!(misfits[0].raw.len() <= 1 << 20);
}

#[test]
fn a_broken_page_leaves_nothing() {
    let mut decoder = decoder();
    decoder
        .page(br#"[{"id":1,"total":"0.0000000001"}]"#)
        .unwrap();
    let pages: [&[u8]; 8] = [
        br#"[{"id":2,"total":"0.0000000001"},{"id":3"#,
        br#"[{"id":2}"#,
        br#"[{"id":2},{"total":"x"}] x"#,
        b"",
        b"null",
        b"<?xml version=\"1.0\"?>",
        b"\xff[{\"id\":2}]",
        b"\xff\xfe[\0]\0",
    ];
    for page in pages {
        assert!(decoder.page(page).is_err());
    }
    decoder.page(b"\xEF\xBB\xBF [ ]\n").unwrap();
    let decoded = decoder.finish().unwrap();
    assert_eq!(
        (decoded.batch.num_rows(), decoded.pages, decoded.rounded),
        (1, 2, 1)
    );
    assert_eq!(decoded.misfits, []);
}

#[test]
fn the_record_itself_is_kept_and_hashed() {
    let record = r#"{ "id" : 1, "total": "2.50" }"#;
    let decoded = decode(&format!("[ {record} ]"));
    let batch = &decoded.batch;
    assert_eq!(batch.schema(), raw_schema(&resource()));
    let text = |name: &str| {
        batch
            .column_by_name(name)
            .unwrap()
            .as_string::<i32>()
            .value(0)
            .to_owned()
    };
    assert_eq!(
        (text("_raw").as_str(), text("_op").as_str()),
        (record, "upsert")
    );
    assert_eq!(text("_run_id"), "run-1");
    let hash = batch.column_by_name("_content_hash").unwrap();
    assert_eq!(
        hash.as_binary::<i32>().value(0),
        Sha256::digest(record).as_slice()
    );
    let time = batch.column_by_name("_extracted_at").unwrap();
    let time = time.as_primitive::<TimestampMicrosecondType>().value(0);
    assert_eq!(time, 1_772_323_200_000_000);
}

#[test]
fn secrets_reach_no_column() {
    let record = r#"{"id":1,"cxml-secret":"S3CR3T","custom-fields":{"api-password":"S3CR3T","a":{"x-secret":"S3CR3T"}},"lines":[{"password":"S3CR3T","own":{"b_secret":["S3CR3T"]},"note":"ok"}],"own":[{"Password":"S3CR3T"}]}"#;
    let misfit = r#"{"id":2,"total":"x","pass\u0077ord":"S3CR3T"}"#;
    let broken = r#"{"id":3,"password":"S3CR3T","total":01}"#;
    let decoded = decode(&format!("[{record},{misfit},{broken}]"));
    assert!(!format!("{decoded:?}").contains("S3CR3T"), "{decoded:?}");
    assert_eq!((decoded.batch.num_rows(), decoded.misfits.len()), (1, 2));
    assert_eq!(decoded.misfits[0].raw, r#"{"id":2,"total":"x"}"#);
    let raw = decoded.batch.column_by_name("_raw").unwrap();
    assert_eq!(
        raw.as_string::<i32>().value(0),
        r#"{"id":1,"custom-fields":{"a":{}},"lines":[{"own":{},"note":"ok"}],"own":[{}]}"#
    );
}

#[test]
fn a_page_can_be_kept_in_part() {
    let mut decoder = decoder();
    let page = r#"[{"id":2,"lines":[{"id":1,"own":1}]},{"total":"x","id":3},{"id":4,"total":"0.0000000001"}]"#;
    let kept: [(&[i64], usize, u64); 4] = [
        (&[1], 0, 0),
        (&[1, 2], 0, 0),
        (&[1, 2], 1, 0),
        (&[1, 2, 4], 1, 1),
    ];
    for (records, (ids, misfits, rounded)) in kept.into_iter().enumerate() {
        decoder.page(br#"[{"id":1}]"#).unwrap();
        let info = decoder.page(page.as_bytes()).unwrap();
        let seen: Vec<_> = info
            .records
            .iter()
            .map(|seen| (seen.id, seen.fits))
            .collect();
        assert_eq!(seen, [(Some(2), true), (Some(3), false), (Some(4), true)]);
        decoder.keep(records);
        let decoded = decoder.finish().unwrap();
        let column = decoded.batch.column(0).as_primitive::<Int64Type>();
        assert_eq!(column.values(), ids);
        assert_eq!((decoded.misfits.len(), decoded.rounded), (misfits, rounded));
    }
}

#[test]
fn every_sample_fits_its_definition() {
    for resource in schemas::Schemas::embedded()
        .unwrap()
        .resources
        .into_values()
    {
        let stamp = Stamp {
            run_id: String::new(),
            extracted_at: DateTime::UNIX_EPOCH,
        };
        let sample = resource.sample.clone();
        let mut decoder = Decoder::new(Arc::new(resource), stamp);
        decoder.page(sample.as_bytes()).unwrap();
        assert_eq!(decoder.finish().unwrap().misfits, []);
    }
}
