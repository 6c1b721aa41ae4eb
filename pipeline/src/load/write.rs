//! The one place where Parquet is written.
//!
//! Raw text is compressed with zstd(1): higher levels cost more time than they save. All other columns take
//! snappy, which needs no state: the Parquet writer keeps a zstd context of up to a megabyte for each column,
//! and a table of nested documents has hundreds. Row groups are bounded by bytes, so memory is bounded by
//! settings whatever the width of a record.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::{ArrowSchemaConverter, AsyncArrowWriter};
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use tokio::runtime::Handle;

use super::LoadError;
use crate::catalog::{CONNECTION_COLUMN, DataFile, Lake, TableName};

/// A row group is closed at this many bytes of encoded pages.
const ROW_GROUP_BYTES: usize = 24 << 20;
/// A dictionary gives up at this size. Its values are held one by one, at several times their encoded
/// size, for each of some hundred columns of amounts.
const DICTIONARY_BYTES: usize = 128 << 10;
/// Rows a page of tables with lists. The writer holds the levels of a page, four bytes a list item and
/// column, even where all of them are null.
const NESTED_PAGE_ROWS: usize = 2_000;
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// A file is closed at this size; the next rows of its partition begin another.
const FILE_BYTES: usize = 128 << 20;
/// Files open at once; beyond it, the one that was begun first is closed.
const OPEN_FILES: usize = 48;
/// Rows of partitioned tables wait as batches until they fill a row group of their partition, or until
/// this many bytes wait in all; then the partition with the most goes out.
const WAITING_BYTES: usize = 48 << 20;
/// Columns of raw text or bytes: never repeated, never compared, so neither dictionary nor statistics.
const OPAQUE_COLUMNS: [&str; 2] = ["_raw", "_content_hash"];

/// A Parquet file that lies in the table's folder and is not visible yet.
#[derive(Clone, Debug)]
pub struct WrittenFile {
    pub file: DataFile,
    /// These rows were in the table before and are only carried over.
    pub kept: bool,
}

/// A partition value, and the positions of its rows in a batch.
type Group = (Option<String>, Vec<u32>);

/// Writes batches of one table into files, a folder a partition value.
pub struct TableWriter {
    lake: Lake,
    table: TableName,
    /// Columns of the files: the table's, without partition columns.
    file_schema: SchemaRef,
    partition_column: Option<String>,
    properties: WriterProperties,
    prefix: String,
    kept: bool,
    file_rows: u64,
    open: Vec<OpenFile>,
    waiting_bytes: usize,
    written: Vec<WrittenFile>,
}

/// The file that a partition's rows go to, and those that wait for it.
struct OpenFile {
    value: Option<String>,
    path: String,
    row_count: u64,
    /// The connection of all rows so far; `Some(None)` once there are several.
    connection: Option<Option<String>>,
    writer: Upload,
    waiting: Vec<RecordBatch>,
    waiting_bytes: usize,
}

/// A file on its way. Dropped before its end, what was sent of it is taken back: stores keep the parts of an
/// upload that nobody ended, and bill them.
struct Upload(Option<AsyncArrowWriter<BufWriter>>);

impl Upload {
    fn writer(&mut self) -> &mut AsyncArrowWriter<BufWriter> {
        self.0.as_mut().expect("it is there until it is finished")
    }

    /// Ends the file; returns its size.
    async fn finish(mut self) -> Result<u64, ParquetError> {
        // An upload whose end failed can not be taken back: it may be complete.
        let mut writer = self.0.take().expect("it is there until it is finished");
        writer.finish().await?;
        Ok(writer.bytes_written() as u64)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (Some(writer), Ok(runtime)) = (self.0.take(), Handle::try_current()) else {
            return;
        };
        runtime.spawn(async move {
            if let Err(error) = writer.into_inner().abort().await {
                tracing::warn!("an upload that was broken off could not be taken back: {error}");
            }
        });
    }
}

impl TableWriter {
    /// Prepares to write rows of `schema` (partition column included, at most one).
    ///
    /// `prefix` starts every file name, so that a file tells its run. Nothing is created yet.
    pub fn new(
        lake: &Lake,
        table: &TableName,
        schema: &SchemaRef,
        partition_column: Option<&str>,
        prefix: &str,
    ) -> Result<Self, LoadError> {
        let fields: Vec<_> = schema
            .fields()
            .iter()
            .filter(|field| Some(field.name().as_str()) != partition_column)
            .cloned()
            .collect();
        let file_schema = Arc::new(Schema::new(fields));
        let properties = properties(&file_schema).map_err(|e| file_error(table, e))?;
        Ok(TableWriter {
            lake: lake.clone(),
            table: table.clone(),
            file_schema,
            partition_column: partition_column.map(str::to_string),
            properties,
            prefix: prefix.to_string(),
            kept: false,
            file_rows: u64::MAX,
            open: Vec::new(),
            waiting_bytes: 0,
            written: Vec::new(),
        })
    }

