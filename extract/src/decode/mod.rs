//! Pages of JSON to raw record batches, straight from the bytes, led by the resource's definition.
//!
//! Knows nothing of HTTP. A record that does not fit is set aside with its reason and costs the
//! others nothing; a page that is not whole JSON is refused, so that it can be asked for again.

mod column;
mod cursor;
mod keys;
mod record;
mod scalar;
mod secret;
mod split;

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use schemas::Resource;
use sha2::{Digest, Sha256};
use thiserror::Error;

use self::column::{Column, Object, Text};
use self::cursor::DEPTH_LIMIT;
use self::record::{Fault, Walk};
pub(crate) use self::secret::is_secret;
use self::split::{Records, Span};
use crate::schema::raw_schema;

const PAGE_LIMIT: usize = 128 << 20;
const RECORD_LIMIT: usize = 16 << 20;
/// Offsets of Arrow's strings are 32 bits wide; a batch is taken long before.
const BATCH_LIMIT: usize = 1 << 30;
/// How much of a record that is too large is shown.
const SHOWN_LIMIT: usize = 1 << 20;

/// Reads the pages of one resource into one batch at a time.
///
/// ```no_run
/// # fn page(decoder: &mut extract::Decoder, body: &[u8]) -> Result<(), extract::DecodeError> {
/// decoder.page(body)?; // as many as one batch is to hold
/// let decoded = decoder.finish()?;
/// # Ok(()) }
/// ```
pub struct Decoder {
    resource: Arc<Resource>,
    schema: SchemaRef,
    stamp: Stamp,
    key: Option<usize>,
    watermark: Option<usize>,
    root: Object,
    walk: Walk,
    raw: Text,
    hashes: Vec<[u8; 32]>,
    misfits: Vec<Misfit>,
    drift: Vec<Drift>,
    pages: u64,
    bytes: u64,
    last_id: Option<i64>,
    page_start: Mark,
    marks: Vec<Mark>,
}

/// What every row of a run carries.
#[derive(Debug, Clone)]
pub struct Stamp {
    pub run_id: String,
    pub extracted_at: DateTime<Utc>,
}

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
    #[error("the page has {bytes} bytes, more than {PAGE_LIMIT}")]
    TooLarge { bytes: usize },
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

/// How far the columns stood after a record.
#[derive(Clone, Copy, Default)]
struct Mark {
    rows: usize,
    misfits: usize,
    rounded: u64,
}

impl Decoder {
    pub fn new(resource: Arc<Resource>, stamp: Stamp) -> Decoder {
        let position = |name: &str| resource.fields.iter().position(|field| field.name == name);
        Decoder {
            schema: raw_schema(&resource),
            key: position(&resource.key),
            watermark: resource.watermark.as_deref().and_then(position),
            root: Object::new(&resource.fields, &resource.documented, true, String::new()),
            resource,
            stamp,
            walk: Walk::default(),
            raw: Text::default(),
            hashes: Vec::new(),
            misfits: Vec::new(),
            drift: Vec::new(),
            pages: 0,
            bytes: 0,
            last_id: None,
            page_start: Mark::default(),
            marks: Vec::new(),
        }
    }

    /// Adds the records of one page: a JSON array, or one object alone.
    ///
    /// Errors: the page as a whole is unreadable. Nothing of it is kept then.
    pub fn page(&mut self, body: &[u8]) -> Result<PageInfo, DecodeError> {
        if body.len() > PAGE_LIMIT {
            return Err(DecodeError::TooLarge { bytes: body.len() });
        }
        if self.bytes as usize + body.len() > BATCH_LIMIT {
            return Err(DecodeError::Full);
        }
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let text = std::str::from_utf8(body).map_err(|error| DecodeError::NotUtf8 {
            at: error.valid_up_to(),
        })?;
        self.page_start = self.mark();
        self.marks.clear();
        match self.records(text) {
            Ok(info) => {
                self.pages += 1;
                self.bytes += body.len() as u64;
                Ok(info)
            }
            Err(error) => {
                self.keep(0);
                Err(error)
            }
        }
    }

    /// Rows gathered for the next batch.
    pub fn row_count(&self) -> usize {
        self.hashes.len()
    }

    /// Bytes of JSON gathered for the next batch.
    pub fn byte_count(&self) -> u64 {
        self.bytes
    }

