//! Which time a scan may commit: the server's, and only as far as it can be believed.

use chrono::{DateTime, TimeDelta, Utc};
use extract::Probe;

use super::{ChangeLog, Facts, Protocol};
use crate::error::Error;

/// Two answers a moment apart, or the server and this machine, may differ by so much.
const STEADY: TimeDelta = TimeDelta::minutes(5);

/// The clock of one scan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// The server's time when the scan began.
    pub start: DateTime<Utc>,
    /// Whether `start` was read from an answer's `Date` that others agree with.
    pub trusted: bool,
    /// The server's time lies before that of an earlier scan: that one may have committed too much.
    pub went_back: bool,
}

impl<L: ChangeLog> Protocol<'_, L> {
    /// Takes the probe's time, and asks once more where it looks odd.
    pub(super) async fn read_clock(
        &mut self,
        facts: &Facts,
        probe: &Probe,
    ) -> Result<Clock, Error> {
        let before = facts
            .watermark
            .map(|watermark| watermark + self.settings.overlap);
        let start = probe.server_time;
        // The only thing a probe complains of is an answer without a Date. The time that it gives then is a
        // stamp the server has written: never after the start, but perhaps far before it.
        if !probe.notes.is_empty() {
            self.warn(
                "the server's answers carry no Date; the watermark follows the records' own stamps"
                    .to_string(),
            );
            return Ok(Clock {
                start,
                trusted: false,
                went_back: false,
            });
        }
        let backwards = before.is_some_and(|before| start + STEADY < before);
        let odd = backwards || (start - self.settings.now).abs() > STEADY;
        let mut clock = Clock {
            start,
            trusted: true,
            went_back: backwards,
        };
        if !odd {
            return Ok(clock);
        }
        let again = self.probe().await?.server_time;
        if again < start || again - start > STEADY {
            let text = format!(
                "the server's clock said {start} and then {again}; the watermark follows the records' own stamps"
            );
            self.warn(text);
            clock.trusted = false;
            clock.went_back = false;
        } else if backwards {
            self.warn(format!(
                "the server's clock is {start}, before the {} of an earlier run",
                before.unwrap_or_default()
            ));
        }
        Ok(clock)
    }

    /// What a complete scan may commit. `newest` is the newest stamp that the log held before the scan.
    ///
    /// `None`: nothing can be said, and the next run reads the same again.
    pub(super) fn next_watermark(
        &self,
        clock: &Clock,
        probe: &Probe,
        committed: Option<DateTime<Utc>>,
        newest: Option<DateTime<Utc>>,
    ) -> Option<DateTime<Utc>> {
        let overlap = self.settings.overlap;
        if clock.trusted {
            return Some(clock.start - overlap);
        }
        // Stamps from before the scan are times that the server's clock had passed when it began.
        let stamped = (!probe.notes.is_empty()).then_some(clock.start);
        let stamp = newest.max(stamped).map(|stamp| stamp - overlap);
        committed.max(stamp)
    }
}
