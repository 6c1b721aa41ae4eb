//! The elements of a page, one behind the other.
//!
//! Where a record can be read, its end is known from reading it. Where it can not, or has to be
//! cleaned first, its end is found here by brackets and quotes alone, in a loop that no nesting
//! hurts: so a broken record costs the page nothing, and a page that was cut is told from both.

use super::DecodeError;
use super::cursor::equal;

/// One element of the page's array, as received.
pub(super) struct Span<'a> {
    pub text: &'a str,
    /// Deepest nesting of brackets, 1 for a flat object.
    pub depth: usize,
}

/// The elements of a page: a JSON array of records, or one object alone.
pub(super) struct Records<'a> {
    page: &'a str,
    /// Where the next element begins, or the last one ended.
    pub at: usize,
    place: Place,
}

#[derive(Clone, Copy)]
enum Place {
    Start,
    First,
    Next,
    End,
}

impl<'a> Records<'a> {
    pub(super) fn new(page: &'a str) -> Records<'a> {
        Records {
            page,
            at: 0,
            place: Place::Start,
        }
    }

    /// Moves to the next element; `false` at the end of the page.
    pub(super) fn advance(&mut self) -> Result<bool, DecodeError> {
        loop {
            match (self.place, self.peek()) {
                (Place::End, None) => return Ok(false),
                (Place::End, Some(_)) => return Err(DecodeError::Malformed { at: self.at }),
                (_, None) => return Err(DecodeError::Truncated { at: self.at }),
                (Place::Start, Some(b'[')) => {
                    self.at += 1;
                    self.place = Place::First;
                }
                (Place::Start, Some(b'{')) => {
                    self.place = Place::End;
                    return Ok(true);
                }
                (Place::Start, Some(_)) => return Err(DecodeError::not_records(self.page)),
                (Place::First | Place::Next, Some(b']')) => {
                    self.at += 1;
                    self.place = Place::End;
                }
                (Place::First, Some(b',')) => return Err(DecodeError::Malformed { at: self.at }),
                (Place::First, Some(_)) => {
                    self.place = Place::Next;
                    return Ok(true);
                }
                (Place::Next, Some(b',')) => {
                    self.at += 1;
                    if matches!(self.peek(), Some(b']' | b',')) {
                        return Err(DecodeError::Malformed { at: self.at });
                    }
                    self.place = Place::First;
                }
                (Place::Next, Some(_)) => return Err(DecodeError::Malformed { at: self.at }),
            }
        }
    }

    fn peek(&mut self) -> Option<u8> {
        let rest = &self.page.as_bytes()[self.at..];
        let blank = rest
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))?;
        self.at += blank;
        Some(rest[blank])
    }

    /// The element that begins at `at`, which stands behind it afterwards.
    pub(super) fn span(&mut self) -> Result<Span<'a>, DecodeError> {
        let start = self.at;
        let mut depth = 0;
        match self.page.as_bytes()[start] {
            b'{' | b'[' => depth = self.container()?,
            b'"' => self.at = string_end(self.page.as_bytes(), start)?,
            _ => {
                let rest = &self.page.as_bytes()[start..];
                let ends = |byte: &u8| matches!(byte, b',' | b']' | b' ' | b'\n' | b'\r' | b'\t');
                let length = rest.iter().position(ends);
                self.at += length.ok_or(DecodeError::Truncated { at: start })?;
            }
        }
        Ok(Span {
            text: &self.page[start..self.at],
            depth,
        })
    }

    fn container(&mut self) -> Result<usize, DecodeError> {
        let bytes = self.page.as_bytes();
        let (mut depth, mut deepest) = (0_usize, 0);
        let mut at = self.at;
        while at < bytes.len() {
            // Brackets and braces differ in one bit, which no quote has.
            match bytes[at] | 0x20 {
                b'"' if bytes[at] == b'"' => at = string_end(bytes, at)?,
                b'{' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                    at += 1;
                }
                b'}' => {
                    depth -= 1;
                    at += 1;
                    if depth == 0 {
                        self.at = at;
                        return Ok(deepest);
                    }
                }
                _ => at += 1,
            }
        }
        Err(DecodeError::Truncated { at: self.at })
    }
}

