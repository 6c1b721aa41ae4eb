//! Every value arrives as it is.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array,
    Float64Array, Int8Array, Int64Array, ListBuilder, MapBuilder, RecordBatch, StringArray,
    StringBuilder, StructArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, i256};
use warehouse::{Outcome, Scope, TableDefinition};

use crate::sinks::{Kind, Sink, conforms};
use crate::tables::{column, load, load_of};

conforms!(every_value_arrives_as_it_is, hostile_texts_are_data);

const MOST: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;

fn table(columns: &[(&str, ArrayRef)]) -> TableDefinition {
    let mut columns: Vec<_> = columns
        .iter()
        .map(|(name, array)| column(name, array.data_type().clone(), *name != "id"))
        .collect();
    for one in &mut columns {
        one.json_maps = one.name != "plain";
    }
    TableDefinition {
        name: "values".to_string(),
        doc: "One row a case.".to_string(),
        columns,
        key: vec!["id".to_string()],
        replace_by: vec!["id".to_string()],
        connection_column: None,
        indexes: Vec::new(),
    }
}

fn decimals(values: Vec<Option<i128>>) -> ArrayRef {
    let array = Decimal128Array::from(values).with_precision_and_scale(38, 9);
    Arc::new(array.expect("a scale"))
}

type Entries<'a> = &'a [(&'a str, Option<&'a str>)];

fn maps(values: [Option<Entries<'_>>; 3]) -> ArrayRef {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for map in values {
        for (key, value) in map.unwrap_or_default() {
            maps.keys().append_value(key);
            maps.values().append_option(*value);
        }
        maps.append(map.is_some())
            .expect("keys and values of equal length");
    }
    Arc::new(maps.finish())
}

/// The extremes, the ordinary, and nulls.
fn columns() -> Vec<(&'static str, ArrayRef)> {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("a \"b\""), None, Some("日本")]);
    lists.append_value(Vec::<Option<&str>>::new());
    lists.append_null();
    let amounts = decimals(vec![Some(MOST), Some(-1), None]);
    let structs = StructArray::from(vec![
        (
            Arc::new(Field::new("amount", amounts.data_type().clone(), true)),
            amounts,
        ),
        (
            Arc::new(Field::new("text", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec![Some("it's"), None, None])) as ArrayRef,
        ),
    ]);
    let wide = Decimal256Array::from(vec![Some(i256::from_i128(MOST)), None, None]);
    let utc = |array: TimestampMicrosecondArray| Arc::new(array.with_timezone("UTC")) as ArrayRef;
    vec![
        ("id", Arc::new(StringArray::from(vec!["1", "2", "3"]))),
        ("amount", decimals(vec![Some(MOST), Some(-MOST), None])),
        ("small_amount", decimals(vec![Some(1), Some(0), None])),
        (
            "wide",
            Arc::new(wide.with_precision_and_scale(38, 0).expect("a scale")),
        ),
        (
            "at",
            utc(TimestampMicrosecondArray::from(vec![
                Some(1_767_225_599_999_999),
                Some(-1),
                None,
            ])),
        ),
        (
            "early",
            // 0001-01-01 and 9999-12-31T23:59:59.999999.
            utc(TimestampMicrosecondArray::from(vec![
                Some(-62_135_596_800_000_000),
                Some(253_402_300_799_999_999),
                None,
            ])),
        ),
        (
            "nanos",
            Arc::new(TimestampNanosecondArray::from(vec![
                Some(1_500_000_000_123_456_000),
                None,
                None,
            ])),
        ),
        (
            "day",
            Arc::new(Date32Array::from(vec![Some(-1), Some(-719_162), None])),
        ),
        (
            "flag",
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        ),
        (
            "tiny",
            Arc::new(Int8Array::from(vec![Some(-128), Some(127), None])),
        ),
        (
            "large",
            Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(i64::MAX), None])),
        ),
        (
            "unsigned",
            Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(0), None])),
        ),
        (
            "ratio",
            Arc::new(Float64Array::from(vec![Some(0.1), Some(-1e300), None])),
        ),
        (
            "text",
            Arc::new(StringArray::from(vec![
                Some("Ünïcødé 日本語 🧾 \u{202e}"),
                Some(""),
                None,
            ])),
        ),
        (
            "bytes",
            Arc::new(BinaryArray::from_opt_vec(vec![
                Some(b"\x00\xff\x80".as_slice()),
                Some(b""),
                None,
            ])),
        ),
        ("list", Arc::new(lists.finish())),
        ("nested", Arc::new(structs)),
        (
            "map",
            maps([
                Some(&[
                    ("n", Some("12.50")),
                    ("t", Some("\"x\"")),
                    ("odd", Some("{oops")),
                    ("none", None),
                ]),
                Some(&[]),
                None,
            ]),
        ),
        ("plain", maps([Some(&[("n", Some("12.50"))]), None, None])),
    ]
}

async fn every_value_arrives_as_it_is(sink: Sink) {
    let columns = columns();
    let table = table(&columns);
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .iter()
            .map(|(name, array)| (*name, array.clone(), true)),
    );
    let batch = batch.expect("a batch");
    let mut warehouse = sink.open().await;
    let whole = load_of(None, 1, Scope::Whole);
    load(&mut warehouse, &table, &whole, vec![batch.clone()])
        .await
        .expect("it loads");
    arrived(&sink).await;
    // The other road: over a staging table.
    sink.run(&format!("DELETE FROM {}.\"values\"", sink.schema()))
        .await;
    let changes = load_of(Some(1), 2, crate::tables::unchanged_but_for_rows());
    load(&mut warehouse, &table, &changes, vec![batch])
        .await
        .expect("it loads");
    arrived(&sink).await;
}

