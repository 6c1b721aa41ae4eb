//! All that warehouses behind drivers differ in: names of types, JSON, comments, and what a transaction takes.
//!
//! A new one is a value of [`Dialect`] and a golden in `tests/dialects`.

use crate::{ColumnType, Nul};

/// How a warehouse speaks.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    pub name: &'static str,
    /// What a driver is loaded by where the uri names none.
    pub driver: &'static str,
    pub entrypoint: Option<&'static [u8]>,
    pub uri: UriForm,
    quote: char,
    /// Backslashes in a text literal are doubled.
    escapes: bool,
    pub nul: Nul,
    pub change: Change,
    pub comments: Comments,
    pub primary_key: PrimaryKey,
    pub indexes: bool,
    /// Begins the statement that makes a staging table.
    pub create_stage: &'static str,
    /// Ends it.
    pub stage_options: &'static str,
    types: fn(&ColumnType) -> String,
    /// JSON text of a staging column as a value of the target's.
    json: fn(&str) -> String,
    /// Taken first in the transaction, so that two loads of one table go one after the other.
    pub lock: fn(&str) -> Option<String>,
}

/// What the driver is given of the uri.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriForm {
    /// The whole uri.
    Whole,
    /// What follows `scheme://`.
    WithoutScheme,
    /// The path of a file, under the driver's own option.
    Path(&'static str),
}

/// How rows and ledger change together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// In a transaction of the connection, in which tables can be made too.
    Transaction,
    /// In a transaction of the connection; statements that make tables end it, so they come before.
    RowsOnly,
    /// In one script that begins and commits itself.
    Script,
    /// The rows in one statement and the ledger in the next: a load that stops between them is repeated,
    /// which changes nothing.
    Merge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comments {
    /// `COMMENT ON TABLE t IS '…'`, `COMMENT ON COLUMN t.c IS '…'`
    Standard,
    /// `ALTER … SET OPTIONS (description = '…')`
    Options,
    /// `ALTER TABLE t ALTER COLUMN c COMMENT '…'`
    Alter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrimaryKey {
    /// Kept by the warehouse, or at least taken down by it.
    Declared,
    NotEnforced,
    None,
}

impl Dialect {
    pub fn of(name: &str) -> Option<&'static Dialect> {
        DIALECTS.iter().find(|dialect| dialect.name == name)
    }

    /// An identifier, whatever it holds.
    pub fn quote(&self, name: &str) -> String {
        let quote = self.quote;
        let doubled = match self.escapes && quote == '`' {
            // In these dialects nothing escapes a backtick; definitions have none.
            true => name.replace(quote, "_"),
            false => name.replace(quote, &format!("{quote}{quote}")),
        };
        format!("{quote}{doubled}{quote}")
    }

    /// A text literal, whatever it holds.
    pub fn literal(&self, text: &str) -> String {
        let text = text.replace('\0', "\u{FFFD}");
        match self.escapes {
            true => {
                let text = text.replace('\\', "\\\\").replace('\'', "\\'");
                format!("'{}'", text.replace('\n', "\\n").replace('\r', "\\r"))
            }
            false => format!("'{}'", text.replace('\'', "''")),
        }
    }

    pub fn type_name(&self, of: &ColumnType) -> String {
        (self.types)(of)
    }

    /// The type of a staging column: JSON waits there as text.
    pub fn stage_type(&self, of: &ColumnType) -> String {
        match of {
            ColumnType::Json => (self.types)(&ColumnType::Text),
            other => (self.types)(other),
        }
    }

    /// A staging column as the target takes it.
    pub fn from_stage(&self, column: &str, of: &ColumnType) -> String {
        match of {
            ColumnType::Json => (self.json)(column),
            _ => column.to_string(),
        }
    }

    /// The query for a table's columns: name, type, precision, scale, whether null is allowed.
    pub fn columns_query(&self, schema: &str, table: &str) -> String {
        let table = self.literal(table);
        match self.name {
            "bigquery" => format!(
                "SELECT column_name, data_type, CAST(NULL AS INT64), CAST(NULL AS INT64), is_nullable \
                 FROM {}.INFORMATION_SCHEMA.COLUMNS WHERE table_name = {table} ORDER BY ordinal_position",
                self.quote(schema)
            ),
            _ => format!(
                "SELECT column_name, data_type, CAST(numeric_precision AS BIGINT), \
                 CAST(numeric_scale AS BIGINT), is_nullable FROM information_schema.columns \
                 WHERE table_schema = {} AND table_name = {table} ORDER BY ordinal_position",
                self.literal(schema)
            ),
        }
    }

    /// Reads a type as the warehouse's catalog writes it; `None` for one that we never make.
    pub fn read_type(
        &self,
        text: &str,
        precision: Option<i64>,
        scale: Option<i64>,
    ) -> Option<ColumnType> {
        let text = text.to_ascii_uppercase();
        let (word, inner) = match text.split_once('(') {
            Some((word, rest)) => (
                word.trim_end(),
                rest.split_once(')').map(|(inner, _)| inner),
            ),
            None => (text.as_str(), None),
        };
        let with_zone = !matches!(self.name, "duckdb" | "redshift");
        Some(match word {
            "VARCHAR" | "TEXT" | "STRING" | "CHARACTER VARYING" => ColumnType::Text,
            "BOOLEAN" | "BOOL" => ColumnType::Boolean,
            "SMALLINT" | "INT2" => ColumnType::SmallInt,
            "INTEGER" | "INT" | "INT4" => ColumnType::Integer,
            "BIGINT" | "INT8" | "INT64" | "LONG" => ColumnType::BigInt,
            "DECIMAL" | "NUMERIC" | "NUMBER" | "BIGNUMERIC" => {
                let mut written = inner.unwrap_or_default().split(',');
                let mut next = |from: Option<i64>| match written.next().map(str::trim) {
                    Some(digits) if !digits.is_empty() => digits.parse().ok(),
                    _ => from.and_then(|value| u8::try_from(value).ok()),
                };
                ColumnType::Decimal {
                    precision: next(precision)?,
                    scale: next(scale)?,
                }
            }
            "DOUBLE" | "DOUBLE PRECISION" | "FLOAT" | "FLOAT8" | "FLOAT64" => ColumnType::Double,
            "DATE" => ColumnType::Date,
            "TIMESTAMP WITH TIME ZONE" | "TIMESTAMPTZ" | "TIMESTAMP_LTZ" | "TIMESTAMP_TZ" => {
                ColumnType::Timestamp { utc: true }
            }
            "TIMESTAMP WITHOUT TIME ZONE" | "TIMESTAMP_NTZ" | "DATETIME" => {
                ColumnType::Timestamp { utc: false }
            }
            "TIMESTAMP" => ColumnType::Timestamp { utc: with_zone },
            "BLOB" | "BYTEA" | "BINARY" | "BYTES" | "VARBYTE" | "BINARY VARYING" => {
                ColumnType::Bytes
            }
            "JSON" | "JSONB" | "VARIANT" | "SUPER" => ColumnType::Json,
            _ => return None,
        })
    }
}

