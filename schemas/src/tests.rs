//! Definitions as they are, and as they must not be.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::files::Files;
use crate::{ColumnKind, Field, Kind, Refresh, Resource, SchemaError, Schemas};

#[test]
fn every_embedded_definition_reads() {
    let schemas = Schemas::embedded().expect("the embedded definitions read");
    for resource in schemas.resources.values() {
        assert_eq!(resource.path, format!("/api/{}", resource.name));
        assert!(resource.scope.ends_with(".read"), "{}", resource.name);
        assert!(!resource.doc.is_empty(), "{}", resource.name);
    }
    assert!(schemas.resources.contains_key("purchase_orders"));
}

#[test]
fn every_sample_is_an_array_of_records_with_the_key() {
    for (name, resource) in Schemas::embedded().expect("reads").resources {
        let sample: Value = serde_json::from_str(&resource.sample).expect(&name);
        let records = sample.as_array().expect(&name);
        assert!(records.len() >= 2, "{name} has {} records", records.len());
        for record in records {
            assert!(record[&resource.key].is_i64(), "{name} without its key");
        }
    }
}

#[test]
fn every_key_of_a_sample_is_declared_documented_or_kept_as_a_custom_field() {
    // The customer's own names that the samples use on purpose, at the root of records and lines.
    let own = [
        "gl",
        "legacy_code",
        "kreditor",
        "contract_type_custom_field_1",
        "team",
        "cost_bearer",
        "project2",
        "custom_field_1",
        "seat",
        "gpo_entity",
    ];
    for (name, resource) in Schemas::embedded().expect("reads").resources {
        let sample: Value = serde_json::from_str(&resource.sample).expect(&name);
        for record in sample.as_array().expect(&name) {
            let mut unknown = Vec::new();
            let level = Level {
                fields: &resource.fields,
                documented: &resource.documented,
            };
            level.unknown_keys(record, &mut unknown);
            unknown.retain(|key| !own.contains(&key.as_str()));
            assert!(unknown.is_empty(), "{name}: {unknown:?}");
        }
    }
}

/// A level that keeps custom fields: the record, or a line of it.
struct Level<'a> {
    fields: &'a [Field],
    documented: &'a [String],
}

impl Level<'_> {
    fn unknown_keys(&self, value: &Value, unknown: &mut Vec<String>) {
        for (key, value) in value.as_object().expect("a record is an object") {
            let key = key.replace('-', "_");
            match self.fields.iter().find(|field| field.name == key) {
                Some(field) => lines(&field.kind, value, unknown),
                None if key == "custom_fields" || self.documented.contains(&key) => {}
                None => unknown.push(key),
            }
        }
    }
}

fn lines(kind: &Kind, value: &Value, unknown: &mut Vec<String>) {
    if let Kind::List(item) = kind
        && let Kind::Object {
            fields,
            documented,
            custom_fields: true,
        } = &**item
    {
        for line in value.as_array().expect("lines are a list") {
            Level { fields, documented }.unknown_keys(line, unknown);
        }
    }
}

#[test]
fn fields_keep_the_order_of_the_file_and_their_shape() {
    let text = r#"
        # What it is.
        path = "/api/things"
        scope = "core.thing.read"
        key = "id"
        watermark = "updated_at"
        query = { show_deleted_lines = "true" }
        documented = ["pcard"]
        [fields]
        zeta = "utf8"
        id = "int64"
        updated_at = "timestamp"
        tags = ["utf8"]
        [[fields.lines]]
        pct = "decimal(16, 10)"
        account = { code = "utf8" }
        custom_fields = "map"
        documented = ["uom"]
    "#;
    let text = text.replace("\n        ", "\n").trim_start().to_owned();
    let resource = one_resource(&text).expect("reads");
    let names: Vec<&str> = resource.fields.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["zeta", "id", "updated_at", "tags", "lines"]);
    assert_eq!(resource.doc, "What it is.");
    assert_eq!(resource.query["show_deleted_lines"], "true");
    assert_eq!(resource.documented, ["pcard"]);
    assert_eq!(
        resource.fields[3].kind,
        Kind::List(Box::new(Kind::Utf8)),
        "a list of scalars"
    );
    let account = Kind::Object {
        fields: vec![field("code", Kind::Utf8)],
        documented: Vec::new(),
        custom_fields: false,
    };
    let pct = Kind::Decimal {
        precision: 16,
        scale: 10,
    };
    let line = Kind::Object {
        fields: vec![field("pct", pct), field("account", account)],
        documented: vec!["uom".to_owned()],
        custom_fields: true,
    };
    assert_eq!(resource.fields[4].kind, Kind::List(Box::new(line)));
}

