//! Raw record batches into one resource's change log.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use schemas::{Resource, Schemas};
use serde_json::json;

use crate::catalog::{CatalogError, Lake, Snapshot, TableName};
use crate::error::Error;
use crate::load::{Commit, Fence, LoadError, TableWriter, commit, ensure_table};
use crate::transform::log_schema;

const DAY_COLUMN: &str = "_extract_date";
/// Mappings work through the log file by file; this many rows bound what one of them holds.
const FILE_ROWS: u64 = 20_000;

/// What identifies one run in rows and commits.
#[derive(Clone, Debug)]
pub struct RunMark {
    pub connection: String,
    pub run_id: String,
    pub started_at: DateTime<Utc>,
    /// The number of the run's lease; a table that has seen a higher one takes no commit of this run.
    /// Zero for work outside of a run, which is not fenced.
    pub epoch: i64,
}

impl RunMark {
    /// What this run's commits carry against runs that were followed and do not know it yet.
    pub fn fence(&self) -> Option<Fence> {
        (self.epoch > 0).then(|| Fence {
            app_id: format!("spendlake/{}/epoch", self.connection),
            epoch: self.epoch,
        })
    }
}

/// One resource's change log, being appended to.
pub struct LogAppend {
    pub table: TableName,
    pub base: Snapshot,
    schema: SchemaRef,
    writer: TableWriter,
    mark: RunMark,
    rows: u64,
}

/// Name of the application transaction that counts a resource's appends.
fn append_id(connection: &str) -> String {
    format!("spendlake/{connection}/append")
}

/// Name of the application transaction that holds the watermark, in microseconds.
pub fn watermark_id(connection: &str) -> String {
    format!("spendlake/{connection}/watermark")
}

/// Name of the application transaction that holds the time of the last sweep, in microseconds.
fn reconciled_id(connection: &str) -> String {
    format!("spendlake/{connection}/reconciled")
}

/// Name of the application transaction that holds the newest extraction time, in microseconds.
fn extracted_id(connection: &str) -> String {
    format!("spendlake/{connection}/extracted")
}

/// What the end of a read adds to the log's facts.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub watermark: Option<DateTime<Utc>>,
    pub reconciled: Option<DateTime<Utc>>,
    pub lineage: HashMap<String, serde_json::Value>,
}

impl LogAppend {
    /// Opens the log, creating it when it is not there yet.
    pub async fn open(
        lake: &Lake,
        schemas: &Schemas,
        resource: &Resource,
        raw_schema: &Schema,
        mark: &RunMark,
    ) -> Result<LogAppend, Error> {
        let table = TableName::new("coupa", &resource.name);
        let schema = log_schema(raw_schema);
        let base = ensure_table(lake, &table, &resource.doc, &schema, Some(DAY_COLUMN)).await?;
        // Of two versions, the one extracted later is the newer: a machine whose clock is behind the
        // last one's must not write stamps before it.
        let mut mark = mark.clone();
        let last = base.transaction(&extracted_id(&mark.connection)).await?;
        if let Some(last) = last.and_then(DateTime::from_timestamp_micros) {
            mark.started_at = mark.started_at.max(last + TimeDelta::microseconds(1));
        }
        let prefix = format!("{}-{}", mark.run_id, &schemas.fingerprint()[..8]);
        let writer = TableWriter::new(lake, &table, &schema, Some(DAY_COLUMN), &prefix)?
            .with_file_rows(FILE_ROWS);
        Ok(LogAppend {
            table,
            base,
            schema,
            writer,
            mark,
            rows: 0,
        })
    }

    /// The extraction time of this read's rows.
    pub fn extracted_at(&self) -> DateTime<Utc> {
        self.mark.started_at
    }

    /// Changes up to here were committed before.
    pub async fn watermark(&self) -> Result<Option<DateTime<Utc>>, Error> {
        self.stamp(&watermark_id(&self.mark.connection)).await
    }

