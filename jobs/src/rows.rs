//! The rows of a query as text or Parquet, batch by batch, so that memory does not grow with them.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::csv;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json;
use arrow::json::writer::{
    Encoder, EncoderFactory, EncoderOptions, JsonArray, NullableEncoder, make_encoder,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::cli::Format;
use crate::output::{self, Align};

/// A table for people is drawn in parts of this many rows, since a drawn table must fit in memory.
const TABLE_ROWS: usize = 1000;
/// A longer text says nothing more in a table; csv and json give it whole.
const CELL_CHARS: usize = 100;

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

/// Where rows go.
pub struct Target {
    file: Option<Staged>,
    /// Columns of the terminal, if a table goes to one.
    width: Option<u16>,
    escape_formulas: bool,
}

/// A file that takes its name only when it is complete, so that half an answer is never found.
struct Staged {
    part: PathBuf,
    path: PathBuf,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Gone already if it got its name; and no better can be done than to try.
        let _ = std::fs::remove_file(&self.part);
    }
}

impl Target {
    /// Stdout; a table is fitted into `width` columns, if given.
    pub fn stdout(width: Option<u16>) -> Target {
        Target {
            file: None,
            width,
            escape_formulas: false,
        }
    }

    pub fn file(path: &Path) -> Target {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        Target {
            file: Some(Staged {
                part: part.into(),
                path: path.to_owned(),
            }),
            width: None,
            escape_formulas: false,
        }
    }

    /// With an apostrophe before texts of a csv that a spreadsheet would run as a formula.
    pub fn escaping_formulas(mut self, escape: bool) -> Target {
        self.escape_formulas = escape;
        self
    }
}

/// Writes batches of one schema in one format.
pub struct Rows {
    format: Formatted,
    staged: Option<Staged>,
    reader_left: Arc<AtomicBool>,
    row_count: u64,
}

enum Formatted {
    Table(Box<Drawn>),
    Csv(Box<CsvRows>),
    Json(Box<json::Writer<Out, JsonArray>>),
    Parquet(Box<ArrowWriter<Out>>),
}

