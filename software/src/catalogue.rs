//! The data: vendors, products, codes, words and weights, embedded in the crate. A folder with
//! files of the same names is laid over them, row by row.

use std::fs;
use std::path::Path;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::CatalogueError;
use crate::signal::{Signal, Weights, unknown_signal};

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        const EMBEDDED: &[(&str, &str)] = &[$(($name, include_str!(concat!("../data/", $name)))),*];
    };
}

embedded!(
    "catalog.csv",
    "additions.csv",
    "vendors.csv",
    "merchants.csv",
    "codes.csv",
    "terms.csv",
    "categories.csv",
    "words.csv",
    "name_words.csv",
    "weights.toml",
);

/// Everything a classifier knows, merged from the embedded files and a user's own.
#[derive(Debug, Clone)]
pub struct Catalogue {
    pub(crate) entries: Vec<Entry>,
    pub(crate) sellers: Vec<Seller>,
    pub(crate) merchants: Vec<Merchant>,
    pub(crate) codes: Vec<Code>,
    pub(crate) terms: Vec<Term>,
    pub(crate) categories: Vec<CategoryWords>,
    pub(crate) words: Vec<Word>,
    pub(crate) weights: Weights,
    /// Texts of `name_words.csv`, which only the matching of suppliers reads.
    pub(crate) name_words: Vec<String>,
}

/// A row of `catalog.csv` or `additions.csv`: a vendor (no product) or a product. Key: both names.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    #[serde(default)]
    pub vendor: String,
    #[serde(default)]
    pub product: String,
    #[serde(default)]
    pub domain: String,
    #[serde(default)]
    pub category: String,
    #[serde(default)]
    #[allow(
        dead_code,
        reason = "kept for whoever reads the file; categories say the same"
    )]
    pub unspsc: String,
    #[serde(default)]
    pub role: String,
    /// How far the bare name may be trusted: strong, medium, weak, reseller; none switches it off.
    #[serde(default, rename = "match")]
    pub strength: String,
    #[serde(default)]
    pub aliases: String,
    #[serde(default)]
    pub source: String,
    #[serde(default)]
    #[allow(dead_code, reason = "attribution, for the reader of the file")]
    pub licence: String,
}

/// A row of `vendors.csv`: what a supplier sells, and under which name it is reported. Key: vendor.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seller {
    pub vendor: String,
    #[serde(default)]
    pub sells: String,
    /// Catalogue vendors whose names begin with one of these words are this vendor's products.
    #[serde(default)]
    pub house: String,
    #[serde(default)]
    pub same_as: String,
    #[serde(default)]
    pub aliases: String,
}

/// A row of `merchants.csv`: how card statements abbreviate. Key: prefix.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Merchant {
    pub prefix: String,
    pub kind: String,
    #[serde(default)]
    pub vendor: String,
}

/// A row of `codes.csv`. Key: scheme and code.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    pub scheme: String,
    pub code: String,
    #[serde(rename = "match")]
    pub reach: String,
    #[serde(default)]
    pub title: String,
    pub class: String,
    #[serde(default)]
    #[allow(dead_code, reason = "attribution, for the reader of the file")]
    pub source: String,
    #[serde(default)]
    #[allow(dead_code, reason = "attribution, for the reader of the file")]
    pub licence: String,
}

/// A row of `terms.csv`: a generic software phrase. Key: term.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Term {
    pub term: String,
    #[serde(default)]
    pub unspsc: String,
    #[serde(default)]
    pub category: String,
    #[serde(default)]
    #[allow(dead_code, reason = "attribution, for the reader of the file")]
    pub source: String,
    #[serde(default)]
    #[allow(dead_code, reason = "attribution, for the reader of the file")]
    pub licence: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CategoryWords {
    pub phrases: String,
    pub category: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct WordRow {
    phrases: String,
    signal: String,
    r#where: String,
}

/// One phrase of `words.csv`. Key: phrase and place.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub phrase: String,
    pub means: Meaning,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Signal(Signal),
    LegalForm,
    Country,
    Generic,
    /// Switched off by a user's file.
    Nothing,
}

/// Where a phrase is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Text,
    Account,
    Contract,
    Department,
    Supplier,
    Key,
}

impl Catalogue {
    /// The data in the crate.
    ///
    /// Errors: never in a released build, since a test reads it all.
    pub fn embedded() -> Result<Catalogue, CatalogueError> {
        Catalogue::read(&[])
    }

    /// The data in the crate with the files of `folder` laid over it.
    ///
    /// A file has the name and columns of an embedded one; a row replaces the row with the same
    /// key, a new row adds. `weights.toml` may name some of its keys. A `match` or `signal` of
    /// `none` switches a row off. Files ending in `.md` are passed over.
    pub fn with_folder(folder: &Path) -> Result<Catalogue, CatalogueError> {
        let read = |source| CatalogueError::Read {
            path: folder.to_path_buf(),
            source,
        };
        let mut own = Vec::new();
        for entry in fs::read_dir(folder).map_err(read)? {
            let path = entry.map_err(read)?.path();
            let name = path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            if name.starts_with('.') || name.ends_with(".md") || path.is_dir() {
                continue;
            }
            if !EMBEDDED.iter().any(|(known, _)| *known == name) {
                return Err(CatalogueError::invalid(&name, 0, unknown_file(&name)));
            }
            let text = fs::read_to_string(&path).map_err(|source| CatalogueError::Read {
                path: path.clone(),
                source,
            })?;
            own.push((name, text));
        }
        Catalogue::read(&own)
    }

