//! Determinism, and what a turn changes.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use simulator::{Change, Config, Running, Simulator};

use crate::client::{Client, RESOURCES, id};

fn state(coupa: &Running) -> BTreeMap<&'static str, BTreeMap<i64, Value>> {
    RESOURCES
        .into_iter()
        .map(|r| (r, coupa.truth(r).into_iter().map(|v| (id(&v), v)).collect()))
        .collect()
}

fn some_change() -> Change {
    Change {
        changed_fraction: 0.06,
        new_fraction: 0.04,
        deleted_fraction: 0.02,
        ..Change::default()
    }
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let start = || Simulator::start(Config::for_tests(71, 0.04)).unwrap();
    let (one, two) = (start(), start());
    for _ in 0..2 {
        for resource in RESOURCES {
            assert_eq!(
                Client::new(&one).get(resource, &[]).body,
                Client::new(&two).get(resource, &[]).body,
                "{resource}"
            );
        }
        one.clock().advance(Duration::from_secs(60));
        two.clock().advance(Duration::from_secs(60));
        assert_eq!(one.advance(&some_change()), two.advance(&some_change()));
    }
    let other = Simulator::start(Config::for_tests(72, 0.04)).unwrap();
    assert_ne!(one.truth("invoices"), other.truth("invoices"));
}

#[test]
fn a_turn_stamps_all_it_changes_and_nothing_else() {
    let coupa = Simulator::start(Config::for_tests(73, 0.06)).unwrap();
    for round in 0..3 {
        let before = state(&coupa);
        coupa.clock().advance(Duration::from_secs(3_600));
        let changed = coupa.advance(&some_change());
        let now = coupa.clock().now();
        let after = state(&coupa);
        for resource in RESOURCES {
            let told =
                |ids: &BTreeMap<String, Vec<i64>>| ids.get(resource).cloned().unwrap_or_default();
            let (old, new) = (&before[resource], &after[resource]);
            let created: Vec<i64> = new
                .keys()
                .filter(|id| !old.contains_key(id))
                .copied()
                .collect();
            assert_eq!(
                created,
                told(&changed.created)
                    .into_iter()
                    .filter(|id| !old.contains_key(id))
                    .collect::<Vec<_>>(),
                "{resource}"
            );
            let deleted: Vec<i64> = old
                .keys()
                .filter(|id| !new.contains_key(id))
                .copied()
                .collect();
            assert_eq!(
                deleted,
                told(&changed.deleted)
                    .into_iter()
                    .filter(|id| old.contains_key(id))
                    .collect::<Vec<_>>(),
                "{resource}"
            );
            for (id, record) in new {
                let Some(was) = old.get(id) else { continue };
                let stamp = record["updated-at"]
                    .as_str()
                    .map(|t| chrono::DateTime::parse_from_rfc3339(t).unwrap());
                if record != was {
                    assert_eq!(
                        stamp.map(|t| t.timestamp()),
                        Some(now.timestamp()),
                        "{resource} {id} round {round}"
                    );
                    assert!(
                        told(&changed.edited).contains(id) || told(&changed.touched).contains(id),
                        "{resource} {id}"
                    );
                }
                if told(&changed.edited).contains(id) {
                    assert_eq!(
                        stamp.map(|t| t.timestamp()),
                        Some(now.timestamp()),
                        "{resource} {id}"
                    );
                }
            }
        }
        assert!(changed.edited["invoices"].len() > 10 && changed.created["invoices"].len() > 5);
        assert!(
            changed.touched.contains_key("purchase_orders")
                && changed.touched.contains_key("users")
        );
    }
}

#[test]
fn numbers_can_be_asked_for() {
    let coupa = Simulator::start(Config::for_tests(74, 0.05)).unwrap();
    let one = |resource: &str, n| BTreeMap::from([(resource.to_owned(), n)]);
    let changed = coupa.advance(&Change {
        changed: one("suppliers", 4),
        new: one("invoices", 3),
        deleted: one("supplier_items", 2),
        ..Change::default()
    });
    assert_eq!(changed.edited["suppliers"].len(), 4);
    assert_eq!(changed.created["invoices"].len(), 3);
    assert_eq!(changed.deleted["supplier_items"].len(), 2);
}