    /// Takes what was gathered as one batch; the decoder goes on with the next.
    pub fn finish(&mut self) -> Result<Decoded, DecodeError> {
        let rows = self.row_count();
        let mut columns = self.root.finish_fields(rows)?;
        self.root.drop_nulls();
        let stamped: [ArrayRef; 5] = [
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
                "upsert", rows,
            ))),
            Arc::new(self.extraction_times(rows)),
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
                &self.stamp.run_id,
                rows,
            ))),
            Arc::new(BinaryArray::from_iter_values(&self.hashes)),
            Arc::new(self.raw.finish(rows)?),
        ];
        columns.extend(stamped);
        self.hashes.clear();
        self.marks.clear();
        self.page_start = Mark::default();
        Ok(Decoded {
            batch: RecordBatch::try_new(self.schema.clone(), columns)?,
            misfits: std::mem::take(&mut self.misfits),
            pages: std::mem::take(&mut self.pages),
            requests: 0,
            bytes: std::mem::take(&mut self.bytes),
            rounded: std::mem::take(&mut self.walk.rounded),
            drift: std::mem::take(&mut self.drift),
            last_id: self.last_id.take(),
            notes: Vec::new(),
        })
    }

    /// Keeps the first `records` of the page read last, and drops the rest of it.
    pub(crate) fn keep(&mut self, records: usize) {
        if records >= self.marks.len() && !self.marks.is_empty() {
            return;
        }
        let mark = match records.checked_sub(1) {
            Some(last) => self.marks[last],
            None => self.page_start,
        };
        self.marks.truncate(records);
        self.cut(mark.rows);
        self.misfits.truncate(mark.misfits);
        self.walk.rounded = mark.rounded;
    }

    fn extraction_times(&self, rows: usize) -> TimestampMicrosecondArray {
        let micros = self.stamp.extracted_at.timestamp_micros();
        TimestampMicrosecondArray::from_value(micros, rows).with_timezone("UTC")
    }

    fn mark(&self) -> Mark {
        Mark {
            rows: self.row_count(),
            misfits: self.misfits.len(),
            rounded: self.walk.rounded,
        }
    }

    fn cut(&mut self, rows: usize) {
        self.root.truncate(rows);
        self.raw.truncate(rows);
        self.hashes.truncate(rows);
    }

    fn records(&mut self, text: &str) -> Result<PageInfo, DecodeError> {
        let guarded = secret::may_hold(text);
        let mut info = PageInfo::default();
        let mut records = Records::new(text);
        while records.advance()? {
            let seen = if guarded {
                self.guarded_record(&mut records)?
            } else {
                self.record(text, &mut records)?
            };
            info.records.push(seen);
            self.marks.push(self.mark());
        }
        Ok(info)
    }

    /// Reads the record where it stands; only if that fails, its end is looked for.
    fn record(&mut self, page: &str, records: &mut Records<'_>) -> Result<Seen, DecodeError> {
        let start = records.at;
        match self.decode(page, start) {
            Ok(end) if end - start <= RECORD_LIMIT => {
                records.at = end;
                Ok(self.keep_row(&page[start..end]))
            }
            read => {
                let span = records.span()?;
                if let Some(fault) = oversize(&span) {
                    return Ok(self.drop_row(fault, span.text, ""));
                }
                let fault = read.expect_err("a span that is not oversize is one that failed");
                Ok(self.drop_row(fault, span.text, span.text))
            }
        }
    }

    /// Cleans the record before it is read: no column can hold what the text no longer does.
    fn guarded_record(&mut self, records: &mut Records<'_>) -> Result<Seen, DecodeError> {
        let span = records.span()?;
        let guarded = secret::may_hold(span.text);
        let cleaned = guarded.then(|| secret::remove(span.text));
        let text = cleaned.as_deref().unwrap_or(span.text);
        if let Some(fault) = oversize(&span) {
            return Ok(self.drop_row(fault, text, ""));
        }
        let read = self.decode(text, 0).and_then(|end| match text.len() - end {
            0 => Ok(()),
            _ => Err(Fault::syntax()),
        });
        Ok(match read {
            Ok(()) => self.keep_row(text),
            // Text that does not parse can not be trusted to have been cleaned.
            Err(fault) if guarded && fault.reason == Reason::Syntax => {
                self.drop_row(fault, "", text)
            }
            Err(fault) => self.drop_row(fault, text, text),
        })
    }

    fn decode(&mut self, text: &str, at: usize) -> Result<usize, Fault> {
        let row = self.row_count();
        let end = record::decode(&mut self.root, row, (text, at), &mut self.walk)?;
        match self.check_key(row) {
            None => Ok(end),
            Some(fault) => Err(fault),
        }
    }

    fn keep_row(&mut self, text: &str) -> Seen {
        let row = self.row_count();
        self.note_drift(row, text);
        let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let seen = Seen {
            id: self.id_at(row),
            changed_at: self.changed_at(row),
            hash: u64::from_be_bytes(hash[..8].try_into().expect("a hash has 32 bytes")),
            fits: true,
        };
        self.last_id = self.last_id.max(seen.id);
        self.raw.push(row, text);
        self.hashes.push(hash);
        seen
    }

    /// Sets the record aside with `raw`; its key is in the columns, or looked for in `text`.
    fn drop_row(&mut self, fault: Fault, raw: &str, text: &str) -> Seen {
        let row = self.row_count();
        self.note_drift(row, text);
        let id = self
            .key_at(row)
            .or_else(|| leading_id(raw, &self.resource.key))
            .or_else(|| self.key_in(text));
        self.cut(row);
        self.walk.rounded = self.marks.last().unwrap_or(&self.page_start).rounded;
        let seen = Seen {
            id: id.as_deref().and_then(|id| id.parse().ok()),
            changed_at: None,
            hash: 0,
            fits: false,
        };
        self.last_id = self.last_id.max(seen.id);
        self.misfits.push(Misfit {
            id,
            field: fault.field,
            reason: fault.reason,
            detail: fault.detail,
            raw: raw[..raw.floor_char_boundary(SHOWN_LIMIT)].to_owned(),
        });
        seen
    }

    fn check_key(&self, row: usize) -> Option<Fault> {
        let present = match self.key.map(|key| &self.root.fields[key]) {
            Some(Column::Int64(ids)) => ids.get(row).is_some_and(|id| *id > 0),
            Some(Column::Utf8(names)) => names.get(row).is_some_and(|name| !name.is_empty()),
            _ => false,
        };
        (!present).then(|| Fault {
            field: self.resource.key.clone(),
            reason: Reason::MissingKey,
            detail: "the key is absent, empty, zero or negative".to_owned(),
        })
    }

    fn id_at(&self, row: usize) -> Option<i64> {
        match &self.root.fields[self.key?] {
            Column::Int64(ids) => ids.get(row).copied(),
            _ => None,
        }
    }

    fn key_at(&self, row: usize) -> Option<String> {
        match &self.root.fields[self.key?] {
            Column::Int64(ids) => ids.get(row).map(i64::to_string),
            Column::Utf8(names) => names.get(row).map(str::to_owned),
            _ => None,
        }
    }

    /// The key of a record that failed before its key was reached.
    fn key_in(&self, text: &str) -> Option<String> {
        let spellings = [
            self.resource.key.clone(),
            self.resource.key.replace('_', "-"),
        ];
        let record: serde_json::Value = serde_json::from_str(text).ok()?;
        spellings.iter().find_map(|key| {
            let value = record.get(key)?;
            let word = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let short = word.len() <= 64 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
            (short && word != "null").then_some(word)
        })
    }

    fn changed_at(&self, row: usize) -> Option<i64> {
        match &self.root.fields[self.watermark?] {
            Column::Timestamp(times) => times.get(row).copied(),
            _ => None,
        }
    }

    fn note_drift(&mut self, row: usize, text: &str) {
        if self.walk.fresh_keys.is_empty() {
            return;
        }
        let example_id = self.key_at(row).or_else(|| self.key_in(text));
        let fresh = std::mem::take(&mut self.walk.fresh_keys);
        self.drift.extend(fresh.into_iter().map(|path| Drift {
            path,
            example_id: example_id.clone(),
        }));
    }
}

fn oversize(span: &Span<'_>) -> Option<Fault> {
    let (reason, detail) = if span.depth > DEPTH_LIMIT {
        let detail = format!("nested {} deep, at most {DEPTH_LIMIT}", span.depth);
        (Reason::TooDeep, detail)
    } else if span.text.len() > RECORD_LIMIT {
        let detail = format!("{} bytes, at most {RECORD_LIMIT}", span.text.len());
        (Reason::TooLarge, detail)
    } else {
        return None;
    };
    Some(Fault {
        field: String::new(),
        reason,
        detail,
    })
}

/// The id of a record that begins with it, as Coupa's do.
fn leading_id(text: &str, key: &str) -> Option<String> {
    let rest = text.strip_prefix('{')?.trim_start().strip_prefix('"')?;
    let rest = rest.strip_prefix(key)?.strip_prefix('"')?.trim_start();
    let rest = rest.strip_prefix(':')?.trim_start();
    let digits = rest.len()
        - rest
            .trim_start_matches(|letter: char| letter.is_ascii_digit())
            .len();
    (1..=19)
        .contains(&digits)
        .then(|| rest[..digits].to_owned())
}

#[cfg(test)]
mod tests;
