//! Accounts and currencies.

use serde_json::{Value, json};

use super::{
    Row, Rows, Truth, columns, common, keyed, nulls,
    shapes::active,
    text::{filled, first_filled, optional, text, truth, whole, words},
};

pub fn rows(truth: &Truth) -> Rows {
    keyed(truth.all("accounts").map(|record| row(truth, record)))
}

fn row(truth: &Truth, (record, gone): (&Value, bool)) -> Row {
    let mut row = common(truth, "accounts", (record, gone), &[]);
    let chart = words(record, "account_type.id").or_else(|| words(record, "account_type_id"));
    let charts = truth.records("account_types").iter();
    let listed = charts
        .into_iter()
        .find(|r| chart.is_some() && words(r, "id") == chart)
        .unwrap_or(&Value::Null);
    let of_chart = |path: &str| {
        filled(record, &format!("account_type.{path}")).or_else(|| filled(listed, path))
    };
    columns!(row;
        status: active(record, "active", "archived"),
        remote_status: text(record, "active"),
        name: first_filled(record, &["name", "code"]),
        code: text(record, "code"),
        type: "general_ledger",
        currency: optional(of_chart("currency.code")),
        account_number: text(record, "code"),
        company_id: chart,
        company_name: optional(of_chart("name")),
        legal_entity_name: optional(of_chart("legal_entity_name")),
        segments: segments(record).into_iter().map(|(index, value)| json!({ "index": index, "name": null, "value": value })).collect::<Vec<_>>(),
    );
    nulls(
        &mut row,
        &[
            "description",
            "classification",
            "current_balance",
            "parent_account_id",
            "etag",
        ],
    );
    row
}

/// The segments that are filled, by number.
pub fn segments(account: &Value) -> Vec<(u8, String)> {
    (1..=20)
        .filter_map(|n| Some((n, filled(account, &format!("segment_{n}"))?)))
        .collect()
}

pub fn currencies(truth: &Truth) -> Rows {
    keyed(
        truth
            .all("currencies")
            .map(|record| currency(truth, record)),
    )
}

fn currency(truth_of: &Truth, (record, gone): (&Value, bool)) -> Row {
    let mut row = common(truth_of, "currencies", (record, gone), &[]);
    let enabled = truth(record, "enabled_flag").or_else(|| truth(record, "enabled"));
    columns!(row;
        status: enabled.map(|on| if on { "active" } else { "archived" }),
        remote_status: first_filled(record, &["enabled_flag", "enabled"]),
        code: text(record, "code"),
        name: text(record, "name"),
        symbol: text(record, "symbol"),
        decimals: whole(record, "decimals"),
    );
    row
}
