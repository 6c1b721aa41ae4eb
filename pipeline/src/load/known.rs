//! Which versions the change log already holds.
//!
//! A window overlaps the one before it, and resources without a watermark are read whole each time, so
//! most of what is read again is unchanged. The log takes only records whose content differs from the
//! newest version it holds; then everything after it works in proportion to real changes.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, AsArray, BinaryArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use futures::StreamExt;

use super::LoadError;
use crate::catalog::{CatalogError, DataFiles, Lake, Snapshot, new_session};

type ContentHash = [u8; 16];

/// The newest version of one record.
#[derive(Clone, Copy, Debug)]
struct Version {
    hash: ContentHash,
    /// Its stamp at the source, microseconds UTC; the least number if it has none.
    changed_at: i64,
}

const NO_STAMP: i64 = i64::MIN;

/// Newest known version of each record in a window, and which of them a read has shown.
#[derive(Debug, Default)]
pub struct KnownVersions {
    held: HashMap<i64, Version>,
    seen: HashSet<i64>,
    track_seen: bool,
    /// Ids written since the last commit: a scan may show a record twice, a commit takes it once.
    written: HashSet<i64>,
    /// Column of the stamp in raw batches.
    stamp: Option<String>,
}

impl KnownVersions {
    /// For an empty log, whose resource has this watermark.
    pub fn nothing(watermark: Option<&str>) -> KnownVersions {
        KnownVersions {
            stamp: watermark.map(str::to_string),
            ..KnownVersions::default()
        }
    }

    /// From here on, notes which ids are shown.
    pub fn track_seen(&mut self) {
        self.track_seen = true;
    }

    /// Notes that the source shows this id; returns the stamp of the version that is held.
    pub fn see(&mut self, id: i64) -> Option<i64> {
        self.seen.insert(id);
        self.held.get(&id).map(|version| version.changed_at)
    }

    /// Notes that the source shows this record, although it does not fit and is not in any batch.
    pub fn see_misfit(&mut self, id: i64) {
        self.seen.insert(id);
    }

    /// Reads what the log holds of records changed at or after `since`, by the column `watermark` (of all
    /// when either is `None`).
    ///
    /// Memory: about 50 bytes a record of the window; for a whole read, of the resource.
    pub async fn of(
        lake: &Lake,
        log: &Snapshot,
        connection: &str,
        since: Option<DateTime<Utc>>,
        watermark: Option<&str>,
    ) -> Result<KnownVersions, LoadError> {
        let mut known = KnownVersions::nothing(watermark);
        if log.files.is_empty() {
            return Ok(known);
        }
        let ctx = new_session(Some(lake)).map_err(CatalogError::from)?;
        let files = DataFiles::of_snapshot(lake, log);
        ctx.register_table("log", std::sync::Arc::new(files))
            .map_err(CatalogError::from)?;
        let window = match since.zip(watermark) {
            Some((since, column)) => format!(
                " AND \"{column}\" >= to_timestamp_micros({})",
                since.timestamp_micros()
            ),
            None => String::new(),
        };
        let stamp = watermark.map_or("NULL".to_string(), |column| format!("\"{column}\""));
        let connection = connection.replace('\'', "''");
        let sql = format!(
            "SELECT id, _op = 'upsert' AS present, _content_hash, \
                    arrow_cast({stamp}, 'Timestamp(Microsecond, Some(\"UTC\"))') AS stamp \
             FROM log WHERE connection_id = '{connection}'{window} ORDER BY _extracted_at"
        );
        let frame = ctx.sql(&sql).await.map_err(CatalogError::from)?;
        let mut rows = frame.execute_stream().await.map_err(CatalogError::from)?;
        while let Some(batch) = rows.next().await {
            known.remember(&batch.map_err(CatalogError::from)?);
        }
        Ok(known)
    }

    fn remember(&mut self, batch: &RecordBatch) {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let present = batch.column(1).as_boolean();
        let hashes = batch.column(2).as_binary::<i32>();
        let stamps = batch.column(3).as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            if present.value(row) {
                let stamp = stamps.is_valid(row).then(|| stamps.value(row));
                self.hold(ids.value(row), hashes.value(row), stamp);
            } else {
                self.held.remove(&ids.value(row));
            }
        }
    }

    /// Takes note of a record's newest version: its content hash and its stamp.
    pub fn hold(&mut self, id: i64, hash: &[u8], changed_at: Option<i64>) {
        let version = Version {
            hash: short(hash),
            changed_at: changed_at.unwrap_or(NO_STAMP),
        };
        self.held.insert(id, version);
    }

    /// Rows of a raw batch (with `id` and `_content_hash`) whose content is not the newest that is known, each
    /// with the stamp of the version that is held.
    pub fn lacking(&self, batch: &RecordBatch) -> Vec<(usize, Option<i64>)> {
        let Some((ids, hashes)) = identity(batch) else {
            return Vec::new();
        };
        let differs = |row: &usize| {
            let held = self.held.get(&ids.value(*row));
            held.map(|version| version.hash) != Some(short(hashes.value(*row)))
        };
        (0..batch.num_rows())
            .filter(differs)
            .map(|row| (row, self.held.get(&ids.value(row)).map(|v| v.changed_at)))
            .collect()
    }

    /// Rows of a raw batch (with `id` and `_content_hash`) that the log does not hold yet.
    pub fn only_changed(
        &mut self,
        batch: &RecordBatch,
    ) -> Result<RecordBatch, arrow::error::ArrowError> {
        let Some((ids, hashes)) = identity(batch) else {
            return Ok(batch.clone());
        };
        if self.track_seen {
            self.seen.extend(ids.values());
        }
        let stamps = self.stamp.as_deref().and_then(|column| {
            batch
                .column_by_name(column)?
                .as_primitive_opt::<TimestampMicrosecondType>()
        });
        let mut changed = vec![false; batch.num_rows()];
        for (row, _) in self.lacking(batch) {
            let id = ids.value(row);
            if !self.written.insert(id) {
                continue;
            }
            changed[row] = true;
            let stamp = stamps.filter(|stamps| stamps.is_valid(row));
            self.hold(id, hashes.value(row), stamp.map(|stamps| stamps.value(row)));
        }
        if changed.iter().all(|row| *row) {
            return Ok(batch.clone());
        }
        filter_record_batch(batch, &BooleanArray::from(changed))
    }

    /// All that was written is committed, and ids up to this one will not be shown again.
    pub fn committed(&mut self, through: i64) {
        self.written.clear();
        self.held.retain(|id, _| *id > through);
    }

    /// After all ids were seen: those that are held and the source no longer shows, ascending.
    pub fn gone(&self) -> Vec<i64> {
        let mut gone: Vec<_> = self.ids().filter(|id| !self.seen.contains(id)).collect();
        gone.sort_unstable();
        gone
    }

    /// Ids of the records that are held, in no order.
    pub fn ids(&self) -> impl Iterator<Item = i64> {
        self.held.keys().copied()
    }

    /// The newest stamp of all versions that are held.
    pub fn newest_change(&self) -> Option<DateTime<Utc>> {
        let newest = self.held.values().map(|version| version.changed_at).max();
        newest
            .filter(|at| *at != NO_STAMP)
            .and_then(DateTime::from_timestamp_micros)
    }

    /// How many records are held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether no record is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

