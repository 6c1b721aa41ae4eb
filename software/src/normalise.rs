//! Text to a form in which case, accents, punctuation and legal forms make no difference.

use rustc_hash::FxHashSet;

/// Appends `text` to `out` as lower-case ASCII words with one space before, between and after:
/// ` microsoft 365 e3 `. An `&` reads "and", a `+` "plus"; apostrophes vanish, so that
/// "Moody's" is one word; every other sign separates.
///
/// `out` must be empty or end in a space.
pub(crate) fn fold(text: &str, out: &mut String) {
    if !out.ends_with(' ') {
        out.push(' ');
    }
    for c in text.chars() {
        if c.is_ascii() {
            fold_ascii(c as u8, out);
        } else if matches!(c, '®' | '™' | '©' | '–' | '—' | '·' | '•') {
            separate(out);
        } else if !matches!(c, '’' | '‘' | 'ʼ') {
            for b in deunicode::deunicode_char(c).unwrap_or("").bytes() {
                fold_ascii(b, out);
            }
        }
    }
    separate(out);
}

/// `text` folded, without the outer spaces.
pub(crate) fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    fold(text, &mut out);
    out.trim().to_string()
}

fn fold_ascii(b: u8, out: &mut String) {
    match b {
        b'a'..=b'z' | b'0'..=b'9' => out.push(b as char),
        b'A'..=b'Z' => out.push(b.to_ascii_lowercase() as char),
        b'&' => word("and", out),
        b'+' => word("plus", out),
        b'\'' | b'`' => {}
        _ => separate(out),
    }
}

fn word(text: &str, out: &mut String) {
    separate(out);
    out.push_str(text);
    out.push(' ');
}

fn separate(out: &mut String) {
    if !out.ends_with(' ') {
        out.push(' ');
    }
}

/// Words at the end of a company's name that do not tell companies apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct NameWords {
    /// Legal forms and countries: "ltd", "gmbh", "uk".
    pub forms: FxHashSet<String>,
    /// What many firms are called besides: "software", "group".
    pub generic: FxHashSet<String>,
}

/// A supplier's name in the forms it is looked up by, most telling first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// Without legal form, country, brackets: `zendesk international`, less its last word.
    pub key: String,
    /// Also without generic words: `phoenix` for Phoenix Software; equal to `key` if there are none.
    pub base: String,
}

impl NameWords {
    /// The key of a company's name.
    pub fn key(&self, name: &str) -> Key {
        let text = folded(&without_brackets(name));
        let mut words = join_initials(&text);
        if words.len() > 1 && words[0] == "the" {
            words.remove(0);
        }
        // Numbers at the end are a shop's, a telephone's, a customer's.
        while words.len() > 1 && words.last().is_some_and(|w| is_number(w)) {
            words.pop();
        }
        self.strip(&mut words, |w| self.forms.contains(w));
        let key = words.join(" ");
        self.strip(&mut words, |w| {
            self.forms.contains(w) || self.generic.contains(w)
        });
        Key {
            key,
            base: words.join(" "),
        }
    }

    /// Drops words from the end as long as `drops` says so, two words at once where they are one
    /// term ("united kingdom"), and never the last one left.
    fn strip(&self, words: &mut Vec<String>, drops: impl Fn(&str) -> bool) {
        loop {
            let n = words.len();
            if n > 2 && drops(&format!("{} {}", words[n - 2], words[n - 1])) {
                words.truncate(n - 2);
            } else if n > 1 && drops(&words[n - 1]) {
                words.truncate(n - 1);
            } else {
                return;
            }
        }
    }
}

fn is_number(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    digits == word.len() && digits >= 3 || digits > 0 && word.len() >= 6
}

/// The name before and after "trading as" and its like: `(legal, trading)`. What follows "c/o" or
/// "formerly" is another firm or an old name, and is dropped.
pub(crate) fn trading_names(name: &str) -> (&str, Option<&str>) {
    const TRADING: [&str; 4] = [" t/a ", " trading as ", " dba ", " d/b/a "];
    const OTHER: [&str; 2] = [" c/o ", " formerly "];
    let lower = name.to_ascii_lowercase();
    let at = |mark: &&str| {
        lower
            .find(mark)
            .filter(|at| *at > 0)
            .map(|at| (at, mark.len()))
    };
    if let Some((at, _)) = OTHER.iter().find_map(at) {
        return (&name[..at], None);
    }
    match TRADING.iter().find_map(at) {
        Some((at, len)) => (&name[..at], Some(&name[at + len..])),
        None => (name, None),
    }
}

/// Drops what stands in brackets, unless nothing else is left.
pub(crate) fn without_brackets(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut depth = 0usize;
    for c in name.chars() {
        match c {
            '(' | '[' => {
                depth += 1;
                out.push(' ');
            }
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    if out.trim().is_empty() {
        name.to_string()
    } else {
        out
    }
}

/// Words of folded text; runs of single letters become one ("b v" is "bv").
fn join_initials(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    for w in text.split(' ').filter(|w| !w.is_empty()) {
        let single = w.len() == 1 && w.as_bytes()[0].is_ascii_alphabetic();
        match words.last_mut() {
            Some(last) if single && open => last.push_str(w),
            _ => words.push(w.to_string()),
        }
        open = single;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> NameWords {
        let set = |words: &str| words.split('|').map(str::to_string).collect();
        NameWords {
            forms: set("ltd|gmbh|inc|bv|sa|uk|united kingdom|llc"),
            generic: set("software|group|international"),
        }
    }

    #[test]
    fn folding_levels_case_accents_and_signs() {
        assert_eq!(folded("Société  GÉNÉRALE®"), "societe generale");
        assert_eq!(folded("Moody’s & Co."), "moodys and co");
        assert_eq!(folded("Ｍicrosoft\u{a0}365+"), "microsoft 365 plus");
        assert_eq!(folded("Straße/Ørsted"), "strasse orsted");
        assert_eq!(folded("!!!"), "");
    }

    #[test]
    fn keys_drop_legal_forms_and_countries() {
        let n = names();
        let key = |name: &str| n.key(name).key;
        assert_eq!(key("Zendesk, Inc."), "zendesk");
        assert_eq!(key("The Phoenix Software (UK) Ltd"), "phoenix software");
        assert_eq!(n.key("Phoenix Software Ltd").base, "phoenix");
        assert_eq!(key("IBM United Kingdom Ltd"), "ibm");
        assert_eq!(key("Exact B.V."), "exact");
        assert_eq!(key("ZOOM.US 888-799-9666"), "zoom us");
        assert_eq!(key("Ltd"), "ltd");
        assert_eq!(key("(UK)"), "uk");
    }

    #[test]
    fn trading_names_are_split() {
        assert_eq!(
            trading_names("Respond Group Ltd dba Aptean"),
            ("Respond Group Ltd", Some("Aptean"))
        );
        assert_eq!(trading_names("Dbase"), ("Dbase", None));
        assert_eq!(trading_names("Lodge Ltd c/o Deloitte"), ("Lodge Ltd", None));
    }
}
