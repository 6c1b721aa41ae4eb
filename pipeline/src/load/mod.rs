//! Record batches → Parquet files → one commit.
//!
//! Parquet is written in one place ([`TableWriter`]); committing is another ([`commit`]). `load` knows
//! tables, files and commits. It knows nothing of Coupa's API and nothing of mappings.

mod commit;
mod known;
mod merge;
mod write;

pub use commit::{Commit, Fence, commit, ensure_table};
pub use known::KnownVersions;
pub use merge::{Merge, Merged, merge};
pub use write::{TableWriter, WrittenFile, table_properties};

use arrow::error::ArrowError;
use deltalake::DeltaTableError;
use parquet::errors::ParquetError;

use crate::catalog::CatalogError;

/// What can go wrong on the way into a table. Each names the table.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Another run changed the table between our read of it and our commit.
    #[error("{table}: another run committed version {version} while this one was writing")]
    Conflict { table: String, version: u64 },
    /// Another run holds the connection's lease now, and has committed to this table.
    #[error("{table}: another run has taken over this connection")]
    Fenced { table: String },
    /// The table in the lake has columns that do not fit today's definition.
    #[error("{table}: column `{column}` is {found} in the lake and {wanted} in the definition")]
    Schema {
        table: String,
        column: String,
        found: String,
        wanted: String,
    },
    /// The commit failed and the table shows that it was not applied.
    #[error("{table}: the commit failed")]
    Commit {
        table: String,
        #[source]
        source: Box<DeltaTableError>,
    },
    /// A data file could not be written or read.
    #[error("{table}: a data file failed")]
    File {
        table: String,
        #[source]
        source: Box<ParquetError>,
    },
    /// Columns could not be brought into the table's form.
    #[error("{table}: a batch does not fit the table")]
    Batch {
        table: String,
        #[source]
        source: Box<ArrowError>,
    },
    /// The rows' source failed while they were being written.
    #[error("{table}: its rows could not be made")]
    Rows {
        table: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The lake could not be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}
