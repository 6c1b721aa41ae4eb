//! Raw record batches into one resource's change log.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures::StreamExt;
use schemas::{Resource, Schemas};
use serde_json::json;

use super::protocol::{ChangeLog, Cursor, CursorChange, Facts, Progress};
use super::quarantine::Quarantine;
use crate::catalog::{CatalogError, Lake, Snapshot, TableName};
use crate::error::Error;
use crate::load::{Commit, Fence, KnownVersions, LoadError, TableWriter, commit, ensure_table};
use crate::transform::{last_known, log_schema};

const DAY_COLUMN: &str = "_extract_date";
/// Mappings work through the log file by file; this many rows bound what one of them holds.
const FILE_ROWS: u64 = 20_000;
/// What two commits of one run differ by in extraction time: the finest that the log keeps.
const TICK: TimeDelta = TimeDelta::microseconds(1);

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
pub struct LogAppend<'a> {
    lake: &'a Lake,
    schemas: &'a Schemas,
    resource: &'a Resource,
    schema: SchemaRef,
    /// `None`: there is no table, and none is made.
    base: Option<Snapshot>,
    writer: Option<TableWriter>,
    quarantine: Quarantine<'a>,
    /// Whether what is written is kept.
    keeps: bool,
    mark: RunMark,
    rows: u64,
}

fn name_in(connection: &str, what: &str) -> String {
    format!("spendlake/{connection}/{what}")
}

/// Name of the application transaction that counts a resource's appends.
pub(super) fn append_id(connection: &str) -> String {
    name_in(connection, "append")
}

/// Name of the application transaction that holds the watermark, in microseconds.
pub fn watermark_id(connection: &str) -> String {
    name_in(connection, "watermark")
}

/// Application transactions of a log besides these two. Times are microseconds.
const RECONCILED: &str = "reconciled";
const EXTRACTED: &str = "extracted";
const MAX_ID: &str = "max_id";
const CHECKED: &str = "checked";
/// The last id of a scan that goes on; 0 if there is none, as a transaction can not be taken back.
const SCAN_LAST: &str = "scan/last_id";
const SCAN_SINCE: &str = "scan/since";
const SCAN_STARTED: &str = "scan/started";
const SCAN_MAX: &str = "scan/max_id";
/// A scan without a lower bound.
const FROM_THE_START: i64 = -1;

impl<'a> LogAppend<'a> {
    /// Opens the log, creating it when it is not there yet.
    pub async fn open(
        lake: &'a Lake,
        schemas: &'a Schemas,
        resource: &'a Resource,
        mark: &RunMark,
    ) -> Result<LogAppend<'a>, Error> {
        let schema = log_schema(&extract::raw_schema(resource));
        let table = table_of(resource);
        let base = ensure_table(lake, &table, &resource.doc, &schema, Some(DAY_COLUMN)).await?;
        // Of two versions, the one extracted later is the newer: a machine whose clock is behind the
        // last one's must not write stamps before it.
        let mut mark = mark.clone();
        let last = base
            .transaction(&name_in(&mark.connection, EXTRACTED))
            .await?;
        if let Some(last) = last.and_then(DateTime::from_timestamp_micros) {
            mark.started_at = mark.started_at.max(last + TICK);
        }
        Ok(LogAppend {
            quarantine: Quarantine::new(lake, &resource.name, &mark),
            lake,
            schemas,
            resource,
            schema,
            base: Some(base),
            writer: None,
            keeps: true,
            mark,
            rows: 0,
        })
    }

    /// Opens the log to compare with it; makes no table, and forgets what is written.
    pub async fn peek(
        lake: &'a Lake,
        schemas: &'a Schemas,
        resource: &'a Resource,
        mark: &RunMark,
    ) -> Result<LogAppend<'a>, Error> {
        Ok(LogAppend {
            quarantine: Quarantine::new(lake, &resource.name, mark),
            lake,
            schemas,
            resource,
            schema: log_schema(&extract::raw_schema(resource)),
            base: Snapshot::open(lake, &table_of(resource)).await?,
            writer: None,
            keeps: false,
            mark: mark.clone(),
            rows: 0,
        })
    }

    async fn number(&self, what: &str) -> Result<Option<i64>, Error> {
        match &self.base {
            Some(base) => Ok(base
                .transaction(&name_in(&self.mark.connection, what))
                .await?),
            None => Ok(None),
        }
    }

    async fn time(&self, what: &str) -> Result<Option<DateTime<Utc>>, Error> {
        let micros = self.number(what).await?;
        Ok(micros.and_then(DateTime::from_timestamp_micros))
    }

    async fn cursor(&self) -> Result<Option<Cursor>, Error> {
        let Some(last_id) = self.number(SCAN_LAST).await?.filter(|id| *id > 0) else {
            return Ok(None);
        };
        let Some(started) = self.time(SCAN_STARTED).await? else {
            return Ok(None);
        };
        let since = self.number(SCAN_SINCE).await?;
        Ok(Some(Cursor {
            since: since
                .filter(|since| *since != FROM_THE_START)
                .and_then(DateTime::from_timestamp_micros),
            started,
            last_id,
            max_id: self.number(SCAN_MAX).await?.unwrap_or(0),
        }))
    }

    async fn append(&mut self, batch: &RecordBatch) -> Result<(), LoadError> {
        let table = table_of(self.resource);
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let definitions = &self.schemas.fingerprint()[..8];
                let prefix = format!("{}-{definitions}", self.mark.run_id);
                let day = Some(DAY_COLUMN);
                let writer = TableWriter::new(self.lake, &table, &self.schema, day, &prefix)?;
                none.insert(writer.with_file_rows(FILE_ROWS))
            }
        };
        self.rows += batch.num_rows() as u64;
        writer.write(batch).await
    }

    fn unfit(&self, source: arrow::error::ArrowError) -> LoadError {
        LoadError::Batch {
            table: table_of(self.resource).to_string(),
            source: Box::new(source),
        }
    }

    /// What a commit says of progress, as application transactions.
    fn transactions(&self, progress: &Progress) -> Vec<(String, i64)> {
        let micros = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_micros());
        let mut numbers = vec![
            ("watermark", micros(progress.watermark)),
            (RECONCILED, micros(progress.reconciled)),
            (MAX_ID, progress.max_id),
            (CHECKED, progress.checked),
            (EXTRACTED, micros(Some(self.mark.started_at))),
        ];
        match progress.cursor {
            CursorChange::Keep => {}
            CursorChange::Clear => numbers.push((SCAN_LAST, Some(0))),
            CursorChange::Set(cursor) => numbers.extend([
                (SCAN_LAST, Some(cursor.last_id)),
                (
                    SCAN_SINCE,
                    Some(micros(cursor.since).unwrap_or(FROM_THE_START)),
                ),
                (SCAN_STARTED, micros(Some(cursor.started))),
                (SCAN_MAX, Some(cursor.max_id)),
            ]),
        }
        let connection = &self.mark.connection;
        numbers
            .into_iter()
            .filter_map(|(what, number)| Some((name_in(connection, what), number?)))
            .collect()
    }
}