impl Rows {
    pub fn open(target: Target, format: Format, schema: &SchemaRef) -> Result<Rows, WriteError> {
        let reader_left = Arc::new(AtomicBool::new(false));
        let inner: Box<dyn Write + Send> = match &target.file {
            Some(staged) => Box::new(BufWriter::new(File::create(&staged.part)?)),
            None => Box::new(BufWriter::new(io::stdout())),
        };
        let out = Out {
            inner,
            reader_left: reader_left.clone(),
        };
        let format = match format {
            Format::Table => Formatted::Table(Box::new(Drawn {
                out,
                width: target.width,
                header: header(schema),
                rows: Vec::new(),
                drawn_once: false,
            })),
            Format::Csv => Formatted::Csv(Box::new(CsvRows {
                writer: csv_writer(out, schema)?,
                schema: flat(schema),
                escape_formulas: target.escape_formulas,
            })),
            Format::Json => Formatted::Json(Box::new(
                json::WriterBuilder::new()
                    .with_explicit_nulls(true)
                    .with_encoder_factory(Arc::new(ExactDecimals))
                    .build::<_, JsonArray>(out),
            )),
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .build();
                let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties))?;
                Formatted::Parquet(Box::new(writer))
            }
        };
        Ok(Rows {
            format,
            staged: target.file,
            reader_left,
            row_count: 0,
        })
    }

    /// Writes one batch. `false`: whoever read has left (as `head` does), stop without an error.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<bool, WriteError> {
        self.row_count += batch.num_rows() as u64;
        let written = match &mut self.format {
            Formatted::Table(drawn) => drawn.write(batch),
            Formatted::Csv(rows) => rows.write(batch).map_err(WriteError::from),
            Formatted::Json(writer) => writer.write(batch).map_err(WriteError::from),
            Formatted::Parquet(writer) => writer.write(batch).map_err(WriteError::from),
        };
        self.unless_left(written)
    }

    /// Ends the output and gives a file its name. Returns the number of rows.
    pub fn finish(mut self) -> Result<u64, WriteError> {
        if self.reader_left.load(Ordering::Relaxed) {
            return Ok(self.row_count);
        }
        let ended = self.format.finish();
        self.unless_left(ended)?;
        if let Some(staged) = &self.staged {
            std::fs::rename(&staged.part, &staged.path)?;
        }
        Ok(self.row_count)
    }

    fn unless_left(&self, result: Result<(), WriteError>) -> Result<bool, WriteError> {
        match result {
            Ok(()) => Ok(true),
            Err(_) if self.reader_left.load(Ordering::Relaxed) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Formatted {
    /// Writes what is still held back: dropping a writer would swallow the error of its last bytes.
    fn finish(&mut self) -> Result<(), WriteError> {
        match self {
            Formatted::Table(drawn) => {
                drawn.finish()?;
                drawn.out.flush()?;
            }
            // It flushes after each batch.
            Formatted::Csv(..) => {}
            Formatted::Json(writer) => {
                writer.finish()?;
                writer.get_mut().flush()?;
            }
            Formatted::Parquet(writer) => {
                writer.finish()?;
                writer.inner_mut().flush()?;
            }
        }
        Ok(())
    }
}

/// Remembers a broken pipe, which the writers above wrap each in an error of its own.
struct Out {
    inner: Box<dyn Write + Send>,
    reader_left: Arc<AtomicBool>,
}

impl Out {
    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            self.reader_left.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.note(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.note(flushed)
    }
}

/// A table for people, drawn in parts.
struct Drawn {
    out: Out,
    width: Option<u16>,
    header: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
    drawn_once: bool,
}

impl Drawn {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), WriteError> {
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

    fn finish(&mut self) -> Result<(), WriteError> {
        if !self.rows.is_empty() || !self.drawn_once {
            self.draw()?;
        }
        Ok(())
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

struct CsvRows {
    writer: csv::Writer<Out>,
    schema: SchemaRef,
    escape_formulas: bool,
}

impl CsvRows {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
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

/// A nested column as JSON text, any other as it is.
fn text_column<'a>(field: &'a FieldRef, column: &'a ArrayRef) -> Result<ArrayRef, ArrowError> {
    if !column.data_type().is_nested() {
        return Ok(column.clone());
    }
    let options = EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(ExactDecimals));
    let mut encoder = make_encoder(field, column.as_ref(), &options)?;
    let mut texts: Vec<Option<String>> = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        if encoder.is_null(row) {
            texts.push(None);
            continue;
        }
        let mut text = Vec::new();
        encoder.encode(row, &mut text);
        let text = String::from_utf8(text).expect("JSON of arrow's encoder is UTF-8");
        texts.push(Some(text));
    }
    Ok(Arc::new(StringArray::from(texts)))
}

/// Decimals as JSON strings: most readers of JSON numbers make floats of them and lose cents.
#[derive(Debug)]
struct ExactDecimals;

impl EncoderFactory for ExactDecimals {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        if !array.data_type().is_decimal() {
            return Ok(None);
        }
        const OPTIONS: FormatOptions<'static> = FormatOptions::new();
        let texts = ArrayFormatter::try_new(array, &OPTIONS)?;
        let nulls = array.logical_nulls();
        Ok(Some(NullableEncoder::new(Box::new(Quoted(texts)), nulls)))
    }
}

struct Quoted<'a>(ArrayFormatter<'a>);