#[test]
fn records_can_be_written_deleted_and_touched() {
    let coupa = Simulator::start(Config::for_tests(75, 0.05)).unwrap();
    let client = Client::new(&coupa);
    let truth = coupa.truth("invoices");
    let (first, second) = (id(&truth[0]), id(&truth[1]));
    coupa.clock().advance(Duration::from_secs(600));
    let now = "2026-03-02T09:10:00-08:00";

    // A change of some members leaves the others, and their kinds.
    coupa.upsert("invoices", &json!({ "id": first, "gross_total": "123.4500", "custom-fields": { "approval-memo": "é \"q\"" } }));
    let record = client.get(&format!("invoices/{first}"), &[]).json();
    assert_eq!(
        (
            record["gross-total"].as_str(),
            record["updated-at"].as_str()
        ),
        (Some("123.4500"), Some(now))
    );
    assert_eq!(record["invoice-lines"], truth[0]["invoice-lines"]);
    assert_eq!(record["custom-fields"]["approval-memo"], "é \"q\"");
    assert_eq!(
        record["custom-fields"]["prepaid"],
        truth[0]["custom-fields"]["prepaid"]
    );
    let found = client.rows(
        "invoices",
        &[
            ("gross_total", "123.45"),
            ("fields", r#"["id","gross-total"]"#),
        ],
    );
    assert_eq!(found, [json!({ "id": first, "gross-total": "123.4500" })]);

    // A new record, one with an id of its own, one with a member nobody has seen.
    let added = coupa.upsert(
        "invoices",
        &json!({ "invoice-number": "NEW-1", "status": "draft", "odd one": [{ "a": 1 }] }),
    );
    assert!(truth.iter().all(|r| id(r) < added));
    let rows = client.rows("invoices", &[("updated-at[gt_or_eq]", now)]);
    assert_eq!(rows.iter().map(id).collect::<Vec<_>>(), [first, added]);
    assert_eq!(rows[1]["odd one"][0]["a"], 1);
    let number = client.rows("invoices", &[("invoice_number", "NEW-1")]);
    assert_eq!(number.len(), 1);

    assert!(coupa.touch("invoices", second));
    assert!(coupa.touch("invoices", added));
    assert!(coupa.delete("invoices", first));
    assert!(!coupa.delete("invoices", first));
    assert!(!coupa.touch("invoices", first));
    assert_eq!(client.get(&format!("invoices/{first}"), &[]).status, 404);
    let ids: Vec<i64> = client.all("invoices", &[]).iter().map(id).collect();
    assert_eq!(
        ids,
        coupa.truth("invoices").iter().map(id).collect::<Vec<_>>()
    );
    assert!(!ids.contains(&first) && ids.contains(&added));
    let touched = &client.rows("invoices", &[("order_by", "updated_at"), ("dir", "desc")])[..2];
    assert_eq!(touched.iter().map(id).collect::<Vec<_>>(), [added, second]);
    assert_eq!(
        touched[1]["gross-total"], truth[1]["gross-total"],
        "a touch changes nothing else"
    );
}

#[test]
fn a_process_is_moved_over_http() {
    let coupa = Simulator::start(Config {
        control: true,
        ..Config::for_tests(76, 0.04)
    })
    .unwrap();
    let body = json!({ "seconds": 120, "changed": { "invoices": 5 } }).to_string();
    let answer = crate::client::send(
        &coupa,
        "POST /simulator/advance",
        "Content-Type: application/json\r\n",
        &body,
    )
    .unwrap();
    assert_eq!(
        answer.json()["edited"]["invoices"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
    Client::new(&coupa).rows("invoices", &[]);
    let answer = crate::client::send(&coupa, "GET /simulator/requests", "", "").unwrap();
    assert_eq!(answer.rows().len(), 2);
    let answer =
        crate::client::send(&coupa, "GET /simulator/truth/purchase_orders", "", "").unwrap();
    assert_eq!(answer.rows(), coupa.truth("purchase_orders"));
    let bad =
        crate::client::send(&coupa, "POST /simulator/advance", "", r#"{"colour":1}"#).unwrap();
    assert_eq!(bad.status, 400);
}