impl ChangeLog for LogAppend<'_> {
    async fn facts(&self) -> Result<Facts, Error> {
        Ok(Facts {
            empty: self.base.as_ref().is_none_or(|base| base.files.is_empty()),
            watermark: self.time("watermark").await?,
            reconciled: self.time(RECONCILED).await?,
            max_id: self.number(MAX_ID).await?,
            checked: self.number(CHECKED).await?,
            cursor: self.cursor().await?,
        })
    }

    async fn held(&self, since: Option<DateTime<Utc>>) -> Result<KnownVersions, Error> {
        let watermark = self.resource.watermark.as_deref();
        let Some(base) = &self.base else {
            return Ok(KnownVersions::nothing(watermark));
        };
        let connection = &self.mark.connection;
        Ok(KnownVersions::of(self.lake, base, connection, since, watermark).await?)
    }

    fn stamp(&self) -> DateTime<Utc> {
        self.mark.started_at
    }

    async fn write(
        &mut self,
        rows: &RecordBatch,
        misfits: &[extract::Misfit],
    ) -> Result<(), Error> {
        if !self.keeps {
            return Ok(());
        }
        self.quarantine.write(misfits).await?;
        if rows.num_rows() > 0 {
            let completed = self.complete(rows).map_err(|e| self.unfit(e))?;
            self.append(&completed).await?;
        }
        Ok(())
    }

    async fn write_deletions(&mut self, ids: &[i64]) -> Result<u64, Error> {
        let Some(base) = self.base.as_ref().filter(|_| self.keeps) else {
            return Ok(0);
        };
        let mut rows = last_known(self.lake, base, &self.mark.connection, ids).await?;
        let mut count = 0;
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(CatalogError::from)?;
            count += batch.num_rows() as u64;
            let marked = self.mark_deleted(&batch).map_err(|e| self.unfit(e))?;
            self.append(&marked).await?;
        }
        Ok(count)
    }

    async fn commit(&mut self, progress: Progress) -> Result<(), Error> {
        let Some(base) = self.base.as_ref().filter(|_| self.keeps) else {
            return Ok(());
        };
        let fresh = Quarantine::new(self.lake, &self.resource.name, &self.mark);
        std::mem::replace(&mut self.quarantine, fresh)
            .commit()
            .await?;
        let files = match self.writer.take() {
            Some(writer) => writer.finish().await?,
            None => Vec::new(),
        };
        let app_id = append_id(&self.mark.connection);
        let sequence = base.transaction(&app_id).await?.unwrap_or(0) + 1;
        let transactions = self.transactions(&progress);
        let mut lineage = progress.lineage;
        for (key, value) in [
            ("run_id", json!(self.mark.run_id)),
            ("connection", json!(self.mark.connection)),
            ("appended", json!(self.rows)),
            ("definitions", json!(self.schemas.fingerprint())),
        ] {
            lineage.insert(format!("spendlake.{key}"), value);
        }
        let facts = Commit {
            app_id,
            fence: self.mark.fence(),
            run_started_at: self.mark.started_at,
            sequence,
            progress: transactions,
            add: files,
            remove: Vec::new(),
            lineage,
        };
        self.base = Some(commit(base, &facts).await?);
        self.rows = 0;
        self.mark.started_at += TICK;
        self.quarantine = Quarantine::new(self.lake, &self.resource.name, &self.mark);
        Ok(())
    }
}

fn table_of(resource: &Resource) -> TableName {
    TableName::new("coupa", &resource.name)
}

impl LogAppend<'_> {
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