impl Encoder for Quoted<'_> {
    fn encode(&mut self, index: usize, out: &mut Vec<u8>) {
        let mut text = String::new();
        // Writing to a String never fails, and a decimal holds nothing to escape.
        let _ = write!(text, "\"{}\"", self.0.value(index));
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Int64Array, StructArray};

    use super::*;

    /// Two rows: an id, an amount, a text and a nested amount; the second row is all null.
    fn batch(text: &str) -> RecordBatch {
        let amount = |value: i128| {
            Decimal128Array::from(vec![Some(value), None])
                .with_precision_and_scale(38, 9)
                .expect("fits")
        };
        let inner: ArrayRef = Arc::new(amount(500_000_000));
        let field = Arc::new(Field::new("tax", inner.data_type().clone(), true));
        let nested = StructArray::new(
            vec![field].into(),
            vec![inner],
            Some(vec![true, false].into()),
        );
        let columns: [(&str, ArrayRef); 4] = [
            ("id", Arc::new(Int64Array::from(vec![Some(7), None]))),
            (
                "amount",
                Arc::new(amount(-1_234_567_890_123_456_789_500_000_000)),
            ),
            ("text", Arc::new(StringArray::from(vec![Some(text), None]))),
            ("nested", Arc::new(nested)),
        ];
        RecordBatch::try_from_iter(columns).expect("equal lengths")
    }

    fn written(format: Format, batches: &[RecordBatch]) -> String {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("rows");
        let schema = batch("").schema();
        let mut rows = Rows::open(Target::file(&path), format, &schema).expect("opens");
        for batch in batches {
            assert!(rows.write(batch).expect("writes"));
        }
        rows.finish().expect("ends");
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("a folder").count(),
            1
        );
        std::fs::read_to_string(path).expect("text")
    }

    #[test]
    fn json_keeps_amounts_exact_and_nulls_visible() {
        let expected = r#"[{"id":7,"amount":"-1234567890123456789.500000000","text":"a","nested":{"tax":"0.500000000"}},{"id":null,"amount":null,"text":null,"nested":null}]"#;
        assert_eq!(written(Format::Json, &[batch("a")]), expected);
        assert_eq!(written(Format::Json, &[]), "[]");
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let expected = "id,amount,text,nested\n\
            7,-1234567890123456789.500000000,\"a \"\"b\"\", c\",\"{\"\"tax\"\":\"\"0.500000000\"\"}\"\n\
            ,,,\n";
        assert_eq!(written(Format::Csv, &[batch("a \"b\", c")]), expected);
        assert_eq!(written(Format::Csv, &[]), "id,amount,text,nested\n");
    }

    #[test]
    fn csv_may_disarm_formulas() {
        let written = |text: &str| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let path = folder.path().join("rows");
            let batch = batch(text);
            let target = Target::file(&path).escaping_formulas(true);
            let mut rows = Rows::open(target, Format::Csv, &batch.schema()).expect("opens");
            rows.write(&batch).expect("writes");
            rows.finish().expect("ends");
            std::fs::read_to_string(path).expect("text")
        };
        for formula in [
            "=1+1",
            "@SUM(A1)",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "\tx",
            "＝1",
        ] {
            assert!(
                written(formula).contains(&format!("'{formula}")),
                "{formula}"
            );
        }
        // Amounts stay numbers, and so do texts that are.
        let plain = written("-12.5");
        assert!(
            plain.contains("7,-1234567890123456789.500000000,-12.5,"),
            "{plain}"
        );
    }

    #[test]
    fn a_table_is_for_people() {
        let table = written(Format::Table, &[batch("a\u{1b}[2J\nb")]);
        assert!(
            table.contains("-1234567890123456789.50   a [2J b"),
            "{table}"
        );
        let empty = written(Format::Table, &[]);
        assert!(empty.contains("amount"), "{empty}");
    }

    #[test]
    fn a_file_that_is_not_complete_is_not_left_behind() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let target = Target::file(&folder.path().join("rows.parquet"));
        let mut rows = Rows::open(target, Format::Parquet, &batch("").schema()).expect("opens");
        rows.write(&batch("a")).expect("writes");
        drop(rows);
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("a folder").count(),
            0
        );
    }
}
