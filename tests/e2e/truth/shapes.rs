//! The shapes that several tables share: addresses, phones, allocations, taxes, references to dimensions.

use serde_json::{Value, json};

use super::text::{
    agreed, amount, at, decimal, each, filled, first_filled, flag, list, money, optional, percent,
    present, rate, text, words,
};

/// A place to deliver to may name its reader beside the address.
pub fn ship_to(record: &Value) -> Value {
    let mut address = address(record, "ship_to_address", Some("ship_to"));
    if address.is_object()
        && let Some(attention) = filled(record, "ship_to_attention")
    {
        address["attention"] = Value::String(attention);
    }
    address
}

/// An address as the source gives it, under a type of ours. A remit-to code is its code of a place.
pub fn address(record: &Value, path: &str, kind: Option<&str>) -> Value {
    let at = at(record, path);
    if !at.is_object() {
        return Value::Null;
    }
    let remit_to = kind == Some("remit_to");
    let country = at.get("country").filter(|country| country.is_string());
    json!({
        "id": text(at, "id"),
        "name": text(at, "name"),
        "type": kind.map_or_else(|| text(at, "type"), Value::from),
        "street_1": text(at, "street1"),
        "street_2": text(at, "street2"),
        "street_3": text(at, "street3"),
        "street_4": text(at, "street4"),
        "city": text(at, "city"),
        "state": text(at, "state"),
        "state_code": text(at, "state_iso_code"),
        "country": country.cloned().unwrap_or_else(|| text(at, "country.name")),
        "country_code": text(at, "country.code"),
        "postal_code": text(at, "postal_code"),
        "location_code": text(at, if remit_to { "remit_to_code" } else { "location_code" }),
        "attention": if remit_to { Value::Null } else { text(at, "attention") },
    })
}

/// Where to deliver, in one line: what is not blank, in the order of an envelope.
pub fn address_text(record: &Value) -> Value {
    let attention =
        filled(record, "ship_to_attention").or_else(|| filled(record, "ship_to_address.attention"));
    let country = filled(record, "ship_to_address.country.name")
        .or_else(|| filled(record, "ship_to_address.country.code"));
    let parts = [
        "ship_to_address.name",
        "ship_to_address.street1",
        "ship_to_address.street2",
        "ship_to_address.street3",
        "ship_to_address.street4",
        "ship_to_address.city",
        "ship_to_address.state",
        "ship_to_address.postal_code",
    ];
    let parts = parts.iter().filter_map(|path| filled(record, path));
    let parts: Vec<String> = attention.into_iter().chain(parts).chain(country).collect();
    if parts.is_empty() {
        Value::Null
    } else {
        Value::String(parts.join(", "))
    }
}

/// The phones of a person, of the kinds that are there.
pub fn phones(record: &Value, kinds: &[(&str, &str)]) -> Vec<Value> {
    let phone = |(path, kind): &(&str, &str)| {
        let number: Vec<String> = ["country_code", "area_code", "number"]
            .iter()
            .filter_map(|part| filled(record, &format!("{path}.{part}")))
            .collect();
        filled(record, &format!("{path}.number")).map(|_| {
            json!({
                "number": number.join(" "),
                "extension": text(record, &format!("{path}.extension")),
                "country_code": text(record, &format!("{path}.country_code")),
                "type": kind,
            })
        })
    };
    kinds.iter().filter_map(phone).collect()
}

/// A dimension that a line or document carries.
pub fn tracking_ref(id: String, name: Value, option: Value, kind: &str, code: Value) -> Value {
    json!({ "id": id, "name": name, "option": option, "category_type": kind, "code": code })
}

pub fn department_ref(record: &Value, path: &str) -> Option<Value> {
    let department = at(record, path);
    let id = words(department, "id")?;
    Some(tracking_ref(
        format!("department:{id}"),
        Value::from("department"),
        text(department, "name"),
        "department",
        Value::Null,
    ))
}

