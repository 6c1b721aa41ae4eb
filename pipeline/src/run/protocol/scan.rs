//! Windows, whole reads, and long scans in pieces.

use chrono::{DateTime, TimeDelta, Utc};
use extract::Probe;
use serde_json::json;

use super::check::day;
use super::clock::Clock;
use super::{ChangeLog, Cursor, CursorChange, Facts, Progress, Protocol};
use crate::error::Error;
use crate::load::KnownVersions;

/// A scan that reaches further back is cut into pieces.
const LONG: TimeDelta = TimeDelta::days(7);
/// How much wider than the piece before the next one may be, where ids have gaps.
const WIDEN: u64 = 8;

impl<L: ChangeLog> Protocol<'_, L> {
    /// Reads what changed since the watermark, or goes on with a scan that was not finished.
    ///
    /// Returns whether it went on: then what changed since that scan began is still to be read.
    pub(super) async fn scan_window(
        &mut self,
        facts: &Facts,
        probe: &Probe,
        clock: &Clock,
        full: bool,
    ) -> Result<bool, Error> {
        let mut since = match facts.watermark {
            Some(watermark) if !full => {
                // A clock that went back may have committed a watermark that lies ahead.
                Some(if clock.trusted {
                    watermark.min(clock.start - self.settings.overlap)
                } else {
                    watermark
                })
            }
            _ => self.settings.since,
        };
        let cursor = facts.cursor.filter(|cursor| cursor.since <= since);
        let mut clock = *clock;
        if let Some(cursor) = cursor {
            since = cursor.since;
            clock.start = clock.start.min(cursor.started);
        }
        let mut known = if facts.empty {
            KnownVersions::nothing(self.resource.watermark.as_deref())
        } else {
            self.log.held(since).await?
        };
        let newest = known.newest_change();
        let late_before = facts
            .watermark
            .filter(|_| !full)
            .map(|watermark| watermark + self.settings.overlap);
        let before = self.summary.records;
        let held = known.len();
        // Without a time to commit there is no scan to go on with.
        let long = since.is_none_or(|since| clock.start - since > LONG) && clock.trusted;
        let start = Cursor {
            since,
            started: clock.start,
            last_id: cursor.map_or(0, |cursor| cursor.last_id),
            max_id: probe.max_id.unwrap_or(0),
        };
        let mut at = start;
        if self.has_integer_ids() && (long || cursor.is_some()) {
            at = self.scan_pieces(start, probe, &mut known).await?;
        }
        let mut from = Vec::new();
        if at.last_id > 0 {
            from.push((
                format!("{}[gt_or_eq]", self.resource.key),
                (at.last_id + 1).to_string(),
            ));
        }
        let from: Vec<_> = from.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
        let stream = self.read_from(&from, self.scan(since, probe));
        let inside = |ids: &[i64]| ids.iter().all(|id| *id > at.last_id);
        let read = self.drain(stream, &mut known, late_before, inside).await?;
        if read.stopped {
            self.give_up_bounds(since, &mut known).await?;
            let stream = self.read_from(&[], self.scan(since, probe));
            self.drain(stream, &mut known, late_before, |_| true)
                .await?;
        }
        if self.summary.records == before && held > 0 && at.last_id == 0 {
            self.refuse_suspicious_empty(since, &known, probe).await?;
        }
        self.warn_of_late();
        let mut watermark = self.next_watermark(&clock, probe, facts.watermark, newest);
        if let Some(cursor) = cursor {
            // The first pieces were read then.
            watermark = watermark.min(Some(cursor.started - self.settings.overlap));
        }
        self.summary.watermark = watermark;
        let open = facts.cursor.is_some() || self.summary.pieces > 0;
        let first = facts.empty && facts.cursor.is_none() && clock.trusted;
        let progress = Progress {
            watermark,
            reconciled: first.then_some(clock.start),
            checked: facts.checked.is_none().then(|| day(&clock)),
            max_id: facts.max_id.max(probe.max_id),
            cursor: if open {
                CursorChange::Clear
            } else {
                CursorChange::Keep
            },
            lineage: self.lineage(since, watermark),
        };
        self.log.commit(progress).await?;
        Ok(cursor.is_some())
    }

    /// Reads and commits pieces of ids up to the last one, which is left to the caller: it is open above.
    ///
    /// Returns how far that came. If the source does not honour bounds, that is where it began.
    async fn scan_pieces(
        &mut self,
        start: Cursor,
        probe: &Probe,
        known: &mut KnownVersions,
    ) -> Result<Cursor, Error> {
        let key = &self.resource.key;
        let (above, below) = (format!("{key}[gt_or_eq]"), format!("{key}[lt]"));
        let mut at = start;
        let mut width = self.settings.piece_records;
        loop {
            let end = at.last_id.saturating_add_unsigned(width);
            // A piece and a half is one piece.
            if end.saturating_add_unsigned(width / 2) >= start.max_id {
                return Ok(at);
            }
            let mut bounds = vec![(below.as_str(), (end + 1).to_string())];
            if at.last_id > 0 {
                bounds.push((above.as_str(), (at.last_id + 1).to_string()));
            }
            let mut scan = self.scan(start.since, probe);
            scan.until_id = Some(end);
            let stream = self.read_from(&bounds, scan);
            let inside = |ids: &[i64]| ids.iter().all(|id| (at.last_id + 1..=end).contains(id));
            let read = self.drain(stream, known, None, inside).await?;
            if read.stopped {
                self.give_up_bounds(start.since, known).await?;
                return Ok(start);
            }
            at.last_id = end;
            if read.records > 0 {
                let progress = Progress {
                    cursor: CursorChange::Set(at),
                    max_id: probe.max_id,
                    lineage: self.lineage(start.since, None),
                    ..Progress::default()
                };
                self.summary.pieces += 1;
                self.log.commit(progress).await?;
                known.committed(end);
            }
            let records = share(self.settings.piece_records, read.records, width);
            let bytes = share(self.settings.piece_bytes, read.bytes, width);
            width = records
                .min(bytes)
                .clamp((width / WIDEN).max(1), width.saturating_mul(WIDEN));
        }
    }

    /// Commits what was written, and looks again at what the log holds: of finished pieces, that was forgotten.
    async fn give_up_bounds(
        &mut self,
        since: Option<DateTime<Utc>>,
        known: &mut KnownVersions,
    ) -> Result<(), Error> {
        self.warn("the source does not honour bounds on ids, so it is read in one".to_string());
        let progress = Progress {
            lineage: self.lineage(since, None),
            ..Progress::default()
        };
        self.log.commit(progress).await?;
        *known = self.log.held(since).await?;
        Ok(())
    }

    /// Reads a resource that tells no changes, and compares it with what the log holds.
    pub(super) async fn read_whole(&mut self, facts: &Facts, probe: &Probe) -> Result<(), Error> {
        let mut known = if facts.empty {
            KnownVersions::nothing(self.resource.watermark.as_deref())
        } else {
            self.log.held(None).await?
        };
        let held = known.len();
        known.track_seen();
        let stream = self.read_from(&[], self.scan(None, probe));
        let read = self.drain(stream, &mut known, None, |_| true).await?;
        if read.records == 0 && held > 0 && !self.settings.accept_deletes {
            self.refuse_suspicious_empty(None, &known, probe).await?;
        }
        let gone = known.gone();
        let deleted = if self.settings.dry_run {
            Ok(())
        } else {
            self.mark_gone(gone, held, &mut known).await
        };
        let progress = Progress {
            max_id: probe.max_id,
            lineage: self.lineage(None, None),
            ..Progress::default()
        };
        self.log.commit(progress).await?;
        deleted
    }

    pub(super) fn warn_of_late(&mut self) {
        let Some(late) = self.summary.late_seconds else {
            return;
        };
        let overlap = self.settings.overlap.num_seconds().unsigned_abs();
        if late > overlap / 2 {
            self.warn(format!(
                "a version was first seen {late} s behind its stamp, committed late or hidden until now; that is more \
                 than half of the overlap of {overlap} s: if it stays so, raise extract.overlap"
            ));
        }
    }

    pub(super) fn lineage(
        &self,
        since: Option<DateTime<Utc>>,
        watermark: Option<DateTime<Utc>>,
    ) -> std::collections::HashMap<String, serde_json::Value> {
        let summary = &self.summary;
        [
            ("resource", json!(summary.resource)),
            ("since", json!(since)),
            ("watermark", json!(watermark)),
            ("received", json!(summary.records)),
            ("quarantined", json!(summary.quarantined)),
            ("deleted", json!(summary.deleted)),
        ]
        .map(|(key, value)| (format!("spendlake.{key}"), value))
        .into()
    }
}

/// The width that would have brought `wanted` where `width` brought `got`.
fn share(wanted: u64, got: u64, width: u64) -> u64 {
    let width = u128::from(width) * u128::from(wanted) / u128::from(got.max(1));
    u64::try_from(width).unwrap_or(u64::MAX)
}