    /// When ids were last swept.
    pub async fn reconciled(&self) -> Result<Option<DateTime<Utc>>, Error> {
        self.stamp(&reconciled_id(&self.mark.connection)).await
    }

    async fn stamp(&self, id: &str) -> Result<Option<DateTime<Utc>>, Error> {
        let micros = self.base.transaction(id).await?;
        Ok(micros.and_then(DateTime::from_timestamp_micros))
    }

    /// Writes a raw batch as it came from the decoder.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), LoadError> {
        self.rows += batch.num_rows() as u64;
        let completed = self.complete(batch).map_err(|source| LoadError::Batch {
            table: self.table.to_string(),
            source: Box::new(source),
        })?;
        self.writer.write(&completed).await
    }

    /// Writes a deletion for each row of the stream: its last known content, marked.
    pub async fn write_deletions(
        &mut self,
        mut last_known: SendableRecordBatchStream,
    ) -> Result<u64, Error> {
        let mut count = 0;
        while let Some(batch) = last_known.next().await {
            let batch = batch.map_err(CatalogError::from)?;
            count += batch.num_rows() as u64;
            let marked = self
                .mark_deleted(&batch)
                .map_err(|source| LoadError::Batch {
                    table: self.table.to_string(),
                    source: Box::new(source),
                })?;
            self.writer.write(&marked).await?;
        }
        self.rows += count;
        Ok(count)
    }

    /// Commits what was written, with how far the source is known now.
    pub async fn commit(self, progress: Progress) -> Result<Snapshot, Error> {
        let files = self.writer.finish().await?;
        let app_id = append_id(&self.mark.connection);
        let sequence = self.base.transaction(&app_id).await?.unwrap_or(0) + 1;
        let stamps = [
            (watermark_id(&self.mark.connection), progress.watermark),
            (reconciled_id(&self.mark.connection), progress.reconciled),
            (
                extracted_id(&self.mark.connection),
                Some(self.mark.started_at),
            ),
        ];
        let mut lineage = progress.lineage;
        lineage.insert("spendlake.run_id".to_string(), json!(self.mark.run_id));
        lineage.insert(
            "spendlake.connection".to_string(),
            json!(self.mark.connection),
        );
        lineage.insert("spendlake.appended".to_string(), json!(self.rows));
        let facts = Commit {
            app_id,
            fence: self.mark.fence(),
            run_started_at: self.mark.started_at,
            sequence,
            progress: stamps
                .into_iter()
                .filter_map(|(id, stamp)| Some((id, stamp?.timestamp_micros())))
                .collect(),
            add: files,
            remove: Vec::new(),
            lineage,
        };
        Ok(commit(&self.base, &facts).await?)
    }

    fn complete(&self, batch: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
        let rows = batch.num_rows();
        let connection = StringArray::from(vec![self.mark.connection.as_str(); rows]);
        let day = Date32Array::from(vec![days(self.mark.started_at); rows]);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(connection)];
        columns.extend(batch.columns().iter().cloned());
        columns.push(Arc::new(day));
        RecordBatch::try_new(self.schema.clone(), columns)
    }

    fn mark_deleted(&self, batch: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
        let rows = batch.num_rows();
        let columns = batch
            .schema()
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| -> ArrayRef {
                match field.name().as_str() {
                    "_op" => Arc::new(StringArray::from(vec!["delete"; rows])),
                    "_run_id" => Arc::new(StringArray::from(vec![self.mark.run_id.as_str(); rows])),
                    "_extracted_at" => {
                        let stamp = self.mark.started_at.timestamp_micros();
                        Arc::new(
                            TimestampMicrosecondArray::from(vec![stamp; rows]).with_timezone("UTC"),
                        )
                    }
                    DAY_COLUMN => {
                        Arc::new(Date32Array::from(vec![days(self.mark.started_at); rows]))
                    }
                    _ => column.clone(),
                }
            })
            .collect();
        RecordBatch::try_new(batch.schema(), columns)
    }
}

