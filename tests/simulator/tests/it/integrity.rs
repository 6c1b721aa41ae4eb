//! References lead somewhere, sums add up, and everything that should occur does.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;
use simulator::{Change, Config, Running, Simulator};

use crate::client::{Client, RESOURCES, id};

/// A decimal string in 1/10,000.
fn units(value: &Value) -> i64 {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("a decimal: {value}"));
    let negative = text.starts_with('-');
    let (whole, fraction) = text
        .trim_start_matches('-')
        .split_once('.')
        .unwrap_or((text, ""));
    let fraction = format!("{fraction:0<4}");
    let n: i64 = format!("{whole}{}", &fraction[..4]).parse().unwrap();
    if negative { -n } else { n }
}

fn list<'v>(record: &'v Value, key: &str) -> &'v [Value] {
    record[key].as_array().map_or(&[], Vec::as_slice)
}

struct Ids(HashMap<&'static str, HashSet<i64>>);

impl Ids {
    fn check(&self, resource: &str, at: &Value, what: &str) {
        if let Some(id) = at.as_i64() {
            assert!(self.0[resource].contains(&id), "{what}: no {resource} {id}");
        }
    }

    /// Follows every nested reference whose place tells the resource.
    fn walk(&self, value: &Value, what: &str) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item, what)),
            Value::Object(members) => {
                for (key, value) in members {
                    let resource = match key.as_str() {
                        "supplier" => "suppliers",
                        "created-by" | "updated-by" | "requester" | "requested-by" | "manager"
                        | "approver" | "owner" | "expensed-by" | "contract-owner"
                        | "ship-to-user" => "users",
                        "account" | "default-account" => "accounts",
                        "account-type" => "account_types",
                        "currency" | "from-currency" | "to-currency" => "currencies",
                        "department" => "departments",
                        "payment-term" => "payment_terms",
                        "item" => "items",
                        "commodity" => "commodities",
                        "contract" => "contracts",
                        "cost-object" | "project-code" | "project2" | "region" | "risk-tier" => {
                            "lookup_values"
                        }
                        "ship-to-address" | "bill-to-address" => "addresses",
                        "requisition-header" => "requisitions",
                        "user-group" => "user_groups",
                        _ => {
                            self.walk(value, what);
                            continue;
                        }
                    };
                    if value.is_object() {
                        self.check(resource, &value["id"], &format!("{what}.{key}"));
                    }
                    self.walk(value, what);
                }
            }
            _ => {}
        }
    }
}

fn check(coupa: &Running) {
    let all: BTreeMap<&str, Vec<Value>> = RESOURCES
        .into_iter()
        .map(|r| (r, coupa.truth_with_deleted_lines(r)))
        .collect();
    let ids = Ids(RESOURCES
        .into_iter()
        .map(|r| (r, all[r].iter().map(id).collect()))
        .collect());
    for (resource, records) in &all {
        assert_eq!(
            ids.0[resource].len(),
            records.len(),
            "{resource}: ids are unique"
        );
        for record in records {
            ids.walk(record, &format!("{resource} {}", id(record)));
        }
    }
    let mut order_lines = HashMap::new();
    let mut header_of = HashMap::new();
    for order in &all["purchase_orders"] {
        for line in list(order, "order-lines") {
            assert_eq!(line["order-header-id"], order["id"]);
            header_of.insert(id(line), order);
            assert!(
                order_lines.insert(id(line), line).is_none(),
                "line ids are unique"
            );
        }
    }
    orders_and_requisitions(&all, &order_lines);
    progress(&all, &order_lines, &header_of);
    invoices(&all);
    for membership in &all["user_group_memberships"] {
        ids.check("users", &membership["user-id"], "membership");
        ids.check("user_groups", &membership["user-group-id"], "membership");
    }
    for approval in &all["approvals"] {
        let resource = if approval["approvable-type"] == "InvoiceHeader" {
            "invoices"
        } else {
            "requisitions"
        };
        ids.check(resource, &approval["approvable-id"], "approval");
    }
}

fn orders_and_requisitions(all: &BTreeMap<&str, Vec<Value>>, order_lines: &HashMap<i64, &Value>) {
    let mut requested = HashMap::new();
    for requisition in &all["requisitions"] {
        let lines = list(requisition, "requisition-lines");
        assert_eq!(requisition["line-count"].as_u64(), Some(lines.len() as u64));
        for line in lines {
            assert!(
                requested.insert(id(line), line).is_none(),
                "line ids are unique"
            );
            if let Some(ordered) = line["order-line-id"].as_i64() {
                assert_eq!(
                    order_lines[&ordered]["requisition-line-id"],
                    id(line).to_string()
                );
            }
        }
    }
    let mut joined = 0;
    for line in order_lines.values() {
        let text = line["requisition-line-id"].as_str().unwrap();
        if !text.is_empty() {
            assert_eq!(
                requested[&text.parse::<i64>().unwrap()]["order-line-id"],
                line["id"]
            );
            joined += 1;
        }
    }
    assert!(joined > 10);
}

