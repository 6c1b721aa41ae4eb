//! Runs after the first: nothing changes when nothing changed, and only what changed is asked for and rewritten.

use std::{collections::BTreeMap, time::Duration};

use pipeline::{RunOptions, Summary};
use serde_json::{Value, json};
use simulator::{Change, Changed, Config, RequestRecord};

use crate::truth::{
    Truth, expected,
    lake::{Lake, with_room},
};

/// Resources that tell when a record changed, among those whose tables are compared.
const WATERMARKED: [&str; 12] = [
    "accounts",
    "invoices",
    "items",
    "lookup_values",
    "projects",
    "purchase_orders",
    "requisitions",
    "supplier_items",
    "suppliers",
    "user_group_memberships",
    "user_groups",
    "users",
];
const PAGE_ROWS: usize = 50;

/// One lake through a quiet run, a day of changes, and a quiet run again.
#[test]
fn runs_after_the_first_follow_what_changed_and_no_more() {
    with_room(|| async {
        let lake = Lake::of_tables_under_test(Config::for_tests(12, 0.05));
        let first = lake.run(RunOptions::default()).await;
        let all_rows = window_rows(&lake.coupa.requests()).values().sum::<usize>();
        lake.coupa.clear_requests();

        let second = lake.run(RunOptions::default()).await;
        nothing_was_written(&first, &second);
        let requests = lake.coupa.requests();
        only_windows_were_asked_for(&requests);
        // What the overlap of two windows shows again.
        let again = window_rows(&requests).values().sum::<usize>();
        assert!(
            again * 10 < all_rows,
            "{again} records were read again, of {all_rows}"
        );

        let before = lake.truth();
        lake.coupa.clock().advance(Duration::from_secs(3_600));
        let changed = lake.coupa.advance(&Change {
            changed_fraction: 0.05,
            new_fraction: 0.03,
            deleted_fraction: 0.02,
            ..Change::default()
        });
        assert!(
            changed.deleted.values().any(|ids| !ids.is_empty()),
            "something is deleted"
        );
        lake.coupa.clock().advance(Duration::from_secs(60));
        lake.coupa.clear_requests();
        let sweeping = RunOptions {
            reconcile: true,
            ..RunOptions::default()
        };
        let third = lake.run(sweeping.clone()).await;
        let requests = lake.coupa.requests();
        only_windows_were_asked_for(&requests);
        the_reading_was_in_proportion(&requests, &changed);
        the_writing_was_in_proportion(&first, &third, &changed);
        lake.must_equal(&after(&before, lake.truth())).await;

        // And once more nothing, the deleted ones included.
        let fourth = lake.run(sweeping).await;
        nothing_was_written(&third, &fourth);
    });
}

fn nothing_was_written(before: &Summary, now: &Summary) {
    for table in &now.tables {
        let before = before.tables.iter().find(|t| t.table == table.table);
        let before = before.expect("the same tables");
        assert_eq!(
            (
                table.version,
                table.rows,
                table.inserted,
                table.updated,
                table.deleted
            ),
            (before.version, before.rows, 0, 0, 0),
            "{} was rewritten although nothing changed",
            table.table
        );
    }
    let changed: Vec<_> = now
        .resources
        .iter()
        .filter(|r| r.changed + r.deleted > 0)
        .collect();
    assert!(changed.is_empty(), "{changed:#?}");
}

/// Turn after turn the lake follows, where records change that others only refer to, too.
#[test]
fn what_hangs_on_a_changed_record_follows_it() {
    with_room(|| async {
        let lake = Lake::of_tables_under_test(Config::for_tests(13, 0.03));
        lake.run(RunOptions::default()).await;
        let mut truth = lake.truth();
        for turn in 0..2 {
            lake.coupa.clock().advance(Duration::from_secs(86_400));
            lake.coupa.advance(&Change {
                changed_fraction: 0.1,
                new_fraction: 0.05,
                deleted_fraction: 0.05,
                ..Change::default()
            });
            if turn == 1 {
                change_what_is_referred_to(&lake, &truth);
            }
            lake.run(RunOptions {
                reconcile: true,
                ..RunOptions::default()
            })
            .await;
            truth = after(&truth, lake.truth());
        }
        lake.must_equal(&truth).await;
    });
}

/// Renames a chart of accounts, deletes an order that was billed and an invoice that a credit note corrects: what
/// refers to them does not change at the source.
fn change_what_is_referred_to(lake: &Lake, truth: &Truth) {
    lake.coupa.upsert(
        "account_types",
        &json!({ "id": 2, "name": "ACME Europe SE" }),
    );
    let rows = expected(truth);
    let first = |column: &str| {
        let values = rows["invoices"]
            .values()
            .filter(|row| row["is_deleted"] == false);
        let texts = values.filter_map(|row| match &row[column] {
            Value::String(id) => Some(id.clone()),
            Value::Array(ids) => ids.first()?.as_str().map(str::to_owned),
            _ => None,
        });
        let id = texts
            .min()
            .unwrap_or_else(|| panic!("some invoice has {column}"));
        id.parse::<i64>().expect("an id is a number")
    };
    let (invoice, order) = (first("original_invoice_id"), first("purchase_order_ids"));
    assert!(lake.coupa.delete("invoices", invoice) && lake.coupa.delete("purchase_orders", order));
}

