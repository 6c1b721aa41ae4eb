//! The writer through which every record passes, whatever the form of the answer.
//!
//! Records are described once, as a sequence of calls. The selection decides which of them do anything, and the
//! form ([`Out`]: JSON bytes, XML bytes, or a tree for filters and edits) decides what they do. So a list page,
//! a single record, a filter and the truth given to tests can not differ.

use crate::{
    select::{Plan, SKIP},
    tree::Tree,
    zone::Zone,
};

/// A single value. Units: `Dec` and `Num` are `units / 10^scale`.
#[derive(Clone, Copy, Debug)]
pub enum Scalar<'a> {
    Null,
    Int(i64),
    Bool(bool),
    /// A decimal, a JSON string with at least `least` decimals, trailing zeros cut beyond.
    Dec {
        units: i64,
        scale: u8,
        least: u8,
    },
    /// A decimal given as its text.
    DecText(&'a str),
    /// A float, a JSON number with at least one decimal.
    Num {
        units: i64,
        scale: u8,
    },
    /// An instant, seconds since 1970.
    Time(i64),
    /// A day, printed as midnight in the company's zone.
    Day(i32),
    /// A day, printed as `YYYY-MM-DD`.
    Date(i32),
    Str(&'a str),
}

/// A form of answer.
pub trait Out {
    fn scalar(&mut self, key: &str, value: Scalar<'_>, zone: Zone);
    fn open(&mut self, key: &str);
    fn close(&mut self, key: &str);
    fn open_list(&mut self, key: &str);
    fn close_list(&mut self, key: &str);
    /// Opens one member of a list; `name` is the singular XML element.
    fn open_item(&mut self, name: &str);
    fn close_item(&mut self, name: &str);
}

/// How a tenant's answers look where the documentation leaves it open.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub zone: Zone,
    /// Print an association that is not set as `null` (recent releases), or leave its key out (older ones).
    pub null_associations: bool,
    /// Print header shipping, handling and misc amounts as JSON numbers, as a public client has met them.
    pub numeric_charges: bool,
}

/// Follows a [`Plan`] over the calls that describe a record.
pub struct Writer<'a, O> {
    pub out: O,
    pub style: Style,
    plan: &'a mut Plan,
    level: u32,
    position: u32,
}

impl<'a, O: Out> Writer<'a, O> {
    pub fn new(out: O, style: Style, plan: &'a mut Plan) -> Self {
        Writer {
            out,
            style,
            plan,
            level: 0,
            position: 0,
        }
    }

    /// Writes one record as a member of the answer.
    pub fn record(&mut self, name: &str, body: impl FnOnce(&mut Self)) {
        (self.level, self.position) = (0, 0);
        self.out.open_item(name);
        body(self);
        self.out.close_item(name);
    }

    #[inline]
    fn step(&mut self, key: &'static str, association: bool) -> u32 {
        let child = self.plan.step(self.level, self.position, key, association);
        self.position += 1;
        child
    }

    #[inline]
    pub fn scalar(&mut self, key: &'static str, value: Scalar<'_>) {
        if self.step(key, false) != SKIP {
            self.out.scalar(key, value, self.style.zone);
        }
    }

    #[inline]
    pub fn int(&mut self, key: &'static str, value: i64) {
        self.scalar(key, Scalar::Int(value));
    }

    #[inline]
    pub fn int_opt(&mut self, key: &'static str, value: Option<i64>) {
        self.scalar(key, value.map_or(Scalar::Null, Scalar::Int));
    }

    #[inline]
    pub fn bool(&mut self, key: &'static str, value: bool) {
        self.scalar(key, Scalar::Bool(value));
    }

    #[inline]
    pub fn str(&mut self, key: &'static str, value: &str) {
        self.scalar(key, Scalar::Str(value));
    }

    #[inline]
    pub fn str_opt(&mut self, key: &'static str, value: Option<&str>) {
        self.scalar(key, value.map_or(Scalar::Null, Scalar::Str));
    }

    /// A text that costs something to make: made only when it is wanted.
    #[inline]
    pub fn text(&mut self, key: &'static str, value: impl FnOnce() -> String) {
        if self.step(key, false) != SKIP {
            self.out.scalar(key, Scalar::Str(&value()), self.style.zone);
        }
    }

    #[inline]
    pub fn text_opt<T>(
        &mut self,
        key: &'static str,
        value: Option<T>,
        text: impl FnOnce(T) -> String,
    ) {
        if self.step(key, false) != SKIP {
            match value {
                Some(value) => self
                    .out
                    .scalar(key, Scalar::Str(&text(value)), self.style.zone),
                None => self.out.scalar(key, Scalar::Null, self.style.zone),
            }
        }
    }

    /// Money: units of 1/10,000, at least two decimals.
    #[inline]
    pub fn money(&mut self, key: &'static str, units: i64) {
        self.scalar(
            key,
            Scalar::Dec {
                units,
                scale: 4,
                least: 2,
            },
        );
    }

    #[inline]
    pub fn money_opt(&mut self, key: &'static str, units: Option<i64>) {
        self.scalar(
            key,
            units.map_or(Scalar::Null, |units| Scalar::Dec {
                units,
                scale: 4,
                least: 2,
            }),
        );
    }

    /// A price: units of 1/1,000,000, at least two decimals.
    #[inline]
    pub fn price(&mut self, key: &'static str, units: i64) {
        self.scalar(
            key,
            Scalar::Dec {
                units,
                scale: 6,
                least: 2,
            },
        );
    }

