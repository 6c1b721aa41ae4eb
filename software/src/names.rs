//! Vendors and products under one name each, made from the rows of the catalogue, which come from
//! many sources that spell and split differently.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalogue::{Catalogue, Entry, Meaning, Place, Seller};
use crate::matcher::Phrases;
use crate::normalise::{NameWords, folded, without_brackets};

/// How far a bare name may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    Weak,
    Medium,
    Strong,
}

/// What a supplier mainly sells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sells {
    Software,
    Mixed,
    Hardware,
    Services,
    Retail,
    Telecom,
    Content,
    Payments,
    Reseller,
    Marketplace,
}

#[derive(Debug, Clone)]
pub(crate) struct Vendor {
    pub name: String,
    pub category: String,
    pub sells: Sells,
    pub strength: Strength,
    /// From our own or a user's rows, not a list compiled elsewhere.
    pub curated: bool,
    /// The product that bears the vendor's name, if the two are one to everybody.
    pub namesake: Option<u32>,
}

#[derive(Debug, Clone)]
pub(crate) struct Product {
    pub name: String,
    pub vendor: Option<u32>,
    pub category: String,
    pub curated: bool,
}

/// What a phrase in a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    Product(u32, Strength),
    Vendor(u32, Strength),
    /// The product's name without its vendor's ("Ultimate"): counts on the vendor's own lines only.
    Own(u32),
}

/// A supplier name's target in the look-up of suppliers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub vendor: u32,
    pub strength: Strength,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub vendors: Vec<Vendor>,
    pub products: Vec<Product>,
    pub words: NameWords,
    /// By the name's key.
    pub suppliers: FxHashMap<String, Known>,
    /// By a vendor's folded name, for the rows of `merchants.csv`.
    pub by_name: FxHashMap<String, u32>,
}

pub(crate) fn name_words(catalogue: &Catalogue) -> NameWords {
    let mut words = NameWords::default();
    for word in catalogue.words.iter().filter(|w| w.place == Place::Key) {
        match word.means {
            Meaning::LegalForm | Meaning::Country => words.forms.insert(word.phrase.clone()),
            Meaning::Generic => words.generic.insert(word.phrase.clone()),
            _ => continue,
        };
    }
    words
}

/// Builds the names, and adds their phrases to `phrases` as `wrap` makes them.
pub(crate) fn build<T: PartialEq>(
    catalogue: &Catalogue,
    phrases: &mut Phrases<T>,
    wrap: impl Fn(Named) -> T,
) -> Names {
    let mut builder = Builder::new(catalogue);
    let live = |e: &&Entry| e.strength != "none";
    // Curated rows first: they give a vendor or product the name under which it is reported.
    for curated in [true, false] {
        for entry in catalogue.entries.iter().filter(live) {
            if is_curated(entry) == curated && entry.product.is_empty() {
                builder.vendor_row(entry);
            }
        }
        if curated {
            for seller in &catalogue.sellers {
                builder.seller_row(seller);
            }
        }
    }
    for curated in [true, false] {
        for entry in catalogue.entries.iter().filter(live) {
            if is_curated(entry) == curated && !entry.product.is_empty() {
                builder.product_row(entry);
            }
        }
        if curated {
            for (vendor, entry) in std::mem::take(&mut builder.later) {
                builder.product(Some(vendor), &entry.vendor, entry);
            }
        }
    }
    builder.namesakes();
    for (phrase, named) in &builder.phrases {
        phrases.add(phrase, wrap(*named));
    }
    builder.names
}

fn is_curated(entry: &Entry) -> bool {
    entry.source.is_empty() || entry.source == "own" || entry.source.contains("curated")
}

struct Builder<'c> {
    names: Names,
    phrases: Vec<(String, Named)>,
    sellers: FxHashMap<String, &'c Seller>,
    /// Folded word or words with which a vendor's products begin.
    houses: FxHashMap<String, String>,
    /// By vendor and the product's name without the vendor's.
    products: FxHashMap<(Option<u32>, String), u32>,
    /// Phrases of `words.csv`: a name that is one of these names nothing by itself.
    common: FxHashSet<&'c str>,
    /// Names that a curated row calls weak. A vendor of that name may be trusted as a supplier,
    /// yet in a text the name is a common word.
    weak: FxHashSet<String>,
    /// Rows that list a vendor's product as a vendor; they wait until better rows had their say.
    later: Vec<(u32, &'c Entry)>,
}

