//! Ad-hoc SQL over the lake's tables, as last committed.

use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;

use crate::catalog::{
    CatalogError, DataFiles, Lake, LakeSettings, Snapshot, TableName, new_session,
    referenced_tables,
};
use crate::error::{Error, Kind};

/// Layers that a query may read.
const LAYERS: [&str; 4] = ["coupa", "unified", "report", "quarantine"];

/// Runs one statement; rows arrive as they are computed.
///
/// Tables are named `coupa.invoices`, `unified.invoices`, `quarantine.invoices`; a bare name means
/// `unified`. Errors are `Kind::Invalid` for a statement that can not be planned, and name near names.
pub async fn query(settings: &LakeSettings, sql: &str) -> Result<SendableRecordBatchStream, Error> {
    let lake = Lake::open(settings)?;
    let ctx = new_session(Some(&lake)).map_err(CatalogError::from)?;
    for name in referenced_tables(&ctx, sql).map_err(wrong_statement)? {
        if name.layer == "information_schema" {
            continue;
        }
        if !LAYERS.contains(&name.layer.as_str()) {
            let text = format!("there is no layer `{}` in the lake", name.layer);
            let hint = format!("name a table of one of these: {}", LAYERS.join(", "));
            return Err(Error::new(Kind::Invalid, text).with_hint(hint));
        }
        let Some(snapshot) = Snapshot::open(&lake, &name).await? else {
            return Err(no_table(&lake, &name).await?);
        };
        let reference = TableReference::partial(name.layer.clone(), name.name.clone());
        let files = DataFiles::of_snapshot(&lake, &snapshot);
        ctx.register_table(reference, Arc::new(files))
            .map_err(CatalogError::from)?;
    }
    // Questions only: a statement must not write files or change the session.
    let read_only = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    let frame = ctx
        .sql_with_options(sql, read_only)
        .await
        .map_err(wrong_statement)?;
    frame.execute_stream().await.map_err(wrong_statement)
}

/// Names of all tables of the lake.
pub async fn tables(settings: &LakeSettings) -> Result<Vec<TableName>, Error> {
    let lake = Lake::open(settings)?;
    let mut names = Vec::new();
    for layer in LAYERS {
        names.extend(lake.tables(layer).await?);
    }
    Ok(names)
}

async fn no_table(lake: &Lake, name: &TableName) -> Result<Error, Error> {
    let there = lake.tables(&name.layer).await?;
    let error = Error::new(
        Kind::Invalid,
        format!("there is no table {name} in the lake"),
    );
    let nearest = there
        .iter()
        .map(|table| (strsim::jaro_winkler(&table.name, &name.name), table))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.8);
    Ok(match nearest {
        Some((_, table)) => error.with_hint(format!("did you mean {table}?")),
        None if there.is_empty() => error.with_hint("nothing has landed yet: run the job first"),
        None => {
            let names: Vec<_> = there.iter().map(TableName::to_string).collect();
            error.with_hint(format!("there are {}", names.join(", ")))
        }
    })
}

/// The engine's message in a reader's words: its first line, without the names of its own parts.
fn wrong_statement(error: DataFusionError) -> Error {
    let text = error.strip_backtrace();
    let mut message = text.lines().next().unwrap_or_default();
    for prefix in [
        "Error during planning: ",
        "Schema error: ",
        "SQL error: ",
        "Execution error: ",
        "This feature is not implemented: ",
    ] {
        message = message.strip_prefix(prefix).unwrap_or(message);
    }
    let inner = message
        .strip_prefix("ParserError(\"")
        .and_then(|rest| rest.strip_suffix("\")"));
    Error::new(Kind::Invalid, inner.unwrap_or(message))
}
