//! Invoices and credit notes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Row, Rows, Truth, columns, common,
    decimal::Decimal,
    keyed, lines,
    shapes::{address, allocations, attachments, is_split, tax_lines},
    text::{
        agreed, amount, at, date, day, decimal, distinct, each, filled, first_filled, flag,
        instant, list, money, optional, rate, sorted, text, truth, whole, word, words,
    },
};

/// The tenant's custom fields beside the documented keys of an invoice, and of a line.
const LEGACY: [&str; 1] = ["gl_memo"];
const LEGACY_LINE: [&str; 1] = ["line_memo"];

/// Where orders are found: by the id of one of their lines, by their number.
struct Orders {
    by_line: BTreeMap<String, String>,
    by_number: BTreeMap<String, String>,
}

pub fn rows(truth: &Truth, orders: &Rows) -> Rows {
    let orders = find_orders(orders);
    keyed(
        truth
            .all("invoices")
            .map(|record| row(truth, record, &orders)),
    )
}

fn find_orders(orders: &Rows) -> Orders {
    let mut found = Orders {
        by_line: BTreeMap::new(),
        by_number: BTreeMap::new(),
    };
    let mut by_id: Vec<(&String, &Row)> = orders.iter().collect();
    by_id.sort_by_key(|(id, _)| id.parse::<i64>().ok());
    for (id, order) in by_id {
        if let Some(number) = order["number"].as_str() {
            found
                .by_number
                .entry(number.to_owned())
                .or_insert_with(|| id.clone());
        }
        for line in lines::members(order, "line_items") {
            if let Some(line) = line["id"].as_str() {
                found.by_line.insert(line.to_owned(), id.clone());
            }
        }
    }
    found
}

fn row(truth_of: &Truth, (record, gone): (&Value, bool), orders: &Orders) -> Row {
    let mut row = common(truth_of, "invoices", (record, gone), &LEGACY);
    let line_rows: Vec<Row> = sorted(record, "invoice_lines", &["line_num", "id"])
        .into_iter()
        .map(|line| line_row(line, record, orders))
        .collect();
    parties(&mut row, record);
    days(&mut row, record);
    columns!(row;
        status: status(record),
        remote_status: text(record, "status"),
        type: "bill",
        document_type: document_type(record),
        number: text(record, "invoice_number"),
        series: text(record, "series"),
        memo: first_filled(record, &["internal_note", "comments"]),
        supplier_note: text(record, "supplier_note"),
        payment_term_id: words(record, "payment_term.id"),
        payment_term_name: text(record, "payment_term.code"),
        payment_method: text(record, "payment_method"),
        shipping_term: text(record, "shipping_term.code"),
        contract_id: words(record, "contract.id"),
        original_invoice_id: original_invoice(truth_of, record),
        original_invoice_number: text(record, "original_invoice_number"),
        credit_reason: text(record, "credit_reason"),
        line_level_taxation: flag(record, "line_level_taxation"),
        tax_lines: tax_lines(record, "tax_lines"),
        charges: charges(record),
        is_exported: flag(record, "exported"),
        last_exported_at: instant(record, "last_exported_at"),
        attachments: attachments(record),
        image_scan_url: text(record, "image_scan_url"),
    );
    from_lines(&mut row, record, &line_rows);
    sums(&mut row, record);
    columns!(row; line_items: lines::column(record, "invoice_lines", line_rows));
    row
}

fn parties(row: &mut Row, record: &Value) {
    columns!(row;
        vendor_id: words(record, "supplier.id"),
        vendor_name: text(record, "supplier.name"),
        vendor_number: text(record, "supplier.number"),
        contact_id: words(record, "supplier.id"),
        contact_name: text(record, "supplier.name"),
        contact_type: "vendor",
        company_id: words(record, "account_type.id"),
        company_name: text(record, "account_type.name"),
        legal_entity: text(record, "account_type.legal_entity_name"),
        employee_id: words(record, "requested_by.id"),
        employee_name: text(record, "requested_by.fullname"),
        bill_to: address(record, "bill_to_address", Some("bill_to")),
        ship_to: address(record, "ship_to_address", Some("ship_to")),
        remit_to: address(record, "remit_to_address", Some("remit_to")),
    );
}

