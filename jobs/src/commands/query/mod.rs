//! `spendlake query`: one question, or many at a prompt; rows as they come.

mod complete;
mod listing;
mod shell;
mod statement;

use std::fs;
use std::io::{self, IsTerminal, Read};

use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use pipeline::catalog::CatalogError;
use pipeline::{LakeSettings, Question};

use super::{Ended, World, failures};
use crate::cli::{Format, Query};
use crate::config;
use crate::output::{self, Exit, Failure, say};
use crate::rows::{Rows, Target, WriteError};

pub async fn query(args: &Query, world: &World) -> Ended {
    let asked = asked(args).map_err(|failure| vec![failure])?;
    let parts = config::load_lake(&args.job, &world.environment).map_err(failures)?;
    let lake = super::need_lake(&parts, &args.job)?;
    let ended = match asked {
        Asked::Shell => return shell::run(lake, args, world).await,
        Asked::Meta(meta) => listing::answer(lake, &meta, args, target(args)).await,
        Asked::Sql(sql) => {
            let question = question(sql, args);
            answer(lake, question, args.format, target(args)).await
        }
    };
    let row_count = ended.map_err(|failure| vec![failure])?;
    if let Some(path) = &args.output {
        let count = output::count(row_count);
        say(format!("wrote {count} rows to {}", path.display()));
    }
    Ok(Exit::Done)
}

fn target(args: &Query) -> Target {
    let target = match &args.output {
        Some(path) => Target::file(path),
        None => Target::stdout(output::stdout_width()),
    };
    target.escaping_formulas(args.escape_formulas)
}

fn question(sql: String, args: &Query) -> Question {
    Question {
        sql,
        as_of: args.as_of,
        values: Vec::new(),
    }
}

/// Runs a statement and writes its rows to `target`; returns their number.
pub async fn answer(
    lake: &LakeSettings,
    question: impl Into<Question>,
    format: Format,
    target: Target,
) -> Result<u64, Failure> {
    let mut stream = pipeline::query(lake, question)
        .await
        .map_err(Failure::from)?;
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

/// What one call asks for.
enum Asked {
    Sql(String),
    Meta(listing::Meta),
    Shell,
}

fn asked(args: &Query) -> Result<Asked, Failure> {
    if args.tables {
        return Ok(Asked::Meta(listing::Meta::Tables));
    }
    if let Some(table) = &args.describe {
        return Ok(Asked::Meta(listing::Meta::Describe(table.clone())));
    }
    let text = match (&args.sql, &args.file) {
        (Some(sql), _) => sql.clone(),
        (None, Some(file)) => {
            let doing = format!("the query in {} cannot be read", file.display());
            fs::read_to_string(file).map_err(|error| Failure::of_io(&doing, &error))?
        }
        (None, None) if io::stdin().is_terminal() => return Ok(Asked::Shell),
        (None, None) => {
            let mut text = String::new();
            let read = io::stdin().read_to_string(&mut text);
            read.map_err(|error| Failure::of_io("the query on stdin cannot be read", &error))?;
            text
        }
    };
    if text.trim().is_empty() {
        return Err(Failure::change(
            "the query is empty",
            "write one, as in \"SELECT * FROM unified.invoices LIMIT 10\", or call it from a terminal for a prompt",
        ));
    }
    match listing::Meta::read(&text) {
        Some(meta) => meta.map(Asked::Meta),
        None => Ok(Asked::Sql(text)),
    }
}

pub(super) fn unwritable(error: WriteError) -> Failure {
    Failure {
        message: "the rows cannot be written".to_owned(),
        causes: vec![error.to_string()],
        hint: Some("check --output, its folder's permissions and the space on the disk".to_owned()),
        exit: Exit::Change,
    }
}
