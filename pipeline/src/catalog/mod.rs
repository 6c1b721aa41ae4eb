//! Where tables lie and how they are read: the lake's location, table snapshots, and query sessions.
//!
//! This is the read side that `load`, `transform` and the commands share. It knows Delta's log
//! and DataFusion's sessions; it knows nothing of Coupa, of mappings or of commits.

mod as_of;
mod files;
mod functions;
mod lake;
mod options;
mod session;
mod snapshot;

pub use as_of::{AsOf, NotThere};
pub use files::DataFiles;
pub use functions::round_half_even;
pub use lake::{Lake, LakeSettings, TableName};
pub use session::{
    new_mapping_session, new_query_session, new_report_session, new_session, referenced_tables,
    register_schemas,
};
pub use snapshot::{AddedFiles, CONNECTION_COLUMN, DataFile, FileChanges, KEPT_ROWS, Snapshot};
pub(crate) use snapshot::{failed as table_failed, table_handle};

use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;

/// What can go wrong between us and the lake when nothing is being written.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The lake's address can not be used as written.
    #[error("lake url `{url}` can not be used: {reason}")]
    Location { url: String, reason: String },
    /// The store ignores that an object must not be there yet.
    #[error("the store at {url} overwrites objects that it was asked only to create")]
    Unconditional { url: String },
    /// The object store refused or failed.
    #[error("the lake did not answer for {subject}")]
    Store {
        subject: String,
        #[source]
        source: object_store::Error,
    },
    /// The table format's log is unreadable.
    #[error("table {table} can not be read")]
    Table {
        table: String,
        #[source]
        source: Box<DeltaTableError>,
    },
    /// There is no such version of a table.
    #[error(transparent)]
    NotThere(#[from] NotThere),
    /// A query failed.
    #[error("query failed")]
    Query(#[source] Box<DataFusionError>),
}

impl From<DataFusionError> for CatalogError {
    fn from(error: DataFusionError) -> Self {
        CatalogError::Query(Box::new(error))
    }
}