/// What orders say of their receipts and invoices is what these add up to.
fn progress(
    all: &BTreeMap<&str, Vec<Value>>,
    order_lines: &HashMap<i64, &Value>,
    header_of: &HashMap<i64, &Value>,
) {
    let mut received: HashMap<i64, i64> = HashMap::new();
    let receipts: HashMap<i64, &Value> = all["receiving_transactions"]
        .iter()
        .map(|r| (id(r), r))
        .collect();
    for receipt in receipts.values() {
        let line = receipt["order-line"]["id"].as_i64().unwrap();
        assert_eq!(
            receipt["order-line"]["order-header-id"],
            header_of[&line]["id"]
        );
        let kind = receipt["type"].as_str().unwrap();
        let value = if receipt["quantity"].is_null() {
            units(&receipt["total"])
        } else {
            units(&receipt["quantity"])
        };
        let taken = kind.starts_with("Void") || kind.ends_with("ReturnToSupplier");
        *received.entry(line).or_default() += if taken { -value } else { value };
        assert_eq!(taken, receipt["original-transaction-id"].is_i64());
        if let Some(original) = receipt["original-transaction-id"].as_i64() {
            assert_eq!(receipts[&original]["order-line"]["id"].as_i64(), Some(line));
        }
    }
    let mut invoiced: HashMap<i64, i64> = HashMap::new();
    for invoice in &all["invoices"] {
        let counts = !["draft", "voided", "rejected", "abandoned", "invalid"]
            .contains(&invoice["status"].as_str().unwrap());
        for line in list(invoice, "invoice-lines") {
            let Some(of) = line["order-line-id"].as_i64() else {
                continue;
            };
            assert_eq!(line["po-number"], header_of[&of]["po-number"]);
            assert_eq!(line["order-line-num"], order_lines[&of]["line-num"]);
            assert_eq!(invoice["supplier"]["id"], header_of[&of]["supplier"]["id"]);
            assert_eq!(invoice["currency"]["id"], header_of[&of]["currency"]["id"]);
            let value = if line["quantity"].is_null() {
                &line["total"]
            } else {
                &line["quantity"]
            };
            *invoiced.entry(of).or_default() += if counts { units(value) } else { 0 };
        }
    }
    for (line, order_line) in order_lines {
        assert_eq!(
            units(&order_line["received"]),
            received.get(line).copied().unwrap_or(0),
            "received, line {line}"
        );
        assert_eq!(
            units(&order_line["invoiced"]),
            invoiced.get(line).copied().unwrap_or(0),
            "invoiced, line {line}"
        );
    }
}

fn invoices(all: &BTreeMap<&str, Vec<Value>>) {
    for invoice in &all["invoices"] {
        let lines = list(invoice, "invoice-lines");
        let net: i64 = lines.iter().map(|l| units(&l["total"])).sum();
        let taxes = |records: &[Value]| -> i64 {
            records
                .iter()
                .flat_map(|r| list(r, "tax-lines"))
                .map(|t| units(&t["amount"]))
                .sum()
        };
        let charges = list(invoice, "invoice-charges");
        let (tax, extra) = if invoice["line-level-taxation"] == true {
            (
                taxes(lines) + taxes(charges),
                charges.iter().map(|c| units(&c["total"])).sum::<i64>(),
            )
        } else {
            let headers = ["shipping-amount", "handling-amount", "misc-amount"];
            (
                units(&invoice["tax-amount"]),
                headers.iter().map(|k| units(&invoice[*k])).sum(),
            )
        };
        assert_eq!(
            net + tax + extra,
            units(&invoice["gross-total"]),
            "invoice {}",
            id(invoice)
        );
        for line in lines {
            let shares = list(line, "account-allocations");
            assert_eq!(
                shares.is_empty(),
                line.get("account").is_some_and(Value::is_object),
                "one or the other"
            );
            if !shares.is_empty() {
                assert_eq!(
                    shares.iter().map(|s| units(&s["amount"])).sum::<i64>(),
                    units(&line["total"])
                );
                let pct: f64 = shares
                    .iter()
                    .map(|s| s["pct"].as_str().unwrap().parse::<f64>().unwrap())
                    .sum();
                assert!((pct - 100.0).abs() < 1e-9);
            }
        }
        let paid: i64 = list(invoice, "payments")
            .iter()
            .map(|p| units(&p["amount-paid"]))
            .sum();
        if invoice["paid"] == true && paid != 0 {
            assert_eq!(paid, units(&invoice["gross-total"]));
        }
        assert_eq!(
            invoice["is-credit-note"] == true,
            invoice["document-type"] == "Credit Note"
        );
        if invoice["is-credit-note"] == true {
            assert!(
                net < 0
                    && invoice["original-invoice-number"].is_string()
                    && invoice["original-invoice-date"].is_string()
            );
        }
    }
}

