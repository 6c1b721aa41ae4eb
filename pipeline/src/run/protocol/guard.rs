//! What makes the protocol stop before it writes: a source that is not what it was.

use chrono::{DateTime, Utc};
use extract::Probe;

use super::{ChangeLog, Facts, Protocol};
use crate::error::{Error, Kind};
use crate::load::KnownVersions;

/// How many records are asked for by id to find out whether an empty window is true.
const ASKED: usize = 50;

impl<L: ChangeLog> Protocol<'_, L> {
    /// Whether ids that the log holds lie beyond the newest that the source shows.
    ///
    /// A few are deletions, and a sweep finds them. Errors: so many that the source was set back, or none
    /// is shown at all.
    pub(super) async fn refuse_rewound(
        &mut self,
        facts: &Facts,
        probe: &Probe,
    ) -> Result<bool, Error> {
        let Some(before) = facts.max_id.filter(|_| self.has_integer_ids()) else {
            return Ok(false);
        };
        if probe.max_id.is_some_and(|newest| newest >= before) || self.settings.dry_run {
            return Ok(false);
        }
        let held = self.log.held(None).await?;
        let name = &self.resource.name;
        let Some(newest) = probe.max_id else {
            if held.is_empty() || self.settings.accept_deletes {
                return Ok(false);
            }
            let text = format!(
                "the source shows no {name} at all, while the log holds {}; nothing was read",
                held.len()
            );
            return Err(Error::new(Kind::Invalid, text).with_hint(HINT_ALL_GONE));
        };
        let beyond = held.ids().filter(|id| *id > newest).count();
        if beyond > self.most_gone(held.len()) && !self.settings.accept_deletes {
            let text = format!(
                "the newest id of {name} at the source is {newest}, it was {before}, and {beyond} records lie between: \
                 the source was set back; nothing was read"
            );
            return Err(Error::new(Kind::Invalid, text).with_hint(
                "a sandbox was refreshed or a backup restored: use a new connection for it, or run with \
                 --full --reconcile --accept-deletes to follow",
            ));
        }
        Ok(beyond > 0)
    }

    /// Errors: a scan that showed nothing although it must have.
    ///
    /// An empty window is believed only when the records that the log holds of it are not there either.
    pub(super) async fn refuse_suspicious_empty(
        &mut self,
        since: Option<DateTime<Utc>>,
        known: &KnownVersions,
        probe: &Probe,
    ) -> Result<(), Error> {
        let name = self.resource.name.clone();
        let Some(since) = since else {
            if probe.max_id.is_none() {
                return Ok(());
            }
            let text =
                format!("reading all {name} showed none, although the newest one is shown alone");
            return Err(Error::new(Kind::Unavailable, text).with_hint(HINT_FILTER));
        };
        let mut ids: Vec<i64> = known.ids().collect();
        ids.sort_unstable();
        ids.drain(..ids.len().saturating_sub(ASKED));
        let shown = self.stamps_of(&ids).await?;
        let inside = shown
            .iter()
            .filter(|at| **at >= since.timestamp_micros())
            .count();
        if inside == 0 {
            return Ok(());
        }
        let text = format!(
            "the source shows no {name} changed since {since}, but {inside} of them when asked by id; the watermark stays"
        );
        Err(Error::new(Kind::Unavailable, text).with_hint(HINT_FILTER))
    }

    /// How many records may be gone before that is not believed.
    pub(super) fn most_gone(&self, held: usize) -> usize {
        let share = (held as f64 * self.settings.gone_share) as usize;
        self.settings.gone_floor.max(share)
    }
}

const HINT_FILTER: &str = "the source's filters do not work as documented, or its answer was stale: run again, and look at the instance if it stays";
const HINT_ALL_GONE: &str = "check the scopes and content groups of the OAuth client; if they are really gone, run with --accept-deletes";
