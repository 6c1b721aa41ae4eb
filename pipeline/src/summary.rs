//! What a run did, for machines and people.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};

/// One run of one job. Its JSON form is part of the product's contract.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    pub run_id: String,
    pub connection: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub outcome: Outcome,
    pub resources: Vec<ResourceSummary>,
    pub tables: Vec<TableSummary>,
    pub sinks: Vec<SinkSummary>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done,
    /// Everything landed but for more misfits than the job tolerates.
    Misfits,
    /// Stopped on request; a second run continues.
    Interrupted,
    Failed,
}

/// One resource read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResourceSummary {
    pub resource: String,
    pub requests: u64,
    pub retries: u64,
    pub pages: u64,
    /// Records received; those unchanged since the last run included.
    pub records: u64,
    /// Of them, new or changed ones: what the change log took.
    pub changed: u64,
    /// JSON received.
    pub bytes: u64,
    pub quarantined: u64,
    pub deleted: u64,
    /// Decimals with more than nine places, rounded half-even.
    pub rounded: u64,
    /// Keys that no definition names, each with an example id.
    pub drift: Vec<DriftSummary>,
    pub watermark: Option<DateTime<Utc>>,
    pub seconds: f64,
    pub outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftSummary {
    pub path: String,
    pub example_id: Option<String>,
}

/// One table of the lake as the run left it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableSummary {
    pub table: String,
    pub version: u64,
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
    pub rows: u64,
    /// Of the new rows, those with a status word of the source that no word table maps.
    pub unmapped_statuses: u64,
    pub seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// One destination beyond the lake.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SinkSummary {
    pub sink: String,
    pub rows: u64,
    pub outcome: Outcome,
}

/// An error in a summary: the chain of causes in one text, and the remedy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    pub kind: Kind,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let mut message = error.message.clone();
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            let text = inner.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = inner.source();
        }
        Problem {
            kind: error.kind,
            message,
            hint: error.hint.clone(),
        }
    }
}

impl Summary {
    /// The worst of what happened, as the command's exit code.
    pub fn exit_code(&self) -> u8 {
        if self.outcome == Outcome::Done {
            return 0;
        }
        self.problems()
            .map(|problem| problem.kind)
            .max()
            .unwrap_or(Kind::Unavailable)
            .exit_code()
    }

    /// Everything that went wrong.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        let resources = self.resources.iter().filter_map(|r| r.error.as_ref());
        let tables = self.tables.iter().filter_map(|t| t.error.as_ref());
        resources.chain(tables)
    }
}
