//! Generated histories: the queries and the matcher that goes row by row say the same of every line, and what
//! the rules promise holds.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::brute::{Matcher, shown};
use super::documents::Books;
use super::histories::{history, shared};
use super::world::World;

const BATCHES: u64 = 4;
const HISTORIES: u64 = 525;

/// The histories of one batch, each by itself, and all in one set of books.
pub fn batch(number: u64, count: u64) -> (Vec<Books>, Books) {
    let rules = shared(number);
    let mut all = rules.clone();
    let mut each = Vec::new();
    for n in 0..count {
        let own = history(number * HISTORIES + n);
        all.add(own.clone());
        let mut with_rules = own;
        with_rules.add(rules.clone());
        each.push(with_rules);
    }
    (each, all)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_every_history_is_matched_as_by_hand() {
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    let mut flags: BTreeMap<String, usize> = BTreeMap::new();
    let mut methods: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..BATCHES {
        let (each, all) = batch(number, HISTORIES);
        let world = World::new(&all.tables(), &all.tolerances_csv())
            .base()
            .await;
        let made = world.make("po_invoice_match").await;
        assert_eq!(
            made.len(),
            all.invoice_lines.len(),
            "one row for every line"
        );
        let made = made.by("invoice_line_id");
        let mut problems = Vec::new();
        for books in &each {
            let matcher = Matcher::new(books);
            for line in &books.invoice_lines {
                let found = &made[&line.id.to_string()];
                for (column, wanted) in matcher.outcome(line) {
                    if found[column] != wanted {
                        problems.push(format!(
                            "line {} {column}: {}, by hand {wanted}",
                            line.id, found[column]
                        ));
                    }
                }
                *statuses.entry(found["match_status"].clone()).or_default() += 1;
                *methods.entry(found["match_method"].clone()).or_default() += 1;
                for flag in found["flags"].split_terminator(';') {
                    *flags.entry(flag.to_owned()).or_default() += 1;
                }
            }
        }
        let few: Vec<_> = problems.iter().take(20).cloned().collect();
        assert!(
            problems.is_empty(),
            "{} differ:\n{}",
            problems.len(),
            few.join("\n")
        );
    }
    // The histories are worth their name only if everything happens in them, and often.
    println!("{statuses:?}\n{flags:?}\n{methods:?}");
    assert_eq!(statuses.len(), 8, "{statuses:?}");
    assert_eq!(flags.len(), 12, "{flags:?}");
    assert_eq!(methods.len(), 5, "{methods:?}");
    let rare = statuses
        .iter()
        .chain(&flags)
        .chain(&methods)
        .filter(|(_, count)| **count < 25);
    assert_eq!(rare.collect::<Vec<_>>(), []);
}

/// Rules left out of the query, one at a time.
const SPOILT: [(&str, &str); 12] = [
    ("'price', 'other'", "'price'"),
    (
        "WHEN i.is_credit THEN -abs(l.quantity)",
        "WHEN i.is_credit THEN l.quantity",
    ),
    ("AND NOT is_duplicate", ""),
    ("AND coalesce(NOT vendor_id <> po_vendor, true)", ""),
    (
        "WHEN 'vendor' THEN 2 WHEN 'chart' THEN 3",
        "WHEN 'vendor' THEN 3 WHEN 'chart' THEN 2",
    ),
    (
        "l.exchange_rate > 0 THEN l.exchange_rate",
        "false THEN l.exchange_rate",
    ),
    ("HAVING count(*) = 1", "HAVING count(*) > 0"),
    ("status IN ('created', 'completed')", "status <> 'nothing'"),
    (
        "ORDER BY i.seen_date NULLS LAST",
        "ORDER BY i.seen_date DESC",
    ),
    ("PARTITION BY order_id", "PARTITION BY order_line_id"),
    ("WHEN 0 THEN CAST('0.5'", "WHEN 0 THEN CAST('0.005'"),
    ("= 0 AND coalesce(", "= -1 AND coalesce("),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_left_out_is_noticed() {
    let (each, all) = batch(BATCHES + 2, 160);
    let by_hand: Vec<_> = each
        .iter()
        .flat_map(|books| {
            let matcher = Matcher::new(books);
            let lines = books.invoice_lines.iter();
            lines
                .map(|line| (line.id.to_string(), matcher.outcome(line)))
                .collect::<Vec<_>>()
        })
        .collect();
    let tables = all.tables();
    for (from, to) in SPOILT {
        let world = World::new(&tables, &all.tolerances_csv()).base().await;
        let made = world
            .spoilt("po_invoice_match", from, to)
            .make("po_invoice_match")
            .await;
        let made = made.by("invoice_line_id");
        let same = by_hand.iter().all(|(id, wanted)| {
            let found = &made[id];
            wanted
                .iter()
                .all(|(column, wanted)| found[*column] == *wanted)
        });
        assert!(!same, "nothing is noticed without {from}");
    }
}

fn total(lines: impl Iterator<Item = Decimal>) -> String {
    shown(lines.sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_money_is_lost_between_lines_invoices_and_orders() {
    let (each, all) = batch(BATCHES, 250);
    let world = World::new(&all.tables(), &all.tolerances_csv())
        .base()
        .await;
    let lines = world.make("po_invoice_match").await;
    let invoices = world.make("invoice_match").await;
    let positions = world.make("po_line_position").await;
    assert_eq!(invoices.len(), all.invoices.len());
    assert_eq!(positions.len(), all.order_lines.len());
    let sum = |column: Vec<String>| {
        let numbers = column
            .iter()
            .map(|text| text.parse::<Decimal>().expect("a number"));
        total(numbers)
    };
    let by_hand = each.iter().map(|books| {
        let matcher = Matcher::new(books);
        books
            .invoice_lines
            .iter()
            .map(|line| matcher.total(line))
            .sum()
    });
    let by_hand = total(by_hand);
    assert_eq!(sum(lines.column("line_net")), by_hand);
    assert_eq!(sum(invoices.column("net")), by_hand);
    let parts = [
        "SELECT sum(net - po_net - contract_net - unbacked_net) FROM report.invoice_match WHERE backing <> 'excluded'",
        // Running totals end where the position of the order line says.
        "SELECT count(*) FROM report.po_line_position AS p JOIN (
            SELECT order_line_id, sum(line_net_po_ccy) AS amount, sum(qty_consumed) AS quantity
            FROM report.po_invoice_match WHERE consumes GROUP BY order_line_id
        ) AS m ON m.order_line_id = p.order_line_id
        WHERE m.amount <> p.invoiced_amount OR m.quantity <> coalesce(p.invoiced_qty, m.quantity)",
        "SELECT count(*) FROM report.po_line_position AS p
        WHERE p.invoiced_amount <> 0 AND NOT EXISTS (
            SELECT 1 FROM report.po_invoice_match AS m
            WHERE m.order_line_id = p.order_line_id AND m.consumes AND m.cum_amount_po_ccy = p.invoiced_amount
        )",
    ];
    for question in parts {
        assert_eq!(world.rows(question).await, [["0"]], "{question}");
    }
    // And of every history by itself.
    let net_of: BTreeMap<String, String> = invoices
        .column("invoice_id")
        .into_iter()
        .zip(invoices.column("net"))
        .collect();
    for books in &each {
        let matcher = Matcher::new(books);
        for invoice in &books.invoices {
            let own = books
                .invoice_lines
                .iter()
                .filter(|line| line.invoice == invoice.id);
            let by_hand = total(own.map(|line| matcher.total(line)));
            assert_eq!(
                net_of[&invoice.id.to_string()],
                by_hand,
                "invoice {}",
                invoice.id
            );
        }
    }
}

async fn outcomes(books: &Books) -> BTreeMap<String, BTreeMap<String, String>> {
    let world = World::new(&books.tables(), &books.tolerances_csv())
        .base()
        .await;
    world.make("po_invoice_match").await.by("invoice_line_id")
}

fn flags_of(row: &BTreeMap<String, String>) -> Vec<&str> {
    row["flags"].split_terminator(';').collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_matter_does_not() {
    let (_, all) = batch(BATCHES + 1, 250);
    let before = outcomes(&all).await;

    let mut turned = all.clone();
    turned.invoice_lines.reverse();
    turned.invoices.reverse();
    turned.order_lines.reverse();
    turned.receipts.reverse();
    turned.rates.reverse();
    turned.tolerances.reverse();
    assert_eq!(outcomes(&turned).await, before, "the order of rows");

    let mut voided = all.clone();
    let lines = all.invoice_lines.len();
    for at in (0..lines).step_by(7) {
        let line = all.invoice_lines[at].clone();
        let mut invoice = all
            .invoices
            .iter()
            .find(|one| one.id == line.invoice)
            .expect("it has one")
            .clone();
        invoice.id += 500;
        invoice.status = "voided";
        if voided.invoices.iter().any(|one| one.id == invoice.id) {
            continue;
        }
        let mut again = line;
        again.invoice = invoice.id;
        again.id = invoice.id * 10;
        again.ordinal = 1;
        voided.invoices.push(invoice);
        voided.invoice_lines.push(again);
    }
    assert!(voided.invoice_lines.len() > lines + 100);
    let with_voids = outcomes(&voided).await;
    for (id, row) in &before {
        assert_eq!(
            &with_voids[id], row,
            "a voided invoice changes nothing but its own rows"
        );
    }

    let mut wide = all.clone();
    for one in &mut wide.tolerances {
        let more = Decimal::from(50);
        one.pct = one.pct.map(|pct| pct + more);
        one.abs = one.abs.map(|abs| abs + more);
    }
    let mut fewer = 0;
    for (id, row) in &outcomes(&wide).await {
        let was = flags_of(&before[id]);
        let now = flags_of(row);
        assert!(
            now.iter().all(|flag| was.contains(flag)),
            "{id}: {was:?} became {now:?}"
        );
        fewer += was.len() - now.len();
    }
    assert!(fewer > 50, "wider tolerances let pass {fewer}");

    let mut received = all.clone();
    for (next, line) in (u64::MAX / 2..).zip(&all.order_lines) {
        received.receipts.push(super::documents::Receipt {
            id: next,
            order_line: line.id,
            original: None,
            status: Some("created"),
            is_deleted: false,
            adds: true,
            quantity: (!line.is_amount).then(|| Decimal::from(1_000)),
            amount: Some(Decimal::from(1_000_000)),
            date: "2026-12-31".to_owned(),
        });
    }
    let mut gone = 0;
    for (id, row) in &outcomes(&received).await {
        let was = flags_of(&before[id]);
        let now = flags_of(row);
        let kept: Vec<_> = was
            .iter()
            .filter(|flag| !flag.ends_with("_received"))
            .copied()
            .collect();
        assert_eq!(
            now, kept,
            "{id}: a receipt removes nothing but what waits for it"
        );
        gone += was.len() - now.len();
    }
    assert!(gone > 100, "receipts let pass {gone}");
}