impl<'c> Builder<'c> {
    fn new(catalogue: &'c Catalogue) -> Self {
        let mut houses = FxHashMap::default();
        for e in &catalogue.entries {
            let key = folded(&e.vendor);
            if e.product.is_empty()
                && is_curated(e)
                && matches!(e.strength.as_str(), "strong" | "medium")
                && key.len() >= 4
            {
                houses.insert(key, e.vendor.clone());
            }
        }
        for s in &catalogue.sellers {
            for house in s.house.split('|').filter(|h| !h.is_empty()) {
                houses.insert(folded(house), s.vendor.clone());
            }
        }
        let weak = catalogue
            .entries
            .iter()
            .filter(|e| is_curated(e) && e.strength == "weak")
            .map(|e| {
                folded(if e.product.is_empty() {
                    &e.vendor
                } else {
                    &e.product
                })
            })
            .collect();
        let common = catalogue
            .words
            .iter()
            .filter(|w| w.place == Place::Text || w.place == Place::Key)
            .map(|w| w.phrase.as_str())
            .collect();
        let sellers = catalogue
            .sellers
            .iter()
            .map(|s| (folded(&s.vendor), s))
            .collect();
        Builder {
            names: Names {
                words: name_words(catalogue),
                ..Names::default()
            },
            phrases: Vec::new(),
            sellers,
            houses,
            products: FxHashMap::default(),
            common,
            weak,
            later: Vec::new(),
        }
    }

    /// The name under which a vendor is reported, and whether `name` is more than a spelling of
    /// it: "Google Drive" is a product of Google, "Cisco Systems Inc." just Cisco.
    fn canonical(&self, name: &str, curated: bool) -> (String, bool) {
        let text = folded(&without_brackets(name));
        if let Some(seller) = self.sellers.get(&folded(name))
            && !seller.same_as.is_empty()
        {
            let key = self.names.words.key(&seller.same_as).base;
            return (
                seller.same_as.clone(),
                self.names.words.key(name).base != key,
            );
        }
        if curated {
            return (name.to_string(), false);
        }
        let words: Vec<&str> = text.split(' ').collect();
        for n in (1..=words.len()).rev() {
            if let Some(house) = self.houses.get(&words[..n].join(" ")) {
                let more = self.names.words.key(name).base != self.names.words.key(house).base;
                return (house.clone(), more && n < words.len());
            }
        }
        (name.to_string(), false)
    }

    fn vendor_row(&mut self, entry: &'c Entry) {
        let (name, is_product) = self.canonical(&entry.vendor, is_curated(entry));
        let vendor = self.vendor(&name, entry);
        if is_product {
            self.later.push((vendor, entry));
            return;
        }
        let strength = self.trust(entry, &entry.vendor);
        self.supplier(&entry.vendor, vendor, strength);
        self.vendor_phrase(&entry.vendor, vendor, strength);
        for alias in split(&entry.aliases) {
            let strength = if alias.contains(' ') {
                strength.max(Strength::Medium)
            } else {
                strength
            };
            self.supplier(alias, vendor, strength);
            self.vendor_phrase(alias, vendor, strength);
        }
        if let Some(domain) = plain_domain(&entry.domain) {
            let phrase = folded(domain);
            // "elastic.co" must not make the common word "elastic" a strong name.
            if self.names.words.key(domain).key.contains(' ') {
                self.supplier(domain, vendor, Strength::Strong);
            }
            if self.names_in_text(vendor) {
                self.phrases
                    .push((phrase, Named::Vendor(vendor, Strength::Strong)));
            }
        }
    }

    fn seller_row(&mut self, seller: &'c Seller) {
        if !seller.same_as.is_empty() {
            let blank = blank(&seller.same_as);
            let vendor = self.vendor(&seller.same_as, &blank);
            let strength = self.names.vendors[vendor as usize].strength;
            self.supplier(&seller.vendor, vendor, strength.max(Strength::Medium));
            return;
        }
        let blank = blank(&seller.vendor);
        let vendor = self.vendor(&seller.vendor, &blank);
        let known = &mut self.names.vendors[vendor as usize];
        known.sells = sells(&seller.sells).unwrap_or(known.sells);
        let strength = known.strength;
        // These names are there to be recognised as suppliers, so each spelling counts.
        let recognised = if known.sells == Sells::Software {
            strength
        } else {
            strength.max(Strength::Medium)
        };
        self.supplier(&seller.vendor, vendor, recognised);
        for alias in split(&seller.aliases) {
            self.supplier(alias, vendor, recognised);
        }
    }

