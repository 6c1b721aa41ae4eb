//! Receipts used up first in, first out: the query against pieces that are counted out one by one.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::agree::batch;
use super::brute::{Matcher, shown};
use super::documents::{Books, OrderLine, Receipt};
use super::world::World;

type Uses = BTreeMap<(String, String), i64>;

fn pieces(quantity: Decimal) -> i64 {
    quantity.to_i64().expect("histories count whole pieces")
}

/// Every piece received of an order line that is still there, by its receipt, oldest first.
fn pieces_received(books: &Books, line: &OrderLine) -> Vec<u64> {
    let done = |one: &&Receipt| {
        let counts = matches!(one.status, None | Some("created" | "completed"));
        one.order_line == line.id && counts && !one.is_deleted && one.quantity.is_some()
    };
    let size = |one: &Receipt| pieces(one.quantity.unwrap_or_default());
    let all: Vec<&Receipt> = books.receipts.iter().filter(done).collect();
    let mut came: Vec<&&Receipt> = all.iter().filter(|one| one.adds).collect();
    came.sort_by_key(|one| (one.date.clone(), one.id));
    let mut rest = Vec::new();
    for receipt in came {
        let back = all
            .iter()
            .filter(|one| !one.adds && one.original == Some(receipt.id));
        let left = size(receipt) - back.map(|one| size(one)).sum::<i64>();
        rest.extend((0..left.max(0)).map(|_| receipt.id));
    }
    let net: i64 = all
        .iter()
        .map(|one| if one.adds { size(one) } else { -size(one) })
        .sum();
    rest.truncate(net.max(0) as usize);
    rest
}

/// What each line uses of each receipt, piece by piece.
fn by_hand(books: &Books) -> Uses {
    let matcher = Matcher::new(books);
    let mut uses = Uses::new();
    for to in &books.order_lines {
        if !matches!(matcher.level(to), "3-way-fifo" | "direct_matching") || to.is_amount {
            continue;
        }
        let received = pieces_received(books, to);
        let mut lines: Vec<_> = books.invoice_lines.iter().collect();
        lines.retain(|line| matcher.target(line).0.is_some_and(|one| one.id == to.id));
        lines.sort_by_key(|line| matcher.place(line));
        let mut billed = 0_i64;
        for line in lines {
            let taken = pieces(matcher.taken(line, to));
            // Amount lines take no pieces.
            let step = taken.signum();
            for _ in 0..taken.abs() {
                let piece = if step > 0 { billed } else { billed - 1 };
                billed += step;
                let receipt = usize::try_from(piece).ok().and_then(|at| received.get(at));
                if let Some(receipt) = receipt {
                    let key = (receipt.to_string(), line.id.to_string());
                    *uses.entry(key).or_default() += step;
                }
            }
        }
    }
    uses
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_are_used_first_in_first_out() {
    let (mut each, mut all) = batch(40, 500);
    for books in each.iter_mut().chain([&mut all]) {
        for line in books
            .order_lines
            .iter_mut()
            .filter(|line| line.level != Some("none"))
        {
            line.level = Some("3-way-fifo");
        }
    }
    let world = World::new(&all.tables(), &all.tolerances_csv())
        .base()
        .await;
    world.make("po_invoice_match").await;
    let made = world.make("receipt_allocations").await;
    let receipts = made.column("receipt_id");
    let lines = made.column("invoice_line_id");
    let found: BTreeMap<(String, String), String> = receipts
        .into_iter()
        .zip(lines)
        .zip(made.column("quantity"))
        .collect();
    assert_eq!(found.len(), made.len(), "a receipt and a line meet once");
    let by_hand: Uses = each.iter().flat_map(by_hand).collect();
    let by_hand: BTreeMap<(String, String), String> = by_hand
        .into_iter()
        .map(|(key, pieces)| (key, shown(Decimal::from(pieces))))
        .collect();
    assert_eq!(found, by_hand);
    assert!(found.len() > 100, "{} pairs are not enough", found.len());
    let returned = found.values().filter(|pieces| pieces.starts_with('-'));
    assert!(returned.count() > 5, "credits give back");
}
