//! What of a record is asked for: `fields`, `return_object`, and the plan a writer follows.
//!
//! Documented: names may be dashed or underscored, associations nest to any depth, `{"custom_fields": {}}` asks
//! for all custom fields and `{"custom_fields": ["a"]}` for some, `return_object=limited` gives ids and
//! `shallow` gives attributes with associations cut to id and natural keys.
//! Chosen by us where the documentation is silent: an association asked for by plain name comes whole, an empty
//! list asks for everything, an unknown name is ignored, and only what is asked for is answered (no implied id).

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// The part of a record that is wanted, level by level. Names are kept dashed.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection {
    /// Everything below.
    All,
    /// The named members only.
    Only(BTreeMap<String, Selection>),
    /// `return_object=shallow`: every attribute, associations as [`Selection::Natural`].
    Shallow,
    /// Id and natural keys, nothing nested.
    Natural,
}

/// Attributes that stand for a record in a shallow answer (documented for users, currencies and lines; for the
/// rest we add the keys by which references are resolved).
const NATURAL: [&str; 7] = [
    "id",
    "login",
    "email",
    "code",
    "name",
    "number",
    "external-src-ref",
];

impl Selection {
    /// Reads the JSON of a `fields` parameter. Errors: what was expected, as a sentence.
    pub fn parse(fields: &str) -> Result<Selection, String> {
        let value: Value =
            serde_json::from_str(fields).map_err(|e| format!("fields is not valid JSON: {e}"))?;
        match value {
            Value::Array(_) => Self::read(&value),
            _ => Err("fields must be a JSON list".into()),
        }
    }

    /// Just these paths, each a list of names from the record down.
    pub fn paths<'a>(paths: impl IntoIterator<Item = &'a [String]>) -> Selection {
        let mut root = Selection::Only(BTreeMap::new());
        for path in paths {
            let mut at = &mut root;
            for name in path {
                let Selection::Only(members) = at else { break };
                at = members
                    .entry(name.clone())
                    .or_insert_with(|| Selection::Only(BTreeMap::new()));
            }
            *at = Selection::All;
        }
        root
    }

    fn read(value: &Value) -> Result<Selection, String> {
        let entries = match value {
            Value::Object(map) if map.is_empty() => return Ok(Selection::All),
            Value::Array(list) if list.is_empty() => return Ok(Selection::All),
            Value::Array(list) => list.as_slice(),
            Value::Object(_) | Value::String(_) => std::slice::from_ref(value),
            other => return Err(format!("fields holds {other}, expected names and objects")),
        };
        let mut members = BTreeMap::new();
        for entry in entries {
            match entry {
                Value::String(name) => join(&mut members, dashed(name), Selection::All),
                Value::Object(map) => {
                    for (name, below) in map {
                        join(&mut members, dashed(name), Self::read(below)?);
                    }
                }
                other => return Err(format!("fields holds {other}, expected names and objects")),
            }
        }
        Ok(Selection::Only(members))
    }

    fn merge(self, other: Selection) -> Selection {
        match (self, other) {
            (Selection::Only(mut mine), Selection::Only(theirs)) => {
                for (name, below) in theirs {
                    join(&mut mine, name, below);
                }
                Selection::Only(mine)
            }
            _ => Selection::All,
        }
    }

    /// What is wanted of the member `name`; `None` when it is not asked for.
    fn below(&self, name: &str, association: bool) -> Option<Selection> {
        match self {
            Selection::All => Some(Selection::All),
            Selection::Only(members) => match members.get(name) {
                Some(below) => Some(below.clone()),
                None if name.contains('_') => members.get(&dashed(name)).cloned(),
                None => None,
            },
            Selection::Shallow if association => Some(Selection::Natural),
            Selection::Shallow => Some(Selection::All),
            Selection::Natural => {
                (!association && NATURAL.contains(&name)).then_some(Selection::All)
            }
        }
    }
}

fn join(members: &mut BTreeMap<String, Selection>, name: String, below: Selection) {
    let merged = match members.remove(&name) {
        Some(before) => before.merge(below),
        None => below,
    };
    members.insert(name, merged);
}

/// Attribute names on the wire are dashed, requests may use underscores. What would have to be escaped is left out.
pub fn dashed(name: &str) -> String {
    let safe = |c: &char| !matches!(c, '"' | '\\') && !c.is_control();
    name.chars()
        .filter(safe)
        .map(|c| if c == '_' { '-' } else { c })
        .collect()
}

/// Marks a member that is not wanted.
pub(crate) const SKIP: u32 = u32::MAX;

/// A selection made fast: it remembers, per level, the keys in the order in which the writer meets them, so that
/// the next record costs one comparison a key. A plan serves one writer at a time.
pub struct Plan {
    levels: Vec<Level>,
    groups: Vec<Vec<&'static str>>,
}

struct Level {
    selection: Selection,
    steps: Vec<Step>,
    /// Children by key, so that records which differ in their keys do not make the plan grow.
    known: HashMap<String, u32>,
    known_groups: HashMap<(usize, usize), u32>,
}

impl Level {
    fn new(selection: Selection) -> Level {
        Level {
            selection,
            steps: Vec::new(),
            known: HashMap::new(),
            known_groups: HashMap::new(),
        }
    }
}

