//! What an invoice bills: its share of an order, or lines of its own; and how edits moved it on.

use super::{
    Resource, World,
    currencies::CURRENCIES,
    dice::{Dice, mix},
    order_lines::{Order, OrderLine, extend},
    reference::TERMS,
};
use crate::zone::DAY;

const INVOICE: u64 = 91;
const CREDIT: u64 = 92;
const EDIT: u64 = 93;
const STATUS: u64 = 94;

/// Share of invoices, in a thousandth, that are credit notes about an invoice before them.
const CREDITS: u64 = 90;

/// An invoice. Units: money 1/10,000; rates 1/100 percent.
pub struct Invoice {
    pub slot: u32,
    pub supplier: u32,
    pub chart: u32,
    pub currency: u8,
    pub requester: u32,
    /// The invoice a credit note corrects: one of ours, or one from before Coupa.
    pub credits: Option<Credited>,
    pub lines: Vec<InvoiceLine>,
    pub status: &'static str,
    pub line_taxes: bool,
    pub tax_rate: i64,
    pub charges: [i64; 3],
    pub withholding_rate: i64,
    pub paid: bool,
    pub payments: Vec<Payment>,
    /// Day on the invoice.
    pub day: i32,
    pub created_day: i32,
    pub notes: u32,
}

#[derive(Clone, Copy)]
pub enum Credited {
    Invoice(u32),
    Before(u32),
}

#[derive(Clone, Copy)]
pub struct Payment {
    pub amount: i64,
    pub day: i32,
}

#[derive(Clone, Copy)]
pub struct InvoiceLine {
    /// Order and line.
    pub order_line: Option<(u32, usize)>,
    pub line: OrderLine,
    pub tax: i64,
    /// The price is printed with twelve decimals.
    pub long_price: bool,
}

impl Invoice {
    pub fn net(&self) -> i64 {
        self.lines.iter().map(|l| l.line.total).sum()
    }

    pub fn tax(&self) -> i64 {
        self.lines.iter().map(|l| l.tax).sum::<i64>() + self.charge_taxes().iter().sum::<i64>()
    }

    pub fn gross(&self) -> i64 {
        self.net() + self.tax() + self.charges.iter().sum::<i64>()
    }

    /// Taxes of the charges: only rows of their own are taxed on their own.
    pub fn charge_taxes(&self) -> [i64; 3] {
        if !self.line_taxes {
            return [0; 3];
        }
        self.charges
            .map(|c| tax_of(c, self.tax_rate, self.currency))
    }

    pub fn paid_amount(&self) -> i64 {
        self.payments.iter().map(|p| p.amount).sum()
    }

    /// Whether the invoice counts against its order.
    pub fn counts(&self) -> bool {
        !matches!(
            self.status,
            "draft" | "voided" | "rejected" | "abandoned" | "invalid"
        )
    }
}

fn tax_of(net: i64, rate: i64, currency: u8) -> i64 {
    let step: i128 = match CURRENCIES[usize::from(currency)].1 {
        0 => 10_000,
        3 => 10,
        _ => 100,
    };
    let exact = i128::from(net) * i128::from(rate);
    let half = 5_000 * step * exact.signum();
    ((exact + half) / (10_000 * step) * step) as i64
}

impl World {
    /// An invoice as it stands now.
    pub fn invoice_now(&self, slot: u32) -> Invoice {
        let mut invoice = self.invoice_plan(slot);
        for nth in 1..=self.revision(Resource::Invoices, slot) {
            let mut dice = Dice::new(self.seed(), EDIT + (u64::from(nth) << 16), u64::from(slot));
            self.edit_invoice(&mut invoice, &mut dice, nth);
        }
        invoice
    }

