//! What `fields` and `return_object` leave of a record, against the full record cut by a second hand.

use serde_json::{Map, Value, json};
use simulator::{Config, Simulator};

use crate::client::{Client, RESOURCES, id};

/// The full record, cut down to a `fields` list.
fn cut(record: &Value, fields: &Value) -> Value {
    match record {
        Value::Array(items) => items.iter().map(|item| cut(item, fields)).collect(),
        Value::Object(members) => {
            let wanted = |key: &str| {
                fields
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find_map(|field| match field {
                        Value::String(name) => {
                            (name.replace('_', "-") == key).then_some(Value::Null)
                        }
                        Value::Object(map) => map
                            .iter()
                            .find(|(name, _)| name.replace('_', "-") == key)
                            .map(|(_, v)| v.clone()),
                        _ => None,
                    })
            };
            let mut left = Map::new();
            for (key, value) in members {
                match wanted(key) {
                    Some(below) if below.as_array().is_some_and(|b| !b.is_empty()) => {
                        left.insert(key.clone(), cut(value, &below));
                    }
                    Some(_) => {
                        left.insert(key.clone(), value.clone());
                    }
                    None => {}
                }
            }
            Value::Object(left)
        }
        leaf => leaf.clone(),
    }
}

/// A list of fields made by leaving out members of a record by chance.
fn some_fields(record: &Value, dice: &mut u64) -> Value {
    let mut fields = Vec::new();
    let Value::Object(members) = record else {
        return json!([]);
    };
    for (key, value) in members {
        *dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let roll = (*dice >> 33) % 8;
        let name = if roll.is_multiple_of(2) {
            key.replace('-', "_")
        } else {
            key.clone()
        };
        let first = match value {
            Value::Array(items) => items.first().unwrap_or(&Value::Null),
            other => other,
        };
        match (roll, first) {
            (0..4, _) => {}
            (4 | 5, Value::Object(_)) => {
                let below = some_fields(first, dice);
                if below.as_array().is_some_and(|b| !b.is_empty()) {
                    fields.push(json!({ name: below }));
                }
            }
            _ => fields.push(Value::String(name)),
        }
    }
    Value::Array(fields)
}

#[test]
fn fields_equal_the_full_record_cut_down() {
    for nulls in [false, true] {
        let config = Config {
            null_associations: nulls,
            ..Config::for_tests(21, 0.03)
        };
        let coupa = Simulator::start(config).unwrap();
        let client = Client::new(&coupa);
        let mut dice = 7;
        for resource in RESOURCES {
            let truth = coupa.truth(resource);
            for round in 0..6 {
                let fields = some_fields(&truth[round % truth.len()], &mut dice);
                if fields.as_array().is_some_and(Vec::is_empty) {
                    continue;
                }
                let text = fields.to_string();
                let rows = client.rows(resource, &[("fields", &text)]);
                for (row, full) in rows.iter().zip(&truth) {
                    assert_eq!(row, &cut(full, &fields), "{resource} {text}");
                }
                let one = client.get(
                    &format!("{resource}/{}", id(&truth[0])),
                    &[("fields", &text)],
                );
                assert_eq!(one.json(), cut(&truth[0], &fields), "{resource} {text}");
            }
        }
    }
}

