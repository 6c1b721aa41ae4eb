//! Currencies and exchange rates, and the countries and addresses money goes to.

use super::{
    Resource, World,
    dice::{Dice, mix},
};
use crate::{
    out::{Out, Scalar, Writer},
    zone::DAY,
};

const RATE: u64 = 21;
const ADDRESS: u64 = 22;

/// Code, decimals, name, symbol, worth in 1/1,000,000 US dollar.
pub const CURRENCIES: [(&str, i64, &str, &str, i64); 12] = [
    ("USD", 2, "US Dollar", "$", 1_000_000),
    ("EUR", 2, "Euro", "€", 1_092_500),
    ("GBP", 2, "Pound Sterling", "£", 1_274_800),
    ("CHF", 2, "Swiss Franc", "CHF", 1_131_200),
    ("JPY", 0, "Yen", "¥", 6_710),
    ("CAD", 2, "Canadian Dollar", "C$", 731_900),
    ("AUD", 2, "Australian Dollar", "A$", 662_300),
    ("INR", 2, "Indian Rupee", "₹", 11_930),
    ("SEK", 2, "Swedish Krona", "kr", 95_400),
    ("PLN", 2, "Zloty", "zł", 251_700),
    ("MXN", 2, "Mexican Peso", "Mex$", 56_800),
    ("KWD", 3, "Kuwaiti Dinar", "KD", 3_254_000),
];

/// Code, name, Coupa's seeded id where it is documented, currency, a city, a state, a postal code.
pub const COUNTRIES: [(&str, &str, i64, u8, &str, &str, &str); 12] = [
    ("US", "United States", 223, 0, "San Mateo", "CA", "94404"),
    ("DE", "Germany", 79, 1, "München", "", "80331"),
    ("GB", "United Kingdom", 82, 2, "Leeds", "", "LS1 4AP"),
    ("FR", "France", 73, 1, "Lyon", "", "69003"),
    ("NL", "Netherlands", 151, 1, "Rotterdam", "", "3011 AD"),
    ("CA", "Canada", 39, 5, "Toronto", "ON", "M5H 2N2"),
    ("AU", "Australia", 14, 6, "Brisbane", "QLD", "4000"),
    ("IN", "India", 99, 7, "Bengaluru", "KA", "560001"),
    ("CH", "Switzerland", 208, 3, "Zürich", "", "8001"),
    ("JP", "Japan", 107, 4, "大阪市", "", "530-0001"),
    ("SE", "Sweden", 205, 8, "Göteborg", "", "411 03"),
    ("PL", "Poland", 175, 9, "Kraków", "", "31-042"),
];

const MONTHS: u32 = (super::HISTORY_DAYS / 30) as u32 + 1;
const TARGETS: u32 = 3;

/// Every currency into each of the charts' currencies, monthly.
pub(super) fn rate_count() -> u32 {
    MONTHS * pairs()
}

const fn pairs() -> u32 {
    TARGETS * (CURRENCIES.len() as u32 - 1)
}

/// What one unit of `from` is worth in `to`, in 1/1,000,000,000, before the noise of a month.
pub fn worth(from: u8, to: u8) -> i64 {
    let (from, to) = (
        CURRENCIES[usize::from(from)].4,
        CURRENCIES[usize::from(to)].4,
    );
    (i128::from(from) * 1_000_000_000 / i128::from(to)) as i64
}

impl World {
    pub(crate) fn mini_currency<O: Out>(&self, w: &mut Writer<'_, O>, currency: u8) {
        w.int("id", self.id(Resource::Currencies, u32::from(currency)));
        w.str("code", CURRENCIES[usize::from(currency)].0);
        w.int("decimals", CURRENCIES[usize::from(currency)].1);
    }

