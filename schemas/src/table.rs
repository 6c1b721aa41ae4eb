//! A table that we make: its contract, and the mappings and word tables that fulfil it.

use std::collections::{BTreeMap, BTreeSet};

use crate::column::{self, Column, ColumnKind, Structs};
use crate::document::{self, Entries, Node, is_snake_case};
use crate::error::{Fault, Problem, unknown};

/// One table of a layer that we make, as the folder `<layer>/<name>/` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Where it lies: `unified`, what the source says in our words, or `report`, made from `unified`.
    pub layer: String,
    pub name: String,
    pub doc: String,
    /// Columns that name a row.
    pub key: Vec<String>,
    /// Columns whose values a new set of rows replaces as a whole; the key, if not given.
    pub replace_by: Vec<String>,
    /// Of two rows with one key, the one with the greater version stays.
    pub version: Option<String>,
    pub partition: Option<Partition>,
    /// The columns that all tables have, then the table's own. An own column of a common name
    /// stands in the common one's place.
    pub columns: Vec<Column>,
    pub mappings: Vec<Mapping>,
    pub words: Vec<Words>,
    pub checks: Vec<Check>,
}

/// What must hold of a table once it is made: a query that finds what breaks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    /// What must hold: the comment that the file begins with.
    pub doc: String,
    /// Gives a row for each break, its first column naming the record; none when all is well.
    pub sql: String,
}

/// Rows are stored by the month of a date or timestamp column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    pub column: String,
}

/// The query that makes rows of the table out of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The driver: `coupa.invoices` or `unified.invoices`.
    pub source: String,
    /// The file's stem: the source, and a part if a table has several mappings of one driver.
    pub name: String,
    pub sql: String,
    pub refresh: Refresh,
    /// For another source, the query that gives the driver's ids to map again when it changed.
    pub when: BTreeMap<String, String>,
}

/// Which records of the driver a mapping sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Those that changed since the table's last commit.
    Changed,
    /// All current ones: for mappings that aggregate.
    Full,
}

/// A table of words that people revise, a CSV beside the contract; every column is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Its name in the catalog `words`: `<table>_<file stem>`, such as `invoices_status`.
    pub name: String,
    /// The CSV as written: a header of snake-case names, then rows of equal length.
    pub text: String,
}

/// What `<layer>/common.toml` gives to every table of the layer.
#[derive(Default)]
pub(crate) struct Common {
    columns: Vec<Column>,
    structs: Structs,
}

/// How the stem of a check's file ends.
const CHECK: &str = ".check";

const KEYS: [&str; 8] = [
    "doc",
    "key",
    "replace_by",
    "version",
    "partition",
    "fields",
    "structs",
    "mappings",
];

