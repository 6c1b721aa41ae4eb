//! What is on an order. Requisitions, receipts and invoices are made from the same lines.

use super::{
    Resource, World,
    catalog::{HOSTILE, Product, catalog},
    dice::Dice,
};
use crate::{
    out::{Out, Scalar, Writer},
    zone::DAY,
};

const ORDER: u64 = 61;
const LINES: u64 = 62;

/// An order as it was when it was made; edits are laid over it in `orders.rs`.
pub struct Order {
    pub slot: u32,
    pub supplier: u32,
    pub chart: u32,
    pub currency: u8,
    pub requester: u32,
    pub department: u32,
    pub ship_to: u32,
    pub out: bool,
    pub status: &'static str,
    pub lines: Vec<OrderLine>,
}

/// A line. Units: quantity 1/1,000, price 1/1,000,000, total 1/10,000.
#[derive(Clone, Copy)]
pub struct OrderLine {
    pub product: u32,
    pub item: Option<u32>,
    pub contract: Option<u32>,
    /// `None`: an amount line.
    pub quantity: Option<i64>,
    pub price: i64,
    pub total: i64,
    pub accounts: Accounts,
    pub need_by: i32,
    /// Place in the list of texts that try to break things.
    pub hostile: Option<u8>,
    /// Removed from the order; shown only when asked for.
    pub removed: bool,
    /// Value of the custom field `cost-object`.
    pub cost_object: Option<u32>,
}

/// Where a line is booked: one account, or a split.
#[derive(Clone, Copy)]
pub struct Accounts {
    pub first: u32,
    pub split: Split,
    pub others: [u32; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Split {
    None,
    SixtyForty,
    Thirds,
}

impl OrderLine {
    pub fn product(&self) -> &'static Product {
        &catalog().products[self.product as usize]
    }

    pub fn description(&self) -> &'static str {
        match self.hostile {
            Some(n) => HOSTILE[usize::from(n)],
            None => &self.product().description,
        }
    }
}

/// quantity × price, in 1/10,000, half away from zero.
#[inline]
pub fn extend(quantity: i64, price: i64) -> i64 {
    let exact = i128::from(quantity) * i128::from(price);
    let half = 50_000 * exact.signum();
    ((exact + half) / 100_000) as i64
}

impl World {
    /// An order as it was when it was made.
    pub fn order_plan(&self, slot: u32) -> Order {
        let mut dice = Dice::new(self.seed(), ORDER, u64::from(slot));
        let supplier = self.buy_from(&mut dice);
        let seller = &self.suppliers[supplier as usize];
        let chart = dice.weighted(&[(0, 5), (1, 3), (2, 2)]);
        let currency = if dice.chance(700) {
            seller.currency
        } else {
            self.chart_currency(chart)
        };
        let requester = self.employee(dice.below(1 << 32));
        let department = self.users[requester as usize].department;
        let ship_to = dice.below(u64::from(self.base(Resource::Addresses))) as u32;
        let out = self.order_is_out(slot);
        let age = (self.shape.start - self.created(Resource::PurchaseOrders, slot)) / DAY;
        let status = if !out {
            dice.weighted(&[
                ("draft", 20),
                ("buyer_hold", 20),
                ("supplier_hold", 8),
                ("currency_hold", 5),
                ("supplier_window_hold", 5),
                ("cancelled", 36),
                ("error", 6),
            ])
        } else if age > 120 {
            dice.weighted(&[
                ("closed", 68),
                ("issued", 28),
                ("exported", 2),
                ("expensed", 2),
            ])
        } else {
            dice.weighted(&[("issued", 90), ("closed", 8), ("exported", 2)])
        };
        let mut order = Order {
            slot,
            supplier,
            chart,
            currency,
            requester,
            department,
            ship_to,
            out,
            status,
            lines: Vec::new(),
        };
        let count = match self.shape.lines {
            Some(lines) => lines as usize,
            None => 1 + dice.skewed(8) as usize,
        };
        let mut dice = Dice::new(self.seed(), LINES, u64::from(slot));
        let day = self
            .zone()
            .day_of(self.created(Resource::PurchaseOrders, slot));
        order.lines.reserve_exact(count);
        for nth in 0..count {
            let mut line = self.line(&mut dice, supplier, currency, chart, day);
            line.removed = nth > 0 && count > 2 && dice.chance(25);
            order.lines.push(line);
        }
        order
    }

