//! The classifier: every signal of a line, added up, and the vendor and product they name.

use std::borrow::Cow;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::accounts::{Accounts, Read};
use crate::catalogue::{Catalogue, Meaning, Place};
use crate::codes::{Codes, Scheme, code_in};
use crate::identity::Identity;
use crate::line::{Certainty, Class, Decision, Evidence, Line, sigmoid};
use crate::matcher::{Matcher, Phrases};
use crate::names::{self, Named, Names, Sells, Strength};
use crate::normalise::folded;
use crate::period::{period_in, states_term};
use crate::reading::{Reading, names_in};
use crate::signal::{Kind, Signal, Weights};
use crate::supplier::{How, Supplier, Suppliers};

/// What a phrase in a description stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Name(Named),
    Word(Signal),
    /// A generic software phrase, with its category.
    Term(u16),
    /// Tells a category and nothing else.
    Category(u16),
}

/// Decides for purchase lines whether they are software. Immutable: share it between threads.
#[derive(Debug, Clone)]
pub struct Classifier {
    pub(crate) names: Names,
    pub(crate) suppliers: Suppliers,
    pub(crate) codes: Codes,
    pub(crate) accounts: Accounts,
    pub(crate) text: Matcher<Target>,
    pub(crate) categories: Vec<String>,
    pub(crate) weights: Weights,
}

/// Remembers what names of suppliers and accounts say, since tables repeat them. One a thread.
#[derive(Debug, Default)]
pub struct Cache {
    suppliers: FxHashMap<String, Arc<Supplier>>,
    accounts: FxHashMap<String, Read>,
}

/// Entries of each kind that a cache holds before it starts anew.
const CACHED: usize = 100_000;

impl Classifier {
    /// Builds the look-ups; takes some tens of milliseconds.
    pub fn new(catalogue: &Catalogue) -> Classifier {
        let mut phrases = Phrases::default();
        let names = names::build(catalogue, &mut phrases, Target::Name);
        let mut categories: Vec<String> = Vec::new();
        let mut category = |name: &str| -> u16 {
            let at = categories
                .iter()
                .position(|c| c == name)
                .unwrap_or_else(|| {
                    categories.push(name.to_string());
                    categories.len() - 1
                });
            at as u16
        };
        for word in catalogue.words.iter().filter(|w| w.place == Place::Text) {
            if let Meaning::Signal(signal) = word.means {
                phrases.add(&word.phrase, Target::Word(signal));
            }
        }
        for term in &catalogue.terms {
            let text = folded(&term.term);
            if text.contains(' ') && text.contains("software") {
                phrases.add(&text, Target::Term(category(&term.category)));
            }
        }
        for row in &catalogue.categories {
            for phrase in row.phrases.split('|') {
                phrases.add(phrase.trim(), Target::Category(category(&row.category)));
            }
        }
        Classifier {
            suppliers: Suppliers::new(catalogue, &names),
            codes: Codes::new(catalogue),
            accounts: Accounts::new(catalogue),
            text: phrases.build(),
            names,
            categories,
            weights: catalogue.weights.clone(),
        }
    }

    /// Decides one line. Reads nothing but the line; the same line always gets the same decision.
    pub fn classify<'a>(&'a self, line: &Line<'a>) -> Decision<'a> {
        self.classify_cached(line, &mut Cache::default())
    }

