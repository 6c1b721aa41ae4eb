//! A second reading of records, by serde_json and chrono alone: what the decoder is compared with.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use chrono::{NaiveDate, NaiveTime, Timelike};
use schemas::{Field, Kind};
use serde_json::{Map, Value};

#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Int(i128),
    Bool(bool),
    Text(String),
    Many(Vec<Cell>),
    Own(Vec<(String, Option<String>)>),
}

/// The declared fields of a row and its own keys, as Arrow holds them.
pub fn row(batch: &RecordBatch, fields: &[Field], row: usize) -> Cell {
    let declared = fields.iter().zip(batch.columns());
    let mut cells: Vec<Cell> = declared
        .map(|(field, column)| cell(&field.kind, column, row))
        .collect();
    cells.push(own(batch.column(fields.len()), row));
    Cell::Many(cells)
}

fn cell(kind: &Kind, array: &dyn Array, row: usize) -> Cell {
    if array.is_null(row) {
        return Cell::Null;
    }
    match kind {
        Kind::Int64 => Cell::Int(array.as_primitive::<Int64Type>().value(row).into()),
        Kind::Date => Cell::Int(array.as_primitive::<Date32Type>().value(row).into()),
        Kind::Timestamp => Cell::Int(
            array
                .as_primitive::<TimestampMicrosecondType>()
                .value(row)
                .into(),
        ),
        Kind::Decimal { .. } => Cell::Int(array.as_primitive::<Decimal128Type>().value(row)),
        Kind::Bool => Cell::Bool(array.as_boolean().value(row)),
        Kind::Utf8 => Cell::Text(as_number(array.as_string::<i32>().value(row))),
        Kind::Json => Cell::Text(as_ours(array.as_string::<i32>().value(row))),
        Kind::Object {
            fields,
            custom_fields,
            ..
        } => {
            let columns = array.as_struct().columns();
            let mut cells: Vec<Cell> = fields
                .iter()
                .zip(columns)
                .map(|(field, column)| cell(&field.kind, column, row))
                .collect();
            if *custom_fields {
                cells.push(own(&columns[fields.len()], row));
            }
            Cell::Many(cells)
        }
        Kind::List(item) => {
            let items = array.as_list::<i32>().value(row);
            Cell::Many(
                (0..items.len())
                    .map(|place| cell(item, &items, place))
                    .collect(),
            )
        }
    }
}

fn own(array: &dyn Array, row: usize) -> Cell {
    if array.is_null(row) {
        return Cell::Null;
    }
    let entries = array.as_map().value(row);
    let (keys, values) = (
        entries.column(0).as_string::<i32>(),
        entries.column(1).as_string::<i32>(),
    );
    let value = |entry| values.is_valid(entry).then(|| as_ours(values.value(entry)));
    Cell::Own(
        (0..entries.len())
            .map(|entry| (keys.value(entry).to_owned(), value(entry)))
            .collect(),
    )
}

/// The same JSON as serde_json writes it: the source may have other blanks and escapes.
fn as_ours(text: &str) -> String {
    let value: Value = serde_json::from_str(text).expect("what is kept of a record is JSON");
    value.to_string()
}

/// A number as serde_json writes it, which spells exponents in its own way; other text as it is.
fn as_number(text: &str) -> String {
    let number = serde_json::from_str::<serde_json::Number>(text);
    match number.ok().filter(|_| !text.contains(char::is_whitespace)) {
        Some(number) => number.to_string(),
        None => text.to_owned(),
    }
}

/// The typed reading of an object; `None`: something in it does not fit.
pub fn object(
    fields: &[Field],
    documented: &[String],
    captures: bool,
    record: &Map<String, Value>,
) -> Option<Cell> {
    let name = |key: &str| key.replace('-', "_");
    let mut cells = Vec::new();
    for field in fields {
        let value = record.iter().find(|(key, _)| name(key) == field.name);
        cells.push(value.map_or(Some(Cell::Null), |(_, value)| read(&field.kind, value))?);
    }
    if captures {
        let mut own = None;
        for (key, value) in record {
            let key = name(key);
            if key == "custom_fields" {
                // Nothing, in the ways that serialisers write it.
                if value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty) {
                    continue;
                }
                let entries = own.get_or_insert_with(Vec::new);
                entries.extend(
                    value
                        .as_object()?
                        .iter()
                        .map(|(key, value)| (name(key), json_text(value))),
                );
            } else if !documented.contains(&key) && fields.iter().all(|field| field.name != key) {
                own.get_or_insert_with(Vec::new)
                    .push((key, json_text(value)));
            }
        }
        cells.push(own.map_or(Cell::Null, Cell::Own));
    }
    Some(Cell::Many(cells))
}

