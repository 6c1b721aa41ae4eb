//! Bytes that are not UTF-8: a fault of one record where they are few, of the page where it is
//! another encoding. Nothing is guessed.

use super::DecodeError;

/// A page as text, and where in it a character stands for bytes that were none.
pub(super) struct Mended {
    pub text: String,
    pub places: Vec<usize>,
}

/// Broken characters of a page beyond which it is another encoding.
const MOST_BROKEN: usize = 10_000;

/// Begins like UTF-16 or UTF-32: no JSON text has a zero byte among its first four.
pub(super) fn check_start(body: &[u8]) -> Result<(), DecodeError> {
    match body.iter().take(4).position(|byte| *byte == 0) {
        Some(at) => Err(DecodeError::NotUtf8 { at }),
        None => Ok(()),
    }
}

pub(super) fn mend(body: &[u8]) -> Result<Mended, DecodeError> {
    let mut mended = Mended {
        text: String::with_capacity(body.len() + 64),
        places: Vec::new(),
    };
    let mut at = 0;
    for chunk in body.utf8_chunks() {
        mended.text.push_str(chunk.valid());
        at += chunk.valid().len();
        if chunk.invalid().is_empty() {
            continue;
        }
        let listed = mended.text.trim_ascii_start().starts_with(['[', '{']);
        if !listed || mended.places.len() == MOST_BROKEN {
            return Err(DecodeError::NotUtf8 { at });
        }
        at += chunk.invalid().len();
        mended.places.push(mended.text.len());
        mended.text.push(char::REPLACEMENT_CHARACTER);
    }
    Ok(mended)
}
