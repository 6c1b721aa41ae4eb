//! What the tenant's generated records never show: fields that are seldom filled, missing sums, odd spellings.
//!
//! Laid over some of its records, so that every column that can be filled is filled somewhere, and every second
//! choice of a rule is taken somewhere.

use serde_json::{Value, json};
use simulator::Running;

/// Lays rare values over the first records of each resource.
pub fn lay_over(coupa: &Running) {
    invoices(coupa);
    orders(coupa);
    requisitions(coupa);
    people(coupa);
    suppliers(coupa);
    others(coupa);
}

/// Lays `patch` over the record at `place`, by id, of a resource.
fn lay(coupa: &Running, resource: &str, place: usize, mut patch: Value) {
    patch["id"] = coupa.truth(resource)[place]["id"].clone();
    coupa.upsert(resource, &patch);
}

/// The record at a place, to be laid over itself in part.
fn lines(coupa: &Running, resource: &str, place: usize, key: &str) -> Vec<Value> {
    coupa.truth(resource)[place][key]
        .as_array()
        .expect("documents have lines")
        .clone()
}

fn invoices(coupa: &Running) {
    let mut rare = lines(coupa, "invoices", 0, "invoice-lines").remove(0);
    for (key, value) in [
        ("sub-line-num", json!(3)),
        ("supp-aux-part-num", json!("AUX-1")),
        ("source-part-num", json!(" ")),
        ("order-line-source-part-num", json!("of-the-order")),
        ("deductibility", json!("partially_deductible")),
        ("tax-description", json!("Import VAT")),
        ("match-reference", json!("GR-77")),
        (
            "original-date-of-supply",
            json!("2025-12-31T00:00:00-08:00"),
        ),
        ("tax-amount", Value::Null),
        ("status", json!("Partially Matched")),
        (
            "withholding-tax-lines",
            json!([{ "id": 1, "amount": "1.25" }, { "id": 2, "withholding-amount": "0.75" }]),
        ),
        (
            "tax-lines",
            json!([
                { "id": 9, "amount": "2.50", "rate": 12.5, "base": "20.00" },
                { "id": 8, "amount": "0.0000000005", "rate": "7.1234567891", "basis": "3.00", "type": "city" },
            ]),
        ),
    ] {
        rare[key] = value;
    }
    // Without a type, and without a total: pieces times price; and a sum in a line that is not numbered.
    let counted = json!({
        "id": 990_001, "line-num": 10, "quantity": "3.0", "price": "0.33333333333", "description": "counted",
    });
    let summed =
        json!({ "id": 990_002, "line-num": "x", "price": "12.5", "description": "summed" });
    lay(
        coupa,
        "invoices",
        0,
        json!({
            "series": "A", "payment-method": "ach", "shipping-term": { "id": 4, "code": "DAP" }, "status": "Save As Draft",
            "image-scan-url": "https://scans.example/1", "withholding-tax-override": "0.00", "gross-total": null,
            "withholding-tax-lines": [], "tax-amount": null, "line-level-taxation": false, "exchange-rate": null,
            "invoice-lines": [summed, counted, rare],
            "internal-note": " ", "comments": "second choice", "supplier-note": "as is ",
            "payments": [
                { "id": 2, "amount-paid": "1.00", "payment-date": "2026-01-02T00:00:00-08:00", "check-number": "C2" },
                { "id": 1, "amount-paid": "2.00", "payment-date": "2026-01-01T00:00:00-08:00", "notes": "N1" },
            ],
            "payment-date": null,
            "attachments": [{ "id": 5, "text": "a remark" }, { "id": 4, "url": "https://files.example/4" }],
        }),
    );
    lay(
        coupa,
        "invoices",
        1,
        json!({ "canceled": true, "document-type": null, "is-credit-note": true, "withholding-tax-override": "5.00" }),
    );
    lay(
        coupa,
        "invoices",
        2,
        json!({ "status": "foo", "paid": false, "document-type": "Debit Memo", "payments": null }),
    );
    lay(
        coupa,
        "invoices",
        3,
        json!({ "status": "bar", "paid": true, "invoice-lines": [], "payments": [] }),
    );
    lay(
        coupa,
        "invoices",
        4,
        json!({
            "line-level-taxation": true,
            "shipping-amount": "0.00", "handling-amount": null, "misc-amount": "4.00",
            "invoice-charges": [
                { "id": 3, "type": "InvoiceMiscCharge", "total": "9.00", "line-num": 3 },
                { "id": 2, "type": "InvoiceShippingCharge", "total": "7.00", "line-num": 3, "account": null,
                  "account-allocations": [{ "id": 1, "pct": "100.0", "amount": "7.00", "account": { "id": 1001, "code": "c" } }],
                  "tax-lines": [{ "id": 1, "amount": "0.70", "tax-code": { "id": 1, "code": "T1", "description": "d" } }] },
                { "id": 1, "type": "Surcharge", "total": "1.00", "line-num": 12 },
            ],
        }),
    );
}