fn json_text(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

fn read(kind: &Kind, value: &Value) -> Option<Cell> {
    if value.is_null() {
        return Some(Cell::Null);
    }
    let empty = value == "";
    match kind {
        Kind::Json => Some(Cell::Text(value.to_string())),
        Kind::Utf8 => match value {
            Value::String(text) => Some(Cell::Text(as_number(text))),
            Value::Number(_) | Value::Bool(_) => Some(Cell::Text(value.to_string())),
            _ => None,
        },
        _ if empty => Some(Cell::Null),
        Kind::Int64 => decimal(&scalar(value)?, 38, 0, false)
            .filter(|value| i64::try_from(*value).is_ok())
            .map(Cell::Int),
        Kind::Decimal { precision, scale } => {
            decimal(&scalar(value)?, *precision, *scale, true).map(Cell::Int)
        }
        Kind::Bool => match value {
            Value::Bool(truth) => Some(Cell::Bool(*truth)),
            Value::String(text) => text.parse().ok().map(Cell::Bool),
            _ => None,
        },
        Kind::Timestamp => time(value.as_str()?).map(|micros| Cell::Int(micros.into())),
        Kind::Date => {
            let text = value.as_str()?;
            time(text)?;
            let day = NaiveDate::parse_from_str(&text[..10], "%Y-%m-%d").ok()?;
            let days = day
                .signed_duration_since(NaiveDate::from_ymd_opt(1970, 1, 1)?)
                .num_days();
            Some(Cell::Int(days.into()))
        }
        Kind::Object {
            fields,
            documented,
            custom_fields,
        } => match value {
            Value::Object(record) => object(fields, documented, *custom_fields, record),
            Value::Number(_) => stand_in(fields, *custom_fields, "id", value),
            Value::String(_) => stand_in(fields, *custom_fields, "name", value),
            _ => None,
        },
        Kind::List(item) => match value {
            Value::Array(items) => items
                .iter()
                .map(|value| read(item, value))
                .collect::<Option<_>>()
                .map(Cell::Many),
            Value::Object(_) if matches!(**item, Kind::Object { .. }) => {
                Some(Cell::Many(vec![read(item, value)?]))
            }
            _ => None,
        },
    }
}

fn stand_in(fields: &[Field], captures: bool, child: &str, value: &Value) -> Option<Cell> {
    if value.is_number() && value.as_i64().is_none() {
        return None;
    }
    let place = fields.iter().position(|field| field.name == child)?;
    let kind = &fields[place].kind;
    if matches!(kind, Kind::Object { .. } | Kind::List(_)) {
        return None;
    }
    let mut cells = vec![Cell::Null; fields.len() + usize::from(captures)];
    cells[place] = read(kind, value)?;
    Some(Cell::Many(cells))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// On the text alone: the digits, where their point stands, and what is cut behind the scale.
fn decimal(text: &str, precision: u8, scale: i8, rounds: bool) -> Option<i128> {
    if text.len() > 400 {
        return None;
    }
    let (negative, text) = text
        .strip_prefix('-')
        .map_or((false, text), |text| (true, text));
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, "0"),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if whole.is_empty()
        || !digits(whole)
        || !digits(fraction)
        || unsigned.is_empty()
        || !digits(unsigned)
    {
        return None;
    }
    let size = unsigned.trim_start_matches('0').parse::<i64>().unwrap_or(
        if unsigned.bytes().all(|byte| byte == b'0') {
            0
        } else {
            1_000_000
        },
    );
    let size = size.min(1_000_000);
    let exponent = if exponent.starts_with('-') {
        -size
    } else {
        size
    };
    let all = format!("{whole}{fraction}");
    let all = all.trim_start_matches('0');
    if all.is_empty() {
        return Some(0);
    }
    // How many of the digits stand before the last place that is kept.
    let kept = all.len() as i64 - fraction.len() as i64 + exponent + i64::from(scale);
    if kept > 38 {
        return None;
    }
    let (head, tail) = if kept < 0 {
        ("0".to_owned(), "01".to_owned())
    } else {
        let padded = format!("{all:0<width$}", width = kept as usize);
        let (head, tail) = padded.split_at(kept as usize);
        (format!("0{head}"), tail.to_owned())
    };
    let value: i128 = head.parse().ok()?;
    let lost = tail.bytes().any(|digit| digit != b'0');
    if lost && !rounds {
        return None;
    }
    let half = format!("5{:0<width$}", "", width = tail.len().saturating_sub(1));
    let up = match tail.as_str().cmp(&half) {
        _ if !lost => false,
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => value % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    let value = value + i128::from(up);
    let fits = value < 10_i128.pow(precision.into());
    fits.then_some(if negative { -value } else { value })
}

/// Microseconds UTC.
fn time(text: &str) -> Option<i64> {
    let day = text.get(..10)?;
    // chrono would take other widths and signs too.
    let shaped = day.bytes().enumerate().all(|(place, byte)| match place {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let day = NaiveDate::parse_from_str(day, "%Y-%m-%d")
        .ok()
        .filter(|_| shaped)?;
    let midnight = day.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
    let Some(rest) = text[10..].strip_prefix(['T', 't', ' ']) else {
        return (text.len() == 10).then_some(midnight);
    };
    let clock = rest.get(..8)?;
    let shaped = clock.bytes().enumerate().all(|(place, byte)| match place {
        2 | 5 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    if !shaped {
        return None;
    }
    let number = |text: &str| text.parse::<u32>().ok();
    let (hour, minute, second) = (
        number(&clock[..2])?,
        number(&clock[3..5])?,
        number(&clock[6..])?,
    );
    let leap = second == 60;
    let clock = NaiveTime::from_hms_opt(hour, minute, if leap { 59 } else { second })?;
    let seconds = i64::from(clock.num_seconds_from_midnight()) + i64::from(leap);
    let rest = &rest[8..];
    let (micros, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let zone = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
            let digits = &rest[..rest.len() - zone.len()];
            if digits.is_empty() {
                return None;
            }
            (format!("{digits:0<6}")[..6].parse::<i64>().ok()?, zone)
        }
    };
    let offset = match zone.as_bytes() {
        [] | [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let rest: Vec<u8> = match rest {
                [a, b, b':', c, d] => vec![*a, *b, *c, *d],
                [a, b, c, d] => vec![*a, *b, *c, *d],
                [a, b] => vec![*a, *b, b'0', b'0'],
                _ => return None,
            };
            if !rest.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let digits = String::from_utf8(rest).ok()?;
            let (hours, minutes) = (number(&digits[..2])?, number(&digits[2..])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let size = i64::from(hours * 3_600 + minutes * 60);
            if *sign == b'-' { -size } else { size }
        }
        _ => return None,
    };
    Some(midnight + (seconds - offset) * 1_000_000 + micros)
}
