//! Tables and loads that the tests share.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use futures::stream;
use warehouse::{
    ColumnDefinition, Load, Outcome, Rows, Scope, TableDefinition, Version, Warehouse,
    WarehouseError,
};

pub const CONNECTION: &str = "acme";

pub fn column(name: &str, data_type: DataType, null: bool) -> ColumnDefinition {
    ColumnDefinition {
        name: name.to_string(),
        data_type,
        null,
        doc: format!("What {name}'s \"is\"; -- and \\ is not."),
        json_maps: true,
    }
}

/// Lines of documents: replaced by their document.
pub fn lines() -> TableDefinition {
    TableDefinition {
        name: "lines".to_string(),
        doc: "Lines of documents, the customer's included.".to_string(),
        columns: vec![
            column("connection_id", DataType::Utf8, false),
            column("document_id", DataType::Utf8, false),
            column("ordinal", DataType::Int32, false),
            column("amount", DataType::Decimal128(38, 9), true),
            column("text", DataType::Utf8, true),
        ],
        key: ["connection_id", "document_id", "ordinal"]
            .map(str::to_string)
            .to_vec(),
        replace_by: ["connection_id", "document_id"]
            .map(str::to_string)
            .to_vec(),
        connection_column: Some("connection_id".to_string()),
        indexes: vec![vec!["document_id".to_string()]],
    }
}

/// A line: document, ordinal, amount in units, text.
pub type Line = (String, i32, i128, String);

/// `count` lines for each of the documents, their texts telling the version.
pub fn some_lines(documents: std::ops::Range<u32>, count: i32, version: u64) -> Vec<Line> {
    let of = |document: u32| {
        (1..=count).map(move |ordinal| {
            (
                format!("d{document}"),
                ordinal,
                i128::from(version) * 1_000_000 + i128::from(document),
                format!("v{version}"),
            )
        })
    };
    documents.flat_map(of).collect()
}

pub fn batch(connection: &str, lines: &[Line]) -> RecordBatch {
    let amounts = lines.iter().map(|line| line.2 * 1_000_000_000);
    let amounts = Decimal128Array::from_iter_values(amounts);
    let amounts = amounts.with_precision_and_scale(38, 9).expect("a scale");
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "connection_id",
            Arc::new(StringArray::from(vec![connection; lines.len()])),
        ),
        (
            "document_id",
            Arc::new(StringArray::from_iter_values(lines.iter().map(|l| &l.0))),
        ),
        (
            "ordinal",
            Arc::new(Int32Array::from_iter_values(lines.iter().map(|l| l.1))),
        ),
        ("amount", Arc::new(amounts)),
        (
            "text",
            Arc::new(StringArray::from_iter_values(lines.iter().map(|l| &l.3))),
        ),
    ];
    RecordBatch::try_from_iter(columns).expect("a batch")
}

/// Documents that are gone, as a load is told of them.
pub fn gone(connection: &str, documents: &[&str]) -> Scope {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "connection_id",
            Arc::new(StringArray::from(vec![connection; documents.len()])),
        ),
        (
            "document_id",
            Arc::new(StringArray::from(documents.to_vec())),
        ),
    ];
    Scope::Changed {
        gone: vec![RecordBatch::try_from_iter(columns).expect("a batch")],
    }
}

pub fn unchanged_but_for_rows() -> Scope {
    Scope::Changed { gone: Vec::new() }
}

pub fn version(number: u64) -> Version {
    Version {
        table_id: "5f0c".to_string(),
        number,
    }
}

pub fn load_of(from: Option<u64>, to: u64, scope: Scope) -> Load {
    Load {
        connection: CONNECTION.to_string(),
        from: from.map(version),
        to: version(to),
        run_id: format!("run {to}"),
        scope,
    }
}

pub fn rows_of(batches: Vec<RecordBatch>) -> Rows<'static> {
    Box::pin(stream::iter(batches.into_iter().map(Ok)))
}

pub async fn load(
    warehouse: &mut Warehouse,
    table: &TableDefinition,
    load: &Load,
    batches: Vec<RecordBatch>,
) -> Result<Outcome, WarehouseError> {
    warehouse.load(table, load, rows_of(batches)).await
}