/// Custom fields whose value is an object with `id` and `name` or `external-ref-code`: values of look-ups.
pub fn lookup_refs(own: &Value) -> Vec<Value> {
    let Some(members) = own.as_object() else {
        return Vec::new();
    };
    let mut fields: Vec<(&String, &Value)> = members.iter().collect();
    fields.sort_by_key(|(name, _)| name.as_str());
    let lookup = |(name, value): (&String, &Value)| {
        let id = words(value, "id")?;
        let named = present_text(value, "name") || present_text(value, "external_ref_code");
        named.then(|| {
            tracking_ref(
                format!("lookup_value:{id}"),
                Value::String(name.clone()),
                first_filled(value, &["name", "external_ref_code"]),
                "lookup",
                text(value, "external_ref_code"),
            )
        })
    };
    fields.into_iter().filter_map(lookup).collect()
}

fn present_text(value: &Value, path: &str) -> bool {
    filled(value, path).is_some()
}

/// How a line is split; empty when it is not.
pub fn allocations(line: &Value) -> Value {
    each(line, "account_allocations", &["id"], allocation)
}

pub fn is_split(line: &Value) -> bool {
    !list(line, "account_allocations").is_empty()
}

fn allocation(share: &Value) -> Value {
    json!({
        "id": text(share, "id"),
        "account_id": text(share, "account.id"),
        "account_code": text(share, "account.code"),
        "amount": amount(share, "amount"),
        "pct": percent(share, "pct"),
        "period_id": text(share, "period.id"),
        "period_name": text(share, "period.name"),
        // No segment is tracked unless a tenant names one.
        "tracking": [],
    })
}

pub fn tax_lines(record: &Value, path: &str) -> Value {
    each(record, path, &["id"], |line| {
        let basis = ["base", "taxable_amount", "basis"];
        json!({
            "id": text(line, "id"),
            "code": first_filled(line, &["code", "tax_code.code"]),
            "description": text(line, "description"),
            "rate": rate(line, "rate"),
            "amount": amount(line, "amount"),
            "basis": money(basis.iter().find_map(|path| decimal(line, path))),
            "type": text(line, "type"),
            "withholding_amount": amount(line, "withholding_amount"),
        })
    })
}

pub fn attachments(record: &Value) -> Value {
    each(record, "attachments", &["id"], |file| {
        json!({
            "id": text(file, "id"),
            "name": first_filled(file, &["file_file_name", "file", "text"]),
            "url": first_filled(file, &["file_url", "url"]),
        })
    })
}

/// Id and name of each member of a list, by id.
pub fn named(record: &Value, path: &str) -> Value {
    each(
        record,
        path,
        &["id"],
        |member| json!({ "id": text(member, "id"), "name": text(member, "name") }),
    )
}

/// The chart of accounts that all accounts of the lines belong to, with its name.
pub fn chart_of(lines: &[Value]) -> Option<(String, Value)> {
    let of_line = |line: &'_ Value| -> Vec<Value> {
        let shares = list(line, "account_allocations");
        if shares.is_empty() {
            vec![at(line, "account.account_type").clone()]
        } else {
            shares
                .iter()
                .map(|share| at(share, "account.account_type").clone())
                .collect()
        }
    };
    let charts: Vec<Value> = lines.iter().flat_map(of_line).collect();
    let chart = agreed(charts.iter().map(|chart| words(chart, "id")))?;
    let name = charts.iter().find_map(|chart| words(chart, "name"));
    Some((chart, optional(name)))
}

/// Whoever asked: id, name, address of the first of the paths that is there.
pub fn person<'v>(record: &'v Value, paths: &[&str]) -> Option<&'v Value> {
    paths
        .iter()
        .find(|path| present(record, path))
        .map(|path| at(record, path))
}

pub fn active(record: &Value, on: &str, off: &str) -> Value {
    match flag(record, "active") {
        Value::Bool(true) => Value::from(on),
        Value::Bool(false) => Value::from(off),
        _ => Value::Null,
    }
}
