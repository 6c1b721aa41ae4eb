//! PostgreSQL over its own protocol: rows go by binary COPY, everything else in the same transaction.

mod address;
mod copy;
mod load;
mod refusal;
mod sql;

use secrecy::SecretString;
use tokio_postgres::Client;

use self::refusal::refused;
use crate::evolve::FoundColumn;
use crate::{
    LEDGER, Load, Loaded, Outcome, Rows, Settings, TableDefinition, Version, WarehouseError,
};

/// A PostgreSQL database. A connection that breaks is opened again by the next call.
pub struct Postgres {
    uri: SecretString,
    schema: String,
    client: Option<Client>,
}

impl Postgres {
    /// Connects, and makes the schema and its ledger where they are not there.
    pub async fn connect(settings: &Settings) -> Result<Postgres, WarehouseError> {
        if settings.schema.is_empty() || settings.schema.len() > 63 {
            return Err(WarehouseError::address(
                "its schema is not a name of 1 to 63 bytes",
            ));
        }
        let mut postgres = Postgres {
            uri: settings.uri.clone(),
            schema: settings.schema.clone(),
            client: None,
        };
        postgres.prepare().await?;
        Ok(postgres)
    }

    async fn client(&mut self) -> Result<&mut Client, WarehouseError> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = Some(open(&self.uri).await?);
        }
        Ok(self.client.as_mut().expect("it was just opened"))
    }

    async fn prepare(&mut self) -> Result<(), WarehouseError> {
        let schema = self.schema.clone();
        let client = self.client().await?;
        // Asked first: to make what is there needs the right to make it.
        let there = client
            .query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[&schema])
            .await
            .map_err(refused)?;
        if there.is_none() {
            let create = format!("CREATE SCHEMA IF NOT EXISTS {}", sql::quote(&schema));
            client.batch_execute(&create).await.map_err(refused)?;
        }
        if !table_exists(client, &schema, LEDGER).await? {
            let create = sql::create_ledger(&schema);
            client.batch_execute(&create).await.map_err(refused)?;
        }
        // Tables made without the right to make them again, or to write, are found here and not half-way.
        let right = "SELECT has_schema_privilege(current_user, $1, 'CREATE'), \
                     has_database_privilege(current_user, current_database(), 'TEMPORARY')";
        let row = client.query_one(right, &[&schema]).await.map_err(refused)?;
        for (at, right) in [
            (0, "CREATE on the schema"),
            (1, "TEMPORARY on the database"),
        ] {
            if !row.get::<_, bool>(at) {
                return Err(refusal::missing_right(right));
            }
        }
        Ok(())
    }

    pub(crate) async fn loaded(
        &mut self,
        connection: &str,
        table: &str,
    ) -> Result<Option<Loaded>, WarehouseError> {
        let schema = self.schema.clone();
        let client = self.client().await?;
        // A table that somebody dropped is loaded anew, whatever the ledger says.
        if !table_exists(client, &schema, table).await? {
            return Ok(None);
        }
        let query = format!(
            "SELECT lake_table, version, run_id, rows FROM {} \
             WHERE connection = $1 AND table_name = $2",
            sql::qualified(&schema, LEDGER)
        );
        let row = client
            .query_opt(&query, &[&connection, &table])
            .await
            .map_err(refused)?;
        Ok(row.map(|row| Loaded {
            version: Version {
                table_id: row.get(0),
                number: row.get::<_, i64>(1) as u64,
            },
            run_id: row.get(2),
            rows: row.get::<_, i64>(3) as u64,
        }))
    }

    pub(crate) async fn load(
        &mut self,
        table: &TableDefinition,
        load: &Load,
        rows: Rows<'_>,
    ) -> Result<Outcome, WarehouseError> {
        let schema = self.schema.clone();
        let client = self.client().await?;
        let error = match load::load(client, &schema, table, load, rows).await {
            Ok(outcome) => return Ok(outcome),
            Err(error) => error,
        };
        // Whatever state the connection is in, the next call begins with a fresh one.
        self.client = None;
        if !matches!(error, WarehouseError::Connection { .. }) {
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
}

async fn open(uri: &SecretString) -> Result<Client, WarehouseError> {
    let address = address::read(uri)?;
    let (client, connection) = address.config.connect(address.tls).await.map_err(refused)?;
    // Ends with its client, whose calls report what goes wrong here.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!("the connection to the warehouse ended: {error}");
        }
    });
    let settings = "SET client_min_messages = warning; SET datestyle = 'ISO'; SET timezone = 'UTC'; \
                    SET standard_conforming_strings = on; SET lock_timeout = '120s'; \
                    SET idle_in_transaction_session_timeout = 0";
    client.batch_execute(settings).await.map_err(refused)?;
    Ok(client)
}

async fn table_exists(client: &Client, schema: &str, table: &str) -> Result<bool, WarehouseError> {
    let query = "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";
    let found = client.query_opt(query, &[&schema, &table]).await;
    Ok(found.map_err(refused)?.is_some())
}

/// A table as it is: its columns, and its comments (the table's own under `None`).
struct Found {
    columns: Vec<FoundColumn>,
    comments: Vec<(Option<String>, Option<String>)>,
}

impl Found {
    async fn read(client: &Client, schema: &str, table: &str) -> Result<Found, WarehouseError> {
        let query = "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, \
                     col_description(c.oid, a.attnum), obj_description(c.oid, 'pg_class') \
                     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
                     JOIN pg_namespace n ON n.oid = c.relnamespace \
                     WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped \
                     ORDER BY a.attnum";
        let rows = client
            .query(query, &[&schema, &table])
            .await
            .map_err(refused)?;
        let mut found = Found {
            columns: Vec::with_capacity(rows.len()),
            comments: Vec::with_capacity(rows.len() + 1),
        };
        for row in &rows {
            let (name, type_name): (String, String) = (row.get(0), row.get(1));
            found.comments.push((Some(name.clone()), row.get(3)));
            found.columns.push(FoundColumn {
                name,
                column_type: sql::read_type(&type_name),
                type_name,
                not_null: row.get(2),
            });
        }
        let own = rows.first().and_then(|row| row.get(4));
        found.comments.push((None, own));
        Ok(found)
    }

    fn comment(&self, name: Option<&str>) -> Option<String> {
        let found = self.comments.iter().find(|(of, _)| of.as_deref() == name);
        found.and_then(|(_, comment)| comment.clone())
    }
}
