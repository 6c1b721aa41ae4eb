//! One connection through a driver: statements, small results, bulk ingest.

use std::path::{Path, PathBuf};

use adbc_core::error::{Error, Status};
use adbc_core::options::{
    AdbcVersion, IngestMode, OptionConnection, OptionDatabase, OptionStatement, OptionValue,
};
use adbc_core::{Connection, Database, Driver, LOAD_FLAG_DEFAULT, Optionable, Statement};
use adbc_driver_manager::{ManagedConnection, ManagedDriver};
use arrow::array::{Array, AsArray, RecordBatchReader};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use secrecy::{ExposeSecret, SecretString};

use super::dialect::{Dialect, UriForm};
use crate::evolve::FoundColumn;
use crate::{Kind, WarehouseError};

/// An open connection.
pub(super) struct Session {
    connection: ManagedConnection,
    in_transaction: bool,
    /// What must not be seen in a driver's message.
    secrets: Secrets,
}

/// A row of a small result, as text.
type Row = Vec<Option<String>>;

impl Session {
    /// Loads the driver that the uri names, or the dialect's own, and connects.
    pub fn open(dialect: &Dialect, uri: &SecretString) -> Result<Session, WarehouseError> {
        let address = Address::read(dialect, uri)?;
        if let Some(path) = &address.file
            && !path.exists()
        {
            make_file(dialect, &address, path, uri)?;
        }
        Session::at(dialect, address, uri)
    }

    fn at(
        dialect: &Dialect,
        address: Address,
        uri: &SecretString,
    ) -> Result<Session, WarehouseError> {
        let secrets = Secrets::of(uri);
        let mut driver = ManagedDriver::load_from_name(
            &address.driver,
            dialect.entrypoint,
            AdbcVersion::V110,
            LOAD_FLAG_DEFAULT,
            None,
        )
        .map_err(|error| WarehouseError::Refused {
            code: "driver".to_string(),
            message: secrets.hide(first_line(&error.message)),
            kind: Kind::Invalid,
            hint: Some(format!(
                "install the ADBC driver for {}, or name its library in the uri: …?driver=/path/lib….so",
                dialect.name
            )),
        })?;
        let refused = |error: Error| secrets.refused(error);
        let database = driver
            .new_database_with_opts(address.options)
            .map_err(refused)?;
        let connection = database.new_connection().map_err(refused)?;
        let mut session = Session {
            connection,
            in_transaction: false,
            secrets,
        };
        if matches!(dialect.name, "duckdb" | "postgresql") {
            session.run("SET timezone = 'UTC'")?;
        }
        Ok(session)
    }

    /// Statements from here on stand or fall together.
    pub fn begin(&mut self) -> Result<(), WarehouseError> {
        self.set_autocommit(false)?;
        self.in_transaction = true;
        Ok(())
    }

    pub fn commit(&mut self) -> Result<(), WarehouseError> {
        if std::mem::take(&mut self.in_transaction) {
            self.connection
                .commit()
                .map_err(|error| self.secrets.refused(error))?;
            self.set_autocommit(true)?;
        }
        Ok(())
    }

    /// Leaves the transaction; whatever keeps it from that ends the connection, and the transaction with it.
    pub fn roll_back(&mut self) {
        if std::mem::take(&mut self.in_transaction) {
            let done = self.connection.rollback();
            if done.is_err() || self.set_autocommit(true).is_err() {
                tracing::debug!("the warehouse's transaction ends with its connection");
            }
        }
    }

    fn set_autocommit(&mut self, on: bool) -> Result<(), WarehouseError> {
        self.connection
            .set_option(OptionConnection::AutoCommit, OptionValue::from(on))
            .map_err(|error| self.secrets.refused(error))
    }

    /// Runs a statement for what it does.
    pub fn run(&mut self, sql: &str) -> Result<(), WarehouseError> {
        let mut run = || {
            let mut statement = self.connection.new_statement()?;
            statement.set_sql_query(sql)?;
            statement.execute_update()?;
            Ok(())
        };
        run().map_err(|error| self.secrets.refused(error))
    }

