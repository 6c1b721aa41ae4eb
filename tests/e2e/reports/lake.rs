//! Tables of a lake out of CSV files whose headers say the columns' types.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use pipeline::LakeSettings;
use pipeline::catalog::{Lake, TableName};
use pipeline::load::{Commit, TableWriter, commit, ensure_table};

/// The rows of one file.
pub struct Table {
    pub name: TableName,
    pub schema: SchemaRef,
    columns: Vec<ArrayRef>,
}

/// Reads every `<layer>.<table>.csv` of a folder.
pub fn tables(folder: &Path) -> Vec<Table> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// Makes the lake at `root` out of the tables in `folder`.
pub fn make(folder: &Path, root: &Path) {
    let settings = LakeSettings {
        url: root.display().to_string(),
        options: BTreeMap::new(),
    };
    std::fs::create_dir_all(root).expect("made");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let lake = Lake::open(&settings).expect("opens");
    for table in tables(folder) {
        runtime.block_on(write(&lake, table));
    }
}

async fn write(lake: &Lake, table: Table) {
    let name = &table.name;
    let base = ensure_table(lake, name, "", &table.schema, None)
        .await
        .expect("is made");
    let batch = RecordBatch::try_new(table.schema.clone(), table.columns).expect("equal lengths");
    let mut writer = TableWriter::new(lake, name, &table.schema, None, "rows").expect("a writer");
    writer.write(&batch).await.expect("writes");
    let rows = Commit {
        app_id: "test".to_string(),
        sequence: 1,
        add: writer.finish().await.expect("ends"),
        ..Commit::default()
    };
    commit(&base, &rows).await.expect("commits");
}

fn read(path: &Path) -> Table {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let name = stem.and_then(TableName::parse).expect("a table's name");
    let mut reader = csv::Reader::from_path(path).expect("a file");
    let headers = reader.headers().expect("a header").clone();
    let columns: Vec<(&str, &str)> = headers
        .iter()
        .map(|header| header.split_once(':').expect("name:type"))
        .collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let arrays = columns.iter().enumerate().map(|(index, (_, kind))| {
        // An empty cell is null, but for texts that are never null.
        let cells = rows.iter().map(|row| row.get(index));
        let texts: StringArray = cells
            .map(|cell| cell.filter(|cell| !cell.is_empty() || *kind == "text"))
            .collect();
        let texts: ArrayRef = Arc::new(texts);
        cast(&texts, &data_type(kind)).expect("readable")
    });
    let arrays: Vec<ArrayRef> = arrays.collect();
    for (array, (column, _)) in arrays.iter().zip(&columns) {
        let empty = rows.iter().filter(|row| {
            let place = columns.iter().position(|(name, _)| name == column);
            place
                .and_then(|place| row.get(place))
                .is_none_or(str::is_empty)
        });
        assert!(
            array.null_count() <= empty.count(),
            "{name}.{column} has a cell of another type"
        );
    }
    let fields = columns
        .iter()
        .map(|(column, kind)| Field::new(*column, data_type(kind), *kind != "text"));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    Table {
        name,
        schema,
        columns: arrays,
    }
}

fn data_type(word: &str) -> DataType {
    match word {
        "utf8" | "text" => DataType::Utf8,
        "date" => DataType::Date32,
        "decimal" => DataType::Decimal128(38, 9),
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "bool" => DataType::Boolean,
        other => panic!("no type {other}"),
    }
}