fn days(row: &mut Row, record: &Value) {
    let payments = list(record, "payments");
    let is_paid = truth(record, "paid") == Some(true) || !payments.is_empty();
    let last = payments
        .iter()
        .filter_map(|payment| day(payment, "payment_date"))
        .max();
    columns!(row;
        issue_date: date(record, "invoice_date"),
        due_date: date(record, "net_due_date"),
        discount_due_date: date(record, "discount_due_date"),
        received_date: date(record, "date_received"),
        delivery_date: date(record, "delivery_date"),
        paid_on_date: optional(day(record, "payment_date").or(last).filter(|_| is_paid)),
        original_invoice_date: date(record, "original_invoice_date"),
    );
}

/// The order of the questions is the rule (mapping.md §2.3).
fn status(record: &Value) -> Option<&'static str> {
    let status = word(record, "status").unwrap_or_default();
    if status == "voided" || truth(record, "canceled") == Some(true) {
        return Some("voided");
    }
    match status.as_str() {
        "rejected" | "abandoned" | "invalid" => return Some("deleted"),
        "draft" | "save_as_draft" => return Some("draft"),
        _ => {}
    }
    if truth(record, "paid") == Some(true) {
        return Some("paid");
    }
    match status.as_str() {
        "approved" => Some("authorised"),
        "new" | "processing" | "pending_approval" | "pending_receipt" | "pending_action"
        | "ap_hold" | "on_hold" | "booking_hold" | "disputed" | "payable_adjustment" => {
            Some("submitted")
        }
        _ => None,
    }
}

fn document_type(record: &Value) -> Option<&'static str> {
    match word(record, "document_type").as_deref() {
        None if truth(record, "is_credit_note") == Some(true) => Some("credit_note"),
        None | Some("invoice") => Some("invoice"),
        Some("credit_note") => Some("credit_note"),
        Some(_) => None,
    }
}

/// The invoice that a credit note corrects: of the same supplier, by number, of the date it names before others.
fn original_invoice(truth_of: &Truth, record: &Value) -> Option<String> {
    let supplier = words(record, "supplier.id")?;
    let number = filled(record, "original_invoice_number")?;
    let fits = |other: &&Value| {
        other["id"] != record["id"]
            && words(other, "supplier.id").as_ref() == Some(&supplier)
            && words(other, "invoice_number").as_ref() == Some(&number)
            && document_type(other) != Some("credit_note")
            && truth(other, "is_credit_note") != Some(true)
    };
    let dated = day(record, "original_invoice_date");
    let found = truth_of.records("invoices").iter().filter(fits);
    let found = found.min_by_key(|other| (day(other, "invoice_date") != dated, whole(other, "id")));
    words(found?, "id")
}

/// What the header takes from its lines.
fn from_lines(row: &mut Row, record: &Value, line_rows: &[Row]) {
    let lines = list(record, "invoice_lines");
    let books = lines::books(lines, &lines.iter().collect::<Vec<_>>(), "price");
    let currency = filled(record, "currency.code");
    let (rate, source) = if let Some(reported) = decimal(record, "exchange_rate") {
        (Some(reported), Some("reported"))
    } else if books.currency.is_some() && currency == books.currency {
        (Some(Decimal::ONE), Some("same_currency"))
    } else {
        let rate = books.rate.filter(|_| books.currency.is_some());
        (rate, rate.map(|_| "lines"))
    };
    let column = |name: &str| -> Value {
        let texts = line_rows.iter().filter_map(|line| line[name].as_str());
        let texts = distinct(texts).into_iter().map(Value::from).collect();
        if at(record, "invoice_lines").is_array() {
            texts
        } else {
            Value::Null
        }
    };
    let dimensions = distinct(
        line_rows
            .iter()
            .map(|line| line["tracking_categories"].clone()),
    );
    columns!(row;
        currency: currency,
        exchange_rate: rate,
        exchange_rate_source: source,
        accounting_total: books.total,
        accounting_currency: books.currency,
        purchase_order_ids: column("purchase_order_id"),
        purchase_order_numbers: column("po_number"),
        accounting_period_id: agreed(lines.iter().map(|line| words(line, "period.id"))),
        tracking_categories: if dimensions.len() == 1 { dimensions[0].clone() } else { Value::Null },
    );
}