    /// Documented: name, symbol and the enabled flag are not normally returned, and there are no stamps. This
    /// tenant shows name and symbol of some, to be read where present.
    pub(crate) fn write_currency<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let (code, decimals, name, symbol, _) = CURRENCIES[slot as usize % CURRENCIES.len()];
        let again = slot as usize / CURRENCIES.len();
        w.int("id", self.id(Resource::Currencies, slot));
        w.text("code", || {
            if again == 0 {
                code.to_owned()
            } else {
                format!("X{again:02}")
            }
        });
        w.int("decimals", decimals);
        w.str_opt("name", (slot % 3 != 1).then_some(name));
        w.str_opt("symbol", (slot % 3 != 1).then_some(symbol));
        let users = u64::from(self.base(Resource::Users));
        let revision = u64::from(self.revision(Resource::Currencies, slot));
        w.object("updated-by", |w| {
            self.mini_user(w, (revision % users) as u32)
        });
    }

    /// Rate of a month, in 1/1,000,000,000.
    pub fn rate(&self, from: u8, to: u8, month: u32) -> i64 {
        if from == to {
            return 1_000_000_000;
        }
        let purpose = RATE + (u64::from(from) << 8) + (u64::from(to) << 16);
        let noise = mix(self.seed(), purpose, u64::from(month)) % 8001;
        (i128::from(worth(from, to)) * i128::from(96_000 + noise) / 100_000) as i64
    }

    /// The month of the rate table an instant falls into.
    pub fn month_of(&self, secs: i64) -> u32 {
        let since = secs - (self.shape.start - super::HISTORY_DAYS * DAY);
        (since / (30 * DAY)).clamp(0, i64::from(MONTHS) - 1) as u32
    }

    pub(crate) fn write_exchange_rate<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let (month, pair) = (slot / pairs(), slot % pairs());
        let others = CURRENCIES.len() as u32 - 1;
        let (to, nth) = ((pair / others) as u8, (pair % others) as u8);
        let from = nth + u8::from(nth >= to);
        let first = self.shape.start - super::HISTORY_DAYS * DAY + i64::from(month) * 30 * DAY;
        let revision = i64::from(self.revision(Resource::ExchangeRates, slot));
        self.head(w, Resource::ExchangeRates, slot);
        let units = self.rate(from, to, month) + revision * 1_000;
        w.scalar(
            "rate",
            Scalar::Dec {
                units,
                scale: 9,
                least: 2,
            },
        );
        w.day("rate-date", self.zone().day_of(first));
        w.object("from-currency", |w| self.mini_currency(w, from));
        w.object("to-currency", |w| self.mini_currency(w, to));
        self.tail(w, Resource::ExchangeRates, slot);
    }

    pub(crate) fn country<O: Out>(&self, w: &mut Writer<'_, O>, country: u8) {
        let (code, name, id, ..) = COUNTRIES[usize::from(country)];
        w.int("id", id);
        w.str("code", code);
        w.str("name", name);
    }

    /// The lines of an address that are the same for every kind.
    pub(crate) fn address_lines<O: Out>(&self, w: &mut Writer<'_, O>, country: u8, roll: u64) {
        let (code, _, _, _, city, state, postal) = COUNTRIES[usize::from(country)];
        let streets = [
            "Harbour Road",
            "Industriestraße",
            "Main Street",
            "Rue de l'Église",
            "Station Way",
        ];
        w.text("street1", || {
            format!(
                "{} {}",
                roll % 280 + 1,
                streets[(roll / 300) as usize % streets.len()]
            )
        });
        w.str_opt(
            "street2",
            roll.is_multiple_of(6).then_some("Building C, 2nd floor"),
        );
        w.nulls(&["street3", "street4"]);
        w.str("city", city);
        w.str_opt("state", (!state.is_empty()).then_some(state));
        w.text("state-iso-code", || {
            if state.is_empty() {
                String::new()
            } else {
                format!("{code}-{state}")
            }
        });
        w.str("postal-code", postal);
    }

    /// A company address as other records carry it.
    pub(crate) fn address_full<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        self.head_nested(w, Resource::Addresses, slot);
        self.address_members(w, slot, 0);
    }

    pub(crate) fn write_address<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        self.head(w, Resource::Addresses, slot);
        self.address_members(w, slot, self.revision(Resource::Addresses, slot));
        self.tail(w, Resource::Addresses, slot);
    }

    fn address_members<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32, revision: u32) {
        let mut dice = Dice::new(self.seed(), ADDRESS, u64::from(slot));
        let country = dice.weighted(&[(0u8, 5), (1, 3), (2, 3), (3, 1), (4, 1), (5, 1)]);
        let roll = dice.below(1 << 40);
        w.text("name", || format!("Site {}", slot + 1));
        w.text("location-code", || format!("LOC{:03}", slot + 1));
        self.address_lines(w, country, roll);
        w.str_opt(
            "attention",
            match revision {
                0 => None,
                n => Some(["Goods-in", "Reception", "Gate 4"][n as usize % 3]),
            },
        );
        w.bool("active", slot < 4 || !roll.is_multiple_of(19));
        w.nulls(&[
            "business-group-name",
            "vat-number",
            "local-tax-number",
            "type",
        ]);
        w.object("country", |w| self.country(w, country));
        w.null_objects(&["vat-country"]);
        w.list("content-groups", "business-group", [0], |w, g| {
            self.business_group_full(w, g)
        });
        w.list("purposes", "purpose", 0..1 + roll % 2, |w, n| {
            w.int("id", n as i64 + 1);
            w.str("kind", "address");
            w.str("name", ["ship-to", "bill-to"][n as usize]);
        });
        w.empty_lists(&["tax-registrations"]);
    }

    /// A person at a supplier.
    pub(crate) fn contact<O: Out>(&self, w: &mut Writer<'_, O>, roll: u64, email: &str) {
        let catalog = super::catalog::catalog();
        let given = catalog.given[(roll % catalog.given.len() as u64) as usize];
        let family = catalog.family[(roll / 64 % catalog.family.len() as u64) as usize];
        w.int("id", 60_000 + (roll % 9_000) as i64);
        w.str("email", email);
        w.nulls(&["name-prefix", "name-suffix", "name-additional"]);
        w.str("name-given", given);
        w.str("name-family", family);
        w.text("name-fullname", || format!("{given} {family}"));
        w.str("notes", "");
        w.bool("active", true);
        w.object("phone-work", |w| self.phone(w, roll));
        w.object_opt(
            "phone-mobile",
            roll.is_multiple_of(3).then_some(roll >> 5),
            |w, r| self.phone(w, r),
        );
        w.null_objects(&["phone-fax"]);
        w.empty_lists(&["purposes"]);
    }
}