impl Table {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

pub(crate) fn read_common(text: &str) -> Result<Common, Fault> {
    let root = document::parse(text)?;
    root.only(&["columns", "structs"])?;
    let structs = column::read_structs(root.get("structs"), &Structs::new())?;
    let columns = match root.get("columns") {
        Some(node) => column::read_columns(node.table()?, &structs)?,
        None => Vec::new(),
    };
    Ok(Common { columns, structs })
}

/// Reads a table's folder: `files` by their name within it. `sources` are all drivers there are.
pub(crate) fn read(
    layer: &str,
    name: &str,
    files: &BTreeMap<&str, &str>,
    common: &Common,
    sources: &BTreeSet<String>,
) -> Result<Table, Problem> {
    let path = |file: &str| format!("{layer}/{name}/{file}");
    let text = files.get("contract.toml").ok_or_else(|| {
        Fault::whole("a table's folder has a contract.toml").of(&format!("{layer}/{name}"))
    })?;
    let contract = |fault: Fault| fault.of(&path("contract.toml"));
    let root = document::parse(text).map_err(contract)?;
    let mut table = read_contract(layer, name, &root, common).map_err(contract)?;
    for (file, text) in files {
        let read = match file.rsplit_once('.') {
            _ if *file == "contract.toml" => Ok(()),
            Some((stem, "csv")) => {
                read_words(name, stem, text).map(|words| table.words.push(words))
            }
            Some((stem, "sql")) if stem.ends_with(CHECK) => {
                read_check(stem, text).map(|check| table.checks.push(check))
            }
            Some((stem, "sql")) => add_query(&mut table.mappings, stem, text, sources),
            _ => Err(Fault::whole(
                "a table's folder holds contract.toml, <source>.sql, <name>.check.sql and <words>.csv",
            )),
        };
        read.map_err(|fault| fault.of(&path(file)))?;
    }
    if let Some(node) = root.get("mappings") {
        set_refresh(&mut table.mappings, node).map_err(contract)?;
    }
    Ok(table)
}

fn read_contract(layer: &str, name: &str, root: &Entries, common: &Common) -> Result<Table, Fault> {
    root.only(&KEYS)?;
    let structs = column::read_structs(root.get("structs"), &common.structs)?;
    let fields = root.need("fields")?;
    let columns = join_columns(common, fields, &structs)?;
    let key = named_columns(&columns, root.need("key")?)?;
    if let Some(column) = key.iter().find(|column| column.null) {
        return Err(Fault::at(
            root.need("key")?.line,
            format!("key column \"{}\" may not be null", column.name),
        ));
    }
    let names = |found: Vec<&Column>| found.iter().map(|column| column.name.clone()).collect();
    let key: Vec<String> = names(key);
    let replace_by = match root.get("replace_by") {
        Some(node) => names(named_columns(&columns, node)?),
        None => key.clone(),
    };
    let version = match root.get("version") {
        Some(node) => Some(named_column(&columns, node)?.name.clone()),
        None => None,
    };
    Ok(Table {
        layer: layer.to_owned(),
        name: name.to_owned(),
        doc: root.need_text("doc")?,
        key,
        replace_by,
        version,
        partition: read_partition(&columns, root.get("partition"))?,
        columns,
        mappings: Vec::new(),
        words: Vec::new(),
        checks: Vec::new(),
    })
}

fn join_columns(common: &Common, fields: &Node, structs: &Structs) -> Result<Vec<Column>, Fault> {
    let mut columns = common.columns.clone();
    for own in column::read_columns(fields.table()?, structs)? {
        match columns.iter_mut().find(|column| column.name == own.name) {
            None => columns.push(own),
            Some(column) if !column.stamped => *column = own,
            Some(column) => {
                return Err(Fault::at(
                    fields.line,
                    format!("column \"{}\" is stamped by the engine", column.name),
                ));
            }
        }
    }
    Ok(columns)
}

fn named_columns<'a>(columns: &'a [Column], node: &Node) -> Result<Vec<&'a Column>, Fault> {
    let nodes = node.list()?;
    if nodes.is_empty() {
        return Err(Fault::at(node.line, "at least one column is needed"));
    }
    nodes
        .iter()
        .map(|node| named_column(columns, node))
        .collect()
}

fn named_column<'a>(columns: &'a [Column], node: &Node) -> Result<&'a Column, Fault> {
    let name = node.text()?;
    let found = columns.iter().find(|column| column.name == name);
    found.ok_or_else(|| {
        let names = columns.iter().map(|column| column.name.as_str());
        Fault::at(node.line, unknown("column", name, names))
    })
}

fn read_partition(columns: &[Column], node: Option<&Node>) -> Result<Option<Partition>, Fault> {
    let Some(node) = node else { return Ok(None) };
    node.table()?.only(&["month"])?;
    let column = named_column(columns, node.table()?.need("month")?)?;
    match column.kind {
        ColumnKind::Date | ColumnKind::Timestamp => Ok(Some(Partition {
            column: column.name.clone(),
        })),
        _ => Err(Fault::at(
            node.line,
            format!("column \"{}\" is no date or timestamp", column.name),
        )),
    }
}

pub(crate) fn read_words(table: &str, stem: &str, text: &str) -> Result<Words, Fault> {
    if !is_snake_case(stem) {
        return Err(Fault::whole("the file's name is not in snake case"));
    }
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(csv_fault)?.clone();
    let mut seen = BTreeSet::new();
    for name in &header {
        if !is_snake_case(name) {
            return Err(Fault::at(
                1,
                format!("column \"{name}\" is not in snake case"),
            ));
        }
        if !seen.insert(name) {
            return Err(Fault::at(1, format!("column \"{name}\" stands twice")));
        }
    }
    for record in reader.records() {
        record.map_err(csv_fault)?;
    }
    Ok(Words {
        name: format!("{table}_{stem}"),
        text: text.to_owned(),
    })
}

