//! The worked identities of the mapping rules (mapping.md §6): one record each, through the real run.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use pipeline::{RunOptions, Summary};
use serde_json::{Value, json};
use simulator::Config;

use crate::truth::{
    RESOURCES, Row, Rows,
    lake::{CONNECTION, Lake, with_room},
};

/// The id of the records that hold nothing else.
const BARE: i64 = 995_000;

const TABLES: [&str; 15] = [
    "accounts",
    "currencies",
    "employees",
    "groups",
    "items",
    "users",
    "contacts",
    "invoice_lines",
    "invoice_line_allocations",
    "invoices",
    "purchase_order_line_allocations",
    "purchase_order_lines",
    "purchase_order_requisitions",
    "purchase_orders",
    "tracking_categories",
];

/// What the run made of the crafted records.
struct Seen {
    tables: BTreeMap<&'static str, Rows>,
    /// The source's suppliers as they are kept, record text included.
    raw_suppliers: Vec<Row>,
    summary: Summary,
}

/// Everything is crafted, run and read once; each test looks at its own record.
fn seen() -> &'static Seen {
    static SEEN: OnceLock<Option<Seen>> = OnceLock::new();
    let seen = SEEN.get_or_init(|| {
        let (send, receive) = std::sync::mpsc::channel();
        let run = move || {
            with_room(move || async move {
                let seen = run_over_crafted_records().await;
                send.send(seen).expect("the receiver waits");
            });
        };
        // A run that fails fails each test, but only once.
        let _ = std::panic::catch_unwind(run);
        receive.recv().ok()
    });
    seen.as_ref()
        .expect("the run over the crafted records failed, see its message")
}

async fn run_over_crafted_records() -> Seen {
    let mut lake = Lake::of_tables_under_test(Config::for_tests(21, 0.01));
    // Everything the tenant gives, so that what must not be kept does arrive.
    lake.job.payload = extract::Payload::Full;
    lake.run(RunOptions::default()).await;
    // The second run then reads the crafted records and no others.
    lake.coupa.clock().advance(Duration::from_secs(7_200));
    for (resource, record) in crafted() {
        lake.coupa.upsert(resource, &record);
    }
    let summary = lake.run(RunOptions::default()).await;
    // Records of nothing but an id, alone in their run: no mapping may stumble over what is missing.
    lake.coupa.clock().advance(Duration::from_secs(7_200));
    for resource in RESOURCES {
        lake.coupa.upsert(resource, &json!({ "id": BARE }));
    }
    lake.run(RunOptions::default()).await;
    let mut tables = BTreeMap::new();
    for table in TABLES {
        tables.insert(table, lake.rows(table).await);
    }
    let raw_suppliers = lake.query("SELECT * FROM coupa.suppliers").await;
    Seen {
        tables,
        raw_suppliers,
        summary,
    }
}

