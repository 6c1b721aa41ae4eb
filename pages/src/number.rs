//! Numbers as people read them. All of it works on text: no amount becomes a float on its way.

use crate::model::ColumnKind;

/// A cell as it is shown.
pub fn shown(kind: ColumnKind, text: &str) -> String {
    match kind {
        ColumnKind::Text | ColumnKind::Date => text.to_string(),
        ColumnKind::Count => grouped(text),
        ColumnKind::Decimal => grouped(&without_zeros(text)),
        ColumnKind::Share => percent(text),
    }
}

/// A figure of a unit, as it is shown.
pub fn figure(unit: &str, text: &str) -> String {
    match unit {
        "currency" => grouped(&rounded(text, 0)),
        code if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            format!("{} {code}", grouped(&rounded(text, 0)))
        }
        "share" => percent(text),
        "count" => grouped(&rounded(text, 0)),
        "days" | "hours" => format!("{} {unit}", grouped(&rounded(text, 1))),
        _ => grouped(&without_zeros(text)),
    }
}

/// `1234567.5` as `1,234,567.5`; what is no number stays as it is.
pub fn grouped(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("\u{2212}", digits),
        None => ("", text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    if !is_number(text) {
        return text.to_string();
    }
    let mut shown = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    if let Some(fraction) = fraction {
        shown.push('.');
        shown.push_str(fraction);
    }
    shown
}

/// `0.125` as `12.5 %`, half-even beyond one digit.
fn percent(text: &str) -> String {
    if !is_number(text) {
        return text.to_string();
    }
    format!("{} %", grouped(&rounded(&shifted(text), 1)))
}

/// A number times a hundred.
fn shifted(text: &str) -> String {
    let (sign, digits) = split_sign(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = format!("{fraction:0<2}");
    let moved = format!("{whole}{}", &fraction[..2]);
    let moved = match moved.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    format!("{sign}{}", point(moved, &fraction[2..]))
}

/// At most two zeros behind the point: `5.000000000` is `5.00`, `0.12500` is `0.125`.
pub fn without_zeros(text: &str) -> String {
    match text.split_once('.') {
        Some((whole, fraction)) if is_number(text) => {
            let kept = fraction.trim_end_matches('0').len().max(2);
            format!("{whole}.{}", &fraction[..kept.min(fraction.len())])
        }
        _ => text.to_string(),
    }
}

/// Half-even to `places` digits behind the point.
pub fn rounded(text: &str, places: usize) -> String {
    if !is_number(text) {
        return text.to_string();
    }
    let (sign, digits) = split_sign(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() <= places {
        return format!("{sign}{}", point(whole, &format!("{fraction:0<places$}")));
    }
    let (kept, rest) = fraction.split_at(places);
    let mut number: Vec<u8> = whole.bytes().chain(kept.bytes()).collect();
    let half = rest.starts_with('5') && rest[1..].bytes().all(|digit| digit == b'0');
    let odd = number.last().is_some_and(|digit| (digit - b'0') % 2 == 1);
    let up = match half {
        true => odd,
        false => rest.as_bytes()[0] >= b'5',
    };
    if up {
        let mut at = number.len();
        loop {
            if at == 0 {
                number.insert(0, b'1');
                break;
            }
            at -= 1;
            if number[at] == b'9' {
                number[at] = b'0';
            } else {
                number[at] += 1;
                break;
            }
        }
    }
    let number: String = number.iter().map(|digit| char::from(*digit)).collect();
    let (whole, fraction) = number.split_at(number.len() - places);
    let zero = number.bytes().all(|digit| digit == b'0');
    format!("{}{}", if zero { "" } else { sign }, point(whole, fraction))
}

fn point(whole: &str, fraction: &str) -> String {
    match fraction {
        "" => whole.to_string(),
        fraction => format!("{whole}.{fraction}"),
    }
}

fn split_sign(text: &str) -> (&str, &str) {
    match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    }
}

pub fn is_number(text: &str) -> bool {
    let (_, digits) = split_sign(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    plain(whole) && plain(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        for (kind, text, expected) in [
            (ColumnKind::Decimal, "1234567.500000000", "1,234,567.50"),
            (ColumnKind::Decimal, "-0.125000000", "\u{2212}0.125"),
            (
                ColumnKind::Decimal,
                "99999999999999999999.010000000",
                "99,999,999,999,999,999,999.01",
            ),
            (ColumnKind::Count, "1000", "1,000"),
            (ColumnKind::Share, "0.125", "12.5 %"),
            (ColumnKind::Share, "1", "100.0 %"),
            (ColumnKind::Share, "0.000500000", "0.0 %"),
            (ColumnKind::Share, "0.0015", "0.2 %"),
            (ColumnKind::Share, "-0.5", "\u{2212}50.0 %"),
            (ColumnKind::Text, "1000", "1000"),
            (ColumnKind::Count, "=1+1", "=1+1"),
        ] {
            assert_eq!(shown(kind, text), expected, "{text}");
        }
        for (unit, text, expected) in [
            ("currency", "1234567.50", "1,234,568"),
            ("currency", "-0.4", "0"),
            ("EUR", "1234.5", "1,234 EUR"),
            ("days", "12.25", "12.2 days"),
            ("share", "0.99951", "100.0 %"),
            ("index", "1.0342", "1.0342"),
        ] {
            assert_eq!(figure(unit, text), expected, "{text}");
        }
    }

    #[test]
    fn rounding_is_half_even_and_carries() {
        for (text, places, expected) in [
            ("0.5", 0, "0"),
            ("1.5", 0, "2"),
            ("2.5", 0, "2"),
            ("2.51", 0, "3"),
            ("9.99", 1, "10.0"),
            ("99", 2, "99.00"),
            ("-0.04", 1, "0.0"),
        ] {
            assert_eq!(rounded(text, places), expected, "{text}");
        }
    }
}
