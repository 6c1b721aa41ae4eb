//! Histories of orders, receipts and invoices out of a seed: small, and full of what goes wrong.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rust_decimal::Decimal;

use super::documents::{Books, Invoice, InvoiceLine, Order, OrderLine, Rate, Receipt, Tolerance};

const CURRENCIES: [&str; 4] = ["USD", "USD", "EUR", "JPY"];
const UNITS: [Option<&str>; 8] = [
    Some("EA"),
    Some("EA"),
    Some("EA"),
    Some("EA"),
    Some("EA"),
    None,
    None,
    Some("BOX"),
];
const CHECKS: [&str; 6] = [
    "price_unit",
    "qty_ordered",
    "qty_received",
    "amount_line",
    "amount_received",
    "po_total",
];

/// Ids of one history: no other has them.
const IDS: u64 = 1_000;

struct Dice(Pcg64Mcg);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0.random_range(0..n)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn day(&mut self) -> String {
        let (month, day) = (1 + self.below(3), 1 + self.below(28));
        format!("2026-{month:02}-{day:02}")
    }

    fn decimal(&mut self, from: &[&str]) -> Decimal {
        self.pick(from).parse().expect("a number")
    }
}

/// What all histories of a batch share: rates, and the tolerances that hold where nothing else does.
pub fn shared(seed: u64) -> Books {
    let mut dice = Dice(Pcg64Mcg::seed_from_u64(seed));
    let rate = |id, from, to, date: &str, rate: &str| Rate {
        id,
        from,
        to,
        date: date.to_owned(),
        rate: rate.parse().expect("a number"),
    };
    let mut tolerances = Vec::new();
    for check in &CHECKS {
        if !dice.one_in(if *check == "po_total" { 2 } else { 8 }) {
            tolerances.push(tolerance(&mut dice, "default", None, check));
        }
    }
    Books {
        tolerances,
        rates: vec![
            rate(1, "USD", "EUR", "2026-01-10", "0.9"),
            rate(2, "USD", "EUR", "2026-02-10", "0.92"),
            // Twice on one day: the later record holds.
            rate(3, "USD", "EUR", "2026-02-10", "0.925"),
            rate(4, "EUR", "USD", "2026-01-01", "1.1"),
            rate(5, "JPY", "USD", "2026-02-01", "0.0065"),
            rate(6, "EUR", "JPY", "2026-01-15", "163.251"),
        ],
        ..Books::default()
    }
}

fn tolerance(
    dice: &mut Dice,
    scope: &'static str,
    scope_id: Option<u64>,
    check: &'static str,
) -> Tolerance {
    let pct = dice.pick(&["", "", "0", "2", "10", "20"]);
    let abs = dice.pick(&["", "", "0", "3", "10"]);
    Tolerance {
        scope,
        scope_id,
        check,
        pct: pct.parse().ok(),
        abs: abs.parse().ok(),
    }
}

/// One history; `number` sets it apart from all others.
pub fn history(number: u64) -> Books {
    let mut dice = Dice(Pcg64Mcg::seed_from_u64(number ^ 0x5eed));
    let base = (number + 1) * IDS;
    let mut books = Books::default();
    let vendors: Vec<u64> = (1..=3).map(|n| base + n).collect();
    let commodities = [base + 11, base + 12];
    let chart = base + 21;
    for &vendor in &vendors {
        let level = dice.pick(&[None, None, Some("3-way"), Some("none"), Some("2-way")]);
        books.vendors.push((vendor, level));
    }
    for check in CHECKS {
        let scopes = [
            ("commodity", commodities[0]),
            ("commodity", commodities[1]),
            ("vendor", vendors[0]),
            ("chart", chart),
        ];
        for (scope, id) in scopes {
            if dice.one_in(if scope == "commodity" { 5 } else { 3 }) {
                books
                    .tolerances
                    .push(tolerance(&mut dice, scope, Some(id), check));
            }
        }
    }
    let orders = 2 + dice.below(4);
    for n in 0..orders {
        add_order(
            &mut dice,
            &mut books,
            base + n,
            &vendors,
            &commodities,
            chart,
        );
    }
    add_receipts(&mut dice, &mut books, base);
    let invoices = 4 + dice.below(9);
    for n in 0..invoices {
        match books.invoices.len() as u64 {
            there if there > 0 && dice.one_in(8) => {
                let at = dice.below(there) as usize;
                send_again(&mut dice, &mut books, at, base + n);
            }
            _ => add_invoice(&mut dice, &mut books, base + n, &vendors, chart),
        }
    }
    books
}

