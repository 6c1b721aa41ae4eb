//! From a supplier as billed to a vendor of the catalogue: exact names, card statements, domains,
//! the front of a name, misspellings.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalogue::{Catalogue, Meaning, Place};
use crate::matcher::{Hit, Matcher, Phrases};
use crate::names::{Known, Names, Sells, Strength};
use crate::normalise::{fold, folded, trading_names};
use crate::reading::Mention;
use crate::signal::Signal;

/// How a supplier was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Exact,
    /// Only generic words of the name differ.
    Partial,
    /// Only the front of the name agrees.
    Front,
    Typo,
}

/// A recognised supplier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub vendor: u32,
    pub strength: Strength,
    pub how: How,
}

/// All that a supplier's name says, worked out once per distinct name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Supplier {
    pub link: Option<Link>,
    /// Reseller or marketplace through which it was bought.
    pub channel: Option<u32>,
    /// What a card statement puts after the merchant: part of the description.
    pub rest: String,
    /// Billed by card with a reference after a star, as online services are.
    pub online: bool,
    /// Products that the name itself speaks of: "GOOGLE GSUITE ACME".
    pub mentions: Vec<Mention>,
    /// Words of an unrecognised name, each with its place in the matcher.
    pub words: Vec<(Signal, u32)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Suppliers {
    merchants: FxHashMap<String, MerchantOf>,
    /// Keys without spaces.
    compact: FxHashMap<String, Known>,
    /// Hashes of keys with one letter left out: both sides leave one out, so one wrong, missing,
    /// surplus or swapped letter still meets.
    typos: FxHashMap<String, Vec<u32>>,
    typo_keys: Vec<(String, Known)>,
    words: Matcher<Signal>,
}

#[derive(Debug, Clone, Copy)]
struct MerchantOf {
    vendor: Option<u32>,
    through: bool,
}

/// Shorter names have too many neighbours.
const TYPO_LEN: usize = 6;

impl Suppliers {
    pub fn new(catalogue: &Catalogue, names: &Names) -> Suppliers {
        let mut phrases = Phrases::default();
        for word in catalogue
            .words
            .iter()
            .filter(|w| w.place == Place::Supplier)
        {
            if let Meaning::Signal(signal) = word.means {
                phrases.add(&word.phrase, signal);
            }
        }
        let merchants = catalogue
            .merchants
            .iter()
            .map(|m| {
                let vendor = names.by_name.get(&folded(&m.vendor)).copied();
                let through = matches!(m.kind.as_str(), "marketplace" | "payment" | "retail");
                (folded(&m.prefix), MerchantOf { vendor, through })
            })
            .collect();
        let mut suppliers = Suppliers {
            merchants,
            compact: FxHashMap::default(),
            typos: FxHashMap::default(),
            typo_keys: Vec::new(),
            words: phrases.build(),
        };
        let mut keys: Vec<(&String, &Known)> = names.suppliers.iter().collect();
        keys.sort_by_key(|(key, _)| *key);
        for (key, known) in keys {
            suppliers.index(key, *known, names);
        }
        suppliers
    }

    fn index(&mut self, key: &str, known: Known, names: &Names) {
        let compact: String = key.chars().filter(|c| *c != ' ').collect();
        let trusted = known.strength >= Strength::Medium;
        if compact.len() < TYPO_LEN || !trusted {
            return;
        }
        self.compact.entry(compact.clone()).or_insert(known);
        let curated = names.vendors[known.vendor as usize].curated;
        if known.strength == Strength::Strong || curated {
            let id = self.typo_keys.len() as u32;
            for short in deletions(&compact) {
                self.typos.entry(short).or_default().push(id);
            }
            self.typos.entry(compact.clone()).or_default().push(id);
            self.typo_keys.push((compact, known));
        }
    }

    /// The phrase behind a word of [`Supplier::words`].
    pub fn word(&self, pattern: u32) -> &str {
        self.words.text(pattern)
    }

    /// Recognises a supplier.
    pub fn find(&self, name: &str, names: &Names) -> Supplier {
        let mut found = Supplier::default();
        if name.trim().is_empty() {
            return found;
        }
        if let Some((merchant, rest)) = self.merchant(name) {
            found.rest = rest.to_string();
            found.online = !rest.is_empty();
            let of_rest = (!rest.is_empty()).then(|| self.link(rest, names)).flatten();
            let sells = merchant.vendor.map(|v| names.vendors[v as usize].sells);
            if merchant.through && sells != Some(Sells::Retail) {
                found.channel = merchant.vendor;
                found.link = of_rest;
                return found;
            }
            found.link = merchant.vendor.map(|vendor| Link {
                vendor,
                strength: Strength::Strong,
                how: How::Exact,
            });
            if found.link.is_some() {
                return found;
            }
        }
        let (legal, trading) = trading_names(name);
        found.link = trading
            .and_then(|t| self.link(t, names))
            .or_else(|| self.link(legal, names));
        match found.link {
            Some(link) => {
                let sells = names.vendors[link.vendor as usize].sells;
                if matches!(sells, Sells::Reseller | Sells::Marketplace) {
                    found.channel = Some(link.vendor);
                }
            }
            None => found.words = self.name_words(name),
        }
        found
    }

