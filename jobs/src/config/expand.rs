//! `${NAME}` and `${file:/path}` inside a value. Knows nothing of job files.

use std::io::Read;
use std::path::Path;

/// Looks up an environment variable.
pub type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// A secret file holds a line, not a book: more is a wrong path.
const LARGEST_FILE_BYTES: u64 = 64 * 1024;

/// Why a reference could not be resolved; holds names and paths, never values.
#[derive(Debug, PartialEq, Eq)]
pub struct Unresolved {
    pub what: String,
    pub hint: String,
}

/// Replaces every reference in `text`; a relative file starts at `folder`.
///
/// One line end at the end of a file is cut, since editors and `echo` leave it there.
pub fn expand(
    text: &str,
    folder: &Path,
    environment: &Environment<'_>,
) -> Result<String, Unresolved> {
    let mut expanded = String::with_capacity(text.len());
    for piece in pieces(text)? {
        match piece {
            Piece::Plain(plain) => expanded.push_str(plain),
            Piece::Variable(name) => expanded.push_str(&variable(name, environment)?),
            Piece::File(path) => expanded.push_str(&file(&folder.join(path))?),
        }
    }
    Ok(expanded)
}

/// Whether any of `text` is more than a reference. A malformed reference is not judged here: it is
/// reported when it is expanded.
pub fn stands_in_clear(text: &str) -> bool {
    let plain = |piece: &Piece<'_>| matches!(piece, Piece::Plain(_));
    pieces(text).is_ok_and(|pieces| pieces.iter().any(plain))
}

/// Whether any of `text` comes from elsewhere, so that its value is not for a message.
pub fn holds_reference(text: &str) -> bool {
    text.contains("${")
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Plain(&'a str),
    Variable(&'a str),
    File(&'a str),
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Unresolved> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if start > 0 {
            pieces.push(Piece::Plain(&rest[..start]));
        }
        let inner = &rest[start + 2..];
        let end = inner.find('}').ok_or_else(|| Unresolved {
            what: "a ${ has no closing }".into(),
            hint: "write ${NAME} or ${file:/path}".into(),
        })?;
        pieces.push(reference(&inner[..end])?);
        rest = &inner[end + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest));
    }
    Ok(pieces)
}

fn reference(inner: &str) -> Result<Piece<'_>, Unresolved> {
    if let Some(path) = inner.strip_prefix("file:") {
        return Ok(Piece::File(path));
    }
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !inner.is_empty()
        && inner.chars().all(letter)
        && !inner.starts_with(|c: char| c.is_ascii_digit())
    {
        return Ok(Piece::Variable(inner));
    }
    // What stands between the braces may be a misplaced secret, so it is not repeated.
    Err(Unresolved {
        what: "a ${…} holds neither the name of a variable nor file:/path".into(),
        hint: "write ${NAME} or ${file:/path}; a name has letters, digits and _".into(),
    })
}

fn variable(name: &str, environment: &Environment<'_>) -> Result<String, Unresolved> {
    let what = match environment(name) {
        Some(value) if !value.is_empty() => return Ok(value),
        Some(_) => format!("the environment variable {name} is empty"),
        None => format!("the environment variable {name} is not set"),
    };
    Err(Unresolved {
        what,
        hint: format!("export {name}=… before the call, or read a file: ${{file:/run/secrets/x}}"),
    })
}

fn file(path: &Path) -> Result<String, Unresolved> {
    let unreadable = |why: &str| Unresolved {
        // A line end in it would break the message in two.
        what: format!(
            "the file {} cannot be read: {why}",
            path.display()
                .to_string()
                .replace(char::is_control, "\u{fffd}")
        ),
        hint: "a relative path starts at the folder of the job file".into(),
    };
    let read = |path: &Path| -> std::io::Result<Option<String>> {
        let mut text = String::new();
        // A device has no length, and no end.
        let mut start = std::fs::File::open(path)?.take(LARGEST_FILE_BYTES + 1);
        start.read_to_string(&mut text)?;
        Ok((text.len() as u64 <= LARGEST_FILE_BYTES).then_some(text))
    };
    let text = read(path)
        .map_err(|error| unreadable(&super::reason(&error)))?
        .ok_or_else(|| unreadable("it is larger than 64 KiB, which no secret is"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match text.is_empty() {
        true => Err(unreadable("it is empty")),
        false => Ok(text.to_owned()),
    }
}
