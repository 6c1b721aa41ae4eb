//! The worked example: small tables with every edge case, and what must come out of them.

use std::collections::BTreeMap;

use super::world::{Made, Row, World, plain, row};

type Record = BTreeMap<String, String>;

fn read(text: &str) -> Vec<Record> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.deserialize();
    rows.map(|row| row.expect("a row of the example")).collect()
}

macro_rules! table {
    ($name:literal) => {
        read(include_str!(concat!("fixtures/", $name, ".csv")))
    };
}

/// The example as unified tables.
pub fn tables() -> BTreeMap<&'static str, Vec<Row>> {
    let mut tables: BTreeMap<&'static str, Vec<Row>> = BTreeMap::new();
    let orders = table!("purchase_order");
    let number = |id: &str| {
        let order = orders.iter().find(|order| order["id"] == id);
        order.map(|order| order["po_number"].clone())
    };
    let of_number = |number: &str| {
        let order = orders.iter().find(|order| order["po_number"] == number);
        order.map(|order| order["id"].clone())
    };
    tables.insert("purchase_orders", orders.iter().map(order).collect());
    let mut place = BTreeMap::new();
    let lines = table!("purchase_order_line");
    tables.insert(
        "purchase_order_lines",
        lines
            .iter()
            .map(|line| order_line(line, &mut place))
            .collect(),
    );
    let receipts = table!("receiving_transaction");
    tables.insert("receipts", receipts.iter().map(receipt).collect());
    tables.insert("invoices", table!("invoice").iter().map(invoice).collect());
    let mut place = BTreeMap::new();
    let billed = table!("invoice_line");
    let owner = |line: &Record| {
        let id = &line["order_line_id"];
        let named = lines.iter().find(|order_line| order_line["id"] == *id);
        let named = named.map(|order_line| order_line["order_header_id"].clone());
        named.or_else(|| of_number(&line["po_number"]))
    };
    tables.insert(
        "invoice_lines",
        billed
            .iter()
            .map(|line| invoice_line(line, owner(line), &mut place))
            .collect(),
    );
    let rates = table!("exchange_rate");
    tables.insert(
        "exchange_rates",
        rates
            .iter()
            .enumerate()
            .map(|(at, rate)| {
                row! {
                    id: at.to_string(), from_currency: rate["from_currency"].as_str(),
                    to_currency: rate["to_currency"].as_str(), rate_date: rate["rate_date"].as_str(),
                    rate: rate["rate"].as_str(),
                }
            })
            .collect(),
    );
    let ids = billed.iter().map(|line| (line["id"].clone(), line.clone()));
    let by_id: BTreeMap<_, _> = ids.collect();
    let ordinals: BTreeMap<String, String> = tables["invoice_lines"]
        .iter()
        .map(|row: &Row| (row["id"].clone(), row["ordinal"].clone()))
        .collect();
    tables.insert("invoice_line_allocations", {
        let mut place = BTreeMap::new();
        let given = table!("invoice_line_allocation");
        let of_line = |one: &Record| &by_id[&one["invoice_line_id"]];
        let ordinal_of = |one: &Record| ordinals[&one["invoice_line_id"]].clone();
        given
            .iter()
            .map(|one| {
                row! {
                    id: one["id"].as_str(), invoice_id: of_line(one)["invoice_id"].as_str(),
                    invoice_line_id: one["invoice_line_id"].as_str(), line_ordinal: ordinal_of(one),
                    ordinal: next(&mut place, &one["invoice_line_id"]), is_synthetic: "false",
                    account_code: one["account_code"].as_str(), amount: one["amount"].as_str(),
                    pct: one["pct"].as_str(),
                }
            })
            .collect()
    });
    assert!(number("1").is_some());
    tables
}

fn next(place: &mut BTreeMap<String, usize>, of: &str) -> String {
    let place = place.entry(of.to_owned()).or_default();
    *place += 1;
    place.to_string()
}

fn order(order: &Record) -> Row {
    row! {
        id: order["id"].as_str(), number: order["po_number"].as_str(),
        remote_status: order["status"].as_str(), vendor_id: order["supplier_id"].as_str(),
        currency: order["currency_code"].as_str(), issue_date: order["created_at"].as_str(),
        version: order["version"].as_str(),
    }
}

fn kind(word: &str) -> &'static str {
    if word.contains("Amount") {
        "amount"
    } else {
        "quantity"
    }
}

fn order_line(line: &Record, place: &mut BTreeMap<String, usize>) -> Row {
    row! {
        id: line["id"].as_str(), purchase_order_id: line["order_header_id"].as_str(),
        ordinal: next(place, &line["order_header_id"]), line_number: line["line_num"].as_str(),
        type: kind(&line["line_type"]), description: line["description"].as_str(),
        quantity: line["quantity"].as_str(), unit_price: line["price"].as_str(),
        total_line_amount: line["total"].as_str(), match_type: line["match_type"].as_str(),
        uom: line["uom"].as_str(), is_receipt_required: line["receipt_required"].as_str(),
        contract_id: line["contract_id"].as_str(), commodity_id: line["commodity_id"].as_str(),
    }
}

