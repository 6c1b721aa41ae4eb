//! What others do to the source, by chance or on demand.

use rand::RngExt;

use super::source::{Source, Version};

/// Changes by chance.
impl Source {
    /// One change by somebody.
    pub(super) fn change(&mut self) {
        let most = self.profile.late;
        let late = match most > 0 && self.roll(4) == 0 {
            true => self.roll(most as u64 + 1) as i64,
            false => 0,
        };
        match self.roll(12) {
            0..=3 => self.update_any(late),
            4 | 5 => self.insert(late),
            // Twice within a second.
            6 => {
                self.update_any(0);
                self.update_any(0);
                if let Some(id) = self.any() {
                    self.update(id, 0);
                    self.update(id, 0);
                }
            }
            // Many at once, as an import does.
            7 if self.roll(6) == 0 => (0..15).for_each(|_| self.update_any(0)),
            8 if self.profile.deletes => self.delete_any(),
            9 if self.profile.backwards => self.set_back(),
            10 if self.profile.silent => self.change_silently(),
            _ => self.update_any(late),
        }
    }

    fn any(&mut self) -> Option<i64> {
        let count = self.records.len() as u64;
        let nth = (count > 0).then(|| self.roll(count) as usize)?;
        self.records.keys().nth(nth).copied()
    }

    fn update_any(&mut self, late: i64) {
        if let Some(id) = self.any() {
            self.update(id, late);
        }
    }

    pub(super) fn update(&mut self, id: i64, late: i64) {
        // Two transactions do not change one record at once.
        if self.pending.iter().any(|(_, other, _)| *other == id) {
            return;
        }
        self.put(id, self.now, late, false);
    }

    pub(super) fn insert(&mut self, late: i64) {
        let id = self.next_id;
        self.next_id += self.dice.random_range(1..=12);
        self.put(id, self.now, late, false);
    }

    fn put(&mut self, id: i64, stamp: i64, late: i64, excused: bool) {
        let version = Version {
            serial: 0,
            stamp,
            shown_at: self.now + late,
            excused: excused || late > self.profile.overlap,
        };
        self.pending.push((self.now + late, id, version));
        self.show_pending();
    }

    pub(super) fn show_pending(&mut self) {
        let now = self.now;
        let mut due: Vec<_> = self.pending.extract_if(.., |(at, ..)| *at <= now).collect();
        due.sort_by_key(|(at, id, _)| (*at, *id));
        for (_, id, mut version) in due {
            version.serial = self.next_serial;
            self.next_serial += 1;
            self.records.entry(id).or_default().versions.push(version);
        }
    }

    fn delete_any(&mut self) {
        if let Some(id) = self.any() {
            self.records.remove(&id);
            self.pending.retain(|(_, other, _)| *other != id);
        }
    }

    fn set_back(&mut self) {
        let Some(id) = self.any() else { return };
        let stamps: Vec<i64> = self.records[&id]
            .versions
            .iter()
            .map(|version| version.stamp)
            .collect();
        let mut stamp = stamps.last().copied().unwrap_or(self.now) - self.roll(5_000) as i64;
        // With a stamp that it has had before, it would be a silent change.
        while stamps.contains(&stamp) {
            stamp -= 1;
        }
        self.put(id, stamp, 0, true);
    }

    fn change_silently(&mut self) {
        let Some(id) = self.any() else { return };
        let last = self.records[&id]
            .versions
            .last()
            .map_or(self.now, |version| version.stamp);
        self.put(id, last, 0, true);
    }

    pub(super) fn hide(&mut self) {
        for id in &self.hidden {
            if let Some(record) = self.records.get_mut(id) {
                record.unsteady = true;
            }
        }
        self.hidden.clear();
        let share = [0, 0, 3, 10, 1][self.roll(5) as usize];
        if share > 0 {
            let ids: Vec<i64> = self.records.keys().copied().collect();
            self.hidden = ids
                .into_iter()
                .filter(|_| self.dice.random_range(0..share) == 0)
                .collect();
        }
        for id in &self.hidden {
            if let Some(record) = self.records.get_mut(id) {
                record.unsteady = true;
            }
        }
    }

    pub(super) fn back_up_or_rewind(&mut self) {
        match self.backup.take() {
            None => self.backup = Some((self.next_id, self.records.clone())),
            Some((next_id, records)) if self.roll(2) == 0 => {
                self.records = records;
                self.records
                    .values_mut()
                    .for_each(|record| record.unsteady = true);
                self.next_id = next_id;
                self.pending.clear();
            }
            kept => self.backup = kept,
        }
    }
}

/// Changes on demand, for single cases.
impl Source {
    /// Adds records until there are `count`, and lets a day pass.
    pub fn fill(&mut self, count: usize) {
        while self.records.len() < count {
            self.insert(0);
        }
        self.now += 86_400;
    }

    /// Deletes one record in `n`, never the newest unless all go.
    pub fn delete_share(&mut self, n: usize) {
        let newest = self.records.keys().last().copied();
        let mut nth = 0;
        self.records.retain(|id, _| {
            nth += 1;
            n > 1 && (nth % n != 0 || Some(*id) == newest)
        });
    }

    pub fn drop_newest(&mut self, count: usize) {
        for _ in 0..count {
            self.records.pop_last();
        }
    }

    pub fn touch_newest(&mut self) {
        if let Some(id) = self.records.keys().last().copied() {
            self.update(id, 0);
        }
    }

    /// A version that was stamped so many seconds ago shows only now.
    pub fn show_late(&mut self, seconds: i64) {
        self.now += 10;
        if let Some(id) = self.any() {
            self.put(id, self.now - seconds, 0, false);
        }
    }

    pub fn change_without_stamp(&mut self, ids: &[i64]) {
        for id in ids {
            let last = self.records[id]
                .versions
                .last()
                .map_or(self.now, |version| version.stamp);
            self.put(*id, last, 0, true);
        }
    }
}
