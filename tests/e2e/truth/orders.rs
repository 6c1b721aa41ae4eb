//! Purchase orders.

use serde_json::Value;

use super::{
    Row, Rows, Truth, columns, common,
    decimal::Decimal,
    keyed, lines, nulls,
    shapes::{address_text, attachments, chart_of, person, ship_to},
    text::{
        agreed, amount, date, day, decimal, filled, first_filled, flag, instant, list, optional,
        text, whole, word, words,
    },
};

/// The tenant's custom fields beside the documented keys of an order, and of a line. The last of each is the source's,
/// but not in its list of fields, so by rule G10 it counts with them.
const LEGACY: [&str; 3] = ["project2", "buyer", "reason_insight_code"];
const LEGACY_LINE: [&str; 2] = ["asset_class", "confirm_by_hrs"];

pub fn rows(truth: &Truth) -> Rows {
    keyed(
        truth
            .all("purchase_orders")
            .map(|record| row(truth, record)),
    )
}

fn row(truth: &Truth, (record, gone): (&Value, bool)) -> Row {
    let mut row = common(truth, "purchase_orders", (record, gone), &LEGACY);
    let line_rows: Vec<Row> = lines::ordered(record, "order_lines")
        .into_iter()
        .map(|line| line_row(line, record))
        .collect();
    let requester = person(
        record,
        &[
            "requisition_header.requester",
            "requisition_header.requested_by",
        ],
    )
    .or_else(|| {
        lines::ordered(record, "order_lines")
            .first()
            .and_then(|line| person(line, &["requester"]))
    })
    .or_else(|| person(record, &["created_by"]))
    .unwrap_or(&Value::Null);
    columns!(row;
        status: status(record),
        remote_status: text(record, "status"),
        number: first_filled(record, &["po_number", "id"]),
        version: whole(record, "version"),
        internal_revision: whole(record, "internal_revision"),
        issue_date: date(record, "created_at"),
        vendor_id: words(record, "supplier.id"),
        vendor_name: text(record, "supplier.name"),
        vendor_number: text(record, "supplier.number"),
        employee_id: words(requester, "id"),
        employee_name: text(requester, "fullname"),
        employee_email: text(requester, "email"),
        requisition_id: words(record, "requisition_header.id"),
        payment_term_id: words(record, "payment_term.id"),
        payment_term_name: text(record, "payment_term.code"),
        shipping_term: text(record, "shipping_term.code"),
        payment_method: text(record, "payment_method"),
        delivery_address_text: address_text(record),
        ship_to: ship_to(record),
        transmission_status: text(record, "transmission_status"),
        confirmation_status: text(record, "confirmation_status"),
        acknowledged_at: instant(record, "acknowledged_at"),
        is_external: filled(record, "type").as_deref() == Some("ExternalOrderHeader"),
        is_exported: flag(record, "exported"),
        last_exported_at: instant(record, "last_exported_at"),
        attachments: attachments(record),
    );
    nulls(
        &mut row,
        &["customer_id", "memo", "total_tax", "total_discount"],
    );
    from_lines(&mut row, record, &line_rows);
    columns!(row; line_items: lines::column(record, "order_lines", line_rows));
    row
}

fn status(record: &Value) -> Option<&'static str> {
    match word(record, "status")?.as_str() {
        "draft" => Some("draft"),
        "buyer_hold" | "currency_hold" | "supplier_hold" | "supplier_window_hold" | "error" => {
            Some("submitted")
        }
        "issued" | "exported" => Some("authorised"),
        "closed" | "expensed" => Some("billed"),
        "cancelled" | "canceled" => Some("deleted"),
        _ => None,
    }
}

/// Whether a line counts: neither cancelled nor deleted.
fn stands(line: &Value) -> bool {
    !matches!(
        lines::line_status(line).as_deref(),
        Some("cancelled" | "deleted")
    )
}

