//! Pages of JSON to raw record batches, straight from the bytes, led by the resource's definition.
//!
//! Knows nothing of HTTP. A record that does not fit is set aside with its reason and costs the
//! others nothing; a page that is not whole JSON is refused, so that it can be asked for again.

mod column;
mod cursor;
mod encoding;
mod keys;
mod outcome;
mod record;
mod scalar;
mod secret;
mod split;

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use schemas::Resource;
use sha2::{Digest, Sha256};

use self::column::{Column, Object, Text};
use self::cursor::{Cursor, DEPTH_LIMIT};
use self::keys::normalise;
pub use self::outcome::{DecodeError, Decoded, Drift, Misfit, PageInfo, Reason, Seen};
use self::record::{Fault, Walk};
pub(crate) use self::secret::is_secret;
use self::split::{Members, Records, Span};
use crate::schema::raw_schema;

const PAGE_LIMIT: usize = 128 << 20;
const RECORD_LIMIT: usize = 16 << 20;
/// Offsets of Arrow's strings are 32 bits wide; a batch is taken long before.
const BATCH_LIMIT: usize = 1 << 30;
/// How much of a record that is too large is shown.
const SHOWN_LIMIT: usize = 1 << 20;
/// Coupa gives 50 at a time; who ignores that may give a list that is not too long.
const PAGE_RECORDS: usize = 20_000;
/// Values that a page may make in the columns. Each takes some bytes even if it is absent.
const PAGE_VALUES: usize = 16 << 20;
const BATCH_VALUES: usize = 4 << 20;

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
    /// Values in the columns, given or not, of the page and of the batch; and what a record makes.
    page_values: usize,
    values: usize,
    width: usize,
}

