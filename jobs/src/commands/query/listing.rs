//! The commands that begin with a backslash: what there is to ask about.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray, UInt64Array};
use chrono::SecondsFormat;
use pipeline::LakeSettings;
use pipeline::query::{TableListing, describe, list_tables};

use super::unwritable;
use crate::cli::Query;
use crate::output::{Failure, nearest};
use crate::rows::{Rows, Target};

/// What `\?` prints.
pub const HELP: &str = "\
\\d              tables of the lake, with their rows
\\d TABLE        columns of a table, with types and documentation
\\?              this
\\q              leave (as does Ctrl-D)

A statement ends with ; and may have several lines. Tables are coupa.…, unified.…, report.… and
quarantine.…; a bare name means unified. Tab completes, Ctrl-R searches what was asked before,
Ctrl-C stops a statement.";

/// A command that is no SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meta {
    Tables,
    Describe(String),
    Help,
    Quit,
}

impl Meta {
    /// Reads `\d`, `\d TABLE`, `\?` and `\q`; `None` for what begins with no backslash.
    pub fn read(text: &str) -> Option<Result<Meta, Failure>> {
        let text = text.trim().trim_end_matches(';').trim_end();
        if !text.starts_with('\\') {
            return None;
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        Some(match words[..] {
            ["\\d" | "\\dt"] => Ok(Meta::Tables),
            ["\\d", table] => Ok(Meta::Describe(table.replace('"', ""))),
            ["\\?" | "\\h"] => Ok(Meta::Help),
            ["\\q"] => Ok(Meta::Quit),
            _ => Err(Failure::change(
                format!("there is no command {text}"),
                match nearest(words[0], ["\\d", "\\?", "\\q"]) {
                    Some(near) if words.len() == 1 => format!("did you mean {near}?"),
                    _ => "\\d lists tables, \\d TABLE its columns, \\? the rest".to_owned(),
                },
            )),
        })
    }
}

/// Writes what `meta` asks for; returns the number of rows.
pub async fn answer(
    lake: &LakeSettings,
    meta: &Meta,
    args: &Query,
    target: Target,
) -> Result<u64, Failure> {
    let batch = match meta {
        Meta::Tables => tables(&list_tables(lake).await.map_err(Failure::from)?),
        Meta::Describe(table) => {
            let table = describe(lake, table, args.as_of).await;
            columns(&table.map_err(Failure::from)?)
        }
        Meta::Help | Meta::Quit => {
            super::super::print(&format!("{HELP}\n")).map_err(|mut all| all.remove(0))?;
            return Ok(0);
        }
    };
    let mut rows = Rows::open(target, args.format, &batch.schema()).map_err(unwritable)?;
    rows.write(&batch).map_err(unwritable)?;
    rows.finish().map_err(unwritable)
}

fn tables(listed: &[TableListing]) -> RecordBatch {
    let time = |table: &TableListing| {
        let at = table.committed_at?;
        Some(at.to_rfc3339_opts(SecondsFormat::Secs, true))
    };
    let names = listed.iter().map(|table| table.name.to_string());
    let rows = listed.iter().map(|table| table.row_count);
    let versions = listed.iter().map(|table| table.version);
    let docs = listed.iter().map(|table| first_line(&table.doc));
    batch([
        ("table", Arc::new(StringArray::from_iter_values(names))),
        ("rows", Arc::new(UInt64Array::from_iter_values(rows))),
        ("version", Arc::new(UInt64Array::from_iter_values(versions))),
        (
            "committed_at",
            Arc::new(listed.iter().map(time).collect::<StringArray>()),
        ),
        ("doc", Arc::new(StringArray::from_iter_values(docs))),
    ])
}

fn columns(table: &TableListing) -> RecordBatch {
    let columns = &table.columns;
    let names = columns.iter().map(|column| column.name.as_str());
    let kinds = columns.iter().map(|column| column.kind.as_str());
    let nulls: BooleanArray = columns.iter().map(|column| Some(column.null)).collect();
    let docs = columns.iter().map(|column| column.doc.as_str());
    batch([
        ("column", Arc::new(StringArray::from_iter_values(names))),
        ("type", Arc::new(StringArray::from_iter_values(kinds))),
        ("null", Arc::new(nulls)),
        ("doc", Arc::new(StringArray::from_iter_values(docs))),
    ])
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter(columns).expect("columns of one list are of equal length")
}

fn first_line(doc: &str) -> &str {
    doc.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_begin_with_a_backslash() {
        let read = |text: &str| Meta::read(text).map(|meta| meta.ok());
        assert_eq!(read("SELECT 1"), None);
        assert_eq!(read(" \\d "), Some(Some(Meta::Tables)));
        assert_eq!(
            read("\\d unified.invoices;"),
            Some(Some(Meta::Describe("unified.invoices".into())))
        );
        assert_eq!(read("\\q"), Some(Some(Meta::Quit)));
        assert_eq!(read("\\x"), Some(None));
    }
}
