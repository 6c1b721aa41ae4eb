//! What a decoder gives: batches, what did not fit, what was new, and why a page could not be read.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use thiserror::Error;

/// One batch and what was learnt while reading it.
#[derive(Debug)]
pub struct Decoded {
    /// Columns as `raw_schema`, rows in the order they were read.
    pub batch: RecordBatch,
    /// Records that did not fit; none of them is in the batch.
    pub misfits: Vec<Misfit>,
    pub pages: u64,
    /// HTTP requests behind these pages, repeated ones included.
    pub requests: u64,
    /// JSON as received, before anything was taken out.
    pub bytes: u64,
    /// Decimals that lost digits to rounding.
    pub rounded: u64,
    /// Keys nobody declared, each once in the life of a decoder.
    pub drift: Vec<Drift>,
    /// Highest id in the batch.
    pub last_id: Option<i64>,
    /// What the source did that it should not have, a sentence each.
    pub notes: Vec<String>,
}

impl Decoded {
    /// What rows and misfits take in memory.
    pub fn memory_bytes(&self) -> usize {
        let misfits = self
            .misfits
            .iter()
            .map(|misfit| size_of::<Misfit>() + misfit.raw.capacity() + misfit.detail.capacity());
        self.batch.get_array_memory_size() + misfits.sum::<usize>()
    }
}

/// A record that does not fit its definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    pub id: Option<String>,
    /// Dotted path of the field, empty for the record itself.
    pub field: String,
    pub reason: Reason,
    /// What was expected and what kind of thing was found; never the value.
    pub detail: String,
    /// The record as received, secrets removed.
    pub raw: String,
}

/// Why a record does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    MissingKey,
    WrongType,
    OutOfRange,
    DuplicateKey,
    TooDeep,
    TooLarge,
    Syntax,
    Encoding,
    NotARecord,
}

impl Reason {
    /// The word that stands in the quarantine table.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::MissingKey => "missing_key",
            Reason::WrongType => "wrong_type",
            Reason::OutOfRange => "out_of_range",
            Reason::DuplicateKey => "duplicate_key",
            Reason::TooDeep => "too_deep",
            Reason::TooLarge => "too_large",
            Reason::Syntax => "syntax",
            Reason::Encoding => "encoding",
            Reason::NotARecord => "not_a_record",
        }
    }
}

/// A key that is neither declared nor documented: a legacy custom field, or something new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Dotted, in snake case.
    pub path: String,
    /// Id of the first record that had it.
    pub example_id: Option<String>,
}

/// One page as it was read, record by record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageInfo {
    pub records: Vec<Seen>,
}

/// One record of a page, whether it fitted or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The key, if it is an integer.
    pub id: Option<i64>,
    /// The watermark, microseconds UTC.
    pub changed_at: Option<i64>,
    /// The first eight bytes of the content hash; 0 for a misfit.
    pub hash: u64,
    pub fits: bool,
}

/// A page that can not be read at all. Nothing of it was kept.
#[derive(Debug, Error)]
pub enum DecodeError {
    #[error("the page ends at byte {at}, inside a record or before its closing bracket")]
    Truncated { at: usize },
    #[error("the page is not well-formed JSON at byte {at}")]
    Malformed { at: usize },
    #[error("the page is not UTF-8 at byte {at}")]
    NotUtf8 { at: usize },
    #[error("the answer is {found}, not a list of records in JSON")]
    NotRecords { found: &'static str },
    /// Asked for in smaller pieces it may fit.
    #[error("the page is too large: {what}")]
    TooLarge { what: String },
    #[error("the batch is full, it has to be taken before the next page")]
    Full,
    #[error("the columns do not make a batch")]
    Batch(#[from] ArrowError),
}

impl DecodeError {
    pub(crate) fn not_records(text: &str) -> DecodeError {
        let head: String = text
            .chars()
            .take(64)
            .collect::<String>()
            .to_ascii_lowercase();
        let found = if head.starts_with("<!doctype html") || head.starts_with("<html") {
            "an HTML page"
        } else if head.starts_with("<?xml") {
            "XML"
        } else if head.starts_with('<') {
            "HTML or XML"
        } else if head.starts_with('"') || head.starts_with("null") {
            "a single value"
        } else {
            "something else"
        };
        DecodeError::NotRecords { found }
    }
}
