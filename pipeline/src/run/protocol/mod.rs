//! How a resource is read so that nothing is lost: windows, pieces, sweeps, checks.
//!
//! The protocol knows the source (through `extract`) and a [`ChangeLog`], and nothing of tables or
//! files, so that the same code runs over the lake and over a log in memory (`tests`).
//!
//! A watermark `W` says: every version stamped before `W` that showed within the overlap of its stamp is in the
//! log. It is taken from the server's clock at the start of a scan, minus the overlap, and committed
//! when the scan is complete. A scan is open above, so that a record which changes all the time is read too.

mod check;
mod clock;
mod guard;
mod scan;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, TimeDelta, Utc};
use extract::{Decoded, ExtractError, Instance, Misfit, Payload, Probe, Reason, Scan};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use schemas::{Kind as FieldKind, Resource};

use super::references::References;
use crate::error::{Error, Kind};
use crate::job::{Event, ResourceState, Stop};
use crate::load::KnownVersions;
use crate::summary::{DriftSummary, ResourceSummary};

/// What the protocol needs of a resource's change log.
///
/// Nothing that is written is visible before [`ChangeLog::commit`], and then all of it is, together with
/// the progress that it stands for.
pub(super) trait ChangeLog {
    /// What earlier commits say of the source.
    async fn facts(&self) -> Result<Facts, Error>;

    /// The newest version of each record that is present, of those changed at or after `since`.
    async fn held(&self, since: Option<DateTime<Utc>>) -> Result<KnownVersions, Error>;

    /// The extraction time of what the next commit brings; each commit's is later than the one before,
    /// because of two versions the one extracted last is the newer.
    fn stamp(&self) -> DateTime<Utc>;

    async fn write(&mut self, rows: &RecordBatch, misfits: &[Misfit]) -> Result<(), Error>;

    /// Writes a deletion for each of these records; returns how many were there.
    async fn write_deletions(&mut self, ids: &[i64]) -> Result<u64, Error>;

    async fn commit(&mut self, progress: Progress) -> Result<(), Error>;
}

/// What the log's commits say of the source.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Whether the log holds no row yet.
    pub empty: bool,
    pub watermark: Option<DateTime<Utc>>,
    /// When ids were last swept.
    pub reconciled: Option<DateTime<Utc>>,
    /// The newest id that the source has shown.
    pub max_id: Option<i64>,
    /// The day, counted from 1970, up to which the rotating check has come.
    pub checked: Option<i64>,
    /// A long scan that was not finished.
    pub cursor: Option<Cursor>,
}

/// How far a long scan has come: every record up to `last_id` was read after `started`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub since: Option<DateTime<Utc>>,
    /// The server's clock when the scan began.
    pub started: DateTime<Utc>,
    pub last_id: i64,
    /// The newest id then.
    pub max_id: i64,
}

/// What a commit adds to the facts; `None` leaves one as it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    pub watermark: Option<DateTime<Utc>>,
    pub reconciled: Option<DateTime<Utc>>,
    pub max_id: Option<i64>,
    pub checked: Option<i64>,
    pub cursor: CursorChange,
    /// What people and tools read in the commit; decides nothing.
    pub lineage: HashMap<String, serde_json::Value>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) enum CursorChange {
    #[default]
    Keep,
    Set(Cursor),
    Clear,
}

/// Whether ids are swept in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sweep {
    Never,
    /// Once a week.
    IfDue,
    Now,
}

/// What the job and the call ask for.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub run_id: String,
    /// This machine's clock. It decides nothing; where it differs from the server's, the server is asked twice.
    pub now: DateTime<Utc>,
    /// The oldest change wanted.
    pub since: Option<DateTime<Utc>>,
    pub overlap: TimeDelta,
    pub payload: Payload,
    /// Read from `since` again.
    pub full: bool,
    pub sweep: Sweep,
    /// Mark what a sweep misses, however much it is.
    pub accept_deletes: bool,
    /// Read a thirtieth of the records again each day.
    pub check: bool,
    /// Read and compare, mark no deletions.
    pub dry_run: bool,
    /// A long scan is committed each time about so many records, or bytes of JSON, are complete.
    pub piece_records: u64,
    pub piece_bytes: u64,
    /// A sweep may miss so many records, or `gone_share` of them, before it is not believed.
    pub gone_floor: usize,
    pub gone_share: f64,
}

pub(super) const PIECE_BYTES: u64 = 256 << 20;
pub(super) const GONE_FLOOR: usize = 50;
pub(super) const GONE_SHARE: f64 = 0.005;

