//! A table as last committed: its version, its files, and how far each feed has come.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use deltalake::kernel::Action;
use deltalake::logstore::get_actions;
use deltalake::{DeltaTable, DeltaTableBuilder};
use object_store::{ObjectStoreExt, path::Path};

use super::{CatalogError, Lake, TableName};

/// A tag on added files: rows that were carried over unchanged when a file was rewritten.
pub const KEPT_ROWS: &str = "spendlake.kept";

/// One Parquet file of a committed table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Path under the table's folder.
    pub path: String,
    pub bytes: u64,
    pub row_count: u64,
    /// Partition column to value.
    pub partition: HashMap<String, Option<String>>,
    /// The connection that all rows are of; `None` when they are of several, or it is not known.
    pub connection: Option<String>,
    /// The table no longer has it: its rows are in other files, as far as they are still there.
    pub replaced: bool,
}

/// The column that says which Coupa instance a row is of.
pub const CONNECTION_COLUMN: &str = "connection_id";

impl DataFile {
    /// Whether rows of `connection` may be in the file.
    pub fn may_hold(&self, connection: &str) -> bool {
        self.connection
            .as_deref()
            .is_none_or(|one| one == connection)
    }

    /// The file's statistics as the table format keeps them.
    pub fn statistics(&self) -> String {
        let mut statistics = serde_json::json!({ "numRecords": self.row_count });
        if let Some(connection) = &self.connection {
            let bound = serde_json::json!({ CONNECTION_COLUMN: connection });
            statistics["minValues"] = bound.clone();
            statistics["maxValues"] = bound;
        }
        statistics.to_string()
    }
}

/// Row count and connection out of a file's statistics.
fn read_statistics(text: Option<&str>) -> (u64, Option<String>) {
    let parsed = text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let Some(statistics) = parsed else {
        return (0, None);
    };
    let rows = statistics.get("numRecords").and_then(|rows| rows.as_u64());
    let bound = |which: &str| {
        let value = statistics.get(which)?.get(CONNECTION_COLUMN)?;
        value.as_str().map(str::to_string)
    };
    let least = bound("minValues");
    let one = least.filter(|least| bound("maxValues").as_ref() == Some(least));
    (rows.unwrap_or(0), one)
}

/// The files that one commit added, without those that only carry rows over.
#[derive(Clone, Debug)]
pub struct AddedFiles {
    pub version: u64,
    pub files: Vec<DataFile>,
}

/// A table at one version.
#[derive(Clone)]
pub struct Snapshot {
    pub name: TableName,
    pub version: u64,
    pub schema: SchemaRef,
    pub partition_columns: Vec<String>,
    pub files: Vec<DataFile>,
    pub table: DeltaTable,
}

impl Snapshot {
    /// The table as last committed; `None` before its first commit.
    pub async fn open(lake: &Lake, name: &TableName) -> Result<Option<Snapshot>, CatalogError> {
        let mut table = table_handle(lake, name)?;
        if !table
            .verify_deltatable_existence()
            .await
            .map_err(|e| failed(name, e))?
        {
            return Ok(None);
        }
        table.load().await.map_err(|e| failed(name, e))?;
        Snapshot::of(name, table).map(Some)
    }

    /// Reads the facts of an already loaded table.
    pub fn of(name: &TableName, table: DeltaTable) -> Result<Snapshot, CatalogError> {
        let state = table.snapshot().map_err(|e| failed(name, e))?;
        let files = state
            .log_data()
            .iter()
            .map(|file| {
                let (row_count, connection) = read_statistics(file.stats().as_deref());
                DataFile {
                    path: file.path().into_owned(),
                    bytes: u64::try_from(file.size()).unwrap_or(0),
                    row_count,
                    partition: file.partition_values_map(),
                    connection,
                    replaced: false,
                }
            })
            .collect();
        Ok(Snapshot {
            name: name.clone(),
            version: state.version(),
            schema: state.snapshot().arrow_schema(),
            partition_columns: state.metadata().partition_columns().to_vec(),
            files,
            table: table.clone(),
        })
    }

    /// The number last committed under `app_id`; `None` if there was none.
    pub async fn transaction(&self, app_id: &str) -> Result<Option<i64>, CatalogError> {
        let log_store = self.table.log_store();
        self.table
            .snapshot()
            .map_err(|e| failed(&self.name, e))?
            .transaction_version(log_store.as_ref(), app_id)
            .await
            .map_err(|e| failed(&self.name, e))
    }

