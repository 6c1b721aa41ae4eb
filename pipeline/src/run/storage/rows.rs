//! What a lake holds, as readers see it.

use std::collections::{BTreeMap, BTreeSet};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::catalog::{Lake, Snapshot, TableName};

const LAYERS: [&str; 3] = ["coupa", "quarantine", "unified"];
/// Columns that tell which run wrote a row, and when.
const OF_THE_RUN: [&str; 4] = ["_run_id", "_extracted_at", "_extract_date", "deleted_at"];

/// The rows of each log, version by version.
pub(super) type Versions = BTreeMap<String, Vec<Vec<String>>>;

/// Rows by table, sorted, as text.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows(BTreeMap<String, Vec<String>>);

impl Rows {
    /// What `found` lacks, or holds more often or otherwise.
    pub(super) fn differences(&self, found: &Rows) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.keys().chain(found.0.keys()).collect();
        let mut wrong = Vec::new();
        for name in names {
            let nothing = Vec::new();
            let (expected, there) = (
                self.0.get(name).unwrap_or(&nothing),
                found.0.get(name).unwrap_or(&nothing),
            );
            if expected != there {
                let count =
                    |rows: &[String], row: &String| rows.iter().filter(|one| *one == row).count();
                let lost = expected
                    .iter()
                    .filter(|row| count(expected, row) > count(there, row))
                    .count();
                let more = there
                    .iter()
                    .filter(|row| count(there, row) > count(expected, row))
                    .count();
                wrong.push(format!("{name}: {lost} rows lost, {more} too many"));
            }
        }
        wrong
    }
}

/// The rows of every table of the lake.
pub(super) async fn rows(lake: &Lake) -> Rows {
    let mut found = Rows::default();
    for layer in LAYERS {
        for name in lake.tables(layer).await.expect("memory answers") {
            let Some(mut rows) = table_rows(lake, &name, None).await else {
                continue;
            };
            // A misfit is told by each run that meets it; what is open is asked for by record.
            if layer == "quarantine" {
                rows.dedup();
            }
            if !rows.is_empty() {
                found.0.insert(name.to_string(), rows);
            }
        }
    }
    found
}

/// Every content that each log has had, version by version.
pub(super) async fn versions(lake: &Lake) -> Versions {
    let mut all = BTreeMap::new();
    for name in lake.tables("coupa").await.expect("memory answers") {
        let newest = Snapshot::open(lake, &name)
            .await
            .expect("it opens")
            .expect("it is there")
            .version;
        let mut contents = vec![Vec::new()];
        for version in 0..=newest {
            contents.extend(table_rows(lake, &name, Some(version)).await);
        }
        all.insert(name.to_string(), contents);
    }
    all
}

/// What a reader sees that it must not: a table that does not open, or part of a commit.
pub(super) async fn half_visible(lake: &Lake, versions: &Versions) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, contents) in &rows(lake).await.0 {
        if versions
            .get(name)
            .is_some_and(|allowed| !allowed.contains(contents))
        {
            wrong.push(format!(
                "{name} shows {} rows that no commit left so",
                contents.len()
            ));
        }
        let keys: BTreeSet<&str> = contents
            .iter()
            .filter_map(|row| row.split('|').next())
            .collect();
        if name.starts_with("unified.") && keys.len() != contents.len() {
            wrong.push(format!("{name} shows a key twice"));
        }
    }
    wrong
}

async fn table_rows(lake: &Lake, name: &TableName, version: Option<u64>) -> Option<Vec<String>> {
    let mut table = Snapshot::open(lake, name)
        .await
        .expect("what is there opens")?;
    if let Some(version) = version {
        let mut earlier = table.table.clone();
        earlier
            .load_version(version)
            .await
            .expect("every version opens");
        table = Snapshot::of(name, earlier).expect("it is read");
    }
    if table.files.is_empty() {
        return Some(Vec::new());
    }
    let folder = lake.table_path(name);
    let mut batches = Vec::new();
    for file in &table.files {
        let path = object_store::path::Path::from(format!("{folder}/{}", file.path));
        let found = lake
            .store()
            .get(&path)
            .await
            .expect("what the log names is there");
        let bytes = found.bytes().await.expect("memory answers");
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|file| file.build());
        let read: Result<Vec<_>, _> = reader.expect("every file is whole").collect();
        batches.extend(read.expect("every file is whole"));
    }
    let mut rows = Vec::new();
    for batch in &batches {
        let options = FormatOptions::default().with_null("∅");
        let schema = batch.schema();
        let mut columns: Vec<_> = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .filter(|(field, _)| !OF_THE_RUN.contains(&field.name().as_str()))
            .map(|(field, column)| {
                (
                    field.name(),
                    ArrayFormatter::try_new(column, &options).expect("it is shown"),
                )
            })
            .collect();
        // The key comes first.
        columns.sort_by_key(|(name, _)| (name.as_str() != "id", name.as_str()));
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns
                .iter()
                .map(|(_, column)| column.value(row).to_string())
                .collect();
            rows.push(cells.join("|"));
        }
    }
    let told: u64 = table.row_count();
    assert_eq!(
        told,
        rows.len() as u64,
        "{name}: as many rows as the log says"
    );
    rows.sort();
    Some(rows)
}
