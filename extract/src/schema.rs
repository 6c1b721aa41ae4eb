//! The Arrow form of a resource as read: what `coupa.<resource>` holds.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use schemas::{Kind, Resource};

/// Columns of a raw batch: the declared fields in order, `custom_fields`, then what the reader stamps.
///
/// `_op` says `upsert` or `delete`; `_raw` is the record's JSON as received, secrets removed;
/// `_content_hash` its SHA-256. Only the key and the `_` columns are never null.
pub fn raw_schema(resource: &Resource) -> SchemaRef {
    let declared = resource.fields.iter().map(|field| {
        let nullable = field.name != resource.key;
        Field::new(&field.name, data_type(&field.kind), nullable)
    });
    let stamped = [
        Field::new("custom_fields", map_type(), true),
        Field::new("_op", DataType::Utf8, false),
        Field::new("_extracted_at", timestamp(), false),
        Field::new("_run_id", DataType::Utf8, false),
        Field::new("_content_hash", DataType::Binary, false),
        Field::new("_raw", DataType::Utf8, false),
    ];
    Arc::new(Schema::new(declared.chain(stamped).collect::<Fields>()))
}

pub(crate) fn data_type(kind: &Kind) -> DataType {
    match kind {
        Kind::Int64 => DataType::Int64,
        Kind::Utf8 | Kind::Json => DataType::Utf8,
        Kind::Bool => DataType::Boolean,
        Kind::Date => DataType::Date32,
        Kind::Timestamp => timestamp(),
        Kind::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale),
        Kind::Object {
            fields,
            custom_fields,
            ..
        } => DataType::Struct(object_fields(fields, *custom_fields)),
        Kind::List(item) => DataType::List(Arc::new(element(item))),
    }
}

pub(crate) fn object_fields(fields: &[schemas::Field], custom_fields: bool) -> Fields {
    let declared = fields
        .iter()
        .map(|field| Field::new(&field.name, data_type(&field.kind), true));
    let own = custom_fields.then(|| Field::new("custom_fields", map_type(), true));
    declared.chain(own).collect()
}

/// Named as Delta names it, so that a committed table reads back with the same schema.
pub(crate) fn element(item: &Kind) -> Field {
    Field::new("element", data_type(item), true)
}

pub(crate) fn map_entries() -> Fields {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ])
}

pub(crate) fn map_entry_field() -> Field {
    Field::new("key_value", DataType::Struct(map_entries()), false)
}

fn map_type() -> DataType {
    DataType::Map(Arc::new(map_entry_field()), false)
}

pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}