async fn arrived(sink: &Sink) {
    let duckdb = sink.kind == Kind::AdbcDuckdb;
    let micros = |name: &str| match duckdb {
        true => format!("CAST(epoch_us({name}) AS VARCHAR)"),
        false => format!("CAST(CAST(extract(epoch from {name}) * 1000000 AS bigint) AS text)"),
    };
    let hex = match duckdb {
        true => "lower(hex(bytes))",
        false => "encode(bytes, 'hex')",
    };
    let text = |name: &str| format!("CAST({name} AS VARCHAR)");
    let most = "99999999999999999999999999999.999999999";
    let least = "-99999999999999999999999999999.999999999";
    let no: Option<&str> = None;
    #[rustfmt::skip]
    let cases: Vec<(String, [Option<&str>; 3])> = vec![
        (text("amount"), [Some(most), Some(least), no]),
        (text("small_amount"), [Some("0.000000001"), Some("0.000000000"), no]),
        (text("wide"), [Some("99999999999999999999999999999999999999"), no, no]),
        (micros("\"at\""), [Some("1767225599999999"), Some("-1"), no]),
        (micros("early"), [Some("-62135596800000000"), Some("253402300799999999"), no]),
        (text("nanos"), [Some("2017-07-14 02:40:00.123456"), no, no]),
        (text("day"), [Some("1969-12-31"), Some("0001-01-01"), no]),
        (text("flag"), [Some("true"), Some("false"), no]),
        (text("tiny"), [Some("-128"), Some("127"), no]),
        (text("large"), [Some("-9223372036854775808"), Some("9223372036854775807"), no]),
        (text("unsigned"), [Some("18446744073709551615"), Some("0"), no]),
        (text("ratio"), [Some("0.1"), Some("-1e+300"), no]),
        (text("text"), [Some("Ünïcødé 日本語 🧾 \u{202e}"), Some(""), no]),
        (hex.to_string(), [Some("00ff80"), Some(""), no]),
        (text("list->>0"), [Some("a \"b\""), no, no]),
        (text("list->>2"), [Some("日本"), no, no]),
        (text("list"), [None, Some("[]"), no]),
        (text("nested->>'amount'"), [Some(most), Some("-0.000000001"), no]),
        (text("nested->>'text'"), [Some("it's"), no, no]),
        (text("map->>'n'"), [Some("12.50"), no, no]),
        (text("map->>'t'"), [Some("x"), no, no]),
        (text("map->>'odd'"), [Some("{oops"), no, no]),
        (text("map->>'none'"), [no, no, no]),
        (text("map"), [None, Some("{}"), no]),
        (text("plain->>'n'"), [Some("12.50"), no, no]),
    ];
    for (expression, expected) in cases {
        let sql = format!(
            "SELECT {} FROM {}.\"values\" ORDER BY id",
            expression
                .replace("(map", "(\"map\"")
                .replace("(list", "(\"list\""),
            sink.schema()
        );
        let rows = sink.rows(&sql).await;
        let found: Vec<Option<&str>> = rows.iter().map(|row| row[0].as_deref()).collect();
        let skip = expected[0].is_none() && expected[1].is_some();
        let from = usize::from(skip);
        assert_eq!(found[from..], expected[from..], "{expression}");
    }
}

async fn hostile_texts_are_data(sink: Sink) {
    let texts = [
        "'; DROP TABLE lines; --",
        "\\'; DELETE FROM x; --",
        "$$ $1 %s {} \" ` \t\r\n",
        "nul \0 within",
    ];
    let ids = StringArray::from_iter_values(texts);
    let batch = RecordBatch::try_from_iter([("id", Arc::new(ids) as ArrayRef)]);
    let table = {
        let mut table = table(&[("id", Arc::new(StringArray::from(vec![""])))]);
        table.name = "odd \"name\"; --".to_string();
        table.doc = "It's \\ a \"doc\"; -- \0".to_string();
        table
    };
    let mut warehouse = sink.open().await;
    let mut whole = load_of(None, 1, Scope::Whole);
    whole.connection = "it's \\ \"odd\"; --".to_string();
    whole.run_id = "'; ROLLBACK; --".to_string();
    let done = load(
        &mut warehouse,
        &table,
        &whole,
        vec![batch.expect("a batch")],
    )
    .await;
    let refused = u64::from(sink.kind != Kind::AdbcDuckdb);
    assert_eq!(
        done.expect("it loads"),
        Outcome::Loaded {
            rows: 4,
            nul_texts: refused
        }
    );
    let sql = format!(
        "SELECT id FROM {}.\"odd \"\"name\"\"; --\" ORDER BY id",
        sink.schema()
    );
    let found: Vec<_> = sink
        .rows(&sql)
        .await
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    let nul = match refused {
        1 => "nul \u{FFFD} within",
        _ => texts[3],
    };
    let mut expected = [texts[0], texts[1], texts[2], nul];
    expected.sort_unstable();
    assert_eq!(found, expected);
    let loaded = warehouse.loaded(&whole.connection, &table.name).await;
    let loaded = loaded.expect("it tells").expect("a row");
    assert_eq!(loaded.run_id, whole.run_id);
}
