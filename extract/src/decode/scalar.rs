//! Text of one JSON scalar to its typed value, exactly: no float on the way, no shift of a day.

/// The decimal that `text` writes, in units of the last place at `scale`, and whether digits were
/// lost by rounding (half to even).
///
/// Takes the JSON number grammar, leading zeros allowed. `None`: another text, more digits than
/// `precision` holds, or more than 400 characters.
pub(super) fn decimal(text: &[u8], precision: u8, scale: i8) -> Option<(i128, bool)> {
    let number = Number::parse(text)?;
    let shift = i32::from(scale) + number.exponent - number.fraction.len() as i32;
    let digit_count = number.whole.len() + number.fraction.len();
    let (magnitude, lost) = if digit_count <= 18 && (0..=20).contains(&shift) {
        let mantissa = number
            .digits()
            .fold(0_u64, |sum, digit| sum * 10 + u64::from(digit));
        (i128::from(mantissa) * POWERS[shift as usize], false)
    } else {
        scaled(&number, shift)?
    };
    let fits = magnitude < POWERS[usize::from(precision)];
    fits.then_some((
        if number.negative {
            -magnitude
        } else {
            magnitude
        },
        lost,
    ))
}

/// An integer written as one: `12`, `-7`, `1e3`, `5.0`; `None` for `1.5` or beyond 64 bits.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) {
        let value = digits
            .iter()
            .fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        return Some(if digits.len() < text.len() {
            -value
        } else {
            value
        });
    }
    match decimal(text, 38, 0)? {
        (value, false) => i64::try_from(value).ok(),
        (_, true) => None,
    }
}

/// Whether the text is a number at all, whatever its size.
pub(super) fn is_number(text: &[u8]) -> bool {
    Number::parse(text).is_some()
}

/// Microseconds since 1970 in UTC of an RFC 3339 time; one without an offset is taken as UTC.
///
/// Digits beyond the microsecond are cut: Coupa writes whole seconds.
pub(super) fn timestamp(text: &[u8]) -> Option<i64> {
    let (day, micros) = day_and_time(text)?;
    Some(i64::from(day) * MICROS_PER_DAY + micros)
}

/// Days since 1970 of the date as written: the offset of a time behind it never moves the day.
pub(super) fn date(text: &[u8]) -> Option<i32> {
    day_and_time(text).map(|(day, _)| day)
}

const MICROS_PER_DAY: i64 = 86_400_000_000;
const LONGEST_NUMBER: usize = 400;

static POWERS: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let mut place = 1;
    while place < 39 {
        powers[place] = powers[place - 1] * 10;
        place += 1;
    }
    powers
};

struct Number<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i32,
}

