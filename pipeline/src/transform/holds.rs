//! What must hold of a table once it is made, asked of the rows themselves.

use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use datafusion::error::{DataFusionError, Result as QueryResult};
use datafusion::prelude::DataFrame;
use futures::StreamExt;
use schemas::{Check, Table};

use super::TransformError;
use super::source::{Layers, Words};
use crate::catalog::{new_report_session, referenced_tables};

/// How many records a message names.
const EXAMPLES: usize = 3;

/// What a check found.
pub struct Broken {
    pub count: usize,
    /// Names of the first few records.
    pub examples: Vec<String>,
}

/// Asks one check of one connection's rows, as committed.
pub async fn broken(
    layers: &Layers<'_>,
    table: &Table,
    check: &Check,
) -> Result<Broken, TransformError> {
    let failed = |source: DataFusionError| TransformError::Run {
        mapping: label(table, check),
        source: Box::new(source),
    };
    let mut found = Broken {
        count: 0,
        examples: Vec::new(),
    };
    let frame = planned(layers, check).await.map_err(failed)?;
    let mut batches = frame.execute_stream().await.map_err(failed)?;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(failed)?;
        found.count += batch.num_rows();
        let names = cast(batch.column(0), &DataType::Utf8).map_err(|e| failed(e.into()))?;
        for row in 0..batch.num_rows().min(EXAMPLES - found.examples.len()) {
            let name = array_value_to_string(&names, row).map_err(|e| failed(e.into()))?;
            found.examples.push(name);
        }
    }
    Ok(found)
}

/// Plans a check against the declared columns.
pub(super) async fn plan_check(
    layers: &Layers<'_>,
    table: &Table,
    check: &Check,
) -> Result<(), TransformError> {
    let frame = planned(layers, check).await;
    frame.map(drop).map_err(|source| TransformError::Plan {
        mapping: label(table, check),
        source: Box::new(source),
    })
}

async fn planned(layers: &Layers<'_>, check: &Check) -> QueryResult<DataFrame> {
    let ctx = new_report_session(Some(layers.lake))?;
    let words = Words::of(&check.sql);
    for name in referenced_tables(&ctx, &check.sql)? {
        layers.register_read(&ctx, &name, &words)?;
    }
    ctx.sql(&check.sql).await
}

fn label(table: &Table, check: &Check) -> String {
    format!("{}/{}.check", table.name, check.name)
}
