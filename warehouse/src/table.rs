//! What a warehouse needs to know of a table.

use arrow::datatypes::DataType;

use crate::{ColumnType, WarehouseError};

/// A table of the lake, as a warehouse is to hold it.
#[derive(Clone, Debug)]
pub struct TableDefinition {
    pub name: String,
    /// The table's comment.
    pub doc: String,
    pub columns: Vec<ColumnDefinition>,
    /// Columns that name a row: the primary key.
    pub key: Vec<String>,
    /// Columns whose equal values are replaced as a set: the key itself, or a parent's id.
    pub replace_by: Vec<String>,
    /// The column that says whose row it is; `None` where all rows are of one.
    pub connection_column: Option<String>,
    /// Columns to look rows up by, an index each.
    pub indexes: Vec<Vec<String>>,
}

#[derive(Clone, Debug)]
pub struct ColumnDefinition {
    pub name: String,
    pub data_type: DataType,
    pub null: bool,
    /// The column's comment.
    pub doc: String,
    /// The texts in its maps are JSON; elsewhere they are plain.
    pub json_maps: bool,
}

/// PostgreSQL cuts longer names, and two of them could become one.
const LONGEST_NAME_BYTES: usize = 63;

impl TableDefinition {
    /// The columns' types in a warehouse, in their order.
    ///
    /// Errors: `WarehouseError::Definition` for a type, a name or a key that no warehouse can hold.
    pub fn types(&self) -> Result<Vec<ColumnType>, WarehouseError> {
        let wrong = |reason: String| WarehouseError::Definition {
            table: self.name.clone(),
            reason,
        };
        let names = self.columns.iter().map(|column| &column.name);
        for name in names.chain([&self.name]) {
            if name.is_empty() || name.len() > LONGEST_NAME_BYTES || name.contains('\0') {
                return Err(wrong(format!(
                    "`{name}` is not a name of 1 to {LONGEST_NAME_BYTES} bytes"
                )));
            }
        }
        let listed = self.key.iter().chain(&self.replace_by);
        for name in listed.chain(&self.connection_column) {
            match self.columns.iter().find(|column| column.name == *name) {
                None => return Err(wrong(format!("key column `{name}` is not there"))),
                Some(column) if column.null => {
                    return Err(wrong(format!("key column `{name}` may be null")));
                }
                Some(_) => {}
            }
        }
        if self.key.is_empty() || self.replace_by.is_empty() {
            return Err(wrong("it has no key".to_string()));
        }
        self.columns
            .iter()
            .map(|column| {
                ColumnType::of(&column.data_type).ok_or_else(|| {
                    wrong(format!(
                        "column `{}` is {}, which no warehouse has",
                        column.name, column.data_type
                    ))
                })
            })
            .collect()
    }
}
