//! What words in companies' names are worth, read from `name_words.csv`.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalogue::Catalogue;
use crate::error::CatalogueError;
use crate::names::name_words;
use crate::normalise::{NameWords, folded};

const FILE: &str = "name_words.csv";

/// What a word says about who a company is, least telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Structure and place: "group", "ireland". Two names that differ in it are one company.
    Neutral,
    /// What is sold: "plumbing". Two firms of one name may differ in nothing else.
    Trade,
    /// Plain words, cities, people's names: many companies share them.
    Common,
    /// All others.
    Own,
}

/// Word lists, and how names are cut into words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists {
    pub keys: NameWords,
    kinds: FxHashMap<String, Kind>,
    abbreviations: FxHashMap<String, String>,
    titles: FxHashSet<String>,
    given: FxHashSet<String>,
    hosts: FxHashSet<String>,
}

impl Lists {
    pub fn new(catalogue: &Catalogue) -> Result<Lists, CatalogueError> {
        let mut lists = Lists {
            keys: name_words(catalogue),
            ..Lists::default()
        };
        for text in &catalogue.name_words {
            lists.read(text)?;
        }
        Ok(lists)
    }

    fn read(&mut self, text: &str) -> Result<(), CatalogueError> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        for (at, row) in reader.records().enumerate() {
            let line = at as u64 + 2;
            let row = row.map_err(|e| CatalogueError::invalid(FILE, line, e.to_string()))?;
            let (words, kind) = (row.get(0).unwrap_or(""), row.get(1).unwrap_or(""));
            for word in words.split('|').map(str::trim).filter(|w| !w.is_empty()) {
                self.add(word, kind)
                    .map_err(|what| CatalogueError::invalid(FILE, line, what))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, word: &str, kind: &str) -> Result<(), String> {
        let mut weigh = |kind: Kind| {
            // A word of two lists counts for the less.
            let known = self.kinds.entry(folded(word)).or_insert(kind);
            *known = (*known).min(kind);
        };
        match kind {
            "neutral" => weigh(Kind::Neutral),
            "trade" => weigh(Kind::Trade),
            "common" | "surname" => weigh(Kind::Common),
            "given" => {
                weigh(Kind::Common);
                self.given.insert(folded(word));
            }
            "title" => {
                self.titles.insert(folded(word));
            }
            "public_host" => {
                self.hosts.insert(word.to_ascii_lowercase());
            }
            "abbreviation" => {
                let (short, long) = word
                    .split_once('=')
                    .ok_or_else(|| format!("`{word}` is no abbreviation: write short=long"))?;
                self.abbreviations.insert(folded(short), folded(long));
            }
            other => {
                return Err(format!(
                    "`{other}` is no kind of word: use neutral, trade, common, surname, given, title, abbreviation or public_host"
                ));
            }
        }
        Ok(())
    }

    pub fn kind(&self, word: &str) -> Kind {
        match word.len() {
            1 => Kind::Common,
            _ => self.kinds.get(word).copied().unwrap_or(Kind::Own),
        }
    }

    /// The words of a name that tell companies apart, abbreviations written out.
    pub fn words(&self, name: &str) -> Vec<String> {
        let key = self.keys.key(name).key;
        let mut words = Vec::new();
        for word in key.split(' ').filter(|w| !w.is_empty()) {
            match self.abbreviations.get(word) {
                Some(long) => words.extend(long.split(' ').map(str::to_string)),
                None => words.push(word.to_string()),
            }
        }
        self.join_phrases(words)
    }

    /// Two words that are one term become one: "great britain".
    fn join_phrases(&self, words: Vec<String>) -> Vec<String> {
        let mut joined: Vec<String> = Vec::with_capacity(words.len());
        for word in words {
            match joined.last_mut() {
                Some(last) if self.kinds.contains_key(&format!("{last} {word}")) => {
                    last.push(' ');
                    last.push_str(&word);
                }
                _ => joined.push(word),
            }
        }
        joined
    }

    /// Whether a name is a person's: it bears a title, or is written surname first.
    pub fn is_person(&self, name: &str) -> bool {
        let text = folded(name);
        let words: Vec<&str> = text.split(' ').collect();
        let company = |w: &&str| {
            self.keys.forms.contains(*w)
                || matches!(self.kinds.get(*w), Some(Kind::Trade))
                || *w == "and"
        };
        if words.len() > 5 || words.iter().any(company) {
            return false;
        }
        let titled = words.len() >= 2 && self.titles.contains(words[0]);
        let surname_first = name.split_once(',').is_some_and(|(surname, rest)| {
            let first = folded(rest);
            let first = first.split(' ').next().unwrap_or("");
            folded(surname).split(' ').count() <= 2
                && (self.given.contains(first) || first.len() == 1)
        });
        titled || surname_first
    }

    /// The domain behind a web address or an e-mail address that belongs to one company.
    pub fn domain(&self, address: &str) -> Option<String> {
        let text = address.trim().to_ascii_lowercase();
        let text = text
            .split_once("://")
            .map_or(text.as_str(), |(_, rest)| rest);
        let text = text.rsplit('@').next().unwrap_or(text);
        let host = text.split(['/', '?', '#', ':', ' ']).next().unwrap_or("");
        let labels: Vec<&str> = host.split('.').filter(|l| !l.is_empty()).collect();
        let second = labels.len() >= 3
            && labels[labels.len() - 1].len() == 2
            && matches!(
                labels[labels.len() - 2],
                "co" | "com" | "org" | "net" | "gov" | "ac" | "ltd" | "nhs" | "gv" | "or" | "ne"
            );
        let kept = if second { 3 } else { 2 };
        if labels.len() < kept {
            return None;
        }
        let domain = labels[labels.len() - kept..].join(".");
        let shared = self.hosts.contains(&domain) || self.hosts.contains(host);
        (!shared
            && domain
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')))
        .then_some(domain)
    }
}
