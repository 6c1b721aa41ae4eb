//! Filters against a second, plain evaluation over the truth.

use chrono::DateTime;
use serde_json::Value;
use simulator::{Config, Running, Simulator};

use crate::client::{Client, id};

/// All values at a path, through lists.
fn values<'v>(at: &'v Value, path: &[&str]) -> Vec<&'v Value> {
    match at {
        Value::Array(items) => items.iter().flat_map(|item| values(item, path)).collect(),
        _ => match path {
            [] => vec![at],
            [name, rest @ ..] => at
                .get(name)
                .map_or_else(Vec::new, |below| values(below, rest)),
        },
    }
}

fn check(
    coupa: &Running,
    resource: &str,
    query: &[(&str, &str)],
    expected: impl Fn(&Value) -> bool,
) {
    let client = Client::new(coupa);
    let truth: Vec<i64> = coupa
        .truth(resource)
        .iter()
        .filter(|r| expected(r))
        .map(id)
        .collect();
    let found: Vec<i64> = client.all(resource, query).iter().map(id).collect();
    assert_eq!(found, truth, "{resource} {query:?}");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .or_else(|| text(value).parse().ok())
        .unwrap_or(f64::NAN)
}

fn moment(value: &Value) -> i64 {
    DateTime::parse_from_rfc3339(text(value))
        .map(|t| t.timestamp())
        .unwrap_or(i64::MIN)
}

#[test]
fn every_operator_on_every_type() {
    let coupa = &Simulator::start(Config::for_tests(11, 0.08)).unwrap();
    let any = |path: &'static [&'static str], test: fn(&Value) -> bool| {
        move |r: &Value| values(r, path).into_iter().any(test)
    };

    check(
        coupa,
        "invoices",
        &[("status", "approved")],
        any(&["status"], |v| v == "approved"),
    );
    check(
        coupa,
        "invoices",
        &[("status[not_eq]", "approved")],
        any(&["status"], |v| v != "approved"),
    );
    check(
        coupa,
        "invoices",
        &[("status[in]", "draft,voided")],
        any(&["status"], |v| v == "draft" || v == "voided"),
    );
    check(
        coupa,
        "invoices",
        &[("status[not_in]", "draft,approved")],
        any(&["status"], |v| v != "draft" && v != "approved"),
    );
    check(
        coupa,
        "invoices",
        &[("invoice_number[starts_with]", "inv-")],
        any(&["invoice-number"], |v| text(v).starts_with("INV-")),
    );
    check(
        coupa,
        "invoices",
        &[("invoice-number[ends_with]", "7")],
        any(&["invoice-number"], |v| text(v).ends_with('7')),
    );
    check(
        coupa,
        "suppliers",
        &[("name[contains]", "GMBH")],
        any(&["name"], |v| text(v).contains("GmbH")),
    );
    check(
        coupa,
        "suppliers",
        &[("name[gt]", "P")],
        any(&["name"], |v| text(v) > "P"),
    );
    check(
        coupa,
        "suppliers",
        &[("website[blank]", "true")],
        any(&["website"], |v| v == ""),
    );
    check(
        coupa,
        "suppliers",
        &[("website[blank]", "false")],
        any(&["website"], |v| v != ""),
    );
    check(
        coupa,
        "invoices",
        &[("gross_total[gt]", "10000.5")],
        any(&["gross-total"], |v| number(v) > 10000.5),
    );
    check(
        coupa,
        "invoices",
        &[("gross-total[lt_or_eq]", "0")],
        any(&["gross-total"], |v| number(v) <= 0.0),
    );
    check(
        coupa,
        "invoices",
        &[("paid", "true")],
        any(&["paid"], |v| v == true),
    );
    check(
        coupa,
        "invoices",
        &[("paid[not_eq]", "true")],
        any(&["paid"], |v| v == false),
    );
    check(
        coupa,
        "departments",
        &[("id[in]", "1,3,900")],
        any(&["id"], |v| v == 1 || v == 3),
    );
    check(
        coupa,
        "users",
        &[("status", "active")],
        any(&["active"], |v| v == true),
    );
    check(
        coupa,
        "users",
        &[("type[blank]", "true")],
        any(&["type"], Value::is_null),
    );
    check(
        coupa,
        "supplier_items",
        &[("preferred_flag", "true")],
        any(&["preferred"], |v| v == true),
    );
}