fn sums(row: &mut Row, record: &Value) {
    let lines = list(record, "invoice_lines");
    let charges = list(record, "invoice_charges");
    let by_line = truth(record, "line_level_taxation") == Some(true);
    let total = decimal(record, "gross_total").or(decimal(record, "total_with_taxes"));
    let [shipping, handling, misc] = [
        ("shipping_amount", "shipping"),
        ("handling_amount", "handling"),
        ("misc_amount", "misc"),
    ]
    .map(|(header, kind)| charged(record, header, kind));
    let other = charges
        .iter()
        .filter(|charge| charge_type(charge) == "other");
    let other = Decimal::sum(other.map(|charge| decimal(charge, "total")));
    let charged: Decimal = [shipping, handling, misc, other]
        .into_iter()
        .flatten()
        .sum();
    let of_lines = lines
        .iter()
        .map(|line| taxes(line).or(decimal(line, "tax_amount")));
    let by_lines = Decimal::sum(of_lines.chain(charges.iter().map(taxes)));
    let header = decimal(record, "tax_amount");
    let stated = if by_line { by_lines.or(header) } else { header };
    let net = Decimal::sum(lines.iter().map(|line| lines::total(line, "price")));
    let tax = stated.or_else(|| Some(decimal(record, "total_with_taxes")? - net? - charged));
    let sub_total = net.or_else(|| Some(total? - stated.unwrap_or(Decimal::ZERO) - charged));
    let overridden = decimal(record, "withholding_tax_override");
    let withheld_from_lines = || Decimal::sum(lines.iter().map(withheld));
    columns!(row;
        sub_total: sub_total,
        total_tax_amount: tax,
        total_discount: amount(record, "discount_amount"),
        shipping_amount: shipping,
        handling_amount: handling,
        misc_amount: misc,
        withholding_amount: overridden
            .filter(|amount| *amount != Decimal::ZERO)
            .or_else(|| withheld(record))
            .or_else(withheld_from_lines)
            .or(overridden),
        total_amount: total,
    );
    payments(row, record, total);
}

fn taxes(of: &Value) -> Option<Decimal> {
    Decimal::sum(
        list(of, "tax_lines")
            .iter()
            .map(|tax| decimal(tax, "amount")),
    )
}

fn withheld(of: &Value) -> Option<Decimal> {
    let amount = |tax: &Value| decimal(tax, "amount").or(decimal(tax, "withholding_amount"));
    Decimal::sum(list(of, "withholding_tax_lines").iter().map(amount))
}

/// A charge of the header, or, where taxes stand on lines, of the charges that are rows of their own.
fn charged(record: &Value, header: &str, kind: &str) -> Option<Decimal> {
    let rows = list(record, "invoice_charges").iter();
    let rows = rows.filter(|charge| charge_type(charge) == kind);
    let rows = Decimal::sum(rows.map(|charge| decimal(charge, "total")));
    match decimal(record, header) {
        Some(amount) if amount != Decimal::ZERO => Some(amount),
        other => rows.or(other),
    }
}

/// What is charged for, as a word of ours.
fn charge_type(charge: &Value) -> &'static str {
    let named = filled(charge, "type").unwrap_or_default().to_lowercase();
    let words = ["shipping", "handling", "misc", "tax"];
    words
        .into_iter()
        .find(|word| named.contains(word))
        .unwrap_or("other")
}