fn decimal(word: &str, of: &ColumnType) -> Option<String> {
    match of {
        ColumnType::Decimal { precision, scale } => Some(format!("{word}({precision}, {scale})")),
        _ => None,
    }
}

fn named(of: &ColumnType, names: [&str; 11]) -> String {
    let at = match of {
        ColumnType::Text => 0,
        ColumnType::Boolean => 1,
        ColumnType::SmallInt => 2,
        ColumnType::Integer => 3,
        ColumnType::BigInt => 4,
        ColumnType::Double => 5,
        ColumnType::Date => 6,
        ColumnType::Timestamp { utc: true } => 7,
        ColumnType::Timestamp { utc: false } => 8,
        ColumnType::Bytes => 9,
        ColumnType::Json => 10,
        ColumnType::Decimal { .. } => return decimal("DECIMAL", of).unwrap_or_default(),
    };
    names[at].to_string()
}

fn duckdb_type(of: &ColumnType) -> String {
    named(
        of,
        [
            "VARCHAR",
            "BOOLEAN",
            "SMALLINT",
            "INTEGER",
            "BIGINT",
            "DOUBLE",
            "DATE",
            "TIMESTAMPTZ",
            "TIMESTAMP",
            "BLOB",
            "JSON",
        ],
    )
}

fn postgresql_type(of: &ColumnType) -> String {
    named(
        of,
        [
            "text",
            "boolean",
            "smallint",
            "integer",
            "bigint",
            "double precision",
            "date",
            "timestamptz",
            "timestamp",
            "bytea",
            "jsonb",
        ],
    )
}

fn snowflake_type(of: &ColumnType) -> String {
    let number = decimal("NUMBER", of);
    number.unwrap_or_else(|| {
        named(
            of,
            [
                "VARCHAR",
                "BOOLEAN",
                "NUMBER(5, 0)",
                "NUMBER(10, 0)",
                "NUMBER(19, 0)",
                "FLOAT",
                "DATE",
                "TIMESTAMP_LTZ(6)",
                "TIMESTAMP_NTZ(6)",
                "BINARY",
                "VARIANT",
            ],
        )
    })
}

fn bigquery_type(of: &ColumnType) -> String {
    match of {
        // NUMERIC has 29 digits before the point and 9 behind it.
        ColumnType::Decimal { precision, scale } if *scale <= 9 && precision - scale <= 29 => {
            format!("NUMERIC({precision}, {scale})")
        }
        ColumnType::Decimal { precision, scale } => format!("BIGNUMERIC({precision}, {scale})"),
        other => named(
            other,
            [
                "STRING",
                "BOOL",
                "INT64",
                "INT64",
                "INT64",
                "FLOAT64",
                "DATE",
                "TIMESTAMP",
                "DATETIME",
                "BYTES",
                "JSON",
            ],
        ),
    }
}

