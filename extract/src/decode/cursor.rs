//! A place in JSON text, and the tokens that can stand there. Strict, and without a copy.
//!
//! Written by hand because the reader wants what no library gives at once: the text of numbers as
//! it stands, a key compared without being scanned, the end of each value, and a limit to nesting
//! that holds inside skipped values too.

use super::secret;

/// What a value begins with; `End` where the text does, or at a byte that begins nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Object,
    List,
    String,
    Number,
    True,
    False,
    Null,
    End,
}

/// Why the text can not be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stuck {
    Syntax,
    TooDeep,
    /// A `\u` escape that is half a character.
    NoCharacter,
    /// A key names a secret, and the cursor is on its guard.
    Secret,
}

pub(super) const DEPTH_LIMIT: usize = 64;

#[derive(Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    pub at: usize,
    guarded: bool,
}

/// A string between its quotes, as it stands in the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quoted<'a> {
    pub inner: &'a str,
    pub escaped: bool,
}

impl<'a> Quoted<'a> {
    /// The text meant; `None`: an escape that is no character.
    pub(super) fn unescaped(self) -> Option<std::borrow::Cow<'a, str>> {
        if !self.escaped {
            return Some(self.inner.into());
        }
        let quoted = format!("\"{}\"", self.inner);
        serde_json::from_str::<String>(&quoted).ok().map(Into::into)
    }

    /// Whether it is the key of a secret.
    pub(super) fn names_secret(self) -> bool {
        (self.escaped || secret::may_hold(self.inner))
            && self.unescaped().is_none_or(|key| secret::is_secret(&key))
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, at: usize) -> Cursor<'a> {
        Cursor {
            text,
            at,
            guarded: false,
        }
    }

    /// One that skips no value in which a key names a secret.
    pub(super) fn guarded(text: &'a str, at: usize) -> Cursor<'a> {
        Cursor {
            guarded: true,
            ..Cursor::new(text, at)
        }
    }

    /// The next byte that is not blank, 0 at the end.
    #[inline]
    pub(super) fn peek(&mut self) -> u8 {
        loop {
            match self.byte(self.at) {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return byte,
            }
        }
    }

    #[inline]
    pub(super) fn token(&mut self) -> Token {
        match self.peek() {
            b'"' => Token::String,
            b'n' => Token::Null,
            b'0'..=b'9' | b'-' => Token::Number,
            b'{' => Token::Object,
            b'[' => Token::List,
            b't' => Token::True,
            b'f' => Token::False,
            _ => Token::End,
        }
    }

    /// Moves behind that byte, if it is next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let next = self.peek() == byte;
        self.at += usize::from(next);
        next
    }

    /// Moves behind the quoted word, if exactly that stands next.
    #[inline]
    pub(super) fn take_quoted(&mut self, word: &str) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        let end = word.len() + 1;
        let same = rest.get(end) == Some(&b'"') && &rest[1..end] == word.as_bytes();
        if same {
            self.at += end + 1;
        }
        same
    }

    pub(super) fn word(&mut self, word: &str) -> Result<(), Stuck> {
        let next = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        if !next {
            return Err(Stuck::Syntax);
        }
        self.at += word.len();
        Ok(())
    }

    /// The string whose opening quote is next.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Quoted<'a>, Stuck> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
                let special = specials(u64::from_le_bytes(*eight));
                if special != 0 {
                    at += special.trailing_zeros() as usize / 8;
                    break;
                }
                at += 8;
            }
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    let inner = &self.text[start..at];
                    return Ok(Quoted { inner, escaped });
                }
                Some(b'\\') => {
                    at += escape_length(&bytes[at..])?;
                    escaped = true;
                }
                Some(0x20..) => at += 1,
                _ => return Err(Stuck::Syntax),
            }
        }
    }

    /// The number that is next, as it stands.
    #[inline]
    pub(super) fn number(&mut self) -> Result<&'a str, Stuck> {
        let start = self.at;
        self.at += usize::from(self.byte(start) == b'-');
        let whole = self.at;
        self.digits()?;
        if self.byte(whole) == b'0' && self.at > whole + 1 {
            return Err(Stuck::Syntax);
        }
        if self.byte(self.at) == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if self.byte(self.at) | 0x20 == b'e' {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(self.at), b'+' | b'-'));
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    /// The text of any value; `depth` counts the brackets it stands in.
    pub(super) fn skip(&mut self, depth: usize) -> Result<&'a str, Stuck> {
        let token = self.token();
        let start = self.at;
        match token {
            Token::String => self.string().map(drop)?,
            Token::Number => self.number().map(drop)?,
            Token::True => self.word("true")?,
            Token::False => self.word("false")?,
            Token::Null => self.word("null")?,
            Token::Object => {
                self.enter(depth)?;
                let mut more = !self.take(b'}');
                while more {
                    let key = self.key()?;
                    if self.guarded && key.names_secret() {
                        return Err(Stuck::Secret);
                    }
                    self.skip(depth + 1)?;
                    more = self.another(b'}')?;
                }
            }
            Token::List => {
                self.enter(depth)?;
                let mut more = !self.take(b']');
                while more {
                    self.skip(depth + 1)?;
                    more = self.another(b']')?;
                }
            }
            Token::End => return Err(Stuck::Syntax),
        }
        Ok(&self.text[start..self.at])
    }

    /// Moves behind the bracket that is next, unless it would be one too many.
    #[inline]
    pub(super) fn enter(&mut self, depth: usize) -> Result<(), Stuck> {
        if depth >= DEPTH_LIMIT {
            return Err(Stuck::TooDeep);
        }
        self.at += 1;
        Ok(())
    }

    /// A key and its colon.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Quoted<'a>, Stuck> {
        if self.peek() != b'"' {
            return Err(Stuck::Syntax);
        }
        let key = self.string()?;
        self.colon()?;
        Ok(key)
    }

    #[inline]
    pub(super) fn colon(&mut self) -> Result<(), Stuck> {
        if self.take(b':') {
            Ok(())
        } else {
            Err(Stuck::Syntax)
        }
    }

    /// Whether a comma leads to another element, or `close` ends them.
    #[inline]
    pub(super) fn another(&mut self, close: u8) -> Result<bool, Stuck> {
        let next = self.peek();
        self.at += 1;
        if next == b',' {
            Ok(true)
        } else if next == close {
            Ok(false)
        } else {
            Err(Stuck::Syntax)
        }
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Stuck> {
        let start = self.at;
        while self.byte(self.at).is_ascii_digit() {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(Stuck::Syntax)
        }
    }

    #[inline]
    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }
}

