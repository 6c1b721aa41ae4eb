//! A matcher that goes row by row, written from the rules and not from the queries: no windows, no joins.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::{Decimal, RoundingStrategy};

use super::documents::{Books, DECIMALS, Invoice, InvoiceLine, Order, OrderLine};

/// What the rules say of one invoice line, by the column's name.
pub type Outcome = BTreeMap<&'static str, String>;

const OUT: [&str; 7] = [
    "draft",
    "save_as_draft",
    "new",
    "rejected",
    "abandoned",
    "voided",
    "invalid",
];

/// Half to even at the ninth place, as amounts are kept.
fn kept(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(9, RoundingStrategy::MidpointNearestEven)
}

pub struct Matcher<'a> {
    books: &'a Books,
    /// Invoices that were seen before under another id; asked for often, so found once.
    duplicates: BTreeSet<u64>,
}

impl<'a> Matcher<'a> {
    pub fn new(books: &'a Books) -> Self {
        let mut matcher = Matcher {
            books,
            duplicates: BTreeSet::new(),
        };
        let again = books
            .invoices
            .iter()
            .filter(|one| matcher.was_seen_before(one));
        matcher.duplicates = again.map(|one| one.id).collect();
        matcher
    }

    fn is_duplicate(&self, invoice: &Invoice) -> bool {
        self.duplicates.contains(&invoice.id)
    }

