//! The few types that warehouses share, and how Arrow's many come to them.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};

/// The type of a column in a warehouse, before a dialect gives it a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Text,
    Boolean,
    SmallInt,
    Integer,
    BigInt,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Double,
    Date,
    /// Microseconds; with `utc`, an instant.
    Timestamp {
        utc: bool,
    },
    Bytes,
    /// Lists, structs and maps.
    Json,
}

impl ColumnType {
    /// The type that holds every value of an Arrow type; `None` when there is none.
    pub fn of(arrow: &DataType) -> Option<ColumnType> {
        use DataType as D;
        Some(match arrow {
            D::Utf8 | D::LargeUtf8 | D::Utf8View | D::Null => ColumnType::Text,
            D::Boolean => ColumnType::Boolean,
            D::Int8 | D::Int16 | D::UInt8 => ColumnType::SmallInt,
            D::Int32 | D::UInt16 => ColumnType::Integer,
            D::Int64 | D::UInt32 => ColumnType::BigInt,
            // Above 2^63 a bigint would wrap.
            D::UInt64 => ColumnType::Decimal {
                precision: 20,
                scale: 0,
            },
            D::Decimal32(precision, scale)
            | D::Decimal64(precision, scale)
            | D::Decimal128(precision, scale)
            | D::Decimal256(precision, scale) => decimal(*precision, *scale)?,
            D::Float16 | D::Float32 | D::Float64 => ColumnType::Double,
            D::Date32 | D::Date64 => ColumnType::Date,
            D::Timestamp(_, zone) => ColumnType::Timestamp {
                utc: zone.is_some(),
            },
            D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => ColumnType::Bytes,
            D::List(_) | D::LargeList(_) | D::FixedSizeList(_, _) | D::Struct(_) | D::Map(_, _) => {
                ColumnType::Json
            }
            D::Dictionary(_, value) => ColumnType::of(value)?,
            _ => return None,
        })
    }

    /// The one Arrow type in which rows of this type are handed to a warehouse.
    pub fn arrow(&self) -> DataType {
        match *self {
            ColumnType::Text | ColumnType::Json => DataType::Utf8,
            ColumnType::Boolean => DataType::Boolean,
            ColumnType::SmallInt => DataType::Int16,
            ColumnType::Integer => DataType::Int32,
            ColumnType::BigInt => DataType::Int64,
            ColumnType::Decimal { precision, scale } => {
                DataType::Decimal128(precision, scale as i8)
            }
            ColumnType::Double => DataType::Float64,
            ColumnType::Date => DataType::Date32,
            ColumnType::Timestamp { utc } => {
                DataType::Timestamp(TimeUnit::Microsecond, utc.then(|| Arc::from("UTC")))
            }
            ColumnType::Bytes => DataType::Binary,
        }
    }

    /// Whether every value of `self` is one of `wider` too, and means the same.
    pub fn widens_to(&self, wider: &ColumnType) -> bool {
        use ColumnType as T;
        let digits = |of: &ColumnType| match of {
            T::SmallInt => Some((5, 0)),
            T::Integer => Some((10, 0)),
            T::BigInt => Some((19, 0)),
            T::Decimal { precision, scale } => Some((precision - scale, *scale)),
            _ => None,
        };
        match (self, wider) {
            (a, b) if a == b => true,
            (T::SmallInt, T::Integer | T::BigInt) | (T::Integer, T::BigInt) => true,
            (from, T::Decimal { .. }) => match (digits(from), digits(wider)) {
                (Some((whole, part)), Some((room, places))) => whole <= room && part <= places,
                _ => false,
            },
            _ => false,
        }
    }
}

/// A decimal of at most 38 digits: more is refused, never rounded.
fn decimal(precision: u8, scale: i8) -> Option<ColumnType> {
    let (precision, scale) = match u8::try_from(scale) {
        Ok(scale) => (precision.max(scale), scale),
        // A negative scale stands for zeros at the end.
        Err(_) => (precision.checked_add(scale.unsigned_abs())?, 0),
    };
    (precision <= 38).then_some(ColumnType::Decimal { precision, scale })
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnType::Text => f.write_str("text"),
            ColumnType::Boolean => f.write_str("boolean"),
            ColumnType::SmallInt => f.write_str("smallint"),
            ColumnType::Integer => f.write_str("integer"),
            ColumnType::BigInt => f.write_str("bigint"),
            ColumnType::Decimal { precision, scale } => write!(f, "numeric({precision},{scale})"),
            ColumnType::Double => f.write_str("double precision"),
            ColumnType::Date => f.write_str("date"),
            ColumnType::Timestamp { utc: true } => f.write_str("timestamp with time zone"),
            ColumnType::Timestamp { utc: false } => f.write_str("timestamp without time zone"),
            ColumnType::Bytes => f.write_str("bytes"),
            ColumnType::Json => f.write_str("json"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrow_types_find_a_place_that_holds_all_their_values() {
        let check = |arrow: DataType, expected: Option<ColumnType>| {
            assert_eq!(ColumnType::of(&arrow), expected, "{arrow}");
        };
        let decimal = |precision, scale| Some(ColumnType::Decimal { precision, scale });
        check(DataType::UInt64, decimal(20, 0));
        check(DataType::Decimal128(38, 9), decimal(38, 9));
        check(DataType::Decimal128(5, -3), decimal(8, 0));
        check(DataType::Decimal256(30, 4), decimal(30, 4));
        check(DataType::Decimal256(60, 4), None);
        check(DataType::Float32, Some(ColumnType::Double));
        check(
            DataType::Interval(arrow::datatypes::IntervalUnit::DayTime),
            None,
        );
    }

    #[test]
    fn a_type_widens_only_where_nothing_is_lost() {
        let decimal = |precision, scale| ColumnType::Decimal { precision, scale };
        let check = |from: ColumnType, to: ColumnType, expected: bool| {
            assert_eq!(from.widens_to(&to), expected, "{from} to {to}");
        };
        check(ColumnType::Integer, ColumnType::BigInt, true);
        check(ColumnType::BigInt, ColumnType::Integer, false);
        check(ColumnType::BigInt, decimal(38, 9), true);
        check(ColumnType::BigInt, decimal(20, 9), false);
        check(decimal(16, 9), decimal(38, 9), true);
        // As many digits, but fewer before the point.
        check(decimal(38, 9), decimal(38, 10), false);
        check(ColumnType::Date, ColumnType::Timestamp { utc: true }, false);
        check(ColumnType::Boolean, ColumnType::Text, false);
    }
}
