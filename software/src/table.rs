//! Any CSV list of purchase lines in, the same list with the decisions out. Streams: memory holds
//! one row, the caches, and the charges of the first pass, all bounded.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use rust_decimal::Decimal;

use crate::classify::{Cache, Classifier};
use crate::columns::{Columns, Row, is_blank};
use crate::error::TableError;
use crate::line::{Certainty, Decision, Line};
use crate::recurrence::{Charges, Recurrences};

/// Columns that are appended, in this order.
const APPENDED: [&str; 7] = [
    "is_software",
    "confidence",
    "certainty",
    "vendor",
    "product",
    "category",
    "evidence",
];

/// How a table is read and written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// `None`: the most frequent of comma, semicolon, tab and bar in the first line.
    pub delimiter: Option<u8>,
    /// Puts an apostrophe before input values that a spreadsheet would run as a formula. Off, the
    /// input's values stay as they are and are counted; appended columns are always safe.
    pub escape_formulas: bool,
}

/// What was in a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub rows: u64,
    pub software: u64,
    pub certain: u64,
    pub likely: u64,
    pub unsure: u64,
    /// Amounts and dates that are there and could not be read; they count as not given.
    pub unread_amounts: u64,
    pub unread_dates: u64,
    /// Input values that a spreadsheet would run as a formula.
    pub formulas: u64,
}

/// Classifies the file `input` into `output`, or to standard output.
///
/// `output` appears whole or not at all: it is written beside its place and then renamed.
pub fn classify_file(
    classifier: &Classifier,
    input: &Path,
    output: Option<&Path>,
    options: Options,
) -> Result<Summary, TableError> {
    let file = BufReader::new(File::open(input)?);
    let Some(path) = output else {
        let mut out = BufWriter::new(std::io::stdout().lock());
        let summary = classify_table(classifier, file, &mut out, options)?;
        out.flush()?;
        return Ok(summary);
    };
    let mut name = path.as_os_str().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(name);
    let written = File::create(&part)
        .map_err(TableError::from)
        .and_then(|created| {
            let mut out = BufWriter::new(created);
            let summary = classify_table(classifier, file, &mut out, options)?;
            out.into_inner().map_err(|e| e.into_error())?.sync_all()?;
            std::fs::rename(&part, path)?;
            Ok(summary)
        });
    if written.is_err() {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&part);
    }
    written
}

/// Classifies a table: the input's columns as they are, then `is_software`, `confidence`,
/// `certainty`, `vendor`, `product`, `category` and `evidence`; rows in the input's order.
///
/// The input is read twice if it has supplier, date and amount, to find charges that come back.
pub fn classify_table(
    classifier: &Classifier,
    mut input: impl Read + Seek,
    output: impl Write,
    options: Options,
) -> Result<Summary, TableError> {
    let layout = Layout::sniff(&mut input, options)?;
    let mut out = output;
    if layout.bom {
        out.write_all("\u{feff}".as_bytes())?;
    }
    let recurrences = layout.recurrences(&mut input)?;
    let mut rows = layout.rows(&mut input)?;
    let mut writer = csv::WriterBuilder::new()
        .delimiter(layout.delimiter)
        .from_writer(out);
    for name in &rows.header {
        writer.write_field(name)?;
    }
    writer.write_record(APPENDED)?;
    let mut summary = Summary::default();
    let mut cache = Cache::default();
    while let Some(row) = rows.next()? {
        let line = row.line(&recurrences, &mut summary);
        let decision = classifier.classify_cached(&line, &mut cache);
        summary.count(&decision);
        for field in row.fields() {
            let formula = is_formula(field);
            summary.formulas += u64::from(formula);
            if formula && options.escape_formulas {
                writer.write_field(format!("'{field}"))?;
            } else {
                writer.write_field(field)?;
            }
        }
        write_decision(&mut writer, &decision)?;
    }
    writer.flush()?;
    Ok(summary)
}

/// Explains the decision on one row of a table, counted from 1 after the header.
pub fn explain_row(
    classifier: &Classifier,
    mut input: impl Read + Seek,
    number: u64,
    options: Options,
) -> Result<String, TableError> {
    let layout = Layout::sniff(&mut input, options)?;
    let recurrences = layout.recurrences(&mut input)?;
    let mut rows = layout.rows(&mut input)?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        if count == number {
            let line = row.line(&recurrences, &mut Summary::default());
            return Ok(crate::explain::explain(&line, &classifier.classify(&line)));
        }
    }
    Err(TableError::NoRow {
        row: number,
        rows: count,
    })
}

/// Where the table starts, and how it is cut into fields.
struct Layout {
    bom: bool,
    delimiter: u8,
}

