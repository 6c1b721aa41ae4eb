//! `spendlake report`: named questions and the pages made of their answers.

mod ask;
mod data;
mod page;

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::LakeSettings;
use schemas::{Report, Schemas};

use super::{Ended, World, failures, query};
use crate::cli::{Format, ReportFormat};
use crate::config;
use crate::output::{self, Align, Exit, Failure, nearest, say};
use crate::rows::Target;

use crate::cli;

pub async fn report(args: &cli::Report, overlay: Option<&Path>, world: &World) -> Ended {
    let schemas = super::definitions(overlay)?;
    if args.name == "list" {
        return list(&schemas);
    }
    let parts = config::load_lake(&args.job, &world.environment).map_err(failures)?;
    let lake = super::need_lake(&parts, &args.job)?;
    let asked = ask::Asked::of(args, world);
    let answered = async {
        if let Some(page) = schemas.pages.get(&args.name) {
            asked.check(&page::reports(page, &schemas))?;
            return match args.format.unwrap_or(ReportFormat::Html) {
                ReportFormat::Html => {
                    let html = page::of_page(page, &schemas, lake, &asked, world).await?;
                    write_page(&html, args)
                }
                format => tables_of_page(page, &schemas, lake, &asked, format).await,
            };
        }
        let Some(report) = schemas.reports.get(&args.name) else {
            return Err(no_report(&schemas, &args.name));
        };
        asked.check(&[report])?;
        match args.format.unwrap_or(ReportFormat::Table) {
            ReportFormat::Html => {
                let html = page::of_report(report, lake, &asked, world).await?;
                write_page(&html, args)
            }
            format => one(report, lake, &asked, format).await,
        }
    };
    answered
        .await
        .map(|()| Exit::Done)
        .map_err(|failure| vec![failure])
}

/// Names, titles and what each can be asked with.
fn list(schemas: &Schemas) -> Ended {
    let header = [
        ("name", Align::Left),
        ("answers", Align::Left),
        ("parameters", Align::Left),
    ];
    let pages = schemas.pages.values().map(|page| {
        let reports = page::reports(page, schemas);
        let mut names: Vec<String> = Vec::new();
        for parameter in reports.iter().flat_map(|report| &report.parameters) {
            if !names.contains(&parameter.name) {
                names.push(parameter.name.clone());
            }
        }
        let title = format!("{} (a page)", page.title);
        vec![page.name.clone(), title, names.join(", ")]
    });
    let reports = schemas.reports.values().map(|report| {
        let parameters = report.parameters.iter();
        let parameters: Vec<String> = parameters
            .map(|parameter| format!("{} = {}", parameter.name, parameter.default.word()))
            .collect();
        vec![
            report.name.clone(),
            report.title.clone(),
            parameters.join(", "),
        ]
    });
    let rows = pages.chain(reports).collect();
    super::print(&format!(
        "{}\n",
        output::table(&header, rows, output::stdout_width())
    ))
}

fn no_report(schemas: &Schemas, name: &str) -> Failure {
    let names = schemas.reports.keys().chain(schemas.pages.keys());
    let hint = match nearest(name, names.map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None => "`spendlake report JOB list` shows all names".to_owned(),
    };
    Failure::change(format!("there is no report \"{name}\""), hint)
}

/// The rows of one report as a table, csv, json or Parquet.
async fn one(
    report: &Report,
    lake: &LakeSettings,
    asked: &ask::Asked<'_>,
    format: ReportFormat,
) -> Result<(), Failure> {
    let target = match &asked.args.output {
        Some(path) => Target::file(path),
        None if format == ReportFormat::Parquet => {
            return Err(Failure::change(
                "parquet needs a file",
                format!("add --output {}.parquet", report.name),
            ));
        }
        None => Target::stdout(output::stdout_width()),
    };
    let rows = answer(report, lake, asked, format, target).await?;
    if let Some(path) = &asked.args.output {
        say(format!(
            "wrote {} rows to {}",
            output::count(rows),
            path.display()
        ));
    }
    Ok(())
}

async fn answer(
    report: &Report,
    lake: &LakeSettings,
    asked: &ask::Asked<'_>,
    format: ReportFormat,
    target: Target,
) -> Result<u64, Failure> {
    let format = match format {
        ReportFormat::Csv => Format::Csv,
        ReportFormat::Json => Format::Json,
        ReportFormat::Parquet => Format::Parquet,
        ReportFormat::Table | ReportFormat::Html => Format::Table,
    };
    // People open these in a spreadsheet, and the names in them are their suppliers' to choose.
    let target = target.escaping_formulas(true);
    let question = asked.question(report)?;
    query::answer(lake, question, format, target)
        .await
        .map_err(|failure| of_report(failure, report))
}

/// The failure, with the report's name in front.
fn of_report(mut failure: Failure, report: &Report) -> Failure {
    failure.message = format!("report {}: {}", report.name, failure.message);
    failure
}

/// Each table of a page once: on the terminal one below the other, else a file each in a folder.
async fn tables_of_page(
    page: &schemas::Page,
    schemas: &Schemas,
    lake: &LakeSettings,
    asked: &ask::Asked<'_>,
    format: ReportFormat,
) -> Result<(), Failure> {
    let reports = page::reports(page, schemas);
    if format == ReportFormat::Table {
        for report in reports {
            super::print(&format!("\n{}\n\n", report.title)).map_err(|mut all| all.remove(0))?;
            let target = Target::stdout(output::stdout_width());
            answer(report, lake, asked, format, target).await?;
        }
        return Ok(());
    }
    let extension = match format {
        ReportFormat::Csv => "csv",
        ReportFormat::Json => "json",
        _ => "parquet",
    };
    let Some(folder) = &asked.args.output else {
        return Err(Failure::change(
            "a page has several tables, which need a folder",
            format!("add --output {}-{extension}", page.name),
        ));
    };
    let doing = format!("{} cannot be made", folder.display());
    fs::create_dir_all(folder).map_err(|error| Failure::of_io(&doing, &error))?;
    for report in &reports {
        let file = folder.join(format!("{}.{extension}", report.name));
        answer(report, lake, asked, format, Target::file(&file)).await?;
    }
    let (count, folder) = (reports.len(), folder.display());
    say(format!("wrote {count} tables to {folder}"));
    Ok(())
}

/// Writes a page to `--output` (`-` is stdout), or beside the caller under its own name.
fn write_page(html: &str, args: &cli::Report) -> Result<(), Failure> {
    let path = match &args.output {
        Some(path) if path.as_os_str() == "-" => {
            return super::print(html)
                .map(|_| ())
                .map_err(|mut all| all.remove(0));
        }
        Some(path) => path.clone(),
        None => PathBuf::from(format!("{}.html", args.name)),
    };
    let mut part = path.clone().into_os_string();
    part.push(".part");
    let written = fs::write(&part, html).and_then(|()| fs::rename(&part, &path));
    let doing = format!("{} cannot be written", path.display());
    written.map_err(|error| Failure::of_io(&doing, &error))?;
    let size = output::bytes(html.len() as u64);
    say(format!("wrote {}, {size}", path.display()));
    Ok(())
}