    fn invoice(&self, line: &InvoiceLine) -> &'a Invoice {
        let found = self
            .books
            .invoices
            .iter()
            .find(|one| one.id == line.invoice);
        found.expect("every line has its invoice")
    }

    fn order(&self, line: &OrderLine) -> &'a Order {
        let found = self.books.orders.iter().find(|one| one.id == line.order);
        found.expect("every order line has its order")
    }

    fn takes_part(invoice: &Invoice) -> bool {
        !invoice.is_deleted && !OUT.contains(&invoice.status)
    }

    fn signed(&self, line: &InvoiceLine, value: Option<Decimal>) -> Option<Decimal> {
        match self.invoice(line).is_credit {
            true => value.map(|value| -value.abs()),
            false => value,
        }
    }

    pub fn total(&self, line: &InvoiceLine) -> Decimal {
        self.signed(line, line.total).unwrap_or_default()
    }

    fn net(&self, invoice: &Invoice) -> Decimal {
        let lines = self.books.invoice_lines.iter();
        let own = lines.filter(|line| line.invoice == invoice.id);
        own.map(|line| self.total(line)).sum()
    }

    /// Upper case, letters and digits alone, no zeros in front of a number.
    fn comparable(number: &str) -> String {
        let upper = number.to_uppercase();
        let plain: Vec<char> = upper.chars().filter(char::is_ascii_alphanumeric).collect();
        let mut kept = String::new();
        for (at, &sign) in plain.iter().enumerate() {
            let after_digit = kept.ends_with(|last: char| last.is_ascii_digit());
            let before_digit = plain.get(at + 1).is_some_and(char::is_ascii_digit);
            if !(sign == '0' && !after_digit && before_digit) {
                kept.push(sign);
            }
        }
        kept
    }

    fn was_seen_before(&self, invoice: &Invoice) -> bool {
        let face = |one: &Invoice| {
            let number = one.number.as_deref().map(Self::comparable);
            let number = number.filter(|number| !number.is_empty())?;
            let of = (one.vendor?, number, one.is_credit, one.currency);
            Self::takes_part(one).then(|| (of, self.net(one)))
        };
        let seen = |one: &Invoice| {
            let date = one.received.clone().unwrap_or_else(|| one.date.clone());
            (date, one.id)
        };
        let Some(own) = face(invoice) else {
            return false;
        };
        let has_lines =
            |one: &Invoice| self.books.invoice_lines.iter().any(|l| l.invoice == one.id);
        has_lines(invoice)
            && self.books.invoices.iter().any(|other| {
                has_lines(other)
                    && face(other).as_ref() == Some(&own)
                    && seen(other) < seen(invoice)
            })
    }

    /// The order line that an invoice line bills, and how it is known.
    pub fn target(&self, line: &InvoiceLine) -> (Option<&'a OrderLine>, &'static str) {
        let lines = &self.books.order_lines;
        if let Some(found) = lines.iter().find(|one| Some(one.id) == line.order_line) {
            return (Some(found), "order_line_id");
        }
        if let Some(order) = line.order {
            let of_order: Vec<_> = lines.iter().filter(|one| one.order == order).collect();
            if let Some(number) = line.order_line_number.as_deref() {
                let named: Vec<_> = of_order.iter().filter(|one| one.number == number).collect();
                if let [only] = named[..] {
                    return (Some(only), "po_number+line");
                }
            }
            if let [only] = of_order[..] {
                return (Some(only), "po_number");
            }
        }
        let contract = line.contract.or(self.invoice(line).contract);
        (
            None,
            if contract.is_some() {
                "contract"
            } else {
                "none"
            },
        )
    }

    fn rate_on(&self, from: &str, to: &str, day: &str) -> Option<Decimal> {
        if from == to {
            return Some(Decimal::ONE);
        }
        let rates = self.books.rates.iter();
        let known =
            rates.filter(|one| one.from == from && one.to == to && one.date.as_str() <= day);
        known
            .max_by_key(|one| (one.date.clone(), one.id))
            .map(|one| one.rate)
    }

    fn rate(&self, line: &InvoiceLine, to: &OrderLine) -> Option<Decimal> {
        let invoice = self.invoice(line);
        let currency = self.order(to).currency;
        match invoice.rate {
            Some((rate, own)) if own == currency && invoice.currency != currency => Some(rate),
            _ => self.rate_on(invoice.currency, currency, &invoice.date),
        }
    }

    fn is_foreign(&self, line: &InvoiceLine, to: &OrderLine) -> bool {
        let vendor = self.invoice(line).vendor;
        vendor.is_some_and(|vendor| vendor != self.order(to).vendor)
    }

    pub fn consumes(&self, line: &InvoiceLine, to: &OrderLine) -> bool {
        let invoice = self.invoice(line);
        Self::takes_part(invoice)
            && !self.is_duplicate(invoice)
            && !self.is_foreign(line, to)
            && self.rate(line, to).is_some()
    }

    pub fn units_differ(line: &InvoiceLine, to: &OrderLine) -> bool {
        matches!((line.uom, to.uom), (Some(a), Some(b)) if a != b)
    }

    fn quantity(&self, line: &InvoiceLine) -> Option<Decimal> {
        let quantity = if line.is_amount { None } else { line.quantity };
        self.signed(line, quantity)
    }

    pub fn taken(&self, line: &InvoiceLine, to: &OrderLine) -> Decimal {
        let money_only = matches!(line.adjustment, Some("price" | "other"));
        if !self.consumes(line, to) || Self::units_differ(line, to) || money_only {
            return Decimal::ZERO;
        }
        self.quantity(line).unwrap_or_default()
    }

    fn money(&self, line: &InvoiceLine, to: &OrderLine) -> Option<Decimal> {
        let rate = self.rate(line, to)?;
        Some(kept(self.total(line) * rate))
    }

    pub fn place(&self, line: &InvoiceLine) -> (String, u64, usize, u64, usize) {
        let number = line.number.unwrap_or(usize::MAX);
        (
            self.invoice(line).date.clone(),
            line.invoice,
            number,
            line.id,
            line.ordinal,
        )
    }

    pub fn received(&self, line: &OrderLine) -> (Decimal, Decimal) {
        let mut sums = (Decimal::ZERO, Decimal::ZERO);
        for one in &self.books.receipts {
            let done = matches!(one.status, None | Some("created" | "completed"));
            if one.order_line == line.id && done && !one.is_deleted {
                let sign = if one.adds {
                    Decimal::ONE
                } else {
                    -Decimal::ONE
                };
                sums.0 += sign * one.quantity.unwrap_or_default();
                sums.1 += sign * one.amount.unwrap_or_default();
            }
        }
        sums
    }

    pub fn level(&self, line: &OrderLine) -> &'static str {
        let vendor = self.order(line).vendor;
        let vendors = self.books.vendors.iter();
        let of_vendor = vendors
            .filter(|(id, _)| *id == vendor)
            .find_map(|(_, level)| *level);
        let least = if line.needs_receipt == Some(true) {
            "3-way"
        } else {
            "2-way"
        };
        line.level.or(of_vendor).unwrap_or(least)
    }

    fn limit(&self, line: &OrderLine, check: &str) -> (Option<Decimal>, Option<Decimal>) {
        let order = self.order(line);
        let scopes = [
            ("commodity", line.commodity),
            ("vendor", Some(order.vendor)),
            ("chart", order.chart),
        ];
        let rows = || {
            self.books
                .tolerances
                .iter()
                .filter(|one| one.check == check)
        };
        for (scope, id) in scopes {
            let own = |one: &&super::documents::Tolerance| one.scope == scope && one.scope_id == id;
            if let Some(found) = rows().find(|one| id.is_some() && own(one)) {
                return (found.pct, found.abs);
            }
        }
        let default = rows().find(|one| one.scope == "default");
        default.map_or((None, None), |one| (one.pct, one.abs))
    }

    fn guard(&self, line: &OrderLine) -> Decimal {
        let currency = self.order(line).currency;
        let known = DECIMALS.iter().find(|(code, _)| *code == currency);
        Decimal::new(5, known.map_or(2, |(_, decimals)| *decimals) + 1)
    }

    /// What is wrong with one line.
    pub fn outcome(&self, line: &InvoiceLine) -> Outcome {
        let invoice = self.invoice(line);
        let (target, how) = self.target(line);
        let live = Self::takes_part(invoice);
        let mut out = Outcome::new();
        out.insert("match_method", how.to_owned());
        out.insert("line_net", shown(self.total(line)));
        out.insert(
            "basis",
            if line.is_amount { "amount" } else { "quantity" }.to_owned(),
        );
        let mut flags: Vec<&str> = Vec::new();
        let Some(to) = target else {
            if live && self.is_duplicate(invoice) {
                flags.push("duplicate_suspect");
            }
            let status = match (live, how) {
                (false, _) => "excluded",
                (true, "contract") => "contract_backed",
                (true, _) => "unbacked",
            };
            out.insert("order_line_id", String::new());
            out.insert("match_level", "none".to_owned());
            out.insert("consumes", "false".to_owned());
            out.insert("after_the_fact", "false".to_owned());
            out.insert("flags", joined(&flags));
            out.insert("match_status", status.to_owned());
            return out;
        };
        let order = self.order(to);
        let rate = self.rate(line, to);
        let by_amount = line.is_amount || to.is_amount;
        let units_differ = Self::units_differ(line, to);
        let consumes = self.consumes(line, to);
        let level = self.level(to);
        let three_way = level.starts_with("3-way") || level == "direct_matching";
        if self.is_foreign(line, to) {
            flags.push("supplier_mismatch");
        }
        if rate.is_none() {
            flags.push("fx_missing");
        }
        if order.is_deleted || order.status == "cancelled" || to.status == "cancelled" {
            flags.push("po_cancelled");
        } else if matches!(order.status, "closed" | "soft_closed") {
            flags.push("po_closed");
        }
        if !by_amount && units_differ {
            flags.push("uom_mismatch");
        }
        if live && self.is_duplicate(invoice) {
            flags.push("duplicate_suspect");
        }

        let (mut quantity, mut money, mut of_order) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
        for other in &self.books.invoice_lines {
            let Some(theirs) = self.target(other).0 else {
                continue;
            };
            if self.place(other) > self.place(line) || !self.consumes(other, theirs) {
                continue;
            }
            if theirs.order == to.order {
                of_order += self.money(other, theirs).unwrap_or_default();
            }
            if theirs.id == to.id {
                quantity += self.taken(other, theirs);
                money += self.money(other, theirs).unwrap_or_default();
            }
        }
        let (received, received_money) = self.received(to);
        let compared = !by_amount && !units_differ;
        let price = if line.is_amount { None } else { line.price };
        let price = price.filter(|_| compared);
        let billed = price.zip(rate).map(|(price, rate)| kept(price * rate));
        let variance = billed
            .zip(to.price)
            .map(|(billed, ordered)| billed - ordered);
        let rate_then = self.rate_on(invoice.currency, order.currency, &order.date);
        let then = price.zip(rate_then).map(|(price, rate)| kept(price * rate));
        let variance_then = then.zip(to.price).map(|(then, ordered)| then - ordered);

        let (price_guard, piece_guard, guard) =
            (Decimal::new(5, 5), Decimal::new(1, 6), self.guard(to));
        if consumes && !invoice.is_credit && level != "none" {
            let over = |by: Option<Decimal>, base: Option<Decimal>, check: &str, guard: Decimal| {
                let (Some(by), Some(base)) = (by, base) else {
                    return false;
                };
                let (pct, abs) = self.limit(to, check);
                let on_nothing = base.is_zero() && (pct.is_some() || abs.is_some());
                let beyond = |limit: Decimal| by - guard > limit;
                let hundred = Decimal::ONE_HUNDRED;
                by > guard
                    && (on_nothing
                        || pct.is_some_and(|pct| (by - guard) * hundred > base * pct)
                        || abs.is_some_and(beyond))
            };
            let ordered = to.quantity.filter(|_| !to.is_amount);
            let more = ordered.map(|ordered| quantity - ordered);
            let checks = [
                (
                    "price_over",
                    over(variance, to.price, "price_unit", price_guard),
                ),
                (
                    "qty_over_ordered",
                    !by_amount && over(more, ordered, "qty_ordered", piece_guard),
                ),
                (
                    "qty_over_received",
                    !by_amount
                        && three_way
                        && over(
                            Some(quantity - received),
                            Some(received),
                            "qty_received",
                            piece_guard,
                        ),
                ),
                (
                    "amount_over",
                    by_amount && over(Some(money - to.total), Some(to.total), "amount_line", guard),
                ),
                (
                    "amount_over_received",
                    by_amount
                        && three_way
                        && over(
                            Some(money - received_money),
                            Some(received_money),
                            "amount_received",
                            guard,
                        ),
                ),
                (
                    "po_total_over",
                    over(
                        Some(of_order - order.total),
                        Some(order.total),
                        "po_total",
                        guard,
                    ),
                ),
            ];
            flags.extend(
                checks
                    .iter()
                    .filter(|(_, raised)| *raised)
                    .map(|(name, _)| *name),
            );
        }
        let ordered = to.quantity.filter(|_| !to.is_amount);
        let differs = variance.is_some_and(|by| by.abs() >= price_guard)
            || (!by_amount && ordered.is_some_and(|ordered| quantity > ordered))
            || (!by_amount && three_way && quantity > received)
            || (by_amount && money - to.total > guard)
            || (by_amount && three_way && money - received_money > guard);
        let status = match () {
            () if !live => "excluded",
            () if !flags.is_empty() => "exception",
            () if invoice.is_credit || self.total(line) < Decimal::ZERO => "credit",
            () if level == "none" => "not_checked",
            () if differs => "matched_within_tolerance",
            () => "matched",
        };
        let signed = self.quantity(line);
        let times = |by: Option<Decimal>| by.zip(signed).map(|(by, quantity)| kept(by * quantity));
        let all = times(variance);
        let at_order = times(variance_then);
        let percent = variance.zip(to.price).filter(|(_, base)| !base.is_zero());
        let optional = |value: Option<Decimal>| value.map(shown).unwrap_or_default();
        out.insert("order_line_id", to.id.to_string());
        out.insert(
            "basis",
            if by_amount { "amount" } else { "quantity" }.to_owned(),
        );
        out.insert("match_level", level.to_owned());
        out.insert("fx", optional(rate));
        out.insert("inv_price_po_ccy", optional(billed));
        out.insert("price_var_amount", optional(all));
        out.insert("price_variance", optional(at_order));
        out.insert(
            "currency_variance",
            optional(all.zip(at_order).map(|(all, then)| all - then)),
        );
        out.insert(
            "price_var_pct",
            optional(percent.map(|(by, base)| kept(by * Decimal::ONE_HUNDRED / base))),
        );
        out.insert("consumes", consumes.to_string());
        out.insert("qty_consumed", shown(self.taken(line, to)));
        out.insert(
            "cum_qty_invoiced",
            optional(Some(quantity).filter(|_| consumes && compared)),
        );
        out.insert(
            "cum_amount_po_ccy",
            optional(Some(money).filter(|_| consumes)),
        );
        out.insert("line_net_po_ccy", optional(self.money(line, to)));
        out.insert(
            "qty_received",
            optional(Some(received).filter(|_| three_way && !by_amount)),
        );
        out.insert(
            "amount_received",
            optional(Some(received_money).filter(|_| three_way && by_amount)),
        );
        out.insert("po_total", shown(to.total));
        out.insert("after_the_fact", (order.date > invoice.date).to_string());
        out.insert("flags", joined(&flags));
        out.insert("match_status", status.to_owned());
        out
    }
}

fn joined(flags: &[&str]) -> String {
    flags.iter().map(|flag| format!("{flag};")).collect()
}

/// A number without zeros at its end.
pub fn shown(value: Decimal) -> String {
    let value = value.normalize();
    if value.is_zero() {
        "0".to_owned()
    } else {
        value.to_string()
    }
}
