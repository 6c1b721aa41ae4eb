//! Reading the source's records: keys, texts, days and instants, as the mapping's global rules say.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use super::{compare::digits, decimal::Decimal};

static NOTHING: Value = Value::Null;

/// The value at a dotted path of snake-case names, the record itself at an empty one. A key may stand dashed or
/// underscored (rule G1).
pub fn at<'v>(record: &'v Value, path: &str) -> &'v Value {
    path.split('.')
        .filter(|name| !name.is_empty())
        .fold(record, |value, name| {
            value
                .get(name)
                .or_else(|| value.get(name.replace('_', "-")))
                .unwrap_or(&NOTHING)
        })
}

/// The members of the list at a path; nothing when there is none.
pub fn list<'v>(record: &'v Value, path: &str) -> &'v [Value] {
    at(record, path).as_array().map_or(&[], Vec::as_slice)
}

/// The members of a list, made by `make`, in the order of the numbers that `keys` give, those without one last.
/// Null where there is no list.
pub fn each(record: &Value, path: &str, keys: &[&str], make: impl Fn(&Value) -> Value) -> Value {
    match at(record, path) {
        Value::Array(_) => sorted(record, path, keys).into_iter().map(make).collect(),
        _ => Value::Null,
    }
}

/// The members of the list at a path, in the order of the numbers that `keys` give, those without one last.
pub fn sorted<'v>(record: &'v Value, path: &str, keys: &[&str]) -> Vec<&'v Value> {
    let mut members: Vec<&Value> = list(record, path).iter().collect();
    members.sort_by_key(|member| {
        let place = |key: &&str| whole(member, key).unwrap_or(i64::MAX);
        keys.iter().map(place).collect::<Vec<_>>()
    });
    members
}

/// A text as it stands; numbers as written.
pub fn text(record: &Value, path: &str) -> Value {
    words(record, path).map_or(Value::Null, Value::String)
}

/// The same, as an option.
pub fn words(record: &Value, path: &str) -> Option<String> {
    match at(record, path) {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// A text that says something: null when blank.
pub fn filled(record: &Value, path: &str) -> Option<String> {
    words(record, path).filter(|text| !text.trim().is_empty())
}

/// The first of several paths that says something.
pub fn first_filled(record: &Value, paths: &[&str]) -> Value {
    optional(paths.iter().find_map(|path| filled(record, path)))
}

pub fn optional(text: Option<String>) -> Value {
    text.map_or(Value::Null, Value::String)
}

/// A code or status as a word of ours: lower snake case.
pub fn word(record: &Value, path: &str) -> Option<String> {
    filled(record, path).map(|text| text.trim().to_lowercase().replace([' ', '-'], "_"))
}

pub fn flag(record: &Value, path: &str) -> Value {
    truth(record, path).map_or(Value::Null, Value::Bool)
}

pub fn truth(record: &Value, path: &str) -> Option<bool> {
    at(record, path).as_bool()
}

/// A whole number, given as one or as text.
pub fn whole(record: &Value, path: &str) -> Option<i64> {
    words(record, path)?.trim().parse().ok()
}

/// The day as written, never moved through a zone (rule G5).
pub fn day(record: &Value, path: &str) -> Option<String> {
    filled(record, path).map(|text| text.chars().take(10).collect())
}

pub fn date(record: &Value, path: &str) -> Value {
    optional(day(record, path))
}

/// An instant in UTC, to the microsecond (rule G5).
pub fn instant(record: &Value, path: &str) -> Value {
    optional(moment(record, path).map(|moment| stamp(&moment)))
}

pub fn moment(record: &Value, path: &str) -> Option<DateTime<Utc>> {
    let text = filled(record, path)?;
    let moment = DateTime::parse_from_rfc3339(&text);
    Some(
        moment
            .unwrap_or_else(|_| panic!("{text} at {path} is no instant"))
            .with_timezone(&Utc),
    )
}

pub fn stamp(moment: &DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A decimal at nine places.
pub fn decimal(record: &Value, path: &str) -> Option<Decimal> {
    Decimal::parse(&filled(record, path)?)
}

pub fn amount(record: &Value, path: &str) -> Value {
    money(decimal(record, path))
}

pub fn money(amount: Option<Decimal>) -> Value {
    amount.map_or(Value::Null, |amount| Value::String(amount.to_string()))
}

/// A rate of tax: nine places of the source's (rule G4), in a column of ten.
pub fn rate(record: &Value, path: &str) -> Value {
    decimal(record, path).map_or(Value::Null, |rate| Value::String(format!("{rate}0")))
}

/// A percentage, of ten places.
pub fn percent(record: &Value, path: &str) -> Value {
    let units = filled(record, path).and_then(|text| Decimal::units(&text, 10));
    units.map_or(Value::Null, |units| Value::String(digits(units, 10)))
}

/// Whether an association is there: an object that is not null.
pub fn present(record: &Value, path: &str) -> bool {
    at(record, path).is_object()
}

/// Those of a list, each once, in order.
pub fn distinct<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen: Vec<T> = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

/// The one value that all agree on, leaving out those that have none.
pub fn agreed<T: PartialEq>(items: impl IntoIterator<Item = Option<T>>) -> Option<T> {
    let mut seen = distinct(items.into_iter().flatten());
    if seen.len() == 1 { seen.pop() } else { None }
}

/// Custom fields (rule G10): the members of `custom-fields`, and the named legacy ones that stand beside the documented
/// keys. Names in snake case, values as they came; null ones say nothing. Null when the record has no place for them.
pub fn custom_fields(record: &Value, legacy: &[&str]) -> Value {
    let mut own = Map::new();
    let mut any = false;
    for name in legacy {
        let value = record
            .get(name.replace('_', "-"))
            .or_else(|| record.get(*name));
        if let Some(value) = value {
            any = true;
            own.insert((*name).to_owned(), value.clone());
        }
    }
    if let Some(members) = at(record, "custom_fields").as_object() {
        any = true;
        for (name, value) in members {
            own.insert(name.replace('-', "_"), value.clone());
        }
    }
    if any { Value::Object(own) } else { Value::Null }
}