fn add_order(
    dice: &mut Dice,
    books: &mut Books,
    id: u64,
    vendors: &[u64],
    commodities: &[u64],
    chart: u64,
) {
    let mut sum = Decimal::ZERO;
    for n in 0..1 + dice.below(3) as usize {
        let is_amount = dice.one_in(3);
        let quantity = Decimal::from(1 + dice.below(10));
        let price = dice.decimal(&["0", "5", "10", "33.33", "100", "0.0125"]);
        let blanket = dice.decimal(&["100", "500", "0"]);
        let total = if is_amount {
            blanket
        } else {
            (quantity * price).round_dp(4)
        };
        sum += total;
        let number = if dice.one_in(12) { 1 } else { n + 1 };
        books.order_lines.push(OrderLine {
            id: id * 10 + n as u64,
            order: id,
            ordinal: n + 1,
            number: number.to_string(),
            status: if dice.one_in(25) {
                "cancelled"
            } else {
                "created"
            },
            is_amount,
            quantity: (!is_amount).then_some(quantity),
            price: (!is_amount).then_some(price),
            total,
            level: dice.pick(&[
                None,
                Some("2-way"),
                Some("2-way"),
                Some("3-way"),
                Some("3-way"),
                Some("3-way-fifo"),
                Some("none"),
                Some("direct_matching"),
            ]),
            needs_receipt: dice.pick(&[None, Some(false), Some(true)]),
            uom: if is_amount { None } else { dice.pick(&UNITS) },
            commodity: dice.pick(&[None, None, Some(commodities[0]), Some(commodities[1])]),
        });
    }
    books.orders.push(Order {
        id,
        number: format!("PO-{id}"),
        status: dice.pick(&[
            "issued",
            "issued",
            "issued",
            "issued",
            "issued",
            "issued",
            "issued",
            "issued",
            "issued",
            "issued",
            "issued",
            "closed",
            "cancelled",
            "soft_closed",
        ]),
        is_deleted: dice.one_in(30),
        vendor: dice.pick(vendors),
        chart: (!dice.one_in(3)).then_some(chart),
        currency: dice.pick(&CURRENCIES),
        date: dice.day(),
        total: if dice.one_in(4) {
            dice.decimal(&["0", "50", "600"])
        } else {
            sum
        },
    });
}

fn add_receipts(dice: &mut Dice, books: &mut Books, base: u64) {
    for n in 0..dice.below(12) {
        let lines = books.order_lines.len() as u64;
        let line = books.order_lines[dice.below(lines) as usize].clone();
        let quantity = Decimal::from(1 + dice.below(8));
        let value = Decimal::from(10 + dice.below(300));
        // Returns, disposals and voids are a quarter; half of them say of what.
        let adds = !dice.one_in(4);
        let earlier = books.receipts.iter();
        let earlier = earlier.filter(|one| one.adds && one.order_line == line.id);
        let original = earlier.map(|one| one.id).next_back();
        books.receipts.push(Receipt {
            id: base + n,
            order_line: line.id,
            original: original.filter(|_| !adds && dice.one_in(2)),
            status: dice.pick(&[
                Some("created"),
                Some("created"),
                Some("completed"),
                None,
                Some("pending"),
            ]),
            is_deleted: dice.one_in(25),
            adds,
            quantity: (!line.is_amount).then_some(quantity),
            amount: Some(line.price.map_or(value, |price| price * quantity)),
            date: dice.day(),
        });
    }
}

