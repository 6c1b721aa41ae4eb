//! `spendlake query`: one question, its rows as they come.

use std::fs;
use std::path::Path;

use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use pipeline::LakeSettings;
use pipeline::catalog::CatalogError;

use super::{Ended, World, failures};
use crate::cli::{Format, Query};
use crate::config;
use crate::output::{self, Exit, Failure, say};
use crate::rows::{Rows, Target, WriteError};

pub async fn query(args: &Query, world: &World) -> Ended {
    let sql = statement(args)?;
    let parts = config::load_lake(&args.job, &world.environment).map_err(failures)?;
    let lake = super::need_lake(&parts, &args.job)?;
    let target = match &args.output {
        Some(path) => Target::file(path),
        None => Target::stdout(output::stdout_width()),
    };
    let row_count = answer(lake, &sql, args.format, target)
        .await
        .map_err(|failure| vec![failure])?;
    if let Some(path) = &args.output {
        let count = output::count(row_count);
        say(format!("wrote {count} rows to {}", path.display()));
    }
    Ok(Exit::Done)
}

/// Runs `sql` and writes its rows to `target`; returns their number.
pub async fn answer(
    lake: &LakeSettings,
    sql: &str,
    format: Format,
    target: Target,
) -> Result<u64, Failure> {
    let mut stream = pipeline::query(lake, sql).await.map_err(Failure::from)?;
    let schema: SchemaRef = stream.schema();
    let mut rows = Rows::open(target, format, &schema).map_err(unwritable)?;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(CatalogError::from);
        let batch = batch.map_err(|error| Failure::from(pipeline::Error::from(error)))?;
        if !rows.write(&batch).map_err(unwritable)? {
            break;
        }
    }
    rows.finish().map_err(unwritable)
}

fn statement(args: &Query) -> Result<String, Vec<Failure>> {
    let sql = match (&args.sql, &args.file) {
        (Some(sql), _) => sql.clone(),
        (None, Some(file)) => read(file).map_err(|failure| vec![failure])?,
        (None, None) => String::new(),
    };
    match sql.trim().is_empty() {
        true => Err(vec![Failure::change(
            "the query is empty",
            "write one, as in \"SELECT * FROM unified.invoices LIMIT 10\"",
        )]),
        false => Ok(sql),
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let doing = format!("the query in {} cannot be read", file.display());
    fs::read_to_string(file).map_err(|error| Failure::of_io(&doing, &error))
}

fn unwritable(error: WriteError) -> Failure {
    Failure {
        message: "the rows cannot be written".to_owned(),
        causes: vec![error.to_string()],
        hint: Some("check --output, its folder's permissions and the space on the disk".to_owned()),
        exit: Exit::Change,
    }
}