fn read_check(stem: &str, text: &str) -> Result<Check, Fault> {
    let name = stem.trim_end_matches(CHECK);
    if !is_snake_case(name) {
        return Err(Fault::whole("the check's name is not in snake case"));
    }
    let doc = document::leading_comment(text, "--");
    if doc.is_empty() {
        let what = "the file begins with a comment that says what must hold";
        return Err(Fault::at(1, what));
    }
    Ok(Check {
        name: name.to_owned(),
        doc,
        sql: text.to_owned(),
    })
}

fn csv_fault(error: csv::Error) -> Fault {
    let line = error.position().map(|position| position.line());
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("{len} cells in a table of {expected_len} columns"),
        _ => error.to_string(),
    };
    Fault {
        line: line.and_then(|line| usize::try_from(line).ok()),
        what,
    }
}

/// Adds the query of one file. Names sort, so a mapping comes before its `.when.` queries.
fn add_query(
    mappings: &mut Vec<Mapping>,
    stem: &str,
    text: &str,
    sources: &BTreeSet<String>,
) -> Result<(), Fault> {
    let (name, other) = match stem.split_once(".when.") {
        Some((name, other)) => (name, Some(other)),
        None => (stem, None),
    };
    let source = source_of(name, sources)?;
    let Some(other) = other else {
        mappings.push(Mapping {
            source,
            name: name.to_owned(),
            sql: text.to_owned(),
            refresh: Refresh::Changed,
            when: BTreeMap::new(),
        });
        return Ok(());
    };
    if !sources.contains(other) {
        let sources = sources.iter().map(String::as_str);
        return Err(Fault::whole(unknown("source", other, sources)));
    }
    let names = mappings.iter().map(|mapping| mapping.name.as_str());
    let missing = unknown("mapping", name, names);
    match mappings.iter_mut().find(|mapping| mapping.name == name) {
        Some(mapping) => mapping.when.insert(other.to_owned(), text.to_owned()),
        None => return Err(Fault::whole(missing)),
    };
    Ok(())
}

/// The driver of `<layer>.<driver>[.<part>]`.
fn source_of(name: &str, sources: &BTreeSet<String>) -> Result<String, Fault> {
    let parts: Vec<&str> = name.split('.').collect();
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(|part| is_snake_case(part)) {
        return Err(Fault::whole(
            "a mapping is named <layer>.<driver>.sql or <layer>.<driver>.<part>.sql",
        ));
    }
    let source = format!("{}.{}", parts[0], parts[1]);
    if sources.contains(&source) {
        Ok(source)
    } else {
        let sources = sources.iter().map(String::as_str);
        Err(Fault::whole(unknown("source", &source, sources)))
    }
}

fn set_refresh(mappings: &mut [Mapping], node: &Node) -> Result<(), Fault> {
    for entry in node.table()?.iter() {
        let names = mappings.iter().map(|mapping| mapping.name.as_str());
        let missing = unknown("mapping", &entry.key, names);
        let mapping = mappings
            .iter_mut()
            .find(|mapping| mapping.name == entry.key)
            .ok_or_else(|| Fault::at(entry.line, missing))?;
        let settings = entry.node.table()?;
        settings.only(&["refresh"])?;
        let refresh = settings.need("refresh")?;
        mapping.refresh = match refresh.text()? {
            "changed" => Refresh::Changed,
            "full" => Refresh::Full,
            word => {
                return Err(Fault::at(
                    refresh.line,
                    unknown("refresh", word, ["changed", "full"]),
                ));
            }
        };
    }
    Ok(())
}

/// Gives a table of words other rows of the same columns.
pub(crate) fn replace_words(words: &mut Words, text: &str) -> Result<(), Fault> {
    // The name was found good when the definitions were read.
    let read = read_words("job", "words", text)?;
    let header = |text: &str| text.lines().next().unwrap_or_default().trim().to_owned();
    let (wanted, found) = (header(&words.text), header(text));
    if wanted != found {
        let what = format!("the columns are {wanted}, found {found}");
        return Err(Fault::at(1, what));
    }
    words.text = read.text;
    Ok(())
}