fn add_invoice(dice: &mut Dice, books: &mut Books, id: u64, vendors: &[u64], chart: u64) {
    let mostly = books.orders[dice.below(books.orders.len() as u64) as usize].clone();
    let own_rate = dice.one_in(5).then(|| {
        let rate = dice.decimal(&["0.91", "1.08", "0.0066", "150.5"]);
        (rate, dice.pick(&CURRENCIES))
    });
    let invoice = Invoice {
        id,
        number: dice
            .pick(&[
                Some("A-1"),
                Some("a1"),
                Some("A-01"),
                Some("B 002"),
                Some("b2"),
                Some("C3"),
                Some("c0x0"),
                Some("10-020"),
                Some("/"),
                None,
            ])
            .map(str::to_owned),
        is_credit: dice.one_in(5),
        status: dice.pick(&[
            "approved",
            "approved",
            "approved",
            "approved",
            "approved",
            "approved",
            "approved",
            "approved",
            "approved",
            "approved",
            "pending_approval",
            "pending_approval",
            "disputed",
            "on_hold",
            "voided",
            "draft",
            "new",
            "rejected",
        ]),
        is_deleted: dice.one_in(30),
        vendor: if dice.one_in(25) {
            None
        } else if dice.one_in(8) {
            Some(dice.pick(vendors))
        } else {
            Some(mostly.vendor)
        },
        chart: Some(chart),
        currency: if dice.one_in(4) {
            dice.pick(&CURRENCIES)
        } else {
            mostly.currency
        },
        date: dice.day(),
        received: (!dice.one_in(6)).then(|| dice.day()),
        rate: own_rate,
        contract: dice.one_in(12).then_some(900),
    };
    let of_order: Vec<OrderLine> = books
        .order_lines
        .iter()
        .filter(|line| line.order == mostly.id)
        .cloned()
        .collect();
    for n in 0..1 + dice.below(3) as usize {
        let all = &books.order_lines;
        let to = match dice.one_in(5) {
            true => all[dice.below(all.len() as u64) as usize].clone(),
            false => of_order[dice.below(of_order.len() as u64) as usize].clone(),
        };
        books.invoice_lines.push(invoice_line(dice, id, n, &to));
    }
    books.invoices.push(invoice);
}

/// An invoice that comes a second time, its number written in another way, or one line dearer.
fn send_again(dice: &mut Dice, books: &mut Books, at: usize, id: u64) {
    let first = books.invoices[at].clone();
    let number = first.number.clone().map(|number| match dice.below(3) {
        0 => number.to_lowercase(),
        1 => format!("{}/", number.replace('-', " ")),
        _ => number,
    });
    let lines: Vec<InvoiceLine> = books
        .invoice_lines
        .iter()
        .filter(|line| line.invoice == first.id)
        .cloned()
        .collect();
    for (n, mut line) in lines.into_iter().enumerate() {
        line.id = id * 10 + n as u64;
        line.invoice = id;
        if dice.one_in(6) {
            line.total = line.total.map(|total| total + Decimal::ONE);
        }
        books.invoice_lines.push(line);
    }
    let received = (!dice.one_in(6)).then(|| dice.day());
    let status = if dice.one_in(5) {
        "rejected"
    } else {
        first.status
    };
    books.invoices.push(Invoice {
        id,
        number,
        received,
        status,
        ..first
    });
}

fn invoice_line(dice: &mut Dice, invoice: u64, n: usize, to: &OrderLine) -> InvoiceLine {
    let is_amount = to.is_amount || dice.one_in(7);
    let quantity = Decimal::from(1 + dice.below(6))
        * if dice.one_in(15) {
            -Decimal::ONE
        } else {
            Decimal::ONE
        };
    let other = dice.decimal(&["5", "10.2", "11", "33.3301"]);
    let price = match dice.below(5) {
        0..=2 => to.price.unwrap_or(other),
        _ => other,
    };
    let money = dice.decimal(&["50", "120", "-30", "99.995", "100.4", "500.3", "400"]);
    let total = if is_amount {
        money
    } else {
        (quantity * price).round_dp(4)
    };
    // How the line says what it bills: by id, by numbers, by the order alone, or not at all.
    let says = dice.below(20);
    let by_number = (12..18).contains(&says);
    InvoiceLine {
        id: invoice * 10 + n as u64,
        invoice,
        ordinal: n + 1,
        number: (!dice.one_in(20)).then_some(if dice.one_in(10) { 1 } else { n + 1 }),
        is_amount,
        order_line: match says {
            0..12 => Some(to.id),
            // An id that no order line has.
            18 => Some(7),
            _ => None,
        },
        order: (says < 18).then_some(to.order),
        order_line_number: match (by_number, says) {
            (true, 16) => None,
            (true, 17) => Some("9".to_owned()),
            (true, _) => Some(to.number.clone()),
            _ => None,
        },
        quantity: (!is_amount).then_some(quantity),
        price: (!is_amount).then_some(price),
        total: (!dice.one_in(40)).then_some(total),
        uom: if is_amount { None } else { dice.pick(&UNITS) },
        adjustment: dice.pick(&[
            None,
            None,
            None,
            None,
            None,
            Some("price"),
            Some("quantity"),
            Some("other"),
        ]),
        contract: dice.one_in(6).then_some(901),
    }
}
