//! The rotating check: each day a thirtieth of the records is read again and compared by content.
//!
//! It finds what changed without moving its stamp, within thirty days.

use super::clock::Clock;
use super::{ChangeLog, Facts, Progress, Protocol};
use crate::error::Error;

const PARTS: i64 = 30;

impl<L: ChangeLog> Protocol<'_, L> {
    /// Reads the parts that are due, and commits the day up to which the check has come. Days without a
    /// run are caught up, thirty at most.
    pub(super) async fn check_part(&mut self, facts: &Facts, clock: &Clock) -> Result<(), Error> {
        let today = day(clock);
        // Where nothing is known, the scan has just begun to count.
        let Some(checked) = facts.checked.filter(|checked| *checked < today) else {
            return Ok(());
        };
        let days = checked.max(today - PARTS)..today;
        let parts: Vec<i64> = days.map(|day| (day + 1).rem_euclid(PARTS)).collect();
        let mut held = self.log.held(self.settings.since).await?;
        let mut ids: Vec<i64> = held.ids().filter(|id| parts.contains(&part(*id))).collect();
        ids.sort_unstable();
        self.fetch(&ids, &mut held).await?;
        let progress = Progress {
            checked: Some(today),
            lineage: self.lineage(self.settings.since, self.summary.watermark),
            ..Progress::default()
        };
        self.log.commit(progress).await
    }
}

/// The server's day, counted from 1970.
pub(super) fn day(clock: &Clock) -> i64 {
    clock.start.timestamp().div_euclid(24 * 60 * 60)
}

/// Which part of the check an id belongs to, spread evenly whatever the gaps between ids.
fn part(id: i64) -> i64 {
    let mut mixed = (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^= mixed >> 32;
    (mixed % PARTS as u64) as i64
}
