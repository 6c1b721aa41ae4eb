//! What the lines of invoices, orders and requisitions have in common.

use serde_json::Value;

use super::{
    Row, columns,
    decimal::Decimal,
    shapes::{allocations, department_ref, is_split, lookup_refs},
    text::{
        at, custom_fields, decimal, distinct, filled, first_filled, sorted, text, whole, words,
    },
};

/// Lines in their order: by number, number below it, id (rule G12); those without come last.
pub fn ordered<'v>(document: &'v Value, path: &str) -> Vec<&'v Value> {
    sorted(document, path, &["line_num", "sub_line_num", "id"])
}

/// Rows of lines as a column: null where the source gives no list.
pub fn column(document: &Value, path: &str, rows: Vec<Row>) -> Value {
    match at(document, path) {
        Value::Array(_) => rows.into_iter().map(Value::Object).collect(),
        _ => Value::Null,
    }
}

pub fn is_amount(line: &Value) -> bool {
    let named = filled(line, "type").or_else(|| filled(line, "line_type"));
    let named = named.unwrap_or_default().to_lowercase();
    if named.contains("quantity") {
        false
    } else {
        named.contains("amount") || decimal(line, "quantity").is_none()
    }
}

/// The source's total, or else quantity times price.
pub fn total(line: &Value, price: &str) -> Option<Decimal> {
    let product = || {
        let price = decimal(line, price)?;
        if is_amount(line) {
            Some(price)
        } else {
            Some(decimal(line, "quantity")?.times(price))
        }
    };
    decimal(line, "total").or_else(product)
}

/// The columns that all kinds of lines have.
pub fn line(line: &Value, document: &Value, price: &str, legacy: &[&str]) -> Row {
    let amount = is_amount(line);
    let total = total(line, price);
    let whole_line = !is_split(line);
    let mut row = Row::new();
    columns!(row;
        id: words(line, "id"),
        line_number: words(line, "line_num"),
        line_number_int: whole(line, "line_num"),
        sub_line_number: whole(line, "sub_line_num"),
        type: if amount { "amount" } else { "quantity" },
        name: first_filled(line, &["item.name", "description"]),
        description: text(line, "description"),
        item_id: words(line, "item.id"),
        item_number: text(line, "item.item_number"),
        supplier_part_number: text(line, "source_part_num"),
        supplier_aux_part_number: text(line, "supp_aux_part_num"),
        account_id: words(line, "account.id").filter(|_| whole_line),
        account_code: words(line, "account.code").filter(|_| whole_line),
        quantity: if amount { Some(Decimal::ONE) } else { decimal(line, "quantity") },
        uom: text(line, "uom.code"),
        unit_price: if amount { total } else { decimal(line, price) },
        total_line_amount: total,
        currency: first_filled(line, &["currency.code"]),
        status: line_status(line),
        commodity_id: words(line, "commodity.id"),
        commodity_name: text(line, "commodity.name"),
        contract_id: words(line, "contract.id"),
        period_id: words(line, "period.id"),
        is_split: !whole_line,
        allocations: allocations(line),
        custom_fields: custom_fields(line, legacy),
    );
    if row["currency"].is_null() {
        columns!(row; currency: first_filled(document, &["currency.code"]));
    }
    row
}

/// The source's word for the state of a line, in one spelling.
pub fn line_status(line: &Value) -> Option<String> {
    super::text::word(line, "status").map(|status| status.replace("canceled", "cancelled"))
}

/// The dimensions of a line: its department, then its look-ups.
pub fn tracking(own: &Value, department: Option<(&Value, &str)>) -> Vec<Value> {
    let department = department.and_then(|(record, path)| department_ref(record, path));
    department.into_iter().chain(lookup_refs(own)).collect()
}

/// What a unit of a line's currency is in the books: 1 in the same currency, else from the line's two totals.
pub fn rate(line: &Value, currency: &Value) -> Option<Decimal> {
    let book = filled(line, "accounting_total_currency.code")?;
    if currency.as_str() == Some(&book) {
        return Some(Decimal::ONE);
    }
    decimal(line, "accounting_total")?.over(decimal(line, "total")?)
}

/// What lines come to in the books.
pub struct Books {
    /// The one currency of the books.
    pub currency: Option<String>,
    /// Nothing when lines differ in their currency.
    pub total: Option<Decimal>,
    /// Of the lines that have both totals, their quotient.
    pub rate: Option<Decimal>,
}

/// The books of a document. The currency is looked for on all lines, the sums are of those that count.
pub fn books(lines: &[Value], counting: &[&Value], price: &str) -> Books {
    let currencies = distinct(
        lines
            .iter()
            .filter_map(|line| filled(line, "accounting_total_currency.code")),
    );
    let booked = |line: &Value| decimal(line, "accounting_total");
    let both = counting
        .iter()
        .filter_map(|line| Some((booked(line)?, total(line, price)?)))
        .reduce(|a, b| (a.0 + b.0, a.1 + b.1));
    Books {
        total: Decimal::sum(counting.iter().map(|line| booked(line)))
            .filter(|_| currencies.len() < 2),
        rate: both.and_then(|(booked, total)| booked.over(total)),
        currency: if currencies.len() == 1 {
            currencies.into_iter().next()
        } else {
            None
        },
    }
}

/// The members of the first list whose ids stand in all lists; null without lists.
pub fn intersection(lists: &[Vec<Value>]) -> Value {
    let Some((first, rest)) = lists.split_first() else {
        return Value::Null;
    };
    let in_list = |list: &Vec<Value>, id: &Value| list.iter().any(|other| other["id"] == *id);
    first
        .iter()
        .filter(|member| rest.iter().all(|list| in_list(list, &member["id"])))
        .cloned()
        .collect()
}

/// The members of a row's list.
pub fn members<'r>(row: &'r Row, column: &str) -> &'r [Value] {
    row[column].as_array().map_or(&[], Vec::as_slice)
}
