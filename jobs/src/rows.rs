//! The rows of a query as text or Parquet, batch by batch, so that memory does not grow with them.

mod csv;
mod nested;
mod table;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json;
use arrow::json::writer::JsonArray;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::cli::Format;

use csv::CsvRows;
use nested::ExactDecimals;
use table::Drawn;

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
            Format::Table => Formatted::Table(Box::new(Drawn::new(out, target.width, schema))),
            Format::Csv => {
                let rows = CsvRows::open(out, schema, target.escape_formulas)?;
                Formatted::Csv(Box::new(rows))
            }
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