/// The truth now, with the last form of everything that has gone since.
fn after(before: &Truth, mut now: Truth) -> Truth {
    for (resource, records) in &before.now {
        let there = |record: &&Value| {
            now.records(resource)
                .iter()
                .any(|other| other["id"] == record["id"])
        };
        let gone: Vec<Value> = records
            .iter()
            .filter(|record| !there(record))
            .cloned()
            .collect();
        let mut all = before.gone.get(resource).cloned().unwrap_or_default();
        all.extend(gone);
        now.gone.insert(resource.clone(), all);
    }
    now
}

fn resource(request: &RequestRecord) -> Option<&str> {
    request.path.strip_prefix("/api/")
}

fn parameter<'r>(request: &'r RequestRecord, name: &str) -> Option<&'r str> {
    request
        .query
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// The look at the newest record before each read.
fn is_probe(request: &RequestRecord) -> bool {
    parameter(request, "limit") == Some("1")
}

/// A list of nothing but ids and stamps, to find what is gone.
fn is_sweep(request: &RequestRecord) -> bool {
    let fields = parameter(request, "fields")
        .and_then(|fields| serde_json::from_str::<Vec<Value>>(fields).ok());
    fields.is_some_and(|names| {
        names.iter().all(|name| {
            name == "id"
                || name == "updated_at"
                || name.get("custom_fields").is_some()
                || name.get("custom-fields").is_some()
        })
    })
}

/// Reads of whole records of resources that tell when they changed.
fn windows(requests: &[RequestRecord]) -> impl Iterator<Item = &RequestRecord> {
    let watermarked = |request: &&RequestRecord| {
        resource(request).is_some_and(|name| WATERMARKED.contains(&name))
    };
    requests
        .iter()
        .filter(watermarked)
        .filter(|request| !is_probe(request) && !is_sweep(request))
}

fn window_rows(requests: &[RequestRecord]) -> BTreeMap<String, usize> {
    let mut rows = BTreeMap::new();
    for request in windows(requests) {
        *rows
            .entry(resource(request).expect("it has one").to_owned())
            .or_default() += request.rows;
    }
    rows
}

fn only_windows_were_asked_for(requests: &[RequestRecord]) {
    let mut asked = 0;
    for request in windows(requests) {
        asked += 1;
        let since = parameter(request, "updated-at[gt_or_eq]")
            .or(parameter(request, "updated_at[gt_or_eq]"));
        assert!(
            since.is_some(),
            "{} was asked for without a window: {:?}",
            request.path,
            request.query
        );
    }
    assert!(
        asked >= WATERMARKED.len(),
        "only {asked} windows were asked for"
    );
}

fn the_reading_was_in_proportion(requests: &[RequestRecord], changed: &Changed) {
    for (name, rows) in window_rows(requests) {
        let touched = records_changed(changed, &name);
        assert!(
            rows <= 3 * touched + PAGE_ROWS,
            "{rows} records of {name} were read, {touched} had changed"
        );
        let pages = windows(requests)
            .filter(|request| resource(request) == Some(&name))
            .count();
        let needed = touched.div_ceil(PAGE_ROWS);
        assert!(
            pages <= 3 * needed + 8,
            "{pages} pages of {name} were read for {touched} changes"
        );
    }
}

fn records_changed(changed: &Changed, resource: &str) -> usize {
    let kinds = [&changed.edited, &changed.created, &changed.touched];
    kinds
        .iter()
        .filter_map(|kind| kind.get(resource))
        .map(Vec::len)
        .sum()
}

/// No table was rewritten whole: what was put in or replaced is near what changed.
fn the_writing_was_in_proportion(first: &Summary, second: &Summary, changed: &Changed) {
    let count = |summary: &Summary, table: &str| {
        let found = summary
            .tables
            .iter()
            .find(|t| t.table == format!("unified.{table}"));
        found.map_or((0, 0), |t| (t.rows, t.inserted + t.updated))
    };
    let tables = [
        ("suppliers", "contacts"),
        ("accounts", "accounts"),
        ("requisitions", "purchase_order_requisitions"),
    ];
    for (resource, table) in tables {
        let touched = records_changed(changed, resource) as u64;
        let gone = changed
            .deleted
            .get(resource)
            .map_or(0, |ids| ids.len() as u64);
        let ((before, _), (_, written)) = (count(first, table), count(second, table));
        assert!(
            written > 0 && written < before,
            "{table}: {written} of {before} rows were written"
        );
        // Exchange rates and charts of accounts bring in rows of their own.
        let most = if table == "purchase_order_requisitions" {
            before
        } else {
            touched + gone
        };
        assert!(
            written <= most,
            "{table}: {written} rows were written for {touched} changes and {gone} deletions"
        );
    }
}
