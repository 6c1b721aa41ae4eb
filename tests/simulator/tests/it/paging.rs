use simulator::{Config, Simulator};

use crate::client::{Client, RESOURCES, id};

#[test]
fn keyset_returns_each_record_once_and_as_the_truth_has_it() {
    let coupa = Simulator::start(Config::for_tests(3, 0.04)).unwrap();
    let client = Client::new(&coupa);
    for resource in RESOURCES {
        let truth = coupa.truth(resource);
        assert!(!truth.is_empty(), "{resource}");
        assert_eq!(client.all(resource, &[]), truth, "{resource}");
    }
}

#[test]
fn keyset_over_a_filter_returns_each_match_once() {
    let coupa = Simulator::start(Config::for_tests(4, 0.1)).unwrap();
    let client = Client::new(&coupa);
    let filters: [(&str, &str, &str); 4] = [
        ("invoices", "status", "approved"),
        ("invoices", "invoice-lines[account][account_type][id]", "2"),
        ("purchase_orders", "updated_at[gt]", "2025-06-01"),
        ("suppliers", "payment-term[code][starts_with]", "NET"),
    ];
    for (resource, key, value) in filters {
        let rows = client.all(resource, &[(key, value)]);
        let ids: Vec<i64> = rows.iter().map(id).collect();
        assert!(ids.windows(2).all(|w| w[0] < w[1]), "{resource} {key}");
        assert!(!ids.is_empty(), "{resource} {key}");
        // The same in parts of ids, side by side.
        let middle = ids[ids.len() / 2].to_string();
        let low = client.all(resource, &[(key, value), ("id[lt_or_eq]", &middle)]);
        let high = client.all(resource, &[(key, value), ("id[gt_or_eq]", &middle)]);
        assert_eq!(low.len() + high.len(), ids.len() + 1, "{resource} {key}");
    }
}

#[test]
fn offset_limit_and_order() {
    let coupa = Simulator::start(Config::for_tests(5, 0.05)).unwrap();
    let client = Client::new(&coupa);
    let truth: Vec<i64> = coupa.truth("invoices").iter().map(id).collect();
    let ids = |query: &[(&str, &str)]| {
        client
            .rows("invoices", query)
            .iter()
            .map(id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&[]), truth[..50]);
    assert_eq!(
        ids(&[("limit", "200")]),
        truth[..50],
        "more than fifty are cut in silence"
    );
    assert_eq!(ids(&[("limit", "7"), ("offset", "3")]), truth[3..10]);
    assert!(ids(&[("offset", "100000")]).is_empty());
    assert_eq!(
        ids(&[("order_by", "id"), ("dir", "desc"), ("limit", "3")]),
        truth.iter().rev().take(3).copied().collect::<Vec<_>>()
    );
    for (query, status) in [
        (("limit", "many"), 400),
        (("offset", "-1"), 400),
        (("dir", "up"), 400),
        (("order_by", "colour"), 400),
    ] {
        assert_eq!(client.get("invoices", &[query]).status, status, "{query:?}");
    }

    let mut by_update = coupa.truth("invoices");
    by_update.sort_by_key(|r| {
        (
            chrono::DateTime::parse_from_rfc3339(r["updated-at"].as_str().unwrap()).unwrap(),
            id(r),
        )
    });
    let mut read = Vec::new();
    while read.len() < by_update.len() {
        let offset = read.len().to_string();
        read.extend(client.rows(
            "invoices",
            &[("order_by", "updated_at"), ("offset", &offset)],
        ));
    }
    assert_eq!(read, by_update);
    let since = by_update[by_update.len() / 2]["updated-at"]
        .as_str()
        .unwrap();
    let late = client.rows(
        "invoices",
        &[
            ("order_by", "updated-at"),
            ("dir", "desc"),
            ("updated-at[gt_or_eq]", since),
        ],
    );
    assert_eq!(late[0], by_update[by_update.len() - 1]);

    let by_number = client.rows("invoices", &[("order_by", "invoice_number")]);
    let numbers: Vec<&str> = by_number
        .iter()
        .map(|r| r["invoice-number"].as_str().unwrap())
        .collect();
    assert!(numbers.windows(2).all(|w| w[0] <= w[1]));
}

#[test]
fn ids_have_gaps_unless_they_should_not() {
    for (gaps, missing) in [(true, true), (false, false)] {
        let coupa = Simulator::start(Config {
            id_gaps: gaps,
            ..Config::for_tests(6, 0.1)
        })
        .unwrap();
        let ids: Vec<i64> = coupa.truth("purchase_orders").iter().map(id).collect();
        assert_eq!(ids.windows(2).any(|w| w[1] - w[0] > 1), missing);
    }
}

#[test]
fn a_large_company_answers_from_anywhere() {
    let coupa = Simulator::start(Config::for_tests(7, 0.1).count("invoices", 200_000)).unwrap();
    let client = Client::new(&coupa);
    let last = client.rows(
        "invoices",
        &[
            ("order_by", "id"),
            ("dir", "desc"),
            ("limit", "1"),
            ("fields", r#"["id"]"#),
        ],
    );
    let last = id(&last[0]);
    assert!(last > 200_000);
    let near = (last - 10).to_string();
    let rows = client.rows("invoices", &[("id[gt]", &near)]);
    assert_eq!(id(rows.last().unwrap()), last);
}