#[test]
fn a_wrong_resource_is_refused_with_its_place_and_the_nearest_word() {
    let good = [
        "# Things.",
        "path = \"/api/things\"",
        "scope = \"core.thing.read\"",
        "key = \"id\"",
        "",
        "[fields]",
        "id = \"int64\"",
    ];
    let check = |line: usize, text: &str, expected: &str| {
        let mut lines = good.map(str::to_owned);
        lines[line - 1] = text.to_owned();
        let error = one_resource(&lines.join("\n")).expect_err(text);
        assert_eq!(
            error.to_string(),
            format!("coupa/things.toml:{line}: {expected}")
        );
    };
    check(
        5,
        "watermrk = \"id\"",
        "unknown key \"watermrk\", did you mean \"watermark\"?",
    );
    check(
        5,
        "watermark = \"id\"",
        "the watermark is a timestamp field",
    );
    check(
        4,
        "key = \"idd\"",
        "unknown field \"idd\", did you mean \"id\"?",
    );
    check(2, "path = \"/things\"", "path begins with \"/api/\"");
    check(3, "scope = 7", "expected a string, found an integer");
    check(
        1,
        "",
        "the file begins with a comment that says what it holds",
    );
    check(
        7,
        "id = \"int46\"",
        "unknown type \"int46\", did you mean \"int64\"?",
    );
    check(
        7,
        "id = \"decimal(39, 9)\"",
        "unknown type \"decimal(39, 9)\", did you mean \"decimal(38, 9)\"?",
    );
    check(
        7,
        "id = \"float\"",
        "unknown type \"float\", allowed are int64, utf8, bool, date, timestamp, json, decimal(38, 9)",
    );
    check(7, "Id-x = \"utf8\"", "field \"Id-x\" is not in snake case");
    check(
        7,
        "id = [\"utf8\", \"utf8\"]",
        "a list gives the shape of one item, no more and no less",
    );
    check(
        7,
        "id = { a = \"utf8\", custom_fields = \"list\" }",
        "custom_fields is \"map\" or left out",
    );
    check(
        7,
        "custom_fields = \"map\"",
        "a record always keeps its custom fields, leave \"custom_fields\" out here",
    );
    check(
        5,
        "documented = [\"id\"]",
        "\"id\" is declared as a field, so it is not left out",
    );
}

#[test]
fn an_overlay_replaces_adds_and_moves_the_fingerprint() {
    let embedded = Schemas::embedded().expect("reads");
    let replaced = "# Ours.\npath = \"/api/projects\"\nscope = \"core.project.read\"\nkey = \"id\"\n\
        [fields]\nid = \"int64\"\ncode_name = \"utf8\"\n";
    let dir = folder(&[
        ("coupa/projects.toml", replaced),
        ("coupa/things.toml", &replaced.replace("projects", "things")),
        ("coupa/things.sample.json", "[]"),
        ("reports/ours.sql", "-- Our question.\nSELECT 1\n"),
        ("notes.md", "passed over"),
    ]);
    let laid = Schemas::with_overlay(dir.path()).expect("reads");
    assert!(laid.resources["projects"].field("code_name").is_some());
    assert_eq!(laid.resources["things"].path, "/api/things");
    assert_eq!(laid.reports["ours"].doc, "Our question.");
    assert_eq!(laid.resources.len(), embedded.resources.len() + 1);
    assert_eq!(
        laid.resources["projects"].sample,
        embedded.resources["projects"].sample
    );
    assert_ne!(laid.fingerprint(), embedded.fingerprint());
    assert_eq!(laid.fingerprint().len(), 64);

    let same = Schemas::with_overlay(folder(&[]).path()).expect("reads");
    assert_eq!(same.fingerprint(), embedded.fingerprint());
    assert!(
        laid.files()
            .any(|(path, text)| path == "coupa/projects.toml" && text == replaced)
    );
}