    /// `PADDLE.NET* NOTION`: the merchant before the star, the rest after it; and a few merchants
    /// that come without a star.
    fn merchant<'n>(&self, name: &'n str) -> Option<(MerchantOf, &'n str)> {
        if let Some((before, after)) = name.split_once('*') {
            let merchant = self.merchants.get(&folded(before))?;
            return Some((*merchant, after.trim()));
        }
        let text = folded(name);
        let mut words = text.split(' ');
        let first = words.next()?;
        let two = format!("{first} {}", words.next()?);
        let three = words.next().map(|w| format!("{two} {w}"));
        let merchant = three
            .and_then(|t| self.merchants.get(&t))
            .or_else(|| self.merchants.get(&two))?;
        Some((*merchant, ""))
    }

    fn link(&self, name: &str, names: &Names) -> Option<Link> {
        let key = names.words.key(name);
        let link = |known: Known, how| Link {
            vendor: known.vendor,
            strength: known.strength,
            how,
        };
        if let Some(known) = names.suppliers.get(&key.key) {
            return Some(link(*known, How::Exact));
        }
        let compact: String = key.key.chars().filter(|c| *c != ' ').collect();
        if let Some(known) = self.compact.get(&compact) {
            return Some(link(*known, How::Exact));
        }
        if key.base != key.key
            && let Some(known) = names.suppliers.get(&key.base)
            && known.strength >= Strength::Medium
            && (names.vendors[known.vendor as usize].curated || key.base.len() >= 7)
        {
            return Some(link(*known, How::Partial));
        }
        if let Some(known) = front(&key.key, names) {
            return Some(link(known, How::Front));
        }
        let base: String = key.base.chars().filter(|c| *c != ' ').collect();
        [&compact, &base]
            .into_iter()
            .find_map(|text| self.typo(text, names))
            .map(|known| link(known, How::Typo))
    }

    /// The only vendor whose key differs by one slip of the pen.
    fn typo(&self, key: &str, names: &Names) -> Option<Known> {
        if key.len() < TYPO_LEN || key.bytes().any(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut seen: FxHashSet<u32> = FxHashSet::default();
        let mut best: Option<Known> = None;
        let shorter = deletions(key).chain(std::iter::once(key.to_string()));
        for short in shorter {
            for &id in self.typos.get(&short).map_or(&[][..], Vec::as_slice) {
                let (known_key, known) = &self.typo_keys[id as usize];
                let same_start = known_key.as_bytes()[0] == key.as_bytes()[0];
                if !seen.insert(id) || !same_start || strsim::osa_distance(known_key, key) > 1 {
                    continue;
                }
                // A short name has neighbours that are real names: "Sophia" is not Sophos.
                let curated = names.vendors[known.vendor as usize].curated;
                let long = curated && known_key.len().min(key.len()) >= 8;
                if !long && !is_slip(known_key, key) {
                    continue;
                }
                match best {
                    Some(other) if other.vendor != known.vendor => return None,
                    _ => best = Some(*known),
                }
            }
        }
        best
    }

    fn name_words(&self, name: &str) -> Vec<(Signal, u32)> {
        let mut text = String::with_capacity(name.len() + 2);
        fold(name, &mut text);
        let mut hits: Vec<Hit> = Vec::new();
        self.words.scan(&text, &mut hits);
        let mut found: Vec<(Signal, u32)> = Vec::new();
        for hit in &hits {
            for &signal in &self.words.pattern(hit).targets {
                if !found.iter().any(|(s, _)| *s == signal) {
                    found.push((signal, hit.pattern));
                }
            }
        }
        found.sort_unstable();
        found
    }
}

/// The longest front of the key that is a vendor to be trusted.
fn front(key: &str, names: &Names) -> Option<Known> {
    let mut end = key.rfind(' ')?;
    loop {
        let head = &key[..end];
        if let Some(known) = names.suppliers.get(head) {
            let vendor = &names.vendors[known.vendor as usize];
            let telling = head.contains(' ') && known.strength >= Strength::Medium
                || head.len() >= 5 && known.strength == Strength::Strong && vendor.curated
                || head.len() >= 8 && known.strength >= Strength::Medium && vendor.curated;
            if telling {
                return Some(*known);
            }
        }
        end = key[..end].rfind(' ')?;
    }
}

/// Whether two short keys differ by a doubled, undoubled or swapped letter only.
fn is_slip(a: &str, b: &str) -> bool {
    let undoubled = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.dedup();
        bytes
    };
    let sorted = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.sort_unstable();
        bytes
    };
    undoubled(a) == undoubled(b) || a.len() == b.len() && sorted(a) == sorted(b)
}

/// `key` with each letter left out in turn.
fn deletions(key: &str) -> impl Iterator<Item = String> {
    (0..key.len()).map(|at| format!("{}{}", &key[..at], &key[at + 1..]))
}