impl Layout {
    fn sniff(input: &mut (impl Read + Seek), options: Options) -> Result<Layout, TableError> {
        input.seek(SeekFrom::Start(0))?;
        let mut head = Vec::new();
        input.take(64 * 1024).read_to_end(&mut head)?;
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(TableError::Utf16);
        }
        let bom = head.starts_with(&[0xef, 0xbb, 0xbf]);
        let text = if bom { &head[3..] } else { &head[..] };
        let start = text.iter().position(|b| !b.is_ascii_whitespace());
        let Some(start) = start else {
            return Err(TableError::Empty);
        };
        let delimiter = options
            .delimiter
            .unwrap_or_else(|| delimiter(&text[start..]));
        Ok(Layout { bom, delimiter })
    }

    fn rows<'r, R: Read + Seek>(&self, input: &'r mut R) -> Result<Rows<&'r mut R>, TableError> {
        input.seek(SeekFrom::Start(if self.bom { 3 } else { 0 }))?;
        Rows::new(input, self.delimiter)
    }

    fn recurrences(&self, input: &mut (impl Read + Seek)) -> Result<Recurrences, TableError> {
        let mut rows = self.rows(input)?;
        let mut charges = Charges::default();
        if rows.columns.tell_recurrence() {
            while let Some(row) = rows.next()? {
                let line = row.line(&Recurrences::default(), &mut Summary::default());
                if let (Some(date), Some(amount)) = (line.date, line.amount) {
                    charges.note(line.supplier, date, amount);
                }
            }
        }
        Ok(charges.find())
    }
}

fn delimiter(text: &[u8]) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for &b in text {
        match b {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => {
                if let Some(count) = counts.iter_mut().find(|(d, _)| *d == b) {
                    count.1 += 1;
                }
            }
        }
    }
    // The first of equals: a table of one column has none of them.
    let most = counts.iter().map(|(_, n)| *n).max().unwrap_or(0);
    counts
        .iter()
        .find(|(_, n)| *n == most)
        .map_or(b',', |(d, _)| *d)
}

/// A table's rows after its header, each checked for width and encoding.
struct Rows<R> {
    reader: csv::Reader<R>,
    header: Vec<String>,
    columns: Columns,
    record: ByteRecord,
}

impl<R: Read> Rows<R> {
    fn new(input: R, delimiter: u8) -> Result<Rows<R>, TableError> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(input);
        let mut record = ByteRecord::new();
        if !reader.read_byte_record(&mut record)? {
            return Err(TableError::Empty);
        }
        let mut header = Vec::with_capacity(record.len());
        for field in &record {
            let text = std::str::from_utf8(field).map_err(|_| TableError::NotUtf8 { line: 1 })?;
            header.push(text.to_string());
        }
        let columns = Columns::find(&header)?;
        Ok(Rows {
            reader,
            header,
            columns,
            record,
        })
    }

    fn next(&mut self) -> Result<Option<Row<'_>>, TableError> {
        loop {
            if !self.reader.read_byte_record(&mut self.record)? {
                return Ok(None);
            }
            // A line of blanks is no row, unless the table has one column.
            if self.record.len() != 1 || self.header.len() == 1 || !is_blank(&self.record) {
                break;
            }
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        if self.record.len() != self.header.len() {
            return Err(TableError::Ragged {
                line,
                found: self.record.len() as u64,
                expected: self.header.len() as u64,
            });
        }
        Row::new(&self.record, &self.columns)
            .map(Some)
            .ok_or(TableError::NotUtf8 { line })
    }
}

fn write_decision(
    writer: &mut csv::Writer<impl Write>,
    decision: &Decision,
) -> Result<(), TableError> {
    let unspecified =
        (decision.is_software && decision.vendor.is_some()).then_some("(unspecified)");
    writer.write_field(if decision.is_software {
        "true"
    } else {
        "false"
    })?;
    writer.write_field(format!("{:.3}", decision.confidence))?;
    writer.write_field(decision.certainty.name())?;
    writer.write_field(&*safe(decision.vendor.unwrap_or("")))?;
    writer.write_field(&*safe(decision.product.or(unspecified).unwrap_or("")))?;
    writer.write_field(decision.category.unwrap_or(""))?;
    writer.write_field(&*safe(&decision.evidence_text()))?;
    writer.write_record(None::<&[u8]>)?;
    Ok(())
}

fn safe(text: &str) -> std::borrow::Cow<'_, str> {
    if is_formula(text) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

/// Whether a spreadsheet would run the value: it begins like a formula and is no plain number.
fn is_formula(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(b'=' | b'@' | b'\t' | b'\r') => true,
        Some(b'+' | b'-') => {
            text.len() > 1
                && !text[1..]
                    .bytes()
                    .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b' '))
        }
        _ => false,
    }
}

impl Summary {
    fn count(&mut self, decision: &Decision) {
        self.rows += 1;
        self.software += u64::from(decision.is_software);
        match decision.certainty {
            Certainty::Certain => self.certain += 1,
            Certainty::Likely => self.likely += 1,
            Certainty::Unsure => self.unsure += 1,
        }
    }
}

impl<'r> Row<'r> {
    fn line(&self, recurrences: &Recurrences, summary: &mut Summary) -> Line<'r> {
        let (mut line, unread) = self.read();
        summary.unread_amounts += u64::from(unread.amount);
        summary.unread_dates += u64::from(unread.date);
        line.recurrence = line
            .amount
            .filter(|a| *a > Decimal::ZERO)
            .and_then(|amount| recurrences.of(line.supplier, amount));
        line
    }
}
