//! The subscription period that a description states: "01/04/2025 - 31/03/2026", "Jan 2025 to
//! Dec 2025", "12 months from 2025-04-01".

use chrono::{Datelike, Days, Months, NaiveDate};

/// A date as it stands in a text.
#[derive(Debug, Clone, Copy)]
struct Written {
    parts: Parts,
    start: usize,
    end: usize,
}

#[derive(Debug, Clone, Copy)]
enum Parts {
    Day(NaiveDate),
    /// Day and month, or month and day: both make a date.
    Either(NaiveDate, NaiveDate),
    /// A month as a whole.
    Month(NaiveDate),
}

/// First and last day, both included, of the period that `text` states.
///
/// Where day and month could be swapped, the reading wins in which the period is a whole number
/// of months; else month first if `month_first`. Periods under 20 days and over 10 years, and
/// dates before 1990, are taken for something else.
pub fn period_in(text: &str, month_first: bool) -> Option<(NaiveDate, NaiveDate)> {
    if text.bytes().filter(u8::is_ascii_digit).count() < 4 {
        return None;
    }
    let dates = written_dates(text);
    for pair in dates.windows(2) {
        let between = &text[pair[0].end..pair[1].start];
        if joins(between)
            && let Some(period) = between_dates(pair[0].parts, pair[1].parts, month_first)
        {
            return Some(period);
        }
    }
    let months = stated_months(text)?;
    let first = match dates.first()?.parts {
        Parts::Day(day) | Parts::Month(day) => day,
        Parts::Either(day_first, other) => {
            if month_first {
                other
            } else {
                day_first
            }
        }
    };
    let last = first.checked_add_months(Months::new(months))?.pred_opt()?;
    Some((first, last))
}

/// Whether the text between two dates makes them the ends of one period.
fn joins(between: &str) -> bool {
    let words: Vec<&str> = between.split_whitespace().collect();
    let text = words.join(" ").to_lowercase();
    matches!(
        text.trim_matches([',', '.', ':', '(', ')']).trim(),
        "-" | "–"
            | "—"
            | "to"
            | "until"
            | "till"
            | "through"
            | "thru"
            | "bis"
            | "au"
            | "al"
            | "tot"
            | "/"
            | ".."
            | ">"
            | "->"
            | "and"
            | "a"
    ) || text.starts_with("- ") && text.len() < 8
}

/// What is taken for a subscription period.
const PERIOD_DAYS: std::ops::RangeInclusive<i64> = 20..=3660;

fn between_dates(first: Parts, last: Parts, month_first: bool) -> Option<(NaiveDate, NaiveDate)> {
    let firsts = readings(first, month_first);
    let lasts = readings(last, month_first);
    let mut likelier: Option<(NaiveDate, NaiveDate)> = None;
    // Both ends are written the same way.
    for (start, end) in firsts.into_iter().zip(lasts) {
        let end = match last {
            Parts::Month(_) => end.checked_add_months(Months::new(1))?.pred_opt()?,
            _ => end,
        };
        let next = end.checked_add_days(Days::new(1))?;
        let days = (end - start).num_days();
        if PERIOD_DAYS.contains(&days) && next.day() == start.day() {
            return Some((start, end));
        }
        // The likelier reading stands, also if it is too short to be a period.
        if days > 0 && likelier.is_none() {
            likelier = Some((start, end));
        }
    }
    likelier.filter(|(start, end)| PERIOD_DAYS.contains(&(*end - *start).num_days()))
}

/// The possible dates, the likelier first.
fn readings(parts: Parts, month_first: bool) -> Vec<NaiveDate> {
    match parts {
        Parts::Day(day) | Parts::Month(day) => vec![day, day],
        Parts::Either(day_first, other) if month_first => vec![other, day_first],
        Parts::Either(day_first, other) => vec![day_first, other],
    }
}

