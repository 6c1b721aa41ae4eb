//! Records that did not fit: what they are. How they come back is in `run/replay.rs`.
//!
//! An entry is open until the change log holds a version of its record that was read at or after it: a later
//! run that met the record in a shape that fits, or a replay.

use std::collections::{BTreeSet, HashSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;
use serde::Serialize;

use crate::catalog::{CatalogError, Lake, TableName};
use crate::error::{Error, Kind};
use crate::job::LakeSettings;
use crate::query;

/// One open entry.
#[derive(Clone, Debug, Serialize)]
pub struct Quarantined {
    pub resource: String,
    pub record_id: Option<String>,
    pub reason: String,
    /// Dotted path of the field that did not fit; empty for the record itself.
    pub field: String,
    pub detail: String,
    pub extracted_at: Option<DateTime<Utc>>,
    pub run_id: String,
    /// The record as received, secrets removed.
    pub raw: String,
}

/// Open entries of one resource that have reason and field in common.
#[derive(Clone, Debug, Serialize)]
pub struct QuarantineGroup {
    pub resource: String,
    pub reason: String,
    pub field: String,
    pub records: u64,
    pub example_id: Option<String>,
    pub last_seen: Option<DateTime<Utc>>,
}

/// Open entries of a connection, grouped by resource, reason and field; most records first.
pub async fn groups(
    settings: &LakeSettings,
    connection: &str,
) -> Result<Vec<QuarantineGroup>, Error> {
    let mut groups = Vec::new();
    for resource in resources(settings).await? {
        let sql = format!(
            "SELECT reason, coalesce(field, '') AS field, CAST(count(*) AS BIGINT) AS records, \
             min(record_id) AS example_id, max(_extracted_at) AS last_seen \
             FROM ({}) GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
            open_entries(settings, &resource, connection).await?
        );
        for batch in rows(settings, &sql).await? {
            for row in 0..batch.num_rows() {
                groups.push(QuarantineGroup {
                    resource: resource.clone(),
                    reason: text(&batch, "reason", row).unwrap_or_default(),
                    field: text(&batch, "field", row).unwrap_or_default(),
                    records: count(&batch, "records", row),
                    example_id: text(&batch, "example_id", row),
                    last_seen: time(&batch, "last_seen", row),
                });
            }
        }
    }
    Ok(groups)
}

/// Up to `limit` open entries of one resource, newest first.
pub async fn entries(
    settings: &LakeSettings,
    connection: &str,
    resource: &str,
    limit: usize,
) -> Result<Vec<Quarantined>, Error> {
    let there = resources(settings).await?;
    if !there.contains(resource) {
        let text = format!("nothing of {resource} was ever quarantined");
        let names: Vec<&str> = there.iter().map(String::as_str).collect();
        let hint = if names.is_empty() {
            "every record has fitted its definition so far".to_string()
        } else {
            format!("there are entries of {}", names.join(", "))
        };
        return Err(Error::new(Kind::Invalid, text).with_hint(hint));
    }
    let open = open_entries(settings, resource, connection).await?;
    let sql = format!("{open} ORDER BY _extracted_at DESC, record_id LIMIT {limit}");
    let mut entries = Vec::new();
    for batch in rows(settings, &sql).await? {
        for row in 0..batch.num_rows() {
            entries.push(Quarantined {
                resource: resource.to_string(),
                record_id: text(&batch, "record_id", row),
                reason: text(&batch, "reason", row).unwrap_or_default(),
                field: text(&batch, "field", row).unwrap_or_default(),
                detail: text(&batch, "detail", row).unwrap_or_default(),
                extracted_at: time(&batch, "_extracted_at", row),
                run_id: text(&batch, "_run_id", row).unwrap_or_default(),
                raw: text(&batch, "raw", row).unwrap_or_default(),
            });
        }
    }
    Ok(entries)
}

/// The texts of all open entries of one resource, as one column.
pub(crate) async fn open_texts(
    settings: &LakeSettings,
    resource: &str,
    connection: &str,
) -> Result<SendableRecordBatchStream, Error> {
    let open = open_entries(settings, resource, connection).await?;
    let sql = format!("SELECT raw FROM ({open}) WHERE raw IS NOT NULL ORDER BY record_id");
    query(settings, sql.as_str()).await
}

/// When the newest open entry of one resource was read.
pub(crate) async fn newest_entry(
    settings: &LakeSettings,
    resource: &str,
    connection: &str,
) -> Result<Option<DateTime<Utc>>, Error> {
    let open = open_entries(settings, resource, connection).await?;
    let sql = format!("SELECT max(_extracted_at) AS newest FROM ({open})");
    let found = rows(settings, &sql).await?;
    Ok(found.first().and_then(|batch| time(batch, "newest", 0)))
}

/// Integer ids of the records of one resource that have an open entry.
pub(crate) async fn open_ids(
    settings: &LakeSettings,
    resource: &str,
    connection: &str,
) -> Result<HashSet<i64>, Error> {
    if !resources(settings).await?.contains(resource) {
        return Ok(HashSet::new());
    }
    let open = open_entries(settings, resource, connection).await?;
    let sql = format!("SELECT record_id FROM ({open}) WHERE record_id IS NOT NULL");
    let mut ids = HashSet::new();
    for batch in rows(settings, &sql).await? {
        let texts = (0..batch.num_rows()).filter_map(|row| text(&batch, "record_id", row));
        ids.extend(texts.filter_map(|id| id.parse::<i64>().ok()));
    }
    Ok(ids)
}

/// Resources that have a quarantine table.
pub(crate) async fn resources(settings: &LakeSettings) -> Result<BTreeSet<String>, Error> {
    let tables = Lake::open(settings)?.tables("quarantine").await?;
    Ok(tables.into_iter().map(|table| table.name).collect())
}

/// The newest entry of each record that no later version in the log has answered, as a query.
async fn open_entries(
    settings: &LakeSettings,
    resource: &str,
    connection: &str,
) -> Result<String, Error> {
    let connection = connection.replace('\'', "''");
    let newest = format!(
        "SELECT *, row_number() OVER (PARTITION BY coalesce(record_id, raw) ORDER BY _extracted_at DESC) AS nth \
         FROM quarantine.\"{resource}\" WHERE connection_id = '{connection}'"
    );
    let columns = "e.record_id, e.reason, e.field, e.detail, e.raw, e._extracted_at, e._run_id";
    let has_log = Lake::open(settings)?
        .tables("coupa")
        .await?
        .contains(&TableName::new("coupa", resource));
    if !has_log {
        return Ok(format!(
            "SELECT {columns} FROM ({newest}) AS e WHERE e.nth = 1"
        ));
    }
    Ok(format!(
        "SELECT {columns} FROM ({newest}) AS e LEFT JOIN (\
         SELECT CAST(id AS VARCHAR) AS id, max(_extracted_at) AS newest_at FROM coupa.\"{resource}\" \
         WHERE connection_id = '{connection}' GROUP BY 1) AS known ON known.id = e.record_id \
         WHERE e.nth = 1 AND (known.newest_at IS NULL OR known.newest_at < e._extracted_at)"
    ))
}

async fn rows(settings: &LakeSettings, sql: &str) -> Result<Vec<RecordBatch>, Error> {
    let stream = query(settings, sql).await?;
    Ok(stream.try_collect().await.map_err(CatalogError::from)?)
}

fn text(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let values = batch.column_by_name(column)?.as_string_opt::<i32>()?;
    values.is_valid(row).then(|| values.value(row).to_string())
}

fn count(batch: &RecordBatch, column: &str, row: usize) -> u64 {
    let values = batch
        .column_by_name(column)
        .and_then(|values| values.as_primitive_opt::<Int64Type>());
    values.map_or(0, |values| values.value(row).unsigned_abs())
}

fn time(batch: &RecordBatch, column: &str, row: usize) -> Option<DateTime<Utc>> {
    let values = batch
        .column_by_name(column)?
        .as_primitive_opt::<TimestampMicrosecondType>()?;
    let at = values.is_valid(row).then(|| values.value(row))?;
    DateTime::from_timestamp_micros(at)
}