#[test]
fn all_problems_of_an_overlay_are_told_at_once() {
    let dir = folder(&[
        ("coupa/projects.toml", "path = 1"),
        ("coupa/new.toml", "# New."),
        ("reports/bare.sql", "SELECT 1"),
        ("reports/deep/er.sql", "SELECT 1"),
    ]);
    let error = Schemas::with_overlay(dir.path()).expect_err("four problems");
    let files: Vec<&str> = error.problems.iter().map(|p| p.file.as_str()).collect();
    assert_eq!(
        files,
        [
            "coupa/new.sample.json",
            "coupa/projects.toml",
            "reports/bare.sql",
            "reports/deep/er.sql"
        ]
    );
    let missing = Schemas::with_overlay(Path::new("/no/such/folder")).expect_err("no folder");
    assert!(missing.to_string().starts_with("/no/such/folder: "));
}

const RESOURCE: &str =
    "# Things.\npath = \"/api/x\"\nscope = \"s\"\nkey = \"id\"\n[fields]\nid = \"int64\"\n";

const COMMON: &str = r#"
[columns]
connection_id = { type = "utf8", doc = "The instance.", stamped = true }
status        = { type = "utf8", null = true, doc = "Any table's status." }
[structs.note]
by = "list<who>"
[structs.who]
id = "utf8"
"#;

const CONTRACT: &str = r#"doc = "Things."
key = ["connection_id", "id"]
version = "at"
partition = { month = "at" }
[fields]
id = { type = "utf8", doc = "Its id." }
status = { type = "utf8", null = true, doc = "Ours.", values = ["open", "shut"] }
at = { type = "timestamp", doc = "When." }
price = { type = "decimal(38, 9)", null = true, unit = "currency", doc = "How much." }
notes = { type = "list<note>", null = true, pii = true, doc = "What was said." }
parts = { type = "list<part>", null = true, doc = "Of what." }
[structs.part]
who = "who"
tags = "map"
[mappings."coupa.projects.sums"]
refresh = "full"
"#;

#[test]
fn a_table_has_common_and_own_columns_mappings_and_words() {
    let schemas = table_folder(CONTRACT, &[]).expect("reads");
    let table = &schemas.tables["things"];
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "connection_id",
            "status",
            "id",
            "at",
            "price",
            "notes",
            "parts"
        ]
    );
    assert_eq!(table.replace_by, table.key);
    assert_eq!(
        table.partition.as_ref().map(|p| p.column.as_str()),
        Some("at")
    );
    let status = table.column("status").expect("own stands for common");
    assert_eq!(status.values, ["open", "shut"]);
    assert!(table.column("connection_id").expect("common").stamped);
    let who = ColumnKind::Struct(vec![("id".to_owned(), ColumnKind::Utf8)]);
    let part = ColumnKind::Struct(vec![
        ("who".to_owned(), who),
        ("tags".to_owned(), ColumnKind::Map),
    ]);
    let parts = &table.column("parts").expect("own").kind;
    assert_eq!(*parts, ColumnKind::List(Box::new(part)));

    let mappings: Vec<_> = table
        .mappings
        .iter()
        .map(|m| (&*m.name, m.refresh))
        .collect();
    assert_eq!(
        mappings,
        [
            ("coupa.projects", Refresh::Changed),
            ("coupa.projects.sums", Refresh::Full)
        ]
    );
    assert_eq!(table.mappings[1].source, "coupa.projects");
    assert_eq!(table.mappings[0].when["coupa.departments"], "SELECT 3");
    assert_eq!(table.words[0].name, "things_status");
}

