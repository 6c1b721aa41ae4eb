//! Whether two names mean one company, and how that is known.

use super::words::Kind;

/// A word of the list that is matched.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub text: String,
    pub kind: Kind,
    /// In how many distinct names of the list it stands.
    pub names: u32,
}

impl Word {
    /// Whether the word alone can tell a company: no common word, and not in many names.
    fn tells(&self, all: usize) -> bool {
        self.kind == Kind::Own
            && self.text.len() >= 3
            && !is_number(&self.text)
            && f64::from(self.names) <= (2.0 * (all.max(1) as f64).ln()).max(6.0)
    }
}

/// A name as words of the list, in the order written.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub words: Vec<u32>,
    /// All words without spaces.
    pub compact: String,
    /// The words that are not neutral, without spaces.
    pub named: String,
    pub person: bool,
}

/// How two names were found to be one company's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// The user's own word.
    Decision,
    TaxNumber,
    Duns,
    /// The same web or e-mail domain.
    Domain,
    /// The same name, legal form, country, case and abbreviations aside.
    Name,
    /// Legal and trading name in one.
    TradingName,
    /// The same words in another order, or written apart.
    WordOrder,
    /// Two names of one vendor of the catalogue.
    Alias,
    /// A slip of the pen.
    Spelling,
    /// One name says more about structure, place or trade.
    Subset,
    /// The initials of the other.
    Acronym,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Method::Decision => "decision",
            Method::TaxNumber => "tax_number",
            Method::Duns => "duns",
            Method::Domain => "domain",
            Method::Name => "name",
            Method::TradingName => "trading_name",
            Method::WordOrder => "word_order",
            Method::Alias => "alias",
            Method::Spelling => "spelling",
            Method::Subset => "subset",
            Method::Acronym => "acronym",
        }
    }
}

/// Links of at least this score are made; those below are proposed.
pub const LINKED: f32 = 0.8;
/// Below this nothing is said.
pub const PROPOSED: f32 = 0.5;

/// The words of a list of names.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    pub words: Vec<Word>,
    /// Distinct names.
    pub names: usize,
}

/// Words left over on one side after what both have in common.
#[derive(Debug, Default, Clone, Copy)]
struct Rest {
    neutral: usize,
    /// Neutral words that only tie others together.
    little: usize,
    trade: usize,
    /// Single letters: "J Sainsbury".
    initials: usize,
    other: usize,
    numbers: usize,
}

impl Rest {
    fn is_empty(self) -> bool {
        self.neutral == 0 && self.only_neutral()
    }

    fn only_little(self) -> bool {
        self.neutral == self.little && self.only_neutral()
    }

    fn only_neutral(self) -> bool {
        self.trade == 0 && self.no_names()
    }

    fn no_names(self) -> bool {
        self.initials + self.other + self.numbers == 0
    }
}

impl Vocabulary {
    /// Compares two different names. `None`: nothing speaks for one company.
    pub fn compare(&self, a: &Name, b: &Name) -> Option<(Method, f32)> {
        if a.person || b.person || a.words.is_empty() || b.words.is_empty() {
            return None;
        }
        if a.words == b.words {
            return Some((Method::Name, 1.0));
        }
        if a.compact == b.compact {
            let long = a.compact.len() >= 4;
            return Some((Method::WordOrder, if long { 0.97 } else { 0.85 }));
        }
        if a.named == b.named && a.named.len() >= 5 && a.words.len() != b.words.len() {
            // Only structure and place differ. What is left must be a name.
            let one_word = self.named(a) == 1 || self.named(b) == 1;
            let own = [a, b]
                .iter()
                .any(|n| n.words.iter().any(|w| self.word(*w).kind == Kind::Own));
            match (own, one_word) {
                (true, _) => return Some((Method::Subset, 0.9)),
                (false, false) => return Some((Method::Subset, 0.85)),
                (false, true) => {}
            }
        }
        let shared = self.align(a, b);
        let found = self.judge(a, b, &shared);
        if found.is_some_and(|(_, score)| score >= LINKED) {
            return found;
        }
        let other = self.acronym(a, b).or_else(|| self.slip(a, b));
        match (found, other) {
            (Some(f), Some(o)) => Some(if o.1 > f.1 { o } else { f }),
            (found, other) => found.or(other),
        }
    }

    fn word(&self, id: u32) -> &Word {
        &self.words[id as usize]
    }

    /// How many words of a name are not neutral.
    fn named(&self, name: &Name) -> usize {
        let named = |w: &&u32| self.word(**w).kind != Kind::Neutral;
        name.words.iter().filter(named).count()
    }

