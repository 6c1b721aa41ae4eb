//! Removes members that hold a secret from a record's text, at any depth.
//!
//! Coupa answers supplier and user records with keys such as `cxml-secret` or `password`. They are
//! mostly null, but nothing promises that, and a lake keeps what it is given.

use std::sync::LazyLock;

use memchr::memmem::{self, Finder};

/// Whether a key names a secret; case, dashes, underscores and spaces make no difference.
pub(crate) fn is_secret(key: &str) -> bool {
    let word: String = key
        .chars()
        .map(|letter| match letter {
            '-' | ' ' => '_',
            letter => letter.to_ascii_lowercase(),
        })
        .collect();
    word.starts_with("cxml_")
        || word.ends_with("_secret")
        || word.ends_with("_password")
        || word == "secret"
        || word == "password"
}

/// Whether the text may hold a secret's key: quick, and wrong only in saying yes too often.
pub(super) fn may_hold(text: &str) -> bool {
    static PARTS: LazyLock<[Finder<'static>; 6]> =
        LazyLock::new(|| ["xml", "XML", "ecret", "ECRET", "assword", "ASSWORD"].map(Finder::new));
    PARTS
        .iter()
        .any(|part| part.find(text.as_bytes()).is_some())
        || has_escaped_letter(text)
}

/// The text without the members that hold a secret.
pub(super) fn remove(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut kept = String::with_capacity(text.len());
    let mut in_object = Vec::new();
    let mut key_next = false;
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                if key_next && is_secret_key(&text[start..at]) {
                    at = value_end(bytes, at);
                    let before = kept.trim_end_matches([' ', '\n', '\r', '\t']);
                    if before.ends_with(',') {
                        kept.truncate(before.len() - 1);
                    } else {
                        at = comma_end(bytes, at);
                        continue;
                    }
                } else {
                    kept.push_str(&text[start..at]);
                }
                key_next = false;
                continue;
            }
            b'{' => {
                in_object.push(true);
                key_next = true;
            }
            b'[' => {
                in_object.push(false);
                key_next = false;
            }
            b'}' | b']' => {
                in_object.pop();
                key_next = false;
            }
            b',' => key_next = in_object.last() == Some(&true),
            _ => {}
        }
        at += 1;
        while at < bytes.len() && !matches!(bytes[at], b'"' | b'{' | b'[' | b'}' | b']' | b',') {
            at += 1;
        }
        kept.push_str(&text[start..at]);
    }
    kept
}

/// A key may be spelt with `\u0070` for `p`: so that the quick look is not fooled.
fn has_escaped_letter(text: &str) -> bool {
    let bytes = text.as_bytes();
    memmem::find_iter(bytes, "\\u00").any(|at| {
        // The printable letters, dash and underscore; not the < > & that Rails escapes.
        matches!(bytes.get(at + 4), Some(b'4'..=b'7'))
            || bytes[at + 4..].starts_with(b"2d")
            || bytes[at + 4..].starts_with(b"2D")
    })
}

fn is_secret_key(quoted: &str) -> bool {
    let inner = &quoted[1..quoted.len().max(2) - 1];
    if !inner.contains('\\') {
        return is_secret(inner);
    }
    // A key that does not unescape spoils its record, which is then kept without its text.
    serde_json::from_str::<String>(quoted).is_ok_and(|key| is_secret(&key))
}

fn string_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Where the value behind a key ends.
fn value_end(bytes: &[u8], key_end: usize) -> usize {
    let mut at = key_end;
    let mut depth = 0_usize;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Behind the comma and the blanks that follow a first member.
fn comma_end(bytes: &[u8], value_end: usize) -> usize {
    if bytes.get(value_end) != Some(&b',') {
        return value_end;
    }
    let rest = &bytes[value_end + 1..];
    let blank = |byte: &u8| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    value_end + 1 + rest.iter().position(blank).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert!(may_hold(text) || text == expected, "{text}");
        assert_eq!(remove(text), expected);
    }

    #[test]
    fn secret_members_are_removed() {
        check(r#"{"id":1,"password":"x"}"#, r#"{"id":1}"#);
        check(r#"{"password":{"a":[1,"}"]}, "id":1}"#, r#"{"id":1}"#);
        check(r#"{"password":null}"#, r#"{}"#);
        check(
            r#"{"a":1, "cxml-secret" : "s\"," , "b":2}"#,
            r#"{"a":1, "b":2}"#,
        );
        check(
            r#"{"a":[{"API_Secret":1,"b":2},{"b":3}]}"#,
            r#"{"a":[{"b":2},{"b":3}]}"#,
        );
        check(r#"{"cxml-a":1,"cxml-b":2,"c":3}"#, r#"{"c":3}"#);
        check(r#"{"c":3,"cxml-a":1,"cxml-b":2}"#, r#"{"c":3}"#);
        check(
            r#"{"pass\u0077ord":1,"Portal Password":2,"c":3}"#,
            r#"{"c":3}"#,
        );
    }

    #[test]
    fn other_members_stay() {
        for text in [
            r#"{"po-method":"cxml","note":"the password, \"secret\": x","secretary":1}"#,
            r#"["password", {"a": ["cxml-secret"]}]"#,
            r#"{"a":{"b":{}},"c":[],"d":"\u00e9"}"#,
        ] {
            check(text, text);
        }
    }

    #[test]
    fn broken_text_does_no_harm() {
        let text = r#"{"a":[{"cxml-x":{"b":"\"#;
        for length in 0..text.len() {
            remove(&text[..length]);
        }
        remove("\"");
        remove("]]}}");
    }
}
