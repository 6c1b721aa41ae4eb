//! Current-state tables: changed rows replace the rows of the same keys, in one commit.
//!
//! Copy on write: only files that hold a replaced key are rewritten, without these rows; the new rows go
//! into files of their own. Readers see the table before or after, and a table's changed rows can be
//! told from carried ones by the files' tag.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{filter_record_batch, kernels::boolean::not};
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use datafusion::prelude::SessionContext;
use futures::{Stream, StreamExt};

use super::{Commit, LoadError, TableWriter, WrittenFile, commit};
use crate::catalog::{CatalogError, DataFile, DataFiles, Lake, Snapshot, new_session};

type Key = Box<[u8]>;

/// How rows of one feed come into one table.
pub struct Merge<'a> {
    /// The table's columns, partition column included.
    pub schema: SchemaRef,
    /// Columns that name a row.
    pub key: &'a [String],
    /// Columns whose equal values are replaced as a set; the key itself, or a parent's id.
    pub replace_by: &'a [String],
    pub partition_column: Option<&'a str>,
    /// Rows under these values of `replace_by` go, whether or not new ones come.
    pub replaced: Vec<Vec<String>>,
    /// The feed brings all its rows: those that it no longer brings go, unchanged ones stay.
    /// Names the feed, as written in the column `_mapping`, and its connection.
    pub whole: Option<(String, String)>,
    /// Starts the names of new files.
    pub file_prefix: String,
}

/// What a merge did.
#[derive(Clone)]
pub struct Merged {
    pub snapshot: Snapshot,
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
    /// New rows whose source has a status word that no word table knows: `status` null beside it.
    pub unmapped_statuses: u64,
}

/// Merges `rows` into the table as of `base` and commits once.
///
/// `facts` brings the transaction, progress and lineage; its file lists are filled here.
/// When nothing changes at all, only the progress is committed.
pub async fn merge(
    lake: &Lake,
    base: &Snapshot,
    plan: &Merge<'_>,
    rows: impl Stream<Item = Result<RecordBatch, LoadError>>,
    mut facts: Commit,
) -> Result<Merged, LoadError> {
    let mut staged = Staged::new(lake, base, plan).await?;
    let mut rows = std::pin::pin!(rows);
    while let Some(batch) = rows.next().await {
        staged.write(&batch?).await?;
    }
    let Staged {
        writer,
        fresh,
        replaced,
        unchanged_whole,
        row_count,
        deleted_flags,
        unmapped_statuses,
        ..
    } = staged;
    facts.add = writer.finish().await?;
    let mut replaced = replaced;
    if let Some(gone) = unchanged_whole {
        replaced.extend(gone.into_keys());
    }
    let mut counts = Replaced::default();
    if !replaced.is_empty() {
        let carried = rewrite(lake, base, plan, &replaced, &fresh, &mut counts).await?;
        facts.add.extend(carried.files);
        facts.remove = carried.removed;
    }
    let inserted = row_count.saturating_sub(counts.updated);
    let updated = counts.updated.saturating_sub(deleted_flags);
    let deleted = counts.gone + deleted_flags.min(counts.updated);
    facts.lineage.insert(
        "spendlake.rows".to_string(),
        serde_json::json!({"inserted": inserted, "updated": updated, "deleted": deleted}),
    );
    Ok(Merged {
        snapshot: commit(base, &facts).await?,
        inserted,
        updated,
        deleted,
        unmapped_statuses,
    })
}

#[derive(Default)]
struct Replaced {
    updated: u64,
    gone: u64,
}

/// New rows on their way to files, with the keys needed to find what they replace.
struct Staged<'a> {
    plan: &'a Merge<'a>,
    table: String,
    writer: TableWriter,
    /// False while the table is empty: then there is nothing to find.
    tracking: bool,
    keys: Keys,
    groups: Keys,
    fresh: HashSet<Key>,
    replaced: HashSet<Key>,
    /// Rows of a whole feed as committed, key to content; what is met again unchanged is taken out.
    unchanged_whole: Option<HashMap<Key, Vec<u8>>>,
    row_count: u64,
    deleted_flags: u64,
    unmapped_statuses: u64,
}

