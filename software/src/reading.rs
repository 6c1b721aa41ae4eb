//! What a description says: words for and against, names, a category.

use crate::classify::{Classifier, Target};
use crate::line::Line;
use crate::matcher::Hit;
use crate::names::{Named, Strength};
use crate::normalise::fold;
use crate::signal::Signal;
use crate::supplier::Supplier;

/// How much of a description is read; purchase lines are shorter, and a pasted document must not
/// slow a run.
const READ: usize = 2_000;

/// A name found in the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mention {
    pub named: Named,
    pub pattern: u32,
    /// Bytes of folded text.
    pub start: u32,
    pub len: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Reading<'a> {
    /// The description as far as it is read.
    pub description: &'a str,
    /// Each signal once, with the phrase that gave it.
    pub words: Vec<(Signal, u32)>,
    pub mentions: Vec<Mention>,
    pub category: Option<u16>,
}

impl<'a> Reading<'a> {
    pub fn new(classifier: &Classifier, line: &Line<'a>, supplier: &Supplier) -> Reading<'a> {
        let description = front(line.description, READ);
        let mut reading = Reading {
            description,
            words: Vec::new(),
            mentions: Vec::new(),
            category: None,
        };
        let mut text = String::with_capacity(description.len() + supplier.rest.len() + 4);
        fold(description, &mut text);
        if !supplier.rest.is_empty() {
            fold(front(&supplier.rest, READ), &mut text);
        }
        let mut hits = Vec::new();
        classifier.text.scan(&text, &mut hits);
        reading.read(classifier, &hits);
        reading
    }

    fn read(&mut self, classifier: &Classifier, hits: &[Hit]) {
        self.mentions = mentions(classifier, hits);
        let mut categories: Vec<(u32, u16)> = Vec::new();
        for hit in hits {
            for target in &classifier.text.pattern(hit).targets {
                match *target {
                    Target::Word(signal) if !hides_word(classifier, hits, hit) => {
                        self.note(signal, hit.pattern);
                    }
                    Target::Term(category) => {
                        self.note(Signal::SoftwareTerm, hit.pattern);
                        categories.push((hit.end - hit.start, category));
                    }
                    Target::Category(category) => {
                        categories.push((hit.end - hit.start + 100, category));
                    }
                    _ => {}
                }
            }
        }
        // A term says all that the word "software" in it says.
        if self.has(Signal::SoftwareTerm) {
            self.words.retain(|(s, _)| *s != Signal::SoftwareWord);
        }
        self.words.sort_unstable();
        self.category = categories
            .into_iter()
            .min_by_key(|(len, category)| (std::cmp::Reverse(*len), *category))
            .map(|(_, category)| category);
    }

    fn note(&mut self, signal: Signal, pattern: u32) {
        if !self.has(signal) {
            self.words.push((signal, pattern));
        }
    }

    pub fn has(&self, signal: Signal) -> bool {
        self.words.iter().any(|(s, _)| *s == signal)
    }

    /// Whether words say that a right to use something is bought, which a laptop or a consultant
    /// beside it does not undo.
    pub fn speaks_of_licence(&self) -> bool {
        self.words.iter().any(|(s, _)| {
            matches!(
                s,
                Signal::SeatWord
                    | Signal::EditionWord
                    | Signal::SoftwareLicence
                    | Signal::LicenceWord
                    | Signal::SubscriptionWord
                    | Signal::RenewalWord
            )
        })
    }

    /// Whether words make it likely that a common word is meant as a product's name.
    pub fn supports_names(&self) -> bool {
        self.words.iter().any(|(s, _)| {
            matches!(
                s,
                Signal::SeatWord
                    | Signal::EditionWord
                    | Signal::SoftwareLicence
                    | Signal::LicenceWord
                    | Signal::SubscriptionWord
                    | Signal::SoftwareWord
                    | Signal::SoftwareTerm
                    | Signal::PlatformWord
                    | Signal::CloudWord
                    | Signal::SystemWord
            )
        }) && !self.speaks_against()
    }

    pub fn speaks_against(&self) -> bool {
        self.words.iter().any(|(s, _)| {
            matches!(
                s,
                Signal::HardwareWord
                    | Signal::OtherLicence
                    | Signal::NotItWord
                    | Signal::ContentWord
                    | Signal::TelecomWord
            )
        })
    }
}

/// Whether a longer phrase makes a word mean something else: "box" in "box of", "licence" in "tv
/// licence", "cloud" in a product's name.
fn hides_word(classifier: &Classifier, hits: &[Hit], hit: &Hit) -> bool {
    hits.iter().any(|other| {
        other.swallows(hit)
            && classifier
                .text
                .pattern(other)
                .targets
                .iter()
                .any(|t| match t {
                    Target::Word(_) | Target::Term(_) => true,
                    Target::Name(named) => strength(*named) > Strength::Weak,
                    Target::Category(_) => false,
                })
    })
}

/// Names in a supplier's own text.
pub(crate) fn names_in(classifier: &Classifier, supplier: &str) -> Vec<Mention> {
    let mut text = String::with_capacity(supplier.len() + 2);
    fold(front(supplier, READ), &mut text);
    let mut hits = Vec::new();
    classifier.text.scan(&text, &mut hits);
    mentions(classifier, &hits)
}

fn mentions(classifier: &Classifier, hits: &[Hit]) -> Vec<Mention> {
    let mut found = Vec::new();
    for hit in hits {
        let hidden = hits.iter().any(|other| {
            other.swallows(hit)
                && classifier
                    .text
                    .pattern(other)
                    .targets
                    .iter()
                    .any(|t| match t {
                        Target::Word(_) => true,
                        Target::Name(named) => !matches!(named, Named::Own(_)),
                        Target::Term(_) | Target::Category(_) => false,
                    })
        });
        if hidden {
            continue;
        }
        // Where a name is one of ours, what other lists make of it is left aside.
        let targets = &classifier.text.pattern(hit).targets;
        let ours = targets.iter().any(|t| matches!(t, Target::Name(n) if !matches!(n, Named::Own(_)) && curated(classifier, *n)));
        for target in targets {
            if let Target::Name(named) = *target
                && (!ours || curated(classifier, named))
            {
                found.push(Mention {
                    named,
                    pattern: hit.pattern,
                    start: hit.start,
                    len: hit.end - hit.start,
                });
            }
        }
    }
    found
}

fn curated(classifier: &Classifier, named: Named) -> bool {
    let names = &classifier.names;
    match named {
        Named::Product(id, _) | Named::Own(id) => names.products[id as usize].curated,
        Named::Vendor(id, _) => names.vendors[id as usize].curated,
    }
}

pub(crate) fn strength(named: Named) -> Strength {
    match named {
        Named::Product(_, strength) | Named::Vendor(_, strength) => strength,
        Named::Own(_) => Strength::Weak,
    }
}

/// At most `limit` bytes of `text`, cut between characters.
fn front(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
