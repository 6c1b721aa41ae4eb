//! A TOML file as a tree that knows its lines. Knows nothing of what the keys mean.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::error::{Fault, unknown};

/// A value and the line it stands on.
pub(crate) struct Node {
    pub line: usize,
    value: Value,
}

enum Value {
    Text(String),
    Bool(bool),
    List(Vec<Node>),
    Table(Entries),
    /// Numbers and dates: no definition uses one.
    Other(&'static str),
}

/// The keys of a table, in the order of the file.
pub(crate) struct Entries {
    line: usize,
    entries: Vec<Entry>,
}

pub(crate) struct Entry {
    pub key: String,
    pub line: usize,
    pub node: Node,
}

/// Parses a whole file.
pub(crate) fn parse(text: &str) -> Result<Entries, Fault> {
    let lines = Lines::of(text);
    let root = DeTable::parse(text).map_err(|error| Fault {
        line: error.span().map(|span| lines.at(&span)),
        what: error.message().to_owned(),
    })?;
    Ok(entries(&lines, 1, root.get_ref()))
}

/// The comment lines a file begins with, joined; `marker` is `#` or `--`.
pub(crate) fn leading_comment(text: &str, marker: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix(marker));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}

impl Node {
    pub(crate) fn text(&self) -> Result<&str, Fault> {
        match &self.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.wanted("a string")),
        }
    }

    pub(crate) fn flag(&self) -> Result<bool, Fault> {
        match &self.value {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(self.wanted("true or false")),
        }
    }

    pub(crate) fn list(&self) -> Result<&[Node], Fault> {
        self.as_list().ok_or_else(|| self.wanted("a list"))
    }

    pub(crate) fn texts(&self) -> Result<Vec<String>, Fault> {
        let texts = self.list()?.iter().map(|node| node.text());
        texts.map(|text| text.map(str::to_owned)).collect()
    }

    pub(crate) fn table(&self) -> Result<&Entries, Fault> {
        self.as_table().ok_or_else(|| self.wanted("a table"))
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        self.text().ok()
    }

    pub(crate) fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(nodes) => Some(nodes),
            _ => None,
        }
    }

    pub(crate) fn as_table(&self) -> Option<&Entries> {
        match &self.value {
            Value::Table(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn wanted(&self, wanted: &str) -> Fault {
        let found = match &self.value {
            Value::Text(_) => "a string",
            Value::Bool(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Other(found) => found,
        };
        Fault::at(self.line, format!("expected {wanted}, found {found}"))
    }
}

impl Entries {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Refuses every key that is not in `allowed`.
    pub(crate) fn only(&self, allowed: &[&str]) -> Result<(), Fault> {
        match self
            .iter()
            .find(|entry| !allowed.contains(&entry.key.as_str()))
        {
            Some(entry) => Err(Fault::at(
                entry.line,
                unknown("key", &entry.key, allowed.iter().copied()),
            )),
            None => Ok(()),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let entry = self.iter().find(|entry| entry.key == key);
        entry.map(|entry| &entry.node)
    }

    pub(crate) fn need(&self, key: &str) -> Result<&Node, Fault> {
        self.get(key)
            .ok_or_else(|| Fault::at(self.line, format!("key \"{key}\" is missing")))
    }

    pub(crate) fn need_text(&self, key: &str) -> Result<String, Fault> {
        Ok(self.need(key)?.text()?.to_owned())
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, Fault> {
        let text = self.get(key).map(Node::text).transpose()?;
        Ok(text.map(str::to_owned))
    }

    pub(crate) fn flag(&self, key: &str) -> Result<bool, Fault> {
        let flag = self.get(key).map(Node::flag).transpose()?;
        Ok(flag.unwrap_or(false))
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, Fault> {
        let texts = self.get(key).map(Node::texts).transpose()?;
        Ok(texts.unwrap_or_default())
    }
}

/// Whether `name` can be a field, a column or a table: lower case, digits, underscores.
pub(crate) fn is_snake_case(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    !name.is_empty() && name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit())
}

type Key<'a> = Spanned<DeString<'a>>;

fn entries(lines: &Lines, line: usize, table: &DeTable<'_>) -> Entries {
    let entry = |(key, value): (&Key<'_>, &Spanned<DeValue<'_>>)| Entry {
        key: key.get_ref().to_string(),
        line: lines.at(&key.span()),
        node: node(lines, value),
    };
    Entries {
        line,
        entries: table.iter().map(entry).collect(),
    }
}

fn node(lines: &Lines, value: &Spanned<DeValue<'_>>) -> Node {
    let line = lines.at(&value.span());
    let value = match value.get_ref() {
        DeValue::String(found) => Value::Text(found.to_string()),
        DeValue::Boolean(found) => Value::Bool(*found),
        DeValue::Array(found) => Value::List(found.iter().map(|item| node(lines, item)).collect()),
        DeValue::Table(found) => Value::Table(entries(lines, line, found)),
        DeValue::Integer(_) => Value::Other("an integer"),
        DeValue::Float(_) => Value::Other("a float"),
        DeValue::Datetime(_) => Value::Other("a date"),
    };
    Node { line, value }
}

/// Where each line after the first begins.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Lines {
        let breaks = text.match_indices('\n');
        Lines(breaks.map(|(index, _)| index + 1).collect())
    }

    /// The line a span begins on, counted from 1.
    fn at(&self, span: &Range<usize>) -> usize {
        self.0.partition_point(|start| *start <= span.start) + 1
    }
}