    /// Runs a query for a few rows.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Row>, WarehouseError> {
        let mut run = || {
            let mut statement = self.connection.new_statement()?;
            statement.set_sql_query(sql)?;
            let mut rows: Vec<Row> = Vec::new();
            for batch in statement.execute()? {
                let batch = batch?;
                let columns = batch
                    .columns()
                    .iter()
                    .map(|column| cast(column, &DataType::Utf8))
                    .collect::<Result<Vec<_>, _>>()?;
                for row in 0..batch.num_rows() {
                    let values = columns.iter().map(|column| {
                        let texts = column.as_string::<i32>();
                        texts.is_valid(row).then(|| texts.value(row).to_string())
                    });
                    rows.push(values.collect());
                }
            }
            Ok(rows)
        };
        run().map_err(|error| self.secrets.refused(error))
    }

    pub fn schema_exists(
        &mut self,
        dialect: &Dialect,
        schema: &str,
    ) -> Result<bool, WarehouseError> {
        if dialect.name == "bigquery" {
            // A dataset is made by IF NOT EXISTS alone, which asks for no more than to look.
            return Ok(false);
        }
        let query = format!(
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name = {}",
            dialect.literal(schema)
        );
        Ok(!self.query(&query)?.is_empty())
    }

    /// A table's columns; none when it is not there.
    pub fn columns(
        &mut self,
        dialect: &Dialect,
        schema: &str,
        table: &str,
    ) -> Result<Vec<FoundColumn>, WarehouseError> {
        let rows = self.query(&dialect.columns_query(schema, table))?;
        let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
        let columns = rows.iter().filter_map(|row| match row.as_slice() {
            [Some(name), Some(type_name), precision, scale, nullable] => Some(FoundColumn {
                name: name.clone(),
                column_type: dialect.read_type(type_name, number(precision), number(scale)),
                type_name: type_name.clone(),
                not_null: nullable.as_deref().is_some_and(|word| word == "NO"),
            }),
            _ => None,
        });
        Ok(columns.collect())
    }

    /// Appends rows to a table that is there.
    pub fn ingest(
        &mut self,
        schema: &str,
        table: &str,
        rows: Box<dyn RecordBatchReader + Send>,
    ) -> Result<(), WarehouseError> {
        let run = || {
            let mut statement = self.connection.new_statement()?;
            statement.set_option(OptionStatement::IngestMode, IngestMode::Append.into())?;
            statement.set_option(OptionStatement::TargetDbSchema, schema.into())?;
            statement.set_option(OptionStatement::TargetTable, table.into())?;
            statement.bind_stream(rows)?;
            statement.execute_update()?;
            Ok(())
        };
        run().map_err(|error| self.secrets.refused(error))
    }
}

/// Makes a database file under another name first: one that is half made is no database, and would be in the
/// way for ever.
fn make_file(
    dialect: &Dialect,
    address: &Address,
    path: &Path,
    uri: &SecretString,
) -> Result<(), WarehouseError> {
    let failed = |error: std::io::Error| {
        WarehouseError::address(format!("its file can not be made, {error}"))
    };
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    if new.exists() {
        std::fs::remove_file(&new).map_err(failed)?;
    }
    let at_new = Address {
        options: address
            .options
            .iter()
            .map(|(key, value)| match (&dialect.uri, key) {
                (UriForm::Path(file), OptionDatabase::Other(key)) if key == file => (
                    OptionDatabase::Other(key.clone()),
                    OptionValue::String(new.to_string_lossy().into_owned()),
                ),
                _ => (key.clone(), value.clone()),
            })
            .collect(),
        driver: address.driver.clone(),
        file: Some(new.clone()),
    };
    drop(Session::at(dialect, at_new, uri)?);
    std::fs::rename(&new, path).map_err(failed)
}

/// What a driver is given.
struct Address {
    driver: String,
    /// Of a warehouse that is a file.
    file: Option<PathBuf>,
    options: Vec<(OptionDatabase, OptionValue)>,
}

impl Address {
    /// Takes from the uri's query what is not the warehouse's: `driver`, and options of the driver's own, whose
    /// names have a point in them.
    fn read(dialect: &Dialect, uri: &SecretString) -> Result<Address, WarehouseError> {
        let text = uri.expose_secret();
        let text = text.strip_prefix("adbc+").unwrap_or(text);
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let mut driver = dialect.driver.to_string();
        let mut options = Vec::new();
        let mut kept = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let found = url::form_urlencoded::parse(pair.as_bytes()).next();
            let (key, value) = found.unwrap_or_default();
            match key.as_ref() {
                "driver" => driver = value.into_owned(),
                key if key.contains('.') => {
                    options.push((OptionDatabase::from(key), value.as_ref().into()));
                }
                _ => kept.push(pair),
            }
        }
        let (_, after_scheme) = place.split_once("://").ok_or_else(|| {
            WarehouseError::address(format!("{} is not followed by ://", dialect.name))
        })?;
        let with_query = |place: &str| match kept.is_empty() {
            true => place.to_string(),
            false => format!("{place}?{}", kept.join("&")),
        };
        let (key, value) = match dialect.uri {
            UriForm::Whole => (OptionDatabase::Uri, with_query(place)),
            UriForm::WithoutScheme => (OptionDatabase::Uri, with_query(after_scheme)),
            UriForm::Path(key) => (
                OptionDatabase::Other(key.to_string()),
                after_scheme.to_string(),
            ),
        };
        let file = matches!(dialect.uri, UriForm::Path(_)).then(|| PathBuf::from(&value));
        options.push((key, value.into()));
        Ok(Address {
            driver,
            file,
            options,
        })
    }
}

