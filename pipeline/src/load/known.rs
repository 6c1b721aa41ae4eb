//! Which versions the change log already holds.
//!
//! A window overlaps the one before it, and resources without a watermark are read whole each time, so
//! most of what is read again is unchanged. The log takes only records whose content differs from the
//! newest version it holds; then everything after it works in proportion to real changes.

use std::collections::{HashMap, HashSet};

use arrow::array::{AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use chrono::{DateTime, Utc};
use futures::StreamExt;

use super::LoadError;
use crate::catalog::{CatalogError, DataFiles, Lake, Snapshot, new_session};

type ContentHash = [u8; 16];

/// Newest known version of each record in a window: id to content hash.
#[derive(Debug, Default)]
pub struct KnownVersions {
    hashes: HashMap<i64, ContentHash>,
    seen: HashSet<i64>,
    track_seen: bool,
    /// Ids that this run has written: a scan may show a record twice, the log takes it once.
    written: HashSet<i64>,
}

impl KnownVersions {
    /// For an empty log: there is nothing to compare with, so nothing needs to be remembered.
    pub fn nothing() -> KnownVersions {
        KnownVersions::default()
    }

    /// Notes that the source shows these ids (column `id`).
    pub fn see(&mut self, batch: &RecordBatch) {
        if let Some(ids) = integer_ids(batch) {
            self.seen.extend(ids.values());
        }
    }

    /// Notes that the source shows this record, although it does not fit and is not in any batch.
    pub fn see_misfit(&mut self, id: i64) {
        self.seen.insert(id);
    }

    /// Reads what the log holds of records changed at or after `since`, by that column (of all when `None`).
    ///
    /// Memory: 32 bytes a record of the window; for a whole read, of the resource.
    pub async fn of(
        lake: &Lake,
        log: &Snapshot,
        connection: &str,
        since: Option<(DateTime<Utc>, &str)>,
    ) -> Result<KnownVersions, LoadError> {
        let mut known = KnownVersions {
            track_seen: since.is_none(),
            ..KnownVersions::default()
        };
        if log.files.is_empty() {
            return Ok(known);
        }
        let ctx = new_session(Some(lake)).map_err(CatalogError::from)?;
        let files = DataFiles::of_snapshot(lake, log);
        ctx.register_table("log", std::sync::Arc::new(files))
            .map_err(CatalogError::from)?;
        let window = match since {
            Some((since, column)) => format!(
                " AND \"{column}\" >= to_timestamp_micros({})",
                since.timestamp_micros()
            ),
            None => String::new(),
        };
        let connection = connection.replace('\'', "''");
        let sql = format!(
            "SELECT id, _op = 'upsert' AS present, _content_hash FROM log \
             WHERE connection_id = '{connection}'{window} ORDER BY _extracted_at"
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
        for row in 0..batch.num_rows() {
            if present.value(row) {
                self.hashes.insert(ids.value(row), short(hashes.value(row)));
            } else {
                self.hashes.remove(&ids.value(row));
            }
        }
    }

    /// Rows of a raw batch (with `id` and `_content_hash`) that the log does not hold yet.
    pub fn only_changed(
        &mut self,
        batch: &RecordBatch,
    ) -> Result<RecordBatch, arrow::error::ArrowError> {
        let (Some(ids), Some(hashes)) = (integer_ids(batch), batch.column_by_name("_content_hash"))
        else {
            return Ok(batch.clone());
        };
        let hashes = hashes.as_binary::<i32>();
        if self.track_seen {
            self.seen.extend(ids.values());
        }
        let changed: BooleanArray = (0..batch.num_rows())
            .map(|row| {
                let id = ids.value(row);
                let differs = self.hashes.get(&id) != Some(&short(hashes.value(row)));
                Some(differs && self.written.insert(id))
            })
            .collect();
        if changed.true_count() == batch.num_rows() {
            return Ok(batch.clone());
        }
        filter_record_batch(batch, &changed)
    }

    /// After all ids were seen: those that the log holds and the source no longer shows, ascending.
    ///
    /// A record that this run wrote was there a moment ago; if it is gone now, the next sweep says so.
    pub fn gone(&self, written: &KnownVersions) -> Vec<i64> {
        let mut gone: Vec<_> = self
            .hashes
            .keys()
            .copied()
            .filter(|id| !self.seen.contains(id) && !written.written.contains(id))
            .collect();
        gone.sort_unstable();
        gone
    }

    /// After all ids were seen: whether the source shows one, up to `newest`, that the log lacks.
    pub fn lacks_any(&self, newest: Option<i64>, written: &KnownVersions) -> bool {
        self.seen.iter().any(|id| {
            newest.is_none_or(|newest| *id <= newest)
                && !self.hashes.contains_key(id)
                && !written.written.contains(id)
        })
    }

    /// Takes over what an earlier pass of the same run has written.
    pub fn after(mut self, earlier: KnownVersions) -> KnownVersions {
        self.written = earlier.written;
        self
    }

    /// How many records are known.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether nothing is known: the first load.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }
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

    use arrow::array::{ArrayRef, BinaryArray};
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
        KnownVersions {
            hashes: records.iter().map(|(id, h)| (*id, [*h; 16])).collect(),
            track_seen: true,
            ..KnownVersions::default()
        }
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
    fn a_misfit_and_a_record_just_written_are_not_gone() {
        let mut known = knowing(&[(1, 7), (2, 7), (3, 7), (4, 7)]);
        check_changed(&mut known, &[(1, 7)], &[]);
        known.see_misfit(2);
        let mut written = KnownVersions::nothing();
        check_changed(&mut written, &[(3, 8)], &[3]);
        assert_eq!(known.gone(&written), [4]);
    }

    #[test]
    fn a_sweep_tells_of_records_that_the_log_lacks() {
        let mut swept = knowing(&[(1, 7)]);
        swept.see(&batch(&[(1, 0), (9, 0)]));
        let written = KnownVersions::nothing();
        assert!(swept.lacks_any(Some(9), &written));
        assert!(
            !swept.lacks_any(Some(8), &written),
            "created after the scan began"
        );
    }

    proptest! {
        #[test]
        fn reading_the_same_again_writes_nothing(records in prop::collection::vec((0i64..50, 0u8..4), 0..60)) {
            let mut known = KnownVersions::nothing();
            let first = known.only_changed(&batch(&records)).unwrap();
            let ids: std::collections::BTreeSet<_> = records.iter().map(|(id, _)| *id).collect();
            prop_assert_eq!(first.num_rows(), ids.len());
            let second = known.only_changed(&batch(&records)).unwrap();
            prop_assert_eq!(second.num_rows(), 0);
        }
    }
}
