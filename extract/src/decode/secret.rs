//! Removes members that hold a secret from a record's text, at any depth.
//!
//! Which records hold one is noticed while they are read, key by key; only those are cleaned, and read
//! once more.
//!
//! Coupa answers supplier and user records with keys such as `cxml-secret` or `password`. They are
//! mostly null, but nothing promises that, and a lake keeps what it is given.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use memchr::memmem;

/// Whether a key names a secret; case, dashes, underscores, dots and spaces make no difference.
pub(crate) fn is_secret(key: &str) -> bool {
    // Camel case has words of its own, unless its capitals stand anywhere.
    names_secret(&words(key, true)) || names_secret(&words(key, false))
}

fn names_secret(word: &str) -> bool {
    let parts: Vec<&str> = word.split('_').filter(|part| !part.is_empty()).collect();
    let cxml = parts.first().is_some_and(|first| {
        first.starts_with("cxml") && (parts.len() > 1 || first.len() > "cxml".len())
    });
    let named = |part: &&str| {
        IN_A_WORD.iter().any(|secret| part.contains(secret))
            || AT_ITS_END.iter().any(|secret| {
                let singular = part.strip_suffix('s').unwrap_or(part);
                singular.ends_with(secret)
            })
    };
    let keyed =
        |pair: &[&str]| pair[1].starts_with("key") && KEYS.iter().any(|key| pair[0].ends_with(key));
    let joined = |part: &&str| {
        let before = part.strip_suffix('s').unwrap_or(part).strip_suffix("key");
        before.is_some_and(|before| KEYS.iter().any(|key| before.ends_with(key)))
    };
    cxml || parts.iter().any(named) || parts.windows(2).any(keyed) || parts.iter().any(joined)
}

const IN_A_WORD: [&str; 3] = ["password", "passwd", "passphrase"];
const AT_ITS_END: [&str; 3] = ["secret", "token", "credential"];
/// What a key opens, if it is one to be kept secret.
const KEYS: [&str; 6] = [
    "api",
    "private",
    "access",
    "secret",
    "encryption",
    "signing",
];

/// The key in snake case.
fn words(key: &str, camel: bool) -> String {
    let mut word = String::with_capacity(key.len() + 4);
    let mut lower = false;
    for letter in key.chars() {
        match letter {
            '-' | ' ' | '.' | '_' => word.push('_'),
            _ => {
                if camel && lower && letter.is_ascii_uppercase() {
                    word.push('_');
                }
                word.push(letter.to_ascii_lowercase());
            }
        }
        lower = letter.is_ascii_lowercase();
    }
    word
}

/// Whether the text may be or hold a secret's key: quick, and wrong only in saying yes too often.
pub(super) fn may_hold(text: &str) -> bool {
    static PARTS: LazyLock<AhoCorasick> = LazyLock::new(|| {
        let keys = KEYS
            .iter()
            .flat_map(|key| ["", "-", "_", " ", "."].map(|between| format!("{key}{between}key")));
        let words = IN_A_WORD
            .iter()
            .chain(&AT_ITS_END)
            .map(|word| (*word).to_owned());
        AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(keys.chain(words).chain(["cxml".to_owned()]))
            .expect("a few short words make an automaton")
    });
    PARTS.is_match(text) || has_escaped_letter(text)
}

/// The text without the members that hold a secret.
pub(super) fn remove(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut kept = String::with_capacity(text.len());
    let mut in_object = Vec::new();
    let mut key_next = false;
    // Where `kept` ends without the comma that stands last in it.
    let mut before_comma = None;
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                if key_next && is_secret_key(&text[start..at]) {
                    at = value_end(bytes, at);
                    match before_comma.take() {
                        Some(length) => kept.truncate(length),
                        None => {
                            at = comma_end(bytes, at);
                            continue;
                        }
                    }
                } else {
                    kept.push_str(&text[start..at]);
                    before_comma = None;
                }
                key_next = false;
                continue;
            }
            b'{' => {
                in_object.push(true);
                key_next = true;
                before_comma = None;
            }
            b'[' => {
                in_object.push(false);
                key_next = false;
            }
            b'}' | b']' => {
                in_object.pop();
                key_next = false;
            }
            b',' => {
                key_next = in_object.last() == Some(&true);
                before_comma = key_next.then_some(kept.len());
            }
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
        // The printable letters, and what may stand between them; not the < > & that Rails escapes.
        matches!(bytes.get(at + 4), Some(b'4'..=b'7'))
            || bytes[at + 4..].starts_with(b"2d")
            || bytes[at + 4..].starts_with(b"2D")
            || bytes[at + 4..].starts_with(b"2e")
            || bytes[at + 4..].starts_with(b"2E")
            || bytes[at + 4..].starts_with(b"20")
    })
}

