//! What can go wrong between us and a warehouse, and what to do about it.

use arrow::error::ArrowError;

/// What the reader of an error should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Run again later.
    Unavailable,
    /// Change the job, the definitions, or the warehouse's rights and tables.
    Invalid,
    /// A fault of ours.
    Internal,
}

#[derive(Debug, thiserror::Error)]
pub enum WarehouseError {
    /// The address can not be used as written. Holds no part of it that may be a secret.
    #[error("the warehouse's uri can not be used: {reason}")]
    Address { reason: String },
    /// The server could not be reached, or the connection broke.
    #[error("the warehouse does not answer: {reason}")]
    Connection { reason: String },
    /// The server refused: its own code and message.
    #[error("the warehouse refused ({code}): {message}")]
    Refused {
        code: String,
        message: String,
        kind: Kind,
        hint: Option<String>,
    },
    /// A table of the warehouse can not follow its definition.
    #[error("column `{column}` of the warehouse's table `{table}` is {found}, not {wanted}")]
    Incompatible {
        table: String,
        column: String,
        found: String,
        wanted: String,
    },
    /// A definition that no warehouse can hold.
    #[error("table `{table}` can not be made in a warehouse: {reason}")]
    Definition { table: String, reason: String },
    /// A value that the warehouse's type can not hold.
    #[error("a value of `{table}.{column}` does not fit the warehouse's {wanted}")]
    Value {
        table: String,
        column: String,
        wanted: String,
    },
    #[error("rows of `{table}` can not be brought into the warehouse's form")]
    Batch {
        table: String,
        #[source]
        source: Box<ArrowError>,
    },
    /// The rows did not come.
    #[error("rows of `{table}` could not be read")]
    Rows {
        table: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl WarehouseError {
    pub(crate) fn address(reason: impl Into<String>) -> Self {
        WarehouseError::Address {
            reason: reason.into(),
        }
    }

    pub(crate) fn connection(reason: impl Into<String>) -> Self {
        WarehouseError::Connection {
            reason: reason.into(),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            WarehouseError::Address { .. }
            | WarehouseError::Incompatible { .. }
            | WarehouseError::Definition { .. }
            | WarehouseError::Value { .. } => Kind::Invalid,
            WarehouseError::Connection { .. } => Kind::Unavailable,
            WarehouseError::Refused { kind, .. } => *kind,
            WarehouseError::Batch { .. } | WarehouseError::Rows { .. } => Kind::Internal,
        }
    }

    /// How to get over it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            WarehouseError::Address { .. } => Some(
                "write uri = \"${WAREHOUSE_URI}\" with postgresql://user:password@host/database, or \
                 duckdb:///path/file.db?driver=/path/libduckdb.so"
                    .to_string(),
            ),
            WarehouseError::Connection { .. } => Some(
                "the lake is committed; the next run brings the warehouse what it lacks".to_string(),
            ),
            WarehouseError::Refused { hint, .. } => hint.clone(),
            WarehouseError::Incompatible { table, .. } => Some(format!(
                "rename or drop the warehouse's table `{table}`: the next run makes it anew and loads it \
                 whole; views on it have to be made again"
            )),
            WarehouseError::Definition { .. } | WarehouseError::Value { .. } => {
                Some("mend the definition, or the mapping that makes the value".to_string())
            }
            WarehouseError::Batch { .. } | WarehouseError::Rows { .. } => None,
        }
    }
}
