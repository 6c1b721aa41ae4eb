//! What a report can be asked with: a name, a type, a value for those who do not say one.

use crate::document::is_snake_case;
use crate::error::unknown;

/// One parameter of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub kind: ParameterKind,
    pub default: Default,
    pub doc: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    Text,
    Int,
    Decimal,
    Date,
}

/// What a parameter is where nobody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Default {
    Value(Value),
    /// The day on which it is asked.
    Today,
    /// The first day of the month in which it is asked.
    ThisMonth,
    /// The first day of that month a year before.
    YearAgo,
    /// The first day of the year in which it is asked.
    ThisYear,
    /// The first day of the year after.
    NextYear,
}

/// A typed value that a query's `$name` stands for; `None` is null. The text has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(Option<String>),
    Int(Option<String>),
    /// At most 29 digits before the point and 9 behind it.
    Decimal(Option<String>),
    /// `YYYY-MM-DD`
    Date(Option<String>),
}

const KINDS: [(&str, ParameterKind); 4] = [
    ("text", ParameterKind::Text),
    ("int", ParameterKind::Int),
    ("decimal", ParameterKind::Decimal),
    ("date", ParameterKind::Date),
];

const DAYS: [(&str, Default); 5] = [
    ("today", Default::Today),
    ("this_month", Default::ThisMonth),
    ("year_ago", Default::YearAgo),
    ("this_year", Default::ThisYear),
    ("next_year", Default::NextYear),
];

/// Reads `name type = default: what it is for`.
pub(crate) fn read(line: &str) -> Result<Parameter, String> {
    let form = || format!("\"{line}\" is not of the form: name type = default: what it is for");
    let (head, doc) = line.split_once(": ").ok_or_else(form)?;
    let (head, default) = head.split_once('=').ok_or_else(form)?;
    let mut words = head.split_whitespace();
    let (Some(name), Some(kind), None) = (words.next(), words.next(), words.next()) else {
        return Err(form());
    };
    if !is_snake_case(name) {
        return Err(format!("parameter \"{name}\" is not in snake case"));
    }
    let found = KINDS.iter().find(|(word, _)| *word == kind);
    let kinds = KINDS.iter().map(|(word, _)| *word);
    let kind = found.ok_or_else(|| unknown("type", kind, kinds))?.1;
    let default = default.trim();
    let day = DAYS.iter().find(|(word, _)| *word == default);
    let default = match day {
        Some((_, day)) if kind == ParameterKind::Date => day.clone(),
        _ => Default::Value(kind.value(default)?),
    };
    Ok(Parameter {
        name: name.to_owned(),
        kind,
        default,
        doc: doc.trim().to_owned(),
    })
}

impl ParameterKind {
    /// Reads a value of this type; `null` is none.
    pub fn value(self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let given = (text != "null").then(|| text.to_owned());
        if given.is_some() && !self.takes(text) {
            return Err(format!("\"{text}\" is not {}", self.wanted()));
        }
        Ok(match self {
            ParameterKind::Text => Value::Text(given),
            ParameterKind::Int => Value::Int(given),
            ParameterKind::Decimal => Value::Decimal(given),
            ParameterKind::Date => Value::Date(given),
        })
    }

    pub fn word(self) -> &'static str {
        let found = KINDS.iter().find(|(_, kind)| *kind == self);
        found.map_or("", |(word, _)| word)
    }

    fn wanted(self) -> &'static str {
        match self {
            ParameterKind::Text => "a text",
            ParameterKind::Int => "a whole number, such as 20",
            ParameterKind::Decimal => "a number with a point, such as 0.8",
            ParameterKind::Date => "a day, such as 2026-03-01",
        }
    }

    fn takes(self, text: &str) -> bool {
        match self {
            ParameterKind::Text => true,
            ParameterKind::Int => text.parse::<i64>().is_ok(),
            ParameterKind::Decimal => is_decimal(text),
            ParameterKind::Date => is_day(text),
        }
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str, most: usize| {
        !part.is_empty() && part.len() <= most && part.bytes().all(|b| b.is_ascii_digit())
    };
    plain(whole, 29) && plain(fraction, 9)
}

/// Whether it is a day of the calendar, written `YYYY-MM-DD`.
fn is_day(text: &str) -> bool {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return false;
    }
    let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().unwrap_or(0);
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    year > 0 && (1..=last).contains(&day)
}

impl Value {
    /// As it is written; `None` for null.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Int(text) | Value::Decimal(text) | Value::Date(text) => {
                text.as_deref()
            }
        }
    }
}

impl Default {
    /// The value on `today`, `(year, month, day)`.
    pub fn on(&self, (year, month, day): (i32, u32, u32)) -> Value {
        let date = |year: i32, month: u32, day: u32| {
            Value::Date(Some(format!("{year:04}-{month:02}-{day:02}")))
        };
        match self {
            Default::Value(value) => value.clone(),
            Default::Today => date(year, month, day),
            Default::ThisMonth => date(year, month, 1),
            Default::YearAgo => date(year - 1, month, 1),
            Default::ThisYear => date(year, 1, 1),
            Default::NextYear => date(year + 1, 1, 1),
        }
    }

    /// As the file says it.
    pub fn word(&self) -> &str {
        match self {
            Default::Value(value) => value.text().unwrap_or("null"),
            day => DAYS
                .iter()
                .find(|(_, known)| known == day)
                .map_or("", |(word, _)| word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_parameter() {
        let top = read("top int = 20: rows at most").expect("reads");
        assert_eq!(
            (top.name.as_str(), top.doc.as_str()),
            ("top", "rows at most")
        );
        assert_eq!(top.default, Default::Value(Value::Int(Some("20".into()))));
        let from = read("from date = year_ago: first day: included").expect("reads");
        let value = from.default.on((2026, 3, 9));
        assert_eq!(value, Value::Date(Some("2025-03-01".into())));
        let all = read("currency text = null: all of them").expect("reads");
        assert_eq!(all.default, Default::Value(Value::Text(None)));
        for (line, complaint) in [
            ("top int 20", "not of the form"),
            ("top intt = 20: x", "did you mean \"int\"?"),
            ("top int = many: x", "not a whole number"),
            ("Top int = 1: x", "snake case"),
            ("from date = 2026-02-29: x", "not a day"),
            ("share decimal = 1e3: x", "not a number"),
        ] {
            let found = read(line).expect_err(line);
            assert!(found.contains(complaint), "{line}: {found}");
        }
    }

    #[test]
    fn days_of_the_calendar() {
        for day in ["2024-02-29", "2000-02-29", "2026-12-31"] {
            assert!(is_day(day), "{day}");
        }
        for day in [
            "1900-02-29",
            "2026-04-31",
            "2026-00-01",
            "2026-1-01",
            "2026-01-01x",
        ] {
            assert!(!is_day(day), "{day}");
        }
    }
}