    /// Pairs of words that are the same or a slip apart: equal ones first.
    fn align(&self, a: &Name, b: &Name) -> Shared {
        let mut shared = Shared {
            used_a: vec![false; a.words.len()],
            used_b: vec![false; b.words.len()],
            ..Shared::default()
        };
        for (i, x) in a.words.iter().enumerate() {
            let free = |j: &usize| !shared.used_b[*j] && b.words[*j] == *x;
            if let Some(j) = (0..b.words.len()).find(free) {
                shared.used_a[i] = true;
                shared.used_b[j] = true;
                shared.note(self.word(*x), self.names);
                shared.leading &= i == j;
            }
        }
        for (i, x) in a.words.iter().enumerate() {
            if shared.used_a[i] {
                continue;
            }
            let x = self.word(*x);
            let near = (0..b.words.len())
                .find(|j| !shared.used_b[*j] && is_slip(&x.text, &self.word(b.words[*j]).text));
            if let Some(j) = near {
                let y = self.word(b.words[j]);
                shared.used_a[i] = true;
                shared.used_b[j] = true;
                let umlaut = plain_vowels(&x.text) == plain_vowels(&y.text);
                // Two words that are both at home in names are two words: Clark is not Clarke.
                let both_real =
                    x.kind != Kind::Own && y.kind != Kind::Own || x.names.min(y.names) >= 3;
                shared.slips += 1;
                shared.light &= is_light(&x.text, &y.text);
                shared.doubtful |= both_real && !umlaut;
                shared.shortest_slip = shared.shortest_slip.min(x.text.len().min(y.text.len()));
                if x.kind == Kind::Own || y.kind == Kind::Own {
                    shared.slipped_own += 1;
                }
            }
        }
        shared
    }

    fn judge(&self, a: &Name, b: &Name, shared: &Shared) -> Option<(Method, f32)> {
        let rest_a = self.rest(a, &shared.used_a);
        let rest_b = self.rest(b, &shared.used_b);
        // A slip in the only word that tells is weak ground for more than a slip.
        let telling =
            shared.telling + usize::from(shared.slipped_own > 0 && shared.shortest_slip >= 8);
        let spelled = shared.slips > 0;
        let method = |plain| if spelled { Method::Spelling } else { plain };
        if rest_a.is_empty() && rest_b.is_empty() {
            if !spelled {
                let anything = shared.words >= 2;
                return anything.then_some((Method::WordOrder, 0.95));
            }
            let sure = !shared.doubtful
                && shared.slips == 1
                && (shared.shortest_slip >= 8 || shared.light);
            let score = if sure { 0.9 } else { 0.65 };
            return Some((Method::Spelling, score));
        }
        if rest_a.only_little() && rest_b.only_little() && !spelled && shared.words >= 2 {
            return Some((Method::WordOrder, 0.92));
        }
        if spelled && (shared.doubtful || shared.slips > 1 || shared.shortest_slip < 6) {
            return (telling > 0).then_some((Method::Spelling, 0.5));
        }
        let off = if spelled { 0.04 } else { 0.0 };
        let named = shared.words - shared.neutral;
        let score = if rest_a.is_empty() || rest_b.is_empty() {
            let rest = if rest_a.is_empty() { rest_b } else { rest_a };
            if rest.only_neutral() {
                match (telling, named) {
                    (1.., _) => 0.93,
                    (0, 2..) if shared.leading => 0.88,
                    (0, 1..) => 0.6,
                    _ => return None,
                }
            } else if rest.no_names() {
                match (telling, named) {
                    (1.., 2..) if shared.leading => 0.88,
                    (1.., _) if rest.trade == 1 && shared.leading && shared.rare => 0.84,
                    (0, 2..) if shared.leading => 0.75,
                    (1.., _) => 0.7,
                    _ => return None,
                }
            } else if rest.trade + rest.other + rest.numbers == 0 {
                // Another letter would be another person; none is the same firm, if its name tells.
                match telling {
                    1.. => 0.82,
                    0 => 0.5,
                }
            } else if rest.numbers > 0 {
                if telling == 0 && named < 2 {
                    return None;
                }
                0.55
            } else {
                match (telling, named) {
                    (1.., 3..) if shared.leading => 0.82,
                    (2.., _) if shared.leading && rest.other == 1 => 0.75,
                    (1.., _) if shared.leading => 0.6,
                    _ => return None,
                }
            }
        } else if rest_a.only_neutral() && rest_b.only_neutral() {
            match (telling, named) {
                (1.., _) => 0.9,
                (0, 2..) if shared.leading => 0.75,
                (0, 1..) => 0.5,
                _ => return None,
            }
        } else if rest_a.no_names() && rest_b.no_names() {
            let one_trade = rest_a.trade == 0 || rest_b.trade == 0;
            match (telling, named) {
                (1.., 2..) if one_trade => 0.82,
                (1.., _) => 0.6,
                (0, 2..) => 0.5,
                _ => return None,
            }
        } else {
            let more = |rest: Rest| rest.initials + rest.other + rest.numbers;
            let more = more(rest_a) + more(rest_b);
            if telling == 0 || named < 3 || more > 2 {
                return None;
            }
            0.5
        };
        Some((method(Method::Subset), score - off))
    }

