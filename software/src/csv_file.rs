//! CSV files of any usual make: how they are cut, read row by row, and written whole or not at all.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use csv::ByteRecord;

use crate::error::TableError;

/// How a table is read and written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// `None`: the most frequent of comma, semicolon, tab and bar in the first line.
    pub delimiter: Option<u8>,
    /// Puts an apostrophe before input values that a spreadsheet would run as a formula. Off, the
    /// input's values stay as they are and are counted; appended columns are always safe.
    pub escape_formulas: bool,
}

/// Where the table starts, and how it is cut into fields.
pub(crate) struct Layout {
    pub bom: bool,
    pub delimiter: u8,
}

impl Layout {
    pub fn sniff(input: &mut (impl Read + Seek), options: Options) -> Result<Layout, TableError> {
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

    pub fn rows<'r, R: Read + Seek>(
        &self,
        input: &'r mut R,
    ) -> Result<Rows<&'r mut R>, TableError> {
        input.seek(SeekFrom::Start(if self.bom { 3 } else { 0 }))?;
        Rows::new(input, self.delimiter)
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
pub(crate) struct Rows<R> {
    reader: csv::Reader<R>,
    pub header: Vec<String>,
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
        Ok(Rows {
            reader,
            header,
            record,
        })
    }

    /// The next row; its fields are UTF-8.
    pub fn next(&mut self) -> Result<Option<&ByteRecord>, TableError> {
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
        if self
            .record
            .iter()
            .any(|field| std::str::from_utf8(field).is_err())
        {
            return Err(TableError::NotUtf8 { line });
        }
        Ok(Some(&self.record))
    }

    /// The place of the column that has one of `names`, the first of them that is there.
    pub fn column(&self, names: &[&str]) -> Result<Option<usize>, TableError> {
        column(&self.header, names)
    }

    /// The columns' names, for messages.
    pub fn names(&self) -> String {
        names(&self.header)
    }
}

/// The place in `header` of the first of `names` that is there, without regard to case; spaces and
/// hyphens are underscores.
pub(crate) fn column(header: &[String], names: &[&str]) -> Result<Option<usize>, TableError> {
    for name in names {
        let same = |h: &String| h.trim().to_lowercase().replace([' ', '-'], "_") == **name;
        let mut places = (0..header.len()).filter(|at| same(&header[*at]));
        let Some(place) = places.next() else {
            continue;
        };
        if places.next().is_some() {
            return Err(TableError::Twice {
                name: header[place].clone(),
            });
        }
        return Ok(Some(place));
    }
    Ok(None)
}

/// The first names of a header, as messages show them.
pub(crate) fn names(header: &[String]) -> String {
    let names: Vec<&str> = header.iter().take(20).map(String::as_str).collect();
    names.join(", ")
}

/// Writes a row's own fields, and returns how many of them a spreadsheet would run as formulas.
pub(crate) fn write_input(
    writer: &mut csv::Writer<impl Write>,
    row: &ByteRecord,
    options: Options,
) -> Result<u64, TableError> {
    let mut formulas = 0;
    for field in row {
        let formula = std::str::from_utf8(field).is_ok_and(is_formula);
        formulas += u64::from(formula);
        if formula && options.escape_formulas {
            writer.write_field([b"'", field].concat())?;
        } else {
            writer.write_field(field)?;
        }
    }
    Ok(formulas)
}

/// Writes a file that appears whole or not at all: it is written beside its place and then renamed.
pub(crate) fn write_whole<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, TableError>,
) -> Result<T, TableError> {
    let mut name = path.as_os_str().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(name);
    let written = File::create(&part)
        .map_err(TableError::from)
        .and_then(|created| {
            let mut out = BufWriter::new(created);
            let done = write(&mut out)?;
            out.into_inner().map_err(|e| e.into_error())?.sync_all()?;
            std::fs::rename(&part, path)?;
            Ok(done)
        });
    if written.is_err() {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&part);
    }
    written
}

pub(crate) fn is_blank(record: &ByteRecord) -> bool {
    record.iter().all(|f| f.iter().all(u8::is_ascii_whitespace))
}

/// `text` as a value that no spreadsheet runs.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if is_formula(text) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

/// Whether a spreadsheet would run the value: it begins like a formula and is no plain number.
pub(crate) fn is_formula(text: &str) -> bool {
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