#[derive(Clone, Copy)]
struct Step {
    /// Address and length of the static key: where both are equal it is the same key, and where they are not the
    /// lookup by text decides.
    address: usize,
    length: usize,
    child: u32,
}

impl Step {
    #[inline]
    fn is(&self, address: usize, length: usize) -> bool {
        self.address == address && self.length == length
    }
}

impl Plan {
    pub fn new(selection: Selection) -> Plan {
        Plan {
            levels: vec![Level::new(selection)],
            groups: Vec::new(),
        }
    }

    /// The child level for the key met at `position` of `level`, or [`SKIP`].
    #[inline]
    pub(crate) fn step(
        &mut self,
        level: u32,
        position: u32,
        key: &'static str,
        association: bool,
    ) -> u32 {
        match self.levels[level as usize].steps.get(position as usize) {
            Some(step) if step.is(key.as_ptr().addr(), key.len()) => step.child,
            _ => self.learn(level, position, key, association),
        }
    }

    #[cold]
    #[inline(never)]
    fn learn(&mut self, level: u32, position: u32, key: &'static str, association: bool) -> u32 {
        let child = self.step_dynamic(level, key, association);
        self.note(
            level,
            position,
            Step {
                address: key.as_ptr().addr(),
                length: key.len(),
                child,
            },
        );
        child
    }

    /// As [`Plan::step`], for keys that are not fixed in the program.
    pub(crate) fn step_dynamic(&mut self, level: u32, key: &str, association: bool) -> u32 {
        if let Some(child) = self.levels[level as usize].known.get(key) {
            return *child;
        }
        let child = match self.levels[level as usize]
            .selection
            .below(key, association)
        {
            None => SKIP,
            Some(selection) => {
                self.levels.push(Level::new(selection));
                self.levels.len() as u32 - 1
            }
        };
        self.levels[level as usize]
            .known
            .insert(key.to_owned(), child);
        child
    }

    /// The members of a fixed group of keys that are wanted: an index for [`Plan::group`], or [`SKIP`].
    #[inline]
    pub(crate) fn step_group(
        &mut self,
        level: u32,
        position: u32,
        keys: &'static [&'static str],
        association: bool,
    ) -> u32 {
        match self.levels[level as usize].steps.get(position as usize) {
            Some(step) if step.is(keys.as_ptr().addr(), keys.len()) => step.child,
            _ => self.learn_group(level, position, keys, association),
        }
    }

    #[cold]
    #[inline(never)]
    fn learn_group(
        &mut self,
        level: u32,
        position: u32,
        keys: &'static [&'static str],
        association: bool,
    ) -> u32 {
        let place = (keys.as_ptr().addr(), keys.len());
        let child = match self.levels[level as usize].known_groups.get(&place) {
            Some(child) => *child,
            None => {
                let selection = &self.levels[level as usize].selection;
                let wanted = keys
                    .iter()
                    .copied()
                    .filter(|key| selection.below(key, association).is_some());
                let wanted: Vec<_> = wanted.collect();
                let child = if wanted.is_empty() {
                    SKIP
                } else {
                    self.groups.len() as u32
                };
                if child != SKIP {
                    self.groups.push(wanted);
                }
                self.levels[level as usize]
                    .known_groups
                    .insert(place, child);
                child
            }
        };
        self.note(
            level,
            position,
            Step {
                address: keys.as_ptr().addr(),
                length: keys.len(),
                child,
            },
        );
        child
    }

    #[inline]
    pub(crate) fn group(&self, index: u32) -> &[&'static str] {
        &self.groups[index as usize]
    }

    fn note(&mut self, level: u32, position: u32, step: Step) {
        let steps = &mut self.levels[level as usize].steps;
        if (position as usize) < steps.len() {
            steps[position as usize] = step;
        } else if position as usize == steps.len() {
            steps.push(step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &str, expected: &[(&str, bool)]) {
        let selection = Selection::parse(fields).unwrap();
        for (path, wanted) in expected {
            let mut at = Some(selection.clone());
            for name in path.split('.') {
                at = at.and_then(|s| s.below(name, false));
            }
            assert_eq!(at.is_some(), *wanted, "{path} in {fields}");
        }
    }

    #[test]
    fn fields_take_dashes_underscores_and_nesting() {
        check(
            r#"["id","po_number",{"order-lines":["id",{"account":["code"]}]},{"custom_fields":{}}]"#,
            &[
                ("id", true),
                ("po-number", true),
                ("status", false),
                ("order-lines.id", true),
                ("order-lines.account.code", true),
                ("order-lines.account.name", false),
                ("custom-fields.anything", true),
            ],
        );
        check(
            r#"[{"custom_fields":["a_b"]},"supplier"]"#,
            &[
                ("custom-fields.a-b", true),
                ("custom-fields.c", false),
                ("supplier.primary-contact.email", true),
            ],
        );
    }

    #[test]
    fn fields_must_be_a_list() {
        assert!(Selection::parse("{").is_err());
        assert!(Selection::parse("\"id\"").is_err());
        assert!(Selection::parse("[1]").is_err());
    }
}