fn receipt(receipt: &Record) -> Row {
    let kind = &receipt["txn_type"];
    let away = kind.starts_with("Void")
        || kind.ends_with("ReturnToSupplier")
        || kind.ends_with("Disposal");
    let sign = |number: &String| match (number.is_empty(), away) {
        (false, true) => format!("-{number}"),
        _ => number.clone(),
    };
    row! {
        id: receipt["id"].as_str(), purchase_order_line_id: receipt["order_line_id"].as_str(),
        status: receipt["status"].as_str(), transaction_date: receipt["transaction_date"].as_str(),
        direction: if away { "-1" } else { "1" },
        quantity_effect: sign(&receipt["quantity"]), amount_effect: sign(&receipt["total"]),
    }
}

fn invoice(invoice: &Record) -> Row {
    row! {
        id: invoice["id"].as_str(), number: invoice["invoice_number"].as_str(),
        document_type: if invoice["document_type"] == "Credit Note" { "credit_note" } else { "invoice" },
        remote_status: invoice["status"].as_str(), vendor_id: invoice["supplier_id"].as_str(),
        currency: invoice["currency_code"].as_str(), issue_date: invoice["invoice_date"].as_str(),
        received_date: invoice["date_received"].as_str(),
        total_tax_amount: invoice["tax_amount"].as_str(),
        shipping_amount: invoice["shipping_amount"].as_str(),
        handling_amount: invoice["handling_amount"].as_str(),
        misc_amount: invoice["misc_amount"].as_str(),
    }
}

/// Amount lines have a quantity of one, and their total as a price, in the unified tables.
fn invoice_line(line: &Record, order: Option<String>, place: &mut BTreeMap<String, usize>) -> Row {
    let is_amount = kind(&line["line_type"]) == "amount";
    let filled = |own: &str, unified: &str| match is_amount {
        true => unified.to_owned(),
        false => line[own].clone(),
    };
    row! {
        id: line["id"].as_str(), invoice_id: line["invoice_id"].as_str(),
        ordinal: next(place, &line["invoice_id"]), line_number: line["line_num"].as_str(),
        line_number_int: line["line_num"].as_str(), type: kind(&line["line_type"]),
        purchase_order_line_id: line["order_line_id"].as_str(), purchase_order_id: order,
        po_number: line["po_number"].as_str(),
        purchase_order_line_number: line["po_line_num"].as_str(), quantity: filled("quantity", "1"),
        unit_price: filled("price", &line["total"]), total_line_amount: line["total"].as_str(),
        uom: line["uom"].as_str(), adjustment_type: line["adjustment_type"].as_str(),
        contract_id: line["contract_id"].as_str(),
    }
}

pub const TOLERANCES: &str = include_str!("fixtures/tolerance.csv");

/// Rounds as the example does: half away from zero.
fn rounded(text: &str, places: u32) -> String {
    if text.is_empty() {
        return String::new();
    }
    let value: rust_decimal::Decimal = text.parse().expect("a number");
    let strategy = rust_decimal::RoundingStrategy::MidpointAwayFromZero;
    plain(&value.round_dp_with_strategy(places, strategy).to_string())
}

fn check_equal(made: &Made, key: &str, expected: &str, places: &[(&str, u32)]) {
    let made = made.by(key);
    let expected = read(expected);
    assert_eq!(made.len(), expected.len(), "rows by {key}");
    let mut problems = Vec::new();
    for wanted in expected {
        let found = &made[&wanted[key]];
        for (column, wanted_text) in &wanted {
            let text = match column.as_str() {
                // The example writes facts as numbers.
                "after_the_fact" => {
                    if found[column] == "true" {
                        "1".to_owned()
                    } else {
                        "0".to_owned()
                    }
                }
                column => match places.iter().find(|(name, _)| *name == column) {
                    Some((_, places)) => rounded(&found[column], *places),
                    None => found[column].clone(),
                },
            };
            if text != *wanted_text {
                problems.push(format!(
                    "{} {column}: {text}, expected {wanted_text}",
                    wanted[key]
                ));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worked_example_comes_out() {
    let world = World::new(&tables(), TOLERANCES).base().await;
    let places = [
        ("fx", 6),
        ("inv_price_po_ccy", 4),
        ("po_price", 4),
        ("price_var_pct", 2),
        ("price_var_amount", 2),
        ("cum_qty_invoiced", 2),
        ("po_qty", 2),
        ("qty_received", 2),
        ("cum_amount_po_ccy", 2),
    ];
    let made = world.make("po_invoice_match").await;
    let expected = include_str!("fixtures/expected_line_match.csv");
    check_equal(&made, "invoice_line_id", expected, &places);
    let made = world.make("invoice_match").await;
    let expected = include_str!("fixtures/expected_invoice_match.csv");
    check_equal(&made, "invoice_id", expected, &[]);
    let made = world.make("spend_lines").await.by("spend_line_id");
    for wanted in table!("expected_line_allocation") {
        let id = format!(
            "inv:{}:{}",
            wanted["invoice_line_id"], wanted["allocation_id"]
        );
        assert_eq!(made[&id]["amount_doc"], wanted["net"], "{id}");
        assert_eq!(made[&id]["account_code"], wanted["account_code"], "{id}");
    }
    let made = world.make("po_line_position").await;
    let expected = include_str!("fixtures/expected_po_line_position.csv");
    check_equal(&made, "order_line_id", expected, &[]);
}