/// The records, with ids behind those of the tenant.
fn crafted() -> Vec<(&'static str, Value)> {
    let usd = json!({ "id": 1, "code": "USD" });
    let line = |members: Value| {
        let mut line = json!({
            "line-num": 1, "type": "InvoiceQuantityLine", "description": "Bolts", "currency": usd,
            "account": { "id": 1001, "code": "100-4100" }, "account-allocations": [],
        });
        line.as_object_mut()
            .expect("an object")
            .extend(members.as_object().expect("an object").clone());
        line
    };
    vec![
        (
            "requisitions",
            json!({
                "id": 990_001, "status": "foo", "currency": usd,
                "created-at": "2016-10-07T06:59:46-07:00",
                "need-by-date": "2026-03-01T00:00:00-08:00", "submitted-at": "2026-03-01T00:00:00-08:00",
            }),
        ),
        (
            "invoices",
            json!({
                "id": 990_002, "status": "approved", "paid": false, "document-type": "Invoice", "currency": usd,
                "gross-total": "100.00", "total-with-taxes": "100.00", "line-level-taxation": false,
                "payments": [{ "id": 1, "amount-paid": "30.00", "payment-date": "2026-02-01T00:00:00-08:00" }],
                "invoice-lines": [line(json!({ "id": 991_001, "quantity": "9.0", "price": "10.123456789012", "total": "100.00" }))],
            }),
        ),
        (
            "purchase_orders",
            json!({
                "id": 990_003, "po-number": "990003", "status": "closed", "currency": usd,
                "project2": { "id": 4711, "name": "Plant extension" },
                "order-lines": [{
                    "id": 991_002, "line-num": "1", "type": "OrderAmountLine", "description": "Extension",
                    "total": "100.00", "invoiced": "0.00", "received": "0.00", "currency": usd, "account": null,
                    "need-by-date": "2026-03-01T00:00:00-08:00",
                    "account-allocations": [
                        { "id": 1, "pct": "60.0", "amount": "60.00", "account": { "id": 1001, "code": "100-4100" } },
                        { "id": 2, "pct": "40.0", "amount": "40.00", "account": { "id": 1004, "code": "100-4200" } },
                    ],
                }],
            }),
        ),
        (
            "suppliers",
            json!({
                "id": 990_004, "name": "Talkative Ltd", "status": "active", "cxml-secret": "tell-no-one-1",
                "cxml-http-password": "tell-no-one-2", "coupa-connect-secret": "tell-no-one-3",
                "custom-fields": { "vault-password": "tell-no-one-4", "plain": "may be told" },
            }),
        ),
        (
            "lookup_values",
            json!({
                "id": 990_005, "name": "Leaf", "active": true, "parent-id": 101, "lookup-id": 1,
                "lookup": { "id": 1, "name": "Cost Object" }, "parent": { "id": 101, "name": "Cost Object 1" },
            }),
        ),
    ]
}

fn row(table: &str, key: &str) -> &'static Row {
    seen().tables[table]
        .get(key)
        .unwrap_or_else(|| panic!("{table} has no row {key}"))
}

fn check(table: &str, key: &str, column: &str, expected: Value) {
    assert_eq!(
        row(table, key)[column],
        expected,
        "{column} of {table} {key}"
    );
}

#[test]
fn a_need_by_date_is_the_day_as_written() {
    check(
        "purchase_order_requisitions",
        "990001",
        "delivery_date",
        json!("2026-03-01"),
    );
    check(
        "purchase_orders",
        "990003",
        "delivery_date",
        json!("2026-03-01"),
    );
    check(
        "purchase_order_lines",
        "990003/1",
        "need_by_date",
        json!("2026-03-01"),
    );
    // The same text, where an instant is meant.
    check(
        "purchase_order_requisitions",
        "990001",
        "submitted_at",
        json!("2026-03-01T08:00:00.000000Z"),
    );
}

#[test]
fn an_instant_is_moved_to_utc() {
    check(
        "purchase_order_requisitions",
        "990001",
        "created_at",
        json!("2016-10-07T13:59:46.000000Z"),
    );
}

#[test]
fn a_price_is_rounded_at_the_ninth_place_and_counted() {
    check(
        "invoice_lines",
        "990002/1",
        "unit_price",
        json!("10.123456789"),
    );
    let invoices = seen()
        .summary
        .resources
        .iter()
        .find(|r| r.resource == "invoices")
        .expect("invoices were read");
    assert_eq!(invoices.rounded, 1);
}