    /// A quantity: units of 1/1,000, at least one decimal.
    #[inline]
    pub fn quantity_opt(&mut self, key: &'static str, units: Option<i64>) {
        self.scalar(
            key,
            units.map_or(Scalar::Null, |units| Scalar::Dec {
                units,
                scale: 3,
                least: 1,
            }),
        );
    }

    #[inline]
    pub fn time(&mut self, key: &'static str, secs: i64) {
        self.scalar(key, Scalar::Time(secs));
    }

    /// An instant that costs something to find: found only when it is wanted.
    #[inline]
    pub fn time_of(&mut self, key: &'static str, secs: impl FnOnce() -> i64) {
        if self.step(key, false) != SKIP {
            self.out.scalar(key, Scalar::Time(secs()), self.style.zone);
        }
    }

    /// Money that costs something to find: found only when it is wanted.
    #[inline]
    pub fn money_of(&mut self, key: &'static str, units: impl FnOnce() -> i64) {
        if self.step(key, false) != SKIP {
            self.out.scalar(
                key,
                Scalar::Dec {
                    units: units(),
                    scale: 4,
                    least: 2,
                },
                self.style.zone,
            );
        }
    }

    #[inline]
    pub fn time_opt(&mut self, key: &'static str, secs: Option<i64>) {
        self.scalar(key, secs.map_or(Scalar::Null, Scalar::Time));
    }

    #[inline]
    pub fn day(&mut self, key: &'static str, day: i32) {
        self.scalar(key, Scalar::Day(day));
    }

    #[inline]
    pub fn day_opt(&mut self, key: &'static str, day: Option<i32>) {
        self.scalar(key, day.map_or(Scalar::Null, Scalar::Day));
    }

    /// Attributes that Coupa documents and this company leaves empty.
    #[inline]
    pub fn nulls(&mut self, keys: &'static [&'static str]) {
        self.group(keys, false);
    }

    /// Associations that this company leaves empty.
    #[inline]
    pub fn null_objects(&mut self, keys: &'static [&'static str]) {
        self.group(keys, true);
    }

    #[inline]
    fn group(&mut self, keys: &'static [&'static str], association: bool) {
        let index = self
            .plan
            .step_group(self.level, self.position, keys, association);
        self.position += 1;
        if index != SKIP && (!association || self.style.null_associations) {
            for key in self.plan.group(index) {
                self.out.scalar(key, Scalar::Null, self.style.zone);
            }
        }
    }

    #[inline]
    pub fn object(&mut self, key: &'static str, body: impl FnOnce(&mut Self)) {
        let child = self.step(key, true);
        if child != SKIP {
            let here = (self.level, self.position);
            (self.level, self.position) = (child, 0);
            self.out.open(key);
            body(self);
            self.out.close(key);
            (self.level, self.position) = here;
        }
    }

    /// An association that may not be set: then `null`, or no key at all, as the tenant's style has it.
    #[inline]
    pub fn object_opt<T>(
        &mut self,
        key: &'static str,
        value: Option<T>,
        body: impl FnOnce(&mut Self, T),
    ) {
        match value {
            Some(value) => self.object(key, |w| body(w, value)),
            None => {
                if self.step(key, true) != SKIP && self.style.null_associations {
                    self.out.scalar(key, Scalar::Null, self.style.zone);
                }
            }
        }
    }

    /// A custom field that holds a lookup: printed as `null` when it is not set, whatever the style.
    #[inline]
    pub fn field_object<T>(
        &mut self,
        key: &'static str,
        value: Option<T>,
        body: impl FnOnce(&mut Self, T),
    ) {
        match value {
            Some(value) => self.object(key, |w| body(w, value)),
            None => {
                if self.step(key, true) != SKIP {
                    self.out.scalar(key, Scalar::Null, self.style.zone);
                }
            }
        }
    }

    pub fn list<T>(
        &mut self,
        key: &'static str,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut body: impl FnMut(&mut Self, T),
    ) {
        let child = self.step(key, true);
        if child != SKIP {
            let here = (self.level, self.position);
            self.out.open_list(key);
            for item in items {
                (self.level, self.position) = (child, 0);
                self.out.open_item(name);
                body(self, item);
                self.out.close_item(name);
            }
            self.out.close_list(key);
            (self.level, self.position) = here;
        }
    }

    /// Lists that this company leaves empty: `[]`.
    #[inline]
    pub fn empty_lists(&mut self, keys: &'static [&'static str]) {
        let index = self.plan.step_group(self.level, self.position, keys, true);
        self.position += 1;
        if index != SKIP {
            for key in self.plan.group(index) {
                self.out.open_list(key);
                self.out.close_list(key);
            }
        }
    }

    /// The members of a stored record (see [`crate::Running::upsert`]).
    pub fn members(&mut self, members: &[(String, Tree)]) {
        let level = self.level;
        for (key, value) in members {
            let association = matches!(value, Tree::Object(_) | Tree::List(..));
            let child = self.plan.step_dynamic(level, key, association);
            if child == SKIP {
                continue;
            }
            match value {
                Tree::Object(below) => {
                    self.level = child;
                    self.out.open(key);
                    self.members(below);
                    self.out.close(key);
                }
                Tree::List(name, items) => {
                    self.out.open_list(key);
                    for item in items {
                        self.level = child;
                        self.out.open_item(name);
                        if let Tree::Object(below) = item {
                            self.members(below);
                        }
                        self.out.close_item(name);
                    }
                    self.out.close_list(key);
                }
                leaf => self.out.scalar(key, leaf.scalar(), self.style.zone),
            }
            self.level = level;
        }
    }
}
