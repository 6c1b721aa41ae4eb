//! Batches of any Arrow types, in the few that are handed to warehouses.
//!
//! Types that a driver refuses, or bends in silence, are converted before they reach it: nested values to
//! JSON text, unsigned numbers to wider signed ones, decimals to 128 bits, instants to microseconds.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::json::{JsonWriter, strict_cast};
use crate::{ColumnType, TableDefinition, WarehouseError};

/// What becomes of NUL characters in texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nul {
    Keep,
    /// The warehouse refuses them: each becomes U+FFFD, and the texts are counted.
    Replace,
}

impl Nul {
    pub(crate) fn refuses(self, text: &str) -> bool {
        self == Nul::Replace && text.contains('\0')
    }

    /// The text as the warehouse takes it; owned where it had to be changed.
    pub(crate) fn clean(self, text: &str) -> Cow<'_, str> {
        match self.refuses(text) {
            true => Cow::Owned(text.replace('\0', "\u{FFFD}")),
            false => Cow::Borrowed(text),
        }
    }
}

/// Brings batches of one table into the warehouse's form.
pub struct Normaliser {
    table: String,
    columns: Vec<(String, ColumnType, bool)>,
    schema: SchemaRef,
    nul: Nul,
    /// Texts changed so far.
    pub nul_texts: u64,
}

impl Normaliser {
    /// `types` are those of the warehouse's columns, in the order of the definition.
    pub fn new(table: &TableDefinition, types: &[ColumnType], nul: Nul) -> Normaliser {
        let fields: Vec<Field> = table
            .columns
            .iter()
            .zip(types)
            .map(|(column, of)| Field::new(&column.name, of.arrow(), column.null))
            .collect();
        let columns = table
            .columns
            .iter()
            .zip(types)
            .map(|(column, of)| (column.name.clone(), *of, column.json_maps))
            .collect();
        Normaliser {
            table: table.name.clone(),
            columns,
            schema: Arc::new(Schema::new(fields)),
            nul,
            nul_texts: 0,
        }
    }

    /// The columns of every batch that comes out.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// One batch: the definition's columns in its order, each in [`ColumnType::arrow`].
    ///
    /// Errors: `WarehouseError::Batch` for a column that is missing, or a value that does not fit.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch, WarehouseError> {
        let failed = |source: ArrowError| WarehouseError::Batch {
            table: self.table.clone(),
            source: Box::new(source),
        };
        let mut columns = Vec::with_capacity(self.columns.len());
        let mut replaced = 0;
        for (name, column_type, json_maps) in &self.columns {
            let array = batch.column_by_name(name).ok_or_else(|| {
                failed(ArrowError::SchemaError(format!(
                    "column `{name}` is missing"
                )))
            })?;
            let (array, changed) =
                column(array, *column_type, *json_maps, self.nul).map_err(failed)?;
            replaced += changed;
            columns.push(array);
        }
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(failed)?;
        self.nul_texts += replaced;
        Ok(batch)
    }
}

fn column(
    array: &ArrayRef,
    column_type: ColumnType,
    json_maps: bool,
    nul: Nul,
) -> Result<(ArrayRef, u64), ArrowError> {
    match column_type {
        ColumnType::Json => json_column(array, json_maps, nul),
        ColumnType::Text => {
            let texts = strict_cast(array, &column_type.arrow())?;
            Ok(text_column(&texts, nul))
        }
        other => Ok((strict_cast(array, &other.arrow())?, 0)),
    }
}

fn text_column(texts: &ArrayRef, nul: Nul) -> (ArrayRef, u64) {
    let array = texts.as_string::<i32>();
    let (first, last) = match array.value_offsets() {
        [first, .., last] => (*first as usize, *last as usize),
        _ => return (texts.clone(), 0),
    };
    if nul == Nul::Keep || !array.value_data()[first..last].contains(&0) {
        return (texts.clone(), 0);
    }
    let mut replaced = 0;
    let clean: StringArray = array
        .iter()
        .map(|text| {
            text.map(|text| {
                replaced += u64::from(nul.refuses(text));
                nul.clean(text)
            })
        })
        .collect();
    (Arc::new(clean), replaced)
}

fn json_column(array: &ArrayRef, json_maps: bool, nul: Nul) -> Result<(ArrayRef, u64), ArrowError> {
    let writer = JsonWriter::new(array, json_maps, nul)?;
    let mut texts = StringBuilder::with_capacity(array.len(), array.len() * 64);
    let mut text = Vec::new();
    let mut replaced = 0;
    for row in 0..array.len() {
        if array.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        replaced += writer.write(row, &mut text);
        let text = std::str::from_utf8(&text)
            .map_err(|error| ArrowError::InvalidArgumentError(error.to_string()))?;
        texts.append_value(text);
    }
    Ok((Arc::new(texts.finish()), replaced))
}

#[cfg(test)]
mod tests;
