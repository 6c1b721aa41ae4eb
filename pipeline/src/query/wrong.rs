//! What is wrong with a statement, in its writer's words: where it stands, and what is near.

use arrow::datatypes::SchemaRef;
use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;

use crate::catalog::{CatalogError, Lake, TableName};
use crate::error::{Error, Kind};

/// More names than this are a wall of text.
const NAMES_SHOWN: usize = 12;
/// Letters shown on each side of a place in a long line.
const EXCERPT_CHARS: usize = 60;

/// A place in a statement, counted from 1, in letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    length: usize,
}

/// The engine's complaint about `sql`, with the place it points at.
pub fn wrong_statement(
    error: &DataFusionError,
    sql: &str,
    known: &[(TableName, SchemaRef)],
) -> Error {
    if let Some((field, valid)) = missing_column(error) {
        return no_column(error, sql, field, valid, known);
    }
    let text = error.strip_backtrace();
    let (message, at) = plain(&text);
    let place = spanned(error).or(at);
    let mut lines = message.lines();
    let first = lines.next().unwrap_or_default().trim_end_matches('.');
    let wrong = Error::new(Kind::Invalid, pointed(first, sql, place));
    // The engine adds candidates in lines of their own.
    let rest: Vec<&str> = lines
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    match rest.is_empty() {
        true => wrong,
        false => wrong.with_hint(rest.join("; ")),
    }
}

fn missing_column(error: &DataFusionError) -> Option<(&Column, &[Column])> {
    match error.find_root() {
        DataFusionError::SchemaError(inner, _) => match inner.as_ref() {
            SchemaError::FieldNotFound {
                field,
                valid_fields,
            } => Some((field, valid_fields)),
            _ => None,
        },
        _ => None,
    }
}

fn no_column(
    error: &DataFusionError,
    sql: &str,
    field: &Column,
    valid: &[Column],
    known: &[(TableName, SchemaRef)],
) -> Error {
    let place = spanned(error).or_else(|| word(sql, &field.name));
    let message = format!("there is no column `{}`", field.flat_name());
    let error = Error::new(Kind::Invalid, pointed(&message, sql, place));
    // Of an empty scope (a name used where no table is in sight) the tables' own columns help.
    let mut names: Vec<String> = valid.iter().map(Column::flat_name).collect();
    if names.is_empty() {
        names = known.iter().flat_map(columns_of).collect();
    }
    let near = nearest(&field.name, &names, |name| {
        name.rsplit_once('.').map_or(name, |(_, last)| last)
    });
    match (near.is_empty(), names.is_empty()) {
        (false, _) => error.with_hint(format!("did you mean {}?", near.join(" or "))),
        (true, false) => error.with_hint(format!("there are {}", some(&names))),
        (true, true) => error,
    }
}

fn columns_of((table, schema): &(TableName, SchemaRef)) -> Vec<String> {
    let fields = schema.fields().iter();
    fields
        .map(|field| format!("{table}.{}", field.name()))
        .collect()
}

/// There is no such table: where it is named in `sql`, and what is near.
pub async fn no_table(
    lake: &Lake,
    name: &TableName,
    sql: Option<&str>,
) -> Result<Error, CatalogError> {
    let mut there = lake.tables(&name.layer).await?;
    let message = format!("there is no table {name} in the lake");
    let message = match sql {
        Some(sql) => pointed(&message, sql, word(sql, &name.name)),
        None => message,
    };
    let error = Error::new(Kind::Invalid, message);
    // The right name in another layer is as near as a slip in this one.
    for layer in super::LAYERS.iter().filter(|layer| **layer != name.layer) {
        let others = lake.tables(layer).await?;
        there.extend(others.into_iter().filter(|other| other.name == name.name));
    }
    let names: Vec<String> = there.iter().map(TableName::to_string).collect();
    let near = nearest(&name.name, &names, |name| {
        name.split_once('.').map_or(name, |(_, last)| last)
    });
    Ok(match (near.is_empty(), names.is_empty()) {
        (false, _) => error.with_hint(format!("did you mean {}?", near.join(" or "))),
        (true, false) => error.with_hint(format!("there are {}", some(&names))),
        (true, true) => error.with_hint("nothing has landed there yet: run the job first"),
    })
}

