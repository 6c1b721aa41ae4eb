//! Which ids are still to be read, and by whom: id ranges that split while they are read.
//!
//! Pure bookkeeping, no requests. Every id up to the newest lies in exactly one range at any time.

use std::collections::BTreeMap;

use crate::decode::Seen;
use crate::page::PAGE_ROWS;

/// The ranges of one scan.
pub(crate) struct Plan {
    ranges: BTreeMap<usize, Range>,
    waiting: Vec<usize>,
    next: usize,
    /// The newest id known; without it nothing can be split.
    newest: Option<i64>,
    /// Whether ranges split before a full page has shown that there is much to read.
    eager: bool,
    /// Records that a page is asked to hold at most.
    page_rows: usize,
}

#[derive(Clone, Copy)]
struct Range {
    /// All ids up to here are read.
    last: i64,
    /// The last id that belongs to it; `None`: open above, for what is created meanwhile.
    end: Option<i64>,
    full: bool,
}

/// What a page means for its range.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// How many of the page's records belong to the range.
    pub keep: usize,
    pub done: bool,
    pub full: bool,
}

/// The page is not what was asked for: ids that are not ascending, or not beyond the last one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Disorder;

/// Splitting costs a request more, so a range keeps some pages' worth of ids.
const SMALLEST: i64 = 4 * PAGE_ROWS as i64;
/// A page of more than this is asked for in fewer records: several are on their way at once.
const PAGE_BYTES: usize = 4 << 20;

impl Plan {
    /// One range over everything; a first load splits it for as many readers as there are.
    pub(crate) fn new(newest: Option<i64>, first_load: bool) -> Plan {
        let whole = Range {
            last: 0,
            end: None,
            full: false,
        };
        Plan {
            ranges: BTreeMap::from([(0, whole)]),
            waiting: vec![0],
            next: 1,
            newest,
            eager: first_load,
            page_rows: PAGE_ROWS,
        }
    }

    pub(crate) fn page_rows(&self) -> usize {
        self.page_rows
    }

    /// Learns from a page how many records make one that is not too large: of large records, fewer.
    pub(crate) fn learn_size(&mut self, page_bytes: usize, records: usize) {
        if let Some(record_bytes) = page_bytes.checked_div(records) {
            let fit = PAGE_BYTES / record_bytes.max(1);
            self.page_rows = fit.min(self.page_rows * 2).clamp(1, PAGE_ROWS);
        }
    }

    /// A range nobody reads yet; splits the largest if there is none.
    pub(crate) fn claim(&mut self) -> Option<usize> {
        self.waiting.pop().or_else(|| self.split())
    }

    /// Where to ask from, and the last id to ask for.
    pub(crate) fn bounds(&self, number: usize) -> (i64, Option<i64>) {
        let range = &self.ranges[&number];
        (range.last, range.end)
    }

    /// Takes note of a page that was asked for behind the range's last id.
    pub(crate) fn advance(&mut self, number: usize, page: &[Seen]) -> Result<Step, Disorder> {
        let newest = self.newest;
        let range = self
            .ranges
            .get_mut(&number)
            .expect("ranges go when they are done");
        let mut last = range.last;
        let mut keep = page.len();
        for (index, seen) in page.iter().enumerate() {
            // A misfit without an id has no place in the order.
            let Some(id) = seen.id else { continue };
            if id <= last {
                return Err(Disorder);
            }
            if range.end.is_some_and(|end| id > end) {
                keep = index;
                break;
            }
            last = id;
        }
        // Nothing on the page says where to go on.
        if !page.is_empty() && keep == page.len() && last == range.last {
            return Err(Disorder);
        }
        range.last = last;
        range.full = page.len() >= self.page_rows;
        let reached = match range.end {
            Some(end) => last >= end,
            None => newest == Some(last),
        };
        let done = page.is_empty() || keep < page.len() || reached;
        let full = range.full;
        if done {
            self.ranges.remove(&number);
        }
        Ok(Step { keep, done, full })
    }

    fn split(&mut self) -> Option<usize> {
        let newest = self.newest?;
        let eager = self.eager;
        let width = |range: &Range| range.end.unwrap_or(newest).saturating_sub(range.last);
        let (_, range) = self
            .ranges
            .iter_mut()
            .filter(|(_, range)| (eager || range.full) && width(range) > SMALLEST)
            .max_by_key(|(_, range)| width(range))?;
        let middle = range.last + width(range) / 2;
        let upper = Range {
            last: middle,
            end: range.end,
            full: range.full,
        };
        range.end = Some(middle);
        let number = self.next;
        self.next += 1;
        self.ranges.insert(number, upper);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn seen(id: i64) -> Seen {
        Seen {
            id: Some(id),
            changed_at: None,
            hash: 0,
            fits: true,
        }
    }

    proptest! {
        #[test]
        fn every_id_once(
            ids in proptest::collection::btree_set(1_i64..5_000, 0..400),
            page_rows in 1_usize..60,
            readers in 1_usize..6,
            first_load: bool,
            turns in proptest::collection::vec(0_usize..6, 1..50),
        ) {
            let newest = ids.last().copied();
            let mut plan = Plan::new(newest, first_load);
            let mut reading = Vec::new();
            let mut read = Vec::new();
            let mut turns = turns.iter().cycle();
            loop {
                while reading.len() < readers {
                    match plan.claim() {
                        // The page is fetched now and counted later, perhaps after a split.
                        Some(number) => {
                            let (last, end) = plan.bounds(number);
                            reading.push((number, fetch(&ids, last, end, page_rows)));
                        }
                        None => break,
                    }
                }
                if reading.is_empty() {
                    break;
                }
                let turn = turns.next().unwrap() % reading.len();
                let (number, page) = reading.swap_remove(turn);
                let step = plan.advance(number, &page).unwrap();
                read.extend(page[..step.keep].iter().filter_map(|seen| seen.id));
                if !step.done {
                    let (last, end) = plan.bounds(number);
                    reading.push((number, fetch(&ids, last, end, page_rows)));
                }
            }
            read.sort_unstable();
            prop_assert_eq!(read, ids.into_iter().collect::<Vec<_>>());
        }
    }

    fn fetch(ids: &BTreeSet<i64>, last: i64, end: Option<i64>, rows: usize) -> Vec<Seen> {
        let end = end.unwrap_or(i64::MAX);
        ids.range(last + 1..)
            .take_while(|id| **id <= end)
            .take(rows)
            .copied()
            .map(seen)
            .collect()
    }

    #[test]
    fn disorder_is_noticed() {
        let page = |ids: &[i64]| ids.iter().copied().map(seen).collect::<Vec<_>>();
        assert_eq!(
            Plan::new(Some(9), false).advance(0, &page(&[3, 2])),
            Err(Disorder)
        );
        assert_eq!(
            Plan::new(Some(9), false).advance(0, &page(&[0])),
            Err(Disorder)
        );
        let mut plan = Plan::new(Some(9), false);
        assert!(plan.advance(0, &page(&[1, 2])).is_ok());
        assert_eq!(plan.advance(0, &page(&[1, 2])), Err(Disorder));
    }

    #[test]
    fn what_lies_beyond_the_newest_is_read_too() {
        // The probe may have been shown the oldest record by a server that ignores `dir`.
        let mut plan = Plan::new(Some(1), true);
        let page: Vec<Seen> = (1..=50).map(seen).collect();
        let step = plan.advance(0, &page).unwrap();
        assert_eq!((step.keep, step.done), (50, false));
    }
}
