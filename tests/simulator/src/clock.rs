//! The simulator's own time: its stamps, its `Date` header and the age of its tokens follow it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use crate::zone::instant;

/// A clock that starts at a given instant and runs, or stands until it is moved.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Seconds since 1970 at the start, moved by hand.
    base: AtomicI64,
    /// `None`: the clock stands.
    started: Option<Instant>,
}

impl Clock {
    /// A clock that runs as the real one does.
    pub fn running(from: DateTime<Utc>) -> Clock {
        Clock::new(from, Some(Instant::now()))
    }

    /// A clock that stands until it is moved.
    pub fn standing(at: DateTime<Utc>) -> Clock {
        Clock::new(at, None)
    }

    fn new(from: DateTime<Utc>, started: Option<Instant>) -> Clock {
        Clock(Arc::new(Inner {
            base: AtomicI64::new(from.timestamp()),
            started,
        }))
    }

    /// Now, to the second.
    pub fn now(&self) -> DateTime<Utc> {
        instant(self.secs())
    }

    /// Moves the clock forward by whole seconds.
    pub fn advance(&self, by: Duration) {
        self.0.base.fetch_add(by.as_secs() as i64, Ordering::SeqCst);
    }

    pub(crate) fn secs(&self) -> i64 {
        let ran = self.0.started.map_or(0, |at| at.elapsed().as_secs() as i64);
        self.0.base.load(Ordering::SeqCst) + ran
    }
}
