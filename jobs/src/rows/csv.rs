//! Rows as comma separated values, harmless to spreadsheets where that is asked for.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::csv;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::Out;
use super::nested::text_column;

/// Rows as csv.
pub struct CsvRows {
    writer: csv::Writer<Out>,
    schema: SchemaRef,
    escape_formulas: bool,
}

impl CsvRows {
    /// Writes the header: it comes even if no row follows.
    pub fn open(out: Out, schema: &SchemaRef, escape_formulas: bool) -> Result<Self, ArrowError> {
        Ok(CsvRows {
            writer: csv_writer(out, schema)?,
            schema: flat(schema),
            escape_formulas,
        })
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let batch = flattened(batch, &self.schema)?;
        match self.escape_formulas {
            true => self.writer.write(&without_formulas(&batch)?),
            false => self.writer.write(&batch),
        }
    }
}

/// The batch with an apostrophe before texts that begin like a formula; numbers are none.
fn without_formulas(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(|column| {
        let Some(texts) = column.as_any().downcast_ref::<StringArray>() else {
            return column.clone();
        };
        let safe = texts.iter().map(|text| {
            text.map(|text| match is_formula(text) {
                true => format!("'{text}").into(),
                false => Cow::Borrowed(text),
            })
        });
        Arc::new(safe.collect::<StringArray>()) as ArrayRef
    });
    RecordBatch::try_new(batch.schema(), columns.collect())
}

/// Whether a spreadsheet would run the text: it begins like a formula and is no plain number.
fn is_formula(text: &str) -> bool {
    let number = |rest: &str| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','))
    };
    match text.chars().next() {
        // The wide forms count where a spreadsheet speaks Chinese, Japanese or Korean.
        Some('=' | '@' | '\t' | '\r' | '\n' | '＝' | '＠' | '＋' | '－') => true,
        Some('+' | '-') => text.len() > 1 && !number(&text[1..]),
        _ => false,
    }
}

/// Comma separated as in RFC 4180, except that lines end in LF, which every reader takes and Unix
/// tools expect. Null is an empty field; nested values are JSON.
fn csv_writer(out: Out, schema: &SchemaRef) -> Result<csv::Writer<Out>, ArrowError> {
    let mut writer = csv::WriterBuilder::new().with_header(true).build(out);
    // The header comes first, even if no row follows.
    writer.write(&RecordBatch::new_empty(flat(schema)))?;
    Ok(writer)
}

/// The schema with nested columns as text.
fn flat(schema: &SchemaRef) -> SchemaRef {
    let column = |field: &FieldRef| match field.data_type().is_nested() {
        true => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
        false => field.clone(),
    };
    Arc::new(Schema::new(
        schema.fields().iter().map(column).collect::<Vec<_>>(),
    ))
}

fn flattened(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(batch.schema_ref().fields());
    let columns: Result<Vec<ArrayRef>, ArrowError> = columns
        .map(|(column, field)| text_column(field, column))
        .collect();
    RecordBatch::try_new(schema.clone(), columns?)
}
