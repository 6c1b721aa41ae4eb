//! Rows of the lake in canonical form, and how they differ from what they must be.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, LargeListArray, ListArray,
        MapArray, RecordBatch, StringArray, StructArray,
    },
    compute::cast,
    datatypes::{DataType, Date32Type, Int64Type, TimeUnit, TimestampMicrosecondType},
};
use chrono::{DateTime, Days, NaiveDate};
use serde_json::{Map, Value};

use super::{Row, Rows, text::stamp};

/// Columns that depend on the run or on bytes, not on what the record says.
const OF_THE_RUN: [&str; 6] = [
    "_extracted_at",
    "_run_id",
    "_content_hash",
    "_schema_version",
    "_mapping",
    "created_month",
];

/// The column values of batches, row by row.
pub fn rows(batches: &[RecordBatch]) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches {
        let names: Vec<String> = batch
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let mut columns: Vec<std::vec::IntoIter<Value>> = names
            .iter()
            .zip(batch.columns())
            .map(|(name, array)| values(name, array).into_iter())
            .collect();
        for _ in 0..batch.num_rows() {
            let row = names.iter().zip(&mut columns);
            rows.push(
                row.map(|(name, column)| (name.clone(), column.next().expect("a value a row")))
                    .collect(),
            );
        }
    }
    rows
}

/// Rows by their key: `id`, or the columns of an exploded table's key joined with a slash.
pub fn by_key(table: &str, rows: Vec<Row>) -> Rows {
    let parent = ["invoice_id", "purchase_order_id", "requisition_id"];
    let key = |row: &Row| -> String {
        let exploded = table.ends_with("_lines") || table.ends_with("_allocations");
        let parent = parent
            .iter()
            .find(|name| exploded && row.contains_key(**name));
        let columns = [parent.copied().unwrap_or("id"), "line_ordinal", "ordinal"];
        let parts = columns.iter().filter_map(|name| row.get(*name));
        parts
            .map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            })
            .collect::<Vec<_>>()
            .join("/")
    };
    let count = rows.len();
    let keyed: Rows = rows.into_iter().map(|row| (key(&row), row)).collect();
    assert_eq!(keyed.len(), count, "{table} has two rows of one key");
    keyed
}

/// What differs, the first `most` of each table, and how many there are in all.
pub fn differences(
    expected: &BTreeMap<String, Rows>,
    found: &BTreeMap<String, Rows>,
    most: usize,
) -> (Vec<String>, usize) {
    let (mut told, mut count) = (Vec::new(), 0);
    for (table, expected) in expected {
        let nothing = Rows::new();
        let found = found.get(table).unwrap_or(&nothing);
        let mut of_table = Vec::new();
        for key in expected.keys().filter(|key| !found.contains_key(*key)) {
            of_table.push(format!("{table} {key}: expected a row, found none"));
        }
        for key in found.keys().filter(|key| !expected.contains_key(*key)) {
            of_table.push(format!("{table} {key}: expected no row, found one"));
        }
        for (key, expected) in expected {
            if let Some(found) = found.get(key) {
                of_row(&format!("{table} {key}"), expected, found, &mut of_table);
            }
        }
        count += of_table.len();
        told.extend(one_of_each(&of_table, most));
    }
    (told, count)
}

/// The first of the differences, no column more than twice, so that one mistake does not hide the others.
fn one_of_each(differences: &[String], most: usize) -> Vec<String> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut told: Vec<String> = Vec::new();
    for difference in differences {
        let head = difference
            .split_once(": expected")
            .map_or("", |(head, _)| head);
        let column = head.rsplit(' ').next().unwrap_or_default();
        let column = if head.matches(' ').count() > 1 {
            column
        } else {
            ""
        };
        let times = seen.entry(column).or_default();
        *times += 1;
        if *times <= 2 && told.len() < most {
            told.push(difference.clone());
        }
    }
    if differences.len() > told.len() {
        let columns: Vec<String> = seen
            .iter()
            .map(|(column, times)| format!("{column} {times}"))
            .collect();
        told.push(format!(
            "… {} in all: {}",
            differences.len(),
            columns.join(", ")
        ));
    }
    told
}

