//! Sweeps: the ids and stamps that the source shows, beside those that the log holds.

use std::collections::HashSet;

use arrow::array::Array;
use chrono::{DateTime, TimeDelta, Utc};
use extract::{Payload, Probe, Scan};
use futures::StreamExt;
use schemas::{Field, Kind as FieldKind, Resource};

use super::clock::Clock;
use super::{Batches, ChangeLog, Progress, Protocol, count_requests, integers, interrupted};
use crate::error::{Error, Kind};
use crate::load::KnownVersions;
use crate::summary::ResourceSummary;

/// Records asked for at once by id: a page.
const ASKED: usize = 50;
/// Records that a run fetches because others refer to them.
const FETCHED: usize = 5_000;
/// Requests by id under way at once; the instance's own limit stands above it.
const REQUESTS: usize = 4;

impl<L: ChangeLog> Protocol<'_, L> {
    /// Lists ids and stamps, reads again what the log lacks or holds with another stamp, and marks what
    /// is gone. Its result stands whatever the stamps say: a record may have gone back in time.
    pub(super) async fn sweep(&mut self, probe: &Probe, clock: &Clock) -> Result<(), Error> {
        let mut held = self.log.held(self.settings.since).await?;
        let count = held.len();
        held.track_seen();
        let mut wanted = Vec::new();
        let stream = extract::read(
            self.instance,
            ids_only(self.resource).into(),
            Scan {
                payload: Payload::Full,
                extra_keys: Vec::new(),
                ..self.scan(self.settings.since, probe)
            },
        );
        let mut batches = std::pin::pin!(stream);
        while let Some(decoded) = batches.next().await {
            if self.stop.is_requested() {
                return Err(interrupted());
            }
            let decoded = decoded?;
            count_requests(self.summary, &decoded);
            let times = self.changes(&decoded.batch);
            for (row, id) in integers(&decoded.batch, &self.resource.key)
                .into_iter()
                .enumerate()
            {
                // Without a stamp there is nothing to compare.
                let at = times
                    .filter(|times| times.is_valid(row))
                    .map(|times| times.value(row));
                let known = held.see(id);
                if known.is_none() || at.is_some() && known != at {
                    wanted.push(id);
                }
            }
            let misfits = decoded
                .misfits
                .iter()
                .filter_map(|misfit| misfit.id.as_ref()?.parse().ok());
            misfits.for_each(|id| held.see_misfit(id));
        }
        wanted.sort_unstable();
        let gone = held.gone();
        let late_before = clock.start;
        self.fetch_late(&wanted, &mut held, Some(late_before))
            .await?;
        self.warn_of_late();
        // A sweep that is not believed holds nothing else back, and stays due.
        let marked = self.mark_gone(gone, count, &mut held).await;
        let progress = Progress {
            reconciled: marked.is_ok().then_some(clock.start),
            max_id: marked.is_ok().then_some(probe.max_id).flatten(),
            lineage: self.lineage(self.settings.since, self.summary.watermark),
            ..Progress::default()
        };
        self.log.commit(progress).await?;
        marked
    }

    /// Writes a deletion for each id that is gone, unless so many are that the source is not believed.
    ///
    /// Each is asked for by its id before: a list may have missed it.
    pub(super) async fn mark_gone(
        &mut self,
        gone: Vec<i64>,
        held: usize,
        known: &mut KnownVersions,
    ) -> Result<(), Error> {
        if gone.is_empty() {
            return Ok(());
        }
        let too_many = gone.len() > self.most_gone(held) || gone.len() == held;
        if too_many && !self.settings.accept_deletes {
            let text = format!(
                "{} of {held} {} are no longer shown by the source; deletions are not marked",
                gone.len(),
                self.summary.resource
            );
            return Err(Error::new(Kind::Invalid, text).with_hint(
                "check what the OAuth client may see (content groups, scopes); if they are really gone, run with \
                 --reconcile --accept-deletes. What changed has landed all the same",
            ));
        }
        let shown = self.fetch(&gone, known).await?;
        let gone: Vec<i64> = gone.into_iter().filter(|id| !shown.contains(id)).collect();
        if !gone.is_empty() {
            self.summary.deleted += self.log.write_deletions(&gone).await?;
        }
        Ok(())
    }

    /// Reads records by their ids, ascending, and writes what differs; returns those that were shown.
    pub(super) async fn fetch(
        &mut self,
        ids: &[i64],
        known: &mut KnownVersions,
    ) -> Result<HashSet<i64>, Error> {
        self.fetch_late(ids, known, None).await
    }

    async fn fetch_late(
        &mut self,
        ids: &[i64],
        known: &mut KnownVersions,
        late_before: Option<DateTime<Utc>>,
    ) -> Result<HashSet<i64>, Error> {
        let mut shown = HashSet::new();
        if ids.is_empty() {
            return Ok(shown);
        }
        let asked: HashSet<i64> = ids.iter().copied().collect();
        let reads: Vec<_> = ids.chunks(ASKED).map(|ids| self.by_id(ids)).collect();
        let stream = futures::stream::iter(reads).flatten_unordered(REQUESTS);
        let read = self
            .drain(stream, known, late_before, |ids| {
                shown.extend(ids);
                ids.iter().all(|id| asked.contains(id))
            })
            .await?;
        if read.stopped {
            self.warn("the source does not honour id[in], so all is read to find some".to_string());
            let scan = Scan {
                until_id: None,
                ..self.scan_by_id()
            };
            let stream = self.read_from(&[], scan);
            self.drain(stream, known, late_before, |ids| {
                shown.extend(ids);
                true
            })
            .await?;
        }
        Ok(shown)
    }

    /// Reads those of these records, ascending, that the log lacks, and commits what is found.
    pub(in crate::run) async fn fetch_missing(mut self, ids: &[i64]) -> Result<(), Error> {
        if !self.has_integer_ids() {
            return Ok(());
        }
        let mut held = self.log.held(None).await?;
        let known: HashSet<i64> = held.ids().collect();
        let mut missing: Vec<i64> = ids
            .iter()
            .copied()
            .filter(|id| !known.contains(id))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        if missing.len() > FETCHED {
            self.warn(format!(
                "others refer to {} records that the log lacks; {FETCHED} are fetched now, the rest in later runs",
                missing.len()
            ));
            // Each run another part, so that some that can not be seen do not stand before the others for ever.
            let start = self.log.stamp().timestamp_micros().unsigned_abs() as usize % missing.len();
            missing.rotate_left(start);
            missing.truncate(FETCHED);
            missing.sort_unstable();
        }
        self.extra_keys = self.probe().await?.extra_keys;
        let written = |summary: &ResourceSummary| summary.changed + summary.quarantined;
        let before = written(self.summary);
        self.fetch(&missing, &mut held).await?;
        if written(self.summary) == before {
            return Ok(());
        }
        let progress = Progress {
            lineage: self.lineage(None, self.summary.watermark),
            ..Progress::default()
        };
        self.log.commit(progress).await
    }

    /// The stamps of those of these records that are shown.
    pub(super) async fn stamps_of(&mut self, ids: &[i64]) -> Result<Vec<i64>, Error> {
        let mut stamps = Vec::new();
        if ids.is_empty() {
            return Ok(stamps);
        }
        let mut batches = self.by_id(ids);
        while let Some(decoded) = batches.next().await {
            let decoded = decoded?;
            count_requests(self.summary, &decoded);
            if let Some(times) = self.changes(&decoded.batch) {
                stamps.extend(times.iter().flatten());
            }
        }
        Ok(stamps)
    }

    fn by_id(&self, ids: &[i64]) -> Batches {
        let list: Vec<String> = ids.iter().map(i64::to_string).collect();
        let scan = Scan {
            until_id: ids
                .last()
                .copied()
                .filter(|_| self.resource.watermark.is_some()),
            ..self.scan_by_id()
        };
        let filter = format!("{}[in]", self.resource.key);
        self.read_from(&[(filter.as_str(), list.join(","))], scan)
    }

    /// A short window from the beginning of time, so that no range is split before there is much to read.
    fn scan_by_id(&self) -> Scan {
        let beginning = DateTime::<Utc>::UNIX_EPOCH;
        Scan {
            since: Some(beginning),
            until_id: None,
            server_time: beginning + TimeDelta::days(1),
            extra_keys: self.extra_keys.clone(),
            payload: self.settings.payload,
            run_id: self.settings.run_id.clone(),
            extracted_at: self.log.stamp(),
        }
    }
}

/// The same resource with its key and stamp alone: the smallest answers there are.
fn ids_only(resource: &Resource) -> Resource {
    let mut ids_only = resource.clone();
    let kind = |name: &String| resource.field(name).map(|field| field.kind.clone());
    let names = [Some(resource.key.clone()), resource.watermark.clone()];
    ids_only.fields = names
        .into_iter()
        .flatten()
        .map(|name| Field {
            kind: kind(&name).unwrap_or(FieldKind::Utf8),
            name,
        })
        .collect();
    // Asked for by hand: the list made of a definition would ask for all custom fields too.
    let names: Vec<&str> = ids_only
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    let list = serde_json::json!(names).to_string();
    ids_only.query.insert("fields".to_string(), list);
    ids_only
}