    /// Marks the files that follow as rows carried over from files being replaced.
    pub fn carrying_over(mut self) -> Self {
        self.kept = true;
        self
    }

    /// Closes a file at this many rows, for tables that are later worked through file by file.
    pub fn with_file_rows(mut self, rows: u64) -> Self {
        self.file_rows = rows;
        self
    }

    /// Writes a batch; its columns are found by name, so it may hold more than the table does.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), LoadError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let rows = self.project(batch)?;
        let Some(column) = self.partition_column.clone() else {
            return self.write_partition(None, rows).await;
        };
        let values = batch
            .column_by_name(&column)
            .cloned()
            .ok_or_else(|| self.missing(&column))?;
        for (value, positions) in self.groups(&values)? {
            let part = if positions.len() == rows.num_rows() {
                rows.clone()
            } else {
                take_record_batch(&rows, &UInt32Array::from(positions))
                    .map_err(|e| self.batch_error(e))?
            };
            self.write_partition(value, part).await?;
        }
        Ok(())
    }

    /// Closes every file. They become visible by a commit, or never.
    pub async fn finish(mut self) -> Result<Vec<WrittenFile>, LoadError> {
        while !self.open.is_empty() {
            let files = self.open.len();
            self.flush(files - 1).await?;
            if self.open.len() == files
                && let Some(open) = self.open.pop()
            {
                self.close(open).await?;
            }
        }
        Ok(self.written)
    }

    async fn write_partition(
        &mut self,
        value: Option<String>,
        rows: RecordBatch,
    ) -> Result<(), LoadError> {
        let position = match self.open.iter().position(|open| open.value == value) {
            Some(position) => position,
            None => {
                if self.open.len() >= OPEN_FILES {
                    self.flush(0).await?;
                    let oldest = self.open.remove(0);
                    self.close(oldest).await?;
                }
                self.open.push(self.start(value)?);
                self.open.len() - 1
            }
        };
        // As long as there is one partition only, its rows need not wait for others.
        if self.open.len() == 1 && self.waiting_bytes == 0 {
            return self.encode(position, &[rows]).await;
        }
        let bytes = rows.get_array_memory_size();
        let open = &mut self.open[position];
        open.waiting.push(rows);
        open.waiting_bytes += bytes;
        self.waiting_bytes += bytes;
        if self.open[position].waiting_bytes >= ROW_GROUP_BYTES {
            return self.flush(position).await;
        }
        while self.waiting_bytes > WAITING_BYTES {
            let sizes = self.open.iter().enumerate();
            let Some((largest, _)) = sizes.max_by_key(|(_, open)| open.waiting_bytes) else {
                break;
            };
            self.flush(largest).await?;
        }
        Ok(())
    }

    /// Encodes what waits for a partition's file, as a row group of its own.
    async fn flush(&mut self, position: usize) -> Result<(), LoadError> {
        let open = &mut self.open[position];
        let waiting = std::mem::take(&mut open.waiting);
        self.waiting_bytes -= std::mem::take(&mut open.waiting_bytes);
        if waiting.is_empty() {
            return Ok(());
        }
        let files = self.open.len();
        self.encode(position, &waiting).await?;
        if self.open.len() == files {
            let writer = self.open[position].writer.writer();
            writer
                .flush()
                .await
                .map_err(|e| file_error(&self.table, e))?;
        }
        Ok(())
    }

    async fn encode(&mut self, position: usize, batches: &[RecordBatch]) -> Result<(), LoadError> {
        let open = &mut self.open[position];
        for rows in batches {
            open.writer
                .writer()
                .write(rows)
                .await
                .map_err(|e| file_error(&self.table, e))?;
            open.row_count += rows.num_rows() as u64;
            note_connection(&mut open.connection, rows);
            if open.writer.writer().in_progress_size() >= ROW_GROUP_BYTES {
                open.writer
                    .writer()
                    .flush()
                    .await
                    .map_err(|e| file_error(&self.table, e))?;
            }
        }
        if open.writer.writer().bytes_written() >= FILE_BYTES || open.row_count >= self.file_rows {
            let full = self.open.remove(position);
            self.close(full).await?;
        }
        Ok(())
    }

    fn start(&self, value: Option<String>) -> Result<OpenFile, LoadError> {
        let name = format!("{}-{}.parquet", self.prefix, uuid::Uuid::now_v7());
        let path = match (&self.partition_column, &value) {
            (Some(column), Some(value)) => format!("{column}={value}/{name}"),
            (Some(column), None) => format!("{column}=__HIVE_DEFAULT_PARTITION__/{name}"),
            (None, _) => name,
        };
        let full = Path::from(format!("{}/{path}", self.lake.table_path(&self.table)));
        let writer = AsyncArrowWriter::try_new(
            BufWriter::with_capacity(self.lake.store(), full, self.lake.part_bytes()),
            self.file_schema.clone(),
            Some(self.properties.clone()),
        )
        .map_err(|e| file_error(&self.table, e))?;
        Ok(OpenFile {
            value,
            path,
            row_count: 0,
            connection: None,
            writer: Upload(Some(writer)),
            waiting: Vec::new(),
            waiting_bytes: 0,
        })
    }

    async fn close(&mut self, open: OpenFile) -> Result<(), LoadError> {
        let bytes = open
            .writer
            .finish()
            .await
            .map_err(|e| file_error(&self.table, e))?;
        let partition = self
            .partition_column
            .iter()
            .map(|column| (column.clone(), open.value.clone()))
            .collect::<HashMap<_, _>>();
        self.written.push(WrittenFile {
            file: DataFile {
                path: open.path,
                bytes,
                row_count: open.row_count,
                partition,
                connection: open.connection.flatten(),
                replaced: false,
            },
            kept: self.kept,
        });
        Ok(())
    }

    fn project(&self, batch: &RecordBatch) -> Result<RecordBatch, LoadError> {
        let columns = self
            .file_schema
            .fields()
            .iter()
            .map(|field| {
                let column = batch
                    .column_by_name(field.name())
                    .ok_or_else(|| self.missing(field.name()))?;
                if column.data_type() == field.data_type() {
                    Ok(column.clone())
                } else {
                    cast(column, field.data_type()).map_err(|e| self.batch_error(e))
                }
            })
            .collect::<Result<Vec<_>, LoadError>>()?;
        RecordBatch::try_new(self.file_schema.clone(), columns).map_err(|e| self.batch_error(e))
    }

    /// Row positions by partition value, in order of first appearance.
    fn groups(&self, values: &ArrayRef) -> Result<Vec<Group>, LoadError> {
        let texts = cast(values, &DataType::Utf8).map_err(|e| self.batch_error(e))?;
        let texts = texts.as_string::<i32>();
        let mut groups: Vec<Group> = Vec::new();
        for row in 0..texts.len() {
            let value = texts.is_valid(row).then(|| texts.value(row));
            match groups.iter_mut().find(|(v, _)| v.as_deref() == value) {
                Some((_, positions)) => positions.push(row as u32),
                None => groups.push((value.map(str::to_string), vec![row as u32])),
            }
        }
        Ok(groups)
    }

    fn missing(&self, column: &str) -> LoadError {
        self.batch_error(arrow::error::ArrowError::SchemaError(format!(
            "column `{column}` is missing"
        )))
    }

    fn batch_error(&self, source: arrow::error::ArrowError) -> LoadError {
        LoadError::Batch {
            table: self.table.to_string(),
            source: Box::new(source),
        }
    }
}