/// At most two of `names` whose `compared` part is much like `found`, the nearest first.
fn nearest(found: &str, names: &[String], compared: impl Fn(&str) -> &str) -> Vec<String> {
    let found = found.to_lowercase();
    let mut near: Vec<(f64, &String)> = names
        .iter()
        .map(|name| {
            (
                strsim::jaro_winkler(&compared(name).to_lowercase(), &found),
                name,
            )
        })
        .filter(|(likeness, _)| *likeness > 0.85)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let best = near.first().map_or(0.0, |(likeness, _)| *likeness);
    let near = near.iter().filter(|(likeness, _)| best - likeness < 0.05);
    near.take(2).map(|(_, name)| (*name).clone()).collect()
}

fn some(names: &[String]) -> String {
    let mut text = names[..names.len().min(NAMES_SHOWN)].join(", ");
    if names.len() > NAMES_SHOWN {
        text.push_str(&format!(" and {} more", names.len() - NAMES_SHOWN));
    }
    text
}

/// Where the engine says it is.
fn spanned(error: &DataFusionError) -> Option<Place> {
    let span = error.diagnostic()?.span?;
    let one_line = span.start.line == span.end.line;
    let length = span.end.column.saturating_sub(span.start.column);
    Some(Place {
        line: usize::try_from(span.start.line).ok()?,
        column: usize::try_from(span.start.column).ok()?,
        length: if one_line { length.max(1) as usize } else { 1 },
    })
}

/// The message without the names of the engine's own parts, and the place that a parser's has at its end.
fn plain(text: &str) -> (String, Option<Place>) {
    let mut message = text;
    for prefix in [
        "Error during planning: ",
        "Schema error: ",
        "SQL error: ",
        "Execution error: ",
        "This feature is not implemented: ",
    ] {
        message = message.strip_prefix(prefix).unwrap_or(message);
    }
    for kind in ["ParserError(\"", "TokenizerError(\""] {
        message = message
            .strip_prefix(kind)
            .and_then(|rest| rest.strip_suffix("\")"))
            .unwrap_or(message);
    }
    let message = message.replace("\\\"", "\"");
    let Some((before, after)) = message.rsplit_once(" at Line: ") else {
        return (message, None);
    };
    let place = after.split_once(", Column: ").and_then(|(line, column)| {
        let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
        Some(Place {
            line: line.parse().ok()?,
            column: digits.parse().ok()?,
            length: 1,
        })
    });
    match place {
        Some(_) => (before.to_string(), place),
        None => (message.clone(), None),
    }
}

/// Where `name` first stands in `sql` as a word of its own, in any case.
fn word(sql: &str, name: &str) -> Option<Place> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    for (index, line) in sql.lines().enumerate() {
        let letters: Vec<char> = line.chars().collect();
        let wanted: Vec<char> = name.chars().collect();
        let found = letters
            .windows(wanted.len().max(1))
            .enumerate()
            .find(|(start, window)| {
                let same = window
                    .iter()
                    .zip(&wanted)
                    .all(|(a, b)| a.eq_ignore_ascii_case(b));
                let before = start.checked_sub(1).map(|before| letters[before]);
                let after = letters.get(start + wanted.len()).copied();
                same && !before.is_some_and(part) && !after.is_some_and(part)
            });
        if let Some((start, _)) = found {
            return Some(Place {
                line: index + 1,
                column: start + 1,
                length: wanted.len(),
            });
        }
    }
    None
}

/// `message`, the place, and the line with a mark under it.
fn pointed(message: &str, sql: &str, place: Option<Place>) -> String {
    let Some(place) = place else {
        return message.to_string();
    };
    let Some(line) = sql.lines().nth(place.line.saturating_sub(1)) else {
        return message.to_string();
    };
    let letters: Vec<char> = line
        .chars()
        // What would move the cursor, or take no place at all, would shift the mark.
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let at = place.column.saturating_sub(1).min(letters.len());
    let from = at.saturating_sub(EXCERPT_CHARS);
    let to = (at + EXCERPT_CHARS).min(letters.len());
    let excerpt: String = letters[from..to].iter().collect();
    let mark = "^".repeat(place.length.clamp(1, (to - at).max(1)));
    let indent = " ".repeat(at - from);
    let (line, column) = (place.line, place.column);
    format!("{message}, in line {line}, column {column}:\n{excerpt}\n{indent}{mark}")
}
