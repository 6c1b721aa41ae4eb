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
    /// All that differs from the definitions, from this run and those before it.
    #[serde(default)]
    pub known_drift: Vec<KnownDrift>,
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
    /// Requests that are neither a page nor a look at the newest record.
    pub retries: u64,
    #[serde(skip)]
    pub(crate) probes: u64,
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
    /// How records differ from the definition, each way once with an example id.
    pub drift: Vec<DriftSummary>,
    pub watermark: Option<DateTime<Utc>>,
    /// Commits of a long scan before its last one, each a piece of its ids.
    #[serde(default)]
    pub pieces: u64,
    /// Of the versions that came behind the scan before, the most seconds between stamp and that scan.
    #[serde(default)]
    pub late_seconds: Option<u64>,
    /// What was odd at the source and did not keep the read from going on, a sentence each.
    #[serde(default)]
    pub warnings: Vec<String>,
    pub seconds: f64,
    pub outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

impl ResourceSummary {
    /// Nothing read yet.
    pub fn of(resource: &str) -> ResourceSummary {
        ResourceSummary {
            resource: resource.to_string(),
            requests: 0,
            retries: 0,
            probes: 0,
            pages: 0,
            records: 0,
            changed: 0,
            bytes: 0,
            quarantined: 0,
            deleted: 0,
            rounded: 0,
            drift: Vec::new(),
            watermark: None,
            pieces: 0,
            late_seconds: None,
            warnings: Vec::new(),
            seconds: 0.0,
            outcome: Outcome::Done,
            error: None,
        }
    }
}

/// A way in which records differ from the definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftSummary {
    /// Dotted, in snake case.
    pub path: String,
    /// `new_field`: no definition names it; `type_changed`: it holds something of another type.
    #[serde(default = "new_field")]
    pub kind: String,
    pub example_id: Option<String>,
}

fn new_field() -> String {
    "new_field".to_string()
}

/// A difference from the definitions that some run has met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDrift {
    pub resource: String,
    #[serde(flatten)]
    pub drift: DriftSummary,
    /// Start of the run that met it first.
    pub first_seen: DateTime<Utc>,
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

/// One table in one destination beyond the lake.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SinkSummary {
    /// The kind of destination: `postgresql`, `duckdb`, …
    pub sink: String,
    /// Missing where the destination could not be reached at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The lake's version of the table that the destination holds now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Rows sent.
    pub rows: u64,
    /// Texts whose NUL characters, which the destination refuses, became U+FFFD.
    #[serde(default)]
    pub nul_texts: u64,
    #[serde(default)]
    pub seconds: f64,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
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
    /// Takes over the differences that earlier runs have met, and adds those of this one.
    pub fn remember_drift(&mut self, earlier: Vec<KnownDrift>) {
        self.known_drift = earlier;
        for resource in &self.resources {
            for drift in &resource.drift {
                let known = self.known_drift.iter().any(|known| {
                    known.resource == resource.resource
                        && known.drift.path == drift.path
                        && known.drift.kind == drift.kind
                });
                if !known {
                    self.known_drift.push(KnownDrift {
                        resource: resource.resource.clone(),
                        drift: drift.clone(),
                        first_seen: self.started_at,
                    });
                }
            }
        }
    }

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
        let sinks = self.sinks.iter().filter_map(|s| s.error.as_ref());
        resources.chain(tables).chain(sinks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(started_at: &str, paths: &[&str]) -> Summary {
        let at: DateTime<Utc> = started_at.parse().expect("a time");
        let mut resource = ResourceSummary::of("invoices");
        resource.drift = paths
            .iter()
            .map(|path| DriftSummary {
                path: path.to_string(),
                kind: new_field(),
                example_id: Some("7".to_string()),
            })
            .collect();
        Summary {
            run_id: "run".to_string(),
            connection: "acme".to_string(),
            started_at: at,
            finished_at: at,
            outcome: Outcome::Done,
            resources: vec![resource],
            tables: Vec::new(),
            sinks: Vec::new(),
            known_drift: Vec::new(),
        }
    }

    #[test]
    fn a_difference_is_kept_from_run_to_run_and_listed_once() {
        let mut first = run("2026-03-01T00:00:00Z", &["colour"]);
        first.remember_drift(Vec::new());
        let kept = serde_json::to_string(&first).expect("a summary is JSON");
        let kept: Summary = serde_json::from_str(&kept).expect("and is read again");
        let mut second = run("2026-03-02T00:00:00Z", &["colour", "shape"]);
        second.remember_drift(kept.known_drift);
        let found: Vec<_> = second
            .known_drift
            .iter()
            .map(|known| (known.drift.path.as_str(), known.first_seen))
            .collect();
        assert_eq!(
            found,
            [("colour", first.started_at), ("shape", second.started_at)]
        );
    }
}
