//! What a mapping's tables hold: current states, changed records, committed tables, words.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::common::{Column, JoinType, TableReference};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::functions::core::expr_fn::named_struct;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;
use schemas::{ColumnKind, Resource, Schemas};

use super::contract::table_schema;
use super::rows::Feed;
use crate::catalog::{
    CONNECTION_COLUMN, CatalogError, DataFile, DataFiles, Lake, Snapshot, TableName, new_session,
};

/// Columns of `coupa.<resource>`: the raw batch's, with the connection before and the day after.
pub fn log_schema(raw: &Schema) -> SchemaRef {
    let mut fields = vec![Arc::new(Field::new("connection_id", DataType::Utf8, false))];
    fields.extend(raw.fields().iter().cloned());
    fields.push(Arc::new(Field::new(
        "_extract_date",
        DataType::Date32,
        true,
    )));
    Arc::new(Schema::new(fields))
}

/// The committed tables that one connection's mappings read.
pub struct Layers<'a> {
    pub lake: &'a Lake,
    pub schemas: &'a Schemas,
    pub connection: &'a str,
    /// Raw columns of each resource.
    pub raw_schemas: &'a BTreeMap<String, SchemaRef>,
    pub snapshots: &'a BTreeMap<TableName, Snapshot>,
}

/// The words of a query. A member of a nested column is read only if its name is among them.
///
/// Raw documents have hundreds of members, a mapping names some; the others are not even decoded.
/// A query that compares or prints nested values whole must therefore name their members; those of
/// nested columns that it fills count as named.
pub(super) struct Words<'a>(HashSet<&'a str>);

impl<'a> Words<'a> {
    pub(super) fn of(sql: &'a str) -> Self {
        let boundary = |c: char| !(c.is_alphanumeric() || c == '_');
        Words(sql.split(boundary).collect())
    }

    /// The words of a mapping, and the members of the nested columns that it fills.
    pub(super) fn of_feed(feed: Feed<'a>) -> Self {
        let mut words = Words::of(&feed.mapping.sql);
        for column in &feed.table.columns {
            words.add_members(&column.kind);
        }
        words
    }

    fn add_members(&mut self, kind: &'a ColumnKind) {
        match kind {
            ColumnKind::List(item) => self.add_members(item),
            ColumnKind::Struct(members) => {
                for (name, kind) in members {
                    self.0.insert(name);
                    self.add_members(kind);
                }
            }
            _ => {}
        }
    }

