//! Commodity codes: UNSPSC, CPV and other lists that tell software from its neighbours.

use rustc_hash::FxHashMap;

use crate::catalogue::{Catalogue, Code};
use crate::signal::Signal;

/// Codes by scheme, each with its signal and title.
#[derive(Debug, Clone, Default)]
pub(crate) struct Codes {
    exact: FxHashMap<(Scheme, String), (Signal, String)>,
    prefixes: FxHashMap<(Scheme, String), (Signal, String)>,
    /// Category by UNSPSC code.
    categories: FxHashMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Unspsc,
    Cpv,
}

impl Codes {
    pub fn new(catalogue: &Catalogue) -> Codes {
        let mut codes = Codes::default();
        for code in &catalogue.codes {
            let (Some(scheme), Some(signal)) = (scheme(&code.scheme), signal(code)) else {
                continue;
            };
            let digits: String = code.code.chars().filter(char::is_ascii_digit).collect();
            let digits = match scheme {
                Scheme::Cpv if digits.len() == 9 => digits[..8].to_string(),
                _ => digits,
            };
            let title = (signal, code.title.clone());
            if code.reach == "prefix" {
                codes.prefixes.insert((scheme, digits), title);
            } else {
                codes.exact.insert((scheme, digits), title);
            }
        }
        let mut votes: FxHashMap<&str, FxHashMap<&str, usize>> = FxHashMap::default();
        for term in &catalogue.terms {
            for code in term.unspsc.split('|').filter(|c| c.len() == 8) {
                *votes
                    .entry(code)
                    .or_default()
                    .entry(&term.category)
                    .or_default() += 1;
            }
        }
        for (code, votes) in votes {
            let most = votes
                .into_iter()
                .max_by_key(|(name, n)| (*n, std::cmp::Reverse(*name)));
            if let Some((category, _)) = most {
                codes
                    .categories
                    .insert(code.to_string(), category.to_string());
            }
        }
        codes
    }

    /// What a code says, with its title: the exact code first, then the longest known front of it.
    ///
    /// A whole UNSPSC code of no known family is `CodeOther`. A text without a code is `None`.
    pub fn look_up(&self, scheme: Scheme, code: &str) -> Option<(Signal, &str)> {
        let digits = leading_digits(code)?;
        if let Some((signal, title)) = self.exact.get(&(scheme, digits.to_string())) {
            return Some((*signal, title));
        }
        // Trailing pairs of zeros stand for "all of this class, family or segment".
        let mut front = digits;
        while front.len() > 2 && front.ends_with("00") {
            front = &front[..front.len() - 2];
        }
        for n in (2..=front.len()).rev() {
            if let Some((signal, title)) = self.prefixes.get(&(scheme, front[..n].to_string())) {
                return Some((*signal, title));
            }
        }
        if scheme == Scheme::Cpv {
            // A CPV code's parents are itself with more zeros at the end.
            for n in (2..digits.len()).rev() {
                let parent = format!("{:0<8}", &digits[..n]);
                if let Some((signal, title)) = self.exact.get(&(scheme, parent)) {
                    return Some((*signal, title));
                }
            }
        }
        match scheme {
            Scheme::Unspsc if front == "43" => Some((Signal::CodeMixed, "Information technology")),
            Scheme::Unspsc if digits.starts_with("8111") => {
                Some((Signal::CodeMixed, "Computer services"))
            }
            Scheme::Unspsc => Some((Signal::CodeOther, "")),
            Scheme::Cpv if front.starts_with("48") => Some((
                Signal::CodeSoftware,
                "Software package and information systems",
            )),
            Scheme::Cpv => Some((Signal::CodeOther, "")),
        }
    }

    /// The category that an UNSPSC code stands for.
    pub fn category(&self, code: &str) -> Option<&str> {
        self.categories
            .get(leading_digits(code)?)
            .map(String::as_str)
    }
}

/// The code that a commodity text begins with, and its scheme: `43231513`, `43231513 - Office`,
/// `48000000-8`.
pub(crate) fn code_in(commodity: &str) -> Option<(Scheme, &str)> {
    let text = commodity.trim();
    // Shorter numbers are a company's own.
    let digits = leading_digits(text).filter(|d| d.len() == 8)?;
    let rest = &text.as_bytes()[digits.len()..];
    let check_digit = rest.first() == Some(&b'-')
        && rest.get(1).is_some_and(u8::is_ascii_digit)
        && !rest.get(2).is_some_and(u8::is_ascii_digit);
    Some((
        if check_digit {
            Scheme::Cpv
        } else {
            Scheme::Unspsc
        },
        text,
    ))
}

/// The eight digits that a code begins with; UNSPSC codes may be cut to six, four or, with a
/// business function, lengthened to ten.
fn leading_digits(code: &str) -> Option<&str> {
    let code = code.trim();
    let end = code
        .bytes()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(code.len());
    match end {
        8 => Some(&code[..8]),
        10 => Some(&code[..8]),
        4 | 6 if end == code.len() => Some(&code[..end]),
        _ => None,
    }
}

fn scheme(name: &str) -> Option<Scheme> {
    match name {
        "UNSPSC" => Some(Scheme::Unspsc),
        "CPV" => Some(Scheme::Cpv),
        _ => None,
    }
}

fn signal(code: &Code) -> Option<Signal> {
    Some(match code.class.as_str() {
        "software" | "saas" | "software_maintenance" | "cloud_infrastructure" => {
            Signal::CodeSoftware
        }
        "mixed" => Signal::CodeMixed,
        "it_services" => Signal::CodeItService,
        "it_hardware" => Signal::CodeHardware,
        "telecom" => Signal::CodeTelecom,
        "digital_content" => Signal::CodeContent,
        "not_software" => Signal::CodeOther,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: Option<Signal>) {
        let codes = Codes::new(&Catalogue::embedded().expect("embedded data reads"));
        let found = code_in(code).and_then(|(scheme, code)| codes.look_up(scheme, code));
        assert_eq!(found.map(|(signal, _)| signal), expected, "{code}");
    }

    #[test]
    fn codes_are_read_exactly_by_front_and_with_text() {
        check("43231513", Some(Signal::CodeSoftware));
        check("43230000", Some(Signal::CodeSoftware));
        check("43239999 Something new", Some(Signal::CodeSoftware));
        check("43211503", Some(Signal::CodeHardware));
        check("81112200", Some(Signal::CodeSoftware));
        check("81111500", Some(Signal::CodeItService));
        check("56101504", Some(Signal::CodeOther));
        check("48000000-8", Some(Signal::CodeSoftware));
        check("30213100-6", Some(Signal::CodeOther));
        check("48217101-1", Some(Signal::CodeSoftware));
        check("6510", None);
        check("IT software", None);
        check("", None);
    }
}