    fn product_row(&mut self, entry: &'c Entry) {
        let (name, is_product) = if entry.vendor.is_empty() {
            let (house, inside) = self.canonical(&entry.product, false);
            (if inside { house } else { String::new() }, false)
        } else {
            self.canonical(&entry.vendor, is_curated(entry))
        };
        let vendor = (!name.is_empty()).then(|| self.vendor(&name, entry));
        if is_product && folded(&entry.product) == folded(&entry.vendor) {
            return; // the vendor's row has said it
        }
        self.product(vendor, &entry.product, entry);
    }

    fn vendor(&mut self, name: &str, entry: &Entry) -> u32 {
        let key = folded(name);
        if let Some(&id) = self.names.by_name.get(&key) {
            return id;
        }
        let own = entry.product.is_empty() && folded(&entry.vendor) == key;
        let id = self.names.vendors.len() as u32;
        self.names.vendors.push(Vendor {
            name: name.to_string(),
            category: if own {
                entry.category.clone()
            } else {
                String::new()
            },
            sells: sells(&entry.role).unwrap_or(Sells::Software),
            strength: if own {
                strength(&entry.strength)
            } else {
                Strength::Weak
            },
            curated: is_curated(entry),
            namesake: None,
        });
        self.names.by_name.insert(key, id);
        id
    }

    fn product(&mut self, vendor: Option<u32>, name: &str, entry: &'c Entry) {
        let text = folded(&without_brackets(name));
        let owner = vendor.map(|v| folded(&self.names.vendors[v as usize].name));
        let prefixed = owner
            .as_ref()
            .and_then(|o| text.strip_prefix(o.as_str()))
            .filter(|rest| rest.is_empty() || rest.starts_with(' '));
        let short = match prefixed {
            Some(rest) if !rest.is_empty() => rest.trim(),
            _ => text.as_str(),
        };
        // "Adobe Creative Cloud software" is Creative Cloud, yet Jira Software is not Jira.
        let short = match short.strip_suffix(" software") {
            Some(rest) if !is_curated(entry) => rest.to_string(),
            _ => short.to_string(),
        };
        let next = self.names.products.len() as u32;
        let id = *self.products.entry((vendor, short.clone())).or_insert(next);
        if id == next {
            self.names.products.push(Product {
                name: name.to_string(),
                vendor,
                category: entry.category.clone(),
                curated: is_curated(entry),
            });
        }
        let trust = if owner.as_deref() == Some(text.as_str()) && self.weak.contains(&text) {
            Strength::Weak
        } else {
            self.trust(entry, name)
        };
        let with_owner = prefixed.is_some_and(|rest| !rest.is_empty());
        let trust = if with_owner {
            trust.max(Strength::Medium)
        } else {
            trust
        };
        self.phrase(&text, Named::Product(id, trust));
        let base = vendor.map(|v| {
            self.names
                .words
                .key(&self.names.vendors[v as usize].name)
                .base
        });
        let after_base = base.and_then(|b| text.strip_prefix(&format!("{b} ")).map(str::to_string));
        if let Some(rest) = prefixed.map(|p| p.trim().to_string()).or(after_base)
            && is_curated(entry)
            && rest.len() >= 3
        {
            self.phrases.push((rest, Named::Own(id)));
        }
        if let Some(owner) = owner
            && is_curated(entry)
            && prefixed.is_none()
        {
            self.phrase(
                &format!("{owner} {text}"),
                Named::Product(id, Strength::Strong),
            );
        }
        if !entry.product.is_empty() {
            for alias in split(&entry.aliases) {
                let trust = self.trust(entry, alias);
                let trust =
                    if alias.contains([' ', '.', '-']) || is_curated(entry) && alias.len() > 4 {
                        trust.max(Strength::Medium)
                    } else {
                        trust
                    };
                self.phrase(&folded(alias), Named::Product(id, trust));
            }
        }
    }

    /// The row's own word on how far to trust `name`, less where the name is a common word.
    fn trust(&self, entry: &Entry, name: &str) -> Strength {
        let text = folded(name);
        let given = strength(&entry.strength);
        if text.len() <= 3 && !is_curated(entry) {
            Strength::Weak
        } else if given == Strength::Medium
            && is_curated(entry)
            && text.len() >= 6
            && !entry.product.is_empty()
        {
            // A product that was chosen by hand, with a name long enough to be no accident.
            Strength::Strong
        } else {
            given
        }
    }