/// Keeps the connection that all rows of a file are of, as long as there is one.
fn note_connection(known: &mut Option<Option<String>>, rows: &RecordBatch) {
    if *known == Some(None) {
        return;
    }
    let Some(column) = rows
        .column_by_name(CONNECTION_COLUMN)
        .and_then(|c| c.as_string_opt::<i32>())
    else {
        return;
    };
    for value in column {
        match (known.as_ref(), value) {
            (None, Some(first)) => *known = Some(Some(first.to_string())),
            (Some(Some(one)), Some(value)) if one == value => {}
            _ => {
                *known = Some(None);
                return;
            }
        }
    }
}

fn file_error(table: &TableName, source: ParquetError) -> LoadError {
    LoadError::File {
        table: table.to_string(),
        source: Box::new(source),
    }
}

/// How files of a table are written, for operations of the table format that write some.
pub fn table_properties(table: &TableName, schema: &Schema) -> Result<WriterProperties, LoadError> {
    properties(schema).map_err(|e| file_error(table, e))
}

/// Compression and encodings by column: ids and stamps as deltas, opaque text plain, the rest by dictionary.
fn properties(schema: &Schema) -> Result<WriterProperties, ParquetError> {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1)?);
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(concat!("spendlake ", env!("CARGO_PKG_VERSION")).to_string());
    let nested = |field: &Arc<Field>| matches!(field.data_type(), DataType::List(_));
    if schema.fields().iter().any(nested) {
        builder = builder.set_data_page_row_count_limit(NESTED_PAGE_ROWS);
    }
    let columns = ArrowSchemaConverter::new().convert(schema)?;
    for column in columns.columns() {
        let path = column.path().clone();
        let leaf = path.parts().last().map(String::as_str).unwrap_or("");
        // A delta encoder takes a megabyte from the start, so only the record's own columns get one.
        let own = path.parts().len() == 1;
        let steady = own && (leaf == "id" || leaf.ends_with("_at"));
        if own && OPAQUE_COLUMNS.contains(&leaf) {
            builder = builder
                .set_column_compression(path.clone(), zstd)
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path, EnabledStatistics::None);
        } else if steady && column.physical_type() == Type::INT64 {
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    Ok(builder.build())
}