fn is_secret_key(quoted: &str) -> bool {
    // One without its closing quote is no key, and its text may end anywhere.
    let Some(inner) = quoted[1..].strip_suffix('"') else {
        return false;
    };
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
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    /// Names of secrets, in every spelling: the word between, the case, an escape.
    fn secret_key() -> impl Strategy<Value = String> {
        let words = prop::sample::select(vec![
            "cxml x",
            "cxml http url",
            "api secret",
            "client secret",
            "secret",
            "portal password",
            "password",
            "password hash",
            "smtp passwd",
            "access token",
            "token",
            "api key",
            "private keys",
            "oauth credentials",
        ]);
        let between = prop::sample::select(vec!["-", "_", " ", "."]);
        (words, between, any::<u64>()).prop_map(|(words, between, cases)| {
            let turn = |(place, letter): (usize, char)| match cases >> (place % 64) & 1 {
                0 => letter,
                _ => letter.to_ascii_uppercase(),
            };
            words
                .replace(' ', between)
                .chars()
                .enumerate()
                .map(turn)
                .collect()
        })
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            Just(json!(1.5)),
            Just(json!("a,}\"]: {password\\")),
            Just(json!("é")),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            let key = prop_oneof![
                3 => "[a-z_-]{1,6}",
                1 => secret_key(),
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec((key, inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    fn without_secrets(value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(without_secrets).collect(),
            Value::Object(members) => members
                .iter()
                .filter(|(key, _)| !is_secret(key))
                .map(|(key, value)| (key.clone(), without_secrets(value)))
                .collect::<Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn every_spelling_names_a_secret(key in secret_key()) {
            prop_assert!(is_secret(&key), "{}", key);
            prop_assert!(may_hold(&key), "{}", key);
        }

        #[test]
        fn what_is_no_secret_stays_as_it_was(value in value(), blanks: bool, escaped: bool) {
            let mut text = match blanks {
                true => serde_json::to_string_pretty(&value).unwrap(),
                false => value.to_string(),
            };
            if escaped {
                text = text.replace("pass", "p\\u0061ss").replace("-", "\\u002d");
            }
            let expected = without_secrets(&serde_json::from_str(&text).unwrap());
            prop_assert!(may_hold(&text) || expected == value);
            let cleaned: Value = serde_json::from_str(&remove(&text)).unwrap();
            prop_assert_eq!(cleaned, expected);
        }
    }

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
            r#"{"apiKey":1,"x-Access-Keys":2,"client_token":3,"userPassword":4,"SMTP.passwd":5,"pAssWord":5,"private key id":6,"c":7}"#,
            r#"{"c":7}"#,
        );
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
            r#"{"external-key":1,"lock-version-key":2,"tokenised":3,"cxml":4,"keyboard":5}"#,
            r#"{"a":{"b":{}},"c":[],"d":"\u00e9"}"#,
        ] {
            check(text, text);
        }
    }

    #[test]
    fn blanks_before_secrets_cost_no_time() {
        let text = format!(
            "{{{}{}}}",
            " ".repeat(1 << 20),
            r#""password":1,"#.repeat(1 << 16)
        );
        assert!(remove(&text).trim_end_matches('}').trim().len() < 2);
    }

    #[test]
    fn broken_text_does_no_harm() {
        let text = r#"{"a":[{"cxml-x":{"b":"\"#;
        for length in 0..text.len() {
            remove(&text[..length]);
        }
        remove("\"");
        remove("{\"secret\u{fffd}");
        remove("]]}}");
    }
}
