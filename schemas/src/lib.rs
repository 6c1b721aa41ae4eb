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
pub use table::{Mapping, Partition, Refresh, Table, Words};

use files::Files;

/// All definitions, each by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schemas {
    pub resources: BTreeMap<String, Resource>,
    pub tables: BTreeMap<String, Table>,
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
            reports: read.reports,
            pages: read.pages,
            files,
            fingerprint,
        })
    }
}
