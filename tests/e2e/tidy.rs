//! The layout keeps its walls: one version of the engine in the tree, imports that run downward,
//! no paths of a machine, no secrets in clear.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("a source folder is readable") {
            let path = entry.expect("an entry is readable").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("source is text");
                found.push((path.display().to_string(), text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    assert!(!found.is_empty(), "{folder} holds Rust files");
    found
}

#[test]
fn one_version_of_each_engine_crate_is_locked() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock is committed");
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut name = String::new();
    for line in lock.lines() {
        if let Some(text) = line.strip_prefix("name = ") {
            name = text.trim_matches('"').to_string();
        } else if let Some(text) = line.strip_prefix("version = ") {
            let version = text.trim_matches('"').to_string();
            versions.entry(name.clone()).or_default().push(version);
        }
    }
    let engine = |name: &str| {
        name == "object_store"
            || name == "parquet"
            || name == "arrow"
            || name.starts_with("arrow-")
            || name == "datafusion"
            || name.starts_with("datafusion-")
            || name.starts_with("deltalake")
    };
    let several: Vec<_> = versions
        .iter()
        .filter(|(name, versions)| engine(name) && versions.len() > 1)
        .collect();
    assert!(several.is_empty(), "more than one version of {several:?}");
    for name in [
        "arrow",
        "datafusion",
        "object_store",
        "parquet",
        "deltalake",
    ] {
        assert!(versions.contains_key(name), "{name} is in the tree");
    }
}

fn check_never_imports(folder: &str, forbidden: &[&str]) {
    for (path, text) in rust_files(folder) {
        for word in forbidden {
            let found = text.lines().find(|line| {
                let code = line.trim_start();
                !code.starts_with("//") && code.contains(word)
            });
            assert!(found.is_none(), "{path} reaches for {word}: {found:?}");
        }
    }
}

#[test]
fn extract_load_and_transform_never_import_each_other() {
    check_never_imports(
        "pipeline/src/load",
        &["extract::", "crate::transform", "crate::run"],
    );
    check_never_imports(
        "pipeline/src/transform",
        &["extract::", "crate::load", "crate::run"],
    );
    check_never_imports(
        "pipeline/src/catalog",
        &["extract::", "crate::load", "crate::transform", "crate::run"],
    );
    check_never_imports(
        "extract/src",
        &["pipeline::", "datafusion", "deltalake", "object_store"],
    );
    check_never_imports(
        "warehouse/src",
        &[
            "extract::",
            "pipeline::",
            "schemas::",
            "datafusion",
            "deltalake",
            "object_store",
        ],
    );
    check_never_imports(
        "schemas/src",
        &["extract::", "pipeline::", "datafusion", "arrow::"],
    );
}

#[test]
fn the_simulator_knows_nothing_of_our_client_or_definitions() {
    // `axum::extract` is another's: what counts is a path that begins with our crate's name.
    for word in ["schemas", "extract", "pipeline"] {
        let imported = format!("use {word}::");
        let called = format!(" {word}::");
        check_never_imports("tests/simulator/src", &[&imported, &called]);
    }
}

#[test]
fn only_main_asks_the_clock() {
    for folder in ["pipeline/src", "schemas/src"] {
        check_never_imports(folder, &["Utc::now", "Local::now", "SystemTime::now"]);
    }
}

#[test]
fn files_stay_small_enough_to_read() {
    for folder in [
        "pipeline/src",
        "extract/src",
        "schemas/src",
        "jobs/src",
        "warehouse/src",
        "tests/simulator/src",
    ] {
        for (path, text) in rust_files(folder) {
            let lines = text.lines().count();
            assert!(
                lines <= 600,
                "{path} has {lines} lines: look for the second noun"
            );
        }
    }
}
