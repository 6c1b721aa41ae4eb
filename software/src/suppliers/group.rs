//! Groups of one company out of a list: links by evidence, strongest first.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Record;
use super::candidates::Candidates;
use super::compare::{LINKED, Method, Name, PROPOSED, Vocabulary, Word};
use super::words::{Kind, Lists};

/// A number or domain that this many different names share is a placeholder or a platform.
const SHARED_BY_MANY: usize = 25;

/// Why a record is where it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// The record it was linked to, by its place in the list.
    pub to: usize,
    pub method: Method,
    /// 0.5 to 1.
    pub score: f32,
}

/// Where a record belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// The record that stands for the group, by its place in the list; the record itself if it is alone.
    pub group: usize,
    /// `None` for the record that stands for the group.
    pub link: Option<Link>,
    /// The likeliest other group, when that is not sure enough.
    pub proposal: Option<Link>,
}

/// Two records that a person has judged, by their places in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    pub a: usize,
    pub b: usize,
    pub same: bool,
}

#[derive(Debug, Clone, Copy)]
struct Edge {
    a: u32,
    b: u32,
    method: Method,
    score: f32,
}

/// Distinct names of a list, and which record bears which.
struct Nodes {
    names: Vec<Name>,
    /// Records by name; a person's name is a node for each record.
    records: Vec<Vec<usize>>,
    of_record: Vec<u32>,
    vocabulary: Vocabulary,
    edges: Vec<Edge>,
}

/// Finds the groups of `records`. `vendor_of` names the catalogue's vendor of a supplier, if known for sure.
pub(super) fn find(
    lists: &Lists,
    records: &[Record],
    judgements: &[Judgement],
    vendor_of: impl Fn(&str) -> Option<u32>,
) -> Vec<Placed> {
    let mut nodes = Nodes::new(lists, records, judgements);
    nodes.link_evidence(lists, records);
    nodes.link_aliases(records, vendor_of);
    nodes.link_names();
    let mut forest = Forest::new(&nodes, judgements);
    for judgement in judgements.iter().filter(|j| j.same) {
        forest.edges.push(Edge {
            a: nodes.of_record[judgement.a],
            b: nodes.of_record[judgement.b],
            method: Method::Decision,
            score: 1.0,
        });
    }
    forest.grow(&nodes);
    forest.place(&nodes, records.len())
}

impl Nodes {
    fn new(lists: &Lists, records: &[Record], judgements: &[Judgement]) -> Nodes {
        // Whom a person tells apart, no common name puts together.
        let apart: FxHashSet<usize> = judgements
            .iter()
            .filter(|j| !j.same)
            .flat_map(|j| [j.a, j.b])
            .collect();
        let mut nodes = Nodes {
            names: Vec::new(),
            records: Vec::new(),
            of_record: Vec::with_capacity(records.len()),
            vocabulary: Vocabulary::default(),
            edges: Vec::new(),
        };
        let mut by_key: FxHashMap<String, u32> = FxHashMap::default();
        let mut ids: FxHashMap<String, u32> = FxHashMap::default();
        for (place, record) in records.iter().enumerate() {
            let (legal, trading) = crate::normalise::trading_names(&record.name);
            let alone = apart.contains(&place);
            let node = nodes.node(lists, legal, alone, &mut by_key, &mut ids);
            nodes.records[node as usize].push(place);
            nodes.of_record.push(node);
            if let Some(trading) = trading.filter(|t| !t.trim().is_empty()) {
                let other = nodes.node(lists, trading, false, &mut by_key, &mut ids);
                nodes.edge(node, other, Method::TradingName, 0.95);
            }
        }
        nodes.vocabulary.names = nodes.names.len();
        nodes
    }