/// Where the string ends that begins at `open`, behind its closing quote.
///
/// Most strings are shorter than what a call of `memchr` costs, so eight bytes are looked at
/// together instead.
#[inline]
fn string_end(bytes: &[u8], open: usize) -> Result<usize, DecodeError> {
    let mut at = open + 1;
    loop {
        while let Some(eight) = bytes[at..].first_chunk::<8>() {
            let word = u64::from_le_bytes(*eight);
            let hits = equal(word, b'"') | equal(word, b'\\');
            if hits != 0 {
                at += hits.trailing_zeros() as usize / 8;
                break;
            }
            at += 8;
        }
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return Err(DecodeError::Truncated { at: open }),
        }
        if at > bytes.len() {
            return Err(DecodeError::Truncated { at: open });
        }
    }
}

/// The members of an object as text, by brackets and quotes alone: what stands wrongly in one of them
/// does not hide the others.
pub(super) struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Members<'a> {
    /// `None`: no object.
    pub(super) fn new(text: &'a str) -> Option<Members<'a>> {
        text.starts_with('{').then_some(Members { text, at: 1 })
    }
}

impl<'a> Iterator for Members<'a> {
    /// The key with its quotes, and its value.
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',');
        let key = self.at + bytes.get(self.at..)?.iter().position(|byte| !blank(byte))?;
        if bytes[key] != b'"' {
            return None;
        }
        let key_end = string_end(bytes, key).ok()?;
        let mut at = key_end;
        let mut depth = 0_usize;
        while at < bytes.len() {
            match bytes[at] {
                b'"' => {
                    at = string_end(bytes, at).ok()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b',' | b'}' | b']' if depth == 0 => break,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            at += 1;
        }
        self.at = at;
        let value = self.text[key_end..at].trim_start().strip_prefix(':')?;
        Some((&self.text[key..key_end], value.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(page: &str) -> Result<Vec<(&str, usize)>, DecodeError> {
        let mut records = Records::new(page);
        let mut spans = Vec::new();
        while records.advance()? {
            let span = records.span()?;
            spans.push((span.text, span.depth));
        }
        Ok(spans)
    }

    fn check(page: &str, expected: Result<&[(&str, usize)], &str>) {
        let spans = spans(page);
        match (spans, expected) {
            (Ok(spans), Ok(expected)) => assert_eq!(spans, expected, "{page}"),
            (Err(error), Err(word)) => assert!(error.to_string().contains(word), "{error}"),
            (spans, _) => panic!("{page}: {spans:?}"),
        }
    }

    #[test]
    fn pages_split_into_records() {
        check("[]", Ok(&[]));
        check(" [ ] \n", Ok(&[]));
        check(r#"{"a":1}"#, Ok(&[(r#"{"a":1}"#, 1)]));
        check(
            r#"[{"a":"}\"]\\"}, [[]] ,"x\"",12,null]"#,
            Ok(&[
                (r#"{"a":"}\"]\\"}"#, 1),
                ("[[]]", 2),
                (r#""x\"""#, 0),
                ("12", 0),
                ("null", 0),
            ]),
        );
        check(r#"[{"a":[{"b":{}}]}]"#, Ok(&[(r#"{"a":[{"b":{}}]}"#, 4)]));
    }

    #[test]
    fn members_are_found_behind_a_broken_one() {
        let text = r#"{ "a" : NaN, "b":[{"id":1},"]"] ,"c\u0064":"\ud800", "id": 7 }"#;
        let members: Vec<_> = Members::new(text).unwrap().collect();
        let expected = [
            (r#""a""#, "NaN"),
            (r#""b""#, r#"[{"id":1},"]"]"#),
            (r#""c\u0064""#, r#""\ud800""#),
            (r#""id""#, "7"),
        ];
        assert_eq!(members, expected);
        for length in 1..text.len() {
            Members::new(&text[..length]).unwrap().for_each(drop);
        }
        assert!(Members::new("[1]").is_none());
    }

    #[test]
    fn a_cut_page_is_never_an_end() {
        let page = r#"[{"a":"x\\","b":[1,2]},{"a":"]"},{}]"#;
        for length in 1..page.len() {
            check(&page[..length], Err("ends"));
        }
        check("", Err("ends"));
    }

    #[test]
    fn other_text_is_refused() {
        check("[{}] x", Err("well-formed"));
        check("[{},]", Err("well-formed"));
        check("[{} {}]", Err("well-formed"));
        check("[,{}]", Err("well-formed"));
        check("<html>", Err("HTML"));
        check("null", Err("not a list"));
        check(&"[".repeat(100_000), Err("ends"));
    }
}
