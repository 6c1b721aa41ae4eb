//! Keeps secrets out of texts that others wrote: a rude server may repeat what it was told.

use std::fmt;
use std::sync::Mutex;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

/// The secrets of one instance, in every form in which they may come back.
#[derive(Default)]
pub(crate) struct Scrubber {
    forms: Vec<SecretString>,
    /// The tokens issued last.
    tokens: Mutex<Vec<SecretString>>,
}

const TOKENS_KEPT: usize = 4;
/// Words as long as this are no words, but tokens, keys or ids.
const LONGEST_WORD: usize = 40;
/// A secret shorter than this would black out whole sentences.
pub(crate) const SHORTEST_SECRET: usize = 3;
pub(crate) const HIDDEN: &str = "***";

impl fmt::Debug for Scrubber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Scrubber(***)")
    }
}

impl Scrubber {
    pub(crate) fn new(client_id: &SecretString, client_secret: &SecretString) -> Scrubber {
        let (id, secret) = (client_id.expose_secret(), client_secret.expose_secret());
        let mut forms = forms(secret);
        forms.extend(self::forms(id));
        forms.push(BASE64_STANDARD.encode(format!("{id}:{secret}")));
        forms.retain(|form| form.len() >= SHORTEST_SECRET);
        // The longest first: a part that is replaced would hide the whole.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Scrubber {
            forms: forms.into_iter().map(SecretString::from).collect(),
            tokens: Mutex::default(),
        }
    }

    pub(crate) fn add_token(&self, token: &SecretString) {
        let mut tokens = self.tokens.lock().expect("no holder panics");
        if tokens.len() == TOKENS_KEPT {
            tokens.remove(0);
        }
        tokens.push(token.clone());
    }

    /// The first `limit` bytes of the text on one line, without secrets and without long words.
    pub(crate) fn clean(&self, text: &str, limit: usize) -> String {
        let mut text: String = text
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        let tokens = self.tokens.lock().expect("no holder panics");
        for form in self.forms.iter().chain(tokens.iter()) {
            if text.contains(form.expose_secret()) {
                text = text.replace(form.expose_secret(), HIDDEN);
            }
        }
        drop(tokens);
        let words: Vec<&str> = text
            .split(' ')
            .map(|word| {
                if word.len() >= LONGEST_WORD {
                    HIDDEN
                } else {
                    word
                }
            })
            .collect();
        let mut text = words.join(" ");
        text.truncate(text.floor_char_boundary(limit));
        text
    }
}

/// A secret as it is, in base64, percent-encoded, and as JSON writes it.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut forms = vec![
        BASE64_STANDARD.encode(secret),
        BASE64_STANDARD_NO_PAD.encode(secret),
        BASE64_URL_SAFE_NO_PAD.encode(secret),
        percent.replace('+', "%20"),
        percent,
        json[1..json.len() - 1].replace('/', "\\/"),
        json[1..json.len() - 1].to_owned(),
        secret.to_owned(),
    ];
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_a_secret_comes_back() {
        let scrubber = Scrubber::new(
            &"the-client".to_owned().into(),
            &"s/e\"c r=t".to_owned().into(),
        );
        scrubber.add_token(&"tok-1".to_owned().into());
        for (text, expected) in [
            ("no s/e\"c r=t here", "no *** here"),
            ("no s%2Fe%22c+r%3Dt here", "no *** here"),
            ("no s%2Fe%22c%20r%3Dt here", "no *** here"),
            (r#"no s/e\"c r=t here"#, "no *** here"),
            (r#"no s\/e\"c r=t here"#, "no *** here"),
            ("no cy9lImMgcj10 here", "no *** here"),
            ("bearer tok-1, client the-client", "bearer ***, client ***"),
            ("a\nb\u{1b}[1m", "a b [1m"),
        ] {
            assert_eq!(scrubber.clean(text, 100), expected);
        }
        assert_eq!(scrubber.clean(&"x".repeat(50), 100), "***");
        assert_eq!(scrubber.clean("é é é", 4), "é ");
        assert_eq!(format!("{scrubber:?}"), "Scrubber(***)");
    }
}
