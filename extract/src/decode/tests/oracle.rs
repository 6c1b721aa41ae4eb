//! A second reading of random records, by serde_json and chrono, cell by cell.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use proptest::prelude::*;
use schemas::{Field, Kind};
use serde_json::{Map, Value};

use super::super::*;
use crate::testing::{field, resource};

#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null,
    Int(i128),
    Bool(bool),
    Text(String),
    Many(Vec<Cell>),
    Own(Vec<(String, Option<String>)>),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn decoding_equals_the_oracle(seed: u64, pages in 1_usize..4) {
        let mut dice = Dice(seed | 1);
        let mut fields = dice.fields(3);
        fields.insert(0, field("id", Kind::Int64));
        let mut definition = resource();
        definition.fields = fields;
        definition.watermark = None;
        let stamp = Stamp { run_id: String::new(), extracted_at: DateTime::UNIX_EPOCH };
        let mut decoder = Decoder::new(Arc::new(definition.clone()), stamp);
        let mut rows = Vec::new();
        let mut misfit_ids = Vec::new();
        let mut id = 0;
        for _ in 0..pages {
            let mut texts = Vec::new();
            for _ in 0..dice.below(6) {
                id += 1;
                let text = dice.record(id, &definition.fields);
                let value: Value = serde_json::from_str(&text).unwrap();
                match object(&definition.fields, &["left_out".to_owned()], true, value.as_object().unwrap()) {
                    Some(cells) => rows.push(cells),
                    None => misfit_ids.push(Some(id.to_string())),
                }
                texts.push(text);
            }
            decoder.page(format!("[{}]", texts.join(dice.pick(&[",", " , ", ",\n"]))).as_bytes()).unwrap();
        }
        let decoded = decoder.finish().unwrap();
        let found: Vec<_> = decoded.misfits.iter().map(|misfit| misfit.id.clone()).collect();
        prop_assert_eq!(found, misfit_ids);
        let width = definition.fields.len() + 1;
        let read: Vec<Cell> = (0..decoded.batch.num_rows())
            .map(|row| Cell::Many(decoded.batch.columns()[..width].iter().map(|column| cell(column, row)).collect()))
            .collect();
        prop_assert_eq!(read, rows);
    }
}

/// What Arrow holds at a row.
fn cell(array: &dyn Array, row: usize) -> Cell {
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Int64 => Cell::Int(array.as_primitive::<Int64Type>().value(row).into()),
        DataType::Date32 => Cell::Int(array.as_primitive::<Date32Type>().value(row).into()),
        DataType::Timestamp(..) => Cell::Int(
            array
                .as_primitive::<TimestampMicrosecondType>()
                .value(row)
                .into(),
        ),
        DataType::Decimal128(..) => Cell::Int(array.as_primitive::<Decimal128Type>().value(row)),
        DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::Struct(_) => {
            let columns = array.as_struct().columns();
            Cell::Many(columns.iter().map(|column| cell(column, row)).collect())
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Cell::Many((0..items.len()).map(|item| cell(&items, item)).collect())
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (
                entries.column(0).as_string::<i32>(),
                entries.column(1).as_string::<i32>(),
            );
            // As our text: the oracle writes other escapes than the source did.
            let value = |entry| {
                let text = values.is_valid(entry).then(|| values.value(entry))?;
                let value: Value = serde_json::from_str(text).unwrap();
                Some(value.to_string())
            };
            Cell::Own(
                (0..entries.len())
                    .map(|entry| (keys.value(entry).to_owned(), value(entry)))
                    .collect(),
            )
        }
        other => panic!("no column is {other}"),
    }
}

/// The typed reading of an object; `None`: something in it does not fit.
fn object(
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
            Value::String(text) => Some(Cell::Text(text.clone())),
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

/// By long division, on the text of a number without an exponent.
fn decimal(text: &str, precision: u8, scale: i8, rounds: bool) -> Option<i128> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let ten = |power: usize| 10_i128.pow(u32::try_from(power).unwrap());
    let places = usize::try_from(scale).unwrap();
    let value = if fraction.len() <= places {
        mantissa.checked_mul(ten(places - fraction.len()))?
    } else {
        let unit = ten(fraction.len() - places);
        let (quotient, rest) = (mantissa / unit, mantissa % unit);
        if rest != 0 && !rounds {
            return None;
        }
        match (rest * 2).cmp(&unit) {
            std::cmp::Ordering::Less => quotient,
            std::cmp::Ordering::Equal => quotient + quotient % 2,
            std::cmp::Ordering::Greater => quotient + 1,
        }
    };
    (value < ten(precision.into())).then_some(sign * value)
}

fn time(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    if let Ok(time) = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f") {
        return Some(time.and_utc().timestamp_micros());
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .filter(|_| text.len() == 10)?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
}

