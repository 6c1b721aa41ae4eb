//! Warehouses through drivers of the ADBC standard: tables by statements of our own, rows by bulk ingest into
//! a staging table, then the dialect's merge.
//!
//! A driver's calls block, so each load works on a thread of its own; rows reach it through a short queue.

pub mod dialect;
mod session;
pub mod sql;

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use futures::StreamExt;
use secrecy::SecretString;
use tokio::sync::mpsc;

use self::dialect::{Change, Dialect, UriForm};
use self::session::Session;
use self::sql::{Names, Statements};
use crate::evolve::evolve;
use crate::{
    ColumnType, Load, Loaded, Normaliser, Outcome, Rows, Scope, Settings, TableDefinition, Version,
    WarehouseError,
};

/// Batches that may wait for the driver.
const AHEAD: usize = 2;

/// A warehouse behind a driver. A connection that breaks is opened again by the next call.
pub struct Adbc {
    place: Arc<Place>,
    session: Option<Session>,
}

/// Where the tables are, and how to speak there.
struct Place {
    uri: SecretString,
    schema: String,
    dialect: &'static Dialect,
}

impl Adbc {
    /// Loads the driver, connects, and makes the schema and its ledger where they are not there.
    pub async fn connect(settings: &Settings, name: &str) -> Result<Adbc, WarehouseError> {
        let dialect = Dialect::of(name).ok_or_else(|| {
            WarehouseError::address(format!(
                "there is no warehouse `{name}`: known are postgresql, duckdb, snowflake, bigquery, redshift, \
                 databricks"
            ))
        })?;
        let place = Place {
            uri: settings.uri.clone(),
            schema: settings.schema.clone(),
            dialect,
        };
        let mut adbc = Adbc {
            place: Arc::new(place),
            session: None,
        };
        adbc.on_thread(|place, session| {
            let empty = empty_table("");
            let names = place.names();
            let statements = place.statements(&names, &empty, &[]);
            if !session.schema_exists(place.dialect, &place.schema)? {
                session.run(&statements.create_schema())?;
            }
            session.run(&statements.create_ledger())
        })
        .await?;
        Ok(adbc)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.place.dialect.name
    }

    pub(crate) async fn loaded(
        &mut self,
        connection: &str,
        table: &str,
    ) -> Result<Option<Loaded>, WarehouseError> {
        let (connection, table) = (connection.to_string(), empty_table(table));
        self.on_thread(move |place, session| ledger(place, session, &connection, &table))
            .await
    }

    pub(crate) async fn load(
        &mut self,
        table: &TableDefinition,
        load: &Load,
        rows: Rows<'_>,
    ) -> Result<Outcome, WarehouseError> {
        let (sender, receiver) = mpsc::channel::<Result<RecordBatch, WarehouseError>>(AHEAD);
        let (table_of_load, of_load) = (table.clone(), load.clone());
        let work = self.on_thread(move |place, session| {
            let done = load_on(place, session, &table_of_load, &of_load, receiver);
            if done.is_err() {
                session.roll_back();
            }
            done
        });
        let mut rows = rows;
        let feed = async {
            while let Some(batch) = rows.next().await {
                let batch = batch.map_err(|source| WarehouseError::Rows {
                    table: table.name.clone(),
                    source,
                });
                let failed = batch.is_err();
                // A receiver that is gone has its own account of why.
                if sender.send(batch).await.is_err() || failed {
                    break;
                }
            }
            drop(sender);
        };
        let (done, ()) = tokio::join!(work, feed);
        let error = match done {
            Ok(outcome) => return Ok(outcome),
            Err(error) => error,
        };
        // Whatever state the connection is in, the next call begins with a fresh one.
        self.session = None;
        if !matches!(
            error,
            WarehouseError::Connection { .. } | WarehouseError::Refused { .. }
        ) {
            return Err(error);
        }
        // The answer was lost, not necessarily the work: the ledger tells.
        match self.loaded(&load.connection, &table.name).await {
            Ok(Some(loaded)) if loaded.version == load.to && loaded.run_id == load.run_id => {
                Ok(Outcome::Loaded {
                    rows: loaded.rows,
                    nul_texts: 0,
                })
            }
            _ => Err(error),
        }
    }