    /// The schema without members of nested columns that the query does not name.
    fn narrow(&self, schema: &Schema) -> SchemaRef {
        let fields = schema.fields().iter().map(|field| {
            Arc::new(
                field
                    .as_ref()
                    .clone()
                    .with_data_type(self.narrow_type(field.data_type())),
            )
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    fn narrow_type(&self, data_type: &DataType) -> DataType {
        let narrow_field = |field: &Field| {
            Arc::new(
                field
                    .clone()
                    .with_data_type(self.narrow_type(field.data_type())),
            )
        };
        match data_type {
            DataType::List(item) => DataType::List(narrow_field(item)),
            DataType::Struct(members) => {
                let named: Fields = members
                    .iter()
                    .filter(|member| self.0.contains(member.name().as_str()))
                    .map(|member| narrow_field(member))
                    .collect();
                // A struct of which only its presence is asked must keep something.
                if named.is_empty() {
                    data_type.clone()
                } else {
                    DataType::Struct(named)
                }
            }
            other => other.clone(),
        }
    }
}

/// Records of a driver that a mapping maps now.
#[derive(Clone, Debug)]
pub enum Changes {
    /// Rows of these files, one version a record.
    Files(Vec<DataFile>),
    /// The newest version of these ids (as text), from the whole table.
    Ids(Vec<String>),
    /// The newest version of every record.
    All,
}

impl Layers<'_> {
    pub(super) fn snapshot(&self, name: &TableName) -> Option<&Snapshot> {
        self.snapshots.get(name)
    }

    /// The table's columns, as committed or, before its first commit, as declared.
    pub(super) fn schema(&self, name: &TableName) -> Option<SchemaRef> {
        if let Some(snapshot) = self.snapshot(name) {
            return Some(snapshot.schema.clone());
        }
        if name.layer == "coupa" {
            return self.raw_schemas.get(&name.name).map(|raw| log_schema(raw));
        }
        let table = self.schemas.table(&name.layer, &name.name);
        table.map(table_schema)
    }

    /// Registers a table that a mapping reads but is not driven by.
    pub(super) fn register_read(
        &self,
        ctx: &SessionContext,
        name: &TableName,
        words: &Words<'_>,
    ) -> Result<()> {
        let frame = match name.layer.as_str() {
            "coupa" => {
                newest(self.scan(ctx, name, None, words)?)?.filter(col("_op").eq(lit("upsert")))?
            }
            // The same as `coupa`, for mappings that also want their driver's other records.
            "current" => {
                let log = TableName::new("coupa", &name.name);
                newest(self.scan(ctx, &log, None, words)?)?.filter(col("_op").eq(lit("upsert")))?
            }
            "unified" | "report" => self.scan(ctx, name, None, words)?,
            "words" => self.words(ctx, name)?,
            _ => return Ok(()),
        };
        register(ctx, name, frame)
    }

    /// Registers the driver, holding only `changes`.
    pub(super) fn register_driver(
        &self,
        ctx: &SessionContext,
        name: &TableName,
        changes: &Changes,
        words: &Words<'_>,
    ) -> Result<()> {
        let raw = name.layer == "coupa";
        let frame = match changes {
            Changes::Files(files) => self.scan(ctx, name, Some(files), words)?,
            Changes::All => {
                let all = self.scan(ctx, name, None, words)?;
                if raw { newest(all)? } else { all }
            }
            Changes::Ids(ids) => {
                let all = self.scan(ctx, name, None, words)?;
                let all = if raw { newest(all)? } else { all };
                id_list(ctx, ids, raw)?.join(
                    all,
                    JoinType::RightSemi,
                    &["wanted_id"],
                    &["id"],
                    None,
                )?
            }
        };
        let frame = if raw {
            frame.with_column("_lineage", lineage())?
        } else {
            frame
        };
        register(ctx, name, frame)
    }

    /// Registers `changed.<name>`: just the records that changed.
    pub(super) fn register_changed(
        &self,
        ctx: &SessionContext,
        name: &TableName,
        files: &[DataFile],
        words: &Words<'_>,
    ) -> Result<()> {
        let frame = self.scan(ctx, name, Some(files), words)?;
        register(ctx, &TableName::new("changed", &name.name), frame)
    }

    /// Rows of the connection in the given files, or in all of the table's.
    fn scan(
        &self,
        ctx: &SessionContext,
        name: &TableName,
        files: Option<&[DataFile]>,
        words: &Words<'_>,
    ) -> Result<DataFrame> {
        let schema = self
            .schema(name)
            .ok_or_else(|| DataFusionError::Plan(format!("there is no table {name}")))?;
        let (columns, committed) = match self.snapshot(name) {
            Some(snapshot) => (snapshot.partition_columns.as_slice(), &snapshot.files[..]),
            None => (&[][..], &[][..]),
        };
        let files: Vec<DataFile> = files
            .unwrap_or(committed)
            .iter()
            .filter(|file| file.may_hold(self.connection))
            .cloned()
            .collect();
        let table = DataFiles::new(self.lake, name, words.narrow(&schema), columns, &files);
        let frame = ctx.read_table(Arc::new(table))?;
        // Filtering copies every row; files of one connection need none.
        if files.iter().all(|file| file.connection.is_some()) {
            return Ok(frame);
        }
        frame.filter(col(CONNECTION_COLUMN).eq(lit(self.connection)))
    }

    fn words(&self, ctx: &SessionContext, name: &TableName) -> Result<DataFrame> {
        let words = self
            .schemas
            .made_tables()
            .flat_map(|table| &table.words)
            .find(|words| words.name == name.name)
            .ok_or_else(|| DataFusionError::Plan(format!("there is no table {name}")))?;
        words_frame(ctx, &words.text)
    }
}

/// A CSV as a table of text columns; an empty cell is null.
///
/// The rows become part of the plan itself, so that it can run on another machine.
fn words_frame(ctx: &SessionContext, text: &str) -> Result<DataFrame> {
    let wrong = |e: csv::Error| DataFusionError::External(Box::new(e));
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let names: Vec<String> = reader
        .headers()
        .map_err(wrong)?
        .iter()
        .map(str::to_string)
        .collect();
    let mut rows: Vec<Vec<Expr>> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        rows.push(
            record
                .iter()
                .map(|cell| {
                    let text = (!cell.is_empty()).then(|| cell.to_string());
                    lit(datafusion::scalar::ScalarValue::Utf8(text))
                })
                .collect(),
        );
    }
    let empty = rows.is_empty();
    if empty {
        rows.push(vec![lit(""); names.len()]);
    }
    let plan = LogicalPlanBuilder::values(rows)?
        .project(
            names
                .iter()
                .enumerate()
                .map(|(n, name)| col(format!("column{}", n + 1)).alias(name)),
        )?
        .build()?;
    let frame = DataFrame::new(ctx.state(), plan);
    if empty {
        frame.filter(lit(false))
    } else {
        Ok(frame)
    }
}

/// One row a record: the version that was extracted last.
fn newest(log: DataFrame) -> Result<DataFrame> {
    let newest = log
        .clone()
        .aggregate(
            vec![col("id")],
            vec![max(col("_extracted_at")).alias("newest_at")],
        )?
        .select(vec![col("id").alias("newest_id"), col("newest_at")])?;
    // The narrow side is held in memory, the wide one streams past.
    newest.join(
        log,
        JoinType::RightSemi,
        &["newest_id", "newest_at"],
        &["id", "_extracted_at"],
        None,
    )
}

fn id_list(ctx: &SessionContext, ids: &[String], raw: bool) -> Result<DataFrame> {
    let mut rows: Vec<Vec<Expr>> = Vec::with_capacity(ids.len().max(1));
    for id in ids {
        // Ids of the source are integers, ids of unified tables are text.
        match id.parse::<i64>() {
            Ok(number) if raw => rows.push(vec![lit(number)]),
            Err(_) if raw => {}
            _ => rows.push(vec![lit(id.as_str())]),
        }
    }
    if rows.is_empty() {
        // No record has this id; a list of values may not be empty.
        rows.push(vec![if raw { lit(i64::MIN) } else { lit("") }]);
    }
    let plan = LogicalPlanBuilder::values(rows)?
        .project(vec![col("column1").alias("wanted_id")])?
        .build()?;
    Ok(DataFrame::new(ctx.state(), plan))
}

fn lineage() -> Expr {
    let member =
        |name: &str, column: &str| vec![lit(name), Expr::Column(Column::from_name(column))];
    named_struct(
        [
            member("op", "_op"),
            member("extracted_at", "_extracted_at"),
            member("run_id", "_run_id"),
            member("content_hash", "_content_hash"),
        ]
        .concat(),
    )
}

fn register(ctx: &SessionContext, name: &TableName, frame: DataFrame) -> Result<()> {
    let reference = TableReference::partial(name.layer.clone(), name.name.clone());
    ctx.register_table(reference, frame.into_view())?;
    Ok(())
}

/// The newest present version of records in a change log, by id: what a deletion is made of.
pub async fn last_known(
    lake: &Lake,
    log: &Snapshot,
    connection: &str,
    ids: &[i64],
) -> Result<SendableRecordBatchStream, CatalogError> {
    let ctx = new_session(Some(lake))?;
    let rows = ctx
        .read_table(Arc::new(DataFiles::of_snapshot(lake, log)))?
        .filter(col("connection_id").eq(lit(connection)))?;
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    let wanted = id_list(&ctx, &ids, true)?.join(
        rows,
        JoinType::RightSemi,
        &["wanted_id"],
        &["id"],
        None,
    )?;
    let found = newest(wanted)?.filter(col("_op").eq(lit("upsert")))?;
    Ok(found.execute_stream().await?)
}

/// Values of a table's `id` column in some of its files, as text, each once.
pub async fn ids_in(
    lake: &Lake,
    table: &Snapshot,
    connection: &str,
    files: &[DataFile],
) -> Result<Vec<String>, CatalogError> {
    let ctx = new_session(Some(lake))?;
    let files = DataFiles::new(
        lake,
        &table.name,
        table.schema.clone(),
        &table.partition_columns,
        files,
    );
    let mut rows = ctx
        .read_table(Arc::new(files))?
        .filter(col("connection_id").eq(lit(connection)))?
        .select(vec![cast(col("id"), DataType::Utf8).alias("id")])?
        .distinct()?
        .execute_stream()
        .await?;
    let mut ids = Vec::new();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let column = batch.column(0).as_string::<i32>();
        ids.extend(column.iter().flatten().map(str::to_string));
    }
    Ok(ids)
}

/// The resource that a table of the change log belongs to.
pub(super) fn resource_of<'a>(schemas: &'a Schemas, name: &TableName) -> Option<&'a Resource> {
    (name.layer == "coupa").then(|| schemas.resources.get(&name.name))?
}
