//! The work of a run without a source: pages of a day into the logs, the logs into the unified tables.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use extract::{Decoded, Decoder, Stamp};
use schemas::{Resource, Schemas};
use serde_json::{Value, json};

use super::super::log::LogAppend;
use super::super::protocol::{ChangeLog, Cursor, CursorChange, Progress};
use super::super::{RunMark, record_run, refresh, with_lease};
use crate::catalog::Lake;
use crate::error::Error;
use crate::load::KnownVersions;
use crate::summary::{Outcome, Summary};

/// What is worked with, resources and tables: more at once would only make each trial longer.
pub(super) const SCENES: [(&[&str], &[&str]); 2] = [
    (&["departments"], &["departments"]),
    (&["user_groups"], &[]),
];
/// The same with `SPENDLAKE_LONG=1`: a table that reads two logs, and one of its parts.
pub(super) const LONG_SCENE: (&[&str], &[&str]) = (
    &["user_group_memberships", "user_groups"],
    &["group_members", "groups"],
);
/// Records of a piece: small, so that a scan is committed more than once.
const PIECE: usize = 2;

/// What the source shows on a day, by resource; ids ascend.
#[derive(Clone, Debug, Default)]
pub(super) struct Day {
    pub number: i64,
    pub records: BTreeMap<&'static str, Vec<Value>>,
}

fn stamp_of(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_323_200, 0).expect("a time") + TimeDelta::days(day)
}

impl Day {
    /// The first day: no groups yet.
    pub(super) fn first() -> Day {
        let at = stamp_of(0).to_rfc3339();
        let departments = (1..=3).map(|id| {
            json!({"id": id, "name": format!("Department {id}"), "active": true, "updated-at": at})
        });
        let members = (1..=6).map(|id| {
            json!({"id": id, "user-id": 100 + id, "user-group-id": 1 + id % 3, "owner": id % 2 == 0,
                   "updated-at": at})
        });
        let records: BTreeMap<_, Vec<_>> = BTreeMap::from([
            ("departments", departments.collect()),
            ("user_group_memberships", members.collect()),
        ]);
        Day { number: 0, records }
    }

    /// The day after: of each resource one changed, one new and one gone; the first groups, and one that
    /// does not fit.
    pub(super) fn next(&self) -> Day {
        let mut day = self.clone();
        day.number += 1;
        let at = stamp_of(day.number).to_rfc3339();
        for records in day.records.values_mut() {
            let last = records.last().and_then(|one| one["id"].as_i64());
            records.remove(1);
            records[1]["active"] = json!(false);
            records[1]["owner"] = json!(true);
            records[1]["updated-at"] = json!(at);
            let mut new = records[0].clone();
            new["id"] = json!(last.unwrap_or(0) + 1);
            new["name"] = json!("New");
            new["updated-at"] = json!(at);
            records.push(new);
        }
        let groups = (1..=4).map(
            |id| json!({"id": id, "name": format!("Group {id}"), "active": true, "updated-at": at}),
        );
        let odd = json!({"id": 99, "name": "Odd", "active": "perhaps", "updated-at": at});
        day.records
            .insert("user_groups", groups.chain([odd]).collect());
        day
    }
}

/// Only these definitions.
pub(super) fn schemas((resources, tables): (&[&str], &[&str])) -> Schemas {
    let mut schemas = Schemas::embedded().expect("the definitions are sound");
    schemas.report_tables.clear();
    schemas
        .tables
        .retain(|name, _| tables.contains(&name.as_str()));
    schemas
        .resources
        .retain(|name, _| resources.contains(&name.as_str()));
    schemas
}

