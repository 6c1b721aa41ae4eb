//! Columns of a purchase list by name, and the values in them.

use chrono::NaiveDate;
use csv::ByteRecord;
use rust_decimal::Decimal;

use crate::csv_file;
use crate::error::TableError;
use crate::line::Line;

/// Names of each column, the usual one first. Compared without case; spaces and hyphens are
/// underscores.
const NAMES: [&[&str]; 13] = [
    &[
        "supplier",
        "supplier_name",
        "vendor_name",
        "merchant",
        "merchant_name",
        "payee",
        "vendor",
    ],
    &[
        "description",
        "line_description",
        "item_description",
        "item",
        "memo",
    ],
    &["amount", "line_total", "net_amount", "total", "line_amount"],
    &["currency", "currency_code"],
    &["commodity", "commodity_name"],
    &["commodity_path"],
    &["unspsc", "unspsc_code"],
    &["account", "account_code", "gl_account"],
    &["account_name", "gl_account_name"],
    &["date", "invoice_date", "spend_date", "order_date"],
    &["contract_type"],
    &["requester", "requested_by", "requestor"],
    &["department", "cost_centre", "cost_center"],
];

/// Places in [`NAMES`].
const SUPPLIER: usize = 0;
const AMOUNT: usize = 2;
const DATE: usize = 9;
/// Without one of these nothing can be said.
const TELLING: [usize; 7] = [0, 1, 4, 5, 6, 7, 8];

/// The place of each known column, `None` where there is none.
#[derive(Debug, Clone)]
pub(crate) struct Columns([Option<usize>; 13]);

impl Columns {
    pub fn find(header: &[String]) -> Result<Columns, TableError> {
        let mut found = [None; 13];
        for (place, names) in found.iter_mut().zip(NAMES) {
            *place = csv_file::column(header, names)?;
        }
        if TELLING.iter().all(|c| found[*c].is_none()) {
            return Err(TableError::NoColumn {
                found: csv_file::names(header),
            });
        }
        Ok(Columns(found))
    }

    /// Whether charges that come back can be found.
    pub fn tell_recurrence(&self) -> bool {
        [SUPPLIER, AMOUNT, DATE]
            .iter()
            .all(|c| self.0[*c].is_some())
    }
}

/// One row, its fields UTF-8.
pub(crate) struct Row<'r> {
    record: &'r ByteRecord,
    columns: &'r Columns,
}

/// Which values are there and make no sense.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Unread {
    pub amount: bool,
    pub date: bool,
}

impl<'r> Row<'r> {
    pub fn new(record: &'r ByteRecord, columns: &'r Columns) -> Row<'r> {
        Row { record, columns }
    }

    pub fn read(&self) -> (Line<'r>, Unread) {
        let text = |column: usize| -> &'r str {
            self.columns.0[column]
                .and_then(|place| self.record.get(place))
                .and_then(|field| std::str::from_utf8(field).ok())
                .map_or("", str::trim)
        };
        let currency = text(3);
        let amount = parse_amount(text(AMOUNT));
        let date = parse_date(text(DATE), currency.eq_ignore_ascii_case("usd"));
        let line = Line {
            supplier: text(SUPPLIER),
            description: text(1),
            amount,
            currency,
            commodity: text(4),
            commodity_path: text(5),
            unspsc: text(6),
            account: text(7),
            account_name: text(8),
            date,
            contract_type: text(10),
            requester: text(11),
            department: text(12),
            recurrence: None,
        };
        let unread = Unread {
            amount: amount.is_none() && !text(AMOUNT).is_empty(),
            date: date.is_none() && !text(DATE).is_empty(),
        };
        (line, unread)
    }
}

/// Reads an amount as people write it: "1,234.56", "1.234,56", "£1 234.56", "(12.00)", "12.00-".
///
/// A single comma or point before three digits is a thousands separator only if it is a comma.
pub fn parse_amount(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let negative = text.starts_with(['-', '−'])
        || text.ends_with('-')
        || (text.starts_with('(') && text.ends_with(')'));
    let mut digits = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' | '.' | ',' => digits.push(c),
            ' ' | '\u{a0}' | '\u{202f}' | '\'' | '(' | ')' | '-' | '−' | '+' => {}
            // A currency sign or code, but not an exponent or another word.
            '$' | '€' | '£' | '¥' | '₹' => {}
            c if c.is_ascii_uppercase()
                && !digits.ends_with(|d: char| d.is_ascii_digit() && text.contains('E')) => {}
            _ => return None,
        }
    }
    let point = match (digits.rfind('.'), digits.rfind(',')) {
        (Some(p), Some(c)) => Some(p.max(c)),
        (Some(p), None) if digits.matches('.').count() == 1 => Some(p),
        (None, Some(c)) if digits.matches(',').count() == 1 && digits.len() - c != 4 => Some(c),
        _ => None,
    };
    let plain: String = digits
        .char_indices()
        .filter_map(|(at, c)| match c {
            '.' | ',' => (Some(at) == point).then_some('.'),
            c => Some(c),
        })
        .collect();
    let value: Decimal = plain.parse().ok()?;
    Some(if negative { -value } else { value })
}

/// Reads a date as tables hold it, with or without a time after it. `month_first` decides
/// 04/05/2025.
pub fn parse_date(text: &str, month_first: bool) -> Option<NaiveDate> {
    const DAY_FIRST: [&str; 4] = ["%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m/%d/%Y"];
    const MONTH_FIRST: [&str; 4] = ["%m/%d/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d/%m/%Y"];
    const PLAIN: [&str; 7] = [
        "%Y-%m-%d",
        "%Y/%m/%d",
        "%Y%m%d",
        "%d-%b-%Y",
        "%d %b %Y",
        "%b %d, %Y",
        "%d %B %Y",
    ];
    let text = text.trim();
    let day = match text.get(..10) {
        Some(front)
            if text
                .as_bytes()
                .get(10)
                .is_some_and(|b| matches!(b, b'T' | b' '))
                && front.bytes().filter(u8::is_ascii_digit).count() == 8 =>
        {
            front
        }
        _ => text,
    };
    let order = if month_first { MONTH_FIRST } else { DAY_FIRST };
    PLAIN
        .iter()
        .chain(&order)
        .find_map(|format| NaiveDate::parse_from_str(day, format).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_in_any_spelling() {
        for (text, expected) in [
            ("1,234.56", "1234.56"),
            ("1.234,56", "1234.56"),
            ("£1 234.50", "1234.50"),
            ("(12.00)", "-12.00"),
            ("12.00-", "-12.00"),
            ("1,234", "1234"),
            ("12,5", "12.5"),
            ("1.234", "1.234"),
            ("1,234,567", "1234567"),
            ("USD 99.99", "99.99"),
            ("-0.000000001", "-0.000000001"),
        ] {
            assert_eq!(
                parse_amount(text),
                Some(expected.parse().expect("a decimal")),
                "{text}"
            );
        }
        for text in ["", "abc", "1e5", "1E5", "12.5.x", "N/A"] {
            assert_eq!(parse_amount(text), None, "{text}");
        }
    }

    #[test]
    fn dates_are_read_as_tables_hold_them() {
        let day = NaiveDate::from_ymd_opt(2025, 5, 4);
        for text in [
            "2025-05-04",
            "2025-05-04T10:00:00Z",
            "04/05/2025",
            "04.05.2025",
            "4 May 2025",
            "20250504",
        ] {
            assert_eq!(parse_date(text, false), day, "{text}");
        }
        assert_eq!(parse_date("05/04/2025", true), day);
        assert_eq!(parse_date("soon", false), None);
    }
}