fn identity(batch: &RecordBatch) -> Option<(&Int64Array, &BinaryArray)> {
    let hashes = batch.column_by_name("_content_hash")?;
    Some((integer_ids(batch)?, hashes.as_binary_opt::<i32>()?))
}

/// The key column, where it is an integer as with all of Coupa's resources.
fn integer_ids(batch: &RecordBatch) -> Option<&Int64Array> {
    batch.column_by_name("id")?.as_primitive_opt::<Int64Type>()
}

fn short(hash: &[u8]) -> ContentHash {
    let mut short = ContentHash::default();
    let taken = hash.len().min(short.len());
    short[..taken].copy_from_slice(&hash[..taken]);
    short
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::ArrayRef;
    use proptest::prelude::*;

    use super::*;

    fn batch(records: &[(i64, u8)]) -> RecordBatch {
        let ids: Int64Array = records.iter().map(|(id, _)| Some(*id)).collect();
        let hashes: BinaryArray = records.iter().map(|(_, h)| Some([*h; 32])).collect();
        RecordBatch::try_from_iter([
            ("id", Arc::new(ids) as ArrayRef),
            ("_content_hash", Arc::new(hashes) as ArrayRef),
        ])
        .expect("the columns are of one length")
    }

    fn knowing(records: &[(i64, u8)]) -> KnownVersions {
        let mut known = KnownVersions::nothing(None);
        for (id, hash) in records {
            known.hold(*id, &[*hash; 32], Some(i64::from(*hash)));
        }
        known.track_seen();
        known
    }

    fn check_changed(known: &mut KnownVersions, read: &[(i64, u8)], expected: &[i64]) {
        let changed = known
            .only_changed(&batch(read))
            .expect("it can be filtered");
        let ids = integer_ids(&changed).expect("ids are integers");
        assert_eq!(ids.values(), expected);
    }

    #[test]
    fn what_is_unchanged_or_shown_twice_is_not_written() {
        let mut known = knowing(&[(1, 7), (2, 7)]);
        check_changed(&mut known, &[(1, 7), (2, 8), (3, 9), (3, 9)], &[2, 3]);
        check_changed(&mut known, &[(3, 9), (2, 8)], &[]);
    }

    #[test]
    fn one_commit_takes_one_version_and_the_next_one_another() {
        let mut known = knowing(&[(1, 7)]);
        check_changed(&mut known, &[(1, 8)], &[1]);
        check_changed(&mut known, &[(1, 9)], &[]);
        known.committed(0);
        check_changed(&mut known, &[(1, 9)], &[1]);
    }

    #[test]
    fn a_misfit_and_a_record_just_written_are_not_gone() {
        let mut known = knowing(&[(1, 7), (2, 7), (3, 7), (4, 7)]);
        check_changed(&mut known, &[(1, 7), (3, 8)], &[3]);
        known.see_misfit(2);
        assert_eq!(known.gone(), [4]);
    }

    #[test]
    fn a_sweep_sees_what_is_held_with_which_stamp() {
        let mut swept = knowing(&[(1, 7)]);
        assert_eq!((swept.see(1), swept.see(9)), (Some(7), None));
        assert_eq!(swept.newest_change(), DateTime::from_timestamp_micros(7));
    }

    proptest! {
        #[test]
        fn reading_the_same_again_writes_nothing(records in prop::collection::vec((0i64..50, 0u8..4), 0..60)) {
            let mut known = KnownVersions::nothing(None);
            let first = known.only_changed(&batch(&records)).unwrap();
            let ids: std::collections::BTreeSet<_> = records.iter().map(|(id, _)| *id).collect();
            prop_assert_eq!(first.num_rows(), ids.len());
            let second = known.only_changed(&batch(&records)).unwrap();
            prop_assert_eq!(second.num_rows(), 0);
        }
    }
}