    /// Runs blocking work with an open session.
    async fn on_thread<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Place, &mut Session) -> Result<T, WarehouseError> + Send + 'static,
    ) -> Result<T, WarehouseError> {
        let place = self.place.clone();
        let session = self.session.take();
        let joined = tokio::task::spawn_blocking(move || {
            let mut session = match session {
                Some(session) => session,
                None => Session::open(place.dialect, &place.uri)?,
            };
            let value = work(&place, &mut session)?;
            // A file has one owner: it is left to others whenever nothing is done with it.
            let keep = !matches!(place.dialect.uri, UriForm::Path(_));
            Ok((value, keep.then_some(session)))
        })
        .await;
        match joined {
            Ok(Ok((value, session))) => {
                self.session = session;
                Ok(value)
            }
            Ok(Err(error)) => Err(error),
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

impl Place {
    /// Names of this load alone: another that is still at work must not find its rows mixed with ours.
    fn names(&self) -> Names {
        let unique = uuid::Uuid::now_v7().simple().to_string();
        Names {
            schema: self.schema.clone(),
            stage: format!("_spendlake_stage_{unique}"),
            gone: format!("_spendlake_gone_{unique}"),
        }
    }

    fn statements<'a>(
        &'a self,
        names: &'a Names,
        table: &'a TableDefinition,
        types: &'a [ColumnType],
    ) -> Statements<'a> {
        Statements {
            dialect: self.dialect,
            names,
            table,
            types,
        }
    }
}

/// A table of which nothing but the name is asked.
fn empty_table(name: &str) -> TableDefinition {
    TableDefinition {
        name: name.to_string(),
        doc: String::new(),
        columns: Vec::new(),
        key: Vec::new(),
        replace_by: Vec::new(),
        connection_column: None,
        indexes: Vec::new(),
    }
}

/// The ledger's row, which counts only beside its table.
fn ledger(
    place: &Place,
    session: &mut Session,
    connection: &str,
    table: &TableDefinition,
) -> Result<Option<Loaded>, WarehouseError> {
    if session
        .columns(place.dialect, &place.schema, &table.name)?
        .is_empty()
    {
        return Ok(None);
    }
    let names = place.names();
    let query = place.statements(&names, table, &[]).read_ledger(connection);
    let found = session.query(&query)?.into_iter().next();
    Ok(found.and_then(|row| match row.as_slice() {
        [Some(table_id), Some(number), Some(run_id), Some(rows)] => Some(Loaded {
            version: Version {
                table_id: table_id.clone(),
                number: number.parse().ok()?,
            },
            run_id: run_id.clone(),
            rows: rows.parse().ok()?,
        }),
        _ => None,
    }))
}

fn load_on(
    place: &Place,
    session: &mut Session,
    table: &TableDefinition,
    load: &Load,
    rows: mpsc::Receiver<Result<RecordBatch, WarehouseError>>,
) -> Result<Outcome, WarehouseError> {
    let dialect = place.dialect;
    let names = place.names();
    let types = follow(place, session, &names, table)?;
    let statements = place.statements(&names, table, &types);
    let begins = dialect.change == Change::Transaction;
    if begins {
        session.begin()?;
        if let Some(lock) = (dialect.lock)(&statements.ledger()) {
            session.run(&lock)?;
        }
    }
    let held = ledger(place, session, &load.connection, table)?;
    if held.map(|loaded| loaded.version) != load.from {
        session.roll_back();
        return Ok(Outcome::Raced);
    }
    for statement in statements.create_stages() {
        session.run(&statement)?;
    }
    let normaliser = Normaliser::new(table, &types, dialect.nul);
    let reader = Reader {
        schema: normaliser.schema(),
        feed: Arc::new(Mutex::new(Feed {
            normaliser,
            rows,
            row_count: 0,
            failed: None,
        })),
    };
    let feed = reader.feed.clone();
    let sent = session.ingest(&place.schema, &names.stage, Box::new(reader));
    let mut feed = feed.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = feed.failed.take() {
        return Err(error);
    }
    sent?;
    let (row_count, nul_texts) = (feed.row_count, feed.normaliser.nul_texts);
    drop(feed);
    if let Scope::Changed { gone } = &load.scope
        && !gone.is_empty()
    {
        ingest_gone(place, session, &names, table, &types, gone)?;
    }
    if dialect.change == Change::RowsOnly {
        session.begin()?;
        let held = ledger(place, session, &load.connection, table)?;
        if held.map(|loaded| loaded.version) != load.from {
            session.roll_back();
            return Ok(Outcome::Raced);
        }
    }
    for statement in statements.change(load, row_count) {
        session.run(&statement)?;
    }
    if begins {
        for statement in statements.drop_stages() {
            session.run(&statement)?;
        }
    }
    session.commit()?;
    if !begins {
        for statement in statements.drop_stages() {
            session.run(&statement)?;
        }
    }
    Ok(Outcome::Loaded {
        rows: row_count,
        nul_texts,
    })
}

