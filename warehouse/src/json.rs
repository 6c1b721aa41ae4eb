//! Nested columns as JSON text.
//!
//! Decimals are written as JSON strings: every warehouse casts them back exactly, while several read JSON
//! numbers as floats. So are the numbers of a customer's own JSON, but for whole ones that a float holds too.
//! Struct members that are null are left out; list items and map values are not.

use std::borrow::Cow;
use std::io::Write;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, DecimalType, Int64Type};
use arrow::error::ArrowError;
use arrow::temporal_conversions::{date32_to_datetime, timestamp_us_to_datetime};
use serde_json::Value;

use crate::{ColumnType, Nul};

/// Whole numbers of so many digits are the same in every warehouse, whatever it reads numbers as.
const PLAIN_DIGITS: usize = 15;

/// How an array's values are written.
pub(crate) struct JsonWriter {
    node: Node,
    /// Texts in maps are JSON of their own, and are written as such where they really are.
    json_maps: bool,
    nul: Nul,
}

enum Node {
    Null,
    Text(StringArray),
    Boolean(BooleanArray),
    Integer(Int64Array),
    Decimal(Decimal128Array),
    Double(Float64Array),
    Date(Date32Array),
    Timestamp {
        values: TimestampMicrosecondArray,
        utc: bool,
    },
    Bytes(BinaryArray),
    List {
        array: ArrayRef,
        offsets: Vec<i64>,
        items: Box<Node>,
    },
    Struct {
        array: ArrayRef,
        /// Each member's name, quoted, with its colon.
        members: Vec<(Vec<u8>, Node)>,
    },
    Map {
        array: ArrayRef,
        offsets: Vec<i64>,
        keys: StringArray,
        values: Box<Node>,
    },
}

impl JsonWriter {
    pub fn new(array: &ArrayRef, json_maps: bool, nul: Nul) -> Result<JsonWriter, ArrowError> {
        Ok(JsonWriter {
            node: Node::of(array, nul)?,
            json_maps,
            nul,
        })
    }

    /// Writes the value at `row`; returns how many of its texts had a NUL replaced.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) -> u64 {
        self.value(&self.node, row, out)
    }

    fn value(&self, node: &Node, row: usize, out: &mut Vec<u8>) -> u64 {
        if node.is_null(row) {
            out.extend_from_slice(b"null");
            return 0;
        }
        match node {
            Node::Null => 0,
            Node::Text(array) => self.text(array.value(row), out),
            Node::Boolean(array) => put(out, format_args!("{}", array.value(row))),
            Node::Integer(array) => put(out, format_args!("{}", array.value(row))),
            Node::Decimal(array) => {
                let text = Decimal128Type::format_decimal(
                    array.value(row),
                    array.precision(),
                    array.scale(),
                );
                put(out, format_args!("\"{text}\""))
            }
            Node::Double(array) => match array.value(row) {
                value if value.is_finite() => put(out, format_args!("{value:?}")),
                value => put(out, format_args!("\"{value}\"")),
            },
            Node::Date(array) => match date32_to_datetime(array.value(row)) {
                Some(day) => put(out, format_args!("\"{}\"", day.format("%Y-%m-%d"))),
                None => put(out, format_args!("\"{} days\"", array.value(row))),
            },
            Node::Timestamp { values, utc } => match timestamp_us_to_datetime(values.value(row)) {
                Some(at) => {
                    let zone = if *utc { "Z" } else { "" };
                    put(
                        out,
                        format_args!("\"{}{zone}\"", at.format("%Y-%m-%dT%H:%M:%S%.6f")),
                    )
                }
                None => put(out, format_args!("\"{} us\"", values.value(row))),
            },
            Node::Bytes(array) => {
                out.push(b'"');
                for byte in array.value(row) {
                    put(out, format_args!("{byte:02x}"));
                }
                out.push(b'"');
                0
            }
            Node::List { offsets, items, .. } => {
                out.push(b'[');
                let mut replaced = 0;
                for item in offsets[row]..offsets[row + 1] {
                    if item > offsets[row] {
                        out.push(b',');
                    }
                    replaced += self.value(items, item as usize, out);
                }
                out.push(b']');
                replaced
            }
            Node::Struct { members, .. } => {
                out.push(b'{');
                let mut replaced = 0;
                let mut first = true;
                for (name, member) in members {
                    if member.is_null(row) {
                        continue;
                    }
                    if !std::mem::take(&mut first) {
                        out.push(b',');
                    }
                    out.extend_from_slice(name);
                    replaced += self.value(member, row, out);
                }
                out.push(b'}');
                replaced
            }
            Node::Map {
                offsets,
                keys,
                values,
                ..
            } => {
                out.push(b'{');
                let mut replaced = 0;
                for entry in offsets[row]..offsets[row + 1] {
                    if entry > offsets[row] {
                        out.push(b',');
                    }
                    let entry = entry as usize;
                    replaced += self.text(keys.value(entry), out);
                    out.push(b':');
                    replaced += match values.as_ref() {
                        Node::Text(texts) if self.json_maps && texts.is_valid(entry) => {
                            self.json_text(texts.value(entry), out)
                        }
                        values => self.value(values, entry, out),
                    };
                }
                out.push(b'}');
                replaced
            }
        }
    }

    fn text(&self, text: &str, out: &mut Vec<u8>) -> u64 {
        let clean = self.nul.clean(text);
        let replaced = u64::from(matches!(clean, Cow::Owned(_)));
        serde_json::to_writer(out, clean.as_ref()).expect("text is JSON, and memory takes it");
        replaced
    }

    /// Text that is JSON as it is, and any other as a string: a customer's odd value must not hold up a load.
    fn json_text(&self, text: &str, out: &mut Vec<u8>) -> u64 {
        let Ok(mut value) = serde_json::from_str::<Value>(text) else {
            return self.text(text, out);
        };
        let replaced = self.tame(&mut value);
        serde_json::to_writer(out, &value).expect("a value is JSON, and memory takes it");
        replaced
    }

    /// Takes out of a value what warehouses refuse.
    fn tame(&self, value: &mut Value) -> u64 {
        match value {
            Value::String(text) => match self.nul.clean(text) {
                Cow::Borrowed(_) => 0,
                Cow::Owned(clean) => {
                    *text = clean;
                    1
                }
            },
            Value::Number(number) => {
                let text = number.to_string();
                if !is_plain(&text) {
                    *value = Value::String(text);
                }
                0
            }
            Value::Array(items) => items.iter_mut().map(|item| self.tame(item)).sum(),
            Value::Object(members) => {
                let odd = members.keys().any(|key| self.nul.refuses(key));
                let mut replaced = u64::from(odd);
                if odd {
                    *members = std::mem::take(members)
                        .into_iter()
                        .map(|(key, value)| (self.nul.clean(&key).into_owned(), value))
                        .collect();
                }
                replaced += members
                    .values_mut()
                    .map(|member| self.tame(member))
                    .sum::<u64>();
                replaced
            }
            Value::Null | Value::Bool(_) => 0,
        }
    }
}

