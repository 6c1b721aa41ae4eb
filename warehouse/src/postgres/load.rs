//! One load of one table: a short transaction in which the table comes to follow its definition, then the
//! one that changes rows and ledger together.

use std::pin::pin;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio_postgres::{Client, CopyInSink, Transaction};

use super::refusal::refused;
use super::{Found, copy, sql, table_exists};
use crate::evolve::evolve;
use crate::{
    ColumnType, LEDGER, Load, Normaliser, Nul, Outcome, Rows, Scope, TableDefinition, Version,
    WarehouseError,
};

/// Rows are sent in pieces of about this size.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that may wait for the server.
const AHEAD: usize = 4;
const STAGE: &str = "_spendlake_stage";
const GONE: &str = "_spendlake_gone";

pub(super) async fn load(
    client: &mut Client,
    schema: &str,
    table: &TableDefinition,
    load: &Load,
    rows: Rows<'_>,
) -> Result<Outcome, WarehouseError> {
    let wanted = table.types()?;
    let types = match table_exists(client, schema, &table.name).await? {
        true => Some(follow(client, schema, table).await?),
        false => None,
    };
    let transaction = client.transaction().await.map_err(refused)?;
    // Two loads of one table wait for each other here, before either reads the ledger.
    let lock = format!("spendlake/{schema}.{}", table.name);
    transaction
        .execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
            &[&lock],
        )
        .await
        .map_err(refused)?;
    if ledger(&transaction, schema, table, load).await? != load.from
        || table_exists(transaction.client(), schema, &table.name).await? != types.is_some()
    {
        return Ok(Outcome::Raced);
    }
    let work = Work {
        transaction: &transaction,
        schema,
        table,
        types: types.as_ref().unwrap_or(&wanted),
    };
    let is_new = types.is_none();
    let (row_count, nul_texts) = match &load.scope {
        Scope::Whole => work.replace_all(load, rows, is_new).await?,
        Scope::Changed { gone } => work.replace_changed(gone, rows, is_new).await?,
    };
    write_ledger(&transaction, schema, table, load, row_count).await?;
    transaction.commit().await.map_err(refused)?;
    Ok(Outcome::Loaded {
        rows: row_count,
        nul_texts,
    })
}

/// Brings a table's columns and comments up to its definition; returns the types that they have now.
///
/// In a transaction of its own: what it locks, readers wait for, and a load takes longer than this.
async fn follow(
    client: &mut Client,
    schema: &str,
    table: &TableDefinition,
) -> Result<Vec<ColumnType>, WarehouseError> {
    let found = Found::read(client, schema, &table.name).await?;
    let evolution = evolve(table, &found.columns, |a, b| a == b)?;
    let mut statements = sql::alter_table(schema, table, &evolution);
    statements.extend(sql::comments(schema, table, |name| found.comment(name)));
    if !statements.is_empty() {
        let transaction = client.transaction().await.map_err(refused)?;
        let all = statements.join(";\n");
        transaction.batch_execute(&all).await.map_err(refused)?;
        transaction.commit().await.map_err(refused)?;
    }
    Ok(evolution.types)
}

/// What the ledger holds, its row locked.
async fn ledger(
    transaction: &Transaction<'_>,
    schema: &str,
    table: &TableDefinition,
    load: &Load,
) -> Result<Option<Version>, WarehouseError> {
    // As everywhere, a ledger row counts only beside its table.
    if !table_exists(transaction.client(), schema, &table.name).await? {
        return Ok(None);
    }
    let query = format!(
        "SELECT lake_table, version FROM {} WHERE connection = $1 AND table_name = $2 FOR UPDATE",
        sql::qualified(schema, LEDGER)
    );
    let row = transaction
        .query_opt(&query, &[&load.connection, &table.name])
        .await
        .map_err(refused)?;
    Ok(row.map(|row| Version {
        table_id: row.get(0),
        number: row.get::<_, i64>(1) as u64,
    }))
}

