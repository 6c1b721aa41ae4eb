//! A checked job: what to read, from where, to where. `jobs` makes it out of a job file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use crate::catalog::LakeSettings;

/// One Coupa instance and one lake.
#[derive(Clone, Debug)]
pub struct Job {
    /// Names the instance; a column on every row.
    pub connection: String,
    pub source: extract::Settings,
    pub payload: extract::Payload,
    /// `None`: every resource that is defined.
    pub resources: Option<Vec<String>>,
    /// Oldest change wanted on the first run.
    pub since: Option<DateTime<Utc>>,
    /// How far each window reaches back behind the one before.
    pub overlap: Duration,
    pub reconcile: Reconcile,
    /// Read a thirtieth of the records again each day, and compare them by content.
    pub check: bool,
    /// Records after which a long scan commits what it has; a stopped one goes on from there.
    pub piece_records: u64,
    /// Fraction of a resource's records that may be misfits, 0 to 1.
    pub tolerate_quarantined: f64,
    pub lake: LakeSettings,
    /// Where the tables go besides.
    pub warehouse: Option<warehouse::Settings>,
}

/// What [`Job::piece_records`] is where nothing else is asked for.
pub const PIECE_RECORDS: u64 = 20_000;

/// How often ids are swept to find what was deleted at the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconcile {
    Weekly,
    Always,
    Never,
}

/// What one call of `run` asks for beyond the job.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Only these of the job's resources.
    pub resources: Option<Vec<String>>,
    /// Read from the job's `since` again, whatever the watermark says.
    pub full: bool,
    /// Sweep ids now.
    pub reconcile: bool,
    /// Mark what a sweep misses as deleted, however much it is, and follow a source that was set back.
    pub accept_deletes: bool,
    /// Ask the source, write nothing.
    pub dry_run: bool,
    /// Ask nothing of the source, and map all that the change log holds again.
    pub replay: bool,
}

/// Asks a run to end at its next safe point.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a run tells while it works.
#[derive(Clone, Debug)]
pub enum Event {
    Resource {
        name: String,
        state: ResourceState,
    },
    Table {
        name: String,
        state: TableState,
    },
    /// A table on its way to a warehouse.
    Sink {
        table: String,
        state: TableState,
    },
}

#[derive(Clone, Debug)]
pub enum ResourceState {
    /// Reading began; the number of records ahead where it can be known.
    Started {
        expected: Option<u64>,
    },
    /// Totals so far.
    Progress {
        records: u64,
        pages: u64,
        bytes: u64,
    },
    Done,
    Failed,
}

#[derive(Clone, Debug)]
pub enum TableState {
    Started,
    Done,
    Failed,
}
