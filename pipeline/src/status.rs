//! How far each table of the lake has come.

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;

use crate::catalog::{Lake, Snapshot, TableName};
use crate::error::Error;
use crate::job::Job;
use crate::summary::{KnownDrift, Outcome, Problem, Summary};

/// One table as last committed.
#[derive(Clone, Debug, Serialize)]
pub struct TableStatus {
    pub table: String,
    pub version: u64,
    pub rows: u64,
    pub files: u64,
    pub bytes: u64,
    /// Change logs only: changes up to here are in.
    pub watermark: Option<DateTime<Utc>>,
    /// Seconds between the watermark and now.
    pub lag_seconds: Option<i64>,
    pub last_run_id: Option<String>,
    pub last_commit_at: Option<DateTime<Utc>>,
    /// How the last run ended for this table: `done`, `misfits`, `failed`, `interrupted`.
    pub last_outcome: Option<Outcome>,
    /// What went wrong in the last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<Problem>,
    /// Change logs only: how the source's records differ from the definition, each way once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<KnownDrift>,
    /// What the last commit did, by its own account.
    pub last_commit: serde_json::Map<String, serde_json::Value>,
}

const LAYERS: [&str; 4] = ["coupa", "unified", "report", "quarantine"];

/// Every table of the lake, layer by layer, by name.
pub async fn status(job: &Job, now: DateTime<Utc>) -> Result<Vec<TableStatus>, Error> {
    let lake = Lake::open(&job.lake)?;
    let mut names = Vec::new();
    for layer in LAYERS {
        names.extend(lake.tables(layer).await?);
    }
    let last_run = crate::run::last_summary(&lake, &job.connection).await;
    let mut found: Vec<_> = futures::stream::iter(names)
        .map(|name| {
            let lake = &lake;
            async move { table_status(lake, job, &name, now).await }
        })
        .buffered(4)
        .try_filter_map(|status| async move { Ok(status) })
        .try_collect()
        .await?;
    for status in &mut found {
        if let Some(run) = &last_run {
            (status.last_outcome, status.last_error) = outcome_in(run, &status.table);
            let resource = status.table.strip_prefix("coupa.").unwrap_or_default();
            let known = run
                .known_drift
                .iter()
                .filter(|known| known.resource == resource);
            status.drift = known.cloned().collect();
        }
    }
    let layer = |status: &TableStatus| {
        LAYERS
            .iter()
            .position(|layer| status.table.starts_with(layer))
    };
    found.sort_by(|a, b| (layer(a), &a.table).cmp(&(layer(b), &b.table)));
    Ok(found)
}

/// What a run's summary says of one table; nothing if the run did not come to it.
fn outcome_in(run: &Summary, table: &str) -> (Option<Outcome>, Option<Problem>) {
    if let Some(resource) = table.strip_prefix("coupa.") {
        let found = run.resources.iter().find(|r| r.resource == resource);
        return found.map_or((None, None), |r| (Some(r.outcome), r.error.clone()));
    }
    let found = run.tables.iter().find(|t| t.table == table);
    found.map_or((None, None), |t| match &t.error {
        Some(error) => (Some(Outcome::Failed), Some(error.clone())),
        None => (Some(Outcome::Done), None),
    })
}

async fn table_status(
    lake: &Lake,
    job: &Job,
    name: &TableName,
    now: DateTime<Utc>,
) -> Result<Option<TableStatus>, Error> {
    let Some(snapshot) = Snapshot::open(lake, name).await? else {
        return Ok(None);
    };
    let watermark = match name.layer.as_str() {
        "coupa" => snapshot
            .transaction(&crate::run::watermark_id(&job.connection))
            .await?
            .and_then(DateTime::from_timestamp_micros),
        _ => None,
    };
    let info = snapshot.history(1).await?.into_iter().next();
    let info = info.unwrap_or_default();
    let last_commit = info
        .iter()
        .filter_map(|(key, value)| {
            let key = key.strip_prefix("spendlake.")?;
            Some((key.to_string(), value.clone()))
        })
        .collect();
    Ok(Some(TableStatus {
        table: name.to_string(),
        version: snapshot.version,
        rows: snapshot.row_count(),
        files: snapshot.files.len() as u64,
        bytes: snapshot.byte_count(),
        watermark,
        lag_seconds: watermark.map(|stamp| (now - stamp).num_seconds()),
        last_run_id: info
            .get("spendlake.run_id")
            .and_then(|id| id.as_str())
            .map(str::to_string),
        last_commit_at: snapshot.committed_at(),
        last_outcome: None,
        last_error: None,
        drift: Vec::new(),
        last_commit,
    }))
}