impl<'a> Staged<'a> {
    async fn new(lake: &Lake, base: &Snapshot, plan: &'a Merge<'a>) -> Result<Self, LoadError> {
        let keys = Keys::new(base, plan.key)?;
        let groups = Keys::new(base, plan.replace_by)?;
        let mut replaced = HashSet::new();
        for values in &plan.replaced {
            let columns: Vec<ArrayRef> = values
                .iter()
                .map(|value| Arc::new(StringArray::from(vec![value.clone()])) as ArrayRef)
                .collect();
            replaced.extend(groups.encode(&columns)?);
        }
        let tracking = !base.files.is_empty();
        let unchanged_whole = match &plan.whole {
            Some((mapping, connection)) if tracking => {
                Some(committed_rows(lake, base, &keys, mapping, connection).await?)
            }
            Some(_) => Some(HashMap::new()),
            None => None,
        };
        Ok(Staged {
            plan,
            table: base.name.to_string(),
            writer: TableWriter::new(
                lake,
                &base.name,
                &plan.schema,
                plan.partition_column,
                &plan.file_prefix,
            )?,
            tracking,
            keys,
            groups,
            fresh: HashSet::new(),
            replaced: if tracking { replaced } else { HashSet::new() },
            unchanged_whole,
            row_count: 0,
            deleted_flags: 0,
            unmapped_statuses: 0,
        })
    }

    async fn write(&mut self, batch: &RecordBatch) -> Result<(), LoadError> {
        let mut batch = batch.clone();
        if let Some(committed) = &mut self.unchanged_whole {
            let keys = self.keys.of_batch(&batch)?;
            let hashes = batch
                .column_by_name("_content_hash")
                .map(|column| column.as_binary::<i32>().clone());
            let changed: BooleanArray = keys
                .iter()
                .enumerate()
                .map(|(row, key)| {
                    let same = match (&hashes, committed.get(key)) {
                        (Some(hashes), Some(there)) => hashes.value(row) == there.as_slice(),
                        _ => false,
                    };
                    if same {
                        committed.remove(key);
                    }
                    Some(!same)
                })
                .collect();
            batch =
                filter_record_batch(&batch, &changed).map_err(|e| batch_error(&self.table, e))?;
        }
        if self.tracking && batch.num_rows() > 0 {
            self.fresh.extend(self.keys.of_batch(&batch)?);
            if self.plan.key == self.plan.replace_by {
                self.replaced.extend(self.keys.of_batch(&batch)?);
            } else {
                self.replaced.extend(self.groups.of_batch(&batch)?);
            }
            if let Some(flags) = batch.column_by_name("is_deleted") {
                self.deleted_flags += flags.as_boolean().true_count() as u64;
            }
        }
        self.row_count += batch.num_rows() as u64;
        self.unmapped_statuses += unmapped_statuses(&batch);
        self.writer.write(&batch).await
    }
}

/// Rows of key columns as comparable bytes.
struct Keys {
    table: String,
    names: Vec<String>,
    converter: RowConverter,
}