    /// Lines of the order and what an invoice adds to them: quantities in 1/1,000, amounts in 1/10,000.
    pub fn invoiced_by(&self, slot: u32) -> Vec<(usize, i64)> {
        let invoice = self.invoice_now(slot);
        if !invoice.counts() {
            return Vec::new();
        }
        let share = |l: &InvoiceLine| {
            l.order_line
                .map(|(_, n)| (n, l.line.quantity.unwrap_or(l.line.total)))
        };
        invoice.lines.iter().filter_map(share).collect()
    }

    fn credit_roll(&self, slot: u32) -> bool {
        mix(self.seed(), CREDIT, u64::from(slot)) % 1000 < CREDITS
    }

    /// The invoice of the same order that this one credits.
    fn credited(&self, slot: u32, order: u32) -> Option<u32> {
        let range = self.range_of(Resource::Invoices, order);
        let before = (range.start..slot).rev().find(|s| self.is_backed(*s))?;
        (self.credit_roll(slot) && !self.credit_roll(before)).then_some(before)
    }

    fn invoice_plan(&self, slot: u32) -> Invoice {
        let mut dice = Dice::new(self.seed(), INVOICE, u64::from(slot));
        if self.is_backed(slot) {
            let order_slot = self.order_of(Resource::Invoices, slot);
            let order = self.order_plan(order_slot);
            let credits = self.credited(slot, order_slot);
            let lines = match credits {
                Some(before) => self.credit_lines(before, &mut dice),
                None => self.shares_of_order(slot, &order, &mut dice),
            };
            if !lines.is_empty() {
                let header = (order.supplier, order.chart, order.currency, order.requester);
                let credits = credits.map(Credited::Invoice);
                return self.invoice_of(slot, header, credits, lines, &mut dice);
            }
        }
        let supplier = self.buy_from(&mut dice);
        let seller = &self.suppliers[supplier as usize];
        let chart = dice.weighted(&[(0, 5), (1, 3), (2, 2)]);
        let day = self.zone().day_of(self.created(Resource::Invoices, slot));
        let count = self
            .shape
            .lines
            .map_or_else(|| 1 + dice.skewed(8), u64::from);
        let credit = dice.chance(35);
        let mut lines = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let mut line = self.line(&mut dice, supplier, seller.currency, chart, day);
            if credit {
                (line.quantity, line.total) = (line.quantity.map(|q| -q), -line.total);
                line.price = if line.quantity.is_none() {
                    -line.price
                } else {
                    line.price
                };
            }
            lines.push(InvoiceLine {
                order_line: None,
                line,
                tax: 0,
                long_price: dice.chance(4),
            });
        }
        let header = (
            supplier,
            chart,
            seller.currency,
            self.employee(dice.below(1 << 32)),
        );
        let credits = credit.then_some(Credited::Before(slot));
        self.invoice_of(slot, header, credits, lines, &mut dice)
    }

    /// This invoice's share of an order's lines.
    fn shares_of_order(&self, slot: u32, order: &Order, dice: &mut Dice) -> Vec<InvoiceLine> {
        let (place, count) = self.place_among_invoices(slot, order.slot);
        let (place, count) = (i64::from(place), i64::from(count));
        let mut lines = Vec::with_capacity(order.lines.len());
        for (nth, at) in order.lines.iter().enumerate() {
            let step = if at.quantity.is_some() { 1_000 } else { 100 };
            let whole = at.quantity.unwrap_or(at.total);
            let upto = |part: i64| whole / step * part / count * step;
            let mut value = if whole / step >= count {
                if place + 1 == count {
                    whole - upto(place)
                } else {
                    upto(place + 1) - upto(place)
                }
            } else if nth as i64 % count == place {
                whole
            } else {
                0
            };
            let mut line = *at;
            // What a three-way match is for: too much, too little, too dear.
            match dice.below(100) {
                0..3 if value >= 3 * step => value -= value / 3 / step * step,
                3..6 if line.quantity.is_some() && value > 0 => value += step,
                6..13 if line.quantity.is_some() => {
                    line.price += (line.price / 50).max(100) / 100 * 100
                }
                _ => {}
            }
            if value == 0 || at.removed {
                continue;
            }
            match line.quantity {
                Some(_) => {
                    line.quantity = Some(value);
                    line.total = self.round_money(extend(value, line.price), order.currency);
                }
                None => {
                    line.total = value;
                    line.price = value * 100;
                }
            }
            lines.push(InvoiceLine {
                order_line: Some((order.slot, nth)),
                line,
                tax: 0,
                long_price: line.quantity.is_some() && dice.chance(4),
            });
        }
        lines
    }

    /// A part of one line of the invoice before, negative.
    fn credit_lines(&self, before: u32, dice: &mut Dice) -> Vec<InvoiceLine> {
        let invoice = self.invoice_plan(before);
        let Some(at) = invoice
            .lines
            .get(dice.below(invoice.lines.len() as u64) as usize)
        else {
            return Vec::new();
        };
        let mut credit = *at;
        credit.long_price = false;
        match credit.line.quantity {
            Some(quantity) => {
                let back = (quantity / 5_000 * 1_000).max(quantity.min(1_000));
                credit.line.quantity = Some(-back);
                credit.line.total =
                    -self.round_money(extend(back, credit.line.price), invoice.currency);
            }
            None => {
                credit.line.total = -(credit.line.total / 5 / 100 * 100).max(100);
                credit.line.price = credit.line.total * 100;
            }
        }
        vec![credit]
    }

    fn invoice_of(
        &self,
        slot: u32,
        (supplier, chart, currency, requester): (u32, u32, u8, u32),
        credits: Option<Credited>,
        lines: Vec<InvoiceLine>,
        dice: &mut Dice,
    ) -> Invoice {
        let created = self.created(Resource::Invoices, slot);
        let created_day = self.zone().day_of(created);
        let tax_rate = match chart {
            0 => dice.pick(&[0, 0, 725, 825, 888]),
            1 => dice.pick(&[1900, 2000, 2100, 700, 0]),
            _ => dice.pick(&[2000, 2000, 500, 0]),
        };
        let line_taxes = chart != 0 && dice.chance(850);
        let trade = self.suppliers[supplier as usize].trade;
        let mut invoice = Invoice {
            slot,
            supplier,
            chart,
            currency,
            requester,
            credits,
            lines,
            status: "approved",
            line_taxes,
            tax_rate,
            charges: [0; 3],
            withholding_rate: if trade == 6 && dice.chance(60) {
                dice.pick(&[500, 1000])
            } else {
                0
            },
            paid: false,
            payments: Vec::new(),
            day: created_day - dice.between(0, 12) as i32,
            created_day,
            notes: 0,
        };
        if credits.is_none() {
            for (nth, share) in [180, 60, 50].into_iter().enumerate() {
                if dice.chance(share) {
                    let usd = dice.between(500, 15_000) * 10_000;
                    invoice.charges[nth] =
                        self.round_money(self.price_in(usd, currency) / 100, currency);
                }
            }
        }
        self.tax_lines(&mut invoice);
        let mut dice = Dice::new(self.seed(), STATUS, u64::from(slot));
        let age = (self.shape.start - created) / DAY;
        invoice.status = dice.weighted(if age > 60 { &OLD } else { &RECENT });
        if invoice.status == "approved" && age > 30 {
            match dice.below(100) {
                0..78 => self.pay(&mut invoice, &mut dice, false),
                78..87 => self.pay(&mut invoice, &mut dice, true),
                _ => {}
            }
        }
        invoice
    }

    fn tax_lines(&self, invoice: &mut Invoice) {
        let (rate, currency) = (invoice.tax_rate, invoice.currency);
        if invoice.line_taxes {
            for line in &mut invoice.lines {
                line.tax = tax_of(line.line.total, rate, currency);
            }
        } else {
            // One tax on the sum: kept at the first line so that the sum of taxes is the header's.
            let total = tax_of(invoice.net(), rate, currency);
            for (nth, line) in invoice.lines.iter_mut().enumerate() {
                line.tax = if nth == 0 { total } else { 0 };
            }
        }
    }

    /// Pays what is due, or a part.
    fn pay(&self, invoice: &mut Invoice, dice: &mut Dice, partly: bool) {
        let left = invoice.gross() - invoice.paid_amount();
        let due = self.due_day(invoice);
        let day = due
            .min(self.zone().day_of(self.shape.start))
            .max(invoice.created_day)
            - dice.between(0, 3) as i32;
        let some = self.round_money(left / 10 * 3, invoice.currency);
        if partly {
            invoice.payments.push(Payment { amount: some, day });
            return;
        }
        invoice.paid = true;
        match dice.below(100) {
            // Marked as paid, without any payment: a customer who only sends the flag back.
            0..6 if invoice.payments.is_empty() => {}
            6..18 => {
                invoice.payments.push(Payment {
                    amount: some,
                    day: day - 7,
                });
                invoice.payments.push(Payment {
                    amount: left - some,
                    day,
                });
            }
            _ => invoice.payments.push(Payment { amount: left, day }),
        }
    }

    pub fn due_day(&self, invoice: &Invoice) -> i32 {
        let term = TERMS[self.suppliers[invoice.supplier as usize].term as usize % TERMS.len()];
        invoice.day + term.3 as i32
    }

    /// One edit: the status moves on, an amount changes, a payment comes in, or somebody writes a note.
    fn edit_invoice(&self, invoice: &mut Invoice, dice: &mut Dice, nth: u32) {
        invoice.notes = nth;
        let open = !matches!(
            invoice.status,
            "approved" | "voided" | "rejected" | "abandoned" | "invalid"
        );
        if open && dice.chance(250) && invoice.credits.is_none() {
            let at = dice.below(invoice.lines.len() as u64) as usize;
            let currency = invoice.currency;
            let line = &mut invoice.lines[at].line;
            line.price += (line.price / 40).max(10_000) / 10_000 * 10_000;
            let total = line
                .quantity
                .map_or(line.price / 100, |quantity| extend(quantity, line.price));
            line.total = self.round_money(total, currency);
            self.tax_lines(invoice);
        }
        invoice.status = match invoice.status {
            "draft" => "new",
            "new" => dice.pick(&["processing", "ap_hold"]),
            "processing" => dice.pick(&["pending_receipt", "pending_approval", "pending_action"]),
            "pending_receipt" | "pending_action" | "ap_hold" | "on_hold" | "booking_hold"
            | "disputed" => "pending_approval",
            "pending_approval" => {
                dice.weighted(&[("approved", 85), ("rejected", 8), ("disputed", 7)])
            }
            "payable_adjustment" => "approved",
            "approved" if !invoice.paid => {
                let partly = invoice.payments.is_empty() && dice.chance(300);
                self.pay(invoice, dice, partly);
                "approved"
            }
            other => other,
        };
    }
}

const OLD: [(&str, u32); 13] = [
    ("approved", 870),
    ("voided", 34),
    ("rejected", 16),
    ("abandoned", 16),
    ("disputed", 14),
    ("invalid", 8),
    ("draft", 8),
    ("on_hold", 8),
    ("ap_hold", 6),
    ("pending_approval", 8),
    ("booking_hold", 5),
    ("payable_adjustment", 5),
    ("pending_action", 2),
];

const RECENT: [(&str, u32); 14] = [
    ("approved", 300),
    ("pending_approval", 240),
    ("pending_receipt", 130),
    ("ap_hold", 70),
    ("draft", 70),
    ("new", 50),
    ("processing", 40),
    ("pending_action", 30),
    ("on_hold", 20),
    ("disputed", 20),
    ("booking_hold", 10),
    ("payable_adjustment", 8),
    ("rejected", 8),
    ("invalid", 4),
];