    /// As [`Classifier::classify`], faster for many lines.
    pub fn classify_cached<'a>(&'a self, line: &Line<'a>, cache: &mut Cache) -> Decision<'a> {
        let supplier = cache.supplier(self, line.supplier);
        let reading = Reading::new(self, line, &supplier);
        let mut sum = Sum {
            weights: &self.weights,
            evidence: Vec::with_capacity(10),
        };
        sum.evidence.push(Evidence {
            signal: Signal::Prior,
            weight: self.weights.prior,
            detail: Cow::Borrowed(""),
        });
        let code = self.add_code(line, &mut sum);
        let accounts = self.read_accounts(line, cache);
        let named_software = code == Some(Signal::CodeSoftware)
            || accounts
                .iter()
                .any(|(read, _)| matches!(read, Some((Signal::AccountSoftware, _))));
        let identity = Identity::find(self, &reading, &supplier, named_software);
        let known = identity.best.is_some_and(|c| c.strength > Strength::Weak)
            || self.is_publisher(&supplier);
        self.add_accounts(accounts, known, &mut sum);
        self.add_contract(line, &mut sum);
        self.add_supplier(&supplier, &mut sum);
        self.add_supplier_in_text(&supplier, &reading, &mut sum);
        identity.add(self, &reading, &mut sum);
        self.add_words(&reading, &mut sum);
        let period = period_in(reading.description, line.currency == "USD");
        if let Some((first, last)) = period {
            sum.add(
                Signal::Period,
                1.0,
                Cow::Owned(format!("{first} to {last}")),
            );
        } else if states_term(reading.description) {
            sum.add(Signal::Period, 1.0, Cow::Borrowed("a term is stated"));
        }
        if let Some(recurrence) = line.recurrence {
            sum.add(Signal::Recurring, 1.0, Cow::Borrowed(recurrence.name()));
        }
        self.decide(line, &reading, &supplier, &identity, sum.evidence, period)
    }

