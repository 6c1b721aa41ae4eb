//! How a table that is there comes to follow its definition, without losing a row.

use crate::{ColumnType, TableDefinition, WarehouseError};

/// A column as the warehouse has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundColumn {
    pub name: String,
    /// `None` for a type that we never make.
    pub column_type: Option<ColumnType>,
    /// The type in the warehouse's own words.
    pub type_name: String,
    pub not_null: bool,
}

/// One change of a table's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A new column; rows that are there have null.
    Add {
        column: usize,
    },
    Widen {
        column: usize,
        to: ColumnType,
    },
    /// May be null from now on: the definition says so, or has the column no more.
    Relax {
        name: String,
    },
}

/// What is to be changed, and the type that each column of the definition has afterwards.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Evolution {
    pub changes: Vec<Change>,
    pub types: Vec<ColumnType>,
}

/// Compares a table with its definition; `same` tells whether two types are one to the warehouse.
///
/// Columns that the definition has no more stay. A type that is wider than asked for stays too.
/// Errors: `WarehouseError::Incompatible` when values would be lost or change their meaning.
pub(crate) fn evolve(
    table: &TableDefinition,
    found: &[FoundColumn],
    same: impl Fn(&ColumnType, &ColumnType) -> bool,
) -> Result<Evolution, WarehouseError> {
    let mut changes = Vec::new();
    let mut types = Vec::with_capacity(table.columns.len());
    for (column, (definition, wanted)) in table.columns.iter().zip(table.types()?).enumerate() {
        let Some(there) = found.iter().find(|there| there.name == definition.name) else {
            changes.push(Change::Add { column });
            types.push(wanted);
            continue;
        };
        match &there.column_type {
            Some(has) if same(has, &wanted) => types.push(wanted),
            Some(has) if wanted.widens_to(has) => types.push(*has),
            Some(has) if has.widens_to(&wanted) => {
                changes.push(Change::Widen { column, to: wanted });
                types.push(wanted);
            }
            _ => {
                return Err(WarehouseError::Incompatible {
                    table: table.name.clone(),
                    column: definition.name.clone(),
                    found: there.type_name.clone(),
                    wanted: wanted.to_string(),
                });
            }
        }
        if there.not_null && definition.null {
            changes.push(Change::Relax {
                name: there.name.clone(),
            });
        }
    }
    let defined = |name: &str| table.columns.iter().any(|column| column.name == name);
    for gone in found.iter().filter(|there| !defined(&there.name)) {
        if gone.not_null {
            changes.push(Change::Relax {
                name: gone.name.clone(),
            });
        }
    }
    Ok(Evolution { changes, types })
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::*;
    use crate::ColumnDefinition;

    fn table(columns: &[(&str, DataType, bool)]) -> TableDefinition {
        let column = |(name, data_type, null): &(&str, DataType, bool)| ColumnDefinition {
            name: name.to_string(),
            data_type: data_type.clone(),
            null: *null,
            doc: String::new(),
            json_maps: false,
        };
        TableDefinition {
            name: "things".to_string(),
            doc: String::new(),
            columns: columns.iter().map(column).collect(),
            key: vec!["id".to_string()],
            replace_by: vec!["id".to_string()],
            connection_column: None,
            indexes: Vec::new(),
        }
    }

    fn found(name: &str, column_type: ColumnType, not_null: bool) -> FoundColumn {
        FoundColumn {
            name: name.to_string(),
            column_type: Some(column_type),
            type_name: column_type.to_string(),
            not_null,
        }
    }

    #[test]
    fn columns_come_widen_and_stay() {
        let wanted = table(&[
            ("id", DataType::Utf8, false),
            ("count", DataType::Int64, true),
            ("small", DataType::Int16, true),
            ("new", DataType::Date32, true),
        ]);
        let there = [
            found("id", ColumnType::Text, true),
            found("count", ColumnType::Integer, false),
            found("small", ColumnType::BigInt, false),
            found("old", ColumnType::Text, true),
        ];
        let evolution = evolve(&wanted, &there, |a, b| a == b).expect("they fit");
        assert_eq!(
            evolution.changes,
            [
                Change::Widen {
                    column: 1,
                    to: ColumnType::BigInt
                },
                Change::Add { column: 3 },
                Change::Relax {
                    name: "old".to_string()
                },
            ]
        );
        assert_eq!(evolution.types[2], ColumnType::BigInt);
    }

    #[test]
    fn what_would_lose_its_meaning_is_refused() {
        let wanted = table(&[
            ("id", DataType::Utf8, false),
            ("day", DataType::Date32, true),
        ]);
        let there = [
            found("id", ColumnType::Text, true),
            found("day", ColumnType::Text, false),
        ];
        let error = evolve(&wanted, &there, |a, b| a == b).expect_err("text is no date");
        assert_eq!(
            error.to_string(),
            "column `day` of the warehouse's table `things` is text, not date"
        );
        assert!(error.hint().is_some_and(|hint| hint.contains("drop")));
    }
}