    fn node(
        &mut self,
        lists: &Lists,
        name: &str,
        alone: bool,
        by_key: &mut FxHashMap<String, u32>,
        ids: &mut FxHashMap<String, u32>,
    ) -> u32 {
        let words = lists.words(name);
        let person = lists.is_person(name);
        let key = words.join(" ");
        let shared = !person && !alone && !key.is_empty();
        if shared && let Some(&known) = by_key.get(&key) {
            return known;
        }
        let node = self.names.len() as u32;
        let mut seen = FxHashSet::default();
        let words: Vec<u32> = words
            .into_iter()
            .map(|text| {
                let vocabulary = &mut self.vocabulary.words;
                let id = *ids.entry(text.clone()).or_insert_with(|| {
                    let kind = lists.kind(&text);
                    vocabulary.push(Word {
                        text,
                        kind,
                        names: 0,
                    });
                    vocabulary.len() as u32 - 1
                });
                if seen.insert(id) {
                    vocabulary[id as usize].names += 1;
                }
                id
            })
            .collect();
        let named = |id: &&u32| self.vocabulary.words[**id as usize].kind != Kind::Neutral;
        let named: String = words
            .iter()
            .filter(named)
            .map(|id| self.vocabulary.words[*id as usize].text.replace(' ', ""))
            .collect();
        self.names.push(Name {
            words,
            named,
            compact: key.replace(' ', ""),
            person,
        });
        self.records.push(Vec::new());
        if shared {
            by_key.insert(key, node);
        }
        node
    }

    fn edge(&mut self, a: u32, b: u32, method: Method, score: f32) {
        if a != b {
            self.edges.push(Edge {
                a: a.min(b),
                b: a.max(b),
                method,
                score,
            });
        }
    }

    /// The same tax number, DUNS number or domain.
    fn link_evidence(&mut self, lists: &Lists, records: &[Record]) {
        let mut holders: BTreeMap<(Method, String), Vec<u32>> = BTreeMap::new();
        for (record, node) in records.iter().zip(&self.of_record) {
            let mut note = |method, value: Option<String>| {
                if let Some(value) = value {
                    let nodes = holders.entry((method, value)).or_default();
                    if !nodes.contains(node) && nodes.len() <= SHARED_BY_MANY {
                        nodes.push(*node);
                    }
                }
            };
            note(Method::TaxNumber, number(&record.tax_number));
            note(Method::Duns, number(&record.duns));
            note(Method::Domain, lists.domain(&record.website));
            note(Method::Domain, lists.domain(&record.email));
        }
        for ((method, _), nodes) in holders {
            if nodes.len() > SHARED_BY_MANY {
                continue;
            }
            let score = if method == Method::Domain { 0.96 } else { 0.99 };
            for other in &nodes[1..] {
                self.edge(nodes[0], *other, method, score);
            }
        }
    }

    fn link_aliases(&mut self, records: &[Record], vendor_of: impl Fn(&str) -> Option<u32>) {
        let mut first: FxHashMap<u32, u32> = FxHashMap::default();
        for node in 0..self.names.len() {
            let Some(record) = self.records[node].first() else {
                continue;
            };
            if self.names[node].person {
                continue;
            }
            if let Some(vendor) = vendor_of(&records[*record].name) {
                let one = *first.entry(vendor).or_insert(node as u32);
                self.edge(one, node as u32, Method::Alias, 0.94);
            }
        }
    }

    /// Compares every name with those that it may be, on all cores.
    fn link_names(&mut self) {
        let candidates = Candidates::new(&self.names, &self.vocabulary);
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(8);
        let share = self.names.len().div_ceil(threads).max(1);
        let (names, vocabulary) = (&self.names, &self.vocabulary);
        let found: Vec<Vec<Edge>> = std::thread::scope(|scope| {
            let work = |from: usize| {
                let candidates = &candidates;
                scope.spawn(move || {
                    let mut edges = Vec::new();
                    let mut seen = vec![u32::MAX; names.len()];
                    for node in from..(from + share).min(names.len()) {
                        candidates.of(node as u32, &mut seen, |other| {
                            let pair = vocabulary.compare(&names[node], &names[other as usize]);
                            if let Some((method, score)) = pair.filter(|(_, s)| *s >= PROPOSED) {
                                edges.push(Edge {
                                    a: node as u32,
                                    b: other,
                                    method,
                                    score,
                                });
                            }
                        });
                    }
                    edges
                })
            };
            let running: Vec<_> = (0..names.len()).step_by(share).map(work).collect();
            running
                .into_iter()
                .map(|t| t.join().unwrap_or_default())
                .collect()
        });
        self.edges.extend(found.into_iter().flatten());
    }
}

