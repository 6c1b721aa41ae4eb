//! Misfits into one resource's quarantine table.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use serde_json::json;

use super::RunMark;
use super::log::append_id;
use crate::catalog::{Lake, Snapshot, TableName};
use crate::error::Error;
use crate::load::{Commit, LoadError, TableWriter, commit, ensure_table};

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
