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
    pub reports: BTreeMap<String, Report>,
    pub pages: BTreeMap<String, Page>,
}

const LAYOUT: &str = "definitions are coupa/<name>.toml, coupa/<name>.sample.json, \
    unified/common.toml, unified/<table>/<file>, reports/<name>.sql and pages/<name>.toml";

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
    let common = match sorted.common.map(table::read_common).transpose() {
        Ok(common) => common.unwrap_or_default(),
        // Without the common columns every contract would fail for the same reason.
        Err(fault) => {
            problems.push(fault.of("unified/common.toml"));
            return Err(SchemaError { problems });
        }
    };
    let mut tables = BTreeMap::new();
    let sources = sorted.sources();
    for (name, files) in &sorted.tables {
        match table::read(name, files, &common, &sources) {
            Ok(table) => drop(tables.insert((*name).to_owned(), table)),
            Err(problem) => problems.push(problem),
        }
    }
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
        reports,
        pages,
    })
}

#[derive(Default)]
struct Sorted<'a> {
    /// Definition and sample.
    resources: BTreeMap<&'a str, (Option<&'a str>, Option<&'a str>)>,
    common: Option<&'a str>,
    tables: BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>,
    reports: BTreeMap<&'a str, &'a str>,
    pages: BTreeMap<&'a str, &'a str>,
}

impl Sorted<'_> {
    /// Everything a mapping may be driven by.
    fn sources(&self) -> BTreeSet<String> {
        let coupa = self.resources.keys().map(|name| format!("coupa.{name}"));
        let unified = self.tables.keys().map(|name| format!("unified.{name}"));
        coupa.chain(unified).collect()
    }
}

fn sort<'a>(files: &'a Files, problems: &mut Vec<Problem>) -> Sorted<'a> {
    let mut sorted = Sorted::default();
    for (path, text) in files.iter() {
        let parts: Vec<&str> = path.split('/').collect();
        let named = |name: &str| is_snake_case(name);
        match parts[..] {
            ["unified", "common.toml"] => sorted.common = Some(text),
            ["unified", table, file] if named(table) => {
                sorted.tables.entry(table).or_default().insert(file, text);
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