/// One run: takes the lease, reads what the day shows, refreshes the tables, keeps its summary.
///
/// As in production a resource or a table that fails does not keep the others from their work.
pub(super) async fn work(lake: &Lake, schemas: &Schemas, day: &Day, run: i64) -> Result<(), Error> {
    let mark = RunMark {
        connection: "acme".to_string(),
        run_id: format!("run-{run}"),
        started_at: stamp_of(day.number) + TimeDelta::minutes(run),
        epoch: 0,
    };
    lake.probe(&mark.run_id).await?;
    with_lease(lake, &mark, async |mark| {
        let mut failed = None;
        for (name, resource) in &schemas.resources {
            let Some(records) = day.records.get(name.as_str()) else {
                continue;
            };
            if let Err(error) = append(lake, schemas, resource, records, mark).await {
                failed.get_or_insert(error);
            }
        }
        let tables = refresh(lake, schemas, mark).await?;
        for problem in tables.iter().filter_map(|table| table.error.as_ref()) {
            failed.get_or_insert(Error::new(problem.kind, problem.message.clone()));
        }
        record_run(lake, &summary(mark)).await?;
        failed.map_or(Ok(()), Err)
    })
    .await
}

fn summary(mark: &RunMark) -> Summary {
    Summary {
        run_id: mark.run_id.clone(),
        connection: mark.connection.clone(),
        started_at: mark.started_at,
        finished_at: mark.started_at,
        outcome: Outcome::Done,
        resources: Vec::new(),
        tables: Vec::new(),
        sinks: Vec::new(),
        known_drift: Vec::new(),
    }
}

/// A window in pieces: what changed since the watermark, behind the cursor of a scan that was not finished;
/// then what is gone.
///
/// It trusts what the log says of its progress, so that a log which says more than it holds loses rows.
async fn append(
    lake: &Lake,
    schemas: &Schemas,
    resource: &Resource,
    records: &[Value],
    mark: &RunMark,
) -> Result<(), Error> {
    let mut log = LogAppend::open(lake, schemas, resource, mark).await?;
    let facts = log.facts().await?;
    let mut known = if facts.empty {
        KnownVersions::nothing(resource.watermark.as_deref())
    } else {
        log.held(None).await?
    };
    let shown: HashSet<i64> = records
        .iter()
        .filter_map(|one| one["id"].as_i64())
        .collect();
    let mut gone: Vec<i64> = known.ids().filter(|id| !shown.contains(id)).collect();
    gone.sort_unstable();
    let after = facts.cursor.map_or(0, |cursor| cursor.last_id);
    let changed = |one: &&Value| {
        let at = one["updated-at"].as_str().and_then(|at| at.parse().ok());
        let watermark = facts.watermark.filter(|_| resource.watermark.is_some());
        one["id"].as_i64() > Some(after) && (watermark.is_none() || at >= watermark)
    };
    let window: Vec<&Value> = records.iter().filter(changed).collect();
    let mut pieces = window.chunks(PIECE).peekable();
    while let Some(piece) = pieces.next() {
        let decoded = decode(resource, piece, log.stamp(), mark);
        let fresh = known.only_changed(&decoded.batch).expect("a batch");
        log.write(&fresh, &decoded.misfits).await?;
        if pieces.peek().is_some() {
            let last_id = piece.last().and_then(|one| one["id"].as_i64()).unwrap_or(0);
            log.commit(Progress {
                cursor: CursorChange::Set(Cursor {
                    since: facts.watermark,
                    started: mark.started_at,
                    last_id,
                    max_id: last_id,
                }),
                ..Progress::default()
            })
            .await?;
            known.committed(last_id);
        }
    }
    if !gone.is_empty() {
        log.write_deletions(&gone).await?;
    }
    log.commit(Progress {
        watermark: Some(mark.started_at),
        cursor: CursorChange::Clear,
        ..Progress::default()
    })
    .await
}

fn decode(resource: &Resource, records: &[&Value], at: DateTime<Utc>, mark: &RunMark) -> Decoded {
    let stamp = Stamp {
        run_id: mark.run_id.clone(),
        extracted_at: at,
    };
    let mut decoder = Decoder::new(Arc::new(resource.clone()), stamp);
    let page = serde_json::to_vec(records).expect("it is JSON");
    decoder.page(&page).expect("it is a page");
    decoder.finish().expect("it is a batch")
}
