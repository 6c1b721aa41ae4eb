//! Which names are worth comparing: those that share a rare word, a pair of words, the spelling but
//! for a letter, or whose initials the other is.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};

use super::compare::{Name, Vocabulary, is_number};
use super::words::Kind;

/// What more names than this share tells nothing. It bounds the work: the comparisons of a name are at
/// most its ways to be found times this.
const MANY: usize = 100;

/// Longer names are found by their words.
const COMPACT_WORDS: usize = 3;

pub(super) struct Candidates<'a> {
    names: &'a [Name],
    vocabulary: &'a Vocabulary,
    by_word: Vec<Vec<u32>>,
    similar: FxHashMap<u32, Vec<u32>>,
    /// Hashes of pairs of words, of what is left without neutral words, of spellings less a letter,
    /// of initials; sorted, each with the names that have it.
    by_hash: FxHashMap<u64, Vec<u32>>,
    hashes: Vec<Vec<u64>>,
}

impl<'a> Candidates<'a> {
    pub fn new(names: &'a [Name], vocabulary: &'a Vocabulary) -> Candidates<'a> {
        let mut by_word = vec![Vec::new(); vocabulary.words.len()];
        for (node, name) in names.iter().enumerate() {
            for word in &name.words {
                let known: &mut Vec<u32> = &mut by_word[*word as usize];
                if known.last() != Some(&(node as u32)) {
                    known.push(node as u32);
                }
            }
        }
        let mut candidates = Candidates {
            names,
            vocabulary,
            by_word,
            similar: similar(vocabulary),
            by_hash: FxHashMap::default(),
            hashes: Vec::with_capacity(names.len()),
        };
        let mut pairs: Vec<(u64, u32)> = Vec::new();
        for (node, name) in names.iter().enumerate() {
            let hashes = if name.person {
                Vec::new()
            } else {
                candidates.hashes_of(name)
            };
            pairs.extend(hashes.iter().map(|hash| (*hash, node as u32)));
            candidates.hashes.push(hashes);
        }
        pairs.sort_unstable();
        pairs.dedup();
        for run in pairs.chunk_by(|x, y| x.0 == y.0) {
            if (2..=MANY).contains(&run.len()) {
                candidates
                    .by_hash
                    .insert(run[0].0, run.iter().map(|(_, node)| *node).collect());
            }
        }
        candidates
    }

    /// Calls `meet` with each name after `node` that is worth comparing with it, once. `seen` is scratch
    /// space, as long as the list, filled with `u32::MAX` before the first call.
    pub fn of(&self, node: u32, seen: &mut [u32], mut meet: impl FnMut(u32)) {
        let name = &self.names[node as usize];
        if name.person {
            return;
        }
        let mut visit = |others: &[u32]| {
            for other in others.iter().filter(|o| **o > node) {
                let mark = &mut seen[*other as usize];
                if *mark != node {
                    *mark = node;
                    meet(*other);
                }
            }
        };
        for word in &name.words {
            let near = self.similar.get(word).map_or(&[][..], Vec::as_slice);
            for word in std::iter::once(word).chain(near) {
                let others = &self.by_word[*word as usize];
                if others.len() <= MANY
                    && self.vocabulary.words[*word as usize].kind != Kind::Neutral
                {
                    visit(others);
                }
            }
        }
        for hash in &self.hashes[node as usize] {
            if let Some(others) = self.by_hash.get(hash) {
                visit(others);
            }
        }
    }

    fn hashes_of(&self, name: &Name) -> Vec<u64> {
        let word = |id: &u32| &self.vocabulary.words[*id as usize];
        let mut hashes = Vec::new();
        let named: Vec<u32> = name
            .words
            .iter()
            .filter(|w| word(w).kind != Kind::Neutral)
            .copied()
            .collect();
        let mut sorted = named.clone();
        sorted.sort_unstable();
        hashes.push(hash(0, &sorted));
        if name.named.len() >= 5 {
            hashes.push(hash(4, name.named.as_bytes()));
        }
        for (i, a) in named.iter().take(4).enumerate() {
            for b in named.iter().take(4).skip(i + 1) {
                hashes.push(hash(1, &[*a.min(b), *a.max(b)]));
            }
        }
        let compact = name.compact.as_bytes();
        if name.words.len() <= COMPACT_WORDS && (4..=32).contains(&compact.len()) {
            hashes.push(hash(2, compact));
            if compact.len() >= 8 && !is_number(&name.compact) {
                hashes.extend(deletions(compact).map(|short| hash(2, short.as_slice())));
            }
        }
        match name.words[..] {
            [one] if (3..=7).contains(&word(&one).text.len()) => {
                hashes.push(hash(3, word(&one).text.as_bytes()));
            }
            [_, _, _, ..] => {
                hashes.extend(
                    self.vocabulary
                        .initials(name)
                        .map(|i| hash(3, i.as_bytes())),
                );
            }
            _ => {}
        }
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }
}

fn hash<T: Hash + ?Sized>(kind: u8, value: &T) -> u64 {
    let mut hasher = FxHasher::default();
    kind.hash(&mut hasher);
    value.hash(&mut hasher);
    hasher.finish()
}

fn deletions(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..text.len()).map(|at| [&text[..at], &text[at + 1..]].concat())
}

/// Words that are a slip apart, of those that are rare enough to matter.
fn similar(vocabulary: &Vocabulary) -> FxHashMap<u32, Vec<u32>> {
    let mut shorts: Vec<(u64, u32)> = Vec::new();
    for (id, word) in vocabulary.words.iter().enumerate() {
        let text = word.text.as_bytes();
        if text.len() < 5 || text.len() > 24 || word.names as usize > MANY || is_number(&word.text)
        {
            continue;
        }
        shorts.push((hash(2, text), id as u32));
        if text.len() >= 10 {
            // Two slips in a long word leave its ends.
            shorts.push((hash(5, &(&text[..4], &text[text.len() - 4..])), id as u32));
        }
        shorts.extend(deletions(text).map(|short| (hash(2, short.as_slice()), id as u32)));
    }
    shorts.sort_unstable();
    shorts.dedup();
    let mut similar: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
    for run in shorts
        .chunk_by(|x, y| x.0 == y.0)
        .filter(|run| (2..=MANY).contains(&run.len()))
    {
        for (i, (_, a)) in run.iter().enumerate() {
            for (_, b) in &run[i + 1..] {
                similar.entry(*a).or_default().push(*b);
                similar.entry(*b).or_default().push(*a);
            }
        }
    }
    for words in similar.values_mut() {
        words.sort_unstable();
        words.dedup();
    }
    similar
}
