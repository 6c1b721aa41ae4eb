//! Runs one mapping over some records of its driver.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, ListArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use datafusion::error::{DataFusionError, Result as QueryResult};
use datafusion::functions::core::expr_fn::{coalesce, get_field};
use datafusion::functions::datetime::expr_fn::to_char;
use datafusion::logical_expr::{Expr, col, lit, when};
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::DataFrame;
use datafusion::scalar::ScalarValue;
use futures::{Stream, StreamExt};
use schemas::{Mapping, Refresh, Table};
use sha2::{Digest, Sha256};

use super::TransformError;
use super::contract::{MONTH_COLUMN, table_schema};
use super::source::{Changes, Layers, Words, resource_of};
use crate::catalog::{
    CatalogError, DataFile, TableName, new_mapping_session, new_report_session, new_session,
    referenced_tables,
};

/// Grows when the meaning of the unified columns changes.
const SCHEMA_VERSION: i32 = 1;

/// A table and one of the mappings that feed it.
#[derive(Clone, Copy)]
pub struct Feed<'a> {
    pub table: &'a Table,
    pub mapping: &'a Mapping,
}

impl Feed<'_> {
    /// `invoices/coupa.invoices`, as messages name it.
    pub fn label(&self) -> String {
        format!("{}/{}", self.table.name, self.mapping.name)
    }

    /// The driver's qualified name.
    pub fn driver(&self) -> TableName {
        TableName::parse(&self.mapping.source)
            .unwrap_or_else(|| TableName::new("coupa", &self.mapping.source))
    }

    /// Whether its rows are made of other tables of ours, whole, and not of one driver's records.
    pub fn is_report(&self) -> bool {
        self.table.layer == "report"
    }

    /// Every table that the mapping's query names, the driver among them.
    pub fn reads(&self) -> Result<BTreeSet<TableName>, TransformError> {
        let ctx = new_session(None).map_err(CatalogError::from)?;
        referenced_tables(&ctx, &self.mapping.sql).map_err(|source| TransformError::Plan {
            mapping: self.label(),
            source: Box::new(source),
        })
    }
}

/// Maps `changes` of the driver to rows that fit the table's contract, stamped.
///
/// The stream's batches have the columns of [`table_schema`]. Memory is bounded by the session.
pub async fn map(
    layers: &Layers<'_>,
    feed: Feed<'_>,
    changes: &Changes,
) -> Result<impl Stream<Item = Result<RecordBatch, TransformError>> + Send + use<>, TransformError>
{
    let label = feed.label();
    let failed = {
        let label = label.clone();
        move |source: DataFusionError| TransformError::Run {
            mapping: label.clone(),
            source: Box::new(source),
        }
    };
    let frame = stamped(layers, feed, changes).await.map_err(&failed)?;
    let schema = table_schema(feed.table);
    let context = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await.map_err(&failed)?;
    let batches = execute_stream(plan.clone(), context).map_err(&failed)?;
    let told = label.clone();
    let batches = batches.chain(
        futures::stream::once(async move { tell_metrics(&told, plan.as_ref()) })
            .filter_map(|()| std::future::ready(None)),
    );
    let hash_rows = feed.mapping.refresh == Refresh::Full;
    Ok(batches.map(move |batch| {
        let batch = batch.map_err(&failed)?;
        let conformed = conform(&batch, &schema).and_then(|batch| {
            if hash_rows {
                with_row_hashes(batch)
            } else {
                Ok(batch)
            }
        });
        conformed.map_err(|e| failed(e.into()))
    }))
}

/// Where the time of a finished query went, operator by operator, for who asks (`RUST_LOG=pipeline=trace`).
fn tell_metrics(label: &str, plan: &dyn ExecutionPlan) {
    if tracing::enabled!(tracing::Level::TRACE) {
        let shown = DisplayableExecutionPlan::with_metrics(plan).indent(false);
        tracing::trace!("{label} ran as\n{shown}");
    }
}

/// Ids of the driver that must be mapped again because records of `other` changed.
pub async fn triggered_ids(
    layers: &Layers<'_>,
    feed: Feed<'_>,
    other: &TableName,
    sql: &str,
    changed: &[DataFile],
) -> Result<Vec<String>, TransformError> {
    let run = async {
        let ctx = new_mapping_session(Some(layers.lake), changed)?;
        let words = Words::of(sql);
        for name in referenced_tables(&ctx, sql)? {
            if name.layer == "changed" {
                layers.register_changed(&ctx, other, changed, &words)?;
            } else {
                layers.register_read(&ctx, &name, &words)?;
            }
        }
        let mut ids = Vec::new();
        let mut rows = ctx.sql(sql).await?.execute_stream().await?;
        while let Some(batch) = rows.next().await {
            let column = cast(batch?.column(0), &arrow::datatypes::DataType::Utf8)?;
            ids.extend(
                column
                    .as_string::<i32>()
                    .iter()
                    .flatten()
                    .map(str::to_string),
            );
        }
        ids.sort_unstable();
        ids.dedup();
        QueryResult::Ok(ids)
    };
    run.await.map_err(|source| TransformError::Run {
        mapping: format!("{}.when.{other}", feed.label()),
        source: Box::new(source),
    })
}

