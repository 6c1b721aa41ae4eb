//! Charts of accounts, accounts, periods, and the lookup values that dynamic accounts and custom fields are made of.

use super::{
    Resource, World,
    dice::{Dice, mix},
};
use crate::{
    out::{Out, Writer},
    zone::DAY,
};

const ACCOUNT: u64 = 11;
const LOOKUP: u64 = 12;

/// Name, legal entity, company segment, currency, whether accounts are built from lookups.
pub(super) const CHARTS: [(&str, &str, &str, u8, bool); 3] = [
    ("ACME US", "ACME Corporation", "100", 0, false),
    ("ACME Europe", "ACME Europe GmbH", "200", 1, false),
    ("ACME UK", "ACME UK Ltd", "300", 2, true),
];

/// Natural accounts by trade, then what is left.
pub(super) const NATURAL_ACCOUNTS: [&str; 16] = [
    "64110", "15220", "63010", "66200", "15300", "13100", "62500", "61700", "64310", "65400",
    "65800", "20900", "22100", "69900", "14900", "70200",
];

/// The lookups: name, depth, prefix of their values.
pub const LOOKUPS: [(&str, bool, &str); 4] = [
    ("Cost Object", true, "CO"),
    ("Project Code", true, "PC"),
    ("Region", false, "RG"),
    ("Vendor Risk Tier", false, "VR"),
];

pub(crate) static SEGMENTS: [&str; 4] = ["segment-1", "segment-2", "segment-3", "segment-4"];

static EMPTY_SEGMENTS: [&str; 16] = [
    "segment-5",
    "segment-6",
    "segment-7",
    "segment-8",
    "segment-9",
    "segment-10",
    "segment-11",
    "segment-12",
    "segment-13",
    "segment-14",
    "segment-15",
    "segment-16",
    "segment-17",
    "segment-18",
    "segment-19",
    "segment-20",
];

/// An account as kept in memory: it is printed on every line.
pub struct Account {
    pub chart: u32,
    pub segments: [String; 4],
    pub code: String,
    pub name: String,
    pub active: bool,
}

impl Account {
    pub fn new(world: &World, slot: u32) -> Account {
        let mut dice = Dice::new(world.seed(), ACCOUNT, u64::from(slot));
        let chart = slot % 3;
        let n = slot / 3;
        let natural = NATURAL_ACCOUNTS[n as usize % NATURAL_ACCOUNTS.len()];
        let center = format!("{}", 4100 + 10 * (n / NATURAL_ACCOUNTS.len() as u32));
        let product = ["000", "P01", "P02", "P10"][dice.below(4) as usize];
        let company = CHARTS[chart as usize].2;
        let segments = [
            company.to_owned(),
            center.clone(),
            natural.to_owned(),
            product.to_owned(),
        ];
        Account {
            chart,
            code: segments.join("-"),
            name: format!("{} {center} {natural}", CHARTS[chart as usize].0),
            segments,
            active: !dice.chance(40),
        }
    }
}

/// A lookup value as kept in memory: it is the value of custom fields.
pub struct LookupValue {
    pub lookup: usize,
    pub name: String,
    pub number: String,
    pub code: String,
    pub parent: Option<u32>,
    pub depth: i64,
    pub active: bool,
}

impl LookupValue {
    pub fn new(world: &World, slot: u32) -> LookupValue {
        let lookup = slot as usize % LOOKUPS.len();
        let n = slot / LOOKUPS.len() as u32;
        // Six roots, then thirty below them, then the leaves below those.
        let at = |n: u32| n * LOOKUPS.len() as u32 + lookup as u32;
        let (title, deep, prefix) = LOOKUPS[lookup];
        let parent = match n {
            _ if !deep => None,
            0..6 => None,
            6..36 => Some(at(n % 6)),
            _ => Some(at(6 + n % 30)),
        };
        let number = format!("{prefix}{:03}", n + 1);
        let above = parent.map(|p| &world.lookup_values[p as usize]);
        LookupValue {
            lookup,
            name: format!("{title} {}", n + 1),
            code: above.map_or_else(|| number.clone(), |p| format!("{}-{number}", p.code)),
            depth: above.map_or(0, |p| p.depth + 1),
            number,
            parent,
            active: n < 6 || !mix(world.seed(), LOOKUP, u64::from(slot)).is_multiple_of(25),
        }
    }
}

impl World {
    pub fn chart_currency(&self, chart: u32) -> u8 {
        CHARTS[chart as usize % 3].3
    }

    /// An account of a chart.
    #[inline]
    pub fn account_in(&self, chart: u32, roll: u64) -> u32 {
        let n = u64::from(self.base(Resource::Accounts) / 3);
        (roll % n) as u32 * 3 + chart
    }

    /// An account of a chart for what a trade sells.
    #[inline]
    pub fn account_for(&self, chart: u32, trade: u8, roll: u64) -> u32 {
        let kinds = NATURAL_ACCOUNTS.len() as u64;
        let n = u64::from(self.base(Resource::Accounts) / 3);
        let rounds = (n / kinds).max(1);
        ((roll % rounds) * kinds + u64::from(trade)).min(n - 1) as u32 * 3 + chart
    }

    /// A value of one of the lookups.
    #[inline]
    pub fn lookup_of(&self, lookup: u32, roll: u64) -> u32 {
        let each = u64::from(self.base(Resource::LookupValues)) / LOOKUPS.len() as u64;
        (roll % each) as u32 * LOOKUPS.len() as u32 + lookup
    }