/// Makes the table, or brings it up to its definition; returns the types that its columns have then.
fn follow(
    place: &Place,
    session: &mut Session,
    names: &Names,
    table: &TableDefinition,
) -> Result<Vec<ColumnType>, WarehouseError> {
    let dialect = place.dialect;
    let wanted = table.types()?;
    let found = session.columns(dialect, &place.schema, &table.name)?;
    if found.is_empty() {
        for statement in place.statements(names, table, &wanted).create_table() {
            session.run(&statement)?;
        }
        return Ok(wanted);
    }
    let same = |a: &ColumnType, b: &ColumnType| dialect.type_name(a) == dialect.type_name(b);
    let evolution = evolve(table, &found, same)?;
    let statements = place.statements(names, table, &evolution.types);
    for statement in statements.alter_table(&evolution) {
        session.run(&statement)?;
    }
    if !evolution.changes.is_empty() {
        for statement in statements.comments() {
            session.run(&statement)?;
        }
    }
    Ok(evolution.types)
}

fn ingest_gone(
    place: &Place,
    session: &mut Session,
    names: &Names,
    table: &TableDefinition,
    types: &[ColumnType],
    gone: &[RecordBatch],
) -> Result<(), WarehouseError> {
    let columns = table.columns.iter().zip(types);
    let (columns, types): (Vec<_>, Vec<_>) = columns
        .filter(|(column, _)| table.replace_by.contains(&column.name))
        .map(|(column, of)| (column.clone(), *of))
        .unzip();
    let groups = TableDefinition {
        columns,
        ..table.clone()
    };
    let mut normaliser = Normaliser::new(&groups, &types, place.dialect.nul);
    let batches = gone
        .iter()
        .map(|batch| normaliser.batch(batch))
        .collect::<Result<Vec<_>, _>>()?;
    let schema = normaliser.schema();
    let batches = RecordBatchIterator::new(batches.into_iter().map(Ok), schema);
    session.ingest(&place.schema, &names.gone, Box::new(batches))
}

/// Batches from the queue in the warehouse's form, as a driver reads them.
struct Reader {
    schema: SchemaRef,
    feed: Arc<Mutex<Feed>>,
}

/// The driver owns its reader; what it came to is kept here.
struct Feed {
    normaliser: Normaliser,
    rows: mpsc::Receiver<Result<RecordBatch, WarehouseError>>,
    row_count: u64,
    /// What went wrong, in our own words: drivers tell it in theirs, if at all.
    failed: Option<WarehouseError>,
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = feed.rows.blocking_recv()?;
        match batch.and_then(|batch| feed.normaliser.batch(&batch)) {
            Ok(batch) => {
                feed.row_count += batch.num_rows() as u64;
                Some(Ok(batch))
            }
            Err(error) => {
                let text = error.to_string();
                feed.failed = Some(error);
                Some(Err(ArrowError::ExternalError(text.into())))
            }
        }
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