fn payments(row: &mut Row, record: &Value, total: Option<Decimal>) {
    let mut payments: Vec<&Value> = list(record, "payments").iter().collect();
    payments.sort_by_key(|payment| (day(payment, "payment_date"), whole(payment, "id")));
    let marked = truth(record, "paid") == Some(true);
    let sum = Decimal::sum(
        payments
            .iter()
            .map(|payment| decimal(payment, "amount_paid")),
    );
    let owed = total.map(|total| total - sum.unwrap_or(Decimal::ZERO));
    let partly = total
        .zip(sum)
        .is_some_and(|(total, sum)| sum > Decimal::ZERO && sum < total);
    let status = match (marked, partly) {
        (true, _) => "paid",
        (false, true) => "partially_paid",
        (false, false) => "unpaid",
    };
    let payment = |payment: &&Value| {
        json!({
            "id": text(payment, "id"),
            "amount": amount(payment, "amount_paid"),
            "date": date(payment, "payment_date"),
            "reference": first_filled(payment, &["check_number", "notes"]),
            "notes": text(payment, "notes"),
        })
    };
    columns!(row;
        amount_paid: sum.or((!marked).then_some(Decimal::ZERO)),
        balance: if marked { Some(Decimal::ZERO) } else { owed },
        payment_status: status,
        payments: if at(record, "payments").is_array() { payments.iter().map(payment).collect() } else { Value::Null },
    );
}

fn charges(record: &Value) -> Value {
    each(record, "invoice_charges", &["line_num", "id"], |charge| {
        let whole = !is_split(charge);
        json!({
            "id": text(charge, "id"),
            "line_number": text(charge, "line_num"),
            "type": charge_type(charge),
            "description": text(charge, "description"),
            "total": amount(charge, "total"),
            "tax_amount": money(taxes(charge)),
            "account_id": words(charge, "account.id").filter(|_| whole),
            "account_code": words(charge, "account.code").filter(|_| whole),
            "is_split": !whole,
            "allocations": allocations(charge),
            "tax_lines": tax_lines(charge, "tax_lines"),
        })
    })
}

fn line_row(line: &Value, document: &Value, orders: &Orders) -> Row {
    let mut row = lines::line(line, document, "price", &LEGACY_LINE);
    let number = filled(line, "po_number").or_else(|| filled(line, "order_header_num"));
    let by_line = words(line, "order_line_id").and_then(|id| orders.by_line.get(&id));
    let order = by_line.or_else(|| orders.by_number.get(number.as_ref()?));
    let tax_lines_of = list(line, "tax_lines");
    let only_tax = (tax_lines_of.len() == 1)
        .then(|| words(&tax_lines_of[0], "tax_code.id"))
        .flatten();
    let (own, currency) = (row["custom_fields"].clone(), row["currency"].clone());
    columns!(row;
        supplier_part_number: first_filled(line, &["source_part_num", "order_line_source_part_num"]),
        tax_rate_id: words(line, "tax_code.id").or(only_tax),
        tax_amount: decimal(line, "tax_amount").or_else(|| taxes(line)),
        discount_amount: amount(line, "discount_amount"),
        exchange_rate: lines::rate(line, &currency),
        accounting_total: amount(line, "accounting_total"),
        accounting_currency: text(line, "accounting_total_currency.code"),
        sub_line_number: Value::Null,
        need_by_date: Value::Null,
        match_type: Value::Null,
        quantity_received: Value::Null,
        amount_invoiced: Value::Null,
        supplier_id: words(document, "supplier.id"),
        po_number: number,
        purchase_order_id: order.cloned(),
        purchase_order_line_id: words(line, "order_line_id"),
        purchase_order_line_number: text(line, "order_line_num"),
        category: text(line, "category"),
        subcategory: text(line, "subcategory"),
        deductibility: text(line, "deductibility"),
        tax_rate: rate(line, "tax_rate"),
        tax_description: text(line, "tax_description"),
        withholding_amount: withheld(line),
        unspsc: text(line, "unspsc"),
        adjustment_type: text(line, "adjustment_type"),
        billing_note: text(line, "billing_note"),
        match_reference: text(line, "match_reference"),
        supply_date: date(line, "original_date_of_supply"),
        tax_lines: tax_lines(line, "tax_lines"),
        tracking_categories: lines::tracking(&own, None),
    );
    row
}