    fn rest(&self, name: &Name, used: &[bool]) -> Rest {
        let mut rest = Rest::default();
        for (id, used) in name.words.iter().zip(used) {
            if *used {
                continue;
            }
            let word = self.word(*id);
            match word.kind {
                _ if is_number(&word.text) => rest.numbers += 1,
                _ if word.text.len() == 1 => rest.initials += 1,
                Kind::Neutral => {
                    rest.neutral += 1;
                    rest.little += usize::from(is_little(&word.text));
                }
                Kind::Trade => rest.trade += 1,
                Kind::Common | Kind::Own => rest.other += 1,
            }
        }
        rest
    }

    /// "ABB" and "Asea Brown Boveri": up to four letters are proposed, more are enough.
    fn acronym(&self, a: &Name, b: &Name) -> Option<(Method, f32)> {
        let of = |short: &Name, long: &Name| {
            let [word] = short.words[..] else {
                return false;
            };
            let word = &self.word(word).text;
            word.len() >= 3 && long.words.len() >= 3 && self.initials(long).any(|i| i == *word)
        };
        (of(a, b) || of(b, a)).then(|| {
            let letters = a.compact.len().min(b.compact.len());
            (Method::Acronym, if letters >= 5 { 0.82 } else { 0.6 })
        })
    }

    /// Initials with and without the little words.
    pub fn initials(&self, name: &Name) -> impl Iterator<Item = String> {
        let all: String = name
            .words
            .iter()
            .filter_map(|w| self.word(*w).text.chars().next())
            .collect();
        let long: String = name
            .words
            .iter()
            .map(|w| self.word(*w).text.as_str())
            .filter(|w| !is_little(w))
            .filter_map(|w| w.chars().next())
            .collect();
        let second = (long != all && long.len() >= 3).then_some(long);
        std::iter::once(all).chain(second)
    }

    /// Names that differ by one letter when written without spaces: "Face Bok".
    fn slip(&self, a: &Name, b: &Name) -> Option<(Method, f32)> {
        if a.words.len() == b.words.len() {
            return None;
        }
        let short = a.compact.len().min(b.compact.len());
        let light = is_light(&a.compact, &b.compact);
        (short >= 8 && is_slip(&a.compact, &b.compact))
            .then_some((Method::Spelling, if light { 0.85 } else { 0.6 }))
    }
}

#[derive(Debug)]
struct Shared {
    used_a: Vec<bool>,
    used_b: Vec<bool>,
    /// Equal words, and those of them that are neutral or that tell a company.
    words: usize,
    neutral: usize,
    telling: usize,
    /// Whether one of them is long and in hardly any other name.
    rare: bool,
    /// Whether the equal words stand at the same places of both names.
    leading: bool,
    /// Pairs of words a slip apart.
    slips: usize,
    slipped_own: usize,
    doubtful: bool,
    /// Whether all slips are of the lightest kind.
    light: bool,
    shortest_slip: usize,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared {
            used_a: Vec::new(),
            used_b: Vec::new(),
            words: 0,
            neutral: 0,
            telling: 0,
            rare: false,
            leading: true,
            slips: 0,
            slipped_own: 0,
            doubtful: false,
            light: true,
            shortest_slip: usize::MAX,
        }
    }
}

impl Shared {
    fn note(&mut self, word: &Word, all: usize) {
        self.words += 1;
        self.neutral += usize::from(word.kind == Kind::Neutral);
        self.telling += usize::from(word.tells(all));
        self.rare |= word.tells(all) && word.text.len() >= 6 && word.names <= 5;
    }
}

fn is_little(word: &str) -> bool {
    const LITTLE: [&str; 14] = [
        "and", "of", "the", "for", "to", "in", "at", "de", "la", "und", "et", "y", "e", "du",
    ];
    LITTLE.contains(&word)
}

pub(crate) fn is_number(word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_digit())
}

/// "mueller" as "muller", which is how an umlaut folds.
fn plain_vowels(word: &str) -> String {
    word.replace("ue", "u")
        .replace("oe", "o")
        .replace("ae", "a")
}

/// Whether two words sound alike, differ in the order of two letters, or in an "s" at the end.
fn is_light(a: &str, b: &str) -> bool {
    let sound = |text: &str| {
        let mut bytes = plain_vowels(text)
            .replace("ph", "f")
            .replace("ck", "k")
            .into_bytes();
        bytes.dedup();
        bytes
    };
    let sorted = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.sort_unstable();
        bytes
    };
    sound(a) == sound(b)
        || a.strip_suffix('s') == Some(b)
        || b.strip_suffix('s') == Some(a)
        || a.len() == b.len() && sorted(a) == sorted(b)
}

/// One letter wrong, missing, surplus or swapped; two in long words. The first letter is seldom wrong.
pub(crate) fn is_slip(a: &str, b: &str) -> bool {
    let short = a.len().min(b.len());
    if short < 5 || a.len().abs_diff(b.len()) > 2 || is_number(a) || is_number(b) {
        return false;
    }
    if a.as_bytes()[0] != b.as_bytes()[0] {
        return false;
    }
    is_light(a, b) || strsim::osa_distance(a, b) <= if short >= 10 { 2 } else { 1 }
}