impl<'a> Number<'a> {
    fn parse(text: &'a [u8]) -> Option<Number<'a>> {
        if text.len() > LONGEST_NUMBER {
            return None;
        }
        let negative = text.first() == Some(&b'-');
        let (whole, rest) = leading_digits(&text[usize::from(negative)..])?;
        let (fraction, rest) = match rest.strip_prefix(b".") {
            Some(rest) => leading_digits(rest)?,
            None => (&rest[..0], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => exponent(rest)?,
            _ => return None,
        };
        Some(Number {
            negative,
            whole,
            fraction,
            exponent,
        })
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        let digits = self.whole.iter().chain(self.fraction);
        digits.map(|digit| digit - b'0')
    }
}

fn leading_digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    (length > 0).then(|| text.split_at(length))
}

/// Saturates far beyond any scale, so that `1e400000000000` is an overflow and not a panic.
fn exponent(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let (digits, rest) = leading_digits(digits)?;
    if !rest.is_empty() {
        return None;
    }
    let size = digits.iter().fold(0_i32, |sum, digit| {
        (sum * 10 + i32::from(digit - b'0')).min(100_000)
    });
    Some(if negative { -size } else { size })
}

/// The magnitude at `shift` more places, or rounded half to even at `-shift` fewer.
fn scaled(number: &Number<'_>, shift: i32) -> Option<(i128, bool)> {
    let digits: Vec<u8> = number.digits().skip_while(|digit| *digit == 0).collect();
    if digits.is_empty() {
        return Some((0, false));
    }
    let kept = digits.len() as i32 + shift;
    if kept > 38 {
        return None;
    }
    if kept < 0 {
        return Some((0, true));
    }
    let (head, tail) = digits.split_at(digits.len().min(kept as usize));
    let value = head
        .iter()
        .fold(0_i128, |sum, digit| sum * 10 + i128::from(*digit));
    let Some((next, rest)) = tail.split_first() else {
        return Some((value * POWERS[kept as usize - head.len()], false));
    };
    let beyond_half = rest.iter().any(|digit| *digit != 0);
    let up = *next > 5 || (*next == 5 && (beyond_half || value % 2 == 1));
    Some((value + i128::from(up), *next != 0 || beyond_half))
}

fn day_and_time(text: &[u8]) -> Option<(i32, i64)> {
    let (date, time) = text.split_at_checked(10)?;
    let day = days(date)?;
    match time.split_first() {
        None => Some((day, 0)),
        Some((b'T' | b't' | b' ', time)) => Some((day, micros_utc(time)?)),
        Some(_) => None,
    }
}

fn days(date: &[u8]) -> Option<i32> {
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let year = two_digits(date, 0)? * 100 + two_digits(date, 2)?;
    let (month, day) = (two_digits(date, 5)?, two_digits(date, 8)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    // Howard Hinnant's days_from_civil, years counted from March.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Microseconds from the date's midnight in UTC to `hh:mm:ss[.fraction][offset]`.
fn micros_utc(time: &[u8]) -> Option<i64> {
    let (clock, rest) = time.split_at_checked(8)?;
    if clock[2] != b':' || clock[5] != b':' {
        return None;
    }
    let (hour, minute) = (two_digits(clock, 0)?, two_digits(clock, 3)?);
    let second = two_digits(clock, 6)?;
    // A leap second is the first instant of the next minute, as POSIX counts.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, zone) = match rest.strip_prefix(b".") {
        Some(rest) => leading_digits(rest)?,
        None => (&rest[..0], rest),
    };
    let micros = (0..6).fold(0_i64, |sum, place| {
        sum * 10
            + fraction
                .get(place)
                .map_or(0, |digit| i64::from(digit - b'0'))
    });
    let seconds = i64::from(hour * 3600 + minute * 60 + second) - offset_seconds(zone)?;
    Some(seconds * 1_000_000 + micros)
}

fn offset_seconds(zone: &[u8]) -> Option<i64> {
    let (sign, rest) = match zone {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let minute_at = match rest.len() {
        2 => None,
        4 => Some(2),
        5 if rest[2] == b':' => Some(3),
        _ => return None,
    };
    let hours = two_digits(rest, 0)?;
    let minutes = minute_at.map_or(Some(0), |at| two_digits(rest, at))?;
    let sane = hours <= 23 && minutes <= 59;
    sane.then_some(sign * i64::from(hours * 3600 + minutes * 60))
}

fn two_digits(text: &[u8], at: usize) -> Option<i32> {
    let (tens, ones) = (text[at], text[at + 1]);
    let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
    digits.then(|| i32::from(tens - b'0') * 10 + i32::from(ones - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_decimal(text: &str, expected: Option<(i128, bool)>) {
        assert_eq!(decimal(text.as_bytes(), 10, 2), expected, "{text}");
    }

    #[test]
    fn decimals_are_exact() {
        check_decimal("12.34", Some((1234, false)));
        check_decimal("-0.01", Some((-1, false)));
        check_decimal("007.50", Some((750, false)));
        check_decimal("1e3", Some((100_000, false)));
        check_decimal("1.5E-1", Some((15, false)));
        check_decimal("12.3400000", Some((1234, false)));
        check_decimal("-0", Some((0, false)));
        check_decimal("0e99999999999", Some((0, false)));
        check_decimal("99999999.99", Some((9_999_999_999, false)));
    }

    #[test]
    fn decimals_round_half_to_even() {
        check_decimal("0.005", Some((0, true)));
        check_decimal("0.015", Some((2, true)));
        check_decimal("0.025", Some((2, true)));
        check_decimal("-0.0251", Some((-3, true)));
        check_decimal("1e-400000000", Some((0, true)));
        check_decimal("0.0009", Some((0, true)));
        check_decimal("1.999", Some((200, true)));
    }

    #[test]
    fn decimals_refuse_what_is_not_one() {
        let texts = [
            "1,234.50",
            " 1.5",
            "1.5 ",
            "+1",
            ".5",
            "5.",
            "1e",
            "0x10",
            "NaN",
            "--1",
            "",
            "1e9",
            "100000000",
            "99999999.995",
            "1e400000000000",
            "12a",
        ];
        for text in texts {
            check_decimal(text, None);
        }
        assert_eq!(decimal("1".repeat(401).as_bytes(), 38, 9), None);
        let widest = "9".repeat(38);
        assert_eq!(
            decimal(widest.as_bytes(), 38, 0),
            Some((widest.parse().unwrap(), false))
        );
        assert_eq!(decimal("9".repeat(39).as_bytes(), 38, 0), None);
    }

    #[test]
    fn integers_are_whole() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-12", Some(-12)),
            ("1e3", Some(1000)),
            ("5.0", Some(5)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1.5", None),
            ("", None),
            ("-", None),
            ("1 ", None),
        ] {
            assert_eq!(integer(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn times_go_to_utc_and_days_stay() {
        let utc = |text: &str| timestamp(text.as_bytes());
        let instant = Some(1_711_926_968_000_000);
        assert_eq!(utc("2024-04-01T02:16:08+03:00"), instant);
        assert_eq!(utc("2024-03-31T23:16:08Z"), instant);
        assert_eq!(utc("2024-03-31T23:16:08"), instant);
        assert_eq!(utc("2024-03-31 15:16:08-0800"), instant);
        assert_eq!(utc("2024-04-01T12:16:08+13"), instant);
        assert_eq!(
            utc("2024-03-31T23:16:08.1234567Z"),
            instant.map(|at| at + 123_456)
        );
        assert_eq!(utc("1970-01-01"), Some(0));
        assert_eq!(utc("1969-12-31T23:59:59.5Z"), Some(-500_000));
        for text in [
            "0000-00-00T00:00:00Z",
            "2023-02-29",
            "2024-13-01",
            "2024-04-31",
            "24-04-01",
            "2024-04-01T24:00:00Z",
            "2024-04-01T10:60:00Z",
            "2024-04-01T10:00",
            "2024-04-01x",
            "2024-04-01T10:00:00+3:00",
            "2024-04-01T10:00:00.Z",
            "2024-04-01T10:00:00+24:00",
            "",
        ] {
            assert_eq!(utc(text), None, "{text}");
            assert_eq!(date(text.as_bytes()), None, "{text}");
        }
        assert_eq!(date(b"2024-04-01T00:00:00+13:00"), Some(19_814));
        assert_eq!(date(b"2024-04-01"), Some(19_814));
        assert_eq!(date(b"2000-02-29"), Some(11_016));
    }
}
