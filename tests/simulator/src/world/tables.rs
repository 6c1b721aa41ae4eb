//! What is kept of a resource's records: stamps, revisions, and records that a test has written.

use std::collections::{BTreeMap, HashMap};

use super::{Resource, dice::mix};
use crate::tree::Tree;

/// The stamp of a record that does not exist.
pub const GONE: i64 = i64::MIN;

/// Ids come in blocks of forty, of which one is left out.
const BLOCK: i64 = 40;

/// The records of one resource.
pub struct Table {
    pub resource: Resource,
    /// Records of the history.
    pub base: u32,
    /// Last change by slot, [`GONE`] when there is no such record.
    pub updated: Vec<i64>,
    pub edits: HashMap<u32, Edit>,
    /// Records written by a test, by id; they stand before generated ones.
    pub stored: BTreeMap<i64, Stored>,
    /// Goes up with each change, so that what was sorted can be sorted again.
    pub version: u64,
    gaps: bool,
    seed: u64,
}

/// What happened to a generated record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Edit {
    pub revision: u32,
    /// When it was created, for records made after the start.
    pub created: Option<i64>,
}

/// A record as a test wrote it.
pub struct Stored {
    pub record: Tree,
    /// [`GONE`] once it is deleted.
    pub updated: i64,
}

impl Table {
    pub fn new(resource: Resource, base: u32, gaps: bool, seed: u64) -> Table {
        Table {
            resource,
            base,
            updated: Vec::with_capacity(base as usize),
            edits: HashMap::new(),
            stored: BTreeMap::new(),
            version: 0,
            gaps,
            seed,
        }
    }

    /// The id of a slot: ascending, with one id of each forty missing.
    #[inline]
    pub fn id(&self, slot: u32) -> i64 {
        let slot = i64::from(slot);
        let place = if self.gaps && self.resource != Resource::Approvals {
            let (block, at) = (slot / (BLOCK - 1), slot % (BLOCK - 1));
            block * BLOCK + at + i64::from(at >= self.missing(block))
        } else {
            slot
        };
        self.resource.meta().first_id + place
    }

    /// The first slot whose id is `id` or greater.
    pub fn slot_from(&self, id: i64) -> u32 {
        let end = self.updated.len() as u32;
        if id > self.id(end) {
            return end;
        }
        let place = id
            .saturating_sub(self.resource.meta().first_id)
            .clamp(0, i64::from(u32::MAX));
        let mut slot = if self.gaps && self.resource != Resource::Approvals {
            place / BLOCK * (BLOCK - 1) + (place % BLOCK - 1).max(0)
        } else {
            place
        } as u32;
        while self.id(slot) < id {
            slot += 1;
        }
        slot
    }

    /// The slot of an id, if an existing generated record has it.
    pub fn slot(&self, id: i64) -> Option<u32> {
        let slot = self.slot_from(id);
        (self.id(slot) == id && self.exists(slot)).then_some(slot)
    }

    pub fn exists(&self, slot: u32) -> bool {
        self.updated.get(slot as usize).is_some_and(|u| *u != GONE)
    }

    #[inline]
    fn missing(&self, block: i64) -> i64 {
        // Never the first place of a block, so that the first id of a resource always exists.
        1 + (mix(self.seed, 400 + self.resource as u64, block as u64) % (BLOCK as u64 - 1)) as i64
    }

    /// The greatest id given so far.
    pub fn last_id(&self) -> i64 {
        let generated = match self.updated.len() {
            0 => self.resource.meta().first_id - 1,
            n => self.id(n as u32 - 1),
        };
        self.stored
            .keys()
            .next_back()
            .map_or(generated, |id| generated.max(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_slots_are_inverse() {
        for gaps in [true, false] {
            let mut table = Table::new(Resource::Invoices, 1000, gaps, 9);
            table.updated = vec![1; 1000];
            let ids: Vec<i64> = (0..1000).map(|s| table.id(s)).collect();
            assert!(ids.windows(2).all(|w| w[0] < w[1]));
            for (slot, id) in ids.iter().enumerate() {
                assert_eq!(table.slot(*id), Some(slot as u32));
            }
            let first = Resource::Invoices.meta().first_id;
            let missing = (first..=ids[999])
                .filter(|id| table.slot(*id).is_none())
                .count();
            assert_eq!(missing > 20, gaps);
        }
    }
}