    /// Files with new rows, commit by commit, after `version` (all when `None`), oldest first.
    ///
    /// `None` when the log no longer reaches back that far, or a file has been removed since: the caller
    /// then reads the whole table.
    pub async fn added_since(
        &self,
        version: Option<u64>,
    ) -> Result<Option<Vec<AddedFiles>>, CatalogError> {
        let first = version.map_or(0, |v| v + 1);
        let log_store = self.table.log_store();
        let mut commits = Vec::new();
        for version in first..=self.version {
            let Some(bytes) = log_store
                .read_commit_entry(version)
                .await
                .map_err(|e| failed(&self.name, e))?
            else {
                return Ok(None);
            };
            let actions = get_actions(version, &bytes).map_err(|e| failed(&self.name, e))?;
            let files: Vec<_> = actions.into_iter().filter_map(added_file).collect();
            if !files.is_empty() {
                commits.push(AddedFiles { version, files });
            }
        }
        // Files that were replaced since still tell which records came, as long as they are there.
        let live: HashSet<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        let store = log_store.object_store(None);
        for file in commits.iter_mut().flat_map(|commit| &mut commit.files) {
            file.replaced = !live.contains(file.path.as_str());
            if !file.replaced {
                continue;
            }
            match store.head(&Path::from(file.path.as_str())).await {
                Ok(_) => {}
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(source) => {
                    return Err(CatalogError::Store {
                        subject: format!("a file of {}", self.name),
                        source,
                    });
                }
            }
        }
        Ok(Some(commits))
    }

    /// Whether rows came or went after `version` (`None`: ever). Files that were only joined do not count.
    ///
    /// True when the log no longer tells.
    pub async fn changed_since(&self, version: Option<u64>) -> Result<bool, CatalogError> {
        let first = version.map_or(0, |v| v + 1);
        let log_store = self.table.log_store();
        for version in first..=self.version {
            let entry = log_store.read_commit_entry(version).await;
            let Some(bytes) = entry.map_err(|e| failed(&self.name, e))? else {
                return Ok(true);
            };
            let actions = get_actions(version, &bytes).map_err(|e| failed(&self.name, e))?;
            let moves = |action: &Action| match action {
                Action::Add(add) => add.data_change,
                Action::Remove(remove) => remove.data_change,
                _ => false,
            };
            if actions.iter().any(moves) {
                return Ok(true);
            }
        }
        // A table that was made anew has forgotten what it was consumed up to.
        Ok(version.is_some_and(|version| version > self.version))
    }

    /// Metadata of the newest commits, newest first.
    pub async fn history(
        &self,
        limit: usize,
    ) -> Result<Vec<HashMap<String, serde_json::Value>>, CatalogError> {
        use futures::TryStreamExt;
        let commits: Vec<_> = self
            .table
            .history(Some(limit))
            .try_collect()
            .await
            .map_err(|e| failed(&self.name, e))?;
        Ok(commits.into_iter().map(|c| c.info).collect())
    }

    pub fn row_count(&self) -> u64 {
        self.files.iter().map(|f| f.row_count).sum()
    }

    pub fn byte_count(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }

    /// When the current version was committed.
    pub fn committed_at(&self) -> Option<DateTime<Utc>> {
        let state = self.table.snapshot().ok()?;
        DateTime::from_timestamp_millis(state.version_timestamp(self.version)?)
    }
}

/// A handle on the table's place, whether or not a table is there yet.
pub fn table_handle(lake: &Lake, name: &TableName) -> Result<DeltaTable, CatalogError> {
    let url = lake.table_url(name);
    DeltaTableBuilder::from_url(url.clone())
        .map(|builder| builder.with_storage_backend(Arc::new(lake.store()), url))
        .and_then(DeltaTableBuilder::build)
        .map_err(|e| failed(name, e))
}

fn added_file(action: Action) -> Option<DataFile> {
    let Action::Add(add) = action else {
        return None;
    };
    let kept = add
        .tags
        .as_ref()
        .is_some_and(|tags| tags.contains_key(KEPT_ROWS));
    if kept || !add.data_change {
        return None;
    }
    let (row_count, connection) = read_statistics(add.stats.as_deref());
    Some(DataFile {
        path: add.path,
        bytes: u64::try_from(add.size).unwrap_or(0),
        row_count,
        partition: add.partition_values,
        connection,
        replaced: false,
    })
}

pub(crate) fn failed(name: &TableName, source: deltalake::DeltaTableError) -> CatalogError {
    CatalogError::Table {
        table: name.to_string(),
        source: Box::new(source),
    }
}
