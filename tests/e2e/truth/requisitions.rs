//! Purchase requisitions.

use serde_json::{Value, json};

use super::{
    Row, Rows, Truth, columns, common,
    decimal::Decimal,
    keyed, lines, nulls,
    shapes::{address_text, attachments, chart_of, department_ref, lookup_refs, person, ship_to},
    text::{
        at, date, day, decimal, distinct, each, filled, first_filled, flag, instant, list,
        optional, text, whole, word, words,
    },
};

const LEGACY: [&str; 1] = ["business_case"];

pub fn rows(truth: &Truth) -> Rows {
    let rates = rates(truth);
    keyed(
        truth
            .all("requisitions")
            .map(|record| row(truth, record, &rates)),
    )
}

/// A rate of the source's table.
struct Rate {
    from: String,
    to: String,
    day: String,
    id: i64,
    rate: Decimal,
}

fn rates(truth: &Truth) -> Vec<Rate> {
    let rate = |r: &Value| {
        Some(Rate {
            from: filled(r, "from_currency.code")?,
            to: filled(r, "to_currency.code")?,
            day: day(r, "rate_date")?,
            id: whole(r, "id")?,
            rate: decimal(r, "rate")?,
        })
    };
    truth
        .records("exchange_rates")
        .iter()
        .filter_map(rate)
        .collect()
}

fn row(truth: &Truth, (record, gone): (&Value, bool), rates: &[Rate]) -> Row {
    let mut row = common(truth, "requisitions", (record, gone), &LEGACY);
    let own = row["custom_fields"].clone();
    let sorted = lines::ordered(record, "requisition_lines");
    let line_rows: Vec<Row> = sorted.iter().map(|line| line_row(line, record)).collect();
    let employee =
        person(record, &["requested_by", "requester", "created_by"]).unwrap_or(&Value::Null);
    let mobile = filled(record, "mobile_currency.code");
    let same = mobile.is_none() || mobile == filled(record, "currency.code");
    let total = decimal(record, "total").or(decimal(record, "mobile_total").filter(|_| same));
    let issued = if filled(record, "submitted_at").is_some() {
        "submitted_at"
    } else {
        "created_at"
    };
    let first_need = list(record, "requisition_lines")
        .iter()
        .filter_map(|line| day(line, "need_by_date"))
        .min();
    let vendors = distinct(sorted.iter().filter_map(|line| words(line, "supplier.id")));
    let only = (vendors.len() == 1)
        .then(|| {
            sorted
                .iter()
                .find(|line| words(line, "supplier.id").is_some())
        })
        .flatten();
    columns!(row;
        status: status(record),
        remote_status: text(record, "status"),
        number: words(record, "id"),
        title: text(record, "req_title"),
        issue_date: date(record, issued),
        submitted_at: instant(record, "submitted_at"),
        delivery_date: optional(day(record, "need_by_date").or(first_need)),
        employee_id: words(employee, "id"),
        employee_name: text(employee, "fullname"),
        employee_email: text(employee, "email"),
        requested_by_id: words(record, "requested_by.id"),
        department_id: words(record, "department.id"),
        department_name: text(record, "department.name"),
        vendor_id: only.and_then(|line| words(line, "supplier.id")),
        vendor_name: only.map_or(Value::Null, |line| text(line, "supplier.name")),
        vendor_ids: vendors,
        memo: text(record, "justification"),
        buyer_note: text(record, "buyer_note"),
        reject_reason: text(record, "reject_reason_comment"),
        total_amount: total.or_else(|| Decimal::sum(sorted.iter().map(|line| lines::total(line, "unit_price")))),
        currency: optional(filled(record, "currency.code")),
        delivery_address_text: address_text(record),
        ship_to: ship_to(record),
        line_count: whole(record, "line_count").or_else(|| at(record, "requisition_lines").as_array().map(|lines| lines.len() as i64)),
        current_approver_id: first_filled(record, &["current_approval.approver_id", "current_approval.approver.id"]),
        approvals: approvals(record),
        is_exported: flag(record, "exported"),
        last_exported_at: instant(record, "last_exported_at"),
        tracking_categories: department_ref(record, "department").into_iter().chain(lookup_refs(&own)).collect::<Vec<_>>(),
        attachments: attachments(record),
    );
    nulls(&mut row, &["customer_id"]);
    books(&mut row, truth, record, rates);
    columns!(row; line_items: lines::column(record, "requisition_lines", line_rows));
    row
}