#[test]
fn custom_fields_all_or_some() {
    let coupa = Simulator::start(Config::for_tests(22, 0.03)).unwrap();
    let client = Client::new(&coupa);
    let truth = coupa.truth("invoices");
    let all = client.rows(
        "invoices",
        &[("fields", r#"["id",{"custom_fields":{}},"gl_memo"]"#)],
    );
    let some = client.rows(
        "invoices",
        &[("fields", r#"[{"custom_fields":["approval-memo"]}]"#)],
    );
    for ((all, some), full) in all.iter().zip(&some).zip(&truth) {
        assert_eq!(all["custom-fields"], full["custom-fields"]);
        assert_eq!(all["gl-memo"], full["gl-memo"]);
        assert_eq!(
            some,
            &json!({ "custom-fields": { "approval-memo": full["custom-fields"]["approval-memo"] } })
        );
    }
    assert_eq!(client.get("invoices", &[("fields", "[\"id\"")]).status, 400);
    assert_eq!(
        client.rows("invoices", &[("fields", r#"["no-such-field"]"#)])[0],
        json!({}),
        "unknown names are ignored"
    );
}

#[test]
fn return_object() {
    let coupa = Simulator::start(Config::for_tests(23, 0.03)).unwrap();
    let client = Client::new(&coupa);
    let truth = coupa.truth("invoices");
    let limited = client.rows("invoices", &[("return_object", "limited")]);
    assert_eq!(limited[3], json!({ "id": id(&truth[3]) }));
    let shallow = &client.rows("invoices", &[("return_object", "shallow")])[0];
    assert_eq!(shallow["gross-total"], truth[0]["gross-total"]);
    assert_eq!(
        shallow["created-by"],
        json!({
            "id": truth[0]["created-by"]["id"],
            "login": truth[0]["created-by"]["login"],
            "email": truth[0]["created-by"]["email"],
        })
    );
    assert_eq!(
        shallow["currency"],
        json!({ "id": truth[0]["currency"]["id"], "code": truth[0]["currency"]["code"] })
    );
    assert_eq!(
        shallow["invoice-lines"][0],
        json!({ "id": truth[0]["invoice-lines"][0]["id"] })
    );
    assert_eq!(
        client.rows("invoices", &[("return_object", "none")])[0],
        truth[0],
        "for PUT and POST only"
    );
    assert_eq!(
        client.get("invoices", &[("return_object", "all")]).status,
        400
    );
}

#[test]
fn a_tenant_may_trim_its_default_answer() {
    let mut config = Config::for_tests(24, 0.03);
    config
        .default_fields
        .insert("invoices".into(), r#"["id","status"]"#.into());
    let coupa = Simulator::start(config).unwrap();
    let client = Client::new(&coupa);
    assert_eq!(
        client.rows("invoices", &[])[0].as_object().unwrap().len(),
        2
    );
    assert!(
        client.rows("invoices", &[("fields", r#"["id","gross-total"]"#)])[0]["gross-total"]
            .is_string()
    );
    assert!(
        coupa.truth("invoices")[0]["gross-total"].is_string(),
        "the truth is not trimmed"
    );
}

#[test]
fn values_look_as_documented() {
    let coupa = Simulator::start(Config::for_tests(25, 0.2)).unwrap();
    let invoices = coupa.truth("invoices");
    for invoice in &invoices {
        let total = invoice["gross-total"]
            .as_str()
            .expect("decimals are strings");
        assert!(
            total
                .split_once('.')
                .is_some_and(|(_, d)| (2..=4).contains(&d.len())),
            "{total}"
        );
        assert!(
            invoice["discount-percent"].is_number(),
            "floats are numbers"
        );
        let created = invoice["created-at"].as_str().unwrap();
        assert_eq!(created.len(), 25, "seconds and an offset: {created}");
        assert!(
            invoice["invoice-date"]
                .as_str()
                .unwrap()
                .contains("T00:00:00-0"),
            "midnight in the company's zone"
        );
        assert!(
            created <= invoice["updated-at"].as_str().unwrap()
                || created[19..] != invoice["updated-at"].as_str().unwrap()[19..]
        );
    }
    let offsets: std::collections::BTreeSet<&str> = invoices
        .iter()
        .map(|i| &i["created-at"].as_str().unwrap()[19..])
        .collect();
    assert_eq!(
        offsets.into_iter().collect::<Vec<_>>(),
        ["-07:00", "-08:00"],
        "daylight saving"
    );
    let longest = invoices
        .iter()
        .flat_map(|i| i["invoice-lines"].as_array().unwrap())
        .map(|l| {
            l["price"]
                .as_str()
                .unwrap()
                .split_once('.')
                .map_or(0, |(_, d)| d.len())
        });
    assert_eq!(
        longest.max(),
        Some(12),
        "prices may be wider than nine decimals"
    );
    assert!(
        invoices.iter().all(|i| i.get("shipping-term").is_none()),
        "old releases leave null associations out"
    );
    let numeric = Simulator::start(Config {
        numeric_charges: true,
        null_associations: true,
        ..Config::for_tests(25, 0.05)
    })
    .unwrap();
    let first = &numeric.truth("invoices")[0];
    assert!(first["shipping-amount"].is_number());
    assert!(first["shipping-term"].is_null() && first.get("shipping-term").is_some());
}
