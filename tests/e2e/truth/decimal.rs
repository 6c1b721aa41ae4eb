//! Exact decimals of nine places, and the one rounding there is: half to the even neighbour.

use std::{fmt, iter::Sum, ops::Add, ops::Neg, ops::Sub};

/// Units of 1/1,000,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(pub i128);

const ONE: i128 = 1_000_000_000;

impl Decimal {
    pub const ZERO: Decimal = Decimal(0);
    pub const ONE: Decimal = Decimal(ONE);

    /// Reads digits with an optional sign and point; more than nine places are rounded half-even.
    /// Nothing when the text is no such number.
    pub fn parse(text: &str) -> Option<Decimal> {
        Self::units(text, 9).map(Decimal)
    }

    /// The same at another number of places, as units of the last one.
    pub fn units(text: &str, scale: u32) -> Option<i128> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut units: i128 = 0;
        for digit in whole.chars().chain(fraction.chars()) {
            units = units
                .checked_mul(10)?
                .checked_add(i128::from(digit.to_digit(10)?))?;
        }
        let places = u32::try_from(fraction.len()).ok()?;
        let units = if places <= scale {
            units.checked_mul(10_i128.pow(scale - places))?
        } else {
            halve_even(units, 10_i128.checked_pow(places - scale)?)
        };
        Some(if negative { -units } else { units })
    }

    /// The product, rounded at the ninth place.
    pub fn times(self, other: Decimal) -> Decimal {
        let (whole, part) = (other.0.div_euclid(ONE), other.0.rem_euclid(ONE));
        let whole = self
            .0
            .checked_mul(whole)
            .expect("amounts of a test are small");
        let part = self
            .0
            .checked_mul(part)
            .expect("amounts of a test are small");
        Decimal(whole + halve_even(part, ONE))
    }

    /// The quotient, rounded at the ninth place; nothing when divided by zero.
    pub fn over(self, other: Decimal) -> Option<Decimal> {
        if other.0 == 0 {
            return None;
        }
        let scaled = self
            .0
            .checked_mul(ONE)
            .expect("amounts of a test are small");
        Some(Decimal(halve_even(
            scaled * other.0.signum(),
            other.0.abs(),
        )))
    }

    pub fn sum(amounts: impl IntoIterator<Item = Option<Decimal>>) -> Option<Decimal> {
        amounts.into_iter().flatten().fold(None, |sum, amount| {
            Some(sum.unwrap_or(Decimal::ZERO) + amount)
        })
    }
}

/// `units / by`, to the nearest whole number, and to the even one when two are as near. `by` is positive.
fn halve_even(units: i128, by: i128) -> i128 {
    let (quotient, rest) = (units.div_euclid(by), units.rem_euclid(by));
    let up = match (rest * 2).cmp(&by) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    quotient + i128::from(up)
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        write!(
            f,
            "{sign}{}.{:09}",
            units / ONE as u128,
            units % ONE as u128
        )
    }
}

impl From<Decimal> for serde_json::Value {
    fn from(amount: Decimal) -> Self {
        serde_json::Value::String(amount.to_string())
    }
}

impl Add for Decimal {
    type Output = Decimal;

    fn add(self, other: Decimal) -> Decimal {
        Decimal(self.0 + other.0)
    }
}

impl Sub for Decimal {
    type Output = Decimal;

    fn sub(self, other: Decimal) -> Decimal {
        Decimal(self.0 - other.0)
    }
}

impl Neg for Decimal {
    type Output = Decimal;

    fn neg(self) -> Decimal {
        Decimal(-self.0)
    }
}

impl Sum for Decimal {
    fn sum<I: Iterator<Item = Decimal>>(items: I) -> Decimal {
        items.fold(Decimal::ZERO, Add::add)
    }
}

#[test]
fn decimals_round_half_to_even() {
    let check = |text: &str, expected: &str| {
        assert_eq!(
            Decimal::parse(text).map(|d| d.to_string()).as_deref(),
            Some(expected),
            "{text}"
        );
    };
    check("10.123456789012", "10.123456789");
    check("0.0000000005", "0.000000000");
    check("0.0000000015", "0.000000002");
    check("-0.0000000015", "-0.000000002");
    check("-12.34", "-12.340000000");
    check("7", "7.000000000");
    assert_eq!(Decimal::parse("1.2.3"), None);
    assert_eq!(Decimal::parse(""), None);
    let third = Decimal::ONE.over(Decimal(3 * ONE)).expect("not zero");
    assert_eq!(third.to_string(), "0.333333333");
    assert_eq!(third.times(Decimal(-3 * ONE)).to_string(), "-0.999999999");
    assert_eq!(
        Decimal(-2 * ONE)
            .over(Decimal(-3 * ONE))
            .map(|d| d.to_string())
            .as_deref(),
        Some("0.666666667")
    );
}
