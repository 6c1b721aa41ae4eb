//! Where a statement ends: at a semicolon that is not inside quotes or a comment.

/// Whether `text` is whole: it ends with `;`, or is a command of one line.
pub fn is_whole(text: &str) -> bool {
    let trimmed = text.trim();
    trimmed.is_empty() || trimmed.starts_with('\\') || ends_with_semicolon(trimmed)
}

fn ends_with_semicolon(text: &str) -> bool {
    let mut letters = text.chars().peekable();
    let mut ended = false;
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        match (letter, next) {
            ('\'' | '"', _) => {
                ended = false;
                // A doubled quote ends one text and begins another: the same for our question.
                if !letters.any(|inner| inner == letter) {
                    return false;
                }
            }
            ('-', Some('-')) => while letters.next().is_some_and(|inner| inner != '\n') {},
            ('/', Some('*')) => {
                let mut before = ' ';
                letters.next();
                let closed = letters.any(|inner| {
                    let closes = before == '*' && inner == '/';
                    before = inner;
                    closes
                });
                if !closed {
                    return false;
                }
            }
            (';', _) => ended = true,
            (blank, _) if blank.is_whitespace() => {}
            _ => ended = false,
        }
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_at_its_semicolon() {
        for whole in [
            "",
            "\\d",
            "SELECT 1;",
            "SELECT ';' ; -- done",
            "SELECT 'it''s';\n",
            "SELECT 1 /* ; */;",
        ] {
            assert!(is_whole(whole), "{whole}");
        }
        for open in [
            "SELECT 1",
            "SELECT ';",
            "SELECT 1 -- ;",
            "SELECT 1 /* ;",
            "SELECT \"a;\"",
            "SELECT 1; SELECT 2",
        ] {
            assert!(!is_whole(open), "{open}");
        }
    }
}
