//! Money divided over accounts: every part as by hand, and every invoice whole.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};

use super::agree::batch;
use super::brute::{Matcher, shown};
use super::documents::{DECIMALS, InvoiceLine};
use super::world::{Row, World, row};

/// How a line is said to be divided: shares of a hundred, or parts of its total.
enum Split {
    Whole,
    Shares(&'static [&'static str]),
    /// Hundredths of the total, given as amounts.
    Amounts(&'static [i64]),
}

fn split(line: &InvoiceLine) -> Split {
    match line.id % 8 {
        0 => Split::Shares(&["33.3333", "33.3333", "33.3334"]),
        1 => Split::Shares(&["50", "50"]),
        2 => Split::Shares(&["12.5", "87.5"]),
        // What is left belongs to no account.
        3 => Split::Shares(&["60"]),
        4 => Split::Amounts(&[30, 70]),
        5 => Split::Amounts(&[30, 60]),
        _ => Split::Whole,
    }
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a number")
}

fn part(total: Decimal, hundredths: i64) -> Decimal {
    total * Decimal::new(hundredths, 2)
}

fn rows(line: &InvoiceLine) -> Vec<Row> {
    let total = line.total.unwrap_or_default();
    let cells: Vec<(Option<String>, Option<String>)> = match split(line) {
        Split::Whole => vec![(
            line.total.map(|total| total.to_string()),
            Some("100".to_owned()),
        )],
        Split::Shares(shares) => shares
            .iter()
            .map(|pct| (None, Some((*pct).to_owned())))
            .collect(),
        Split::Amounts(parts) => parts
            .iter()
            .map(|of| (Some(part(total, *of).to_string()), None))
            .collect(),
    };
    let whole = matches!(split(line), Split::Whole);
    let row = |(at, (amount, pct)): (usize, (Option<String>, Option<String>))| {
        row! {
            id: format!("{}-{}", line.id, at + 1), invoice_id: line.invoice.to_string(),
            invoice_line_id: line.id.to_string(), line_ordinal: line.ordinal.to_string(),
            ordinal: (at + 1).to_string(), is_synthetic: whole.to_string(), amount: amount, pct: pct,
        }
    };
    cells.into_iter().enumerate().map(row).collect()
}

/// The parts of a line by the id of their row, and what is left over.
fn by_hand(line: &InvoiceLine, net: Decimal, places: u32) -> BTreeMap<String, String> {
    let round = |value: Decimal| {
        let kept = value.round_dp_with_strategy(9, RoundingStrategy::MidpointNearestEven);
        kept.round_dp_with_strategy(places, RoundingStrategy::MidpointNearestEven)
    };
    let turned = line.total.is_some_and(|total| total != net);
    let parts: Vec<Decimal> = match split(line) {
        Split::Whole => vec![net],
        Split::Amounts(parts) => {
            let total = line.total.unwrap_or_default();
            let sign = if turned { -Decimal::ONE } else { Decimal::ONE };
            parts.iter().map(|of| part(total, *of) * sign).collect()
        }
        Split::Shares(shares) => {
            let mut reached = Decimal::ZERO;
            let mut given = Decimal::ZERO;
            let share = |pct: &&str| {
                reached += decimal(pct);
                let upto = match reached == Decimal::ONE_HUNDRED {
                    true => net,
                    false => round(net * reached / Decimal::ONE_HUNDRED),
                };
                let part = upto - given;
                given = upto;
                part
            };
            shares.iter().map(share).collect()
        }
    };
    let rest = net - parts.iter().sum::<Decimal>();
    let mut found = BTreeMap::new();
    for (at, part) in parts.iter().enumerate() {
        found.insert(
            format!("inv:{}:{}-{}", line.id, line.id, at + 1),
            shown(*part),
        );
    }
    if !rest.is_zero() {
        found.insert(format!("inv:{}:rest", line.id), shown(rest));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_is_as_by_hand_and_every_invoice_whole() {
    let (each, all) = batch(50, 300);
    let mut tables = all.tables();
    let allocations = all.invoice_lines.iter().flat_map(rows).collect();
    tables.insert("invoice_line_allocations", allocations);
    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    let mut nets: BTreeMap<String, Decimal> = BTreeMap::new();
    for books in &each {
        let matcher = Matcher::new(books);
        for line in &books.invoice_lines {
            let net = matcher.total(line);
            *nets.entry(line.invoice.to_string()).or_default() += net;
            let invoice = books.invoices.iter().find(|one| one.id == line.invoice);
            let currency = invoice.expect("it has one").currency;
            let known = DECIMALS.iter().find(|(code, _)| *code == currency);
            wanted.extend(by_hand(line, net, known.map_or(2, |(_, places)| *places)));
        }
    }
    // The header: charges, tax, and a gross amount of all of it, as delivered on credit notes too.
    for row in tables.get_mut("invoices").into_iter().flatten() {
        let id = row["id"].clone();
        let sign = if row["document_type"] == "credit_note" {
            -Decimal::ONE
        } else {
            Decimal::ONE
        };
        let number: u64 = id.parse().expect("a number");
        let shipping = Decimal::from(number % 3) * decimal("7.25");
        let tax = Decimal::from(number % 5) * decimal("1.9");
        let net = nets.entry(id.clone()).or_default();
        *net += shipping * sign;
        let gross = *net * sign + tax;
        row.insert("shipping_amount", shipping.to_string());
        row.insert("total_tax_amount", tax.to_string());
        row.insert("total_amount", gross.to_string());
        row.insert(
            "status",
            if number.is_multiple_of(2) {
                "paid"
            } else {
                "submitted"
            }
            .to_owned(),
        );
        if !shipping.is_zero() {
            wanted.insert(format!("chg:{id}:shipping"), shown(shipping * sign));
        }
        if !tax.is_zero() {
            wanted.insert(format!("chg:{id}:tax"), "0".to_owned());
        }
    }
    let world = World::new(&tables, &all.tolerances_csv()).base().await;
    for name in ["po_invoice_match", "invoice_match", "spend_lines"] {
        let made = world.make(name).await;
        if name == "spend_lines" {
            let ids = made.column("spend_line_id");
            let found: BTreeMap<String, String> =
                ids.into_iter().zip(made.column("amount_doc")).collect();
            assert_eq!(found.len(), made.len(), "an id is one row's");
            assert_eq!(found, wanted);
        }
        assert_eq!(world.broken(name).await, [], "{name}");
    }
    let sums = world
        .rows("SELECT invoice_id, sum(amount_doc) FROM report.spend_lines GROUP BY invoice_id")
        .await;
    for sum in sums {
        assert_eq!(sum[1], shown(nets[&sum[0]]), "invoice {}", sum[0]);
    }
}
