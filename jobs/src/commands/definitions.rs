//! `spendlake schemas`: what the binary knows, to read and to take along.

use std::fs;
use std::path::Path;

use schemas::Schemas;

use super::Ended;
use crate::cli;
use crate::output::{self, Align, Exit, Failure, nearest, say};

pub fn definitions(args: &cli::Schemas, overlay: Option<&Path>) -> Ended {
    let schemas = super::definitions(overlay)?;
    match args {
        cli::Schemas::List => list(&schemas),
        cli::Schemas::Show { name } => show(&schemas, name),
        cli::Schemas::Export { dir } => export(&schemas, dir),
    }
}

fn list(schemas: &Schemas) -> Ended {
    let header = [("name", Align::Left), ("is", Align::Left)];
    let rows = names(schemas)
        .into_iter()
        .map(|(name, doc)| {
            let first = doc.lines().next().unwrap_or_default().to_owned();
            vec![name, first]
        })
        .collect();
    super::print(&format!(
        "{}\n",
        output::table(&header, rows, output::stdout_width())
    ))
}

fn show(schemas: &Schemas, name: &str) -> Ended {
    let files: Vec<(&str, &str)> = schemas
        .files()
        .filter(|(path, _)| belongs(path, name))
        .collect();
    if files.is_empty() {
        return Err(vec![unknown(schemas, name)]);
    }
    let mut text = String::new();
    for (path, content) in files {
        text.push_str(&format!("==> {path}\n{}\n\n", content.trim_end()));
    }
    super::print(&text)
}

fn export(schemas: &Schemas, dir: &Path) -> Ended {
    let occupied = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(vec![Failure::change(
            format!("{} is not empty and was left alone", dir.display()),
            "name a new folder",
        )]);
    }
    let mut count = 0;
    for (path, text) in schemas.files() {
        let file = dir.join(path);
        let written =
            fs::create_dir_all(file.parent().unwrap_or(dir)).and_then(|()| fs::write(&file, text));
        let doing = format!("{} cannot be written", file.display());
        written.map_err(|error| vec![Failure::of_io(&doing, &error)])?;
        count += 1;
    }
    let dir = dir.display();
    say(format!(
        "wrote {count} files to {dir}; keep those you change and call with --schemas {dir}"
    ));
    Ok(Exit::Done)
}

/// Every definition under its qualified name, with its documentation.
fn names(schemas: &Schemas) -> Vec<(String, &str)> {
    let resources = schemas.resources.values();
    let resources = resources.map(|one| (format!("coupa.{}", one.name), one.doc.as_str()));
    let tables = schemas.made_tables();
    let tables = tables.map(|one| (format!("{}.{}", one.layer, one.name), one.doc.as_str()));
    let reports = schemas.reports.values();
    let reports = reports.map(|one| (format!("report.{}", one.name), one.doc.as_str()));
    let pages = schemas.pages.values();
    let pages = pages.map(|one| (format!("page.{}", one.name), one.doc.as_str()));
    resources
        .chain(tables)
        .chain(reports)
        .chain(pages)
        .collect()
}

/// Whether the file at `path` is part of the definition `name`; a sample is no definition.
fn belongs(path: &str, name: &str) -> bool {
    match name.split_once('.') {
        Some(("coupa", resource)) => path == format!("coupa/{resource}.toml"),
        Some(("unified", table)) => path.starts_with(&format!("unified/{table}/")),
        Some(("report", name)) => {
            path == format!("reports/{name}.sql") || path.starts_with(&format!("report/{name}/"))
        }
        Some(("page", page)) => path == format!("pages/{page}.toml"),
        _ => path == name,
    }
}

fn unknown(schemas: &Schemas, name: &str) -> Failure {
    let names = names(schemas);
    let qualified = names.iter().map(|(name, _)| name.as_str());
    // "invoices" alone is no name, but it is clear what is meant.
    let same_end = |known: &&str| known.split_once('.').is_some_and(|(_, end)| end == name);
    let meant: Vec<&str> = qualified.clone().filter(same_end).collect();
    let hint = match (meant.as_slice(), nearest(name, qualified)) {
        ([], Some(near)) => format!("did you mean {near}?"),
        ([], None) => "`spendlake schemas list` shows all names".to_owned(),
        (meant, _) => format!("did you mean {}?", meant.join(" or ")),
    };
    Failure::change(format!("there is no definition \"{name}\""), hint)
}