    /// Something bought from a supplier.
    pub fn line(
        &self,
        dice: &mut Dice,
        supplier: u32,
        currency: u8,
        chart: u32,
        day: i32,
    ) -> OrderLine {
        let seller = &self.suppliers[supplier as usize];
        let catalog = catalog();
        let of = match seller.vendor {
            Some(vendor) => &catalog.by_vendor[usize::from(vendor)],
            None => &catalog.by_trade[usize::from(seller.trade)],
        };
        let product_index = dice.pick(of);
        let product = &catalog.products[product_index as usize];
        let price = self.price_in(dice.between(product.low, product.high), currency);
        let by_amount = matches!(product.trade, 3 | 4 | 6 | 7 | 9) && dice.chance(280);
        let usd = product.low;
        let quantity = match usd {
            ..5_000_000 => dice.between(40, 5_000) * 1_000,
            5_000_000..200_000_000 => dice.between(1, 60) * 1_000,
            200_000_000..2_000_000_000 => dice.between(1, 12) * 1_000,
            _ => dice.between(1, 3) * 1_000,
        };
        // Weights, volumes and hours come in fractions.
        let fraction = match catalog.uoms[usize::from(product.uom)] {
            "KG" | "T" | "L" | "M2" | "M3" | "MWH" => dice.pick(&[0, 250, 500, 125, 0]),
            "HR" => dice.pick(&[0, 500, 0]),
            _ => 0,
        };
        let (quantity, price, total) = if by_amount {
            let total = self.round_money(extend(1_000 * dice.between(1, 4), price), currency);
            (None, total * 100, total)
        } else {
            let quantity = quantity + fraction;
            (
                Some(quantity),
                price,
                self.round_money(extend(quantity, price), currency),
            )
        };
        let variants = self.base(Resource::Items) / catalog.products.len() as u32;
        let item = (
            product_index
                + dice.below(u64::from(variants.max(1))) as u32 * catalog.products.len() as u32,
            dice.chance(620),
        );
        let first = self.account_for(chart, product.trade, dice.below(1 << 20));
        let split = dice.weighted(&[
            (Split::None, 86),
            (Split::SixtyForty, 11),
            (Split::Thirds, 3),
        ]);
        let other = |roll| self.account_in(chart, roll);
        OrderLine {
            product: product_index,
            item: (item.1 && item.0 < self.base(Resource::Items)).then_some(item.0),
            contract: if dice.chance(350) {
                self.contract_of(supplier, dice.below(64))
            } else {
                None
            },
            quantity,
            price,
            total,
            accounts: Accounts {
                first,
                split,
                others: [other(dice.below(1 << 20)), other(dice.below(1 << 20))],
            },
            need_by: day + dice.between(3, 90) as i32,
            hostile: dice
                .chance(9)
                .then(|| dice.below(HOSTILE.len() as u64) as u8),
            removed: false,
            cost_object: if dice.chance(450) {
                Some(self.lookup_of(0, dice.below(1 << 20)))
            } else {
                None
            },
        }
    }

    /// The account of a line, or its allocations; the other one is empty, as documented.
    pub(crate) fn accounting<O: Out>(
        &self,
        w: &mut Writer<'_, O>,
        accounts: &Accounts,
        total: i64,
        currency: u8,
        id: i64,
        moment: i64,
    ) {
        let whole = accounts.split == Split::None;
        w.object_opt("account", whole.then_some(accounts.first), |w, account| {
            self.account_full(w, account)
        });
        let chart = accounts.first % 3;
        w.list(
            "account-allocations",
            "account-allocation",
            self.shares(accounts, total, currency),
            |w, share| {
                let (nth, account, pct, amount) = share;
                w.int("id", id * 4 + i64::from(nth));
                w.scalar(
                    "pct",
                    Scalar::Dec {
                        units: pct,
                        scale: 10,
                        least: 1,
                    },
                );
                w.money("amount", amount);
                w.object("account", |w| self.account_full(w, account));
                w.object("period", |w| self.period(w, moment, chart));
            },
        );
    }

    /// The shares of a split: place, account, percent in 1/10,000,000,000, amount. The last one takes the rest.
    pub fn shares(
        &self,
        accounts: &Accounts,
        total: i64,
        currency: u8,
    ) -> Vec<(u8, u32, i64, i64)> {
        let percents: &[i64] = match accounts.split {
            Split::None => return Vec::new(),
            Split::SixtyForty => &[600_000_000_000, 400_000_000_000],
            Split::Thirds => &[333_333_333_333, 333_333_333_333, 333_333_333_334],
        };
        let mut left = total;
        let last = percents.len() - 1;
        let share = |(nth, pct): (usize, &i64)| {
            let amount = if nth == last {
                left
            } else {
                let exact = i128::from(total) * i128::from(*pct) / 1_000_000_000_000;
                self.round_money(exact as i64, currency)
            };
            left -= amount;
            let account = if nth == 0 {
                accounts.first
            } else {
                accounts.others[nth - 1]
            };
            (nth as u8, account, *pct, amount)
        };
        percents.iter().enumerate().map(share).collect()
    }

    /// A sum in the currency of a chart, at the rate of a month.
    pub fn in_chart(&self, total: i64, currency: u8, chart: u32, moment: i64) -> i64 {
        let to = self.chart_currency(chart);
        let rate = self.rate(currency, to, self.month_of(moment));
        let exact = (i128::from(total) * i128::from(rate) / 1_000_000_000) as i64;
        self.round_money(exact, to)
    }
}