/// A number without its punctuation, unless it is plainly a placeholder.
fn number(text: &str) -> Option<String> {
    let plain: String = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let digits = plain.bytes().filter(u8::is_ascii_digit).count();
    let first = plain.bytes().find(u8::is_ascii_digit);
    let varied = plain
        .bytes()
        .filter(u8::is_ascii_digit)
        .any(|b| Some(b) != first);
    (plain.len() >= 6 && digits >= 5 && varied && !plain.starts_with("123456")).then_some(plain)
}

/// Groups as they grow.
struct Forest {
    parent: Vec<u32>,
    /// The name that stands for each group, at its root.
    stands: Vec<u32>,
    members: Vec<Vec<u32>>,
    apart: Vec<(u32, u32)>,
    /// Places of the names in their own order, so that the order of the list decides nothing.
    order: Vec<u32>,
    edges: Vec<Edge>,
    kept: Vec<Edge>,
    refused: Vec<Edge>,
}

impl Forest {
    fn new(nodes: &Nodes, judgements: &[Judgement]) -> Forest {
        let count = nodes.names.len() as u32;
        let mut sorted: Vec<u32> = (0..count).collect();
        sorted.sort_by_key(|n| {
            let name = &nodes.names[*n as usize];
            (name.words.len(), &name.compact)
        });
        let mut order = vec![0; sorted.len()];
        for (place, node) in sorted.into_iter().enumerate() {
            order[node as usize] = place as u32;
        }
        Forest {
            order,
            parent: (0..count).collect(),
            stands: (0..count).collect(),
            members: (0..count).map(|n| vec![n]).collect(),
            apart: judgements
                .iter()
                .filter(|j| !j.same)
                .map(|j| (nodes.of_record[j.a], nodes.of_record[j.b]))
                .collect(),
            edges: nodes.edges.clone(),
            kept: Vec::new(),
            refused: Vec::new(),
        }
    }

    fn root(&mut self, mut node: u32) -> u32 {
        while self.parent[node as usize] != node {
            let up = self.parent[self.parent[node as usize] as usize];
            self.parent[node as usize] = up;
            node = up;
        }
        node
    }

    /// Follows the links, strongest first. A weaker one must also fit the names that stand for both
    /// groups: likeness is no chain.
    fn grow(&mut self, nodes: &Nodes) {
        let mut edges = std::mem::take(&mut self.edges);
        let rank = |e: &Edge| {
            let (a, b) = (self.order[e.a as usize], self.order[e.b as usize]);
            (a.min(b), a.max(b))
        };
        edges.sort_by(|x, y| {
            y.score
                .total_cmp(&x.score)
                .then_with(|| x.method.cmp(&y.method))
                .then_with(|| rank(x).cmp(&rank(y)))
        });
        for edge in edges {
            let (a, b) = (self.root(edge.a), self.root(edge.b));
            if a == b {
                continue;
            }
            if edge.score < LINKED || self.parted(a, b) || !self.fits(nodes, &edge, a, b) {
                self.refused.push(edge);
                continue;
            }
            self.join(nodes, a, b);
            self.kept.push(edge);
        }
    }

    fn parted(&mut self, a: u32, b: u32) -> bool {
        let pairs = self.apart.clone();
        pairs.into_iter().any(|(x, y)| {
            let (x, y) = (self.root(x), self.root(y));
            (x, y) == (a, b) || (x, y) == (b, a)
        })
    }

    fn fits(&self, nodes: &Nodes, edge: &Edge, a: u32, b: u32) -> bool {
        let by_name = matches!(
            edge.method,
            Method::Spelling | Method::Subset | Method::Acronym
        );
        let (x, y) = (self.stands[a as usize], self.stands[b as usize]);
        let direct = (edge.a, edge.b) == (x, y) || (edge.a, edge.b) == (y, x);
        if !by_name || direct {
            return true;
        }
        let (x, y) = (&nodes.names[x as usize], &nodes.names[y as usize]);
        x.compact == y.compact || nodes.vocabulary.compare(x, y).is_some()
    }

