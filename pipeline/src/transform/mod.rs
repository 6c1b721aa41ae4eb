//! SQL mappings: raw record batches of a source → rows that fit a contract exactly.
//!
//! `transform` plans and runs queries over committed files. It knows definitions and sessions; it
//! writes nothing and knows nothing of HTTP.

mod contract;
mod holds;
mod order;
mod plan;
mod rows;
mod source;

pub use contract::{MONTH_COLUMN, table_schema};
pub use holds::broken;
pub use order::refresh_order;
pub use plan::check_mappings;
pub use rows::{Feed, map, triggered_ids};
pub use source::{Changes, Layers, ids_in, last_known, log_schema};

use datafusion::error::DataFusionError;

use crate::catalog::CatalogError;

/// What is wrong with a mapping, or went wrong in it. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    /// The query does not plan against the declared columns.
    #[error("mapping {mapping} can not be planned")]
    Plan {
        mapping: String,
        #[source]
        source: Box<DataFusionError>,
    },
    /// The query's columns are not the contract's.
    #[error("mapping {mapping}: {problem}")]
    Contract { mapping: String, problem: String },
    /// Tables that wait for each other.
    #[error("mappings read each other's tables in a circle: {0}")]
    Circle(String),
    /// The query failed on the data.
    #[error("mapping {mapping} failed")]
    Run {
        mapping: String,
        #[source]
        source: Box<DataFusionError>,
    },
    /// A table that it reads could not be opened.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}
