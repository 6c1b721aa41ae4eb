//! What goes into a page without being its text: data for its script, and the hashes that allow one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A value as JSON that can stand inside a `script` element, whatever texts it holds.
///
/// `<`, `>` and `&` could end the element or begin another, U+2028 and U+2029 a line of script.
pub fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let plain = serde_json::to_string(value)?;
    let mut safe = String::with_capacity(plain.len());
    for letter in plain.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                safe.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            other => safe.push(other),
        }
    }
    Ok(safe)
}

/// The name under which a policy allows an inline script or style: `'sha256-…'`.
pub fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_element() {
        let text = "</script><!--&amp;\u{2028}\u{2029}\"\\'";
        let embedded = json(&text).expect("text is JSON");
        for letter in ['<', '>', '&', '\u{2028}', '\u{2029}'] {
            assert!(!embedded.contains(letter), "{embedded}");
        }
        let back: String = serde_json::from_str(&embedded).expect("still JSON");
        assert_eq!(back, text);
    }

    #[test]
    fn a_hash_is_what_browsers_reckon() {
        // The example of the policy's specification.
        let expected = "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='";
        assert_eq!(hash("alert('Hello, world.');"), expected);
    }
}
