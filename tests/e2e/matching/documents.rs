//! Orders, receipts and invoices as plain values, and as rows of the unified tables.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::world::{Row, row};

#[derive(Clone, Debug)]
pub struct Order {
    pub id: u64,
    pub number: String,
    pub status: &'static str,
    pub is_deleted: bool,
    pub vendor: u64,
    pub chart: Option<u64>,
    pub currency: &'static str,
    pub date: String,
    pub total: Decimal,
}

#[derive(Clone, Debug)]
pub struct OrderLine {
    pub id: u64,
    pub order: u64,
    pub ordinal: usize,
    pub number: String,
    pub status: &'static str,
    pub is_amount: bool,
    pub quantity: Option<Decimal>,
    pub price: Option<Decimal>,
    pub total: Decimal,
    pub level: Option<&'static str>,
    pub needs_receipt: Option<bool>,
    pub uom: Option<&'static str>,
    pub commodity: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Receipt {
    pub id: u64,
    pub order_line: u64,
    /// The receipt that a return or void is about.
    pub original: Option<u64>,
    pub status: Option<&'static str>,
    pub is_deleted: bool,
    /// Adds to what was received, or takes away.
    pub adds: bool,
    pub quantity: Option<Decimal>,
    pub amount: Option<Decimal>,
    pub date: String,
}

#[derive(Clone, Debug)]
pub struct Invoice {
    pub id: u64,
    pub number: Option<String>,
    pub is_credit: bool,
    pub status: &'static str,
    pub is_deleted: bool,
    pub vendor: Option<u64>,
    pub chart: Option<u64>,
    pub currency: &'static str,
    pub date: String,
    pub received: Option<String>,
    /// Its own rate, and to which currency.
    pub rate: Option<(Decimal, &'static str)>,
    pub contract: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct InvoiceLine {
    pub id: u64,
    pub invoice: u64,
    pub ordinal: usize,
    pub number: Option<usize>,
    pub is_amount: bool,
    pub order_line: Option<u64>,
    /// The order that its number names.
    pub order: Option<u64>,
    pub order_line_number: Option<String>,
    pub quantity: Option<Decimal>,
    pub price: Option<Decimal>,
    pub total: Option<Decimal>,
    pub uom: Option<&'static str>,
    pub adjustment: Option<&'static str>,
    pub contract: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Rate {
    pub id: u64,
    pub from: &'static str,
    pub to: &'static str,
    pub date: String,
    pub rate: Decimal,
}

#[derive(Clone, Debug)]
pub struct Tolerance {
    pub scope: &'static str,
    pub scope_id: Option<u64>,
    pub check: &'static str,
    pub pct: Option<Decimal>,
    pub abs: Option<Decimal>,
}

/// Everything that a matcher reads.
#[derive(Clone, Debug, Default)]
pub struct Books {
    pub orders: Vec<Order>,
    pub order_lines: Vec<OrderLine>,
    pub receipts: Vec<Receipt>,
    pub invoices: Vec<Invoice>,
    pub invoice_lines: Vec<InvoiceLine>,
    /// A vendor's matching level, where it has one.
    pub vendors: Vec<(u64, Option<&'static str>)>,
    pub rates: Vec<Rate>,
    pub tolerances: Vec<Tolerance>,
}

/// Digits after the point of the currencies in use.
pub const DECIMALS: [(&str, u32); 3] = [("USD", 2), ("EUR", 2), ("JPY", 0)];

fn text<T: ToString>(value: &Option<T>) -> Option<String> {
    value.as_ref().map(T::to_string)
}

impl Books {
    /// Adds the documents of other books; rates and tolerances are added too.
    pub fn add(&mut self, other: Books) {
        self.orders.extend(other.orders);
        self.order_lines.extend(other.order_lines);
        self.receipts.extend(other.receipts);
        self.invoices.extend(other.invoices);
        self.invoice_lines.extend(other.invoice_lines);
        self.vendors.extend(other.vendors);
        self.rates.extend(other.rates);
        self.tolerances.extend(other.tolerances);
    }

    pub fn tolerances_csv(&self) -> String {
        let mut csv = String::from("scope,scope_id,check_name,pct,abs\n");
        for one in &self.tolerances {
            let or_empty = |text: Option<String>| text.unwrap_or_default();
            csv += &format!(
                "{},{},{},{},{}\n",
                one.scope,
                or_empty(text(&one.scope_id)),
                one.check,
                or_empty(text(&one.pct)),
                or_empty(text(&one.abs))
            );
        }
        csv
    }

    pub fn tables(&self) -> BTreeMap<&'static str, Vec<Row>> {
        BTreeMap::from([
            ("purchase_orders", self.orders.iter().map(order).collect()),
            (
                "purchase_order_lines",
                self.order_lines.iter().map(order_line).collect(),
            ),
            ("receipts", self.receipts.iter().map(receipt).collect()),
            ("invoices", self.invoices.iter().map(invoice).collect()),
            (
                "invoice_lines",
                self.invoice_lines.iter().map(invoice_line).collect(),
            ),
            (
                "contacts",
                self.vendors
                    .iter()
                    .map(|(id, level)| row! { id: id.to_string(), invoice_matching_level: *level })
                    .collect(),
            ),
            (
                "exchange_rates",
                self.rates
                    .iter()
                    .map(|rate| {
                        row! {
                            id: rate.id.to_string(), from_currency: rate.from, to_currency: rate.to,
                            rate_date: rate.date.clone(), rate: rate.rate.to_string(),
                        }
                    })
                    .collect(),
            ),
            (
                "currencies",
                DECIMALS
                    .iter()
                    .map(|(code, decimals)| {
                        row! { id: *code, code: *code, decimals: decimals.to_string() }
                    })
                    .collect(),
            ),
        ])
    }
}

fn order(order: &Order) -> Row {
    row! {
        id: order.id.to_string(), number: order.number.clone(), remote_status: order.status,
        is_deleted: order.is_deleted.to_string(), vendor_id: order.vendor.to_string(),
        company_id: text(&order.chart), currency: order.currency, issue_date: order.date.clone(),
        total_amount: order.total.to_string(),
    }
}

fn order_line(line: &OrderLine) -> Row {
    // Amount lines have a quantity of one and their total as a price in the unified tables.
    let one = line.is_amount.then_some(Decimal::ONE).or(line.quantity);
    let price = line.is_amount.then_some(line.total).or(line.price);
    row! {
        id: line.id.to_string(), purchase_order_id: line.order.to_string(),
        ordinal: line.ordinal.to_string(), line_number: line.number.clone(), status: line.status,
        type: if line.is_amount { "amount" } else { "quantity" }, quantity: text(&one),
        unit_price: text(&price), total_line_amount: line.total.to_string(),
        match_type: line.level, is_receipt_required: text(&line.needs_receipt), uom: line.uom,
        commodity_id: text(&line.commodity),
    }
}

fn receipt(receipt: &Receipt) -> Row {
    let signed =
        |value: Option<Decimal>| value.map(|value| if receipt.adds { value } else { -value });
    row! {
        id: receipt.id.to_string(), purchase_order_line_id: receipt.order_line.to_string(),
        original_receipt_id: text(&receipt.original), status: receipt.status, is_deleted: receipt.is_deleted.to_string(),
        transaction_date: receipt.date.clone(), quantity_effect: text(&signed(receipt.quantity)),
        amount_effect: text(&signed(receipt.amount)),
    }
}

fn invoice(invoice: &Invoice) -> Row {
    row! {
        id: invoice.id.to_string(), number: invoice.number.clone(),
        document_type: if invoice.is_credit { "credit_note" } else { "invoice" },
        remote_status: invoice.status, is_deleted: invoice.is_deleted.to_string(),
        status: if invoice.status == "voided" { "voided" } else { "" },
        vendor_id: text(&invoice.vendor), company_id: text(&invoice.chart),
        currency: invoice.currency, issue_date: invoice.date.clone(),
        received_date: invoice.received.clone(),
        exchange_rate: invoice.rate.map(|(rate, _)| rate.to_string()),
        accounting_currency: invoice.rate.map(|(_, currency)| currency),
        contract_id: text(&invoice.contract),
    }
}

fn invoice_line(line: &InvoiceLine) -> Row {
    let one = line.is_amount.then_some(Decimal::ONE).or(line.quantity);
    let price = if line.is_amount {
        line.total
    } else {
        line.price
    };
    row! {
        id: line.id.to_string(), invoice_id: line.invoice.to_string(),
        ordinal: line.ordinal.to_string(), line_number_int: text(&line.number),
        type: if line.is_amount { "amount" } else { "quantity" },
        purchase_order_line_id: text(&line.order_line), purchase_order_id: text(&line.order),
        purchase_order_line_number: line.order_line_number.clone(), quantity: text(&one),
        unit_price: text(&price), total_line_amount: text(&line.total), uom: line.uom,
        adjustment_type: line.adjustment, contract_id: text(&line.contract),
    }
}
