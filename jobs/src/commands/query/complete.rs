//! Completion at the prompt: tables, the columns of tables that the statement names, keywords.

use std::sync::{Arc, OnceLock};

use pipeline::query::TableListing;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::statement::is_whole;

const KEYWORDS: [&str; 46] = [
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COUNT",
    "CROSS",
    "DESC",
    "DISTINCT",
    "ELSE",
    "END",
    "EXISTS",
    "EXPLAIN",
    "FILTER",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OVER",
    "PARTITION",
    "RIGHT",
    "SELECT",
    "SUM",
    "THEN",
    "UNION",
    "USING",
    "WHEN",
    "WHERE",
    "WITH",
];

/// What the line editor asks while a statement is typed.
pub struct Assistant {
    /// Set once the lake's tables have been listed; until then only keywords are known.
    pub tables: Arc<OnceLock<Vec<TableListing>>>,
}

impl Helper for Assistant {}
impl Highlighter for Assistant {}

impl Hinter for Assistant {
    type Hint = String;
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(match is_whole(context.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let tables = self.tables.get().map_or(&[][..], Vec::as_slice);
        Ok(candidates(line, position, tables))
    }
}

/// Where the word under the cursor begins, and what it may become, best first.
fn candidates(line: &str, position: usize, tables: &[TableListing]) -> (usize, Vec<String>) {
    let typed = &line[..position];
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '\\');
    let start = typed
        .char_indices()
        .rev()
        .take_while(|(_, letter)| part(*letter))
        .last()
        .map_or(position, |(index, _)| index);
    let word = typed[start..].to_lowercase();
    if word.is_empty() {
        return (start, Vec::new());
    }
    let begins = |name: &str| name.to_lowercase().starts_with(&word);
    let mut found: Vec<String> = Vec::new();
    // `i.` after `FROM invoices i`: the alias is kept, the columns are the table's.
    if let Some((owner, _)) = word.split_once('.') {
        for table in tables.iter().filter(|table| is_named(line, table, owner)) {
            let columns = table.columns.iter();
            found.extend(columns.map(|column| format!("{owner}.{}", column.name)));
        }
    }
    let named = tables
        .iter()
        .filter(|table| mentions(line, &table.name.name));
    found.extend(named.flat_map(|table| table.columns.iter().map(|column| column.name.clone())));
    found.extend(tables.iter().map(|table| table.name.to_string()));
    let unified = tables.iter().filter(|table| table.name.layer == "unified");
    found.extend(unified.map(|table| table.name.name.clone()));
    // As it was begun: in capitals or not.
    let small = typed[start..].chars().all(|c| !c.is_uppercase());
    found.extend(KEYWORDS.iter().map(|keyword| match small {
        true => keyword.to_lowercase(),
        false => (*keyword).to_owned(),
    }));
    found.retain(|name| begins(name));
    let mut unique = Vec::new();
    for name in found {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    (start, unique)
}

/// Whether `owner` is the table's own name in the statement, or an alias given right behind it.
fn is_named(line: &str, table: &TableListing, owner: &str) -> bool {
    if owner == table.name.name {
        return mentions(line, owner);
    }
    let words: Vec<String> = words(line).collect();
    words.windows(2).enumerate().any(|(index, pair)| {
        let aliased = match pair[1].as_str() {
            "as" => words.get(index + 2).is_some_and(|alias| alias == owner),
            alias => alias == owner,
        };
        aliased && (pair[0] == table.name.name || pair[0] == table.name.to_string())
    })
}

fn mentions(line: &str, table: &str) -> bool {
    words(line)
        .any(|word| word == table || word.rsplit_once('.').is_some_and(|(_, end)| end == table))
}

fn words(line: &str) -> impl Iterator<Item = String> {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let words = line.split(move |c: char| !part(c));
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use pipeline::catalog::TableName;
    use pipeline::query::ColumnListing;

    use super::*;

    fn table(layer: &str, name: &str, columns: &[&str]) -> TableListing {
        let column = |name: &&str| ColumnListing {
            name: (*name).to_owned(),
            kind: "utf8".to_owned(),
            null: true,
            doc: String::new(),
        };
        TableListing {
            name: TableName::new(layer, name),
            row_count: 0,
            version: 0,
            committed_at: None,
            doc: String::new(),
            columns: columns.iter().map(column).collect(),
        }
    }

    #[test]
    fn what_a_word_may_become() {
        let tables = [
            table("coupa", "invoices", &["id", "invoice_number"]),
            table("unified", "invoices", &["id", "vendor_name"]),
            table("unified", "items", &["name"]),
        ];
        for (text, expected) in [
            ("SEL", &["SELECT"][..]),
            ("sel", &["select"]),
            ("SELECT * FROM unified.in", &["unified.invoices"]),
            ("SELECT * FROM ite", &["items"]),
            ("SELECT vend| FROM invoices", &["vendor_name"]),
            ("SELECT i.vend| FROM unified.invoices i", &["i.vendor_name"]),
            ("SELECT x.n| FROM unified.items AS x", &["x.name"]),
            ("SELECT vend| FROM items", &[]),
            ("SELECT ", &[]),
        ] {
            let position = text.find('|').unwrap_or(text.len());
            let line = text.replace('|', "");
            let (_, found) = candidates(&line, position, &tables);
            assert_eq!(found, expected, "{text}");
        }
    }
}
