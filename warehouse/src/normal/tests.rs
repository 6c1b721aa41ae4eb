use arrow::array::{
    Date32Array, Decimal128Array, Decimal256Array, Int32Array, ListBuilder, MapBuilder,
    StringBuilder, StructArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, i256};

use super::*;
use crate::ColumnDefinition;

fn table(column: ColumnDefinition) -> TableDefinition {
    TableDefinition {
        name: "things".to_string(),
        doc: String::new(),
        key: vec![column.name.clone()],
        replace_by: vec![column.name.clone()],
        columns: vec![column],
        connection_column: None,
        indexes: Vec::new(),
    }
}

/// Normalises one column; returns it as text, row by row, and how many texts were changed.
fn normal(array: ArrayRef, json_maps: bool, nul: Nul) -> (Vec<Option<String>>, u64) {
    let column = ColumnDefinition {
        name: "it".to_string(),
        data_type: array.data_type().clone(),
        null: false,
        doc: String::new(),
        json_maps,
    };
    let field = Field::new("it", array.data_type().clone(), true);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]);
    let mut table = table(column);
    let types = table.types().expect("a type that warehouses have");
    table.columns[0].null = true;
    let mut normaliser = Normaliser::new(&table, &types, nul);
    let made = normaliser
        .batch(&batch.expect("a batch"))
        .expect("a normal batch");
    let texts = strict_cast(made.column(0), &DataType::Utf8).expect("a text form");
    let texts = texts.as_string::<i32>().iter();
    (
        texts.map(|text| text.map(str::to_string)).collect(),
        normaliser.nul_texts,
    )
}

fn check(array: impl Array + 'static, expected: &[Option<&str>]) {
    let (found, _) = normal(Arc::new(array), false, Nul::Replace);
    let found: Vec<_> = found.iter().map(Option::as_deref).collect();
    assert_eq!(found, expected);
}

#[test]
fn numbers_keep_every_digit() {
    check(
        UInt64Array::from(vec![Some(u64::MAX), None]),
        &[Some("18446744073709551615"), None],
    );
    let wide = Decimal256Array::from(vec![i256::from_i128(-12_345)]);
    let wide = wide.with_precision_and_scale(38, 4).expect("a scale");
    check(wide, &[Some("-1.2345")]);
    check(
        TimestampNanosecondArray::from(vec![1_500_000_000_123_456_789]),
        &[Some("2017-07-14T02:40:00.123456")],
    );
}

#[test]
fn nul_is_replaced_and_counted_only_where_it_is_refused() {
    let texts = || Arc::new(StringArray::from(vec!["a\0b", "", "c"])) as ArrayRef;
    let (found, count) = normal(texts(), false, Nul::Replace);
    assert_eq!(found[0].as_deref(), Some("a\u{FFFD}b"));
    assert_eq!((found[1].as_deref(), count), (Some(""), 1));
    let (found, count) = normal(texts(), false, Nul::Keep);
    assert_eq!((found[0].as_deref(), count), (Some("a\0b"), 0));
}

#[test]
fn structs_and_lists_are_json_with_exact_amounts() {
    let amounts = Decimal128Array::from(vec![Some(-1), None, Some(10_i128.pow(28))]);
    let amounts = amounts.with_precision_and_scale(38, 9).expect("a scale");
    let array = StructArray::from(vec![
        (
            Arc::new(Field::new("amount", amounts.data_type().clone(), true)),
            Arc::new(amounts) as ArrayRef,
        ),
        (
            Arc::new(Field::new("day", DataType::Date32, true)),
            Arc::new(Date32Array::from(vec![Some(-1), None, Some(0)])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("position", DataType::Int32, true)),
            Arc::new(Int32Array::from(vec![None, None, Some(7)])) as ArrayRef,
        ),
    ]);
    check(
        array,
        &[
            Some(r#"{"amount":"-0.000000001","day":"1969-12-31"}"#),
            Some("{}"),
            Some(r#"{"amount":"10000000000000000000.000000000","day":"1970-01-01","position":7}"#),
        ],
    );
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("a\"b\n"), None, Some("ü\0")]);
    lists.append_value(Vec::<Option<&str>>::new());
    lists.append_null();
    check(
        lists.finish(),
        &[Some("[\"a\\\"b\\n\",null,\"ü\u{FFFD}\"]"), Some("[]"), None],
    );
}

#[test]
fn a_map_of_json_texts_is_json_and_what_is_not_stays_text() {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for (key, value) in [
        ("number", Some("12.50")),
        ("text", Some(r#""a\u0000b""#)),
        ("broken", Some("{oops")),
        ("surrogate", Some(r#""\ud800""#)),
        ("huge", Some("1e400000")),
        ("none", None),
        ("nested", Some(r#"{"a":[1,-20,null]}"#)),
    ] {
        maps.keys().append_value(key);
        maps.values().append_option(value);
    }
    maps.append(true).expect("keys and values of equal length");
    let map = maps.finish();
    let (found, count) = normal(Arc::new(map.clone()), true, Nul::Replace);
    assert_eq!(
        found[0].as_deref(),
        Some(
            "{\"number\":\"12.50\",\"text\":\"a\u{FFFD}b\",\"broken\":\"{oops\",\
             \"surrogate\":\"\\\"\\\\ud800\\\"\",\"huge\":\"1e+400000\",\"none\":null,\
             \"nested\":{\"a\":[1,-20,null]}}"
        )
    );
    assert_eq!(count, 1);
    let (found, _) = normal(Arc::new(map), false, Nul::Replace);
    let plain = found[0].as_deref().expect("a value");
    assert!(plain.starts_with(r#"{"number":"12.50","text":"\"a\\u0000b\"""#));
}