/// What every row of a run carries.
#[derive(Debug, Clone)]
pub struct Stamp {
    pub run_id: String,
    pub extracted_at: DateTime<Utc>,
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
        let width = resource
            .fields
            .iter()
            .map(|field| column::width(&field.kind))
            .sum();
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
            page_values: 0,
            values: 0,
            width,
        }
    }

    /// Adds the records of one page: a JSON array, or one object alone.
    ///
    /// Errors: the page as a whole is unreadable. Nothing of it is kept then.
    pub fn page(&mut self, body: &[u8]) -> Result<PageInfo, DecodeError> {
        if body.len() > PAGE_LIMIT {
            let what = format!("{} bytes, at most {PAGE_LIMIT}", body.len());
            return Err(DecodeError::TooLarge { what });
        }
        if self.bytes as usize + body.len() > BATCH_LIMIT {
            return Err(DecodeError::Full);
        }
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        encoding::check_start(body)?;
        self.begin_page();
        let read = match std::str::from_utf8(body) {
            Ok(text) => self.records(text, &[]),
            Err(_) => {
                encoding::mend(body).and_then(|mended| self.records(&mended.text, &mended.places))
            }
        };
        match read {
            Ok(info) => {
                self.pages += 1;
                self.bytes += body.len() as u64;
                self.values += self.page_values;
                Ok(info)
            }
            Err(error) => {
                self.keep(0);
                Err(error)
            }
        }
    }

    /// Makes a misfit of a record that no page could bring, as a page of its own.
    pub(crate) fn set_aside(
        &mut self,
        id: Option<i64>,
        reason: Reason,
        detail: String,
        raw: String,
    ) -> PageInfo {
        self.begin_page();
        self.pages += 1;
        let seen = Seen {
            id: id.filter(|id| *id > 0),
            changed_at: None,
            hash: 0,
            fits: false,
        };
        self.last_id = self.last_id.max(seen.id);
        self.misfits.push(Misfit {
            id: id.map(|id| id.to_string()),
            field: String::new(),
            reason,
            detail,
            raw,
        });
        self.marks.push(self.mark());
        PageInfo {
            records: vec![seen],
        }
    }

    fn begin_page(&mut self) {
        self.page_start = self.mark();
        self.marks.clear();
        self.page_values = 0;
    }

    /// Whether what was gathered takes much more memory than its text: short records, many columns.
    pub(crate) fn is_heavy(&self) -> bool {
        self.values > BATCH_VALUES
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
        self.values = 0;
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

    /// `broken`: where the text was mended.
    fn records(&mut self, text: &str, broken: &[usize]) -> Result<PageInfo, DecodeError> {
        let mut info = PageInfo::default();
        let mut records = Records::new(text);
        while records.advance()? {
            let seen = if broken.is_empty() {
                self.record(text, &mut records)?
            } else {
                self.cleaned_record(&mut records, broken)?
            };
            info.records.push(seen);
            self.marks.push(self.mark());
            self.page_values += self.width + self.walk.values;
            if self.page_values > PAGE_VALUES || info.records.len() > PAGE_RECORDS {
                let what = format!("more than {PAGE_VALUES} values or {PAGE_RECORDS} records");
                return Err(DecodeError::TooLarge { what });
            }
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
            // Broken, or with a secret in it, or both: then neither its end nor its text is certain.
            _ => {
                self.forget_row();
                self.cleaned_record(records, &[])
            }
        }
    }

    /// What was read of the row that is not kept.
    fn forget_row(&mut self) {
        self.cut(self.row_count());
        self.walk.rounded = self.marks.last().unwrap_or(&self.page_start).rounded;
    }

    /// Cleans the record before it is read: no column can hold what the text no longer does.
    fn cleaned_record(
        &mut self,
        records: &mut Records<'_>,
        broken: &[usize],
    ) -> Result<Seen, DecodeError> {
        let start = records.at;
        let span = records.span()?;
        let first_broken = broken.partition_point(|place| *place < start);
        let mended = broken
            .get(first_broken)
            .is_some_and(|place| *place < records.at);
        let guarded = secret::may_hold(span.text);
        let cleaned = guarded.then(|| secret::remove(span.text));
        let text = cleaned.as_deref().unwrap_or(span.text);
        // Text that does not parse can not be trusted to have been cleaned.
        let whole = Cursor::new(span.text, 0)
            .skip(0)
            .is_ok_and(|read| read.len() == span.text.len());
        let raw = if whole || !guarded { text } else { "" };
        let read = match oversize(&span) {
            Some(fault) => Err(fault),
            None if mended => Err(Fault::encoding()),
            None if !whole && guarded => Err(Fault::syntax()),
            None => self.decode(text, 0).and_then(|end| match text.len() - end {
                0 => Ok(()),
                _ => Err(Fault::syntax()),
            }),
        };
        Ok(match read {
            Ok(()) => self.keep_row(text),
            Err(fault) => {
                let id = self.key_in(text);
                self.drop_keyed(fault, raw, id)
            }
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
        self.note_drift(row, None);
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

    /// Sets the record aside; its key is in the columns, or else `id`.
    fn drop_keyed(&mut self, fault: Fault, raw: &str, id: Option<String>) -> Seen {
        let row = self.row_count();
        let id = self.key_at(row).or(id);
        self.note_drift(row, id.as_deref());
        self.forget_row();
        let seen = Seen {
            // Only a key that could be one has a place in the order.
            id: id
                .as_deref()
                .and_then(|id| id.parse().ok())
                .filter(|id| *id > 0),
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

    /// The key of a record that failed, wherever it stands.
    fn key_in(&self, text: &str) -> Option<String> {
        let mut name = String::new();
        let (_, value) = Members::new(text)?.find(|(key, _)| {
            match key.contains('\\') {
                true => normalise(
                    &serde_json::from_str::<String>(key).unwrap_or_default(),
                    &mut name,
                ),
                false => normalise(&key[1..key.len() - 1], &mut name),
            }
            name == self.resource.key
        })?;
        let word = value.trim_matches('"');
        let short =
            (1..=64).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (short && word != "null").then(|| word.to_owned())
    }

    fn changed_at(&self, row: usize) -> Option<i64> {
        match &self.root.fields[self.watermark?] {
            Column::Timestamp(times) => times.get(row).copied(),
            _ => None,
        }
    }

    fn note_drift(&mut self, row: usize, id: Option<&str>) {
        if self.walk.fresh_keys.is_empty() {
            return;
        }
        let example_id = self.key_at(row).or_else(|| id.map(str::to_owned));
        let fresh = std::mem::take(&mut self.walk.fresh_keys);
        self.drift.extend(fresh.into_iter().map(|path| Drift {
            path,
            example_id: example_id.clone(),
        }));
    }
}

/// The start of a body that is no page, for people to look at; empty if it may hold a secret.
pub(crate) fn shown(body: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(&body[..body.len().min(SHOWN_LIMIT)]).into_owned();
    if secret::may_hold(&text) {
        text.clear();
    }
    text
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

/// Every reading of a scalar, for its checks: what one reading says, the others do not contradict.
#[cfg(any(test, fuzzing))]
pub(crate) fn scalars(text: &[u8]) {
    let integer = scalar::integer(text);
    let decimal = scalar::decimal(text, 38, 9);
    if let Some(integer) = integer {
        assert!(scalar::is_number(text));
        let exact = Some((i128::from(integer) * 1_000_000_000, false));
        assert_eq!(decimal, exact);
    }
    if decimal.is_some() {
        assert!(scalar::is_number(text));
    }
    let (date, time) = (scalar::date(text), scalar::timestamp(text));
    assert_eq!(date.is_some(), time.is_some());
    if let (Some(date), Some(time)) = (date, time) {
        // An offset moves the time by a day at most.
        let days = time.div_euclid(86_400_000_000) - i64::from(date);
        assert!(days.abs() <= 1, "{days}");
    }
}

#[cfg(test)]
mod tests;