async fn write_ledger(
    transaction: &Transaction<'_>,
    schema: &str,
    table: &TableDefinition,
    load: &Load,
    row_count: u64,
) -> Result<(), WarehouseError> {
    let statement = format!(
        "INSERT INTO {} (connection, table_name, lake_table, version, run_id, rows, loaded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, now()) \
         ON CONFLICT (connection, table_name) DO UPDATE SET lake_table = excluded.lake_table, \
         version = excluded.version, run_id = excluded.run_id, rows = excluded.rows, \
         loaded_at = excluded.loaded_at",
        sql::qualified(schema, LEDGER)
    );
    let (version, rows) = (load.to.number as i64, row_count as i64);
    transaction
        .execute(
            &statement,
            &[
                &load.connection,
                &table.name,
                &load.to.table_id,
                &version,
                &load.run_id,
                &rows,
            ],
        )
        .await
        .map_err(refused)?;
    Ok(())
}

/// What both kinds of load share.
struct Work<'a> {
    transaction: &'a Transaction<'a>,
    schema: &'a str,
    table: &'a TableDefinition,
    /// The types that the table's columns have.
    types: &'a [ColumnType],
}

impl Work<'_> {
    fn target(&self) -> String {
        sql::qualified(self.schema, &self.table.name)
    }

    async fn run(&self, statement: &str) -> Result<(), WarehouseError> {
        let done = self.transaction.batch_execute(statement).await;
        done.map_err(refused)
    }

    /// Rows go straight into the table. Where it is new, key and indexes come after them: built at once
    /// they cost a fraction of what they cost row by row.
    async fn replace_all(
        &self,
        load: &Load,
        rows: Rows<'_>,
        is_new: bool,
    ) -> Result<(u64, u64), WarehouseError> {
        if is_new {
            self.create().await?;
        } else if let Some(column) = &self.table.connection_column {
            let column = sql::quote(column);
            let statement = format!("DELETE FROM {} WHERE {column} = $1", self.target());
            let done = self
                .transaction
                .execute(&statement, &[&load.connection])
                .await;
            done.map_err(refused)?;
        } else {
            self.run(&format!("DELETE FROM {}", self.target())).await?;
        }
        // Nobody can see a new table before its commit, so its rows need no look-up of who wrote them.
        let options = if is_new { ", FREEZE" } else { "" };
        let counts = self.copy(&self.target(), options, rows).await?;
        if is_new {
            self.run("SET LOCAL maintenance_work_mem = '256MB'").await?;
            self.run(&sql::create_indexes(self.schema, self.table).join(";\n"))
                .await?;
        }
        Ok(counts)
    }

    /// Rows are staged; then those that share a parent or key with a staged one, or are gone, are replaced.
    async fn replace_changed(
        &self,
        gone: &[RecordBatch],
        rows: Rows<'_>,
        is_new: bool,
    ) -> Result<(u64, u64), WarehouseError> {
        if is_new {
            self.create().await?;
            self.run(&sql::create_indexes(self.schema, self.table).join(";\n"))
                .await?;
        }
        let groups = sql::list(&self.table.replace_by);
        let columns = sql::columns(self.table);
        let target = self.target();
        self.run(&format!(
            "CREATE TEMPORARY TABLE {STAGE} ON COMMIT DROP AS SELECT {columns} FROM {target} WITH NO DATA;\
             CREATE TEMPORARY TABLE {GONE} ON COMMIT DROP AS SELECT {groups} FROM {target} WITH NO DATA"
        ))
        .await?;
        let counts = self.copy(STAGE, "", rows).await?;
        if !gone.is_empty() {
            self.copy_gone(gone).await?;
        }
        let same = sql::equal(&self.table.replace_by, "old", "new");
        self.run(&format!(
            "ANALYZE {STAGE} ({groups}); ANALYZE {GONE};\
             DELETE FROM {target} AS old USING (SELECT {groups} FROM {STAGE} UNION SELECT {groups} FROM {GONE}) AS new \
             WHERE {same};\
             INSERT INTO {target} ({columns}) SELECT {columns} FROM {STAGE}"
        ))
        .await?;
        Ok(counts)
    }

    async fn create(&self) -> Result<(), WarehouseError> {
        let mut statements = vec![sql::create_table(self.schema, self.table, self.types)];
        statements.extend(sql::comments(self.schema, self.table, |_| None));
        self.run(&statements.join(";\n")).await
    }

    async fn copy(
        &self,
        into: &str,
        options: &str,
        rows: Rows<'_>,
    ) -> Result<(u64, u64), WarehouseError> {
        let columns = sql::columns(self.table);
        let sink = self.copy_in(into, &columns, options).await?;
        let mut normaliser = Normaliser::new(self.table, self.types, Nul::Replace);
        let (pieces, waiting) = tokio::sync::mpsc::channel(AHEAD);
        // Rows are encoded while the server takes in those before them.
        let encode = async {
            let mut rows = pin!(rows);
            let mut piece = copy::HEADER.to_vec();
            while let Some(batch) = rows.next().await {
                let batch = batch.map_err(|source| WarehouseError::Rows {
                    table: self.table.name.clone(),
                    source,
                })?;
                let batch = normaliser.batch(&batch)?;
                copy::encode(&self.table.name, &batch, self.types, &mut piece)?;
                if piece.len() >= PIECE_BYTES
                    && pieces.send(std::mem::take(&mut piece)).await.is_err()
                {
                    // The server has ended the copy; the other side says why.
                    break;
                }
            }
            piece.extend_from_slice(copy::TRAILER);
            // As above.
            let _ = pieces.send(piece).await;
            drop(pieces);
            Ok(())
        };
        let (_, rows) = futures::try_join!(encode, send(sink, waiting))?;
        Ok((rows, normaliser.nul_texts))
    }

    async fn copy_gone(&self, gone: &[RecordBatch]) -> Result<(), WarehouseError> {
        let position = |name: &String| {
            let columns = &self.table.columns;
            columns.iter().position(|column| column.name == *name)
        };
        let (columns, types): (Vec<_>, Vec<_>) = self
            .table
            .replace_by
            .iter()
            .filter_map(position)
            .map(|at| (self.table.columns[at].clone(), self.types[at]))
            .unzip();
        let groups = TableDefinition {
            columns,
            ..self.table.clone()
        };
        let mut sink = Box::pin(
            self.copy_in(GONE, &sql::list(&self.table.replace_by), "")
                .await?,
        );
        let mut normaliser = Normaliser::new(&groups, &types, Nul::Replace);
        let mut piece = copy::HEADER.to_vec();
        for batch in gone {
            let batch = normaliser.batch(batch)?;
            copy::encode(&self.table.name, &batch, &types, &mut piece)?;
            let full = Bytes::from(std::mem::take(&mut piece));
            sink.send(full).await.map_err(refused)?;
        }
        let end = Bytes::from_static(copy::TRAILER);
        sink.send(end).await.map_err(refused)?;
        sink.as_mut().finish().await.map_err(refused)?;
        Ok(())
    }

    async fn copy_in(
        &self,
        into: &str,
        columns: &str,
        options: &str,
    ) -> Result<CopyInSink<Bytes>, WarehouseError> {
        let statement = format!("COPY {into} ({columns}) FROM STDIN (FORMAT binary{options})");
        let sink = self.transaction.copy_in(&statement).await;
        sink.map_err(refused)
    }
}

async fn send(
    sink: CopyInSink<Bytes>,
    mut pieces: tokio::sync::mpsc::Receiver<Vec<u8>>,
) -> Result<u64, WarehouseError> {
    let mut sink = Box::pin(sink);
    while let Some(piece) = pieces.recv().await {
        sink.send(Bytes::from(piece)).await.map_err(refused)?;
    }
    sink.as_mut().finish().await.map_err(refused)
}