/// A run of letters or digits, and where.
#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found: Vec<Token> = Vec::new();
    let mut start = None;
    let bytes = text.as_bytes();
    for at in 0..=bytes.len() {
        let inside = bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
        // "1st" is a number and a suffix; "2025Q1" no date.
        match (start, inside) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                found.push(Token {
                    text: &text[from..at],
                    start: from,
                    end: at,
                });
                start = None;
            }
            _ => {}
        }
    }
    found
}

fn written_dates(text: &str) -> Vec<Written> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        // "02/2025" inside "31/02/2025" is no month of its own.
        let before = &text.as_bytes()[..tokens[at].start];
        let inside = matches!(before, [.., b'0'..=b'9', b'/' | b'.']);
        match date_at(text, &tokens[at..]).filter(|_| !inside) {
            Some((parts, used)) => {
                found.push(Written {
                    parts,
                    start: tokens[at].start,
                    end: tokens[at + used - 1].end,
                });
                at += used;
            }
            None => at += 1,
        }
    }
    found
}

/// The date that begins with the first token, and how many tokens it takes.
fn date_at(text: &str, tokens: &[Token]) -> Option<(Parts, usize)> {
    let gap = |n: usize| &text[tokens[n].end..tokens[n + 1].start];
    if tokens.len() >= 3 {
        let (a, b, c) = (tokens[0].text, tokens[1].text, tokens[2].text);
        let tight = gap(0) == gap(1) && matches!(gap(0), "-" | "/" | ".");
        if tight && let (Some(a), Some(b), Some(c)) = (number(a), number(b), year(c)) {
            let day_first = NaiveDate::from_ymd_opt(c, b, a);
            let month_first = NaiveDate::from_ymd_opt(c, a, b);
            return match (day_first, month_first) {
                (Some(x), Some(y)) if x != y => Some((Parts::Either(x, y), 3)),
                (Some(x), _) | (None, Some(x)) => Some((Parts::Day(x), 3)),
                _ => None,
            };
        }
        if tight && let (Some(y), Some(m), Some(d)) = (long_year(a), number(b), number(c)) {
            return Some((Parts::Day(NaiveDate::from_ymd_opt(y, m, d)?), 3));
        }
        let loose = |n: usize| gap(n).len() <= 2;
        if loose(0) && loose(1) {
            if let (Some(d), Some(m), Some(y)) = (ordinal(a), month(b), year(c)) {
                return Some((Parts::Day(NaiveDate::from_ymd_opt(y, m, d)?), 3));
            }
            if let (Some(m), Some(d), Some(y)) = (month(a), ordinal(b), long_year(c)) {
                return Some((Parts::Day(NaiveDate::from_ymd_opt(y, m, d)?), 3));
            }
        }
    }
    if tokens.len() >= 2 && gap(0).len() <= 2 {
        let (a, b) = (tokens[0].text, tokens[1].text);
        if let (Some(m), Some(y)) = (month(a), long_year(b).or_else(|| apostrophe(gap(0), b))) {
            return Some((Parts::Month(NaiveDate::from_ymd_opt(y, m, 1)?), 2));
        }
        let slash = matches!(gap(0), "/" | ".");
        if slash && let (Some(m @ 1..=12), Some(y)) = (number(a), long_year(b)) {
            return Some((Parts::Month(NaiveDate::from_ymd_opt(y, m, 1)?), 2));
        }
    }
    None
}

fn number(text: &str) -> Option<u32> {
    (text.len() <= 2).then(|| text.parse().ok()).flatten()
}

fn ordinal(text: &str) -> Option<u32> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &text[digits.len()..];
    let known = suffix.is_empty()
        || ["st", "nd", "rd", "th"]
            .iter()
            .any(|s| suffix.eq_ignore_ascii_case(s));
    if known { number(digits) } else { None }
}

fn long_year(text: &str) -> Option<i32> {
    let year: i32 = (text.len() == 4).then(|| text.parse().ok()).flatten()?;
    (1990..2100).contains(&year).then_some(year)
}

