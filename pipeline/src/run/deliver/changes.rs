//! Which rows of a table differ between two of its versions, told from its files.
//!
//! A merge writes all rows of a changed key, or parent, into files that it tags as new, and rewrites the
//! files that held the old ones. So the rows that changed are those of the new files, and what is gone is
//! what the files that went had and those that came have not.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use datafusion::prelude::{SessionContext, lit};
use futures::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use warehouse::{Rows, Scope, TableDefinition};

use crate::catalog::{
    CatalogError, DataFile, DataFiles, FileChanges, Lake, Snapshot, new_mapping_session,
};
use crate::error::{Error, Kind};

/// What a warehouse is to replace, and by what.
pub struct Changes {
    pub scope: Scope,
    pub rows: Rows<'static>,
}

/// The rows of `connection` that changed since version `from`; all of them when there is none, or when the
/// lake can no longer tell.
///
/// Holds 16 bytes for each key or parent in files that were rewritten, and those that are gone.
pub async fn changes(
    lake: &Lake,
    snapshot: &Snapshot,
    table: &TableDefinition,
    connection: &str,
    from: Option<u64>,
) -> Result<Changes, Error> {
    let reader = Reader {
        ctx: new_mapping_session(Some(lake), &snapshot.files).map_err(CatalogError::from)?,
        lake: lake.clone(),
        snapshot: snapshot.clone(),
        connection: table
            .connection_column
            .clone()
            .map(|column| (column, connection.to_string())),
    };
    let names = |columns: &[warehouse::ColumnDefinition]| -> Vec<String> {
        columns.iter().map(|column| column.name.clone()).collect()
    };
    let columns = names(&table.columns);
    let found = match from {
        Some(version) => snapshot.changes_since(lake, version).await?,
        None => None,
    };
    let Some(found) = found else {
        let rows = reader.read(&snapshot.files, &columns).await?;
        return Ok(Changes {
            scope: Scope::Whole,
            rows: Box::pin(rows.map_err(|e| Box::new(e) as _)),
        });
    };
    let FileChanges {
        brought,
        added,
        removed,
    } = found;
    let groups = Groups::new(snapshot, &table.replace_by)?;
    let gone = match removed.is_empty() {
        true => Vec::new(),
        false => gone(&reader, &groups, &removed, &added).await?,
    };
    // New rows that were carried on to other files since.
    let (replaced, new): (Vec<_>, Vec<_>) = brought.into_iter().partition(|file| file.replaced);
    let moved = reader.groups(&groups, &replaced).await?;
    let is_new = |file: &&DataFile| new.iter().any(|new| new.path == file.path);
    let carried = match moved.is_empty() {
        true => Vec::new(),
        false => added.iter().filter(|file| !is_new(file)).cloned().collect(),
    };
    let new = reader.read(&new, &columns).await?;
    let carried = reader.read(&carried, &columns).await?;
    let carried = carried.map(move |batch| {
        let batch = batch?;
        let changed: BooleanArray = groups
            .of_batch(&batch)
            .map_err(datafusion::error::DataFusionError::from)?
            .iter()
            .map(|group| Some(moved.contains(group)))
            .collect();
        Ok(filter_record_batch(&batch, &changed)?)
    });
    Ok(Changes {
        scope: Scope::Changed { gone },
        rows: Box::pin(new.chain(carried).map_err(|e| Box::new(e) as _)),
    })
}

/// Keys or parents that only the files that went had.
async fn gone(
    reader: &Reader,
    groups: &Groups,
    removed: &[DataFile],
    added: &[DataFile],
) -> Result<Vec<RecordBatch>, Error> {
    let mut seen = reader.groups(groups, added).await?;
    let mut gone = Vec::new();
    let mut batches = reader.read(removed, &groups.names).await?;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(CatalogError::from)?;
        let hashes = groups.of_batch(&batch).map_err(unexpected)?;
        // Each once: what is told is as good as seen.
        let new: BooleanArray = hashes
            .iter()
            .map(|group| Some(seen.insert(*group)))
            .collect();
        if new.true_count() > 0 {
            gone.push(filter_record_batch(&batch, &new).map_err(unexpected)?);
        }
    }
    Ok(gone)
}

/// Reads files of one table, and of them the rows of one connection.
struct Reader {
    ctx: SessionContext,
    lake: Lake,
    snapshot: Snapshot,
    /// The column that tells, and whose rows are wanted.
    connection: Option<(String, String)>,
}

type Batches = datafusion::execution::SendableRecordBatchStream;

impl Reader {
    async fn read(&self, files: &[DataFile], columns: &[String]) -> Result<Batches, CatalogError> {
        let may_hold = |file: &&DataFile| {
            let connection = self.connection.as_ref();
            connection.is_none_or(|(_, connection)| file.may_hold(connection))
        };
        let files: Vec<DataFile> = files.iter().filter(may_hold).cloned().collect();
        let files = DataFiles::new(
            &self.lake,
            &self.snapshot.name,
            self.snapshot.schema.clone(),
            &self.snapshot.partition_columns,
            &files,
        );
        let mut frame = self.ctx.read_table(Arc::new(files))?;
        if let Some((column, connection)) = &self.connection {
            // A column's name is taken as it is written, capitals and dots included.
            let column = datafusion::common::Column::from_name(column);
            let column = datafusion::prelude::Expr::Column(column);
            frame = frame.filter(column.eq(lit(connection)))?;
        }
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        Ok(frame.select_columns(&columns)?.execute_stream().await?)
    }

    /// The keys or parents of all rows, hashed.
    async fn groups(&self, groups: &Groups, files: &[DataFile]) -> Result<HashSet<Group>, Error> {
        let mut found = HashSet::new();
        if files.is_empty() {
            return Ok(found);
        }
        let mut batches = self.read(files, &groups.names).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(CatalogError::from)?;
            found.extend(groups.of_batch(&batch).map_err(unexpected)?);
        }
        Ok(found)
    }
}

/// The hash of a row's key or parent: two that differ and share one are not to be expected in the age of
/// the universe.
type Group = [u8; 16];

/// Takes rows for their keys or parents.
struct Groups {
    names: Vec<String>,
    converter: RowConverter,
}

impl Groups {
    fn new(snapshot: &Snapshot, names: &[String]) -> Result<Groups, Error> {
        let fields = names
            .iter()
            .map(|name| {
                let field = snapshot.schema.field_with_name(name)?;
                Ok(SortField::new(field.data_type().clone()))
            })
            .collect::<Result<Vec<_>, ArrowError>>()
            .map_err(unexpected)?;
        Ok(Groups {
            names: names.to_vec(),
            converter: RowConverter::new(fields).map_err(unexpected)?,
        })
    }

    fn of_batch(&self, batch: &RecordBatch) -> Result<Vec<Group>, ArrowError> {
        let columns = self
            .names
            .iter()
            .map(|name| {
                let found = batch.column_by_name(name).cloned();
                found.ok_or_else(|| ArrowError::SchemaError(format!("`{name}` is missing")))
            })
            .collect::<Result<Vec<ArrayRef>, _>>()?;
        let rows = self.converter.convert_columns(&columns)?;
        let hash = |row: arrow::row::Row<'_>| {
            let digest = Sha256::digest(row.as_ref());
            let mut group = Group::default();
            group.copy_from_slice(&digest[..16]);
            group
        };
        Ok(rows.iter().map(hash).collect())
    }
}

fn unexpected(error: ArrowError) -> Error {
    Error::new(Kind::Internal, error.to_string())
}
