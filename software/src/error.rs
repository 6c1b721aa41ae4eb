//! What can be wrong with the data files and with a table of lines.

use std::path::PathBuf;

/// A data file that does not read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A file of the folder could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A file holds something that is not understood.
    #[error("{file}:{line}: {what}")]
    Invalid {
        file: String,
        /// Counted from 1, the header included; 0 where the whole file is meant.
        line: u64,
        what: String,
    },
}

impl CatalogueError {
    pub(crate) fn invalid(file: &str, line: u64, what: impl Into<String>) -> Self {
        CatalogueError::Invalid {
            file: file.to_string(),
            line,
            what: what.into(),
        }
    }
}

/// A table of purchase lines or suppliers that can not be read. Nothing is written after it happened.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("the file is empty: it needs a first row with column names")]
    Empty,
    #[error(
        "no usable column among {found}: name at least one of supplier, description, commodity, unspsc or account"
    )]
    NoColumn { found: String },
    #[error("no column with names among {found}: call it supplier or name")]
    NoNames { found: String },
    #[error("decisions, line {line}: {what}")]
    Decision { line: u64, what: String },
    #[error(
        "the column {name} occurs twice: rename or drop one, so that it is clear which is meant"
    )]
    Twice { name: String },
    #[error(
        "line {line} is not UTF-8: convert the file first, for example with iconv -f WINDOWS-1252 -t UTF-8"
    )]
    NotUtf8 { line: u64 },
    #[error("the file is UTF-16: convert it first, for example with iconv -f UTF-16 -t UTF-8")]
    Utf16,
    #[error(
        "line {line} has {found} fields where the header has {expected}: quote fields that contain the delimiter or a line break"
    )]
    Ragged {
        line: u64,
        found: u64,
        expected: u64,
    },
    #[error("there is no row {row}: the file has {rows}")]
    NoRow { row: u64, rows: u64 },
    #[error("cannot read or write the table")]
    Csv(#[from] csv::Error),
    #[error("cannot read or write the file")]
    Io(#[from] std::io::Error),
}
