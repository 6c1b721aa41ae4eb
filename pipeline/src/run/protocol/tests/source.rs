//! A source that changes while it is read: one table of records and a schedule drawn from a seed.
//!
//! Written from Coupa's documentation: conditions are ANDed, pages hold at most 50 records, stamps have
//! whole seconds, there is no snapshot. Time is the source's own; it passes with every request.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// What one seed's schedule is made of.
#[derive(Clone, Debug)]
pub struct Profile {
    pub overlap: i64,
    /// The most records an answer holds, whatever is asked.
    pub page: usize,
    /// Most seconds that a request takes.
    pub pace: i64,
    pub deletes: bool,
    /// The most seconds between a stamp and its version showing.
    pub late: i64,
    /// Changes that set the stamp back.
    pub backwards: bool,
    /// Changes that leave the stamp as it is.
    pub silent: bool,
    /// Records that the client may not see for some runs.
    pub hides: bool,
    /// Set back to a backup once.
    pub rewinds: bool,
    pub hot: bool,
    /// Answers without a `Date`, or with a wrong one now and then.
    pub dates: Dates,
    pub client_clock: ClientClock,
    /// Conditions that are ignored, as Coupa may do with those it does not know.
    pub ignores: Vec<&'static str>,
    pub crashes: bool,
    pub in_flight: usize,
    pub piece_records: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dates {
    Right,
    MissingAtTimes,
    /// Single answers, never two in a row.
    JumpingAtTimes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientClock {
    Right,
    Off(i64),
    Jumping,
}

impl Profile {
    pub fn of(seed: u64) -> Profile {
        let mut dice = Pcg64Mcg::seed_from_u64(seed ^ 0x5eed);
        let overlap = [30, 60, 300, 900][dice.random_range(0..4)];
        let mut one_in = |n: u32| dice.random_range(0..n) == 0;
        let (deletes, backwards, silent) = (one_in(3), one_in(5), one_in(8));
        let (hides, rewinds, hot) = (one_in(6), one_in(10), one_in(2));
        let (late_within, late_beyond) = (one_in(2), one_in(4));
        let dates = match (one_in(5), one_in(5)) {
            (true, _) => Dates::MissingAtTimes,
            (_, true) => Dates::JumpingAtTimes,
            _ => Dates::Right,
        };
        let client_clock = match (one_in(4), one_in(4), one_in(4)) {
            (true, _, _) => ClientClock::Off(7_200),
            (_, true, _) => ClientClock::Off(-7_200),
            (_, _, true) => ClientClock::Jumping,
            _ => ClientClock::Right,
        };
        let ignores = match (one_in(20), one_in(20)) {
            (true, _) => vec!["id[in]"],
            (_, true) => vec!["id[lt]", "id[gt_or_eq]"],
            _ => Vec::new(),
        };
        let (crashes, parallel, quick) = (one_in(2), one_in(4), one_in(3));
        Profile {
            overlap,
            page: dice.random_range(3..=50),
            pace: if quick { 2 } else { 30 },
            deletes,
            late: match (late_within, late_beyond) {
                (_, true) => 3 * overlap,
                (true, _) => overlap,
                _ => 0,
            },
            backwards,
            silent,
            hides,
            rewinds,
            hot,
            dates,
            client_clock,
            ignores,
            crashes,
            in_flight: if parallel { 3 } else { 1 },
            piece_records: dice.random_range(10..60),
        }
    }

    /// Whether only a sweep finds all that this schedule does.
    pub fn needs_sweep(&self) -> bool {
        self.deletes || self.backwards || self.hides || self.rewinds || self.late > self.overlap
    }

    /// Whether only the rotating check finds all of it: a change without a stamp of its own. That is also one of
    /// two within a second, where no window shows both.
    pub fn needs_check(&self) -> bool {
        self.silent || self.hides || self.rewinds || self.late > self.overlap
    }
}

/// One state of a record.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// Its content: no two are alike, and a later one is greater.
    pub serial: u64,
    /// `updated-at`, seconds.
    pub stamp: i64,
    pub shown_at: i64,
    /// Only a sweep or a check can find it.
    pub excused: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Record {
    pub versions: Vec<Version>,
    /// Was deleted, hidden or set back at some time: what a scan must have seen is not defined.
    pub unsteady: bool,
}

pub struct Source {
    pub profile: Profile,
    pub records: BTreeMap<i64, Record>,
    /// Whether the schedule goes on.
    pub restless: bool,
    pub now: i64,
    pub requests: u64,
    /// A hash of every request and answer.
    pub trace: u64,
    pub(super) dice: Pcg64Mcg,
    /// Committed, and not to be seen yet: when, which record, what.
    pub(super) pending: Vec<(i64, i64, Version)>,
    pub(super) hidden: BTreeSet<i64>,
    dates_odd: bool,
    last_date_odd: bool,
    pub(super) next_id: i64,
    pub(super) next_serial: u64,
    pub(super) backup: Option<(i64, BTreeMap<i64, Record>)>,
    /// Windows show nothing.
    pub time_filter_broken: bool,
}

/// One page and the `Date` it came with, seconds.
pub struct Answer {
    pub rows: Vec<(i64, Version)>,
    pub date: Option<i64>,
}

pub type Query = HashMap<String, String>;

impl Source {
    pub fn new(seed: u64, profile: Profile) -> Source {
        let mut source = Source {
            profile,
            records: BTreeMap::new(),
            restless: true,
            now: 1_772_323_200,
            requests: 0,
            trace: 0,
            dice: Pcg64Mcg::seed_from_u64(seed),
            pending: Vec::new(),
            hidden: BTreeSet::new(),
            dates_odd: false,
            last_date_odd: false,
            next_id: 1,
            next_serial: 1,
            backup: None,
            time_filter_broken: false,
        };
        for _ in 0..source.dice.random_range(0..90) {
            source.insert(0);
            if source.dice.random_range(0..3) > 0 {
                source.now += source.dice.random_range(0..40);
            }
        }
        source.now += 1;
        source
    }

    pub fn roll(&mut self, below: u64) -> u64 {
        self.dice.random_range(0..below)
    }

    /// What the client may see now.
    pub fn truth(&self) -> BTreeMap<i64, Version> {
        let shown = self
            .records
            .iter()
            .filter(|(id, _)| !self.hidden.contains(id));
        shown
            .filter_map(|(id, record)| Some((*id, *record.versions.last()?)))
            .collect()
    }

    /// Between two runs: some time, some changes, and perhaps something that lasts for a run.
    pub fn between_runs(&mut self) {
        self.now += self.dice.random_range(1..600);
        for _ in 0..self.roll(12) {
            self.change();
        }
        self.dates_odd = self.profile.dates != Dates::Right && self.roll(2) == 0;
        if self.profile.hides {
            self.hide();
        }
        if self.profile.rewinds {
            self.back_up_or_rewind();
        }
        self.show_pending();
    }

    /// The end of the schedule: everything is committed, and the client sees all.
    pub fn come_to_rest(&mut self) {
        self.restless = false;
        self.now += 4 * self.profile.overlap + 10;
        self.show_pending();
        self.hidden.clear();
        self.dates_odd = false;
    }

    /// Answers a request; before that, time passes and others change things.
    pub fn answer(&mut self, query: &Query) -> Answer {
        self.requests += 1;
        self.now += self.dice.random_range(0..=self.profile.pace);
        if self.restless {
            for _ in 0..self.roll(4) {
                self.change();
            }
            if self.profile.hot
                && let Some(id) = self.records.keys().next().copied()
            {
                self.update(id, 0);
            }
        }
        self.show_pending();
        let rows = self.page(query);
        let date = self.date();
        for (id, version) in &rows {
            self.trace = self
                .trace
                .wrapping_mul(31)
                .wrapping_add(*id as u64 ^ version.serial);
        }
        self.trace = self.trace.wrapping_mul(31).wrapping_add(self.now as u64);
        Answer { rows, date }
    }

    fn date(&mut self) -> Option<i64> {
        if !self.dates_odd || !self.restless {
            return Some(self.now);
        }
        match self.profile.dates {
            Dates::Right => Some(self.now),
            Dates::MissingAtTimes => None,
            Dates::JumpingAtTimes => {
                self.last_date_odd = !self.last_date_odd && self.roll(2) == 0;
                let jump = [3_600, -3_600, 86_400][self.roll(3) as usize];
                Some(self.now + if self.last_date_odd { jump } else { 0 })
            }
        }
    }

    fn page(&self, query: &Query) -> Vec<(i64, Version)> {
        let known = |name: &&str| !self.profile.ignores.contains(name);
        let text = |name: &'static str| Some(name).filter(known).and_then(|name| query.get(name));
        let number = |name| text(name).map(|text| text.parse::<i64>().expect("a number"));
        let since = query.get("updated-at[gt_or_eq]").map(|text| seconds(text));
        let after = query.get("updated-at[gt]").map(|text| seconds(text));
        let until = query.get("updated-at[lt]").map(|text| seconds(text));
        let above = number("id[gt]").max(number("id[gt_or_eq]").map(|id| id - 1));
        let below = number("id[lt]").map(|id| id - 1);
        let end = number("id[lt_or_eq]").into_iter().chain(below).min();
        let list: Option<BTreeSet<i64>> = text("id[in]").map(|ids| {
            ids.split(',')
                .map(|id| id.parse().expect("an id"))
                .collect()
        });
        let mut rows: Vec<(i64, Version)> = self.truth().into_iter().collect();
        if self.time_filter_broken && since.is_some() && list.is_none() {
            rows.clear();
        }
        rows.retain(|(id, version)| {
            above.is_none_or(|above| *id > above)
                && end.is_none_or(|end| *id <= end)
                && list.as_ref().is_none_or(|list| list.contains(id))
                && since.is_none_or(|since| version.stamp >= since)
                && after.is_none_or(|after| version.stamp > after)
                && until.is_none_or(|until| version.stamp < until)
        });
        if query
            .get("order_by")
            .is_some_and(|column| column == "updated_at")
        {
            rows.sort_by_key(|(id, version)| (version.stamp, *id));
        }
        if query.get("dir").is_some_and(|dir| dir == "desc") {
            rows.reverse();
        }
        let limit = number("limit")
            .map_or(50, |limit| limit as usize)
            .min(self.profile.page);
        let offset = number("offset").unwrap_or(0) as usize;
        rows.into_iter().skip(offset).take(limit).collect()
    }
}

fn seconds(text: &str) -> i64 {
    let time: chrono::DateTime<chrono::Utc> = text.parse().expect("a time with its offset");
    time.timestamp()
}