#[test]
fn a_split_line_has_no_account_of_its_own() {
    let line = row("purchase_order_lines", "990003/1");
    assert_eq!(
        (&line["account_id"], &line["is_split"]),
        (&Value::Null, &json!(true))
    );
    check(
        "purchase_orders",
        "990003",
        "total_amount",
        json!("100.000000000"),
    );
    let amounts: Vec<&Value> = line["allocations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|share| &share["amount"])
        .collect();
    assert_eq!(amounts, [&json!("60.000000000"), &json!("40.000000000")]);
    let exploded = [1, 2].map(|n| row("purchase_order_line_allocations", &format!("990003/1/{n}")));
    assert_eq!(
        exploded.map(|share| share["amount"].clone()),
        [json!("60.000000000"), json!("40.000000000")]
    );
    assert_eq!(
        exploded.map(|share| share["pct"].clone()),
        [json!("60.0000000000"), json!("40.0000000000")]
    );
    // A line that is not split stands as one share of a hundred percent.
    let whole = row("invoice_line_allocations", "990002/1/1");
    assert_eq!(
        (&whole["amount"], &whole["pct"]),
        (&json!("100.000000000"), &json!("100.0000000000"))
    );
    assert_eq!(
        (&whole["account_id"], &whole["is_synthetic"]),
        (&json!("1001"), &json!(true))
    );
}

#[test]
fn an_approved_invoice_with_a_payment_is_partially_paid() {
    check("invoices", "990002", "status", json!("authorised"));
    check(
        "invoices",
        "990002",
        "payment_status",
        json!("partially_paid"),
    );
    check("invoices", "990002", "amount_paid", json!("30.000000000"));
    check("invoices", "990002", "balance", json!("70.000000000"));
}

#[test]
fn a_closed_order_is_billed_even_if_nothing_was_invoiced() {
    check("purchase_orders", "990003", "status", json!("billed"));
    check(
        "purchase_orders",
        "990003",
        "amount_invoiced",
        json!("0.000000000"),
    );
}

#[test]
fn an_unknown_status_is_null_beside_the_source_s_word() {
    check(
        "purchase_order_requisitions",
        "990001",
        "status",
        Value::Null,
    );
    check(
        "purchase_order_requisitions",
        "990001",
        "remote_status",
        json!("foo"),
    );
    // It is the only one that has no word of ours.
    let unmapped = seen().tables["purchase_order_requisitions"].values();
    let unmapped =
        unmapped.filter(|row| row["status"].is_null() && !row["remote_status"].is_null());
    assert_eq!(unmapped.count(), 1);
}

#[test]
fn a_key_of_the_customer_s_own_is_a_custom_field_and_is_reported() {
    let own = &row("purchase_orders", "990003")["custom_fields"];
    assert_eq!(
        own["project2"],
        json!({ "id": 4711, "name": "Plant extension" })
    );
    let orders = seen()
        .summary
        .resources
        .iter()
        .find(|r| r.resource == "purchase_orders")
        .expect("orders were read");
    assert!(
        orders.drift.iter().any(|drift| drift.path == "project2"),
        "{:?}",
        orders.drift
    );
}

#[test]
fn a_supplier_s_secrets_are_kept_nowhere() {
    let kept = seen()
        .raw_suppliers
        .iter()
        .find(|row| row["id"] == json!(990_004))
        .expect("the supplier landed");
    let unified = row("contacts", "990004");
    for row in [kept, unified] {
        let text = Value::Object(row.clone()).to_string();
        assert!(!text.contains("tell-no-one"), "a secret was kept: {text}");
        assert!(text.contains("may be told"), "what is no secret is kept");
    }
    let all: String = seen()
        .raw_suppliers
        .iter()
        .map(|row| Value::Object(row.clone()).to_string())
        .collect();
    assert!(
        !all.contains("not-a-real-secret"),
        "a secret of the tenant's own suppliers was kept"
    );
}

#[test]
fn a_value_of_a_look_up_knows_the_value_above_it() {
    check(
        "tracking_categories",
        "lookup_value:990005",
        "parent_category_id",
        json!("lookup_value:101"),
    );
    check(
        "tracking_categories",
        "lookup_value:990005",
        "parent_name",
        json!("Cost Object 1"),
    );
}

#[test]
fn a_record_of_nothing_but_its_id_is_mapped() {
    let documents = ["invoices", "purchase_orders", "purchase_order_requisitions"];
    let others = [
        "accounts",
        "contacts",
        "currencies",
        "employees",
        "groups",
        "items",
        "users",
    ];
    for table in documents.into_iter().chain(others) {
        check(table, &BARE.to_string(), "connection_id", json!(CONNECTION));
        check(table, &BARE.to_string(), "remote_status", Value::Null);
    }
    for kind in ["department", "project", "content_group", "lookup_value"] {
        check(
            "tracking_categories",
            &format!("{kind}:{BARE}"),
            "name",
            Value::Null,
        );
    }
}