#[test]
fn conditions_reach_through_associations_and_collections() {
    let coupa = &Simulator::start(Config::for_tests(12, 0.08)).unwrap();
    let any = |path: &'static [&'static str], test: fn(&Value) -> bool| {
        move |r: &Value| values(r, path).into_iter().any(test)
    };

    check(
        coupa,
        "invoices",
        &[("supplier[id][lt]", "9")],
        any(&["supplier", "id"], |v| number(v) < 9.0),
    );
    check(
        coupa,
        "invoices",
        &[("supplier_id", "4")],
        any(&["supplier", "id"], |v| v == 4),
    );
    check(
        coupa,
        "invoices",
        &[("account-type[name][in]", "ACME US,ACME UK")],
        any(&["account-type", "name"], |v| {
            v == "ACME US" || v == "ACME UK"
        }),
    );
    check(
        coupa,
        "purchase_orders",
        &[("order-lines[quantity][gt]", "100")],
        any(&["order-lines", "quantity"], |v| number(v) > 100.0),
    );
    check(
        coupa,
        "purchase_orders",
        &[("order_lines[commodity][name][contains]", "software")],
        any(&["order-lines", "commodity", "name"], |v| {
            text(v).contains("Software")
        }),
    );
    check(
        coupa,
        "suppliers",
        &[("primary_address[country][code]", "DE")],
        any(&["primary-address", "country", "code"], |v| v == "DE"),
    );
    check(
        coupa,
        "contracts",
        &[("supplier[primary_address[city]]", "Leeds")],
        any(&["supplier", "primary-address", "city"], |v| v == "Leeds"),
    );
    check(
        coupa,
        "lookup_values",
        &[("[lookup][name]", "Project Code")],
        any(&["lookup", "name"], |v| v == "Project Code"),
    );
    check(
        coupa,
        "exchange_rates",
        &[("from_currency_id", "5")],
        any(&["from-currency", "id"], |v| v == 5),
    );
    check(
        coupa,
        "invoices",
        &[("custom_fields[approval_memo]", "as agreed")],
        any(&["custom-fields", "approval-memo"], |v| v == "as agreed"),
    );
    check(
        coupa,
        "invoices",
        &[("gl_memo[blank]", "true")],
        any(&["gl-memo"], |v| v == ""),
    );
    check(coupa, "users", &[("manager_id[blank]", "true")], |r| {
        r.get("manager").is_none_or(Value::is_null)
    });
    check(
        coupa,
        "invoices",
        &[
            ("status", "approved"),
            ("paid", "false"),
            ("currency[code]", "EUR"),
        ],
        |r| r["status"] == "approved" && r["paid"] == false && r["currency"]["code"] == "EUR",
    );
}

#[test]
fn dates_are_instants_and_a_bare_date_is_midnight_utc() {
    let coupa = &Simulator::start(Config::for_tests(13, 0.08)).unwrap();
    let exact = "2025-03-01T09:30:00-08:00";
    let at = DateTime::parse_from_rfc3339(exact).unwrap().timestamp();
    let day = DateTime::parse_from_rfc3339("2025-03-01T00:00:00Z")
        .unwrap()
        .timestamp();
    check(coupa, "invoices", &[("created_at[gt]", exact)], |r| {
        moment(&r["created-at"]) > at
    });
    check(
        coupa,
        "invoices",
        &[("updated-at[lt]", "2025-03-01")],
        |r| moment(&r["updated-at"]) < day,
    );
    check(
        coupa,
        "invoices",
        &[("updated-at[gt_or_eq]", "2025-03-01T00:00:00")],
        |r| moment(&r["updated-at"]) >= day,
    );
    check(
        coupa,
        "invoices",
        &[("invoice_date[lt_or_eq]", "2025-03-01")],
        |r| moment(&r["invoice-date"]) <= day,
    );
    // A local midnight is no UTC midnight.
    check(coupa, "invoices", &[("invoice_date", "2025-03-01")], |r| {
        moment(&r["invoice-date"]) == day
    });
    let some = coupa.truth("invoices")[20]["updated-at"]
        .as_str()
        .unwrap()
        .to_owned();
    let same = DateTime::parse_from_rfc3339(&some).unwrap().timestamp();
    check(coupa, "invoices", &[("updated_at", &some)], |r| {
        moment(&r["updated-at"]) == same
    });
}

#[test]
fn what_is_not_understood_is_refused() {
    let coupa = Simulator::start(Config::for_tests(14, 0.03)).unwrap();
    let client = Client::new(&coupa);
    for query in [
        ("colour", "red"),
        ("supplier[colour]", "red"),
        ("status[like]", "app"),
        ("created_at[contains]", "2025"),
        ("created_at[blank]", "true"),
        ("paid[gt]", "false"),
        ("id[gt]", "many"),
        ("updated_at[gt]", "yesterday"),
        ("updated_at[blank]", "true"),
        ("status[blank]", "maybe"),
        ("invoice-lines", "1"),
        ("a[b", "1"),
    ] {
        let answer = client.get("invoices", &[query]);
        assert_eq!(answer.status, 400, "{query:?}");
        assert!(answer.json()["errors"]["query"][0].is_string(), "{query:?}");
    }
    assert_eq!(
        client
            .get("currencies", &[("updated_at[gt]", "2025-01-01")])
            .status,
        400,
        "currencies have no stamps"
    );
    let lax = Simulator::start(Config {
        ignore_unknown_filters: true,
        ..Config::for_tests(14, 0.03)
    })
    .unwrap();
    assert_eq!(
        Client::new(&lax)
            .rows("invoices", &[("colour", "red")])
            .len(),
        50
    );
}
