//! What no text of this process may show: the last guard behind types that do not print their secrets.
//!
//! Others' texts end up in our errors and logs: a store may repeat the headers that it was sent. Whoever reads a
//! secret hides it here; whoever prints a text that others wrote cleans it here.

use std::borrow::Cow;
use std::sync::RwLock;

use secrecy::{ExposeSecret, SecretString};

use crate::scrub::{HIDDEN, SHORTEST_SECRET, forms};

/// Every form of every secret, the longest first: a part that is replaced would hide the whole.
static FORMS: RwLock<Vec<SecretString>> = RwLock::new(Vec::new());

/// Hides a secret in all that [`clean`] lets through from now on: as it is, in base64, percent-encoded, and as JSON
/// writes it. One of less than three letters is left, since it would black out whole sentences.
pub fn hide(secret: &SecretString) {
    let mut hidden = FORMS.write().expect("no holder panics");
    for form in forms(secret.expose_secret()) {
        let known = || hidden.iter().any(|one| one.expose_secret() == form);
        if form.len() >= SHORTEST_SECRET && !known() {
            hidden.push(form.into());
        }
    }
    hidden.sort_by_key(|form| std::cmp::Reverse(form.expose_secret().len()));
}

/// The text without what was hidden.
pub fn clean(text: &str) -> Cow<'_, str> {
    let mut cleaned = Cow::Borrowed(text);
    for form in FORMS.read().expect("no holder panics").iter() {
        let form = form.expose_secret();
        if cleaned.contains(form) {
            cleaned = Cow::Owned(cleaned.replace(form, HIDDEN));
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_not_shown() {
        hide(&"hidden/away \"here\"".to_owned().into());
        hide(&"hidden/away \"here\" and more".to_owned().into());
        hide(&"xy".to_owned().into());
        for (text, expected) in [
            ("a hidden/away \"here\".", "a ***."),
            ("a hidden/away \"here\" and more.", "a ***."),
            ("a hidden%2Faway%20%22here%22.", "a ***."),
            (r#"a hidden/away \"here\"."#, "a ***."),
            ("a aGlkZGVuL2F3YXkgImhlcmUi.", "a ***."),
            ("xy stays", "xy stays"),
        ] {
            assert_eq!(clean(text), expected);
        }
    }
}
