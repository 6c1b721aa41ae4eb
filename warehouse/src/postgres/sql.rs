//! Statements for PostgreSQL. Every name is quoted, every text a literal or a parameter.

use crate::evolve::{Change, Evolution};
use crate::{ColumnType, LEDGER, TableDefinition};

/// An identifier, whatever it holds.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text literal, whatever it holds and however the server reads backslashes.
pub(super) fn literal(text: &str) -> String {
    let escaped = text.replace('\'', "''").replace('\\', "\\\\");
    match text.contains('\\') {
        true => format!("E'{escaped}'"),
        false => format!("'{escaped}'"),
    }
}

pub(super) fn qualified(schema: &str, table: &str) -> String {
    format!("{}.{}", quote(schema), quote(table))
}

pub(super) fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quote(name)).collect();
    quoted.join(", ")
}

/// The names of all columns, in the definition's order.
pub(super) fn columns(table: &TableDefinition) -> String {
    let quoted = table.columns.iter().map(|column| quote(&column.name));
    quoted.collect::<Vec<_>>().join(", ")
}

pub(super) fn type_name(of: &ColumnType) -> String {
    match of {
        ColumnType::Bytes => "bytea".to_string(),
        ColumnType::Json => "jsonb".to_string(),
        other => other.to_string(),
    }
}

/// Reads a type as `format_type` writes it; `None` for one that we never make.
pub(super) fn read_type(text: &str) -> Option<ColumnType> {
    Some(match text {
        "text" => ColumnType::Text,
        "boolean" => ColumnType::Boolean,
        "smallint" => ColumnType::SmallInt,
        "integer" => ColumnType::Integer,
        "bigint" => ColumnType::BigInt,
        "double precision" => ColumnType::Double,
        "date" => ColumnType::Date,
        "timestamp with time zone" => ColumnType::Timestamp { utc: true },
        "timestamp without time zone" => ColumnType::Timestamp { utc: false },
        "bytea" => ColumnType::Bytes,
        "jsonb" => ColumnType::Json,
        numeric => {
            let inner = numeric.strip_prefix("numeric(")?.strip_suffix(')')?;
            let (precision, scale) = inner.split_once(',')?;
            ColumnType::Decimal {
                precision: precision.parse().ok()?,
                scale: scale.parse().ok()?,
            }
        }
    })
}

pub(super) fn create_ledger(schema: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {ledger} (\
         connection text NOT NULL, table_name text NOT NULL, lake_table text NOT NULL, \
         version bigint NOT NULL, run_id text NOT NULL, rows bigint NOT NULL, \
         loaded_at timestamptz NOT NULL, PRIMARY KEY (connection, table_name)); \
         COMMENT ON TABLE {ledger} IS {comment}",
        ledger = qualified(schema, LEDGER),
        comment = literal(
            "Which version of each table of the lake this schema holds; kept by spendlake, change nothing."
        ),
    )
}

/// The table without key and indexes: they are made when its first rows are in.
pub(super) fn create_table(schema: &str, table: &TableDefinition, types: &[ColumnType]) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .zip(types)
        .map(|(column, of)| {
            let not_null = if column.null { "" } else { " NOT NULL" };
            format!("{} {}{not_null}", quote(&column.name), type_name(of))
        })
        .collect();
    format!(
        "CREATE TABLE {} ({})",
        qualified(schema, &table.name),
        columns.join(", ")
    )
}

/// Key and indexes of a table that is new.
pub(super) fn create_indexes(schema: &str, table: &TableDefinition) -> Vec<String> {
    let name = qualified(schema, &table.name);
    let mut statements = vec![format!(
        "ALTER TABLE {name} ADD PRIMARY KEY ({})",
        list(&table.key)
    )];
    // Without a name of ours the server finds one that is free and short enough.
    let indexes = table.indexes.iter();
    statements.extend(indexes.map(|columns| format!("CREATE INDEX ON {name} ({})", list(columns))));
    statements
}

pub(super) fn alter_table(
    schema: &str,
    table: &TableDefinition,
    evolution: &Evolution,
) -> Vec<String> {
    let alter = format!("ALTER TABLE {}", qualified(schema, &table.name));
    let statement = |change: &Change| match change {
        Change::Add { column } => format!(
            "{alter} ADD COLUMN {} {}",
            quote(&table.columns[*column].name),
            type_name(&evolution.types[*column])
        ),
        Change::Widen { column, to } => format!(
            "{alter} ALTER COLUMN {} TYPE {}",
            quote(&table.columns[*column].name),
            type_name(to)
        ),
        Change::Relax { name } => format!("{alter} ALTER COLUMN {} DROP NOT NULL", quote(name)),
    };
    evolution.changes.iter().map(statement).collect()
}

/// Comments that differ from those `found`: the table's under `None`, the columns' under their names.
pub(super) fn comments(
    schema: &str,
    table: &TableDefinition,
    found: impl Fn(Option<&str>) -> Option<String>,
) -> Vec<String> {
    let name = qualified(schema, &table.name);
    let clean = |doc: &str| doc.replace('\0', "\u{FFFD}");
    let mut statements = Vec::new();
    if found(None).as_deref() != Some(clean(&table.doc).as_str()) {
        let comment = literal(&clean(&table.doc));
        statements.push(format!("COMMENT ON TABLE {name} IS {comment}"));
    }
    for column in &table.columns {
        if column.doc.is_empty() || found(Some(&column.name)) == Some(clean(&column.doc)) {
            continue;
        }
        let comment = literal(&clean(&column.doc));
        statements.push(format!(
            "COMMENT ON COLUMN {name}.{} IS {comment}",
            quote(&column.name)
        ));
    }
    statements
}

/// `a.x = b.x AND …`
pub(super) fn equal(columns: &[String], left: &str, right: &str) -> String {
    let pairs = columns.iter().map(|column| {
        let column = quote(column);
        format!("{left}.{column} = {right}.{column}")
    });
    pairs.collect::<Vec<_>>().join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_can_not_leave_their_quotes() {
        assert_eq!(quote(r#"a"; DROP TABLE b"#), r#""a""; DROP TABLE b""#);
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"\'; --"), r"E'\\''; --'");
    }

    #[test]
    fn types_are_read_as_they_are_written() {
        for of in [
            ColumnType::Text,
            ColumnType::Boolean,
            ColumnType::SmallInt,
            ColumnType::Integer,
            ColumnType::BigInt,
            ColumnType::Decimal {
                precision: 38,
                scale: 9,
            },
            ColumnType::Double,
            ColumnType::Date,
            ColumnType::Timestamp { utc: true },
            ColumnType::Timestamp { utc: false },
            ColumnType::Bytes,
            ColumnType::Json,
        ] {
            assert_eq!(read_type(&type_name(&of)), Some(of));
        }
        assert_eq!(read_type("numeric"), None);
        assert_eq!(read_type("character varying(20)"), None);
    }
}
