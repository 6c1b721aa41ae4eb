//! A change log in memory, which looks at itself after every commit.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, TimeDelta, Utc};
use extract::Misfit;

use super::super::{ChangeLog, CursorChange, Facts, Progress};
use super::server::Shared;
use super::source::Version;
use crate::error::{Error, Kind};
use crate::load::KnownVersions;

#[derive(Clone, Debug)]
pub struct Row {
    pub id: i64,
    pub present: bool,
    pub serial: u64,
    pub hash: Vec<u8>,
    /// Microseconds.
    pub stamp: i64,
    pub extracted_at: DateTime<Utc>,
}

/// Where a commit breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Nothing of it is there.
    Before,
    /// It is there, and its answer is lost.
    After,
}

pub struct MemoryLog {
    pub rows: Vec<Row>,
    pub facts: Facts,
    pub source: Shared,
    pub commits: usize,
    /// What the invariants say of the commits so far.
    pub violations: Vec<String>,
    /// In how many commits something breaks.
    pub crash: Option<(usize, Crash)>,
    /// Older stamps, in seconds, are not wanted.
    pub wanted_since: i64,
    staged: Vec<Row>,
    at: DateTime<Utc>,
}

impl MemoryLog {
    pub fn new(source: Shared) -> MemoryLog {
        MemoryLog {
            rows: Vec::new(),
            facts: Facts {
                empty: true,
                ..Facts::default()
            },
            source,
            commits: 0,
            violations: Vec::new(),
            crash: None,
            wanted_since: i64::MIN,
            staged: Vec::new(),
            at: DateTime::UNIX_EPOCH,
        }
    }

    /// A new run, by this machine's clock; what the last one did not commit is gone.
    pub fn open(&mut self, now: DateTime<Utc>) {
        self.staged.clear();
        let last = self.rows.iter().map(|row| row.extracted_at).max();
        let next = last.map(|last| last + TimeDelta::microseconds(1));
        self.at = next.map_or(now, |next| next.max(now)).max(self.at);
    }

    /// The newest row of each record.
    pub fn newest(&self) -> BTreeMap<i64, &Row> {
        let mut newest: BTreeMap<i64, &Row> = BTreeMap::new();
        for row in &self.rows {
            let known = newest.entry(row.id).or_insert(row);
            if row.extracted_at >= known.extracted_at {
                *known = row;
            }
        }
        newest
    }

    /// Progress is never ahead of what is there.
    pub fn check(&mut self) {
        let source = self.source.lock().expect("no holder panics");
        let newest: HashMap<i64, u64> = self
            .newest()
            .into_iter()
            .map(|(id, row)| (id, row.serial))
            .collect();
        let (watermark, cursor) = (self.facts.watermark, self.facts.cursor);
        let seconds = |at: DateTime<Utc>| at.timestamp();
        let mut found = Vec::new();
        for (id, record) in &source.records {
            let wanted = |version: &Version| version.stamp >= self.wanted_since;
            if record.unsteady || !record.versions.last().is_some_and(wanted) {
                continue;
            }
            let held = newest.get(id).copied().unwrap_or(0);
            let must = record.versions.iter().rfind(|version| {
                let by_watermark = watermark.is_some_and(|watermark| {
                    !version.excused && version.stamp < seconds(watermark)
                });
                let by_cursor = cursor.is_some_and(|cursor| {
                    *id <= cursor.last_id
                        && version.shown_at < seconds(cursor.started)
                        && cursor
                            .since
                            .is_none_or(|since| version.stamp >= seconds(since))
                });
                by_watermark || by_cursor
            });
            // A later version that only a sweep finds may have hidden this one before it was read.
            let hidden = |serial| {
                let mut later = record
                    .versions
                    .iter()
                    .filter(|version| version.serial > serial);
                later.any(|version| version.excused)
            };
            if let Some(must) = must.filter(|must| must.serial > held && !hidden(must.serial)) {
                found.push(format!(
                    "commit {}: record {id} is held as {held}, {must:?} must have been seen; {:?}",
                    self.commits, self.facts
                ));
            }
        }
        drop(source);
        self.violations.extend(found);
    }
}

impl ChangeLog for MemoryLog {
    async fn facts(&self) -> Result<Facts, Error> {
        Ok(self.facts.clone())
    }

    async fn held(&self, since: Option<DateTime<Utc>>) -> Result<KnownVersions, Error> {
        let mut known = KnownVersions::nothing(Some("updated_at"));
        for (id, row) in self.newest() {
            let inside = since.is_none_or(|since| row.stamp >= since.timestamp_micros());
            if row.present && inside {
                known.hold(id, &row.hash, Some(row.stamp));
            }
        }
        Ok(known)
    }

    fn stamp(&self) -> DateTime<Utc> {
        self.at
    }

    async fn write(&mut self, rows: &RecordBatch, _: &[Misfit]) -> Result<(), Error> {
        let column = |name| rows.column_by_name(name).expect("the definition has it");
        let ids = column("id").as_primitive::<Int64Type>();
        let stamps = column("updated_at").as_primitive::<TimestampMicrosecondType>();
        let contents = column("content").as_string::<i32>();
        let hashes = column("_content_hash").as_binary::<i32>();
        let times = column("_extracted_at").as_primitive::<TimestampMicrosecondType>();
        for row in 0..rows.num_rows() {
            self.staged.push(Row {
                id: ids.value(row),
                present: true,
                serial: contents.value(row).parse().expect("a serial"),
                hash: hashes.value(row).to_vec(),
                stamp: stamps.value(row),
                extracted_at: DateTime::from_timestamp_micros(times.value(row)).expect("a time"),
            });
        }
        Ok(())
    }

    async fn write_deletions(&mut self, ids: &[i64]) -> Result<u64, Error> {
        let newest = self.newest();
        let gone: Vec<Row> = ids
            .iter()
            .filter_map(|id| newest.get(id))
            .filter(|row| row.present)
            .map(|row| Row {
                present: false,
                extracted_at: self.at,
                ..(*row).clone()
            })
            .collect();
        let count = gone.len() as u64;
        self.staged.extend(gone);
        Ok(count)
    }

    async fn commit(&mut self, progress: Progress) -> Result<(), Error> {
        let lost = || Err(Error::new(Kind::Unavailable, "the process ended here"));
        let crash = match &mut self.crash {
            Some((0, crash)) => {
                let crash = *crash;
                self.crash = None;
                Some(crash)
            }
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        if crash == Some(Crash::Before) {
            return lost();
        }
        self.rows.append(&mut self.staged);
        self.commits += 1;
        let facts = &mut self.facts;
        facts.empty = self.rows.is_empty();
        facts.watermark = progress.watermark.or(facts.watermark);
        facts.reconciled = progress.reconciled.or(facts.reconciled);
        facts.max_id = progress.max_id.or(facts.max_id);
        facts.checked = progress.checked.or(facts.checked);
        match progress.cursor {
            CursorChange::Keep => {}
            CursorChange::Set(cursor) => facts.cursor = Some(cursor),
            CursorChange::Clear => facts.cursor = None,
        }
        self.at += TimeDelta::microseconds(1);
        self.check();
        if crash == Some(Crash::After) {
            return lost();
        }
        Ok(())
    }
}