/// The mapping's query with the driver restricted and the engine's columns filled in.
pub(super) async fn stamped(
    layers: &Layers<'_>,
    feed: Feed<'_>,
    changes: &Changes,
) -> QueryResult<DataFrame> {
    let driver = feed.driver();
    let files = layers.snapshots.get(&driver).map(|log| &log.files[..]);
    let ctx = match feed.is_report() {
        true => new_report_session(Some(layers.lake))?,
        false => new_mapping_session(Some(layers.lake), files.unwrap_or_default())?,
    };
    let words = Words::of_feed(feed);
    for name in referenced_tables(&ctx, &feed.mapping.sql)? {
        if name == driver {
            layers.register_driver(&ctx, &name, changes, &words)?;
        } else {
            layers.register_read(&ctx, &name, &words)?;
        }
    }
    let made = ctx.sql(&feed.mapping.sql).await?;
    let remote_object = match resource_of(layers.schemas, &driver) {
        Some(resource) => resource.name.clone(),
        None => driver.name.clone(),
    };
    let given: Vec<String> = made
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    for name in &given {
        if name != "_lineage" && feed.table.column(name).is_none() {
            let text = format!("column `{name}` is not in the contract");
            return Err(DataFusionError::Plan(text));
        }
    }
    let mut columns = Vec::new();
    for column in &feed.table.columns {
        if given.contains(&column.name) {
            columns.push(quoted(&column.name));
        } else if column.stamped {
            let stamp = stamp(&column.name, layers.connection, &remote_object, &feed)?;
            columns.push(stamp.alias(&column.name));
        }
    }
    if let Some(partition) = &feed.table.partition {
        let month = to_char(quoted(&partition.column), lit("%Y-%m"));
        columns.push(coalesce(vec![month, lit("unknown")]).alias(MONTH_COLUMN));
    }
    made.select(columns)
}

/// A column by its exact name: `col` would fold upper case and split at dots.
fn quoted(name: &str) -> Expr {
    Expr::Column(datafusion::common::Column::from_name(name))
}

fn stamp(
    column: &str,
    connection: &str,
    remote_object: &str,
    feed: &Feed<'_>,
) -> QueryResult<Expr> {
    // Rows of a report have many records behind them; theirs is a hash of the row, filled in at the end.
    if feed.is_report() && column == "_content_hash" {
        return Ok(lit(ScalarValue::Binary(None)));
    }
    let lineage = |member: &str| get_field(col("_lineage"), member);
    let deleted = || lineage("op").eq(lit("delete"));
    Ok(match column {
        "connection_id" => lit(connection),
        "remote_object" => lit(remote_object),
        "is_deleted" => coalesce(vec![deleted(), lit(false)]),
        "deleted_at" => when(deleted(), lineage("extracted_at")).end()?,
        "_extracted_at" => lineage("extracted_at"),
        "_run_id" => lineage("run_id"),
        "_content_hash" => lineage("content_hash"),
        "_schema_version" => lit(SCHEMA_VERSION),
        "_mapping" => lit(feed.mapping.name.as_str()),
        other => {
            let text = format!(
                "column `{other}` is marked as stamped, but the engine has no stamp for it"
            );
            return Err(DataFusionError::Plan(text));
        }
    })
}

/// Brings a batch into the contract's column order, types and inner names.
fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let column = batch.column_by_name(field.name()).ok_or_else(|| {
                ArrowError::SchemaError(format!("column `{}` is missing", field.name()))
            })?;
            if column.data_type() == field.data_type() {
                Ok(column.clone())
            } else {
                cast(column, field.data_type())
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema.clone(), columns)
}

/// Replaces `_content_hash` by a hash of the row itself, its lineage left out.
///
/// Rows of an aggregate have no single record behind them; this tells whether they changed.
fn with_row_hashes(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let Ok(position) = schema.index_of("_content_hash") else {
        return Ok(batch);
    };
    let columns: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .filter(|(field, _)| !field.name().starts_with('_'))
        .map(|(_, column)| comparable(column))
        .collect();
    let fields = columns
        .iter()
        .map(|column| SortField::new(column.data_type().clone()))
        .collect();
    let rows = RowConverter::new(fields)?.convert_columns(&columns)?;
    let hashes: BinaryArray = rows
        .iter()
        .map(|row| Some(Sha256::digest(row.as_ref()).to_vec()))
        .collect();
    let mut columns = batch.columns().to_vec();
    columns[position] = Arc::new(hashes);
    RecordBatch::try_new(schema, columns)
}

/// Maps have no row form; as a list of entries they do.
fn comparable(column: &ArrayRef) -> ArrayRef {
    match column.as_map_opt() {
        Some(map) => Arc::new(ListArray::new(
            Arc::new(arrow::datatypes::Field::new(
                "element",
                map.entries().data_type().clone(),
                false,
            )),
            map.offsets().clone(),
            Arc::new(map.entries().clone()),
            map.nulls().cloned(),
        )),
        None => column.clone(),
    }
}
