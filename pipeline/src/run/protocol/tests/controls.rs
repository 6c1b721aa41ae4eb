//! Protocols that are known to lose records: the model has to notice each of them.

use std::collections::HashMap;

use super::source::{ClientClock, Profile, Query, Source};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The next window begins at the newest stamp that was seen.
    NewestSeen,
    /// Offsets inside a window that is closed above.
    OffsetInWindow,
    /// Later than the newest stamp that was seen, not at it.
    Strict,
    /// The next window begins at the server's time at the start of this one.
    NoOverlap,
    /// The next window begins by the client's clock.
    ClientClock,
    /// A sweep that reads what is missing, and not what has another stamp.
    SweepOfIds,
}

pub const CONTROLS: [Control; 6] = [
    Control::NewestSeen,
    Control::OffsetInWindow,
    Control::Strict,
    Control::NoOverlap,
    Control::ClientClock,
    Control::SweepOfIds,
];

struct Reader<'a> {
    source: &'a mut Source,
    held: HashMap<i64, u64>,
    newest: Option<i64>,
}

/// Runs the schedule of `seed` with the bad protocol; returns how many records end wrong.
pub fn wrong_records(control: Control, seed: u64) -> usize {
    let mut profile = Profile::of(seed);
    // What no window can find is asked only of the control that sweeps.
    if control != Control::SweepOfIds {
        profile.deletes = false;
        profile.backwards = false;
        profile.hides = false;
        profile.late = profile.late.min(profile.overlap);
    }
    profile.rewinds = false;
    profile.silent = false;
    profile.ignores.clear();
    let clock = profile.client_clock;
    let overlap = profile.overlap;
    let mut source = Source::new(seed, profile);
    let mut reader = Reader {
        source: &mut source,
        held: HashMap::new(),
        newest: None,
    };
    let mut since: Option<i64> = None;
    for run in 0..7 {
        if run == 6 {
            reader.source.come_to_rest();
        } else {
            reader.source.between_runs();
        }
        let start = reader.source.now;
        match control {
            Control::OffsetInWindow => reader.by_offset(since, start),
            Control::Strict => reader.by_id("updated-at[gt]", since),
            _ => reader.by_id("updated-at[gt_or_eq]", since),
        }
        since = match control {
            Control::NewestSeen | Control::Strict => reader.newest,
            Control::NoOverlap => Some(start),
            Control::ClientClock => match clock {
                ClientClock::Off(off) => Some(start + off - overlap),
                _ => Some(start - overlap),
            },
            _ => Some(start - overlap),
        };
    }
    if control == Control::SweepOfIds {
        reader.sweep_ids();
    }
    let truth = reader.source.truth();
    let lost = truth
        .iter()
        .filter(|(id, version)| reader.held.get(id) != Some(&version.serial));
    lost.count()
}

impl Reader<'_> {
    fn ask(&mut self, pairs: &[(&str, String)]) -> Vec<i64> {
        let query: Query = pairs
            .iter()
            .map(|(k, v)| (k.to_string(), v.clone()))
            .collect();
        let answer = self.source.answer(&query);
        for (id, version) in &answer.rows {
            self.held.insert(*id, version.serial);
            self.newest = self.newest.max(Some(version.stamp));
        }
        answer.rows.iter().map(|(id, _)| *id).collect()
    }

    fn by_id(&mut self, filter: &str, since: Option<i64>) {
        let mut last = 0;
        loop {
            let mut query = vec![("id[gt]", last.to_string())];
            if let Some(since) = since {
                query.push((filter, text(since)));
            }
            match self.ask(&query).last() {
                Some(id) => last = *id,
                None => return,
            }
        }
    }

    fn by_offset(&mut self, since: Option<i64>, until: i64) {
        let mut offset = 0;
        loop {
            let mut query = vec![
                ("offset", offset.to_string()),
                ("updated-at[lt]", text(until)),
            ];
            if let Some(since) = since {
                query.push(("updated-at[gt_or_eq]", text(since)));
            }
            match self.ask(&query).len() {
                0 => return,
                count => offset += count,
            }
        }
    }

    fn sweep_ids(&mut self) {
        let missing: Vec<i64> = self.source.truth().into_keys().collect();
        for id in missing {
            if !self.held.contains_key(&id) {
                self.ask(&[("id[in]", id.to_string())]);
            }
        }
    }
}

fn text(seconds: i64) -> String {
    super::server::moment(seconds).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
