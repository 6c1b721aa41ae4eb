//! Conditions on records.
//!
//! Documented: a condition through a collection holds when one member meets it, `x_id` addresses the id of `x`,
//! dates have no `contains`, `starts_with`, `ends_with` and `blank`, a date without time is midnight UTC.
//! Ours, where nothing is said: null meets nothing but `blank=true` (as in SQL), `contains` and its kin do not look
//! at case, equality does; a value that does not fit the attribute's type, or an order on a boolean, is refused.

use std::cmp::Ordering;

use crate::{
    query::{Condition, Op},
    tree::Tree,
    world::Resource,
    zone::{DAY, Zone, parse_moment},
};

/// Turns names into those the resource prints. Errors: a sentence for a 400.
pub fn resolve(condition: &mut Condition, resource: Resource, known: &Tree) -> Result<(), String> {
    if resource == Resource::SupplierItems && condition.path == ["preferred-flag"] {
        condition.path = vec!["preferred".into()];
    }
    if resource == Resource::Users && condition.path == ["status"] {
        condition.path = vec!["active".into()];
        condition.value = (condition.value == "active").to_string();
    }
    let mut path = Vec::new();
    let mut at = known;
    let last = condition.path.len() - 1;
    for (nth, name) in condition.path.iter().enumerate() {
        let below = member(at, name);
        match below {
            Some(below) => {
                path.push(name.clone());
                at = below;
            }
            None => match name
                .strip_suffix("-id")
                .and_then(|owner| Some((owner, member(at, owner)?)))
            {
                Some((owner, below)) if nth == last => {
                    path.push(owner.to_owned());
                    path.push("id".to_owned());
                    at = member(below, "id").unwrap_or(&Tree::Null);
                }
                _ if matches!(at, Tree::Null) && nth > 0 => path.push(name.clone()),
                _ => {
                    return Err(format!(
                        "unknown attribute {} for {}",
                        condition.path.join("."),
                        resource.name()
                    ));
                }
            },
        }
    }
    condition.path = path;
    check(condition, at)
}

fn member<'t>(at: &'t Tree, name: &str) -> Option<&'t Tree> {
    match at {
        Tree::Object(_) => at.get(name),
        Tree::List(_, items) => items.first()?.get(name),
        _ => None,
    }
}

/// Whether the operator and the value suit the attribute.
fn check(condition: &Condition, kind: &Tree) -> Result<(), String> {
    let name = condition.path.join(".");
    let (op, value) = (condition.op, condition.value.as_str());
    let fits = |value: &str| match kind {
        Tree::Int(_) | Tree::Dec(_) | Tree::Num { .. } => decimal(value).is_some(),
        Tree::Time(_) | Tree::Day(_) | Tree::Date(_) => parse_moment(value).is_some(),
        Tree::Bool(_) => boolean(value).is_some(),
        _ => true,
    };
    match (op, kind) {
        (Op::Blank, Tree::Time(_) | Tree::Day(_) | Tree::Date(_)) => {
            Err(format!("{name} is a date and knows no blank"))
        }
        (Op::Blank, _) => match boolean(value) {
            Some(_) => Ok(()),
            None => Err(format!("{name}[blank] must be true or false")),
        },
        (
            Op::Contains | Op::StartsWith | Op::EndsWith,
            Tree::Time(_) | Tree::Day(_) | Tree::Date(_),
        ) => Err(format!("{name} is a date and can not be searched as text")),
        (Op::Contains | Op::StartsWith | Op::EndsWith, _) => Ok(()),
        (Op::Gt | Op::Lt | Op::GtOrEq | Op::LtOrEq, Tree::Bool(_)) => {
            Err(format!("{name} is a boolean and has no order"))
        }
        (_, Tree::Object(_) | Tree::List(..)) => Err(format!("{name} is not an attribute")),
        (Op::In | Op::NotIn, _) if value.split(',').all(fits) => Ok(()),
        (Op::In | Op::NotIn, _) => Err(format!("{name} can not be compared with {value}")),
        _ if fits(value) => Ok(()),
        _ => Err(format!("{name} can not be compared with {value}")),
    }
}

/// Whether a record meets a condition whose names are resolved.
pub fn meets(record: &Tree, condition: &Condition, zone: Zone) -> bool {
    let mut values = Vec::new();
    collect(record, &condition.path, &mut values);
    if condition.op == Op::Blank {
        // A member that is not there at all is as blank as one that is null.
        let wanted = boolean(&condition.value).unwrap_or(false);
        return if values.is_empty() {
            wanted
        } else {
            values.iter().any(|v| is_blank(v) == wanted)
        };
    }
    values.iter().any(|value| holds(value, condition, zone))
}