#[test]
fn a_wrong_table_is_refused_with_its_place_and_the_nearest_word() {
    let check = |from: &str, to: &str, files: &[(&str, &str)], expected: &str| {
        let error = table_folder(&CONTRACT.replace(from, to), files).expect_err(expected);
        let text = error.to_string();
        assert_eq!(text, format!("unified/things/{expected}"));
    };
    check(
        "version = \"at\"",
        "version = \"art\"",
        &[],
        "contract.toml:3: unknown column \"art\", did you mean \"at\"?",
    );
    check(
        "list<note>",
        "list<nota>",
        &[],
        "contract.toml:10: unknown type \"nota\", did you mean \"note\"?",
    );
    check(
        "list<note>",
        "list<note",
        &[],
        "contract.toml:10: type \"list<note\" has no closing \">\"",
    );
    check(
        "who = \"who\"",
        "who = \"part\"",
        &[],
        "contract.toml:13: unknown type \"part\", allowed are utf8, int8, int32, int64, bool, date, \
         timestamp, decimal(38, 9), binary, map, list<utf8>, note, who",
    );
    check(
        "id = { type = \"utf8\",",
        "id = { type = \"utf8\", null = true,",
        &[],
        "contract.toml:2: key column \"id\" may not be null",
    );
    check(
        "month = \"at\"",
        "month = \"id\"",
        &[],
        "contract.toml:4: column \"id\" is no date or timestamp",
    );
    check(
        "refresh = \"full\"",
        "refresh = \"ful\"",
        &[],
        "contract.toml:16: unknown refresh \"ful\", did you mean \"full\"?",
    );
    check(
        "",
        "",
        &[("coupa.project.sql", "SELECT 1")],
        "coupa.project.sql: unknown source \"coupa.project\", did you mean \"coupa.projects\"?",
    );
    check(
        "",
        "",
        &[("status.csv", "a,b\n1,2\n3\n")],
        "status.csv:3: 1 cells in a table of 2 columns",
    );
    check(
        "",
        "",
        &[("coupa.projects.sum.when.coupa.users.sql", "SELECT 1")],
        "coupa.projects.sum.when.coupa.users.sql: unknown mapping \"coupa.projects.sum\", \
         did you mean \"coupa.projects\"?",
    );
}

/// A set of definitions with one table, and three resources to map from.
fn table_folder(contract: &str, files: &[(&str, &str)]) -> Result<Schemas, SchemaError> {
    let mut all = vec![
        ("unified/common.toml".to_owned(), COMMON),
        ("unified/things/contract.toml".to_owned(), contract),
        ("unified/things/coupa.projects.sql".to_owned(), "SELECT 1"),
        (
            "unified/things/coupa.projects.sums.sql".to_owned(),
            "SELECT 2",
        ),
        (
            "unified/things/coupa.projects.when.coupa.departments.sql".to_owned(),
            "SELECT 3",
        ),
        (
            "unified/things/coupa.projects.golden".to_owned(),
            "not ours",
        ),
        (
            "unified/things/status.csv".to_owned(),
            "remote,status\na,b\n",
        ),
    ];
    for (name, text) in files {
        all.push((format!("unified/things/{name}"), text));
    }
    for name in ["projects", "departments", "users"] {
        all.push((format!("coupa/{name}.toml"), RESOURCE));
        all.push((format!("coupa/{name}.sample.json"), "[]"));
    }
    let all: Vec<(&str, &str)> = all.iter().map(|(path, text)| (&**path, *text)).collect();
    alone(&folder(&all))
}

fn one_resource(text: &str) -> Result<Resource, SchemaError> {
    let dir = folder(&[
        ("coupa/things.toml", text),
        ("coupa/things.sample.json", "[]"),
    ]);
    let mut schemas = alone(&dir)?;
    Ok(schemas.resources.remove("things").expect("laid over"))
}

/// The definitions of a folder, with nothing below them.
fn alone(dir: &TempDir) -> Result<Schemas, SchemaError> {
    Schemas::read(Files::default().overlaid(dir.path())?)
}

fn field(name: &str, kind: Kind) -> Field {
    Field {
        name: name.to_owned(),
        kind,
    }
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    dir
}