    fn read(own: &[(String, String)]) -> Result<Catalogue, CatalogueError> {
        let texts = |name: &str| -> Vec<String> {
            let embedded = EMBEDDED.iter().filter(|(n, _)| *n == name);
            let own = own.iter().filter(|(n, _)| n == name);
            embedded
                .map(|(_, t)| t.to_string())
                .chain(own.map(|(_, t)| t.clone()))
                .collect()
        };
        let entries = entries(own)?;
        let sellers = merged(rows::<Seller>("vendors.csv", &texts("vendors.csv"))?, |s| {
            s.vendor.clone()
        });
        let merchants = rows::<Merchant>("merchants.csv", &texts("merchants.csv"))?;
        let codes = merged(rows::<Code>("codes.csv", &texts("codes.csv"))?, |c| {
            (c.scheme.clone(), c.code.clone())
        });
        let terms = merged(rows::<Term>("terms.csv", &texts("terms.csv"))?, |t| {
            t.term.clone()
        });
        Ok(Catalogue {
            entries,
            sellers,
            merchants: merged(merchants, |m| m.prefix.clone()),
            codes,
            terms,
            categories: rows("categories.csv", &texts("categories.csv"))?,
            words: words(&texts("words.csv"))?,
            weights: weights(&texts("weights.toml"))?,
            name_words: texts("name_words.csv"),
        })
    }

    /// What each signal counts.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }
}

/// A user's rows before the embedded ones, of which those with the same key go. The two embedded
/// files add to each other: a vendor has the aliases of both.
fn entries(own: &[(String, String)]) -> Result<Vec<Entry>, CatalogueError> {
    const FILES: [&str; 2] = ["additions.csv", "catalog.csv"];
    let key = |e: &Entry| (e.vendor.clone(), e.product.clone());
    let mut found = Vec::new();
    for (name, text) in own.iter().filter(|(n, _)| FILES.contains(&n.as_str())) {
        found.extend(rows::<Entry>(name, std::slice::from_ref(text))?);
    }
    let mut found = merged(found, key);
    let replaced: FxHashSet<_> = found.iter().map(key).collect();
    for name in FILES {
        for (_, text) in EMBEDDED.iter().filter(|(n, _)| *n == name) {
            let embedded = rows::<Entry>(name, &[text.to_string()])?;
            found.extend(embedded.into_iter().filter(|e| !replaced.contains(&key(e))));
        }
    }
    Ok(found)
}

/// Names of the embedded files with their text, to write them out as a start for own ones.
pub fn embedded_files() -> impl Iterator<Item = (&'static str, &'static str)> {
    EMBEDDED.iter().copied()
}

fn unknown_file(name: &str) -> String {
    let near = EMBEDDED
        .iter()
        .map(|(known, _)| *known)
        .min_by_key(|known| strsim::osa_distance(known, name))
        .unwrap_or("");
    format!("no data file has this name; the nearest is {near}")
}

fn rows<T: DeserializeOwned>(name: &str, texts: &[String]) -> Result<Vec<T>, CatalogueError> {
    let mut found = Vec::new();
    for text in texts {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        for row in reader.deserialize() {
            found.push(row.map_err(|e| invalid_row(name, &e))?);
        }
    }
    Ok(found)
}

fn invalid_row(name: &str, error: &csv::Error) -> CatalogueError {
    let line = error.position().map_or(0, csv::Position::line);
    CatalogueError::invalid(name, line, error.to_string())
}

/// The last row of each key, in the place of the first.
fn merged<T, K: std::hash::Hash + Eq>(rows: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut places: FxHashMap<K, usize> = FxHashMap::default();
    let mut kept: Vec<T> = Vec::with_capacity(rows.len());
    for row in rows {
        match places.get(&key(&row)) {
            Some(&place) => kept[place] = row,
            None => {
                places.insert(key(&row), kept.len());
                kept.push(row);
            }
        }
    }
    kept
}

fn words(texts: &[String]) -> Result<Vec<Word>, CatalogueError> {
    let mut found = Vec::new();
    for (row, number) in rows::<WordRow>("words.csv", texts)?.into_iter().zip(2..) {
        let means = match row.signal.as_str() {
            "legal_form" => Meaning::LegalForm,
            "country_word" => Meaning::Country,
            "generic_word" => Meaning::Generic,
            "none" => Meaning::Nothing,
            name => Meaning::Signal(Signal::named(name).ok_or_else(|| {
                CatalogueError::invalid("words.csv", number, unknown_signal(name))
            })?),
        };
        let place = match row.r#where.as_str() {
            "text" => Place::Text,
            "account" => Place::Account,
            "contract" => Place::Contract,
            "department" => Place::Department,
            "supplier" => Place::Supplier,
            "key" => Place::Key,
            other => {
                return Err(CatalogueError::invalid(
                    "words.csv",
                    number,
                    format!(
                        "`{other}` is no place; allowed are text, account, contract, department, supplier, key"
                    ),
                ));
            }
        };
        for phrase in row
            .phrases
            .split('|')
            .map(str::trim)
            .filter(|p| !p.is_empty())
        {
            found.push(Word {
                phrase: phrase.to_string(),
                means,
                place,
            });
        }
    }
    Ok(merged(found, |w| (w.phrase.clone(), w.place)))
}

fn weights(texts: &[String]) -> Result<Weights, CatalogueError> {
    let invalid = |what: String| CatalogueError::invalid("weights.toml", 0, what);
    let mut document = toml::Table::new();
    for text in texts {
        let own: toml::Table = text
            .parse()
            .map_err(|e: toml::de::Error| invalid(e.to_string()))?;
        for (key, value) in own {
            match (document.get_mut(&key), value) {
                (Some(toml::Value::Table(below)), toml::Value::Table(above)) => below.extend(above),
                (_, value) => {
                    document.insert(key, value);
                }
            }
        }
    }
    Weights::read(document).map_err(invalid)
}
