//! A contract as Arrow columns, and what "fits the contract" means.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use schemas::{ColumnKind, Table};

/// Physical column of partitioned tables: the month of the contract's partition column, `YYYY-MM`.
pub const MONTH_COLUMN: &str = "created_month";

/// The table's columns in contract order, each with its documentation; the month last.
pub fn table_schema(table: &Table) -> SchemaRef {
    let mut fields: Vec<Field> = table
        .columns
        .iter()
        .map(|column| {
            let comment = HashMap::from([("comment".to_string(), column.doc.clone())]);
            Field::new(&column.name, data_type(&column.kind), column.null).with_metadata(comment)
        })
        .collect();
    if let Some(partition) = &table.partition {
        let doc = format!(
            "Month of `{}`; tables are partitioned by it.",
            partition.column
        );
        let comment = HashMap::from([("comment".to_string(), doc)]);
        fields.push(Field::new(MONTH_COLUMN, DataType::Utf8, true).with_metadata(comment));
    }
    Arc::new(Schema::new(fields))
}

/// The Arrow form of a contract's type, with Delta's names for list items and map entries.
pub fn data_type(kind: &ColumnKind) -> DataType {
    match kind {
        ColumnKind::Utf8 => DataType::Utf8,
        ColumnKind::Int8 => DataType::Int8,
        ColumnKind::Int32 => DataType::Int32,
        ColumnKind::Int64 => DataType::Int64,
        ColumnKind::Bool => DataType::Boolean,
        ColumnKind::Date => DataType::Date32,
        ColumnKind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnKind::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale),
        ColumnKind::Binary => DataType::Binary,
        ColumnKind::Map => {
            let entries = Fields::from(vec![
                Field::new("key", DataType::Utf8, false),
                Field::new("value", DataType::Utf8, true),
            ]);
            let entries = Field::new("key_value", DataType::Struct(entries), false);
            DataType::Map(Arc::new(entries), false)
        }
        ColumnKind::Struct(members) => DataType::Struct(
            members
                .iter()
                .map(|(name, kind)| Field::new(name, data_type(kind), true))
                .collect(),
        ),
        ColumnKind::List(item) => {
            DataType::List(Arc::new(Field::new("element", data_type(item), true)))
        }
    }
}

/// Whether a column made as `made` is what the contract says, but for nullability and inner names.
///
/// A column of type null fits everything: the mapping says that the source has no such value.
pub fn fits(made: &DataType, wanted: &DataType) -> bool {
    match (made, wanted) {
        (DataType::Null, _) => true,
        (DataType::List(made), DataType::List(wanted)) => {
            fits(made.data_type(), wanted.data_type())
        }
        (DataType::Map(made, _), DataType::Map(wanted, _)) => {
            fits_entries(made.data_type(), wanted.data_type())
        }
        (DataType::Struct(made), DataType::Struct(wanted)) => {
            made.len() == wanted.len()
                && made.iter().zip(wanted).all(|(made, wanted)| {
                    made.name() == wanted.name() && fits(made.data_type(), wanted.data_type())
                })
        }
        (DataType::Timestamp(made, Some(_)), DataType::Timestamp(wanted, Some(_))) => {
            made == wanted
        }
        _ => made == wanted,
    }
}

fn fits_entries(made: &DataType, wanted: &DataType) -> bool {
    match (made, wanted) {
        (DataType::Struct(made), DataType::Struct(wanted)) => made
            .iter()
            .zip(wanted)
            .all(|(made, wanted)| fits(made.data_type(), wanted.data_type())),
        _ => false,
    }
}