fn is_plain(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.len() <= PLAIN_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn put(out: &mut Vec<u8>, what: std::fmt::Arguments<'_>) -> u64 {
    out.write_fmt(what).expect("memory takes it");
    0
}

impl Node {
    fn of(array: &ArrayRef, nul: Nul) -> Result<Node, ArrowError> {
        Ok(match array.data_type() {
            DataType::Null => Node::Null,
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Node::List {
                    array: array.clone(),
                    offsets: list.offsets().iter().map(|o| i64::from(*o)).collect(),
                    items: Box::new(Node::of(list.values(), nul)?),
                }
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                Node::List {
                    array: array.clone(),
                    offsets: list.offsets().to_vec(),
                    items: Box::new(Node::of(list.values(), nul)?),
                }
            }
            DataType::FixedSizeList(_, size) => {
                let list = array.as_fixed_size_list();
                let size = i64::from(*size);
                Node::List {
                    array: array.clone(),
                    offsets: (0..=list.len() as i64).map(|row| row * size).collect(),
                    items: Box::new(Node::of(list.values(), nul)?),
                }
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns();
                let members = fields.iter().zip(columns).map(|(field, column)| {
                    let name = nul.clean(field.name());
                    let mut quoted = serde_json::to_vec(name.as_ref()).expect("text is JSON");
                    quoted.push(b':');
                    Ok((quoted, Node::of(column, nul)?))
                });
                Node::Struct {
                    array: array.clone(),
                    members: members.collect::<Result<_, ArrowError>>()?,
                }
            }
            DataType::Map(_, _) => {
                let map = array.as_map();
                let keys = strict_cast(map.keys(), &DataType::Utf8)?;
                Node::Map {
                    array: array.clone(),
                    offsets: map.offsets().iter().map(|o| i64::from(*o)).collect(),
                    keys: keys.as_string::<i32>().clone(),
                    values: Box::new(Node::of(map.values(), nul)?),
                }
            }
            DataType::Dictionary(_, value) => Node::of(&strict_cast(array, value)?, nul)?,
            other => Node::leaf(array, other)?,
        })
    }

    fn leaf(array: &ArrayRef, data_type: &DataType) -> Result<Node, ArrowError> {
        let Some(column_type) = ColumnType::of(data_type) else {
            let text = format!("{data_type} has no form in JSON");
            return Err(ArrowError::NotYetImplemented(text));
        };
        let plain = strict_cast(array, &column_type.arrow())?;
        Ok(match column_type {
            ColumnType::Text | ColumnType::Json => Node::Text(plain.as_string::<i32>().clone()),
            ColumnType::Boolean => Node::Boolean(plain.as_boolean().clone()),
            ColumnType::SmallInt | ColumnType::Integer | ColumnType::BigInt => {
                let wide = strict_cast(&plain, &DataType::Int64)?;
                Node::Integer(wide.as_primitive::<Int64Type>().clone())
            }
            ColumnType::Decimal { .. } => Node::Decimal(plain.as_primitive().clone()),
            ColumnType::Double => Node::Double(plain.as_primitive().clone()),
            ColumnType::Date => Node::Date(plain.as_primitive().clone()),
            ColumnType::Timestamp { utc } => Node::Timestamp {
                values: plain.as_primitive().clone(),
                utc,
            },
            ColumnType::Bytes => Node::Bytes(plain.as_binary::<i32>().clone()),
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Node::Null => true,
            Node::Text(array) => array.is_null(row),
            Node::Boolean(array) => array.is_null(row),
            Node::Integer(array) => array.is_null(row),
            Node::Decimal(array) => array.is_null(row),
            Node::Double(array) => array.is_null(row),
            Node::Date(array) => array.is_null(row),
            Node::Timestamp { values, .. } => values.is_null(row),
            Node::Bytes(array) => array.is_null(row),
            Node::List { array, .. } | Node::Struct { array, .. } | Node::Map { array, .. } => {
                array.is_null(row)
            }
        }
    }
}

/// A cast that fails where a value would be lost.
pub(crate) fn strict_cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == to {
        return Ok(array.clone());
    }
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &options)
}
