//! Tables follow their definitions: columns come, widen and stay, and what would lose its meaning is refused.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use warehouse::{Kind as What, Scope, TableDefinition};

use crate::sinks::{Kind, Sink, conforms};
use crate::tables::{
    CONNECTION, batch, column, lines, load, load_of, some_lines, unchanged_but_for_rows,
};

conforms!(
    tables_follow_their_definitions,
    what_would_lose_its_meaning_is_refused,
    documentation_keys_and_indexes_are_there,
);

fn things(columns: Vec<(&str, DataType, bool)>) -> TableDefinition {
    let columns = columns.into_iter();
    TableDefinition {
        name: "things".to_string(),
        doc: "Things.".to_string(),
        columns: columns
            .map(|(name, data_type, null)| column(name, data_type, null))
            .collect(),
        key: vec!["id".to_string()],
        replace_by: vec!["id".to_string()],
        connection_column: None,
        indexes: Vec::new(),
    }
}

fn amounts(value: i128, precision: u8, scale: i8) -> ArrayRef {
    let array = Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale);
    Arc::new(array.expect("a scale"))
}

async fn tables_follow_their_definitions(sink: Sink) {
    let before = things(vec![
        ("id", DataType::Utf8, false),
        ("count", DataType::Int32, true),
        ("amount", DataType::Decimal128(16, 4), true),
        ("old", DataType::Utf8, false),
    ]);
    let rows = RecordBatch::try_from_iter([
        ("id", Arc::new(StringArray::from(vec!["a"])) as ArrayRef),
        ("count", Arc::new(Int32Array::from(vec![7]))),
        ("amount", amounts(12_345, 16, 4)),
        ("old", Arc::new(StringArray::from(vec!["stays"]))),
    ]);
    let mut warehouse = sink.open().await;
    let whole = load_of(None, 1, Scope::Whole);
    load(
        &mut warehouse,
        &before,
        &whole,
        vec![rows.expect("a batch")],
    )
    .await
    .expect("it loads");

    let after = things(vec![
        ("id", DataType::Utf8, false),
        ("fresh", DataType::Date32, false),
        ("amount", DataType::Decimal128(38, 9), true),
        ("count", DataType::Int64, true),
    ]);
    let rows = RecordBatch::try_from_iter([
        ("id", Arc::new(StringArray::from(vec!["b"])) as ArrayRef),
        ("count", Arc::new(Int64Array::from(vec![i64::MAX]))),
        ("amount", amounts(1, 38, 9)),
        ("fresh", Arc::new(arrow::array::Date32Array::from(vec![0]))),
    ]);
    let changes = load_of(Some(1), 2, unchanged_but_for_rows());
    load(
        &mut warehouse,
        &after,
        &changes,
        vec![rows.expect("a batch")],
    )
    .await
    .expect("it loads");
    let sql = format!(
        "SELECT id, CAST(count AS VARCHAR), CAST(amount AS VARCHAR), old, CAST(fresh AS VARCHAR) \
         FROM {}.things ORDER BY id",
        sink.schema()
    );
    let rows = sink.rows(&sql).await;
    let texts: Vec<Vec<&str>> = rows
        .iter()
        .map(|row| row.iter().map(|v| v.as_deref().unwrap_or("-")).collect())
        .collect();
    assert_eq!(
        texts,
        [
            ["a", "7", "1.234500000", "stays", "-"],
            ["b", "9223372036854775807", "0.000000001", "-", "1970-01-01"],
        ]
    );

    // Back to the narrower definition: the wider columns stay, and take what comes.
    let rows = RecordBatch::try_from_iter([
        ("id", Arc::new(StringArray::from(vec!["c"])) as ArrayRef),
        ("count", Arc::new(Int32Array::from(vec![1]))),
        ("amount", amounts(10_000, 16, 4)),
        ("old", Arc::new(StringArray::from(vec!["again"]))),
    ]);
    let changes = load_of(Some(2), 3, unchanged_but_for_rows());
    load(
        &mut warehouse,
        &before,
        &changes,
        vec![rows.expect("a batch")],
    )
    .await
    .expect("it loads");
    assert_eq!(sink.rows(&sql).await.len(), 3);
}

async fn what_would_lose_its_meaning_is_refused(sink: Sink) {
    let mut table = lines();
    let mut warehouse = sink.open().await;
    let rows = vec![batch(CONNECTION, &some_lines(0..1, 1, 1))];
    let whole = load_of(None, 1, Scope::Whole);
    load(&mut warehouse, &table, &whole, rows)
        .await
        .expect("it loads");
    for (at, wrong) in [
        (4, DataType::Date32),
        (3, DataType::Boolean),
        (3, DataType::Decimal128(38, 12)),
    ] {
        let right = std::mem::replace(&mut table.columns[at].data_type, wrong);
        let changes = load_of(Some(1), 2, unchanged_but_for_rows());
        let error = load(&mut warehouse, &table, &changes, Vec::new()).await;
        let error = error.expect_err("it is refused");
        assert_eq!(error.kind(), What::Invalid, "{error}");
        let hint = error.hint().expect("a remedy");
        assert!(hint.contains("rename or drop"), "{hint}");
        table.columns[at].data_type = right;
    }
    let changes = load_of(Some(1), 2, unchanged_but_for_rows());
    load(&mut warehouse, &table, &changes, Vec::new())
        .await
        .expect("it loads");
}

async fn documentation_keys_and_indexes_are_there(sink: Sink) {
    let table = lines();
    let mut warehouse = sink.open().await;
    let whole = load_of(None, 1, Scope::Whole);
    load(&mut warehouse, &table, &whole, Vec::new())
        .await
        .expect("it loads");
    let schema = sink.schema();
    let (of_table, of_column, key) = match sink.kind {
        Kind::AdbcDuckdb => (
            format!(
                "SELECT comment FROM duckdb_tables() WHERE schema_name = '{schema}' AND table_name = 'lines'"
            ),
            format!(
                "SELECT comment FROM duckdb_columns() WHERE schema_name = '{schema}' AND table_name = 'lines' \
                 AND column_name = 'amount'"
            ),
            format!(
                "SELECT count(*) FROM duckdb_constraints() WHERE schema_name = '{schema}' AND table_name = 'lines' \
                 AND constraint_type = 'PRIMARY KEY'"
            ),
        ),
        _ => (
            format!("SELECT obj_description('{schema}.lines'::regclass)"),
            format!("SELECT col_description('{schema}.lines'::regclass, 4)"),
            format!(
                "SELECT count(*) FROM pg_constraint WHERE conrelid = '{schema}.lines'::regclass AND contype = 'p'"
            ),
        ),
    };
    assert_eq!(
        sink.value(&of_table).await.as_deref(),
        Some(table.doc.as_str())
    );
    assert_eq!(
        sink.value(&of_column).await.as_deref(),
        Some(table.columns[3].doc.as_str())
    );
    assert_eq!(sink.value(&key).await.as_deref(), Some("1"));
    if sink.kind != Kind::AdbcDuckdb {
        let indexes = format!(
            "SELECT count(*) FROM pg_indexes WHERE schemaname = '{schema}' AND tablename = 'lines'"
        );
        assert_eq!(sink.value(&indexes).await.as_deref(), Some("2"));
    }
}