fn escape_length(text: &[u8]) -> Result<usize, Stuck> {
    match text.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => match code_unit(text)? {
            0xD800..=0xDBFF => match code_unit(&text[6..]) {
                Ok(0xDC00..=0xDFFF) => Ok(12),
                _ => Err(Stuck::NoCharacter),
            },
            0xDC00..=0xDFFF => Err(Stuck::NoCharacter),
            _ => Ok(6),
        },
        _ => Err(Stuck::Syntax),
    }
}

/// The number of the escape that the text begins with.
fn code_unit(text: &[u8]) -> Result<u32, Stuck> {
    let digits = text
        .strip_prefix(b"\\u")
        .and_then(<[u8]>::first_chunk::<4>)
        .ok_or(Stuck::Syntax)?;
    digits.iter().try_fold(0, |number, digit| {
        let value = char::from(*digit).to_digit(16).ok_or(Stuck::Syntax)?;
        Ok(number * 16 + value)
    })
}

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;

/// The high bit of each byte that is a quote, a backslash or a control; right up to the first.
#[inline]
fn specials(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control & HIGHS) | equal(word, b'"') | equal(word, b'\\')
}

/// The high bit of each byte that equals `byte`; right up to the first.
#[inline]
pub(super) fn equal(word: u64, byte: u8) -> u64 {
    let zero_where_equal = word ^ (ONES * u64::from(byte));
    zero_where_equal.wrapping_sub(ONES) & !zero_where_equal & HIGHS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepts(text: &str) -> bool {
        let mut cursor = Cursor::new(text, 0);
        cursor.skip(0).is_ok() && cursor.peek() == 0 && cursor.at >= text.trim_end().len()
    }

    fn check(text: &str) {
        let mut oracle = serde_json::Deserializer::from_str(text);
        let value = <serde::de::IgnoredAny as serde::Deserialize>::deserialize(&mut oracle);
        let expected = value.is_ok() && oracle.end().is_ok();
        // A zero byte ends our text, and a final blank zero is no difference worth having.
        assert_eq!(accepts(text), expected, "{text:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn the_same_texts_are_json(text in r#"[\[\]{}:,"\\0-9eE+.\-truefalsn \n/\x01é]{0,24}"#) {
            check(&text);
        }

        #[test]
        fn one_byte_amiss_is_noticed_alike(place in 0_usize..200, byte in 1_u8..127) {
            let whole = r#"{"a":[1,-2.5e+3,0.1,true,false,null,{"b":"c\"\u00e9\\"}],"éé":"a long enough text, 漢字","":{},"c":[]}"#;
            let mut bytes = whole.as_bytes().to_vec();
            let place = place % bytes.len();
            bytes[place] = byte;
            if let Ok(text) = std::str::from_utf8(&bytes) {
                check(text);
            }
            check(&whole[..whole.floor_char_boundary(place)]);
        }
    }

    #[test]
    fn nesting_ends_somewhere() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Cursor::new(&nested(64), 0).skip(0).is_ok());
        assert_eq!(Cursor::new(&nested(65), 0).skip(0), Err(Stuck::TooDeep));
        let deep = r#"{"a":"#.repeat(100_000);
        assert_eq!(Cursor::new(&deep, 0).skip(0), Err(Stuck::TooDeep));
    }
}