/// Random definitions and records from one seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % most
    }

    fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len() as u64) as usize]
    }

    fn fields(&mut self, depth: u64) -> Vec<Field> {
        let names = [
            "name",
            "line_num",
            "created_at",
            "total",
            "a_b_c",
            "x",
            "code",
            "long_name_of_it",
        ];
        let mut fields = Vec::new();
        if depth < 3 && self.below(2) == 0 {
            fields.push(field("id", Kind::Int64));
        }
        for name in names {
            if self.below(2) == 0 {
                fields.push(field(name, self.kind(depth)));
            }
        }
        if fields.is_empty() {
            fields.push(field("only", Kind::Utf8));
        }
        fields
    }

    fn kind(&mut self, depth: u64) -> Kind {
        match self.below(if depth == 0 { 8 } else { 12 }) {
            0 => Kind::Int64,
            1 | 2 => Kind::Utf8,
            3 => Kind::Bool,
            4 => Kind::Date,
            5 => Kind::Timestamp,
            6 => Kind::Json,
            7 => Kind::Decimal {
                precision: 12,
                scale: 4,
            },
            8 | 9 => Kind::List(Box::new(self.kind(depth - 1))),
            _ => Kind::Object {
                fields: self.fields(depth - 1),
                documented: vec!["left_out".to_owned()],
                custom_fields: self.below(2) == 0,
            },
        }
    }

    fn record(&mut self, id: u64, fields: &[Field]) -> String {
        let mut members = self.members(&fields[1..], true);
        let place = self.below(members.len() as u64 + 1) as usize;
        members.insert(place, format!(r#""id":{id}"#));
        format!("{{{}}}", members.join(self.pick(&[",", ", "])))
    }

    fn members(&mut self, fields: &[Field], captures: bool) -> Vec<String> {
        let mut members = Vec::new();
        for field in fields {
            if self.below(6) == 0 {
                continue;
            }
            let value = self.value(&field.kind);
            members.push(format!(r#""{}":{value}"#, self.spelt(&field.name)));
        }
        for extra in ["left-out", "own-key", "Other key"] {
            if self.below(4) == 0 {
                members.push(format!(r#""{extra}":{}"#, self.value(&Kind::Json)));
            }
        }
        if captures && self.below(3) == 0 {
            members.push(format!(
                r#""{}":{{"one-own":{},"é":1}}"#,
                self.spelt("custom_fields"),
                self.value(&Kind::Json)
            ));
        }
        if self.below(3) == 0 {
            for place in (1..members.len()).rev() {
                let other = self.below(place as u64 + 1) as usize;
                members.swap(place, other);
            }
        }
        members
    }

    /// Any mixture of dashes and underscores.
    fn spelt(&mut self, name: &str) -> String {
        let usual = self.below(4) > 0;
        let mark = |letter| match letter {
            '_' if usual || self.below(2) == 0 => '-',
            letter => letter,
        };
        name.chars().map(mark).collect()
    }

    fn value(&mut self, kind: &Kind) -> String {
        if self.below(8) == 0 {
            return "null".to_owned();
        }
        // Now and then what belongs elsewhere.
        if !matches!(kind, Kind::Json) && self.below(60) == 0 {
            let other = self.kind(1);
            return self.value(&other);
        }
        match kind {
            Kind::Int64 => self
                .pick(&[
                    "0",
                    "-7",
                    "\"12\"",
                    "123456789012345678",
                    "9223372036854775807",
                    "\"\"",
                    "5.0",
                ])
                .to_owned(),
            Kind::Utf8 => self
                .pick(&[
                    r#""plain text""#,
                    r#""""#,
                    "1",
                    "-2.50",
                    "true",
                    r#""q\"\\\/\n\u00e9\ud83d\ude00""#,
                    "\"é ü 漢字\"",
                    r#""a text that is longer than one register of the parser is wide""#,
                ])
                .to_owned(),
            Kind::Bool => self
                .pick(&["true", "false", "\"true\"", "\"false\"", "\"\""])
                .to_owned(),
            Kind::Date | Kind::Timestamp => self
                .pick(&[
                    r#""2024-04-01T00:00:00+03:00""#,
                    r#""2024-02-29T23:59:59Z""#,
                    r#""1969-12-31T23:59:59.250-08:00""#,
                    r#""2024-04-01T10:00:00""#,
                    r#""2024-04-01""#,
                    r#""""#,
                    r#""9999-12-31T23:59:59Z""#,
                    r#""2023-02-29""#,
                ])
                .to_owned(),
            Kind::Decimal { .. } => {
                let mut text = String::new();
                let (whole, fraction) = (self.below(100_000), self.below(10_000_000));
                let quote = self.pick(&["", "\""]);
                let sign = self.pick(&["", "-"]);
                match self.below(8) {
                    0 => text.push_str("\"\""),
                    1 => text.push_str("\"1,234.50\""),
                    2 => write!(text, "{quote}{sign}{whole}{quote}").unwrap(),
                    3 => {
                        write!(text, "{quote}{sign}{whole}.{}5{quote}", fraction % 10_000).unwrap()
                    }
                    _ => write!(text, "{quote}{sign}{whole}.{fraction}{quote}").unwrap(),
                }
                text
            }
            Kind::Json => self
                .pick(&[
                    "1",
                    "\"text\"",
                    "{\"id\":1,\"name\":\"a]}\"}",
                    "[]",
                    "[1,{\"a\":null}]",
                    "true",
                    "1.50",
                ])
                .to_owned(),
            Kind::Object {
                fields,
                custom_fields,
                ..
            } => match self.below(12) {
                0 => "5".to_owned(),
                1 => "\"A name\"".to_owned(),
                2 => "{}".to_owned(),
                _ => format!("{{{}}}", self.members(fields, *custom_fields).join(",")),
            },
            Kind::List(item) => match self.below(10) {
                0 => "[]".to_owned(),
                1 if matches!(**item, Kind::Object { .. }) => self.value(item),
                _ => {
                    let count = self.below(4);
                    let items: Vec<String> = (0..count).map(|_| self.value(item)).collect();
                    format!("[{}]", items.join(","))
                }
            },
        }
    }
}
