//! Columns of unified tables, and the grammar of their types.

use std::collections::BTreeMap;

use crate::document::{Entries, Entry, Node, is_snake_case};
use crate::error::{Fault, unknown};
use crate::resource::decimal;

/// One column of a unified table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnKind,
    /// Whether it may be null.
    pub null: bool,
    pub doc: String,
    /// What a number counts, where the name does not say: `currency`, `days`.
    pub unit: Option<String>,
    /// Whether it names or describes a person.
    pub pii: bool,
    /// The words an enum may take; empty: any text.
    pub values: Vec<String>,
    /// Filled by the engine, so a mapping does not select it.
    pub stamped: bool,
}

/// The type of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnKind {
    Utf8,
    Int8,
    Int32,
    Int64,
    Bool,
    /// The day as written, in no time zone.
    Date,
    /// Microseconds, UTC.
    Timestamp,
    Decimal {
        precision: u8,
        scale: i8,
    },
    Binary,
    /// Text to text.
    Map,
    Struct(Vec<(String, ColumnKind)>),
    List(Box<ColumnKind>),
}

const KEYS: [&str; 7] = ["type", "null", "doc", "unit", "pii", "values", "stamped"];
const WORDS: [&str; 11] = [
    "utf8",
    "int8",
    "int32",
    "int64",
    "bool",
    "date",
    "timestamp",
    "decimal(38, 9)",
    "binary",
    "map",
    "list<utf8>",
];

/// Named structs, each with its members resolved.
pub(crate) type Structs = BTreeMap<String, ColumnKind>;

/// Reads a table of columns, in file order.
pub(crate) fn read_columns(entries: &Entries, structs: &Structs) -> Result<Vec<Column>, Fault> {
    entries
        .iter()
        .map(|entry| read_column(entry, structs))
        .collect()
}

fn read_column(entry: &Entry, structs: &Structs) -> Result<Column, Fault> {
    if !is_snake_case(&entry.key) {
        return Err(Fault::at(
            entry.line,
            format!("column \"{}\" is not in snake case", entry.key),
        ));
    }
    let entries = entry.node.table()?;
    entries.only(&KEYS)?;
    let column = Column {
        name: entry.key.clone(),
        kind: read_kind(entries.need("type")?, structs)?,
        null: entries.flag("null")?,
        doc: entries.need_text("doc")?,
        unit: entries.text("unit")?,
        pii: entries.flag("pii")?,
        values: entries.texts("values")?,
        stamped: entries.flag("stamped")?,
    };
    if !column.values.is_empty() && column.kind != ColumnKind::Utf8 {
        return Err(Fault::at(
            entry.line,
            "only a utf8 column has a list of values",
        ));
    }
    Ok(column)
}

/// Reads `[structs.*]` on top of those already `known`; they may use each other in any order.
pub(crate) fn read_structs(node: Option<&Node>, known: &Structs) -> Result<Structs, Fault> {
    let mut structs = known.clone();
    let Some(node) = node else {
        return Ok(structs);
    };
    let mut waiting: Vec<&Entry> = node.table()?.iter().collect();
    for entry in &waiting {
        if known.contains_key(&entry.key) || WORDS.contains(&entry.key.as_str()) {
            return Err(Fault::at(
                entry.line,
                format!("a type named \"{}\" exists already", entry.key),
            ));
        }
    }
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut fault = None;
        waiting.retain(|entry| match read_struct(entry, &structs) {
            Ok(kind) => {
                structs.insert(entry.key.clone(), kind);
                false
            }
            Err(found) => {
                fault.get_or_insert(found);
                true
            }
        });
        // A round without progress: a member names an unknown type, or structs contain each other.
        if let Some(fault) = fault
            && waiting.len() == before
        {
            return Err(fault);
        }
    }
    Ok(structs)
}

fn read_struct(entry: &Entry, structs: &Structs) -> Result<ColumnKind, Fault> {
    let members = entry.node.table()?.iter().map(|member| {
        if is_snake_case(&member.key) {
            Ok((member.key.clone(), read_kind(&member.node, structs)?))
        } else {
            Err(Fault::at(
                member.line,
                format!("member \"{}\" is not in snake case", member.key),
            ))
        }
    });
    let members = members.collect::<Result<Vec<_>, _>>()?;
    if members.is_empty() {
        return Err(Fault::at(entry.line, "a struct has at least one member"));
    }
    Ok(ColumnKind::Struct(members))
}

fn read_kind(node: &Node, structs: &Structs) -> Result<ColumnKind, Fault> {
    parse(node.text()?, structs).map_err(|what| Fault::at(node.line, what))
}

/// `type := word | decimal(p, s) | list<type> | name of a struct`.
fn parse(text: &str, structs: &Structs) -> Result<ColumnKind, String> {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix("list<") {
        let item = inner
            .strip_suffix('>')
            .ok_or_else(|| format!("type \"{text}\" has no closing \">\""))?;
        return Ok(ColumnKind::List(Box::new(parse(item, structs)?)));
    }
    if let Some((precision, scale)) = decimal(text) {
        return Ok(ColumnKind::Decimal { precision, scale });
    }
    Ok(match text {
        "utf8" => ColumnKind::Utf8,
        "int8" => ColumnKind::Int8,
        "int32" => ColumnKind::Int32,
        "int64" => ColumnKind::Int64,
        "bool" => ColumnKind::Bool,
        "date" => ColumnKind::Date,
        "timestamp" => ColumnKind::Timestamp,
        "binary" => ColumnKind::Binary,
        "map" => ColumnKind::Map,
        name => match structs.get(name) {
            Some(kind) => kind.clone(),
            None => {
                let words = WORDS.into_iter().chain(structs.keys().map(String::as_str));
                return Err(unknown("type", name, words));
            }
        },
    })
}
