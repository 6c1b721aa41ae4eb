//! A fixed list of Parquet files as a query input.
//!
//! Queries read tables by the file list of a snapshot, never through memory and never by listing
//! folders: the same plan then runs on one machine or on a cluster, and what a query sees is exactly
//! what was committed.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::scalar::ScalarValue;

use super::{DataFile, Lake, Snapshot, TableName};

/// A read-only table over the given files of one table's folder.
#[derive(Debug)]
pub struct DataFiles {
    /// As callers see it: the table's columns in the table's order.
    schema: SchemaRef,
    /// As the scan sees it: columns of the files, then partition columns.
    scanned: TableSchema,
    store_url: ObjectStoreUrl,
    files: Vec<PartitionedFile>,
    row_count: u64,
}

impl DataFiles {
    /// All files of a snapshot.
    pub fn of_snapshot(lake: &Lake, snapshot: &Snapshot) -> Self {
        DataFiles::new(
            lake,
            &snapshot.name,
            snapshot.schema.clone(),
            &snapshot.partition_columns,
            &snapshot.files,
        )
    }

    /// The named files of a table's folder, read with the table's `schema`.
    pub fn new(
        lake: &Lake,
        name: &TableName,
        schema: SchemaRef,
        partition_columns: &[String],
        files: &[DataFile],
    ) -> Self {
        let is_partition = |field: &Field| partition_columns.contains(field.name());
        let in_file: Vec<_> = schema
            .fields()
            .iter()
            .filter(|field| !is_partition(field))
            .cloned()
            .collect();
        let in_path: Vec<_> = partition_columns
            .iter()
            .filter_map(|column| schema.field_with_name(column).ok())
            .map(|field| Arc::new(field.clone()))
            .collect();
        let folder = lake.table_path(name);
        let partitioned = files
            .iter()
            .map(|file| {
                let values = in_path
                    .iter()
                    .map(|field| partition_value(field, file))
                    .collect();
                let path = format!("{folder}/{}", file.path);
                PartitionedFile::new(path, file.bytes).with_partition_values(values)
            })
            .collect();
        DataFiles {
            schema,
            scanned: TableSchema::builder(Arc::new(Schema::new(in_file)))
                .with_table_partition_cols(in_path)
                .build(),
            store_url: lake.store_url(),
            files: partitioned,
            row_count: files.iter().map(|f| f.row_count).sum(),
        }
    }
}

fn partition_value(field: &Field, file: &DataFile) -> ScalarValue {
    let text = file.partition.get(field.name()).cloned().flatten();
    let utf8 = ScalarValue::Utf8(text);
    utf8.cast_to(field.data_type())
        .unwrap_or_else(|_| ScalarValue::try_from(field.data_type()).unwrap_or(ScalarValue::Null))
}

#[async_trait]
impl TableProvider for DataFiles {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Exact(self.row_count as usize);
        Some(statistics)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted: Vec<usize> = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        if self.files.is_empty() {
            let schema = Arc::new(self.schema.project(&wanted)?);
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let scanned = self.scanned.table_schema();
        let positions = wanted
            .iter()
            .map(|&column| scanned.index_of(self.schema.field(column).name()))
            .collect::<Result<Vec<_>, _>>()?;
        let options = state.table_options().parquet.clone();
        let mut source =
            ParquetSource::new(self.scanned.clone()).with_table_parquet_options(options);
        if let Some(filter) = conjunction(filters.iter().cloned()) {
            let schema = DFSchema::try_from(scanned.as_ref().clone())?;
            source = source.with_predicate(state.create_physical_expr(filter, &schema)?);
        }
        let mut statistics = Statistics::new_unknown(scanned);
        statistics.num_rows = Precision::Exact(self.row_count as usize);
        let groups = FileGroup::new(self.files.clone())
            .split_files(state.config().target_partitions().max(1));
        let config = FileScanConfigBuilder::new(self.store_url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(Some(positions))?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
