//! What the data is: Coupa's resources, the unified tables, the mappings between them, reports.
//!
//! All of it is files (TOML for facts, SQL for logic, CSV for words), embedded in the crate; a
//! folder of a customer's own can be laid over them. This crate reads and checks the files. It
//! knows nothing of HTTP, Arrow or SQL: whether a query fits the tables is seen where it is planned.

mod column;
mod document;
mod error;
mod files;
mod page;
mod report;
mod resource;
mod table;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

pub use column::{Column, ColumnKind};
pub use error::{Problem, SchemaError};
pub use page::{Page, PagePart, PageSection, Show};
pub use report::{Default as ParameterDefault, Parameter, ParameterKind, Report, Value};
pub use resource::{Field, Kind, Resource};
pub use table::{Check, Mapping, Partition, Refresh, Table, Words};

use files::Files;

/// All definitions, each by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schemas {
    pub resources: BTreeMap<String, Resource>,
    /// The tables of the layer `unified`.
    pub tables: BTreeMap<String, Table>,
    /// The tables of the layer `report`, made from `unified`.
    pub report_tables: BTreeMap<String, Table>,
    /// Named questions over the tables.
    pub reports: BTreeMap<String, Report>,
    pub pages: BTreeMap<String, Page>,
    files: Files,
    fingerprint: String,
}

impl Schemas {
    /// The definitions in the binary.
    ///
    /// Errors: never in a released binary, since a test reads them all.
    pub fn embedded() -> Result<Schemas, SchemaError> {
        Schemas::read(Files::embedded())
    }

    /// The definitions in the binary with the folder `dir` laid over them: a file of the same path
    /// replaces, a new one adds.
    ///
    /// `dir` has the layout of `schemas export`. Files ending in `.golden` or `.md`, and hidden
    /// ones, are passed over. Errors: all files that do not read, at most one problem each.
    pub fn with_overlay(dir: &Path) -> Result<Schemas, SchemaError> {
        Schemas::read(Files::embedded().overlaid(dir)?)
    }

    /// A table that we make, by its layer (`unified` or `report`) and name.
    pub fn table(&self, layer: &str, name: &str) -> Option<&Table> {
        match layer {
            "unified" => self.tables.get(name),
            "report" => self.report_tables.get(name),
            _ => None,
        }
    }

    /// Every table that we make, those of `unified` first.
    pub fn made_tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values().chain(self.report_tables.values())
    }

    /// The table of words `name` with other rows: what a job says instead of the definitions.
    ///
    /// Errors: text that is no CSV, or has other columns than the one in its place; `file` names it there.
    pub fn with_words(mut self, name: &str, text: &str, file: &str) -> Result<Self, SchemaError> {
        let tables = self
            .tables
            .values_mut()
            .chain(self.report_tables.values_mut());
        let mut replaced = false;
        for table in tables {
            for words in table.words.iter_mut().filter(|words| words.name == name) {
                table::replace_words(words, text).map_err(|fault| SchemaError {
                    problems: vec![fault.of(file)],
                })?;
                replaced = true;
            }
        }
        if replaced {
            self.fingerprint = files::fingerprint_with(&self.fingerprint, name, text);
            return Ok(self);
        }
        let fault = error::Fault::whole(format!("there is no table of words `{name}`"));
        Err(SchemaError {
            problems: vec![fault.of(file)],
        })
    }

    /// SHA-256 in hex over all files, sorted by path: equal if and only if the definitions are.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Every file, path and text, sorted by path; paths have forward slashes: `coupa/invoices.toml`.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter()
    }

    fn read(files: Files) -> Result<Schemas, SchemaError> {
        let read = files::read(&files)?;
        let fingerprint = files.fingerprint();
        Ok(Schemas {
            resources: read.resources,
            tables: read.tables,
            report_tables: read.report_tables,
            reports: read.reports,
            pages: read.pages,
            files,
            fingerprint,
        })
    }
}