/// The parts of a uri that a message must not repeat.
struct Secrets(Vec<String>);

impl Secrets {
    fn of(uri: &SecretString) -> Secrets {
        let text = uri.expose_secret();
        let mut found = vec![text.to_string()];
        let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
        if let Some((user, _)) = after_scheme.rsplit_once('@')
            && let Some((_, password)) = user.split_once(':')
        {
            found.push(user.to_string());
            found.push(password.to_string());
        }
        if let Some((_, query)) = text.split_once('?') {
            for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
                if key != "driver" {
                    found.push(value.into_owned());
                }
            }
        }
        // Shorter ones would blot out half of any message.
        found.retain(|secret| secret.len() > 3);
        Secrets(found)
    }

    fn hide(&self, message: &str) -> String {
        let secrets = self.0.iter();
        secrets.fold(message.to_string(), |text, secret| {
            text.replace(secret, "…")
        })
    }

    /// A driver's error with its kind and a remedy. Of its message the first line: those below quote rows.
    fn refused(&self, error: Error) -> WarehouseError {
        let message = self.hide(first_line(&error.message));
        let state: String = error
            .sqlstate
            .iter()
            .map(|c| *c as u8 as char)
            .filter(char::is_ascii_alphanumeric)
            .collect();
        // DuckDB's word for a file that another process has open, and for a disk that fails.
        let busy = message.starts_with("IO Error");
        let lost = busy || state.starts_with("08") || state.starts_with("57P");
        if lost
            || matches!(
                error.status,
                Status::IO | Status::Timeout | Status::Cancelled
            )
        {
            return WarehouseError::connection(message);
        }
        let passing = ["40001", "40P01", "55P03", "53300"].contains(&state.as_str());
        let (kind, hint) = match error.status {
            _ if passing => (Kind::Unavailable, None),
            Status::Unauthenticated | Status::Unauthorized => (
                Kind::Invalid,
                Some("mend user, password or rights of the warehouse's uri"),
            ),
            // How drivers answer to an address that leads nowhere, or a file that is not theirs.
            Status::InvalidArguments | Status::NotFound | Status::NotImplemented => {
                (Kind::Invalid, None)
            }
            _ => (Kind::Internal, None),
        };
        WarehouseError::Refused {
            code: match state.is_empty() || state == "00000" {
                true => format!("{:?}", error.status),
                false => state,
            },
            message,
            kind,
            hint: hint.map(str::to_string),
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Nothing is lost by closing: a transaction that was not committed ends with its connection.
impl Drop for Session {
    fn drop(&mut self) {
        self.roll_back();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(name: &str, uri: &str) -> (String, HashMap<String, String>) {
        let dialect = Dialect::of(name).expect("a dialect");
        let address = Address::read(dialect, &SecretString::from(uri)).expect("a good uri");
        let text = |value: OptionValue| match value {
            OptionValue::String(text) => text,
            other => format!("{other:?}"),
        };
        let options = address.options.into_iter();
        (
            address.driver,
            options
                .map(|(key, value)| (key.as_ref().to_string(), text(value)))
                .collect(),
        )
    }

    #[test]
    fn a_uri_tells_the_driver_and_its_options() {
        let (driver, options) = read("duckdb", "duckdb:///data/file.db?driver=/lib/libduckdb.so");
        assert_eq!(driver, "/lib/libduckdb.so");
        assert_eq!(options["path"], "/data/file.db");

        let (driver, options) = read(
            "snowflake",
            "snowflake://user:word@account/db/schema?warehouse=W&adbc.snowflake.sql.role=R",
        );
        assert_eq!(driver, "adbc_driver_snowflake");
        assert_eq!(options["uri"], "user:word@account/db/schema?warehouse=W");
        assert_eq!(options["adbc.snowflake.sql.role"], "R");

        let (_, options) = read("postgresql", "adbc+postgresql://u:p@h/d?sslmode=require");
        assert_eq!(options["uri"], "postgresql://u:p@h/d?sslmode=require");
    }

    #[test]
    fn messages_do_not_repeat_what_is_secret() {
        let uri = SecretString::from("snowflake://user:hunter2@account/db?token=abcdef");
        let hidden =
            Secrets::of(&uri).hide("no login for user:hunter2@account with abcdef, hunter2");
        assert!(
            !hidden.contains("hunter2") && !hidden.contains("abcdef"),
            "{hidden}"
        );
    }
}
