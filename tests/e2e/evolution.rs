//! Definitions change while a lake lives: columns come and go, and mappings are replayed over the log.

use std::time::Duration;

use pipeline::{RunOptions, Summary};
use schemas::Schemas;
use simulator::{Change, Config};

use crate::truth::lake::{Lake, with_room};

const REPLAY: RunOptions = RunOptions {
    resources: None,
    full: false,
    reconcile: false,
    accept_deletes: false,
    dry_run: false,
    replay: true,
};

/// The definitions in the binary, with one column more in `unified.purchase_orders`, promoted from a custom field.
fn promoting(key: &str) -> Schemas {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table = "unified/purchase_orders";
    std::fs::create_dir_all(folder.path().join(table)).expect("the folder is writable");
    let change = |file: &str, from: &str, to: &str| {
        let path = format!("{table}/{file}");
        let whole = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let text = std::fs::read_to_string(whole.join(&path)).expect("it is there");
        assert_eq!(
            text.matches(from).count(),
            1,
            "{from} stands once in {path}"
        );
        std::fs::write(folder.path().join(&path), text.replace(from, to)).expect("it is writable");
    };
    change(
        "contract.toml",
        "[fields]\n",
        "[fields]\npromoted = { type = \"utf8\", null = true, doc = \"Our own field.\" }\n",
    );
    change(
        "coupa.purchase_orders.sql",
        "    _lineage\n",
        &format!("    json_text(custom_fields['{key}']) AS promoted,\n    _lineage\n"),
    );
    let schemas = Schemas::with_overlay(folder.path());
    schemas.expect("the overlay is sound")
}

fn keep_tables_of(lake: &Lake, mut schemas: Schemas) -> Schemas {
    schemas
        .tables
        .retain(|name, _| lake.schemas.tables.contains_key(name));
    schemas
        .report_tables
        .retain(|name, _| lake.schemas.report_tables.contains_key(name));
    schemas
}

fn of<'a>(summary: &'a Summary, table: &str) -> &'a pipeline::summary::TableSummary {
    let found = summary.tables.iter().find(|t| t.table == table);
    found.expect("the table is refreshed")
}

async fn count(lake: &Lake, sql: &str) -> usize {
    lake.query(sql).await.len()
}

#[test]
fn a_custom_field_becomes_a_column_without_asking_coupa() {
    with_room(|| async {
        let mut lake = Lake::of_tables_under_test(Config::for_tests(81, 0.02));
        lake.run(RunOptions::default()).await;
        let keys = lake
            .query(
                "SELECT min(key) AS key FROM \
                 (SELECT unnest(map_keys(custom_fields)) AS key FROM unified.purchase_orders)",
            )
            .await;
        let key = keys[0]["key"]
            .as_str()
            .expect("orders have custom fields")
            .to_owned();
        let rows = count(&lake, "SELECT id FROM unified.purchase_orders").await;
        // All but the new column, and what tells when a row was made.
        let others = "SELECT id, number, status, total_amount, line_items, custom_fields, _content_hash \
                      FROM unified.purchase_orders ORDER BY id";
        let before = lake.query(others).await;
        lake.schemas = keep_tables_of(&lake, promoting(&key));
        lake.coupa.clear_requests();

        let replayed = lake.run(REPLAY).await;
        assert!(
            lake.coupa.requests().is_empty(),
            "nothing is asked of the source"
        );
        assert!(replayed.resources.is_empty());
        let orders = of(&replayed, "unified.purchase_orders");
        assert_eq!(
            (orders.rows as usize, orders.updated as usize),
            (rows, rows)
        );
        let wrong = format!(
            "SELECT id FROM unified.purchase_orders \
             WHERE promoted IS DISTINCT FROM json_text(custom_fields['{key}'])"
        );
        assert_eq!(count(&lake, &wrong).await, 0);
        let filled = "SELECT id FROM unified.purchase_orders WHERE promoted IS NOT NULL";
        assert!(count(&lake, filled).await > 0);
        assert_eq!(lake.query(others).await, before);

        // And back: the column stays for who reads it, empty from now on.
        lake.schemas = keep_tables_of(&lake, Schemas::embedded().expect("they are sound"));
        lake.run(REPLAY).await;
        assert_eq!(count(&lake, filled).await, 0);
        assert_eq!(lake.query(others).await, before);
    });
}

#[test]
fn a_field_that_a_definition_gains_and_loses() {
    with_room(|| async {
        let mut lake = Lake::of_tables_under_test(Config::for_tests(82, 0.02));
        let whole = lake.schemas.clone();
        let field = "po_method";
        let suppliers = lake.schemas.resources.get_mut("suppliers");
        let suppliers = suppliers.expect("suppliers are defined");
        suppliers.fields.retain(|f| f.name != field);
        // Known and not wanted; a key that nobody knows would land in custom_fields.
        suppliers.documented.push(field.to_owned());
        lake.run(RunOptions::default()).await;
        let narrow = lake.schemas.clone();

        lake.schemas = whole;
        let change = || {
            lake.coupa.clock().advance(Duration::from_secs(3_600));
            lake.coupa.advance(&Change {
                changed_fraction: 0.3,
                ..Change::default()
            });
            lake.coupa.clock().advance(Duration::from_secs(60));
        };
        change();
        lake.run(RunOptions::default()).await;
        let with = format!("SELECT id FROM coupa.suppliers WHERE {field} IS NOT NULL");
        let gained = count(&lake, &with).await;
        assert!(gained > 0, "what is read from now on has the field");
        lake.must_equal(&lake.truth()).await;

        change();
        lake.schemas = narrow;
        lake.run(RunOptions::default()).await;
        assert_eq!(count(&lake, &with).await, gained, "history stays");
        lake.must_equal(&lake.truth()).await;
    });
}
