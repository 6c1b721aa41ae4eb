//! Ad-hoc SQL over the lake's tables, as last committed or as of an earlier moment.

mod listing;
mod plan;
mod wrong;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::TableReference;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::scalar::ScalarValue;
use schemas::Value;

use crate::catalog::{
    AsOf, CatalogError, DataFiles, Lake, LakeSettings, Snapshot, TableName, new_query_session,
    referenced_tables,
};
use crate::error::{Error, Kind};

pub use listing::{ColumnListing, TableListing, describe, list_tables, tables};
pub use plan::check_reports;
use wrong::{no_table, wrong_statement};

/// Layers that a query may read.
const LAYERS: [&str; 4] = ["coupa", "unified", "report", "quarantine"];

/// One statement, and what it is asked with.
#[derive(Clone, Debug, Default)]
pub struct Question {
    pub sql: String,
    /// Every table as of then; `None`: as last committed.
    pub as_of: Option<AsOf>,
    /// What `$name` stands for in the statement: bound to the plan, never put into the text.
    pub values: Vec<(String, Value)>,
}

impl From<&str> for Question {
    fn from(sql: &str) -> Self {
        Question {
            sql: sql.to_string(),
            ..Question::default()
        }
    }
}

/// Runs one statement; rows arrive as they are computed.
///
/// Tables are named `coupa.invoices`, `unified.invoices`, `quarantine.invoices`; a bare name means
/// `unified`. Errors are `Kind::Invalid` for a statement that can not be planned; they point at the
/// place in the statement and name near names.
pub async fn query(
    settings: &LakeSettings,
    question: impl Into<Question>,
) -> Result<SendableRecordBatchStream, Error> {
    let question = &question.into();
    let lake = Lake::open(settings)?;
    let ctx = new_query_session(Some(&lake)).map_err(CatalogError::from)?;
    let sql = question.sql.as_str();
    let names = referenced_tables(&ctx, sql).map_err(|e| wrong_statement(&e, sql, &[]))?;
    let names: Vec<TableName> = names
        .into_iter()
        .filter(|name| name.layer != "information_schema")
        .collect();
    if let (Some(AsOf::Version(_)), [_, _, ..]) = (question.as_of, &names[..]) {
        let text = "a version counts the commits of one table, and the statement reads several";
        return Err(Error::new(Kind::Invalid, text).with_hint("give a time instead of a version"));
    }
    let mut known: Vec<(TableName, SchemaRef)> = Vec::new();
    for name in names {
        if !LAYERS.contains(&name.layer.as_str()) {
            let text = format!("there is no layer `{}` in the lake", name.layer);
            let hint = format!("name a table of one of these: {}", LAYERS.join(", "));
            return Err(Error::new(Kind::Invalid, text).with_hint(hint));
        }
        let Some(snapshot) = open(&lake, &name, question.as_of).await? else {
            return Err(no_table(&lake, &name, Some(sql)).await?);
        };
        let reference = TableReference::partial(name.layer.clone(), name.name.clone());
        let files = DataFiles::of_snapshot(&lake, &snapshot);
        ctx.register_table(reference, Arc::new(files))
            .map_err(CatalogError::from)?;
        known.push((name, snapshot.schema));
    }
    let frame = planned(&ctx, question)
        .await
        .map_err(|e| wrong_statement(&e, sql, &known))?;
    frame
        .execute_stream()
        .await
        .map_err(|e| wrong_statement(&e, sql, &known))
}

async fn open(
    lake: &Lake,
    name: &TableName,
    as_of: Option<AsOf>,
) -> Result<Option<Snapshot>, CatalogError> {
    match as_of {
        None => Snapshot::open(lake, name).await,
        Some(as_of) => Snapshot::open_as_of(lake, name, as_of).await,
    }
}

/// The statement as a plan, its values in their places.
pub(crate) async fn planned(
    ctx: &SessionContext,
    question: &Question,
) -> datafusion::error::Result<DataFrame> {
    // Questions only: a statement must not write files or change the session.
    let read_only = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    let frame = ctx.sql_with_options(&question.sql, read_only).await?;
    if question.values.is_empty() {
        return Ok(frame);
    }
    let mut values: HashMap<String, ScalarValue> = HashMap::new();
    for (name, value) in &question.values {
        values.insert(name.clone(), scalar(value)?);
    }
    frame.with_param_values(values)
}

fn scalar(value: &Value) -> datafusion::error::Result<ScalarValue> {
    use arrow::datatypes::DataType;
    let typed =
        |text: &Option<String>, kind: DataType| ScalarValue::Utf8(text.clone()).cast_to(&kind);
    match value {
        Value::Text(text) => Ok(ScalarValue::Utf8(text.clone())),
        Value::Int(text) => typed(text, DataType::Int64),
        Value::Decimal(text) => typed(text, DataType::Decimal128(38, 9)),
        Value::Date(text) => typed(text, DataType::Date32),
    }
}
