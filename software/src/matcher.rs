//! Finding many phrases in folded text at once, whole words only.

use aho_corasick::{AhoCorasick, MatchKind};
use rustc_hash::FxHashMap;

/// Phrases with what each stands for.
#[derive(Debug, Clone)]
pub(crate) struct Matcher<T> {
    automaton: AhoCorasick,
    patterns: Vec<Pattern<T>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Pattern<T> {
    /// The phrase, folded, without wildcards.
    pub text: String,
    pub targets: Vec<T>,
    /// Whether a word may go on after the phrase (`software*`).
    open: bool,
}

/// Where a pattern was found: bytes of the folded text, without the space before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    pub pattern: u32,
    pub start: u32,
    pub end: u32,
}

impl Hit {
    /// Whether `other` lies inside this one and is shorter.
    pub fn swallows(&self, other: &Hit) -> bool {
        self.start <= other.start
            && other.end <= self.end
            && self.end - self.start > other.end - other.start
    }
}

/// Collects phrases; equal ones share a pattern.
#[derive(Debug)]
pub(crate) struct Phrases<T> {
    places: FxHashMap<String, usize>,
    needles: Vec<String>,
    patterns: Vec<Pattern<T>>,
}

impl<T> Default for Phrases<T> {
    fn default() -> Self {
        Phrases {
            places: FxHashMap::default(),
            needles: Vec::new(),
            patterns: Vec::new(),
        }
    }
}

impl<T: PartialEq> Phrases<T> {
    /// Adds a phrase that is folded already, but for a `*` at its front or end, which stands for
    /// any letters of the same word.
    pub fn add(&mut self, phrase: &str, target: T) {
        let text = phrase.trim_matches('*').trim();
        if text.is_empty() {
            return;
        }
        let needle = if phrase.starts_with('*') {
            text.to_string()
        } else {
            format!(" {text}")
        };
        let open = phrase.ends_with('*');
        let key = format!("{needle}{}", if open { "*" } else { "" });
        let place = *self.places.entry(key).or_insert_with(|| {
            self.needles.push(needle);
            self.patterns.push(Pattern {
                text: text.to_string(),
                targets: Vec::new(),
                open,
            });
            self.patterns.len() - 1
        });
        let targets = &mut self.patterns[place].targets;
        if !targets.contains(&target) {
            targets.push(target);
        }
    }

    pub fn build(self) -> Matcher<T> {
        Matcher {
            automaton: AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .build(&self.needles)
                .expect("phrases are far from the automaton's limit of 2^31 states"),
            patterns: self.patterns,
        }
    }
}

impl<T> Matcher<T> {
    /// Appends all hits in `text`, which is folded with its outer spaces.
    pub fn scan(&self, text: &str, hits: &mut Vec<Hit>) {
        let bytes = text.as_bytes();
        for m in self.automaton.find_overlapping_iter(text) {
            let id = m.pattern().as_usize();
            let whole = self.patterns[id].open || bytes.get(m.end()) == Some(&b' ');
            if whole {
                let start = m.start() + usize::from(bytes[m.start()] == b' ');
                hits.push(Hit {
                    pattern: m.pattern().as_u32(),
                    start: start as u32,
                    end: m.end() as u32,
                });
            }
        }
    }

    pub fn pattern(&self, hit: &Hit) -> &Pattern<T> {
        &self.patterns[hit.pattern as usize]
    }

    pub fn text(&self, pattern: u32) -> &str {
        &self.patterns[pattern as usize].text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(phrases: &[&str], text: &str) -> Vec<String> {
        let mut p = Phrases::default();
        for phrase in phrases {
            p.add(phrase, ());
        }
        let matcher = p.build();
        let mut hits = Vec::new();
        matcher.scan(text, &mut hits);
        hits.iter()
            .map(|h| matcher.text(h.pattern).to_string())
            .collect()
    }

    #[test]
    fn whole_words_only() {
        assert_eq!(found(&["box"], " box boxes inbox "), ["box"]);
        assert_eq!(found(&["software*"], " softwarelizenz "), ["software"]);
        assert_eq!(
            found(&["*software"], " buchhaltungssoftware "),
            ["software"]
        );
    }

    #[test]
    fn neighbours_share_a_space_and_overlaps_are_all_found() {
        assert_eq!(
            found(&["jira", "jira software", "software"], " jira software "),
            ["jira", "jira software", "software"]
        );
    }
}
