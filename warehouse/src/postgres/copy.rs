//! Rows in PostgreSQL's binary COPY format, straight from Arrow arrays.
//!
//! Source: PostgreSQL documentation, "COPY, Binary Format", and the receive functions of each type.

use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};

use crate::{ColumnType, WarehouseError};

/// Begins every stream: signature, no flags, no extension.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Ends it.
pub(super) const TRAILER: &[u8] = &[0xff, 0xff];

/// PostgreSQL counts days and microseconds from 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// From 4714-11-24 BC to 294276-12-31, the bounds of its timestamps, in microseconds from its epoch.
const FIRST_MICROS: i64 = -211_813_488_000_000_000;
const LAST_MICROS: i64 = 9_223_371_331_200_000_000 - 1;
/// The same bounds for dates, whose last is 5874897-12-31.
const FIRST_DAYS: i32 = -2_451_545;
const LAST_DAYS: i32 = 2_145_031_948;

/// One column's values, by the type they are sent as.
enum Values<'a> {
    Text(&'a StringArray),
    Boolean(&'a BooleanArray),
    SmallInt(&'a Int16Array),
    Integer(&'a Int32Array),
    BigInt(&'a Int64Array),
    Decimal {
        values: &'a Decimal128Array,
        scale: u8,
    },
    Double(&'a Float64Array),
    Date(&'a Date32Array),
    Timestamp(&'a TimestampMicrosecondArray),
    Bytes(&'a BinaryArray),
    Json(&'a StringArray),
}

/// Appends a normalised batch to `out`, row by row.
///
/// Errors: `WarehouseError::Value` for a date or an instant beyond PostgreSQL's.
pub(super) fn encode(
    table: &str,
    batch: &RecordBatch,
    types: &[ColumnType],
    out: &mut Vec<u8>,
) -> Result<(), WarehouseError> {
    let columns: Vec<Values<'_>> = batch
        .columns()
        .iter()
        .zip(types)
        .map(|(array, of)| values(array, *of))
        .collect();
    let count = (columns.len() as i16).to_be_bytes();
    for row in 0..batch.num_rows() {
        out.extend_from_slice(&count);
        for (at, column) in columns.iter().enumerate() {
            if !append(column, row, out) {
                return Err(WarehouseError::Value {
                    table: table.to_string(),
                    column: batch.schema_ref().field(at).name().clone(),
                    wanted: types[at].to_string(),
                });
            }
        }
    }
    Ok(())
}

fn values(array: &dyn Array, of: ColumnType) -> Values<'_> {
    match of {
        ColumnType::Text => Values::Text(array.as_string()),
        ColumnType::Json => Values::Json(array.as_string()),
        ColumnType::Boolean => Values::Boolean(array.as_boolean()),
        ColumnType::SmallInt => Values::SmallInt(array.as_primitive()),
        ColumnType::Integer => Values::Integer(array.as_primitive()),
        ColumnType::BigInt => Values::BigInt(array.as_primitive()),
        ColumnType::Decimal { scale, .. } => Values::Decimal {
            values: array.as_primitive(),
            scale,
        },
        ColumnType::Double => Values::Double(array.as_primitive()),
        ColumnType::Date => Values::Date(array.as_primitive()),
        ColumnType::Timestamp { .. } => Values::Timestamp(array.as_primitive()),
        ColumnType::Bytes => Values::Bytes(array.as_binary()),
    }
}

/// False when the value is beyond the type.
#[inline]
fn append(column: &Values<'_>, row: usize, out: &mut Vec<u8>) -> bool {
    match column {
        Values::Text(array) if array.is_valid(row) => sized(array.value(row).as_bytes(), out),
        Values::Boolean(array) if array.is_valid(row) => sized(&[u8::from(array.value(row))], out),
        Values::SmallInt(array) if array.is_valid(row) => {
            sized(&array.value(row).to_be_bytes(), out);
        }
        Values::Integer(array) if array.is_valid(row) => {
            sized(&array.value(row).to_be_bytes(), out);
        }
        Values::BigInt(array) if array.is_valid(row) => sized(&array.value(row).to_be_bytes(), out),
        Values::Decimal { values, scale } if values.is_valid(row) => {
            numeric(values.value(row), *scale, out);
        }
        Values::Double(array) if array.is_valid(row) => sized(&array.value(row).to_be_bytes(), out),
        Values::Date(array) if array.is_valid(row) => {
            let days = i64::from(array.value(row)) - i64::from(EPOCH_DAYS);
            match i32::try_from(days) {
                Ok(days) if (FIRST_DAYS..=LAST_DAYS).contains(&days) => {
                    sized(&days.to_be_bytes(), out);
                }
                _ => return false,
            }
        }
        Values::Timestamp(array) if array.is_valid(row) => {
            match array.value(row).checked_sub(EPOCH_MICROS) {
                Some(micros) if (FIRST_MICROS..=LAST_MICROS).contains(&micros) => {
                    sized(&micros.to_be_bytes(), out);
                }
                _ => return false,
            }
        }
        Values::Bytes(array) if array.is_valid(row) => sized(array.value(row), out),
        Values::Json(array) if array.is_valid(row) => {
            let text = array.value(row).as_bytes();
            out.extend_from_slice(&(text.len() as i32 + 1).to_be_bytes());
            // The version of jsonb's binary form.
            out.push(1);
            out.extend_from_slice(text);
        }
        _ => out.extend_from_slice(&(-1_i32).to_be_bytes()),
    }
    true
}

/// A value behind its length. An Arrow string array holds less than 2 GiB, so the length fits.
#[inline]
fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(bytes);
}

const BASE: u64 = 10_000;
/// 39 decimal digits and the filling up to whole groups of four.
const MOST_GROUPS: usize = 12;

/// PostgreSQL's numeric: groups of four decimal digits, those before and after the point filled up.
fn numeric(value: i128, scale: u8, out: &mut Vec<u8>) {
    let magnitude = value.unsigned_abs();
    let fraction_groups = usize::from(scale.div_ceil(4));
    let filling = 10_u64.pow((fraction_groups as u32 * 4) - u32::from(scale));
    // Groups from the last to the first.
    let mut groups = [0_i16; MOST_GROUPS];
    let mut count = 0;
    let mut push = |group: u64| {
        groups[count] = group as i16;
        count += 1;
    };
    if let Some(filled) = u64::try_from(magnitude)
        .ok()
        .and_then(|m| m.checked_mul(filling))
    {
        let mut rest = filled;
        for _ in 0..fraction_groups {
            push(rest % BASE);
            rest /= BASE;
        }
        while rest > 0 {
            push(rest % BASE);
            rest /= BASE;
        }
    } else {
        let unit = 10_u128.pow(u32::from(scale));
        let (mut whole, fraction) = (magnitude / unit, magnitude % unit);
        // A fraction is below 10^38, and filled up below 10^40: its last group takes the filling.
        let last_group = 10_u128.pow(4) / u128::from(filling);
        let mut rest = fraction;
        if fraction_groups > 0 {
            push(((rest % last_group) as u64) * filling);
            rest /= last_group;
            for _ in 1..fraction_groups {
                push((rest % u128::from(BASE)) as u64);
                rest /= u128::from(BASE);
            }
        }
        while whole > 0 {
            push((whole % u128::from(BASE)) as u64);
            whole /= u128::from(BASE);
        }
    }
    let mut digits = &groups[..count];
    let mut weight = count as i16 - fraction_groups as i16 - 1;
    while let [rest @ .., 0] = digits {
        digits = rest;
        weight -= 1;
    }
    while let [0, rest @ ..] = digits {
        digits = rest;
    }
    if digits.is_empty() {
        weight = 0;
    }
    let sign: u16 = if value < 0 { 0x4000 } else { 0 };
    out.extend_from_slice(&((8 + 2 * digits.len()) as i32).to_be_bytes());
    out.extend_from_slice(&(digits.len() as i16).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&u16::from(scale).to_be_bytes());
    for digit in digits.iter().rev() {
        out.extend_from_slice(&digit.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the bytes stand for, times 10^scale: read back by the documented meaning of the format.
    fn read_back(bytes: &[u8], scale: u8) -> Option<i128> {
        let word = |at: usize| i16::from_be_bytes([bytes[at], bytes[at + 1]]);
        assert_eq!(
            i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize,
            bytes.len() - 4
        );
        let (count, weight, sign, dscale) = (word(4), word(6), word(8), word(10));
        assert_eq!(dscale, i16::from(scale));
        let mut value = 0_i128;
        for at in 0..count {
            let digit = i128::from(word(12 + 2 * at as usize));
            assert!((0..10_000).contains(&digit));
            let power = i32::from(weight - at) * 4 + i32::from(scale);
            let part = match u32::try_from(power) {
                Ok(power) => digit.checked_mul(10_i128.checked_pow(power)?)?,
                Err(_) => {
                    let unit = 10_i128.pow(power.unsigned_abs());
                    assert_eq!(digit % unit, 0, "nothing is cut");
                    digit / unit
                }
            };
            value = value.checked_add(part)?;
        }
        Some(if sign == 0 { value } else { -value })
    }

    fn check(value: i128, scale: u8) {
        let mut bytes = Vec::new();
        numeric(value, scale, &mut bytes);
        assert_eq!(read_back(&bytes, scale), Some(value), "{value} at {scale}");
    }

    #[test]
    fn numerics_at_the_edges() {
        let most = 10_i128.pow(38) - 1;
        for scale in [0, 1, 4, 9, 10, 12, 37, 38] {
            for value in [0, 1, -1, 9_999, 10_000, 123_456_789, most, -most] {
                check(value, scale);
            }
        }
    }

    #[test]
    fn zero_has_no_digits_and_no_weight() {
        let mut bytes = Vec::new();
        numeric(0, 9, &mut bytes);
        assert_eq!(bytes, [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9]);
    }

    proptest! {
        #[test]
        fn any_numeric_is_read_back(
            value in -(10_i128.pow(38) - 1)..10_i128.pow(38),
            digits in 0_u32..38,
            scale in 0_u8..=38,
        ) {
            check(value / 10_i128.pow(digits), scale);
        }
    }
}