#[test]
fn references_lead_somewhere_and_sums_add_up() {
    check(&Simulator::start(Config::for_tests(61, 0.12)).unwrap());
    // Far more invoices than orders, and the other way round.
    check(&Simulator::start(Config::for_tests(62, 0.03).count("invoices", 900)).unwrap());
    check(
        &Simulator::start(
            Config::for_tests(63, 0.03)
                .count("purchase_orders", 700)
                .count("requisitions", 900),
        )
        .unwrap(),
    );
}

#[test]
fn so_do_they_after_the_company_has_moved_on() {
    let coupa = Simulator::start(Config::for_tests(64, 0.08)).unwrap();
    for _ in 0..3 {
        coupa.clock().advance(std::time::Duration::from_secs(3_600));
        let change = Change {
            changed_fraction: 0.1,
            new_fraction: 0.05,
            deleted_fraction: 0.01,
            ..Change::default()
        };
        coupa.advance(&change);
        check(&coupa);
    }
}

#[test]
fn the_full_scale_has_its_numbers_and_every_status() {
    let coupa = Simulator::start(Config::for_tests(65, 1.0)).unwrap();
    let client = Client::new(&coupa);
    let read = |resource: &str, fields: &str| client.all(resource, &[("fields", fields)]);
    let least = [
        ("invoices", 5_000),
        ("purchase_orders", 4_000),
        ("requisitions", 2_000),
        ("suppliers", 400),
        ("users", 800),
        ("receiving_transactions", 8_000),
        ("accounts", 600),
        ("items", 800),
        ("lookup_values", 500),
        ("expense_reports", 1_500),
    ];
    for (resource, n) in least {
        assert!(read(resource, r#"["id"]"#).len() >= n, "{resource}");
    }
    for (resource, statuses) in [
        (
            "invoices",
            "new ap_hold draft on_hold pending_receipt rejected abandoned disputed pending_approval booking_hold \
             pending_action approved voided processing invalid payable_adjustment",
        ),
        (
            "purchase_orders",
            "buyer_hold cancelled closed currency_hold draft error expensed issued supplier_hold \
             supplier_window_hold exported",
        ),
        (
            "requisitions",
            "draft cart pending_buyer_action pending_approval approved ordered partially_received received \
             abandoned backgrounded withdrawn",
        ),
        (
            "expense_reports",
            "draft working pending_approval pending_info approved accounting_review approved_for_payment \
             scheduled_for_payment paid",
        ),
        ("suppliers", "active inactive draft"),
    ] {
        let rows = read(resource, r#"["id","status"]"#);
        let seen: BTreeSet<&str> = rows.iter().filter_map(|r| r["status"].as_str()).collect();
        assert_eq!(seen, statuses.split_whitespace().collect(), "{resource}");
    }
    let suppliers = read("suppliers", r#"["id","cxml-secret"]"#);
    let secrets = suppliers
        .iter()
        .filter(|s| s["cxml-secret"].is_string())
        .count();
    assert!((3..40).contains(&secrets), "{secrets}");
    let invoices = read("invoices", r#"["id","invoice_number",{"supplier":["id"]}]"#);
    let numbers: HashSet<_> = invoices
        .iter()
        .map(|i| (&i["supplier"]["id"], &i["invoice-number"]))
        .collect();
    assert_eq!(
        numbers.len(),
        invoices.len(),
        "number and supplier are unique"
    );
    for (resource, key) in [
        ("suppliers", "name"),
        ("contracts", "name"),
        ("items", "name"),
        ("accounts", "code"),
    ] {
        let records = read(resource, r#"["id","name","code"]"#);
        let names: HashSet<_> = records.iter().map(|r| &r[key]).collect();
        assert_eq!(
            names.len(),
            records.len(),
            "{resource} have names of their own"
        );
    }
    let expenses = read(
        "expense_reports",
        r#"["id",{"expense-lines":[{"expense-category":["id"]}]}]"#,
    );
    let lines = expenses.iter().flat_map(|e| list(e, "expense-lines"));
    assert!(
        lines.filter(|l| l["expense-category"]["id"] == 1).count() > 300,
        "software on cards"
    );
}