fn of_row(place: &str, expected: &Row, found: &Row, differences: &mut Vec<String>) {
    for (column, value) in expected {
        match found.get(column) {
            None => differences.push(format!(
                "{place} {column}: expected {value}, found no such column"
            )),
            Some(_) if column == "deleted_at" && value == "set" => {
                if found[column].is_null() {
                    differences.push(format!("{place} {column}: expected an instant, found null"));
                }
            }
            Some(other) => of_value(&format!("{place} {column}"), value, other, differences),
        }
    }
    for column in found
        .keys()
        .filter(|c| !expected.contains_key(*c) && !OF_THE_RUN.contains(&c.as_str()))
    {
        differences.push(format!(
            "{place} {column}: expected no such column, found {}",
            found[column]
        ));
    }
}

/// Goes down to the member that differs.
fn of_value(place: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(a), Value::Object(b))
            if a.len() == b.len() && a.keys().all(|key| b.contains_key(key)) =>
        {
            for (key, value) in a {
                of_value(&format!("{place}.{key}"), value, &b[key], differences);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (value, other) in a.iter().zip(b) {
                of_value(&format!("{place}[]"), value, other, differences);
            }
        }
        _ if expected != found => {
            differences.push(format!(
                "{place}: expected {}, found {}",
                short(expected),
                short(found)
            ));
        }
        _ => {}
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The values of a column in canonical form.
fn values(name: &str, array: &ArrayRef) -> Vec<Value> {
    let present = |n: usize| !array.is_null(n);
    let each = |value: &dyn Fn(usize) -> Value| -> Vec<Value> {
        (0..array.len())
            .map(|n| if present(n) { value(n) } else { Value::Null })
            .collect()
    };
    match array.data_type() {
        DataType::Null => each(&|_| Value::Null),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            let texts = as_type(array, &DataType::Utf8);
            let texts: &StringArray = texts.as_string();
            each(&|n| Value::from(texts.value(n)))
        }
        DataType::Boolean => {
            let flags: &BooleanArray = array.as_boolean();
            each(&|n| Value::from(flags.value(n)))
        }
        DataType::Decimal128(_, scale) => {
            let (numbers, scale): (&Decimal128Array, i8) = (array.as_primitive(), *scale);
            each(&|n| Value::from(digits(numbers.value(n), scale)))
        }
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>();
            each(&|n| Value::from(day(days.value(n))))
        }
        DataType::Timestamp(_, zone) => {
            let micros = as_type(
                array,
                &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            );
            let micros = micros.as_primitive::<TimestampMicrosecondType>();
            each(&|n| {
                Value::from(stamp(
                    &DateTime::from_timestamp_micros(micros.value(n)).expect("in range"),
                ))
            })
        }
        DataType::List(_) => {
            let lists: &ListArray = array.as_list();
            each(&|n| Value::Array(values(name, &lists.value(n))))
        }
        DataType::LargeList(_) => {
            let lists: &LargeListArray = array.as_list();
            each(&|n| Value::Array(values(name, &lists.value(n))))
        }
        DataType::Struct(_) => structs(array.as_struct()),
        DataType::Map(..) => {
            let maps: &MapArray = array.as_map();
            each(&|n| map(name, &maps.value(n)))
        }
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => {
            let bytes = as_type(array, &DataType::Binary);
            let bytes = bytes.as_binary::<i32>();
            each(&|n| {
                Value::from(
                    bytes
                        .value(n)
                        .iter()
                        .map(|b| format!("{b:02x}"))
                        .collect::<String>(),
                )
            })
        }
        integer if integer.is_integer() => {
            let numbers = as_type(array, &DataType::Int64);
            let numbers = numbers.as_primitive::<Int64Type>();
            each(&|n| Value::from(numbers.value(n)))
        }
        other => panic!("no canonical form for {other} of column {name}"),
    }
}

