//! Every definition's sample through every mapping equals the golden beside it.
//!
//! `UPDATE_GOLDEN=1 cargo test --test e2e mappings` rewrites the goldens; read their diff first.
//! A new mapping is a new test: it needs its golden, unless the samples give it no row.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use chrono::{TimeZone, Utc};
use futures::TryStreamExt;
use pipeline::catalog::Lake;
use pipeline::run::{RunMark, load_samples, raw_schemas, refresh};
use pipeline::transform::check_mappings;
use pipeline::{LakeSettings, query};
use schemas::Schemas;
use serde_json::{Map, Value};

fn golden_path(table: &str, mapping: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("schemas/unified")
        .join(table)
        .join(format!("{mapping}.golden"))
}

/// Nulls are left out of goldens, at every depth, so that a new empty column changes nothing.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| (name, without_nulls(member)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// Decimals become text: a JSON number would be read as a float by whoever reads the golden.
fn numbers_as_text(value: Value) -> Value {
    match value {
        Value::Number(number) if number.to_string().contains('.') => {
            Value::String(number.to_string())
        }
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, member)| (name, numbers_as_text(member)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(numbers_as_text).collect()),
        other => other,
    }
}

/// Member order says nothing in JSON; goldens are compared and written in one order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let ordered: BTreeMap<_, _> = members.into_iter().collect();
            Value::Object(ordered.into_iter().map(|(k, v)| (k, sorted(v))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

async fn rows(lake: &LakeSettings, sql: &str) -> Vec<Map<String, Value>> {
    let batches: Vec<_> = query(lake, sql)
        .await
        .expect("the statement plans")
        .try_collect()
        .await
        .expect("the rows can be read");
    let mut writer = arrow::json::ArrayWriter::new(Vec::new());
    writer
        .write_batches(&batches.iter().collect::<Vec<_>>())
        .expect("rows have a JSON form");
    writer.finish().expect("the array is closed");
    let text = writer.into_inner();
    if text.is_empty() {
        return Vec::new();
    }
    serde_json::from_slice(&text).expect("it is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_through_every_mapping_equal_their_goldens() {
    let schemas = Schemas::embedded().expect("our definitions are right");
    let folder = tempfile::tempdir().expect("a folder for the lake");
    let settings = LakeSettings {
        url: folder.path().display().to_string(),
        options: BTreeMap::new(),
    };
    let lake = Lake::open(&settings).expect("the lake opens");
    let mark = RunMark {
        connection: "sample".to_string(),
        run_id: "sample-run".to_string(),
        started_at: Utc.with_ymd_and_hms(2026, 3, 2, 12, 0, 0).unwrap(),
        epoch: 0,
    };
    load_samples(&lake, &schemas, &mark)
        .await
        .expect("samples fit their definitions");
    for summary in refresh(&lake, &schemas, &mark)
        .await
        .expect("tables refresh")
    {
        assert!(
            summary.error.is_none(),
            "{}: {:?}",
            summary.table,
            summary.error
        );
    }
    let mut problems = Vec::new();
    for (name, table) in &schemas.tables {
        let stamped: Vec<&str> = table
            .columns
            .iter()
            .filter(|column| column.stamped)
            .map(|column| column.name.as_str())
            .collect();
        for mapping in &table.mappings {
            let sql = format!(
                "SELECT * FROM unified.{name} WHERE _mapping = '{}' ORDER BY {}",
                mapping.name,
                table.key.join(", ")
            );
            let found: Vec<Value> = rows(&settings, &sql)
                .await
                .into_iter()
                .map(|row| {
                    let own = row.into_iter().filter(|(column, _)| {
                        column != "created_month" && !stamped.contains(&column.as_str())
                    });
                    sorted(numbers_as_text(without_nulls(Value::Object(own.collect()))))
                })
                .collect();
            let path = golden_path(name, &mapping.name);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                if !found.is_empty() {
                    let text = serde_json::to_string_pretty(&found).expect("JSON is text");
                    fs::write(&path, text + "\n").expect("the golden can be written");
                }
                continue;
            }
            let expected: Vec<Value> = match fs::read_to_string(&path) {
                Ok(text) => serde_json::from_str::<Vec<Value>>(&text)
                    .expect("a golden is a JSON array")
                    .into_iter()
                    .map(|row| sorted(numbers_as_text(without_nulls(row))))
                    .collect(),
                Err(_) if found.is_empty() => continue,
                Err(_) => {
                    problems.push(format!("{name}/{}: no golden", mapping.name));
                    continue;
                }
            };
            if expected != found {
                problems.push(difference(name, &mapping.name, &expected, &found));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn difference(table: &str, mapping: &str, expected: &[Value], found: &[Value]) -> String {
    if expected.len() != found.len() {
        return format!(
            "{table}/{mapping}: {} rows, expected {}",
            found.len(),
            expected.len()
        );
    }
    for (row, (expected, found)) in expected.iter().zip(found).enumerate() {
        let (Some(expected), Some(found)) = (expected.as_object(), found.as_object()) else {
            continue;
        };
        let columns: std::collections::BTreeSet<_> = expected.keys().chain(found.keys()).collect();
        for column in columns {
            if expected.get(column) != found.get(column) {
                return format!(
                    "{table}/{mapping} row {row} column {column}: expected {:?}, found {:?}",
                    expected.get(column),
                    found.get(column)
                );
            }
        }
    }
    format!("{table}/{mapping}: differs")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mapping_plans_and_fits_its_contract() {
    let schemas = Schemas::embedded().expect("our definitions are right");
    let folder = tempfile::tempdir().expect("a folder for the lake");
    let lake = Lake::open(&LakeSettings {
        url: folder.path().display().to_string(),
        options: BTreeMap::new(),
    })
    .expect("the lake opens");
    let problems = check_mappings(&lake, &schemas, &raw_schemas(&schemas)).await;
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn every_column_and_table_is_documented() {
    let schemas = Schemas::embedded().expect("our definitions are right");
    for (name, table) in &schemas.tables {
        assert!(!table.doc.is_empty(), "{name} has no doc");
        for column in &table.columns {
            assert!(!column.doc.is_empty(), "{name}.{} has no doc", column.name);
        }
    }
    for resource in schemas.resources.values() {
        assert!(!resource.doc.is_empty(), "{} has no doc", resource.name);
    }
}
