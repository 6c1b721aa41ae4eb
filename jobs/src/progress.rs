//! How far a run is: bars on a terminal, a line per finished resource where there is none.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use pipeline::{Event, ResourceState, TableState};

use crate::output;

/// Shows the events of one run on stderr.
pub struct Progress {
    bars: MultiProgress,
    on_terminal: bool,
    active: Mutex<BTreeMap<String, Active>>,
}

struct Active {
    bar: ProgressBar,
    records: u64,
    bytes: u64,
}

impl Progress {
    pub fn start() -> Progress {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Progress {
            on_terminal: !bars.is_hidden(),
            bars,
            active: Mutex::default(),
        }
    }

    pub fn observe(&self, event: Event) {
        // A panic elsewhere while it was held leaves at worst a bar in the wrong place.
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Resource { name, state } => self.resource(&mut active, name, state),
            Event::Table { name, state } => self.table(&mut active, name, state, Work::Merge),
            Event::Sink { table, state } => self.table(&mut active, table, state, Work::Load),
        }
    }

    /// Prints one line without tearing the bars.
    fn say(&self, line: &str) {
        self.bars.suspend(|| output::say(line));
    }

    fn resource(&self, active: &mut BTreeMap<String, Active>, name: String, state: ResourceState) {
        match state {
            ResourceState::Started { expected } => {
                let begun = self.bar(&name, Work::Records(expected));
                active.insert(name, begun);
            }
            ResourceState::Progress {
                records,
                pages,
                bytes,
            } => {
                if let Some(one) = active.get_mut(&name) {
                    (one.records, one.bytes) = (records, bytes);
                    one.bar.set_position(records);
                    let pages = output::count(pages);
                    one.bar
                        .set_message(format!(", {pages} pages, {}", output::bytes(bytes)));
                }
            }
            ResourceState::Done => self.end(active, &name, "read"),
            ResourceState::Failed => self.end(active, &name, "stopped"),
        }
    }

    fn end(&self, active: &mut BTreeMap<String, Active>, name: &str, how: &str) {
        let (records, bytes) = match active.remove(name) {
            Some(ended) => {
                ended.bar.finish_and_clear();
                (ended.records, ended.bytes)
            }
            None => (0, 0),
        };
        let (records, bytes) = (output::count(records), output::bytes(bytes));
        self.say(&format!(
            "{name:<28} {how:<7} {records:>10} records {bytes:>10}"
        ));
    }

    fn table(
        &self,
        active: &mut BTreeMap<String, Active>,
        name: String,
        state: TableState,
        work: Work,
    ) {
        match state {
            TableState::Started => {
                let begun = self.bar(&name, work);
                active.insert(name, begun);
            }
            TableState::Done | TableState::Failed => {
                if let Some(ended) = active.remove(&name) {
                    ended.bar.finish_and_clear();
                }
            }
        }
    }

    /// A bar where the end is known, else a sign of life.
    fn bar(&self, name: &str, work: Work) -> Active {
        let (bar, template) = match work {
            Work::Records(Some(expected)) => (
                ProgressBar::new(expected),
                "{prefix:28} {bar:24} {human_pos}/{human_len} records, {rate}{msg}, {eta} left",
            ),
            Work::Records(None) => (
                ProgressBar::new_spinner(),
                "{prefix:28} {spinner} {human_pos} records, {rate}{msg}",
            ),
            Work::Merge => (ProgressBar::new_spinner(), "{prefix:28} {spinner} merging"),
            Work::Load => (
                ProgressBar::new_spinner(),
                "{prefix:28} {spinner} to the warehouse",
            ),
        };
        let style = ProgressStyle::with_template(template)
            .expect("a fixed template")
            .progress_chars("█▌ ")
            .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
                // Where a bar cannot be written there is nobody to tell.
                let _ = write!(out, "{}/s", output::count(state.per_sec() as u64));
            });
        let bar = self.bars.add(bar.with_style(style));
        bar.set_prefix(name.to_owned());
        if self.on_terminal {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Active {
            bar,
            records: 0,
            bytes: 0,
        }
    }
}

/// What a line of progress is about.
enum Work {
    /// Reading a resource; how many records there are, if it is known.
    Records(Option<u64>),
    /// Bringing a table up to date.
    Merge,
    /// Bringing a table to the warehouse.
    Load,
}
