//! The files themselves: those in the binary, a folder over them, and what each one is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::document::is_snake_case;
use crate::error::{Fault, Problem, SchemaError};
use crate::page::{self, Page};
use crate::report::{self, Report};
use crate::resource::{self, Resource};
use crate::table::{self, Table};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Texts by path below the root, with forward slashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Files(BTreeMap<String, String>);

pub(crate) struct Definitions {
    pub resources: BTreeMap<String, Resource>,
    pub tables: BTreeMap<String, Table>,
    pub report_tables: BTreeMap<String, Table>,
    pub reports: BTreeMap<String, Report>,
    pub pages: BTreeMap<String, Page>,
}

const LAYOUT: &str = "definitions are coupa/<name>.toml, coupa/<name>.sample.json, \
    unified/common.toml, unified/<table>/<file>, report/common.toml, report/<table>/<file>, \
    reports/<name>.sql and pages/<name>.toml";

impl Files {
    pub(crate) fn embedded() -> Files {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Files(EMBEDDED.iter().map(owned).collect())
    }

    pub(crate) fn overlaid(mut self, dir: &Path) -> Result<Files, SchemaError> {
        let mut problems = Vec::new();
        lay_over(dir, "", &mut self.0, &mut problems);
        none_or(problems)?;
        Ok(self)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Lengths go in before texts, so that no two different sets of files give the same bytes.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for part in self.iter().flat_map(|(path, text)| [path, text]) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A fingerprint of definitions, and of words that stand in the place of some of theirs.
pub(crate) fn fingerprint_with(fingerprint: &str, name: &str, text: &str) -> String {
    let mut changed = BTreeMap::new();
    changed.insert(fingerprint.to_owned(), String::new());
    changed.insert(name.to_owned(), text.to_owned());
    Files(changed).fingerprint()
}

fn lay_over(
    dir: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) {
    let unreadable = |what: std::io::Error, file: &str| Fault::whole(what.to_string()).of(file);
    let here = if prefix.is_empty() {
        dir.display().to_string()
    } else {
        prefix.to_owned()
    };
    let entries = match fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => return problems.push(unreadable(error, &here)),
    };
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if name.starts_with('.') || name.ends_with(".golden") || name.ends_with(".md") {
            continue;
        }
        if entry.path().is_dir() {
            lay_over(&entry.path(), &format!("{path}/"), files, problems);
            continue;
        }
        match fs::read_to_string(entry.path()) {
            Ok(text) => drop(files.insert(path, text)),
            Err(error) => problems.push(unreadable(error, &path)),
        }
    }
}

/// Reads every file as what its path says it is.
pub(crate) fn read(files: &Files) -> Result<Definitions, SchemaError> {
    let mut problems = Vec::new();
    let sorted = sort(files, &mut problems);

    let mut resources = BTreeMap::new();
    for (name, (text, sample)) in &sorted.resources {
        match read_resource(name, *text, *sample) {
            Ok(resource) => drop(resources.insert((*name).to_owned(), resource)),
            Err(problem) => problems.push(problem),
        }
    }
    let unified = names_of("unified", &sorted.unified);
    let coupa = sorted.resources.keys().map(|name| format!("coupa.{name}"));
    let mapped = coupa.chain(unified.iter().cloned()).collect();
    let tables = read_layer("unified", &sorted.unified, &mapped, &mut problems)?;
    // Reports are made of what is unified, and of each other: never of one source's own words.
    let reported = names_of("report", &sorted.report);
    let reported = reported.into_iter().chain(unified).collect();
    let report_tables = read_layer("report", &sorted.report, &reported, &mut problems)?;
    let mut reports = BTreeMap::new();
    for (name, text) in &sorted.reports {
        match report::read(name, text) {
            Ok(report) => drop(reports.insert((*name).to_owned(), report)),
            Err(fault) => problems.push(fault.of(&format!("reports/{name}.sql"))),
        }
    }
    let mut pages = BTreeMap::new();
    let names: Vec<&str> = sorted.reports.keys().copied().collect();
    for (name, text) in &sorted.pages {
        match page::read(name, text, &names) {
            Ok(page) => drop(pages.insert((*name).to_owned(), page)),
            Err(fault) => problems.push(fault.of(&format!("pages/{name}.toml"))),
        }
    }
    none_or(problems)?;
    Ok(Definitions {
        resources,
        tables,
        report_tables,
        reports,
        pages,
    })
}