fn days(at: DateTime<Utc>) -> i32 {
    (at.date_naive() - NaiveDate::default()).num_days() as i32
}

/// Columns of `quarantine.<resource>`: why a record did not fit, and the record as received.
pub fn quarantine_schema() -> SchemaRef {
    use arrow::datatypes::{Field, TimeUnit};
    let text = |name: &str, null| Field::new(name, DataType::Utf8, null);
    Arc::new(Schema::new(vec![
        text("connection_id", false),
        text("record_id", true),
        text("reason", false),
        text("field", true),
        text("detail", true),
        text("raw", true),
        Field::new(
            "_extracted_at",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            false,
        ),
        text("_run_id", false),
    ]))
}

/// One resource's quarantine table, being appended to; it is touched only when something did not fit.
pub struct Quarantine<'a> {
    lake: &'a Lake,
    table: TableName,
    mark: RunMark,
    open: Option<(Snapshot, TableWriter)>,
}

impl<'a> Quarantine<'a> {
    pub fn new(lake: &'a Lake, resource: &str, mark: &RunMark) -> Self {
        Quarantine {
            lake,
            table: TableName::new("quarantine", resource),
            mark: mark.clone(),
            open: None,
        }
    }

    /// Writes misfits as they come; nothing is visible before [`Quarantine::commit`].
    pub async fn write(&mut self, misfits: &[extract::Misfit]) -> Result<(), Error> {
        if misfits.is_empty() {
            return Ok(());
        }
        let schema = quarantine_schema();
        let batch = self.batch(misfits, &schema).map_err(|e| LoadError::Batch {
            table: self.table.to_string(),
            source: Box::new(e),
        })?;
        if self.open.is_none() {
            let doc = format!(
                "Records of {} that did not fit its definition.",
                self.table.name
            );
            let base = ensure_table(self.lake, &self.table, &doc, &schema, None).await?;
            let writer =
                TableWriter::new(self.lake, &self.table, &schema, None, &self.mark.run_id)?;
            self.open = Some((base, writer));
        }
        if let Some((_, writer)) = &mut self.open {
            writer.write(&batch).await?;
        }
        Ok(())
    }

    /// Makes what was written visible.
    pub async fn commit(self) -> Result<(), Error> {
        let Some((base, writer)) = self.open else {
            return Ok(());
        };
        let app_id = append_id(&self.mark.connection);
        let facts = Commit {
            fence: self.mark.fence(),
            run_started_at: self.mark.started_at,
            sequence: base.transaction(&app_id).await?.unwrap_or(0) + 1,
            app_id,
            add: writer.finish().await?,
            lineage: HashMap::from([("spendlake.run_id".to_string(), json!(self.mark.run_id))]),
            ..Commit::default()
        };
        commit(&base, &facts).await?;
        Ok(())
    }

    fn batch(
        &self,
        misfits: &[extract::Misfit],
        schema: &SchemaRef,
    ) -> Result<RecordBatch, arrow::error::ArrowError> {
        let each = |f: &dyn Fn(&extract::Misfit) -> Option<String>| -> ArrayRef {
            Arc::new(StringArray::from(misfits.iter().map(f).collect::<Vec<_>>()))
        };
        let stamp = vec![self.mark.started_at.timestamp_micros(); misfits.len()];
        let columns = vec![
            each(&|_| Some(self.mark.connection.clone())),
            each(&|m| m.id.clone()),
            each(&|m| Some(m.reason.as_str().to_string())),
            each(&|m| Some(m.field.clone())),
            each(&|m| Some(m.detail.clone())),
            each(&|m| Some(m.raw.clone())),
            Arc::new(TimestampMicrosecondArray::from(stamp).with_timezone("UTC")),
            each(&|_| Some(self.mark.run_id.clone())),
        ];
        RecordBatch::try_new(schema.clone(), columns)
    }
}
