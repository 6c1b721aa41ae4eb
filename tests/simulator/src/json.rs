//! Answers as JSON bytes.

use crate::{
    out::{Out, Scalar},
    zone::{Zone, write_date},
};

/// Writes compact JSON into a buffer. The members of the outermost level are separated here, the brackets
/// around them belong to the caller.
pub struct Json<'b> {
    pub buffer: &'b mut Vec<u8>,
}

impl Json<'_> {
    #[inline]
    fn separate(&mut self) {
        if !matches!(self.buffer.last(), Some(b'{' | b'[') | None) {
            self.buffer.push(b',');
        }
    }

    #[inline]
    fn key(&mut self, key: &str) {
        // Keys need no escapes: ours have none, and those of tests lose theirs in `Tree::merge`.
        let buffer = &mut *self.buffer;
        buffer.reserve(key.len() + 4);
        if !matches!(buffer.last(), Some(b'{' | b'[') | None) {
            buffer.push(b',');
        }
        buffer.push(b'"');
        buffer.extend_from_slice(key.as_bytes());
        buffer.extend_from_slice(b"\":");
    }
}

impl Out for Json<'_> {
    #[inline]
    fn scalar(&mut self, key: &str, value: Scalar<'_>, zone: Zone) {
        self.key(key);
        let buffer = &mut *self.buffer;
        match value {
            Scalar::Null => buffer.extend_from_slice(b"null"),
            Scalar::Int(n) => buffer.extend_from_slice(itoa::Buffer::new().format(n).as_bytes()),
            Scalar::Bool(true) => buffer.extend_from_slice(b"true"),
            Scalar::Bool(false) => buffer.extend_from_slice(b"false"),
            Scalar::Str(text) => write_string(buffer, text),
            quoted @ (Scalar::Dec { .. }
            | Scalar::DecText(_)
            | Scalar::Time(_)
            | Scalar::Day(_)
            | Scalar::Date(_)) => {
                buffer.push(b'"');
                write_plain(buffer, quoted, zone);
                buffer.push(b'"');
            }
            number @ Scalar::Num { .. } => write_plain(buffer, number, zone),
        }
    }

    #[inline]
    fn open(&mut self, key: &str) {
        self.key(key);
        self.buffer.push(b'{');
    }

    #[inline]
    fn close(&mut self, _: &str) {
        self.buffer.push(b'}');
    }

    #[inline]
    fn open_list(&mut self, key: &str) {
        self.key(key);
        self.buffer.push(b'[');
    }

    #[inline]
    fn close_list(&mut self, _: &str) {
        self.buffer.push(b']');
    }

    #[inline]
    fn open_item(&mut self, _: &str) {
        self.separate();
        self.buffer.push(b'{');
    }

    #[inline]
    fn close_item(&mut self, _: &str) {
        self.buffer.push(b'}');
    }
}

/// Appends a scalar's bare text, without quotes or escapes; strings are not for this function.
#[inline]
pub(crate) fn write_plain(buffer: &mut Vec<u8>, value: Scalar<'_>, zone: Zone) {
    match value {
        Scalar::Dec {
            units,
            scale,
            least,
        } => write_decimal(buffer, units, scale, least),
        Scalar::Num { units, scale } => write_decimal(buffer, units, scale, 1),
        Scalar::DecText(text) | Scalar::Str(text) => buffer.extend_from_slice(text.as_bytes()),
        Scalar::Time(secs) => zone.write_time(buffer, secs),
        Scalar::Day(day) => zone.write_time(buffer, zone.midnight(day)),
        Scalar::Date(day) => write_date(buffer, day),
        Scalar::Int(n) => buffer.extend_from_slice(itoa::Buffer::new().format(n).as_bytes()),
        Scalar::Bool(b) => buffer.extend_from_slice(if b { b"true" } else { b"false" }),
        Scalar::Null => {}
    }
}

/// Appends `units / 10^scale` with at least `least` decimals and no trailing zeros beyond.
#[inline]
pub(crate) fn write_decimal(buffer: &mut Vec<u8>, units: i64, scale: u8, least: u8) {
    if units < 0 {
        buffer.push(b'-');
    }
    let power = 10u64.pow(u32::from(scale));
    let (whole, mut fraction) = (units.unsigned_abs() / power, units.unsigned_abs() % power);
    buffer.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    let mut digits = scale;
    while digits > least && fraction.is_multiple_of(10) {
        fraction /= 10;
        digits -= 1;
    }
    if digits.max(least) > 0 {
        buffer.push(b'.');
        let from = buffer.len();
        buffer.resize(from + usize::from(digits.max(least)), b'0');
        for at in (from..from + usize::from(digits)).rev() {
            buffer[at] = b'0' + (fraction % 10) as u8;
            fraction /= 10;
        }
    }
}

#[inline]
fn needs_escape(bytes: &[u8]) -> bool {
    // Without an early end, so that it is done on many bytes at once.
    bytes.iter().fold(false, |found, &b| {
        found | (b < 0x20) | (b == b'"') | (b == b'\\')
    })
}

/// Appends a JSON string.
#[inline]
pub(crate) fn write_string(buffer: &mut Vec<u8>, text: &str) {
    buffer.push(b'"');
    if needs_escape(text.as_bytes()) {
        write_escaped(buffer, text);
    } else {
        buffer.extend_from_slice(text.as_bytes());
    }
    buffer.push(b'"');
}

#[cold]
fn write_escaped(buffer: &mut Vec<u8>, text: &str) {
    for &byte in text.as_bytes() {
        match byte {
            b'"' => buffer.extend_from_slice(b"\\\""),
            b'\\' => buffer.extend_from_slice(b"\\\\"),
            b'\n' => buffer.extend_from_slice(b"\\n"),
            b'\r' => buffer.extend_from_slice(b"\\r"),
            b'\t' => buffer.extend_from_slice(b"\\t"),
            0..0x20 => buffer.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            other => buffer.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(units: i64, scale: u8, least: u8, expected: &str) {
        let mut out = Vec::new();
        write_decimal(&mut out, units, scale, least);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn decimals_keep_a_least_number_of_places() {
        check(5_670_700, 4, 2, "567.07");
        check(1_234_500, 4, 2, "123.45");
        check(1_234_560, 4, 2, "123.456");
        check(-1_000, 4, 2, "-0.10");
        check(4_000, 3, 1, "4.0");
        check(0, 6, 2, "0.00");
        check(825, 2, 1, "8.25");
        check(-1, 6, 2, "-0.000001");
    }

    #[test]
    fn strings_read_back() {
        for text in ["", "plain", "a\"b\\c\n\r\t\u{1}", "żółć 🚀 \u{202e}rtl"] {
            let mut out = Vec::new();
            write_string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