fn as_type(array: &ArrayRef, kind: &DataType) -> ArrayRef {
    if array.data_type() == kind {
        Arc::clone(array)
    } else {
        cast(array, kind).expect("a plain change of form")
    }
}

fn structs(array: &StructArray) -> Vec<Value> {
    let names: Vec<&str> = array
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let mut members: Vec<std::vec::IntoIter<Value>> = names
        .iter()
        .zip(array.columns())
        .map(|(name, column)| values(name, column).into_iter())
        .collect();
    let row = |n: usize| {
        let object: Map<String, Value> = names
            .iter()
            .zip(&mut members)
            .map(|(name, column)| ((*name).to_owned(), column.next().expect("a value a row")))
            .collect();
        if array.is_null(n) {
            Value::Null
        } else {
            Value::Object(object)
        }
    };
    (0..array.len()).map(row).collect()
}

/// The entries of one map; those of custom fields hold JSON, others plain text.
fn map(name: &str, entries: &StructArray) -> Value {
    let (keys, texts) = (
        values("key", entries.column(0)),
        values("value", entries.column(1)),
    );
    let entry = |(key, text): (Value, Value)| {
        let key = key.as_str().expect("keys are texts").to_owned();
        let value = match text.as_str() {
            Some(json) if name == "custom_fields" => serde_json::from_str(json)
                .unwrap_or_else(|_| Value::from(format!("no JSON: {json}"))),
            _ => text,
        };
        (key, value)
    };
    Value::Object(keys.into_iter().zip(texts).map(entry).collect())
}

/// Units at a scale as digits, all places written.
pub fn digits(units: i128, scale: i8) -> String {
    let scale = usize::try_from(scale).expect("scales here are not negative");
    let digits = format!(
        "{:0>width$}",
        units.unsigned_abs().to_string(),
        width = scale + 1
    );
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if units < 0 { "-" } else { "" };
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

fn day(days: i32) -> String {
    let epoch = NaiveDate::default();
    let days_away = Days::new(u64::from(days.unsigned_abs()));
    let date = if days < 0 {
        epoch.checked_sub_days(days_away)
    } else {
        epoch.checked_add_days(days_away)
    };
    date.expect("in range").to_string()
}

#[test]
fn every_kind_of_difference_is_found() {
    let rows = |json: Value| -> BTreeMap<String, Rows> {
        serde_json::from_value(json).expect("tables of rows")
    };
    let expected = rows(serde_json::json!({ "t": {
        "1": { "a": "1.50", "l": [{ "x": 1 }, { "x": null }], "deleted_at": "set" },
        "2": { "a": null, "l": [], "deleted_at": null },
    } }));
    let check = |found: Value, differences_found: usize| {
        let (told, count) = differences(&expected, &rows(found), 10);
        assert_eq!(count, differences_found, "{told:?}");
    };
    let second = serde_json::json!({ "a": null, "l": [], "deleted_at": null });
    let first = |a: Value, l: Value, deleted: Value| {
        serde_json::json!({ "t": {
            "1": { "a": a, "l": l, "deleted_at": deleted, "_run_id": "r" },
            "2": second.clone(),
        } })
    };
    let list = serde_json::json!([{ "x": 1 }, { "x": null }]);
    let when = Value::from("2026-03-01T08:00:00.000000Z");
    check(first("1.50".into(), list.clone(), when.clone()), 0);
    check(first("1.5".into(), list.clone(), when.clone()), 1);
    check(
        first("1.50".into(), serde_json::json!([{ "x": 1 }]), when.clone()),
        1,
    );
    check(
        first(
            "1.50".into(),
            serde_json::json!([{ "x": 2 }, {}]),
            Value::Null,
        ),
        3,
    );
    check(serde_json::json!({ "t": { "2": second.clone() } }), 1);
    check(serde_json::json!({}), 2);
    let more = serde_json::json!({ "a": null, "l": [], "deleted_at": null, "new": 1 });
    check(serde_json::json!({ "t": { "2": more, "3": second } }), 3);
}
