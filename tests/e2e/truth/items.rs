//! Items with what suppliers ask for them.

use serde_json::{Value, json};

use super::{
    Row, Rows, Truth, columns, common, keyed, nulls,
    shapes::active,
    text::{amount, at, decimal, first_filled, text, truth, whole, word, words},
};

const LEGACY: [&str; 1] = ["legacy_material"];

pub fn rows(truth: &Truth) -> Rows {
    keyed(truth.all("items").map(|record| row(truth, record)))
}

fn row(truth_of: &Truth, (record, gone): (&Value, bool)) -> Row {
    let mut row = common(truth_of, "items", (record, gone), &LEGACY);
    let id = words(record, "id");
    let mut offers: Vec<&Value> = truth_of
        .records("supplier_items")
        .iter()
        .filter(|offer| words(offer, "item.id") == id)
        .collect();
    offers.sort_by_key(|offer| whole(offer, "id"));
    let chosen = chosen(&offers).unwrap_or(&Value::Null);
    let kind = at(record, "item_type");
    columns!(row;
        status: active(record, "active", "archived"),
        remote_status: text(record, "active"),
        name: text(record, "name"),
        number: text(record, "item_number"),
        description: text(record, "description"),
        type: first_filled(kind, &["name", ""]),
        uom: text(record, "uom.code"),
        purchase_price: decimal(chosen, "price"),
        purchase_currency: text(chosen, "currency.code"),
        purchase_supplier_item_id: words(chosen, "id"),
        commodity_id: words(record, "commodity.id"),
        commodity_name: text(record, "commodity.name"),
        manufacturer_name: text(record, "manufacturer_name"),
        manufacturer_part_number: text(record, "manufacturer_part_number"),
        supplier_prices: if offers.is_empty() { Value::Null } else { offers.iter().map(|o| price(o)).collect() },
        _is_partial: offers.is_empty(),
    );
    nulls(
        &mut row,
        &[
            "quantity",
            "unit_price",
            "purchase_account_id",
            "sales_account_id",
            "asset_account_id",
            "company_id",
        ],
    );
    row
}

/// The preferred offer, else the cheapest under a contract in force, else the cheapest; of equals the first.
fn chosen<'v>(offers: &[&'v Value]) -> Option<&'v Value> {
    let cheapest = |wanted: &dyn Fn(&Value) -> bool| {
        let priced = offers
            .iter()
            .copied()
            .filter(|o| decimal(o, "price").is_some() && wanted(o));
        priced.min_by_key(|offer| (decimal(offer, "price"), whole(offer, "id")))
    };
    cheapest(&|offer| truth(offer, "preferred") == Some(true))
        .or_else(|| cheapest(&in_force))
        .or_else(|| cheapest(&|_| true))
}

fn in_force(offer: &Value) -> bool {
    matches!(
        word(offer, "contract.status").as_deref(),
        Some("published" | "active")
    )
}

fn price(offer: &Value) -> Value {
    let tier = |tier: i64| {
        let price = decimal(offer, &format!("price_tier_{tier}"))?;
        Some(json!({ "tier": tier, "price": price.to_string() }))
    };
    json!({
        "supplier_item_id": text(offer, "id"),
        "supplier_id": text(offer, "supplier.id"),
        "supplier_name": text(offer, "supplier.name"),
        "contract_id": text(offer, "contract.id"),
        "part_number": text(offer, "supplier_part_num"),
        "price": amount(offer, "price"),
        "currency": text(offer, "currency.code"),
        "preferred": truth(offer, "preferred"),
        "min_qty": amount(offer, "minimum_order_quantity"),
        "lead_time_days": whole(offer, "lead_time"),
        "price_tiers": (1..=20).filter_map(tier).collect::<Vec<_>>(),
    })
}