fn collect<'t>(at: &'t Tree, path: &[String], values: &mut Vec<&'t Tree>) {
    match (at, path) {
        (Tree::List(_, items), _) => items.iter().for_each(|item| collect(item, path, values)),
        (_, []) => values.push(at),
        (_, [name, rest @ ..]) => {
            if let Some(below) = at.get(name) {
                collect(below, rest, values);
            }
        }
    }
}

fn is_blank(value: &Tree) -> bool {
    match value {
        Tree::Null => true,
        Tree::Str(text) => text.is_empty(),
        _ => false,
    }
}

fn holds(value: &Tree, condition: &Condition, zone: Zone) -> bool {
    if matches!(value, Tree::Null | Tree::Object(_) | Tree::List(..)) {
        return false;
    }
    let operand = condition.value.as_str();
    let text = || value.text(zone).to_lowercase();
    match condition.op {
        Op::Eq => compare(value, operand, zone) == Some(Ordering::Equal),
        Op::NotEq => compare(value, operand, zone) != Some(Ordering::Equal),
        Op::Gt => compare(value, operand, zone) == Some(Ordering::Greater),
        Op::Lt => compare(value, operand, zone) == Some(Ordering::Less),
        Op::GtOrEq => matches!(
            compare(value, operand, zone),
            Some(Ordering::Greater | Ordering::Equal)
        ),
        Op::LtOrEq => matches!(
            compare(value, operand, zone),
            Some(Ordering::Less | Ordering::Equal)
        ),
        Op::In => operand
            .split(',')
            .any(|v| compare(value, v.trim(), zone) == Some(Ordering::Equal)),
        Op::NotIn => !operand
            .split(',')
            .any(|v| compare(value, v.trim(), zone) == Some(Ordering::Equal)),
        Op::Contains => text().contains(&operand.to_lowercase()),
        Op::StartsWith => text().starts_with(&operand.to_lowercase()),
        Op::EndsWith => text().ends_with(&operand.to_lowercase()),
        Op::Blank => false,
    }
}

/// The order of a record's value and an operand, `None` when they can not be compared.
pub fn compare(value: &Tree, operand: &str, zone: Zone) -> Option<Ordering> {
    match value {
        Tree::Int(n) => Some(decimal(&n.to_string())?.cmp(&decimal(operand)?)),
        Tree::Dec(_) | Tree::Num { .. } => {
            Some(decimal(&value.text(zone))?.cmp(&decimal(operand)?))
        }
        Tree::Bool(b) => Some(b.cmp(&boolean(operand)?)),
        Tree::Time(secs) => Some(secs.cmp(&parse_moment(operand)?)),
        Tree::Day(day) => Some(zone.midnight(*day).cmp(&parse_moment(operand)?)),
        Tree::Date(day) => Some((i64::from(*day) * DAY).cmp(&parse_moment(operand)?)),
        Tree::Str(text) => Some(text.as_str().cmp(operand)),
        _ => None,
    }
}

/// The order of two values of one attribute; null comes first.
pub fn order(a: Option<&Tree>, b: Option<&Tree>, zone: Zone) -> Ordering {
    match (a, b) {
        (None | Some(Tree::Null), None | Some(Tree::Null)) => Ordering::Equal,
        (None | Some(Tree::Null), _) => Ordering::Less,
        (_, None | Some(Tree::Null)) => Ordering::Greater,
        (Some(Tree::Time(a)), Some(Tree::Time(b))) => a.cmp(b),
        (Some(Tree::Day(a) | Tree::Date(a)), Some(Tree::Day(b) | Tree::Date(b))) => a.cmp(b),
        (Some(a), Some(b)) => compare(a, &b.text(zone), zone).unwrap_or(Ordering::Equal),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "1" => Some(true),
        "false" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// A decimal as units of 10^-18; digits beyond are cut.
pub fn decimal(text: &str) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || whole.len() > 19 {
        return None;
    }
    let fraction: String = fraction
        .chars()
        .chain(std::iter::repeat('0'))
        .take(18.max(fraction.len()))
        .collect();
    let all = format!("{whole}{}", &fraction[..18.min(fraction.len())]);
    if !all.bytes().all(|b| b.is_ascii_digit()) || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let units: i128 = all.parse().ok()?;
    Some(if negative { -units } else { units })
}
