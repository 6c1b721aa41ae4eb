//! Rows as a table for people.

use std::io::Write;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::nested::text_column;
use super::{Out, WriteError};
use crate::output::{self, Align};

/// A table is drawn in parts of this many rows, since a drawn table must fit in memory.
const TABLE_ROWS: usize = 1000;
/// A longer text says nothing more in a table; csv and json give it whole.
const CELL_CHARS: usize = 100;

/// A table for people, drawn in parts.
pub struct Drawn {
    out: Out,
    width: Option<u16>,
    header: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
    drawn_once: bool,
}

impl Drawn {
    /// A table fitted into `width` columns, if given.
    pub fn new(out: Out, width: Option<u16>, schema: &SchemaRef) -> Drawn {
        Drawn {
            out,
            width,
            header: header(schema),
            rows: Vec::new(),
            drawn_once: false,
        }
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), WriteError> {
        let columns = batch.columns().iter().zip(batch.schema_ref().fields());
        let columns: Vec<ArrayRef> = columns
            .map(|(column, field)| text_column(field, column))
            .collect::<Result<_, _>>()?;
        let options = FormatOptions::default();
        let cells: Vec<ArrayFormatter<'_>> = columns
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options))
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            let kinds = batch.schema_ref().fields().iter();
            let texts = cells.iter().zip(kinds).map(|(cell, field)| {
                let text = cell.value(row).to_string();
                match field.data_type() {
                    DataType::Decimal128(..) | DataType::Decimal256(..) => without_zeros(text),
                    _ => printable(&text),
                }
            });
            self.rows.push(texts.collect());
            if self.rows.len() == TABLE_ROWS {
                self.draw()?;
            }
        }
        Ok(())
    }

    pub fn finish(&mut self) -> Result<(), WriteError> {
        if !self.rows.is_empty() || !self.drawn_once {
            self.draw()?;
        }
        Ok(self.out.flush()?)
    }

    fn draw(&mut self) -> Result<(), WriteError> {
        let header = self
            .header
            .iter()
            .map(|(name, align)| (name.as_str(), *align));
        let header: Vec<(&str, Align)> = header.collect();
        let rows = std::mem::take(&mut self.rows);
        writeln!(self.out, "{}", output::table(&header, rows, self.width))?;
        self.drawn_once = true;
        Ok(())
    }
}

fn header(schema: &SchemaRef) -> Vec<(String, Align)> {
    let column = |field: &FieldRef| {
        let align = match field.data_type().is_numeric() {
            true => Align::Right,
            false => Align::Left,
        };
        (field.name().clone(), align)
    };
    schema.fields().iter().map(column).collect()
}

/// `1234.500000000` as `1234.50`: the same amount, at least two digits behind the point.
fn without_zeros(text: String) -> String {
    let Some((whole, fraction)) = text.split_once('.') else {
        return text;
    };
    let significant = fraction.trim_end_matches('0').len().max(2);
    format!("{whole}.{}", &fraction[..significant.min(fraction.len())])
}

/// One line of at most `CELL_CHARS`, without what would move a terminal's cursor: the texts come
/// from suppliers.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(CELL_CHARS + 3));
    for (index, letter) in text.chars().enumerate() {
        if index == CELL_CHARS {
            shown.push('…');
            break;
        }
        shown.push(if letter.is_control() { ' ' } else { letter });
    }
    shown
}