    fn phrase(&mut self, text: &str, named: Named) {
        if !self.common.contains(text) {
            self.phrases.push((text.to_string(), named));
        }
    }

    fn supplier(&mut self, name: &str, vendor: u32, strength: Strength) {
        let key = self.names.words.key(name).key;
        if key.is_empty() {
            return;
        }
        let known = Known { vendor, strength };
        self.names
            .suppliers
            .entry(key)
            .and_modify(|old| {
                let curated = |k: &Known| self.names.vendors[k.vendor as usize].curated;
                let better = (curated(&known), known.strength) > (curated(old), old.strength);
                if better || old.vendor == vendor && known.strength > old.strength {
                    *old = known;
                }
            })
            .or_insert(known);
    }

    fn vendor_phrase(&mut self, name: &str, vendor: u32, strength: Strength) {
        if !self.names_in_text(vendor) {
            return;
        }
        let key = self.names.words.key(name).key;
        let bare = if key.len() <= 3 || self.weak.contains(&key) {
            Strength::Weak
        } else {
            strength
        };
        self.phrase(&key, Named::Vendor(vendor, bare));
        let whole = folded(name);
        if whole != key {
            self.phrase(&whole, Named::Vendor(vendor, strength));
        }
    }

    /// Whether the vendor's bare name in a description speaks for software at all.
    fn names_in_text(&self, vendor: u32) -> bool {
        matches!(
            self.names.vendors[vendor as usize].sells,
            Sells::Software | Sells::Mixed
        )
    }

    /// A vendor with a product of its own name, or without curated products, is its own product.
    fn namesakes(&mut self) {
        let mut others: FxHashSet<u32> = FxHashSet::default();
        for product in &self.names.products {
            if let Some(vendor) = product.vendor
                && product.curated
            {
                others.insert(vendor);
            }
        }
        for id in 0..self.names.vendors.len() as u32 {
            let vendor = &self.names.vendors[id as usize];
            if !matches!(vendor.sells, Sells::Software) {
                continue;
            }
            let key = folded(&vendor.name);
            let own = self.products.get(&(Some(id), key)).copied();
            let namesake = match own {
                Some(product) => product,
                None if !others.contains(&id) => {
                    self.names.products.push(Product {
                        name: vendor.name.clone(),
                        vendor: Some(id),
                        category: vendor.category.clone(),
                        curated: vendor.curated,
                    });
                    self.names.products.len() as u32 - 1
                }
                None => continue,
            };
            self.names.vendors[id as usize].namesake = Some(namesake);
        }
    }
}

fn split(aliases: &str) -> impl Iterator<Item = &str> {
    aliases.split('|').map(str::trim).filter(|a| !a.is_empty())
}

fn blank(vendor: &str) -> Entry {
    Entry {
        vendor: vendor.to_string(),
        product: String::new(),
        domain: String::new(),
        category: String::new(),
        unspsc: String::new(),
        role: String::new(),
        strength: "weak".to_string(),
        aliases: String::new(),
        source: "own".to_string(),
        licence: String::new(),
    }
}

fn strength(word: &str) -> Strength {
    match word {
        "strong" => Strength::Strong,
        "medium" | "reseller" => Strength::Medium,
        _ => Strength::Weak,
    }
}

fn sells(word: &str) -> Option<Sells> {
    Some(match word {
        "software" | "publisher" | "project" => Sells::Software,
        "mixed" => Sells::Mixed,
        "hardware" => Sells::Hardware,
        "services" => Sells::Services,
        "retail" => Sells::Retail,
        "telecom" => Sells::Telecom,
        "content" => Sells::Content,
        "payments" => Sells::Payments,
        "reseller" => Sells::Reseller,
        "marketplace" => Sells::Marketplace,
        _ => return None,
    })
}

/// A domain of a name and its suffix only, such as `zoom.us` or `123-reg.co.uk`: sub-domains are
/// often a documentation host or another firm's.
fn plain_domain(domain: &str) -> Option<&str> {
    let labels: Vec<&str> = domain.split('.').collect();
    let second = labels.len() == 3 && matches!(labels[1], "co" | "com" | "org" | "net");
    (!domain.contains('/') && (labels.len() == 2 || second)).then_some(domain)
}
