//! Instants and days as Coupa prints them.
//!
//! Coupa prints stamps in the company's time zone, to the second, with the offset of that moment; so the
//! offset changes inside one record when daylight saving begins between two of its stamps. "Dates" such as
//! `invoice-date` are midnight in that zone. Source: Coupa Core API, "Querying options" and genuine payloads.
//! The rule for Los Angeles is written here, because it is one line and needs no zone data.

use chrono::{DateTime, NaiveDate, Utc};

/// Seconds of one day.
pub const DAY: i64 = 86_400;

/// The company's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Pacific time with daylight saving: the second Sunday of March to the first Sunday of November.
    LosAngeles,
    /// A fixed offset east of Greenwich, in minutes. `Fixed(0)` is UTC.
    Fixed(i16),
}

impl Zone {
    /// Offset east of UTC at an instant, in seconds.
    #[inline]
    pub fn offset_at(self, secs: i64) -> i64 {
        match self {
            Zone::Fixed(minutes) => i64::from(minutes) * 60,
            Zone::LosAngeles => {
                let year = civil(secs.div_euclid(DAY)).0;
                let (start, end) = SUMMER[(year - FIRST_YEAR).clamp(0, YEARS as i64 - 1) as usize];
                if secs >= start && secs < end {
                    -7 * 3600
                } else {
                    -8 * 3600
                }
            }
        }
    }

    /// The instant at which a local day begins.
    #[inline]
    pub fn midnight(self, day: i32) -> i64 {
        let local = i64::from(day) * DAY;
        // Daylight saving never changes at midnight here, so one correction is enough.
        let guess = local - self.offset_at(local);
        local - self.offset_at(guess)
    }

    /// The local day an instant falls on, counted from 1970-01-01.
    pub fn day_of(self, secs: i64) -> i32 {
        (secs + self.offset_at(secs)).div_euclid(DAY) as i32
    }

    /// Appends `2024-04-01T02:16:48-07:00`.
    #[inline]
    pub fn write_time(self, out: &mut Vec<u8>, secs: i64) {
        let offset = self.offset_at(secs);
        let local = secs + offset;
        let (year, month, day) = civil(local.div_euclid(DAY));
        let second = local.rem_euclid(DAY);
        let mut text = *b"0000-00-00T00:00:00+00:00";
        four(&mut text[0..4], year);
        two(&mut text[5..7], month);
        two(&mut text[8..10], day);
        two(&mut text[11..13], second / 3600);
        two(&mut text[14..16], second / 60 % 60);
        two(&mut text[17..19], second % 60);
        text[19] = if offset < 0 { b'-' } else { b'+' };
        two(&mut text[20..22], offset.abs() / 3600);
        two(&mut text[23..25], offset.abs() / 60 % 60);
        out.extend_from_slice(&text);
    }
}

/// Appends `2024-04-01`.
pub fn write_date(out: &mut Vec<u8>, day: i32) {
    let (year, month, day) = civil(i64::from(day));
    let mut text = *b"0000-00-00";
    four(&mut text[0..4], year);
    two(&mut text[5..7], month);
    two(&mut text[8..10], day);
    out.extend_from_slice(&text);
}

/// Reads a moment as the query language does: with an offset, exactly; without time, midnight UTC (documented);
/// with time but without offset, UTC (our choice, the documentation is silent).
pub fn parse_moment(text: &str) -> Option<i64> {
    // A plus sign that was not percent-encoded arrives as a space.
    let repaired;
    let text = if text.len() == 25 && text.as_bytes()[19] == b' ' {
        repaired = format!("{}+{}", &text[..19], &text[20..]);
        &repaired
    } else {
        text.trim()
    };
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.timestamp());
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp());
    }
    let naive = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S");
    naive
        .or_else(|_| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S"))
        .ok()
        .map(|t| t.and_utc().timestamp())
}

/// An instant as chrono knows it.
pub fn instant(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(secs, 0).expect("simulated time stays within chrono's range")
}

/// Year, month and day of a day number. Algorithm: Howard Hinnant, "chrono-compatible low-level date algorithms".
#[inline]
pub const fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + (month <= 2) as i64, month, day)
}

/// Day number of a date, the inverse of [`civil`].
pub const fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

const FIRST_YEAR: i64 = 1990;
const YEARS: usize = 110;
const SUMMER: [(i64, i64); YEARS] = summers();

const fn summers() -> [(i64, i64); YEARS] {
    let mut table = [(0, 0); YEARS];
    let mut i = 0;
    while i < YEARS {
        let year = FIRST_YEAR + i as i64;
        // 02:00 standard time is 10:00 UTC, 02:00 daylight time is 09:00 UTC.
        table[i] = (
            first_sunday(days(year, 3, 8)) * DAY + 10 * 3600,
            first_sunday(days(year, 11, 1)) * DAY + 9 * 3600,
        );
        i += 1;
    }
    table
}

const fn first_sunday(from: i64) -> i64 {
    // Day 0 was a Thursday.
    let weekday = (from + 4).rem_euclid(7);
    from + (7 - weekday) % 7
}

#[inline]
fn two(to: &mut [u8], n: i64) {
    to[0] = b'0' + (n / 10 % 10) as u8;
    to[1] = b'0' + (n % 10) as u8;
}

#[inline]
fn four(to: &mut [u8], n: i64) {
    two(&mut to[0..2], n / 100);
    two(&mut to[2..4], n % 100);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(zone: Zone, utc: &str, expected: &str) {
        let mut out = Vec::new();
        zone.write_time(&mut out, parse_moment(utc).unwrap());
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn offset_flips_with_daylight_saving() {
        check(
            Zone::LosAngeles,
            "2026-03-08T09:59:59Z",
            "2026-03-08T01:59:59-08:00",
        );
        check(
            Zone::LosAngeles,
            "2026-03-08T10:00:00Z",
            "2026-03-08T03:00:00-07:00",
        );
        check(
            Zone::LosAngeles,
            "2025-11-02T08:59:59Z",
            "2025-11-02T01:59:59-07:00",
        );
        check(
            Zone::LosAngeles,
            "2025-11-02T09:00:00Z",
            "2025-11-02T01:00:00-08:00",
        );
        check(
            Zone::Fixed(330),
            "2025-12-31T20:00:00Z",
            "2026-01-01T01:30:00+05:30",
        );
    }

    #[test]
    fn a_day_is_midnight_in_the_zone() {
        for day in 19_000..20_800 {
            let mut out = Vec::new();
            Zone::LosAngeles.write_time(&mut out, Zone::LosAngeles.midnight(day));
            let (y, m, d) = civil(i64::from(day));
            let text = String::from_utf8(out).unwrap();
            assert!(
                text.starts_with(&format!("{y:04}-{m:02}-{d:02}T00:00:00-0")),
                "{text}"
            );
            assert_eq!(days(y, m, d), i64::from(day));
        }
    }

    #[test]
    fn moments_without_zone_are_utc() {
        assert_eq!(parse_moment("1970-01-02"), Some(DAY));
        assert_eq!(parse_moment("1970-01-02T00:00:01"), Some(DAY + 1));
        assert_eq!(parse_moment("1970-01-02T00:00:00 01:00"), Some(DAY - 3600));
        assert_eq!(parse_moment("soon"), None);
    }
}
