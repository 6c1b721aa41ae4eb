//! Brings the unified tables up to what the change log holds, table by table, and the reports up to those.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use extract::queue::queue;
use futures::{Stream, StreamExt, TryStreamExt};
use schemas::{Refresh, Schemas, Table};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::RunMark;
use super::report::{broken_promise, plan_report};
use crate::catalog::{
    AddedFiles, CatalogError, DataFile, Lake, Snapshot, TableName, new_session, referenced_tables,
};
use crate::error::{Error, Kind};
use crate::job::{Event, Stop, TableState};
use crate::load::{Commit, LoadError, Merge, Merged, ensure_table, merge};
use crate::summary::{Problem, TableSummary};
use crate::transform::{
    Changes, Feed, Layers, MONTH_COLUMN, ids_in, map, refresh_order, table_schema, triggered_ids,
};

/// Records of a driver that one query works on at once.
const CHUNK_ROWS: u64 = 20_000;

/// After this many commits without rows, the table notes that it has seen them: a log that is cleaned up
/// some day must still reach back to what was consumed.
pub(super) const EMPTY_COMMITS: i64 = 20;

/// Merges that lose the race for a version to another connection's run are made anew this often in all.
const MERGE_ATTEMPTS: u32 = 5;

/// Mapped rows that wait for the writer, with those it has in hand: about three batches of wide documents.
const AHEAD_BYTES: usize = 24 << 20;

/// What a refresh needs to know of the run around it.
pub struct Refreshing<'a> {
    pub lake: &'a Lake,
    pub schemas: &'a Schemas,
    pub raw_schemas: &'a BTreeMap<String, SchemaRef>,
    pub mark: &'a RunMark,
    /// Map everything again, not only what changed.
    pub replay: bool,
    pub observe: &'a (dyn Fn(Event) + Send + Sync),
    pub stop: &'a Stop,
}

