//! What the name of an account, commodity, contract type or department says.

use crate::catalogue::{Catalogue, Meaning, Place};
use crate::matcher::{Hit, Matcher, Phrases};
use crate::normalise::fold;
use crate::signal::Signal;

#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    account: Matcher<Signal>,
    contract: Matcher<Signal>,
    department: Matcher<Signal>,
}

/// A signal with the phrase that gave it, as its place in a matcher; none for a name of which no
/// word is known.
pub(crate) type Read = Option<(Signal, Option<u32>)>;

/// What decides where a name holds several: first found wins.
const ORDER: [Signal; 9] = [
    Signal::AccountSoftware,
    Signal::AccountMixed,
    Signal::AccountItService,
    Signal::AccountHardware,
    Signal::AccountTelecom,
    Signal::AccountIt,
    Signal::AccountLicence,
    Signal::AccountOther,
    Signal::AccountNeutral,
];

impl Accounts {
    pub fn new(catalogue: &Catalogue) -> Accounts {
        let matcher = |places: &[Place]| {
            let mut phrases = Phrases::default();
            for word in catalogue.words.iter().filter(|w| places.contains(&w.place)) {
                if let Meaning::Signal(signal) = word.means {
                    phrases.add(&word.phrase, signal);
                }
            }
            phrases.build()
        };
        Accounts {
            account: matcher(&[Place::Account]),
            contract: matcher(&[Place::Account, Place::Contract]),
            department: matcher(&[Place::Department]),
        }
    }

    pub fn account(&self, name: &str) -> Read {
        read(&self.account, name)
    }

    pub fn account_phrase(&self, pattern: u32) -> &str {
        self.account.text(pattern)
    }

    /// Whether a contract type says software, and by which phrase.
    pub fn contract(&self, name: &str) -> Option<&str> {
        match read(&self.contract, name) {
            Some((Signal::AccountSoftware, Some(pattern))) => Some(self.contract.text(pattern)),
            _ => None,
        }
    }

    /// The phrase that makes a department one for technology.
    pub fn department(&self, name: &str) -> Option<&str> {
        let hit = *hits(&self.department, name).first()?;
        Some(self.department.text(hit.pattern))
    }
}

fn read(matcher: &Matcher<Signal>, name: &str) -> Read {
    let hits = hits(matcher, name);
    for signal in ORDER {
        if let Some(hit) = hits
            .iter()
            .find(|h| matcher.pattern(h).targets.contains(&signal))
        {
            return Some((signal, Some(hit.pattern)));
        }
    }
    let named = name
        .split(|c: char| !c.is_alphabetic())
        .any(|word| word.chars().count() >= 3);
    named.then_some((Signal::AccountUnrelated, None))
}

fn hits(matcher: &Matcher<Signal>, name: &str) -> Vec<Hit> {
    let mut found = Vec::new();
    if name.is_empty() {
        return found;
    }
    let mut text = String::with_capacity(name.len() + 2);
    fold(name, &mut text);
    matcher.scan(&text, &mut found);
    let all = found.clone();
    found.retain(|hit| !all.iter().any(|other| other.swallows(hit)));
    found
}