    fn add_code<'a>(&'a self, line: &Line<'a>, sum: &mut Sum<'a, '_>) -> Option<Signal> {
        let of_code = self.codes.look_up(Scheme::Unspsc, line.unspsc);
        let (signal, title) = match (of_code, code_in(line.commodity)) {
            (Some(found), _) => found,
            (None, Some((scheme, code))) => self.codes.look_up(scheme, code)?,
            (None, None) => return None,
        };
        sum.add(signal, 1.0, Cow::Borrowed(title));
        Some(signal)
    }

    /// What the commodity's and the account's names say, in this order.
    fn read_accounts(&self, line: &Line, cache: &mut Cache) -> [(Read, bool); 2] {
        let commodity = cache
            .account(self, line.commodity)
            .into_iter()
            .chain(cache.account(self, line.commodity_path));
        let account = cache
            .account(self, line.account)
            .into_iter()
            .chain(cache.account(self, line.account_name));
        [(telling(commodity), true), (telling(account), false)]
    }

    fn add_accounts<'a>(&'a self, reads: [(Read, bool); 2], known: bool, sum: &mut Sum<'a, '_>) {
        let software = |read: &Read| matches!(read, Some((Signal::AccountSoftware, _)));
        if reads.iter().all(|(read, _)| software(read)) {
            sum.add(Signal::BothSoftware, 1.0, Cow::Borrowed(""));
        }
        let any_software = reads.iter().any(|(read, _)| software(read));
        let mut counted: Option<Signal> = None;
        for (read, is_commodity) in reads {
            let Some((signal, pattern)) = read else {
                continue;
            };
            let detail = pattern.map_or("", |p| self.accounts.account_phrase(p));
            let against = self.weights.of(signal) < 0.0;
            let signal = match signal {
                Signal::AccountNeutral => continue,
                Signal::AccountSoftware if is_commodity => Signal::CommoditySoftware,
                signal => signal,
            };
            // Two names that say the same are one fact, and one that says software stands.
            let again = counted == Some(signal)
                || signal == Signal::AccountSoftware && counted == Some(Signal::CommoditySoftware);
            if again || any_software && against {
                continue;
            }
            let share = match signal {
                Signal::AccountOther | Signal::AccountUnrelated if known => {
                    self.weights.limits.account_beside_product
                }
                _ => 1.0,
            };
            counted = Some(signal);
            sum.add(signal, share, Cow::Borrowed(detail));
        }
    }

    fn add_contract<'a>(&'a self, line: &Line<'a>, sum: &mut Sum<'a, '_>) {
        if let Some(phrase) = self.accounts.contract(line.contract_type) {
            sum.add(Signal::ContractSoftware, 1.0, Cow::Borrowed(phrase));
        }
        if let Some(phrase) = self.accounts.department(line.department) {
            sum.add(Signal::DepartmentIt, 1.0, Cow::Borrowed(phrase));
        }
    }

    fn is_publisher(&self, supplier: &Supplier) -> bool {
        supplier.link.is_some_and(|link| {
            link.strength > Strength::Weak
                && self.names.vendors[link.vendor as usize].sells == Sells::Software
        })
    }

    fn add_supplier<'a>(&'a self, supplier: &Supplier, sum: &mut Sum<'a, '_>) {
        if let Some(channel) = supplier.channel {
            let vendor = &self.names.vendors[channel as usize];
            let signal = match vendor.sells {
                Sells::Marketplace => Signal::SupplierMarket,
                Sells::Payments => Signal::SupplierPayments,
                _ => Signal::SupplierReseller,
            };
            sum.add(signal, 1.0, Cow::Borrowed(&vendor.name));
        }
        let limits = &self.weights.limits;
        if let Some(link) = supplier.link
            && supplier.channel != Some(link.vendor)
        {
            let vendor = &self.names.vendors[link.vendor as usize];
            let signal = match (vendor.sells, link.strength) {
                (Sells::Software, Strength::Strong) => Signal::SupplierStrong,
                (Sells::Software, Strength::Medium) => Signal::SupplierMedium,
                (Sells::Software, Strength::Weak) => Signal::SupplierWeak,
                (Sells::Mixed, _) => Signal::SupplierMixed,
                (Sells::Hardware, _) => Signal::SupplierHardware,
                (Sells::Services, _) => Signal::SupplierServices,
                (Sells::Retail, _) => Signal::SupplierRetail,
                (Sells::Telecom, _) => Signal::SupplierTelecom,
                (Sells::Content, _) => Signal::SupplierContent,
                (Sells::Payments, _) => Signal::SupplierPayments,
                (Sells::Reseller, _) => Signal::SupplierReseller,
                (Sells::Marketplace, _) => Signal::SupplierMarket,
            };
            let of_how = match link.how {
                How::Exact => 1.0,
                How::Partial => limits.partial,
                How::Front => limits.front,
                How::Typo => limits.typo,
            };
            let of_strength = match (vendor.sells, link.strength) {
                (Sells::Mixed, Strength::Weak) => limits.mixed_weak,
                (Sells::Software, _) if !vendor.curated => limits.uncurated,
                _ => 1.0,
            };
            let share = of_how * of_strength;
            if supplier.online && vendor.sells == Sells::Mixed {
                sum.add(Signal::SupplierMarket, 1.0, Cow::Borrowed("billed online"));
            }
            sum.add(signal, share, Cow::Borrowed(&vendor.name));
        }
        for &(signal, pattern) in &supplier.words {
            let word = self.suppliers.word(pattern);
            let software = supplier
                .words
                .iter()
                .any(|(s, _)| *s == Signal::SupplierSoftware);
            if !(software && signal == Signal::SupplierTech) {
                sum.add(signal, 1.0, Cow::Borrowed(word));
            }
        }
    }

    /// What the text says in the light of who the supplier is.
    fn add_supplier_in_text<'a>(
        &'a self,
        supplier: &Supplier,
        reading: &Reading,
        sum: &mut Sum<'a, '_>,
    ) {
        let Some(link) = supplier.link else {
            return;
        };
        let vendor = &self.names.vendors[link.vendor as usize];
        let it_seller = matches!(vendor.sells, Sells::Hardware | Sells::Reseller);
        let licence = reading.words.iter().find(|(signal, _)| {
            matches!(
                signal,
                Signal::LicenceWord | Signal::SubscriptionWord | Signal::SoftwareLicence
            )
        });
        if let Some((_, pattern)) = licence
            && it_seller
        {
            let phrase = self.text.text(*pattern);
            sum.add(Signal::LicenceFromItSeller, 1.0, Cow::Borrowed(phrase));
        }
        if let Some(category) = reading.category
            && vendor.sells == Sells::Software
            && link.strength == Strength::Weak
            && vendor.category == self.categories[category as usize]
        {
            sum.add(Signal::CategoryAgrees, 1.0, Cow::Borrowed(&vendor.category));
        }
    }

    fn add_words<'a>(&'a self, reading: &Reading, sum: &mut Sum<'a, '_>) {
        let limits = &self.weights.limits;
        let beside = reading.speaks_of_licence();
        let (mut up, mut down) = (0.0, 0.0);
        for &(signal, pattern) in &reading.words {
            let weight = self.weights.of(signal);
            let share = if weight < 0.0 && beside && signal != Signal::OtherLicence {
                limits.against_beside_licence
            } else {
                1.0
            };
            if weight < 0.0 {
                down += weight * share;
            } else {
                up += weight;
            }
            sum.add(signal, share, Cow::Borrowed(self.text.text(pattern)));
        }
        sum.cap(up, limits.words_up);
        sum.cap(down, limits.words_down);
    }

    fn decide<'a>(
        &'a self,
        line: &Line<'a>,
        reading: &Reading,
        supplier: &Supplier,
        identity: &Identity,
        evidence: Vec<Evidence<'a>>,
        subscription_period: Option<(chrono::NaiveDate, chrono::NaiveDate)>,
    ) -> Decision<'a> {
        let logit: f64 = evidence.iter().map(|e| e.weight).sum();
        let is_software = logit > 0.0;
        let confidence = sigmoid(logit.abs());
        let mut decision = Decision {
            is_software,
            confidence,
            certainty: self.certainty(is_software, confidence, &evidence),
            logit,
            vendor: None,
            product: None,
            category: None,
            class: class(is_software, reading, &evidence),
            channel: None,
            evidence,
            subscription_period,
            runner_up: identity.runner_up(self),
        };
        if is_software {
            identity.name(self, line, supplier, &mut decision);
            decision.category = Some(self.category(line, reading, identity, supplier));
            if decision.category == Some("cloud-infrastructure") && decision.class == Class::Saas {
                decision.class = Class::CloudInfrastructure;
            }
        }
        decision
    }

    fn certainty(&self, is_software: bool, confidence: f64, evidence: &[Evidence]) -> Certainty {
        let thresholds = &self.weights.certainty;
        let mut kinds: Vec<Kind> = evidence
            .iter()
            .filter(|e| e.signal.kind() != Kind::Prior && e.weight >= 0.4)
            .map(|e| e.signal.kind())
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        let agreed = !is_software || kinds.len() >= 2 || kinds.contains(&Kind::Code);
        if confidence >= thresholds.certain && agreed {
            Certainty::Certain
        } else if confidence >= thresholds.likely {
            Certainty::Likely
        } else {
            Certainty::Unsure
        }
    }

    fn category<'a>(
        &'a self,
        line: &Line<'a>,
        reading: &Reading,
        identity: &Identity,
        supplier: &Supplier,
    ) -> &'a str {
        const VAGUE: [&str; 5] = ["", "other-software", "reseller", "marketplace", "hardware"];
        let of_vendor = |vendor: u32| self.names.vendors[vendor as usize].category.as_str();
        let best = identity.best;
        let namesake = |p: u32| {
            self.names.products[p as usize].vendor.is_some_and(|v| {
                let vendor = &self.names.vendors[v as usize];
                vendor.namesake == Some(p) && vendor.curated
            })
        };
        let product = best
            .and_then(|c| c.product)
            .filter(|p| !namesake(*p))
            .map(|p| self.names.products[p as usize].category.as_str());
        let vendor = best.and_then(|c| c.vendor).or_else(|| {
            supplier
                .link
                .map(|l| l.vendor)
                .filter(|v| Some(*v) != supplier.channel)
        });
        let said = reading
            .category
            .map(|c| self.categories[c as usize].as_str());
        let code = self
            .codes
            .category(line.unspsc)
            .or_else(|| self.codes.category(line.commodity));
        product
            .filter(|c| !VAGUE.contains(c))
            .or_else(|| {
                said.filter(|_| {
                    best.is_none_or(|c| c.product.is_none_or(namesake))
                        && !vendor.is_some_and(|v| self.is_single(v))
                })
            })
            .or_else(|| vendor.map(of_vendor).filter(|c| !VAGUE.contains(c)))
            .or(said)
            .or(code)
            .unwrap_or("other-software")
    }

    /// Whether a vendor is one product to everybody, so that its category holds for all it sells.
    fn is_single(&self, vendor: u32) -> bool {
        self.names.vendors[vendor as usize].namesake.is_some()
    }
}