/// Refreshes every unified table, and then every report table, from what changed since its last commit.
///
/// A table that fails is reported in its summary, and so are those that read it: what they look up
/// would be missing, and nothing would bring it later.
pub async fn refresh_tables(run: &Refreshing<'_>) -> Result<Vec<TableSummary>, Error> {
    let (mut snapshots, mut unreadable) = open_all(run).await;
    let mut summaries = Vec::new();
    let mut failed: BTreeSet<TableName> = unreadable.keys().cloned().collect();
    for table in refresh_order(run.schemas)? {
        if run.stop.is_requested() {
            break;
        }
        let qualified = TableName::new(&table.layer, &table.name);
        let tell = |state| {
            (run.observe)(Event::Table {
                name: told_name(&qualified),
                state,
            })
        };
        tell(TableState::Started);
        let started = Instant::now();
        let mut summary = TableSummary {
            table: qualified.to_string(),
            version: 0,
            inserted: 0,
            updated: 0,
            deleted: 0,
            rows: 0,
            unmapped_statuses: 0,
            seconds: 0.0,
            error: None,
        };
        let refreshed = match unreadable.remove(&qualified) {
            Some(error) => Err(error),
            None => match reads_failed(table, &failed)? {
                Some(error) => Err(error),
                None => refresh_table(run, table, &mut snapshots, &mut summary).await,
            },
        };
        // Rows that break what must hold are there and are told of; they hold back nobody.
        let refreshed = match refreshed {
            Ok(true) => {
                summary.error = broken_promise(run, table, &snapshots).await?;
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        match refreshed {
            Ok(()) if summary.error.is_some() => tell(TableState::Failed),
            Ok(()) => tell(TableState::Done),
            Err(error) => {
                failed.insert(qualified.clone());
                summary.error = Some(Problem::from(&error));
                tell(TableState::Failed);
            }
        }
        summary.seconds = started.elapsed().as_secs_f64();
        summaries.push(summary);
    }
    Ok(summaries)
}

/// A table's name as progress shows it: those of `unified` are the many, and go by their bare name.
fn told_name(name: &TableName) -> String {
    match name.layer.as_str() {
        "unified" => name.name.clone(),
        _ => name.to_string(),
    }
}

/// Why a table can not be refreshed now: one that its mappings look into has failed.
fn reads_failed(table: &Table, failed: &BTreeSet<TableName>) -> Result<Option<Error>, Error> {
    if failed.is_empty() {
        return Ok(None);
    }
    let ctx = new_session(None).map_err(CatalogError::from)?;
    for mapping in &table.mappings {
        for read in referenced_tables(&ctx, &mapping.sql).map_err(CatalogError::from)? {
            // Both show the same log.
            let layer = if read.layer == "current" {
                "coupa"
            } else {
                &read.layer
            };
            let read = TableName::new(layer, read.name);
            let own = TableName::new(&table.layer, &table.name);
            if read != own && failed.contains(&read) {
                let text = format!("{own} waits for {read}, which failed");
                return Ok(Some(Error::new(Kind::Unavailable, text).with_hint(
                    "nothing of it was changed; the next run refreshes both",
                )));
            }
        }
    }
    Ok(None)
}

/// Opens every table that is there; one that can not be read must not hold back the others.
async fn open_all(
    run: &Refreshing<'_>,
) -> (BTreeMap<TableName, Snapshot>, BTreeMap<TableName, Error>) {
    let logs = run
        .schemas
        .resources
        .keys()
        .map(|name| TableName::new("coupa", name));
    let tables = run
        .schemas
        .made_tables()
        .map(|table| TableName::new(&table.layer, &table.name));
    let mut snapshots = BTreeMap::new();
    let mut unreadable = BTreeMap::new();
    let mut opened = futures::stream::iter(logs.chain(tables))
        .map(|name| async move {
            let snapshot = Snapshot::open(run.lake, &name).await;
            (name, snapshot)
        })
        .buffer_unordered(4);
    while let Some((name, found)) = opened.next().await {
        match found {
            Ok(Some(snapshot)) => {
                snapshots.insert(name, snapshot);
            }
            Ok(None) => {}
            Err(error) => {
                unreadable.insert(name, error.into());
            }
        }
    }
    (snapshots, unreadable)
}

/// Returns whether anything was written.
async fn refresh_table(
    run: &Refreshing<'_>,
    table: &Table,
    snapshots: &mut BTreeMap<TableName, Snapshot>,
    summary: &mut TableSummary,
) -> Result<bool, Error> {
    let name = TableName::new(&table.layer, &table.name);
    let partition = table.partition.as_ref().map(|_| MONTH_COLUMN);
    let schema = table_schema(table);
    let snapshot = ensure_table(run.lake, &name, &table.doc, &schema, partition).await?;
    snapshots.insert(name.clone(), snapshot);
    let mut touched = false;
    for mapping in &table.mappings {
        let feed = Feed { table, mapping };
        let mut attempt = 1;
        let merged = loop {
            match refresh_feed(run, feed, &name, snapshots).await {
                // Another connection's run has committed to the same table: plan anew on top of it.
                Err(Error {
                    lost_race: true, ..
                }) if attempt < MERGE_ATTEMPTS => {
                    attempt += 1;
                    if let Some(newest) = Snapshot::open(run.lake, &name).await? {
                        snapshots.insert(name.clone(), newest);
                    }
                }
                other => break other?,
            }
        };
        if let Some(merged) = merged {
            touched = true;
            summary.inserted += merged.inserted;
            summary.updated += merged.updated;
            summary.deleted += merged.deleted;
            summary.unmapped_statuses += merged.unmapped_statuses;
            snapshots.insert(name.clone(), merged.snapshot);
        }
    }
    let now = &snapshots[&name];
    summary.version = now.version;
    summary.rows = now.row_count();
    Ok(touched)
}

/// What one feed has to work on.
pub(super) struct Work {
    pub changes: Vec<Changes>,
    /// Ids of the driver whose rows are replaced.
    pub ids: Vec<String>,
    /// The versions of its sources that the table holds afterwards.
    pub progress: Vec<(String, i64)>,
}

async fn refresh_feed(
    run: &Refreshing<'_>,
    feed: Feed<'_>,
    name: &TableName,
    snapshots: &BTreeMap<TableName, Snapshot>,
) -> Result<Option<Merged>, Error> {
    let layers = Layers {
        lake: run.lake,
        schemas: run.schemas,
        connection: &run.mark.connection,
        raw_schemas: run.raw_schemas,
        snapshots,
    };
    let base = &snapshots[name];
    let work = if feed.is_report() {
        plan_report(run, &layers, feed, base).await?
    } else {
        plan_work(run, &layers, feed, base).await?
    };
    let Some(work) = work else {
        return Ok(None);
    };
    let table = feed.table;
    let app_id = format!("spendlake/{}/{}", run.mark.connection, feed.mapping.name);
    let sequence = base.transaction(&app_id).await?.unwrap_or(0) + 1;
    let connection = &run.mark.connection;
    let plan = Merge {
        schema: table_schema(table),
        key: &table.key,
        replace_by: &table.replace_by,
        partition_column: table.partition.as_ref().map(|_| MONTH_COLUMN),
        replaced: if table.replace_by.len() == 2 {
            let pair = |id: String| vec![connection.clone(), id];
            work.ids.into_iter().map(pair).collect()
        } else {
            Vec::new()
        },
        // Without changes only progress is committed: no rows come, and none are gone for that.
        whole: (feed.mapping.refresh == Refresh::Full && !work.changes.is_empty())
            .then(|| (feed.mapping.name.clone(), connection.clone())),
        file_prefix: format!("{}-{}", run.mark.run_id, &run.schemas.fingerprint()[..8]),
    };
    let facts = Commit {
        app_id,
        fence: run.mark.fence(),
        run_started_at: run.mark.started_at,
        sequence,
        progress: work.progress,
        lineage: HashMap::from([
            ("spendlake.run_id".to_string(), json!(run.mark.run_id)),
            ("spendlake.connection".to_string(), json!(connection)),
            ("spendlake.mapping".to_string(), json!(feed.label())),
            (
                "spendlake.definitions".to_string(),
                json!(run.schemas.fingerprint()),
            ),
        ]),
        ..Commit::default()
    };
    let as_load = |e: crate::transform::TransformError| LoadError::Rows {
        table: name.to_string(),
        source: Box::new(e),
    };
    let layers = &layers;
    let rows = futures::stream::iter(work.changes)
        .then(|changes| async move { map(layers, feed, &changes).await.map(ahead) })
        .try_flatten()
        .map_err(as_load);
    Ok(Some(merge(run.lake, base, &plan, rows, facts).await?))
}

/// Runs a stream on a task of its own, up to [`AHEAD_BYTES`] before its reader: rows are mapped while those
/// before them are encoded. The task ends with its reader.
fn ahead<E: Send + 'static>(
    stream: impl Stream<Item = Result<RecordBatch, E>> + Send + 'static,
) -> impl Stream<Item = Result<RecordBatch, E>> {
    let (sender, receiver) = queue(AHEAD_BYTES, |rows: &Result<RecordBatch, E>| {
        rows.as_ref().map_or(0, RecordBatch::get_array_memory_size)
    });
    let task = tokio::spawn(async move {
        let mut stream = std::pin::pin!(stream);
        while let Some(item) = stream.next().await {
            if sender.send(item).await.is_err() {
                return;
            }
        }
    });
    futures::stream::unfold((receiver, Some(task)), |(mut receiver, task)| async move {
        if let Some(item) = receiver.recv().await {
            return Some((item, (receiver, task)));
        }
        // The channel also closes when the task panics; its rows must not pass for all there are.
        if let Err(failed) = task?.await
            && failed.is_panic()
        {
            std::panic::resume_unwind(failed.into_panic());
        }
        None
    })
}

async fn plan_work(
    run: &Refreshing<'_>,
    layers: &Layers<'_>,
    feed: Feed<'_>,
    base: &Snapshot,
) -> Result<Option<Work>, Error> {
    let driver_name = feed.driver();
    let Some(driver) = layers.snapshots.get(&driver_name) else {
        return Ok(None);
    };
    let consumed_id = |source: &TableName| {
        let connection = &run.mark.connection;
        format!("spendlake/{connection}/{}/{source}", feed.mapping.name)
    };
    let first = base
        .transaction(&consumed_id(&driver_name))
        .await?
        .is_none();
    // A changed mapping replays over everything that the log holds.
    let definition_id = consumed_id(&TableName::new("definition", "sql"));
    let definition = definition(feed);
    let changed = base.transaction(&definition_id).await? != Some(definition);
    let replay = !first && (changed || run.replay);
    let added = match replay {
        true => Added::Unknown,
        false => added_since(base, driver, &consumed_id(&driver_name)).await?,
    };
    let mut progress = vec![
        (consumed_id(&driver_name), driver.version as i64),
        (definition_id, definition),
    ];
    let mut triggered = Vec::new();
    let mut others_changed = false;
    for (other, sql) in &feed.mapping.when {
        let Some(other_name) = TableName::parse(other) else {
            continue;
        };
        let Some(other) = layers.snapshots.get(&other_name) else {
            continue;
        };
        let id = consumed_id(&other_name);
        let changed = added_since(base, other, &id).await?;
        progress.push((id, other.version as i64));
        let files = match changed {
            Added::Commits(commits) => flatten(commits),
            Added::Unknown => other.files.clone(),
        };
        if !first && !files.is_empty() {
            others_changed = true;
            triggered.extend(triggered_ids(layers, feed, &other_name, sql, &files).await?);
        }
    }
    let nothing = matches!(&added, Added::Commits(commits) if commits.is_empty());
    if nothing && triggered.is_empty() && !(others_changed && feed.mapping.refresh == Refresh::Full)
    {
        let consumed = base.transaction(&consumed_id(&driver_name)).await?;
        let behind = driver.version as i64 - consumed.unwrap_or(0);
        return Ok((behind > EMPTY_COMMITS).then(|| Work {
            changes: Vec::new(),
            ids: Vec::new(),
            progress,
        }));
    }
    if feed.mapping.refresh == Refresh::Full {
        return Ok(Some(Work {
            changes: vec![Changes::All],
            ids: Vec::new(),
            progress,
        }));
    }
    let empty_table = base.files.is_empty();
    let ids_of =
        async |files: &[DataFile]| ids_in(run.lake, driver, &run.mark.connection, files).await;
    let work = match added {
        Added::Commits(commits) => {
            let one_commit = commits.len() == 1;
            let mut files = flatten(commits);
            files.retain(|file| file.may_hold(&run.mark.connection));
            let current = files.iter().all(|file| !file.replaced);
            let mut ids = if one_commit && current && empty_table && triggered.is_empty() {
                Vec::new()
            } else {
                ids_of(&files).await?
            };
            // A commit brings a record once, and so do the pieces of one scan together: then the rows of
            // the new files, where no later commit replaced them, are the newest versions, and need not be
            // looked for in the whole table.
            let rows: u64 = files.iter().map(|file| file.row_count).sum();
            let once = current && (one_commit || ids.len() as u64 == rows);
            if once && triggered.is_empty() {
                Work {
                    changes: chunks(files).into_iter().map(Changes::Files).collect(),
                    ids: if empty_table { Vec::new() } else { ids },
                    progress,
                }
            } else if first {
                Work {
                    changes: vec![Changes::All],
                    ids: Vec::new(),
                    progress,
                }
            } else {
                ids.extend(triggered);
                ids.sort_unstable();
                ids.dedup();
                let chunks = ids.chunks(CHUNK_ROWS as usize);
                Work {
                    changes: chunks.map(|ids| Changes::Ids(ids.to_vec())).collect(),
                    ids,
                    progress,
                }
            }
        }
        Added::Unknown => Work {
            changes: vec![Changes::All],
            ids: ids_of(&driver.files).await?,
            progress,
        },
    };
    Ok(Some(work))
}

/// A number that changes with anything that a mapping's rows depend on beside the data.
fn definition(feed: Feed<'_>) -> i64 {
    let mut hash = Sha256::new();
    hash.update(&feed.mapping.sql);
    for (other, sql) in &feed.mapping.when {
        hash.update(other);
        hash.update(sql);
    }
    for words in &feed.table.words {
        hash.update(&words.name);
        hash.update(&words.text);
    }
    number(hash)
}

/// The first bytes of a hash, as transactions hold numbers.
pub(super) fn number(hash: Sha256) -> i64 {
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    // Transactions hold signed numbers; the sign is left out so that they stay plain.
    i64::from_be_bytes(first) & i64::MAX
}

enum Added {
    Commits(Vec<AddedFiles>),
    /// The log no longer tells; everything counts as changed.
    Unknown,
}

async fn added_since(base: &Snapshot, source: &Snapshot, id: &str) -> Result<Added, Error> {
    let consumed = base.transaction(id).await?;
    let consumed = consumed.and_then(|version| u64::try_from(version).ok());
    if consumed.is_some_and(|version| version > source.version) {
        // The source was made anew since.
        return Ok(Added::Unknown);
    }
    Ok(match source.added_since(consumed).await? {
        Some(commits) => Added::Commits(commits),
        None => Added::Unknown,
    })
}

fn flatten(commits: Vec<AddedFiles>) -> Vec<DataFile> {
    commits
        .into_iter()
        .flat_map(|commit| commit.files)
        .collect()
}

/// Groups files so that a group has about [`CHUNK_ROWS`] rows.
fn chunks(files: Vec<DataFile>) -> Vec<Vec<DataFile>> {
    let mut chunks: Vec<Vec<DataFile>> = Vec::new();
    let mut rows = 0;
    for file in files {
        if chunks.is_empty() || rows + file.row_count > CHUNK_ROWS {
            chunks.push(Vec::new());
            rows = 0;
        }
        rows += file.row_count;
        chunks.last_mut().expect("one was just pushed").push(file);
    }
    chunks
}