fn status(record: &Value) -> Option<&'static str> {
    match word(record, "status")?.as_str() {
        "draft" | "cart" => Some("draft"),
        "pending_buyer_action" | "pending_approval" | "backgrounded" => Some("submitted"),
        "approved" | "ordered" => Some("authorised"),
        "partially_received" => Some("partially_delivered"),
        "received" => Some("delivered"),
        "abandoned" | "withdrawn" | "rejected" => Some("deleted"),
        _ => None,
    }
}

/// The chart of accounts that the lines agree on, its currency, and the rate into it on the day of issue: the
/// latest rate of that day or before.
fn books(row: &mut Row, truth: &Truth, record: &Value, rates: &[Rate]) {
    let chart = chart_of(list(record, "requisition_lines")).map(|(id, _)| id);
    let charts = truth.records("account_types").iter();
    let known = charts
        .into_iter()
        .find(|r| chart.is_some() && words(r, "id") == chart);
    let book = known.and_then(|chart| filled(chart, "currency.code"));
    let currency = filled(record, "currency.code");
    let issued = row["issue_date"].as_str().unwrap_or_default().to_owned();
    let fits =
        |rate: &&Rate| Some(&rate.from) == currency.as_ref() && Some(&rate.to) == book.as_ref();
    let listed = rates.iter().filter(fits).filter(|rate| rate.day <= issued);
    let listed = listed.max_by_key(|rate| (&rate.day, rate.id));
    let (rate, source) = match (&currency, &book) {
        (Some(from), Some(to)) if from == to => (Some(Decimal::ONE), Some("same_currency")),
        (Some(_), Some(_)) => (
            listed.map(|rate| rate.rate),
            listed.map(|_| "exchange_rates"),
        ),
        _ => (None, None),
    };
    columns!(row;
        company_id: known.and_then(|chart| words(chart, "id")),
        company_name: known.and_then(|chart| words(chart, "name")),
        accounting_currency: book,
        exchange_rate: rate,
        exchange_rate_source: source,
    );
}

fn approvals(record: &Value) -> Value {
    each(record, "approvals", &["position", "id"], |approval| {
        json!({
            "id": text(approval, "id"),
            "approver_id": first_filled(approval, &["approver_id", "approver.id"]),
            "approver_type": text(approval, "approver_type"),
            "status": word(approval, "status"),
            "position": whole(approval, "position"),
            "approved_at": instant(approval, "approval_date"),
        })
    })
}

fn line_row(line: &Value, document: &Value) -> Row {
    let mut row = lines::line(line, document, "unit_price", &[]);
    let own = row["custom_fields"].clone();
    columns!(row;
        need_by_date: date(line, "need_by_date"),
        source_type: text(line, "source_type"),
        order_line_id: words(line, "order_line_id"),
        supplier_id: words(line, "supplier.id"),
        supplier_name: text(line, "supplier.name"),
        payment_term_id: words(line, "payment_term.id"),
        unspsc: text(line, "unspsc_code"),
        manufacturer_name: text(line, "manufacturer_name"),
        manufacturer_part_number: text(line, "manufacturer_part_number"),
        minimum_order_quantity: decimal(line, "minimum_order_quantity"),
        service_type: text(line, "service_type"),
        tracking_categories: lines::tracking(&own, Some((document, "department"))),
    );
    row
}