fn from_lines(row: &mut Row, record: &Value, line_rows: &[Row]) {
    let lines = list(record, "order_lines");
    let standing: Vec<&Value> = lines.iter().filter(|line| stands(line)).collect();
    let sub_total = Decimal::sum(standing.iter().map(|line| lines::total(line, "price")));
    let total = decimal(record, "total").or(sub_total);
    let currency = filled(record, "currency.code");
    let books = lines::books(lines, &standing, "price");
    let rate = if books.currency.is_some() && currency == books.currency {
        Some(Decimal::ONE)
    } else {
        books.rate.filter(|_| books.currency.is_some())
    };
    let needed: Vec<String> = lines
        .iter()
        .filter_map(|line| day(line, "need_by_date"))
        .collect();
    let pieces = standing.iter().filter(|line| !lines::is_amount(line));
    let pieces = pieces.map(|line| decimal(line, "quantity"));
    let invoiced = Decimal::sum(lines.iter().map(invoiced));
    let chart = chart_of(lines);
    let dimensions: Vec<Vec<Value>> = line_rows
        .iter()
        .map(|line| lines::members(line, "tracking_categories").to_vec())
        .collect();
    columns!(row;
        delivery_date: optional(needed.iter().max().cloned()),
        first_need_by_date: optional(needed.iter().min().cloned()),
        total_amount: total,
        sub_total: sub_total,
        currency: currency,
        exchange_rate: rate,
        accounting_total: books.total,
        accounting_currency: books.currency,
        company_id: chart.as_ref().map(|(id, _)| id.as_str()),
        company_name: chart.as_ref().map_or(Value::Null, |(_, name)| name.clone()),
        accounting_period_id: agreed(lines.iter().map(|line| words(line, "period.id"))),
        quantity_total: Decimal::sum(pieces),
        amount_received: Decimal::sum(lines.iter().map(received)),
        amount_invoiced: invoiced,
        amount_open: total.map(|total| total - invoiced.unwrap_or(Decimal::ZERO)),
        tracking_categories: lines::intersection(&dimensions),
    );
}

/// The value received: pieces times price, or the sum itself on lines of an amount.
fn received(line: &Value) -> Option<Decimal> {
    let received = decimal(line, "received")?;
    if lines::is_amount(line) {
        Some(received)
    } else {
        Some(received.times(decimal(line, "price")?))
    }
}

/// The value invoiced: the source's own, or of pieces times price.
fn invoiced(line: &Value) -> Option<Decimal> {
    if let Some(total) = decimal(line, "total_invoiced") {
        return Some(total);
    }
    let invoiced = decimal(line, "invoiced")?;
    if lines::is_amount(line) {
        Some(invoiced)
    } else {
        Some(invoiced.times(decimal(line, "price")?))
    }
}

fn line_row(line: &Value, document: &Value) -> Row {
    let mut row = lines::line(line, document, "price", &LEGACY_LINE);
    let pieces = !lines::is_amount(line);
    let (own, currency) = (row["custom_fields"].clone(), row["currency"].clone());
    columns!(row;
        exchange_rate: lines::rate(line, &currency),
        accounting_total: amount(line, "accounting_total"),
        accounting_currency: text(line, "accounting_total_currency.code"),
        reporting_total: amount(line, "reporting_total"),
        need_by_date: date(line, "need_by_date"),
        match_type: text(line, "match_type"),
        is_receipt_required: flag(line, "receipt_required"),
        quantity_received: decimal(line, "received").filter(|_| pieces),
        amount_received: received(line),
        quantity_invoiced: decimal(line, "invoiced").filter(|_| pieces),
        amount_invoiced: invoiced(line),
        supplier_id: words(line, "supplier.id"),
        department_id: words(line, "department.id"),
        department_name: text(line, "department.name"),
        requisition_line_id: optional(filled(line, "requisition_line_id")),
        tracking_categories: lines::tracking(&own, Some((line, "department"))),
    );
    nulls(&mut row, &["tax_rate_id", "tax_amount", "discount_amount"]);
    row
}
