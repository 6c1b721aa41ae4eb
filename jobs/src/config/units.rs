//! Durations and dates as people write them.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// `"10m"`, `"36h"`, `"7d"`: a whole number and one unit of s, m, h, d.
///
/// A crate for this would also take "1month 3days", whose length nobody can name.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return None,
    };
    let digits = text[..text.len() - 1].trim_end();
    // `parse` alone would take a sign.
    if !digits.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    count.checked_mul(seconds).map(Duration::from_secs)
}

/// A date (its midnight in UTC), or a time with its offset as in RFC 3339.
pub fn moment(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Some(date.and_time(NaiveTime::MIN).and_utc());
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.with_timezone(&Utc))
}
