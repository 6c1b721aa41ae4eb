//! The warehouses under test, and a way to look into them that is not the one under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use adbc_core::options::{AdbcVersion, OptionDatabase};
use adbc_core::{Connection, Database, Driver, Statement};
use adbc_driver_manager::{ManagedDatabase, ManagedDriver};
use arrow::array::{Array, AsArray};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use warehouse::{Settings, Warehouse, WarehouseError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    AdbcPostgres,
    AdbcDuckdb,
}

/// One warehouse with a schema of its own.
pub struct Sink {
    pub kind: Kind,
    pub settings: Settings,
    look: Look,
    _folder: Option<TempDir>,
}

enum Look {
    Postgres(Client),
    /// The file, which is opened for each look: it has one owner at a time.
    Duckdb(PathBuf),
}

/// Makes a test of each warehouse out of one function.
macro_rules! conforms {
    ($($test:ident),* $(,)?) => {
        mod postgresql {
            $(#[tokio::test(flavor = "multi_thread")] async fn $test() {
                super::$test(crate::sinks::Sink::new(crate::sinks::Kind::Postgres).await).await;
            })*
        }
        mod postgresql_by_adbc {
            $(#[tokio::test(flavor = "multi_thread")] async fn $test() {
                super::$test(crate::sinks::Sink::new(crate::sinks::Kind::AdbcPostgres).await).await;
            })*
        }
        mod duckdb_by_adbc {
            $(#[tokio::test(flavor = "multi_thread")] async fn $test() {
                super::$test(crate::sinks::Sink::new(crate::sinks::Kind::AdbcDuckdb).await).await;
            })*
        }
    };
}
pub(crate) use conforms;

impl Sink {
    pub async fn new(kind: Kind) -> Sink {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let schema = format!("conformance_{}_{count}", std::process::id());
        let folder = tempfile::tempdir().expect("a folder");
        let uri = match kind {
            Kind::Postgres => postgres().to_string(),
            Kind::AdbcPostgres => adbc_postgres_uri(),
            Kind::AdbcDuckdb => duckdb_uri(&folder.path().join("test.db")),
        };
        let look = match kind {
            Kind::AdbcDuckdb => Look::Duckdb(folder.path().join("test.db")),
            _ => Look::Postgres(client().await),
        };
        let sink = Sink {
            kind,
            settings: Settings {
                uri: SecretString::from(uri),
                schema,
            },
            look,
            _folder: Some(folder),
        };
        if kind != Kind::AdbcDuckdb {
            let drop = format!("DROP SCHEMA IF EXISTS {} CASCADE", sink.schema());
            sink.run(&drop).await;
        }
        sink
    }

    pub fn schema(&self) -> &str {
        &self.settings.schema
    }

    pub async fn open(&self) -> Warehouse {
        self.try_open().await.expect("the warehouse opens")
    }

    pub async fn try_open(&self) -> Result<Warehouse, WarehouseError> {
        Warehouse::connect(&self.settings).await
    }

    /// The file of a warehouse that is one.
    pub fn file(&self) -> Option<&Path> {
        match &self.look {
            Look::Duckdb(file) => Some(file),
            Look::Postgres(_) => None,
        }
    }

    /// Runs a statement on a connection of our own.
    pub async fn run(&self, sql: &str) {
        match &self.look {
            Look::Postgres(client) => client.batch_execute(sql).await.expect("it runs"),
            Look::Duckdb(_) => drop(self.rows(sql).await),
        }
    }

    /// A query's rows as text.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        match &self.look {
            Look::Postgres(client) => {
                let messages = client.simple_query(sql).await.expect("the query runs");
                let rows = messages.iter().filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
                rows.map(|row| {
                    (0..row.len())
                        .map(|at| row.get(at).map(str::to_string))
                        .collect()
                })
                .collect()
            }
            Look::Duckdb(file) => duckdb_rows(&duckdb(file).expect("the file opens"), sql),
        }
    }

    /// The first value of a query's first row.
    pub async fn value(&self, sql: &str) -> Option<String> {
        let rows = self.rows(sql).await;
        rows.into_iter().next()?.into_iter().next()?
    }
}

/// Opens a file of DuckDB; an error while another process has it.
pub fn duckdb(file: &Path) -> adbc_core::error::Result<ManagedDatabase> {
    let mut driver = ManagedDriver::load_dynamic_from_filename(
        drivers().0.as_path(),
        Some(b"duckdb_adbc_init"),
        AdbcVersion::V110,
    )?;
    let path = file.to_str().expect("a plain path").into();
    driver.new_database_with_opts([(OptionDatabase::Other("path".to_string()), path)])
}

pub fn duckdb_rows(database: &ManagedDatabase, sql: &str) -> Vec<Vec<Option<String>>> {
    let mut connection = database.new_connection().expect("it opens");
    let mut statement = connection.new_statement().expect("a statement");
    statement.set_sql_query(sql).expect("it is taken");
    let mut rows = Vec::new();
    for batch in statement.execute().expect("the query runs") {
        let batch = batch.expect("a batch");
        for row in 0..batch.num_rows() {
            let columns = batch.columns().iter().map(|column| {
                let texts = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8);
                let texts = texts.expect("a text form");
                let texts = texts.as_string::<i32>();
                texts.is_valid(row).then(|| texts.value(row).to_string())
            });
            rows.push(columns.collect());
        }
    }
    rows
}

pub async fn client() -> Client {
    let (client, connection) = tokio_postgres::connect(postgres(), NoTls)
        .await
        .expect("the server answers");
    tokio::spawn(connection);
    client
        .batch_execute("SET timezone = 'UTC'; SET client_min_messages = warning")
        .await
        .expect("it can be set");
    client
}

pub fn adbc_postgres_uri() -> String {
    let (server, query) = postgres().split_once('?').unwrap_or((postgres(), ""));
    let driver = drivers().1.display();
    format!("adbc+{server}?{query}&driver={driver}")
}

pub fn duckdb_uri(file: &Path) -> String {
    format!(
        "duckdb://{}?driver={}",
        file.display(),
        drivers().0.display()
    )
}

/// The uri of a PostgreSQL server. A test that can not have one fails: none is skipped.
pub fn postgres() -> &'static str {
    static URI: OnceLock<String> = OnceLock::new();
    URI.get_or_init(|| setting("SPENDLAKE_TEST_POSTGRES", "start-postgres.sh"))
}

/// DuckDB's library, and PostgreSQL's driver.
pub fn drivers() -> &'static (PathBuf, PathBuf) {
    static PATHS: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    PATHS.get_or_init(|| {
        let path = |name| PathBuf::from(setting(name, "get-adbc-drivers.sh"));
        (
            path("SPENDLAKE_TEST_DUCKDB"),
            path("SPENDLAKE_TEST_ADBC_POSTGRESQL"),
        )
    })
}

/// A variable of the environment, or what the script sets it to.
fn setting(variable: &str, script: &str) -> String {
    if let Ok(value) = std::env::var(variable) {
        return value;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/services");
    let output = Command::new(folder.join(script))
        .output()
        .unwrap_or_else(|error| panic!("{script} can not be run: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed:\n{told}");
    let text = String::from_utf8_lossy(&output.stdout);
    let prefix = format!("export {variable}=");
    let found = text.lines().find_map(|line| line.strip_prefix(&prefix));
    found
        .unwrap_or_else(|| panic!("{script} sets no {variable}"))
        .to_string()
}
