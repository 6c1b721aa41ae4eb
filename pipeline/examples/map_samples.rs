//! Maps the definitions' samples and prints rows as JSON: what a mapping makes, without a source.
//!
//! `map_samples [--schemas DIR] [--sql "SELECT …"] [TABLE…]`; `DIR` is laid over the definitions built in.

use chrono::Utc;
use futures::TryStreamExt;
use pipeline::catalog::Lake;
use pipeline::run::{RunMark, load_samples, raw_schemas, refresh};
use pipeline::transform::check_mappings;
use pipeline::{LakeSettings, query};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    let sql = option(&mut wanted, "--sql");
    let schemas = match option(&mut wanted, "--schemas") {
        Some(folder) => schemas::Schemas::with_overlay(std::path::Path::new(&folder))?,
        None => schemas::Schemas::embedded()?,
    };
    let folder = tempfile::tempdir()?;
    let settings = LakeSettings {
        url: folder.path().display().to_string(),
        options: Default::default(),
    };
    let lake = Lake::open(&settings)?;
    let started = std::time::Instant::now();
    for problem in check_mappings(&lake, &schemas, &raw_schemas(&schemas)).await {
        print_chain("plan", &problem);
    }
    eprintln!("planned in {:.1} s", started.elapsed().as_secs_f64());
    let mark = RunMark {
        connection: "sample".to_string(),
        run_id: "sample-run".to_string(),
        started_at: Utc::now(),
        epoch: 0,
    };
    load_samples(&lake, &schemas, &mark).await?;
    let mut statements: Vec<String> = sql.into_iter().collect();
    for summary in refresh(&lake, &schemas, &mark).await? {
        let failed = summary.error.map(|e| e.message).unwrap_or_default();
        eprintln!(
            "{:<48} {:>6} rows {:>5.1} s {failed}",
            summary.table, summary.rows, summary.seconds
        );
        if wanted
            .iter()
            .any(|name| summary.table.ends_with(name.as_str()))
        {
            statements.push(format!("SELECT * FROM {} ORDER BY 1", summary.table));
        }
    }
    for statement in statements {
        let batches: Vec<_> = query(&settings, statement.as_str())
            .await?
            .try_collect()
            .await?;
        let mut writer = arrow::json::WriterBuilder::new()
            .with_explicit_nulls(true)
            .build::<_, arrow::json::writer::LineDelimited>(std::io::stdout());
        writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
        writer.finish()?;
    }
    Ok(())
}

fn option(words: &mut Vec<String>, name: &str) -> Option<String> {
    let at = words.iter().position(|word| word == name)?;
    words.remove(at);
    (at < words.len()).then(|| words.remove(at))
}

fn print_chain(what: &str, error: &dyn std::error::Error) {
    eprint!("{what}: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        eprint!(": {}", inner.to_string().lines().next().unwrap_or_default());
        cause = inner.source();
    }
    eprintln!();
}