/// Collects evidence.
pub(crate) struct Sum<'a, 'w> {
    pub weights: &'w Weights,
    pub evidence: Vec<Evidence<'a>>,
}

impl<'a> Sum<'a, '_> {
    /// Adds a signal with `share` of its points; one without points is not worth telling.
    pub fn add(&mut self, signal: Signal, share: f64, detail: Cow<'a, str>) {
        let weight = self.weights.of(signal) * share;
        if weight != 0.0 {
            self.evidence.push(Evidence {
                signal,
                weight,
                detail,
            });
        }
    }

    /// Takes back what `total` has beyond `limit`.
    fn cap(&mut self, total: f64, limit: f64) {
        if total.abs() > limit.abs() {
            self.evidence.push(Evidence {
                signal: Signal::Capped,
                weight: limit - total,
                detail: Cow::Borrowed("words count so much at most"),
            });
        }
    }
}

impl Cache {
    fn supplier(&mut self, classifier: &Classifier, name: &str) -> Arc<Supplier> {
        if let Some(known) = self.suppliers.get(name) {
            return Arc::clone(known);
        }
        if self.suppliers.len() >= CACHED {
            self.suppliers.clear();
        }
        let mut found = classifier.suppliers.find(name, &classifier.names);
        found.mentions = names_in(classifier, name);
        let found = Arc::new(found);
        self.suppliers.insert(name.to_string(), Arc::clone(&found));
        found
    }