fn redshift_type(of: &ColumnType) -> String {
    named(
        of,
        [
            "VARCHAR(65535)",
            "BOOLEAN",
            "SMALLINT",
            "INTEGER",
            "BIGINT",
            "DOUBLE PRECISION",
            "DATE",
            "TIMESTAMPTZ",
            "TIMESTAMP",
            "VARBYTE(65535)",
            "SUPER",
        ],
    )
}

fn databricks_type(of: &ColumnType) -> String {
    named(
        of,
        [
            "STRING",
            "BOOLEAN",
            "SMALLINT",
            "INT",
            "BIGINT",
            "DOUBLE",
            "DATE",
            "TIMESTAMP",
            "TIMESTAMP_NTZ",
            "BINARY",
            "STRING",
        ],
    )
}

fn no_lock(_: &str) -> Option<String> {
    None
}

static DIALECTS: [Dialect; 6] = [
    Dialect {
        name: "duckdb",
        driver: "duckdb",
        entrypoint: Some(b"duckdb_adbc_init"),
        uri: UriForm::Path("path"),
        quote: '"',
        escapes: false,
        nul: Nul::Keep,
        change: Change::Transaction,
        comments: Comments::Standard,
        primary_key: PrimaryKey::Declared,
        // Zone maps serve look-ups by range, and its trees are held in memory whole.
        indexes: false,
        create_stage: "CREATE TABLE",
        stage_options: "",
        types: duckdb_type,
        json: |column| format!("CAST({column} AS JSON)"),
        lock: no_lock,
    },
    Dialect {
        name: "postgresql",
        driver: "adbc_driver_postgresql",
        entrypoint: Some(b"AdbcDriverPostgresqlInit"),
        uri: UriForm::Whole,
        quote: '"',
        escapes: false,
        nul: Nul::Replace,
        change: Change::Transaction,
        comments: Comments::Standard,
        primary_key: PrimaryKey::Declared,
        indexes: true,
        create_stage: "CREATE TABLE",
        stage_options: "",
        types: postgresql_type,
        json: |column| format!("CAST({column} AS jsonb)"),
        lock: |ledger| Some(format!("LOCK TABLE {ledger} IN SHARE ROW EXCLUSIVE MODE")),
    },
    Dialect {
        name: "snowflake",
        driver: "adbc_driver_snowflake",
        entrypoint: Some(b"AdbcDriverSnowflakeInit"),
        uri: UriForm::WithoutScheme,
        quote: '"',
        escapes: false,
        nul: Nul::Keep,
        change: Change::RowsOnly,
        comments: Comments::Standard,
        primary_key: PrimaryKey::Declared,
        indexes: false,
        create_stage: "CREATE TEMPORARY TABLE",
        stage_options: "",
        types: snowflake_type,
        json: |column| format!("PARSE_JSON({column})"),
        lock: no_lock,
    },
    Dialect {
        name: "bigquery",
        driver: "adbc_driver_bigquery",
        entrypoint: Some(b"AdbcDriverBigqueryInit"),
        uri: UriForm::Whole,
        quote: '`',
        escapes: true,
        nul: Nul::Keep,
        change: Change::Script,
        comments: Comments::Options,
        primary_key: PrimaryKey::NotEnforced,
        indexes: false,
        create_stage: "CREATE TABLE",
        stage_options: " OPTIONS (expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY))",
        types: bigquery_type,
        json: |column| format!("PARSE_JSON({column}, wide_number_mode => 'round')"),
        lock: no_lock,
    },
    Dialect {
        name: "redshift",
        driver: "redshift",
        entrypoint: None,
        uri: UriForm::Whole,
        quote: '"',
        escapes: true,
        nul: Nul::Replace,
        change: Change::Transaction,
        comments: Comments::Standard,
        primary_key: PrimaryKey::Declared,
        indexes: false,
        create_stage: "CREATE TABLE",
        stage_options: "",
        types: redshift_type,
        json: |column| format!("JSON_PARSE({column})"),
        lock: |ledger| Some(format!("LOCK TABLE {ledger}")),
    },
    Dialect {
        name: "databricks",
        driver: "databricks",
        entrypoint: None,
        uri: UriForm::Whole,
        quote: '`',
        escapes: true,
        nul: Nul::Keep,
        change: Change::Merge,
        comments: Comments::Alter,
        primary_key: PrimaryKey::None,
        indexes: false,
        create_stage: "CREATE TABLE",
        stage_options: "",
        types: databricks_type,
        json: str::to_string,
        lock: no_lock,
    },
];