/// Decoded batches as they come from the source.
type Batches = BoxStream<'static, Result<Decoded, ExtractError>>;

/// One read of one resource.
pub(super) struct Protocol<'a, L> {
    pub instance: &'a Instance,
    pub resource: &'a Resource,
    pub settings: &'a Settings,
    pub log: &'a mut L,
    pub summary: &'a mut ResourceSummary,
    pub observe: &'a (dyn Fn(Event) + Send + Sync),
    pub stop: &'a Stop,
    /// The customer's own keys, as probed: what is read by id must read the same as what is read by list.
    pub extra_keys: Vec<Vec<String>>,
    /// Told of every batch that was read.
    pub references: &'a References,
}

impl<L: ChangeLog> Protocol<'_, L> {
    /// Reads what changed and commits it; then sweeps and checks where that is due.
    ///
    /// Errors: what was committed before stays, and the next read continues from it. A sweep that is not
    /// believed is an error after everything else has landed.
    pub(super) async fn read(mut self) -> Result<(), Error> {
        let facts = self.log.facts().await?;
        let mut probe = self.probe().await?;
        self.tell(ResourceState::Started {
            // The source tells no counts, and ids have gaps of any size.
            expected: None,
        });
        let rewound = self.refuse_rewound(&facts, &probe).await?;
        self.extra_keys.clone_from(&probe.extra_keys);
        if self.resource.watermark.is_none() {
            return self.read_whole(&facts, &probe).await;
        }
        let mut clock = self.read_clock(&facts, &probe).await?;
        let full = self.settings.full;
        let resumed = self.scan_window(&facts, &probe, &clock, full).await?;
        if resumed && !self.settings.dry_run {
            // Its first pieces are as old as its beginning: what changed since then comes now.
            let facts = self.log.facts().await?;
            probe = self.probe().await?;
            clock = self.read_clock(&facts, &probe).await?;
            self.scan_window(&facts, &probe, &clock, false).await?;
        }
        // What was read a moment ago as a whole needs no second look.
        let first = facts.empty && facts.cursor.is_none();
        if self.settings.dry_run || first || !self.has_integer_ids() {
            return Ok(());
        }
        if self.settings.check && clock.trusted {
            self.check_part(&facts, &clock).await?;
        }
        let week = TimeDelta::days(7);
        let due = match self.settings.sweep {
            Sweep::Never => false,
            Sweep::Now => true,
            Sweep::IfDue => {
                let recently = facts.reconciled.is_some_and(|at| clock.start - at < week);
                rewound || clock.went_back || !recently
            }
        };
        if due {
            self.sweep(&probe, &clock).await?;
        }
        Ok(())
    }

    async fn probe(&mut self) -> Result<Probe, Error> {
        let probe = extract::probe(self.instance, self.resource).await?;
        self.summary.requests += 1;
        self.summary.probes += 1;
        Ok(probe)
    }

    fn warn(&mut self, text: String) {
        tracing::warn!(resource = self.resource.name, "{text}");
        if !self.summary.warnings.contains(&text) {
            self.summary.warnings.push(text);
        }
    }

    fn tell(&self, state: ResourceState) {
        (self.observe)(Event::Resource {
            name: self.resource.name.clone(),
            state,
        });
    }

    /// Whether ids are integers, as with all of Coupa's resources but a few.
    fn has_integer_ids(&self) -> bool {
        let key = self.resource.field(&self.resource.key);
        key.is_some_and(|key| key.kind == FieldKind::Int64)
    }

    fn scan(&self, since: Option<DateTime<Utc>>, probe: &Probe) -> Scan {
        Scan {
            since,
            until_id: probe.max_id,
            server_time: probe.server_time,
            extra_keys: probe.extra_keys.clone(),
            payload: self.settings.payload,
            run_id: self.settings.run_id.clone(),
            extracted_at: self.log.stamp(),
        }
    }

    fn read_from(&self, query: &[(&str, String)], scan: Scan) -> Batches {
        let mut resource = self.resource.clone();
        let more = query
            .iter()
            .map(|(key, value)| (key.to_string(), value.clone()));
        resource.query.extend(more);
        extract::read(self.instance, Arc::new(resource), scan).boxed()
    }

    /// Moves decoded batches into the log, without what it holds. `each` is told the ids of a batch
    /// before, and may end it there.
    async fn drain(
        &mut self,
        stream: impl Stream<Item = Result<Decoded, ExtractError>>,
        known: &mut KnownVersions,
        late_before: Option<DateTime<Utc>>,
        mut each: impl FnMut(&[i64]) -> bool,
    ) -> Result<Drained, Error> {
        let mut batches = std::pin::pin!(stream);
        let mut drained = Drained::default();
        while let Some(decoded) = batches.next().await {
            if self.stop.is_requested() {
                return Err(interrupted());
            }
            let decoded = decoded?;
            drained.records += (decoded.batch.num_rows() + decoded.misfits.len()) as u64;
            drained.bytes += decoded.bytes;
            self.count(&decoded);
            self.references.note(&decoded.batch);
            self.note_late(&decoded.batch, known, late_before);
            let mut ids = integers(&decoded.batch, &self.resource.key);
            for misfit in &decoded.misfits {
                if let Some(id) = misfit.id.as_ref().and_then(|id| id.parse().ok()) {
                    known.see_misfit(id);
                    ids.push(id);
                }
            }
            // What was not asked for is not written: it may no longer be known what the log holds of it.
            if !each(&ids) {
                drained.stopped = true;
                break;
            }
            let changed = known
                .only_changed(&decoded.batch)
                .map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
            self.summary.changed += changed.num_rows() as u64;
            if changed.num_rows() > 0 || !decoded.misfits.is_empty() {
                self.log.write(&changed, &decoded.misfits).await?;
            }
            self.tell(ResourceState::Progress {
                records: self.summary.records,
                pages: self.summary.pages,
                bytes: self.summary.bytes,
            });
        }
        Ok(drained)
    }

    fn count(&mut self, decoded: &Decoded) {
        let summary = &mut *self.summary;
        summary.records += (decoded.batch.num_rows() + decoded.misfits.len()) as u64;
        summary.quarantined += decoded.misfits.len() as u64;
        summary.rounded += decoded.rounded;
        count_requests(summary, decoded);
        let mut found: BTreeMap<(String, &str), Option<String>> = BTreeMap::new();
        for drift in &decoded.drift {
            found.insert((drift.path.clone(), "new_field"), drift.example_id.clone());
        }
        for misfit in &decoded.misfits {
            if misfit.reason == Reason::WrongType {
                let key = (misfit.field.clone(), "type_changed");
                found.entry(key).or_insert(misfit.id.clone());
            }
        }
        for ((path, kind), example_id) in found {
            if !summary
                .drift
                .iter()
                .any(|d| d.path == path && d.kind == kind)
            {
                summary.drift.push(DriftSummary {
                    path,
                    kind: kind.to_string(),
                    example_id,
                });
            }
        }
    }

    /// A version that is new to us, and older than the start of the scan before, was committed late.
    fn note_late(
        &mut self,
        batch: &RecordBatch,
        known: &KnownVersions,
        late_before: Option<DateTime<Utc>>,
    ) {
        let Some((before, times)) = late_before.zip(self.changes(batch)) else {
            return;
        };
        let before = before.timestamp_micros();
        let late = known
            .lacking(batch)
            .into_iter()
            .filter_map(|(row, held)| {
                let at = times.is_valid(row).then(|| times.value(row))?;
                // One that went backwards was not late.
                (at < before && held.is_none_or(|held| held <= at)).then_some(before - at)
            })
            .max();
        if let Some(late) = late {
            let seconds = late.div_euclid(1_000_000).unsigned_abs();
            self.summary.late_seconds = self.summary.late_seconds.max(Some(seconds));
        }
    }

    fn changes<'b>(
        &self,
        batch: &'b RecordBatch,
    ) -> Option<&'b arrow::array::TimestampMicrosecondArray> {
        let column = self.resource.watermark.as_deref()?;
        batch
            .column_by_name(column)?
            .as_primitive_opt::<TimestampMicrosecondType>()
    }
}

/// What went through one call of `drain`.
#[derive(Clone, Copy, Debug, Default)]
struct Drained {
    records: u64,
    bytes: u64,
    /// The caller has seen enough.
    stopped: bool,
}

fn count_requests(summary: &mut ResourceSummary, decoded: &Decoded) {
    summary.pages += decoded.pages;
    summary.requests += decoded.requests;
    summary.bytes += decoded.bytes;
}

fn integers(batch: &RecordBatch, column: &str) -> Vec<i64> {
    batch
        .column_by_name(column)
        .and_then(|ids| ids.as_primitive_opt::<Int64Type>())
        .map(|ids| ids.values().to_vec())
        .unwrap_or_default()
}

fn interrupted() -> Error {
    Error::new(Kind::Unavailable, "stopped on request before its commit")
        .with_hint("run again to continue; nothing was lost")
}