#[derive(Default)]
struct Sorted<'a> {
    /// Definition and sample.
    resources: BTreeMap<&'a str, (Option<&'a str>, Option<&'a str>)>,
    unified: Layer<'a>,
    report: Layer<'a>,
    reports: BTreeMap<&'a str, &'a str>,
    pages: BTreeMap<&'a str, &'a str>,
}

/// The files of one layer of tables.
#[derive(Default)]
struct Layer<'a> {
    common: Option<&'a str>,
    /// By table, then by name within its folder.
    tables: BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>,
}

fn names_of(layer: &str, files: &Layer<'_>) -> Vec<String> {
    let names = files.tables.keys();
    names.map(|name| format!("{layer}.{name}")).collect()
}

/// Reads the tables of one layer; `sources` is everything that their mappings may be driven by.
fn read_layer(
    layer: &str,
    files: &Layer<'_>,
    sources: &BTreeSet<String>,
    problems: &mut Vec<Problem>,
) -> Result<BTreeMap<String, Table>, SchemaError> {
    let common = match files.common.map(table::read_common).transpose() {
        Ok(common) => common.unwrap_or_default(),
        // Without the common columns every contract would fail for the same reason.
        Err(fault) => {
            problems.push(fault.of(&format!("{layer}/common.toml")));
            let problems = std::mem::take(problems);
            return Err(SchemaError { problems });
        }
    };
    let mut tables = BTreeMap::new();
    for (name, files) in &files.tables {
        match table::read(layer, name, files, &common, sources) {
            Ok(table) => drop(tables.insert((*name).to_owned(), table)),
            Err(problem) => problems.push(problem),
        }
    }
    Ok(tables)
}

fn sort<'a>(files: &'a Files, problems: &mut Vec<Problem>) -> Sorted<'a> {
    let mut sorted = Sorted::default();
    for (path, text) in files.iter() {
        let parts: Vec<&str> = path.split('/').collect();
        let named = |name: &str| is_snake_case(name);
        match parts[..] {
            [layer @ ("unified" | "report"), ref below @ ..] => {
                let layer = match layer {
                    "unified" => &mut sorted.unified,
                    _ => &mut sorted.report,
                };
                match *below {
                    ["common.toml"] => layer.common = Some(text),
                    [table, file] if named(table) => {
                        layer.tables.entry(table).or_default().insert(file, text);
                    }
                    _ => problems.push(Fault::whole(LAYOUT).of(path)),
                }
            }
            ["coupa", file] => match file.split_once('.') {
                Some((name, "toml")) if named(name) => {
                    sorted.resources.entry(name).or_default().0 = Some(text);
                }
                Some((name, "sample.json")) if named(name) => {
                    sorted.resources.entry(name).or_default().1 = Some(text);
                }
                _ => problems.push(Fault::whole(LAYOUT).of(path)),
            },
            ["reports", file] => match file.split_once('.') {
                Some((name, "sql")) if named(name) => drop(sorted.reports.insert(name, text)),
                _ => problems.push(Fault::whole(LAYOUT).of(path)),
            },
            ["pages", file] => match file.split_once('.') {
                Some((name, "toml")) if named(name) => drop(sorted.pages.insert(name, text)),
                _ => problems.push(Fault::whole(LAYOUT).of(path)),
            },
            _ => problems.push(Fault::whole(LAYOUT).of(path)),
        }
    }
    sorted
}

fn read_resource(
    name: &str,
    text: Option<&str>,
    sample: Option<&str>,
) -> Result<Resource, Problem> {
    let file = format!("coupa/{name}.toml");
    let text = text.ok_or_else(|| Fault::whole("a sample needs its definition").of(&file))?;
    let sample = sample.ok_or_else(|| {
        let what = "a definition needs its sample, a JSON array of at least 2 records";
        Fault::whole(what).of(&format!("coupa/{name}.sample.json"))
    })?;
    resource::read(name, text, sample.to_owned()).map_err(|fault| fault.of(&file))
}

fn none_or(mut problems: Vec<Problem>) -> Result<(), SchemaError> {
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    Err(SchemaError { problems })
}