fn orders(coupa: &Running) {
    let mut lines = lines(coupa, "purchase_orders", 0, "order-lines");
    lines[0]["sub-line-num"] = json!(2);
    lines[0]["supp-aux-part-num"] = json!("AUX-2");
    lines[0]["total-invoiced"] = json!("77.77");
    lines[0]["accounting-total-currency"] = json!({ "id": 3, "code": "EUR" });
    lines.push(json!({
        "id": 1, "line-num": "1", "sub-line-num": 1, "type": "OrderAmountLine", "price": "3.00", "status": "Canceled",
        "need-by-date": "2027-01-31T00:00:00-08:00", "department": { "id": 1, "name": "Finance" },
    }));
    let patch = json!({
        "shipping-term": { "id": 4, "code": "DAP" }, "total": null, "po-number": " ", "requisition-header": null,
        "ship-to-attention": "", "ship-to-address": { "attention": "Gate 4", "street3": "third" },
        "order-lines": lines,
    });
    lay(coupa, "purchase_orders", 0, patch);
    let bare = json!({ "status": "on the moon", "order-lines": [], "total": null, "ship-to-address": null });
    lay(coupa, "purchase_orders", 1, bare);
}

fn requisitions(coupa: &Running) {
    let mut lines = lines(coupa, "requisitions", 0, "requisition-lines");
    for (key, value) in [
        ("sub-line-num", json!(1)),
        ("supp-aux-part-num", json!("AUX-3")),
        ("period", json!({ "id": 7, "name": "FY26" })),
        ("manufacturer-name", json!("Maker")),
        ("manufacturer-part-number", json!("M-1")),
        ("minimum-order-quantity", json!("2.5")),
        ("service-type", json!("resource")),
        ("currency", Value::Null),
    ] {
        lines[0][key] = value;
    }
    let patch = json!({
        "current-approval": { "id": 1, "approver-id": 17 }, "last-exported-at": "2026-01-31T23:59:59-08:00",
        "need-by-date": null, "total": null, "submitted-at": null, "line-count": null, "requested-by": null,
        "requester": { "id": 5, "fullname": "Ann Example", "email": "ann@acme.example" },
        "requisition-lines": lines,
    });
    lay(coupa, "requisitions", 0, patch);
    let patch =
        json!({ "status": "rejected", "requested-by": null, "total": null, "mobile-total": null });
    lay(coupa, "requisitions", 1, patch);
}

fn people(coupa: &Running) {
    let patch = json!({
        "supplier-id": 12, "avatar-thumb-url": "https://pictures.example/1.png", "fullname": " ", "active": null,
        "salesforce-id": "SF1", "user-groups": null, "default-locale": "", "email": "", "roles": [],
        "phone-work": { "country-code": "", "area-code": null, "number": "555", "extension": "9" },
        "default-address": { "country": "Germany" },
    });
    lay(coupa, "users", 0, patch);
    lay(
        coupa,
        "users",
        1,
        json!({ "lastname": "", "fullname": null, "category-strategy-user": true }),
    );
    lay(
        coupa,
        "user_groups",
        0,
        json!({ "users": null, "owner": null }),
    );
    lay(coupa, "user_groups", 1, json!({ "users": [] }));
}

fn suppliers(coupa: &Running) {
    let patch = json!({
        "shipping-term": { "id": 4, "code": "DAP" }, "website": " ", "corporate-url": "https://corporate.example",
        "account-types": [{ "id": 12, "name": "b" }, { "id": 2, "name": "a" }], "tax-id": "", "business-entity-id": 31,
        "po-email": "One@acme.example; two@acme.example,one@ACME.example", "status": "Inactive",
        "contacts": [
            { "id": 9, "name-given": "Only", "email": "two@acme.example", "purposes": [{ "id": 2, "name": "p2" }, { "id": 1, "name": "p1" }] },
            { "id": 8, "name-family": "Family", "phone-mobile": { "number": "1-2" } },
        ],
        "supplier-addresses": [
            { "id": 2, "street4": "fourth", "tax-registrations": [{ "id": 2, "number": "TAX-2" }] },
            { "id": 1, "tax-registrations": [{ "id": 1, "number": "TAX-OLD", "active": false }] },
        ],
    });
    lay(coupa, "suppliers", 0, patch);
    let patch = json!({ "status": "brand new", "tax-id": null, "supplier-tax-detail": { "tax-number": "DETAIL" } });
    lay(coupa, "suppliers", 1, patch);
    lay(
        coupa,
        "suppliers",
        2,
        json!({ "tax-id": null, "primary-contact": null, "primary-address": null }),
    );
}

fn others(coupa: &Running) {
    let stamped = json!({ "enabled-flag": true, "created-at": "2020-01-01T00:00:00-08:00" });
    lay(coupa, "currencies", 0, stamped);
    lay(
        coupa,
        "currencies",
        1,
        json!({ "enabled-flag": false, "symbol": "" }),
    );
    lay(
        coupa,
        "accounts",
        0,
        json!({ "name": " ", "account-type": { "name": null, "currency": null }, "segment-20": "last" }),
    );
    lay(
        coupa,
        "items",
        0,
        json!({ "item-type": { "id": 1, "name": "Kit" }, "commodity": null, "uom": null }),
    );
    lay(
        coupa,
        "items",
        1,
        json!({ "item-type": "", "active": null }),
    );
    let offers = ["active", "expired", "Published"];
    for (place, status) in offers.into_iter().enumerate() {
        let tiers =
            json!({ "preferred": false, "contract": { "status": status }, "price-tier-20": "0.5" });
        lay(coupa, "supplier_items", place, tiers);
    }
    lay(coupa, "lookup_values", 0, json!({ "children-count": 4 }));
    lay(
        coupa,
        "lookup_values",
        1,
        json!({ "children-count": 0, "external-ref-code": null, "active": null }),
    );
    lay(coupa, "departments", 0, json!({ "active": null }));
    lay(
        coupa,
        "projects",
        0,
        json!({ "start-date": null, "external-reference-number": "" }),
    );
}