impl Keys {
    fn new(base: &Snapshot, names: &[String]) -> Result<Self, LoadError> {
        let table = base.name.to_string();
        let fields = names
            .iter()
            .map(|name| {
                base.schema
                    .field_with_name(name)
                    .map(|field| SortField::new(field.data_type().clone()))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| batch_error(&table, e))?;
        Ok(Keys {
            converter: RowConverter::new(fields).map_err(|e| batch_error(&table, e))?,
            names: names.to_vec(),
            table,
        })
    }

    fn of_batch(&self, batch: &RecordBatch) -> Result<Vec<Key>, LoadError> {
        let columns = self
            .names
            .iter()
            .map(|name| {
                batch.column_by_name(name).cloned().ok_or_else(|| {
                    let text = format!("column `{name}` is missing");
                    batch_error(&self.table, arrow::error::ArrowError::SchemaError(text))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        self.encode(&columns)
    }

    fn encode(&self, columns: &[ArrayRef]) -> Result<Vec<Key>, LoadError> {
        let rows = self
            .converter
            .convert_columns(columns)
            .map_err(|e| batch_error(&self.table, e))?;
        Ok(rows.iter().map(|row| Key::from(row.as_ref())).collect())
    }
}

/// Keys and content hashes of the rows that a whole feed committed before.
async fn committed_rows(
    lake: &Lake,
    base: &Snapshot,
    keys: &Keys,
    mapping: &str,
    connection: &str,
) -> Result<HashMap<Key, Vec<u8>>, LoadError> {
    let mut wanted: Vec<&str> = keys.names.iter().map(String::as_str).collect();
    for column in ["_mapping", "_content_hash", "connection_id"] {
        if !wanted.contains(&column) {
            wanted.push(column);
        }
    }
    let mut committed = HashMap::new();
    let ctx = new_session(Some(lake)).map_err(CatalogError::from)?;
    for file in &base.files {
        let mut batches = open(&ctx, lake, base, file, Some(&wanted)).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let names = text_column(&batch, "_mapping")?;
            let connections = text_column(&batch, "connection_id")?;
            let hashes = batch
                .column_by_name("_content_hash")
                .map(|column| column.as_binary::<i32>().clone());
            for (row, key) in keys.of_batch(&batch)?.into_iter().enumerate() {
                if names.value(row) == mapping && connections.value(row) == connection {
                    let hash = hashes.as_ref().map(|h| h.value(row).to_vec());
                    committed.insert(key, hash.unwrap_or_default());
                }
            }
        }
    }
    Ok(committed)
}

struct Carried {
    files: Vec<WrittenFile>,
    removed: Vec<String>,
}

/// Rewrites the files that hold replaced keys, without those rows.
async fn rewrite(
    lake: &Lake,
    base: &Snapshot,
    plan: &Merge<'_>,
    replaced: &HashSet<Key>,
    fresh: &HashSet<Key>,
    counts: &mut Replaced,
) -> Result<Carried, LoadError> {
    let keys = Keys::new(base, plan.key)?;
    let groups = Keys::new(base, plan.replace_by)?;
    let mut wanted: Vec<&str> = plan.key.iter().map(String::as_str).collect();
    wanted.extend(plan.replace_by.iter().map(String::as_str));
    wanted.sort_unstable();
    wanted.dedup();
    let mut writer = TableWriter::new(
        lake,
        &base.name,
        &plan.schema,
        plan.partition_column,
        &plan.file_prefix,
    )?
    .carrying_over();
    let mut removed = Vec::new();
    let ctx = new_session(Some(lake)).map_err(CatalogError::from)?;
    for file in &base.files {
        let mut hits = 0;
        let mut batches = open(&ctx, lake, base, file, Some(&wanted)).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let groups_of_rows = groups.of_batch(&batch)?;
            for (row, key) in keys.of_batch(&batch)?.iter().enumerate() {
                if replaced.contains(&groups_of_rows[row]) {
                    hits += 1;
                    if fresh.contains(key) {
                        counts.updated += 1;
                    } else {
                        counts.gone += 1;
                    }
                }
            }
        }
        if hits == 0 {
            continue;
        }
        removed.push(file.path.clone());
        if hits == file.row_count {
            continue;
        }
        let mut batches = open(&ctx, lake, base, file, None).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let goes: BooleanArray = groups
                .of_batch(&batch)?
                .iter()
                .map(|group| Some(replaced.contains(group)))
                .collect();
            let stays = not(&goes).map_err(|e| batch_error(&keys.table, e))?;
            let kept =
                filter_record_batch(&batch, &stays).map_err(|e| batch_error(&keys.table, e))?;
            writer.write(&kept).await?;
        }
    }
    Ok(Carried {
        files: writer.finish().await?,
        removed,
    })
}

/// Reads one file's rows in the table's column types; `columns` are taken by name, all when `None`.
async fn open(
    ctx: &SessionContext,
    lake: &Lake,
    base: &Snapshot,
    file: &DataFile,
    columns: Option<&[&str]>,
) -> Result<impl Stream<Item = Result<RecordBatch, LoadError>> + Unpin + use<>, LoadError> {
    let files = DataFiles::new(
        lake,
        &base.name,
        base.schema.clone(),
        &base.partition_columns,
        std::slice::from_ref(file),
    );
    let mut frame = ctx
        .read_table(Arc::new(files))
        .map_err(CatalogError::from)?;
    if let Some(columns) = columns {
        frame = frame.select_columns(columns).map_err(CatalogError::from)?;
    }
    let batches = frame.execute_stream().await.map_err(CatalogError::from)?;
    Ok(batches.map(|batch| batch.map_err(|e| CatalogError::from(e).into())))
}

/// Rows with a status of the source and none of ours.
fn unmapped_statuses(batch: &RecordBatch) -> u64 {
    let (Some(ours), Some(theirs)) = (
        batch.column_by_name("status"),
        batch.column_by_name("remote_status"),
    ) else {
        return 0;
    };
    let unmapped = (0..batch.num_rows()).filter(|&row| ours.is_null(row) && theirs.is_valid(row));
    unmapped.count() as u64
}

fn text_column(batch: &RecordBatch, name: &str) -> Result<StringArray, LoadError> {
    batch
        .column_by_name(name)
        .map(|column| column.as_string::<i32>().clone())
        .ok_or_else(|| {
            let text = format!("column `{name}` is missing");
            batch_error(name, arrow::error::ArrowError::SchemaError(text))
        })
}

fn batch_error(table: &str, source: arrow::error::ArrowError) -> LoadError {
    LoadError::Batch {
        table: table.to_string(),
        source: Box::new(source),
    }
}
