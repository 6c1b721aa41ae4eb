//! SQL warehouses as destinations: changed rows of a lake's tables are staged, merged and recorded in one
//! transaction.
//!
//! What this crate is given is a [`TableDefinition`] and a stream of Arrow batches; it knows nothing of
//! Coupa, of mappings or of how the lake keeps its tables. What it keeps is one ledger row for each
//! connection and table, [`Loaded`], written in the transaction that changes the rows: a load that is
//! repeated or interrupted changes nothing, and a reader sees the table before or after.

pub mod adbc;
mod column;
mod error;
mod evolve;
mod json;
mod normal;
pub mod postgres;
mod table;
mod uri;

use std::pin::Pin;

use arrow::array::RecordBatch;
use futures::Stream;
use secrecy::SecretString;

pub use column::ColumnType;
pub use error::{Kind, WarehouseError};
pub use normal::{Normaliser, Nul};
pub use table::{ColumnDefinition, TableDefinition};
pub use uri::Scheme;

/// The ledger's table, beside those that it speaks of.
pub const LEDGER: &str = "_spendlake_loads";

/// Rows on their way to the warehouse: the table's columns by name, in any order.
pub type Rows<'a> = Pin<
    Box<
        dyn Stream<Item = Result<RecordBatch, Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + 'a,
    >,
>;

/// Where the tables go, as the job says it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `postgresql://user:password@host/database`, `duckdb:///path/file.db`, …
    pub uri: SecretString,
    /// The schema (dataset, database) that holds the tables; made when it is not there.
    pub schema: String,
}

/// One version of one table of a lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Names the table for as long as it lives; a table that was made anew has another.
    pub table_id: String,
    pub number: u64,
}

/// The ledger's row of one connection and table: what the warehouse holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub version: Version,
    pub run_id: String,
    /// Rows that the last load brought.
    pub rows: u64,
}

/// One load of one table.
#[derive(Clone, Debug)]
pub struct Load {
    /// Whose rows these are; the ledger keeps a row for each connection and table.
    pub connection: String,
    /// What the ledger held when the load was planned.
    pub from: Option<Version>,
    /// What the warehouse holds afterwards.
    pub to: Version,
    pub run_id: String,
    pub scope: Scope,
}

/// What a load replaces.
#[derive(Clone, Debug)]
pub enum Scope {
    /// Every row of the connection, or of the table where it has no column of connections.
    Whole,
    /// The rows that share [`TableDefinition::replace_by`] with those that come, and those of `gone`:
    /// batches of the columns of `replace_by`.
    Changed { gone: Vec<RecordBatch> },
}

/// How a load ended, when it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Loaded {
        rows: u64,
        /// Texts in which a NUL character, which the warehouse refuses, became U+FFFD.
        nul_texts: u64,
    },
    /// The ledger has moved on since the load was planned; nothing was changed. Plan anew.
    Raced,
}

/// An open warehouse.
pub enum Warehouse {
    Postgres(postgres::Postgres),
    Adbc(adbc::Adbc),
}

impl Warehouse {
    /// Connects, and finds out whether the tables can be written there.
    ///
    /// Errors: [`Kind::Invalid`] for an address, a password or rights that do not do,
    /// [`Kind::Unavailable`] when nobody answers.
    pub async fn connect(settings: &Settings) -> Result<Warehouse, WarehouseError> {
        match uri::scheme(&settings.uri)? {
            Scheme::Postgres => postgres::Postgres::connect(settings)
                .await
                .map(Warehouse::Postgres),
            Scheme::Adbc(name) => adbc::Adbc::connect(settings, &name)
                .await
                .map(Warehouse::Adbc),
        }
    }

    /// The kind of warehouse, for messages and summaries.
    pub fn name(&self) -> &str {
        match self {
            Warehouse::Postgres(_) => "postgresql",
            Warehouse::Adbc(one) => one.name(),
        }
    }

    /// What the ledger says of a table; `None` when it, or the table itself, is not there.
    pub async fn loaded(
        &mut self,
        connection: &str,
        table: &str,
    ) -> Result<Option<Loaded>, WarehouseError> {
        match self {
            Warehouse::Postgres(one) => one.loaded(connection, table).await,
            Warehouse::Adbc(one) => one.loaded(connection, table).await,
        }
    }

    /// Brings `rows` into the table and the ledger to `load.to`, in one transaction.
    ///
    /// The table is made, or follows its definition, before. When the answer to the commit is lost, the
    /// ledger is read again, and tells.
    /// Errors: nothing has changed, but perhaps the table's columns; the same call may be made again.
    pub async fn load(
        &mut self,
        table: &TableDefinition,
        load: &Load,
        rows: Rows<'_>,
    ) -> Result<Outcome, WarehouseError> {
        match self {
            Warehouse::Postgres(one) => one.load(table, load, rows).await,
            Warehouse::Adbc(one) => one.load(table, load, rows).await,
        }
    }
}