    /// A lookup value as other records carry it.
    pub(crate) fn lookup_mini<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let value = &self.lookup_values[slot as usize];
        self.head_nested(w, Resource::LookupValues, slot);
        w.bool("active", value.active);
        w.str("name", &value.name);
        w.str("description", "");
        w.str("external-ref-num", &value.number);
        w.str("external-ref-code", &value.code);
        w.int_opt(
            "parent-id",
            value.parent.map(|p| self.id(Resource::LookupValues, p)),
        );
        w.int("lookup-id", value.lookup as i64 + 1);
        w.int("depth", value.depth);
        w.bool("is-default", false);
    }

    pub(crate) fn write_lookup_value<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let value = &self.lookup_values[slot as usize];
        let revision = self.revision(Resource::LookupValues, slot);
        self.head(w, Resource::LookupValues, slot);
        w.bool("active", value.active ^ (revision % 3 == 2));
        w.str("name", &value.name);
        w.text("description", || {
            if revision == 0 {
                String::new()
            } else {
                format!("Renamed {revision} times")
            }
        });
        w.str("external-ref-num", &value.number);
        w.str("external-ref-code", &value.code);
        w.int_opt(
            "parent-id",
            value.parent.map(|p| self.id(Resource::LookupValues, p)),
        );
        w.int("lookup-id", value.lookup as i64 + 1);
        w.int("depth", value.depth);
        w.bool("is-default", slot < LOOKUPS.len() as u32);
        w.object("lookup", |w| {
            let (name, deep, _) = LOOKUPS[value.lookup];
            w.int("id", value.lookup as i64 + 1);
            w.str("name", name);
            w.bool("active", true);
            w.bool("fixed-depth", !deep);
        });
        w.object_opt("parent", value.parent, |w, parent| {
            self.lookup_mini(w, parent)
        });
        let chart = (value.lookup == 0 && slot.is_multiple_of(12)).then_some(slot % 3);
        w.object_opt("account-type", chart, |w, chart| {
            self.account_type_brief(w, chart)
        });
        self.tail(w, Resource::LookupValues, slot);
    }

    pub(crate) fn account_type_brief<O: Out>(&self, w: &mut Writer<'_, O>, chart: u32) {
        w.int("id", self.id(Resource::AccountTypes, chart));
        w.str("name", CHARTS[chart as usize % 3].0);
    }

    pub(crate) fn account_type_full<O: Out>(&self, w: &mut Writer<'_, O>, chart: u32) {
        let (name, entity, _, currency, dynamic) = CHARTS[chart as usize % 3];
        self.head_nested(w, Resource::AccountTypes, chart);
        w.str("name", name);
        w.str("legal-entity-name", entity);
        w.bool("active", true);
        w.bool("dynamic-flag", dynamic);
        w.object("currency", |w| self.mini_currency(w, currency));
    }

    pub(crate) fn write_account_type<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let (name, entity, _, currency, dynamic) = CHARTS[slot as usize % 3];
        let revision = self.revision(Resource::AccountTypes, slot);
        self.head(w, Resource::AccountTypes, slot);
        w.text("name", || {
            if slot < 3 {
                name.to_owned()
            } else {
                format!("{name} {slot}")
            }
        });
        w.text("legal-entity-name", || match revision {
            0 => entity.to_owned(),
            n => format!("{entity} ({n})"),
        });
        w.bool("active", slot < 3);
        w.bool("dynamic-flag", dynamic);
        w.object("currency", |w| self.mini_currency(w, currency));
        w.object("primary-address", |w| self.address_full(w, slot));
        w.object("primary-contact", |w| {
            self.contact(w, u64::from(slot), "ledger@acme.example")
        });
        self.tail(w, Resource::AccountTypes, slot);
    }

    /// An account as other records carry it.
    pub(crate) fn account_full<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let account = &self.accounts[slot as usize];
        self.head_nested(w, Resource::Accounts, slot);
        w.str("name", &account.name);
        w.str("code", &account.code);
        w.bool("active", account.active);
        self.segments(w, account);
        w.object("account-type", |w| {
            self.account_type_brief(w, account.chart)
        });
    }

    fn segments<O: Out>(&self, w: &mut Writer<'_, O>, account: &Account) {
        for (key, segment) in SEGMENTS.iter().zip(&account.segments) {
            w.str(key, segment);
        }
        w.nulls(&EMPTY_SEGMENTS);
    }

    pub(crate) fn write_account<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let account = &self.accounts[slot as usize];
        let revision = self.revision(Resource::Accounts, slot);
        self.head(w, Resource::Accounts, slot);
        w.text("name", || match revision {
            0 => account.name.clone(),
            n => format!("{} v{}", account.name, n + 1),
        });
        w.str("code", &account.code);
        w.bool("active", account.active ^ (revision % 3 == 2));
        w.int(
            "account-type-id",
            self.id(Resource::AccountTypes, account.chart),
        );
        self.segments(w, account);
        w.object("account-type", |w| self.account_type_full(w, account.chart));
        self.tail(w, Resource::Accounts, slot);
    }

    /// A budget or accounting period: a month.
    pub(crate) fn period<O: Out>(&self, w: &mut Writer<'_, O>, moment: i64, chart: u32) {
        let (year, month, _) = crate::zone::civil(moment.div_euclid(DAY));
        let first = crate::zone::days(year, month, 1);
        let next = if month == 12 {
            (year + 1, 1)
        } else {
            (year, month + 1)
        };
        let last = crate::zone::days(next.0, next.1, 1) - 1;
        w.int("id", (year - 2000) * 36 + month * 3 + i64::from(chart));
        w.text("name", || format!("FY{year} M{month:02}"));
        w.bool("is-open", moment > self.shape.start - 60 * DAY);
        w.day("start-date", first as i32);
        w.day("end-date", last as i32);
        w.object("account-type", |w| self.account_type_brief(w, chart));
    }
}
