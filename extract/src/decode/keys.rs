//! Which column a key belongs to: a guess that is nearly always right, then a hash look-up.
//!
//! An API writes the members of its records in one order. So each key remembers which key followed
//! it, spelt exactly as it came, and a match is one comparison of bytes.

use std::collections::HashMap;

use super::secret::is_secret;

/// Where the value of a key goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    /// The declared field of that position.
    Field(usize),
    /// The object of custom fields.
    CustomFields,
    /// A key of the customer's own, kept in `custom_fields`.
    Custom,
    /// Documented and not taken, or not asked for.
    Skip,
    /// It names a secret: the record is not read on before it is cleaned.
    Secret,
}

/// The keys of one level.
pub(super) struct Keys {
    slots: Vec<Slot>,
    by_name: HashMap<Box<str>, usize>,
    captures: bool,
    name: String,
}

struct Slot {
    /// In snake case.
    name: String,
    /// As it was last received.
    spelling: String,
    target: Target,
    follower: usize,
}

pub(super) struct Found {
    pub slot: usize,
    pub target: Target,
    /// The first sight of a key that nobody declared.
    pub fresh: bool,
}

/// Stands for the start of an object, and for keys beyond those that are remembered.
pub(super) const OTHER: usize = 0;
/// No JSON string holds a bare control character, so this never matches.
const UNSPELT: &str = "\u{1}";
/// A record of ever new keys must not fill the memory.
const MOST_KEYS: usize = 4_096;
const LONGEST_KEY: usize = 256;

impl Keys {
    pub(super) fn new<'a>(
        fields: impl Iterator<Item = &'a str>,
        documented: &[String],
        captures: bool,
    ) -> Keys {
        let mut keys = Keys {
            slots: Vec::new(),
            by_name: HashMap::new(),
            captures,
            name: String::new(),
        };
        keys.slots.push(Slot {
            name: String::new(),
            spelling: UNSPELT.to_owned(),
            target: if captures {
                Target::Custom
            } else {
                Target::Skip
            },
            follower: OTHER + 1,
        });
        for (position, name) in fields.enumerate() {
            let secret = is_secret(name);
            keys.add(
                name,
                if secret {
                    Target::Secret
                } else {
                    Target::Field(position)
                },
            );
        }
        if captures {
            keys.add("custom_fields", Target::CustomFields);
        }
        for name in documented {
            if !keys.by_name.contains_key(name.as_str()) {
                let secret = is_secret(name);
                keys.add(name, if secret { Target::Secret } else { Target::Skip });
            }
        }
        let last = keys.slots.len() - 1;
        keys.slots[last].follower = OTHER;
        keys
    }

    fn add(&mut self, name: &str, target: Target) -> usize {
        let slot = self.slots.len();
        self.by_name.insert(name.into(), slot);
        self.slots.push(Slot {
            name: name.to_owned(),
            spelling: name.replace('_', "-"),
            target,
            follower: slot + 1,
        });
        slot
    }

    /// Where a key goes that nobody declared.
    fn target_of(&self, key: &str) -> Target {
        if is_secret(key) {
            Target::Secret
        } else if self.captures {
            Target::Custom
        } else {
            Target::Skip
        }
    }

    /// The slot that is most likely next behind `previous` (`OTHER`: the first one).
    #[inline]
    pub(super) fn guess(&self, previous: usize) -> usize {
        self.slots[previous].follower
    }

    /// A slot's key as it last stood in the text; never one with an escape.
    #[inline]
    pub(super) fn spelling(&self, slot: usize) -> &str {
        &self.slots[slot].spelling
    }

    #[inline]
    pub(super) fn found(&self, slot: usize) -> Found {
        Found {
            slot,
            target: self.slots[slot].target,
            fresh: false,
        }
    }

    /// The slot of `key`, which came behind that of slot `previous`.
    pub(super) fn find(&mut self, previous: usize, key: &str, escaped: bool) -> Found {
        let mut name = std::mem::take(&mut self.name);
        normalise(key, &mut name);
        let known = self.by_name.get(name.as_str()).copied();
        let slot = match known {
            Some(slot) => slot,
            None if self.slots.len() < MOST_KEYS && name.len() <= LONGEST_KEY => {
                self.add(&name, self.target_of(key))
            }
            None => {
                self.slots[OTHER].name.clone_from(&name);
                self.slots[OTHER].target = self.target_of(key);
                OTHER
            }
        };
        self.name = name;
        if slot != OTHER {
            let spelling = if escaped { UNSPELT } else { key };
            spelling.clone_into(&mut self.slots[slot].spelling);
            if known.is_none() {
                self.slots[slot].follower = OTHER;
            }
            self.slots[previous].follower = slot;
        }
        let target = self.slots[slot].target;
        Found {
            slot,
            target,
            fresh: known.is_none() && slot != OTHER && target == Target::Custom,
        }
    }

    pub(super) fn name(&self, slot: usize) -> &str {
        &self.slots[slot].name
    }
}

/// Coupa writes dashes, its documentation underscores; only these two differ.
pub(super) fn normalise(key: &str, name: &mut String) {
    name.clear();
    name.extend(
        key.chars()
            .map(|letter| if letter == '-' { '_' } else { letter }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: &mut Keys, order: &[(&str, Target)]) {
        let mut previous = OTHER;
        for (key, target) in order {
            let found = keys.find(previous, key, false);
            assert_eq!(found.target, *target, "{key}");
            previous = found.slot;
        }
    }

    #[test]
    fn any_order_and_spelling_is_found() {
        let documented = ["left_out".to_owned()];
        let mut keys = Keys::new(["id", "line_num", "total"].into_iter(), &documented, true);
        let first = [
            ("id", Target::Field(0)),
            ("line-num", Target::Field(1)),
            ("total", Target::Field(2)),
            ("custom-fields", Target::CustomFields),
        ];
        let second = [
            ("total", Target::Field(2)),
            ("left-out", Target::Skip),
            ("Own-key", Target::Custom),
            ("line_num", Target::Field(1)),
            ("api-secret", Target::Secret),
            ("id", Target::Field(0)),
        ];
        for _ in 0..2 {
            check(&mut keys, &first);
            check(&mut keys, &second);
        }
        let own = keys.find(OTHER, "Own-key", false);
        assert_eq!((keys.name(own.slot), own.fresh), ("Own_key", false));
    }

    #[test]
    fn ever_new_keys_do_not_fill_the_memory() {
        let mut keys = Keys::new(["id"].into_iter(), &[], true);
        for number in 0..10_000 {
            let found = keys.find(OTHER, &format!("key-{number}"), false);
            assert_eq!(found.target, Target::Custom);
            assert_eq!(keys.name(found.slot), format!("key_{number}"));
        }
        assert!(keys.slots.len() <= MOST_KEYS);
        check(&mut keys, &[("id", Target::Field(0))]);
    }
}