fn year(text: &str) -> Option<i32> {
    long_year(text).or_else(|| {
        number(text)
            .filter(|_| text.len() == 2)
            .map(|y| 2000 + y as i32)
    })
}

fn apostrophe(gap: &str, text: &str) -> Option<i32> {
    gap.ends_with('\'').then(|| year(text)).flatten()
}

fn month(text: &str) -> Option<u32> {
    const MONTHS: [&[&str]; 12] = [
        &["jan", "january", "januar", "janvier"],
        &["feb", "february", "februar", "fevrier"],
        &["mar", "march", "marz", "mars", "mrz"],
        &["apr", "april", "avril"],
        &["may", "mai"],
        &["jun", "june", "juni", "juin"],
        &["jul", "july", "juli", "juillet"],
        &["aug", "august"],
        &["sep", "sept", "september", "septembre"],
        &["oct", "october", "okt", "oktober", "octobre"],
        &["nov", "november", "novembre"],
        &["dec", "december", "dez", "dezember", "decembre"],
    ];
    if text.len() < 3 || !b"jfmasond".contains(&text.as_bytes()[0].to_ascii_lowercase()) {
        return None;
    }
    let at = MONTHS
        .iter()
        .position(|names| names.iter().any(|name| name.eq_ignore_ascii_case(text)))?;
    Some(at as u32 + 1)
}

/// "12 months", "1 year", "3-year", "36 Monate": the term in months.
fn stated_months(text: &str) -> Option<u32> {
    let tokens = tokens(text);
    tokens.windows(2).find_map(|pair| {
        let n = number(pair[0].text).filter(|n| (1..=60).contains(n))?;
        let unit = pair[1].text.to_ascii_lowercase();
        match unit.as_str() {
            "month" | "months" | "mth" | "mths" | "mo" | "monate" | "mois" | "meses" => Some(n),
            "year" | "years" | "yr" | "yrs" | "jahr" | "jahre" | "an" | "ans" => {
                (n <= 10).then_some(n * 12)
            }
            _ => None,
        }
    })
}

/// Whether the text states a term: "12 months", "annual", "1 year".
pub(crate) fn states_term(text: &str) -> bool {
    stated_months(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, month_first: bool, expected: Option<(&str, &str)>) {
        let found = period_in(text, month_first).map(|(a, b)| (a.to_string(), b.to_string()));
        let expected = expected.map(|(a, b)| (a.to_string(), b.to_string()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn periods_are_read_in_many_spellings() {
        let year = Some(("2025-04-01", "2026-03-31"));
        check("Support 01/04/2025 - 31/03/2026", false, year);
        check("Support 4/1/2025-3/31/2026", false, year);
        check("Support 04/01/25 to 03/31/26", true, year);
        check("2025-04-01 to 2026-03-31", false, year);
        check("1 Apr 2025 – 31 Mar 2026", false, year);
        check("April 1st, 2025 until March 31st, 2026", false, year);
        check("Wartung 01.04.2025 bis 31.03.2026", false, year);
        check("01.04.2025-31.03.2026", false, year);
        check("(Apr 2025 - Mar 2026)", false, year);
        check("12 months from 2025-04-01", false, year);
        check("1 year, starting 1 April 2025", false, year);
        // Only one reading is a whole number of months.
        check(
            "05/06/2025 - 04/06/2026",
            true,
            Some(("2025-06-05", "2026-06-04")),
        );
    }

    #[test]
    fn other_numbers_are_no_period() {
        for text in [
            "PO 4500123456 item 10",
            "v10.2.1",
            "2 days 01/02/2025 - 02/02/2025",
            "31/02/2025 - 31/02/2026",
            "Office 2019 2021",
            "12 months",
            "日本 2025",
        ] {
            check(text, false, None);
        }
    }
}
