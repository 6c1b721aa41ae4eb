//! The statements of each warehouse, whole, beside what they must be. `UPDATE_GOLDEN=1` rewrites them.

use std::path::Path;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use std::sync::Arc;
use warehouse::adbc::dialect::Dialect;
use warehouse::adbc::sql::{Names, Statements};
use warehouse::{ColumnDefinition, ColumnType, Load, Scope, TableDefinition, Version};

fn table() -> TableDefinition {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let items = Field::new("element", DataType::Struct(Fields::empty()), true);
    let column = |name: &str, data_type: DataType, null: bool, doc: &str| ColumnDefinition {
        name: name.to_string(),
        data_type,
        null,
        doc: doc.to_string(),
        json_maps: true,
    };
    TableDefinition {
        name: "invoice_lines".to_string(),
        doc: "Lines of invoices; it's one row a line.".to_string(),
        columns: vec![
            column("connection_id", DataType::Utf8, false, "The \"instance\"."),
            column(
                "invoice_id",
                DataType::Utf8,
                false,
                "Joins unified.invoices.",
            ),
            column("ordinal", DataType::Int32, false, "From 1."),
            column(
                "amount",
                DataType::Decimal128(38, 9),
                true,
                "A back\\slash.",
            ),
            column("rate", DataType::Decimal128(16, 10), true, ""),
            column("day", DataType::Date32, true, ""),
            column("updated_at", utc, true, ""),
            column("is_deleted", DataType::Boolean, true, ""),
            column("_content_hash", DataType::Binary, true, ""),
            column("allocations", DataType::List(Arc::new(items)), true, ""),
        ],
        key: ["connection_id", "invoice_id", "ordinal"]
            .map(str::to_string)
            .to_vec(),
        replace_by: ["connection_id", "invoice_id"].map(str::to_string).to_vec(),
        connection_column: Some("connection_id".to_string()),
        indexes: vec![vec!["updated_at".to_string()]],
    }
}

fn statements(dialect: &Dialect) -> String {
    let table = table();
    let types: Vec<ColumnType> = table.types().expect("types that all have");
    let names = Names {
        schema: "coupa".to_string(),
        stage: "_spendlake_stage_1".to_string(),
        gone: "_spendlake_gone_1".to_string(),
    };
    let statements = Statements {
        dialect,
        names: &names,
        table: &table,
        types: &types,
    };
    let load = |scope| Load {
        connection: "o'neill".to_string(),
        from: None,
        to: Version {
            table_id: "5f0c".to_string(),
            number: 8,
        },
        run_id: "run 8".to_string(),
        scope,
    };
    let ids: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let gone = RecordBatch::try_from_iter([("connection_id", ids.clone()), ("invoice_id", ids)]);
    let changed = Scope::Changed {
        gone: vec![gone.expect("a batch")],
    };
    let mut parts = vec![
        (
            "schema",
            vec![statements.create_schema(), statements.create_ledger()],
        ),
        ("table", statements.create_table()),
        ("staging", statements.create_stages().to_vec()),
        ("whole", statements.change(&load(Scope::Whole), 3)),
        ("changed", statements.change(&load(changed), 3)),
        ("after", statements.drop_stages().to_vec()),
        ("ledger", vec![statements.read_ledger("o'neill")]),
        (
            "columns",
            vec![dialect.columns_query("coupa", "invoice_lines")],
        ),
    ];
    if let Some(lock) = (dialect.lock)(&statements.ledger()) {
        parts.push(("lock", vec![lock]));
    }
    let parts = parts
        .into_iter()
        .map(|(name, statements)| format!("-- {name}\n{};\n", statements.join(";\n")));
    parts.collect::<Vec<_>>().join("\n")
}

fn check(name: &str) {
    let dialect = Dialect::of(name).expect("a dialect of that name");
    let made = statements(dialect);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/dialects/{name}.sql"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made).expect("the golden can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        made,
        expected,
        "UPDATE_GOLDEN=1 rewrites {}",
        path.display()
    );
}

#[test]
fn duckdb() {
    check("duckdb");
}

#[test]
fn postgresql() {
    check("postgresql");
}

#[test]
fn snowflake() {
    check("snowflake");
}

#[test]
fn bigquery() {
    check("bigquery");
}

#[test]
fn redshift() {
    check("redshift");
}

#[test]
fn databricks() {
    check("databricks");
}