    fn join(&mut self, nodes: &Nodes, a: u32, b: u32) {
        // The smaller list moves.
        let (to, from) = if self.members[a as usize].len() >= self.members[b as usize].len() {
            (a, b)
        } else {
            (b, a)
        };
        self.parent[from as usize] = to;
        let moved = std::mem::take(&mut self.members[from as usize]);
        self.members[to as usize].extend(moved);
        let rank = |n: u32| {
            let records = &nodes.records[n as usize];
            // A trading name without a record of its own stands for nobody.
            (std::cmp::Reverse(records.len()), self.order[n as usize])
        };
        let (x, y) = (self.stands[to as usize], self.stands[from as usize]);
        self.stands[to as usize] = if rank(y) < rank(x) { y } else { x };
    }

    /// What became of each record.
    fn place(mut self, nodes: &Nodes, count: usize) -> Vec<Placed> {
        let mut links: FxHashMap<u32, Vec<(u32, Method, f32)>> = FxHashMap::default();
        for edge in &self.kept {
            links
                .entry(edge.a)
                .or_default()
                .push((edge.b, edge.method, edge.score));
            links
                .entry(edge.b)
                .or_default()
                .push((edge.a, edge.method, edge.score));
        }
        let mut proposals: FxHashMap<u32, Edge> = FxHashMap::default();
        for edge in std::mem::take(&mut self.refused) {
            if self.root(edge.a) == self.root(edge.b) {
                continue;
            }
            for node in [edge.a, edge.b] {
                // Sorted by score: the first is the best.
                proposals.entry(node).or_insert(edge);
            }
        }
        let mut placed: Vec<Placed> = (0..count)
            .map(|record| Placed {
                group: record,
                link: None,
                proposal: None,
            })
            .collect();
        for root in 0..self.parent.len() as u32 {
            if self.root(root) != root {
                continue;
            }
            // A trading name that is nobody's own has no record; another name of the group has.
            let stands = self.stands[root as usize];
            let Some(head) = self.head(nodes, stands, root) else {
                continue;
            };
            let mut reached = FxHashSet::from_iter([stands]);
            let mut queue = vec![(stands, None::<Link>)];
            while let Some((node, link)) = queue.pop() {
                let records = &nodes.records[node as usize];
                let own = records.first().copied();
                for record in records {
                    let here = match own {
                        Some(first) if first != *record => Some(Link {
                            to: first,
                            method: Method::Name,
                            score: 1.0,
                        }),
                        _ => link,
                    };
                    placed[*record] = Placed {
                        group: head,
                        link: here.filter(|l| l.to != *record),
                        proposal: proposals.get(&node).and_then(|e| proposal(nodes, e, node)),
                    };
                }
                let onward = own.or(link.map(|l| l.to)).unwrap_or(head);
                for (next, method, score) in links.get(&node).into_iter().flatten() {
                    if reached.insert(*next) {
                        queue.push((
                            *next,
                            Some(Link {
                                to: onward,
                                method: *method,
                                score: *score,
                            }),
                        ));
                    }
                }
            }
        }
        placed
    }

    fn head(&self, nodes: &Nodes, stands: u32, root: u32) -> Option<usize> {
        let own = nodes.records[stands as usize].first().copied();
        own.or_else(|| {
            let members = &self.members[root as usize];
            members
                .iter()
                .flat_map(|m| &nodes.records[*m as usize])
                .min()
                .copied()
        })
    }
}

fn proposal(nodes: &Nodes, edge: &Edge, node: u32) -> Option<Link> {
    let other = if edge.a == node { edge.b } else { edge.a };
    let to = *nodes.records[other as usize].first()?;
    Some(Link {
        to,
        method: edge.method,
        score: edge.score.min(LINKED - 0.01),
    })
}