    fn account(&mut self, classifier: &Classifier, name: &str) -> Read {
        if name.is_empty() {
            return None;
        }
        if let Some(known) = self.accounts.get(name) {
            return *known;
        }
        if self.accounts.len() >= CACHED {
            self.accounts.clear();
        }
        let found = classifier.accounts.account(name);
        self.accounts.insert(name.to_string(), found);
        found
    }
}

/// Of two readings of one thing (code and name, name and path) the one that says more.
fn telling(reads: impl Iterator<Item = (Signal, Option<u32>)>) -> Read {
    reads.min_by_key(|(signal, _)| match signal {
        Signal::AccountSoftware => 0,
        Signal::AccountMixed => 1,
        Signal::AccountUnrelated => 8,
        Signal::AccountNeutral => 7,
        Signal::AccountOther => 6,
        _ => 2,
    })
}

fn class(is_software: bool, reading: &Reading, evidence: &[Evidence]) -> Class {
    if is_software {
        let has = |signal| reading.has(signal);
        return if has(Signal::CloudWord) {
            Class::CloudInfrastructure
        } else if has(Signal::SubscriptionWord) || has(Signal::EditionWord) {
            Class::Saas
        } else if has(Signal::MaintenanceWord) && !has(Signal::LicenceWord) {
            Class::Maintenance
        } else if has(Signal::SoftwareLicence) || has(Signal::LicenceWord) {
            Class::Licence
        } else {
            Class::Saas
        };
    }
    let worst = evidence
        .iter()
        .filter(|e| e.signal.kind() != Kind::Prior && e.weight < 0.0)
        .min_by(|a, b| a.weight.total_cmp(&b.weight));
    match worst.map(|e| e.signal) {
        Some(
            Signal::HardwareWord
            | Signal::CodeHardware
            | Signal::AccountHardware
            | Signal::SupplierHardware,
        ) => Class::Hardware,
        Some(
            Signal::ServiceWord
            | Signal::CodeItService
            | Signal::AccountItService
            | Signal::SupplierServices
            | Signal::SupplierService,
        ) => Class::ItService,
        Some(
            Signal::TelecomWord
            | Signal::CodeTelecom
            | Signal::AccountTelecom
            | Signal::SupplierTelecom,
        ) => Class::Telecom,
        Some(Signal::ContentWord | Signal::CodeContent | Signal::SupplierContent) => Class::Content,
        _ => Class::NotIt,
    }
}
