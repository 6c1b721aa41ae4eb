//! Every mapping is planned against the declared columns before anything is asked of Coupa.
//!
//! This finds a wrong column or type without any data, and names the file and the column.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use schemas::Schemas;

use super::contract::{fits, table_schema};
use super::holds::plan_check;
use super::rows::{Feed, stamped};
use super::source::{Changes, Layers};
use super::{TransformError, refresh_order};
use crate::catalog::Lake;

/// Layers that a report's mapping may read.
const REPORT_READS: [&str; 3] = ["unified", "report", "words"];

/// Plans all mappings and compares their columns with their contracts.
///
/// Returns every problem found, not only the first.
pub async fn check_mappings(
    lake: &Lake,
    schemas: &Schemas,
    raw_schemas: &BTreeMap<String, SchemaRef>,
) -> Vec<TransformError> {
    let mut problems = Vec::new();
    if let Err(problem) = refresh_order(schemas) {
        problems.push(problem);
    }
    let layers = Layers {
        lake,
        schemas,
        connection: "check",
        raw_schemas,
        snapshots: &BTreeMap::new(),
    };
    for table in schemas.made_tables() {
        for mapping in &table.mappings {
            let feed = Feed { table, mapping };
            if let Err(problem) = check(&layers, feed).await {
                problems.push(problem);
            }
        }
        for one in &table.checks {
            if let Err(problem) = plan_check(&layers, table, one).await {
                problems.push(problem);
            }
        }
    }
    problems
}

async fn check(layers: &Layers<'_>, feed: Feed<'_>) -> Result<(), TransformError> {
    if feed.is_report()
        && let Some(read) = feed
            .reads()?
            .iter()
            .find(|read| !REPORT_READS.contains(&read.layer.as_str()))
    {
        return Err(TransformError::Contract {
            mapping: feed.label(),
            problem: format!("it reads {read}; a report is made of unified tables alone"),
        });
    }
    let planned = stamped(layers, feed, &Changes::All)
        .await
        .map_err(|source| TransformError::Plan {
            mapping: feed.label(),
            source: Box::new(source),
        })?;
    let made = planned.schema().as_arrow().clone();
    let mut problems = Vec::new();
    for field in table_schema(feed.table).fields() {
        match made.field_with_name(field.name()) {
            Err(_) => problems.push(format!("column `{}` is missing", field.name())),
            Ok(column) if !fits(column.data_type(), field.data_type()) => problems.push(format!(
                "column `{}` is {}, the contract says {}",
                field.name(),
                column.data_type(),
                field.data_type()
            )),
            Ok(_) => {}
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(TransformError::Contract {
        mapping: feed.label(),
        problem: problems.join("; "),
    })
}
