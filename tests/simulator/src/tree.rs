//! A record as a tree: for filters, for the list of known attributes, and for records that a test has written.

use serde_json::Value;

use crate::{
    json::write_plain,
    out::{Out, Scalar},
    zone::{Zone, parse_moment},
};

/// A value with the kind Coupa documents for it, which JSON does not show (a decimal and a code are both strings).
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Null,
    Int(i64),
    Bool(bool),
    Dec(String),
    Num {
        units: i64,
        scale: u8,
    },
    Time(i64),
    Day(i32),
    Date(i32),
    Str(String),
    /// Members in order.
    Object(Vec<(String, Tree)>),
    /// The singular XML element and the members.
    List(String, Vec<Tree>),
}

impl Tree {
    pub fn scalar(&self) -> Scalar<'_> {
        match self {
            Tree::Int(n) => Scalar::Int(*n),
            Tree::Bool(b) => Scalar::Bool(*b),
            Tree::Dec(text) => Scalar::DecText(text),
            Tree::Num { units, scale } => Scalar::Num {
                units: *units,
                scale: *scale,
            },
            Tree::Time(secs) => Scalar::Time(*secs),
            Tree::Day(day) => Scalar::Day(*day),
            Tree::Date(day) => Scalar::Date(*day),
            Tree::Str(text) => Scalar::Str(text),
            Tree::Null | Tree::Object(_) | Tree::List(..) => Scalar::Null,
        }
    }

    pub fn get(&self, key: &str) -> Option<&Tree> {
        match self {
            Tree::Object(members) => members
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// Sets a member, in place or at the end. Does nothing on anything but an object.
    pub fn set(&mut self, key: &str, value: Tree) {
        if let Tree::Object(members) = self {
            match members.iter_mut().find(|(name, _)| name == key) {
                Some((_, slot)) => *slot = value,
                None => members.push((key.to_owned(), value)),
            }
        }
    }

    /// Lays JSON over the tree: objects are merged, everything else is replaced. The kind of a replaced scalar
    /// is that of `model` at the same place, and else that of the JSON.
    pub fn merge(&mut self, patch: &Value, model: Option<&Tree>) {
        match (self, patch) {
            (Tree::Object(members), Value::Object(map)) => {
                for (key, value) in map {
                    let key = crate::select::dashed(key);
                    let below = model.and_then(|m| m.get(&key));
                    match members.iter_mut().find(|(name, _)| *name == key) {
                        Some((_, old)) => {
                            let kind = below.cloned().or_else(|| Some(old.clone()));
                            old.merge(value, kind.as_ref());
                        }
                        None => members.push((key, Tree::read(value, below))),
                    }
                }
            }
            (this, value) => *this = Tree::read(value, model),
        }
    }

    /// Reads JSON as the kinds of `model`.
    pub fn read(value: &Value, model: Option<&Tree>) -> Tree {
        match value {
            Value::Null => Tree::Null,
            Value::Bool(b) => Tree::Bool(*b),
            Value::Number(n) => match (model, n.as_i64()) {
                (Some(Tree::Dec(_)), _) => Tree::Dec(n.to_string()),
                (Some(Tree::Num { .. }), _) | (_, None) => number(&n.to_string()),
                (_, Some(n)) => Tree::Int(n),
            },
            Value::String(text) => match model {
                Some(Tree::Dec(_)) => Tree::Dec(text.clone()),
                Some(Tree::Time(_)) => {
                    parse_moment(text).map_or_else(|| Tree::Str(text.clone()), Tree::Time)
                }
                Some(Tree::Day(_)) => {
                    moment_day(text).map_or_else(|| Tree::Str(text.clone()), Tree::Day)
                }
                Some(Tree::Date(_)) => {
                    moment_day(text).map_or_else(|| Tree::Str(text.clone()), Tree::Date)
                }
                _ => Tree::Str(text.clone()),
            },
            Value::Object(map) => {
                let read = |(key, value): (&String, &Value)| {
                    let key = crate::select::dashed(key);
                    let below = Tree::read(value, model.and_then(|m| m.get(&key)));
                    (key, below)
                };
                Tree::Object(map.iter().map(read).collect())
            }
            Value::Array(items) => {
                let (name, first) = match model {
                    Some(Tree::List(name, items)) => (name.clone(), items.first()),
                    _ => ("item".to_owned(), None),
                };
                Tree::List(
                    name,
                    items.iter().map(|item| Tree::read(item, first)).collect(),
                )
            }
        }
    }

    /// Adds the members of another record of the same kind: what is null or empty here takes the other's shape.
    pub fn widen(&mut self, other: Tree) {
        match (self, other) {
            (Tree::Object(mine), Tree::Object(theirs)) => {
                for (key, value) in theirs {
                    match mine.iter_mut().find(|(name, _)| *name == key) {
                        Some((_, known)) => known.widen(value),
                        None => mine.push((key, value)),
                    }
                }
            }
            (Tree::List(_, mine), Tree::List(_, theirs)) => {
                for item in theirs {
                    match mine.first_mut() {
                        Some(first) => first.widen(item),
                        None => mine.push(item),
                    }
                }
            }
            (this @ Tree::Null, other) => *this = other,
            _ => {}
        }
    }

    pub(crate) fn text(&self, zone: Zone) -> String {
        let mut buffer = Vec::new();
        write_plain(&mut buffer, self.scalar(), zone);
        String::from_utf8(buffer).expect("scalars are written from text and digits")
    }
}

fn moment_day(text: &str) -> Option<i32> {
    let secs = parse_moment(text.get(..10)?)?;
    Some(secs.div_euclid(crate::zone::DAY) as i32)
}

fn number(text: &str) -> Tree {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = format!("{whole}{fraction}");
    match digits.parse() {
        Ok(units) if fraction.len() < 12 => Tree::Num {
            units,
            scale: fraction.len() as u8,
        },
        _ => Tree::Dec(text.to_owned()),
    }
}

/// Collects a record's members.
#[derive(Default)]
pub struct Collect {
    stack: Vec<Tree>,
    /// The record, once it is closed.
    pub done: Option<Tree>,
}

impl Collect {
    fn put(&mut self, key: &str, value: Tree) {
        match self.stack.last_mut() {
            Some(Tree::Object(members)) => members.push((key.to_owned(), value)),
            Some(Tree::List(_, items)) => items.push(value),
            _ => self.done = Some(value),
        }
    }

    fn pop(&mut self) -> Tree {
        self.stack.pop().expect("every close follows its open")
    }
}

impl Out for Collect {
    fn scalar(&mut self, key: &str, value: Scalar<'_>, zone: Zone) {
        let value = match value {
            Scalar::Null => Tree::Null,
            Scalar::Int(n) => Tree::Int(n),
            Scalar::Bool(b) => Tree::Bool(b),
            Scalar::Num { units, scale } => Tree::Num { units, scale },
            Scalar::Time(secs) => Tree::Time(secs),
            Scalar::Day(day) => Tree::Day(day),
            Scalar::Date(day) => Tree::Date(day),
            Scalar::Str(text) => Tree::Str(text.to_owned()),
            decimal => {
                let mut buffer = Vec::new();
                write_plain(&mut buffer, decimal, zone);
                Tree::Dec(String::from_utf8(buffer).expect("decimals are digits"))
            }
        };
        self.put(key, value);
    }

    fn open(&mut self, _: &str) {
        self.stack.push(Tree::Object(Vec::new()));
    }

    fn close(&mut self, key: &str) {
        let object = self.pop();
        self.put(key, object);
    }

    fn open_list(&mut self, _: &str) {
        self.stack.push(Tree::List(String::new(), Vec::new()));
    }

    fn close_list(&mut self, key: &str) {
        let list = self.pop();
        self.put(key, list);
    }

    fn open_item(&mut self, name: &str) {
        if let Some(Tree::List(singular, _)) = self.stack.last_mut() {
            *singular = name.to_owned();
        }
        self.stack.push(Tree::Object(Vec::new()));
    }

    fn close_item(&mut self, key: &str) {
        let object = self.pop();
        self.put(key, object);
    }
}
