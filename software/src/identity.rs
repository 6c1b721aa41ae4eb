//! Which vendor and product a line means, out of all that are named in it.

use std::borrow::Cow;

use crate::classify::{Classifier, Sum};
use crate::line::{Candidate, Decision, Line};
use crate::names::{Named, Sells, Strength};
use crate::reading::{Mention, Reading, strength};
use crate::signal::Signal;
use crate::supplier::{How, Supplier};

/// What is read rather than run.
const CONTENT: &str = "data-content-subscription";

/// A mention that was weighed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    pub vendor: Option<u32>,
    pub product: Option<u32>,
    pub strength: Strength,
    /// A common word with something beside it that says it is the product.
    supported: bool,
    /// The product is the supplier's own.
    pair: bool,
    score: f64,
    pattern: u32,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    pub best: Option<Choice>,
    second: Option<Choice>,
}

impl Identity {
    /// Weighs the names in a text. `named_software`: a code or account says software.
    pub fn find(
        classifier: &Classifier,
        reading: &Reading,
        supplier: &Supplier,
        named_software: bool,
    ) -> Identity {
        let own = supplier
            .link
            .map(|l| l.vendor)
            .filter(|v| Some(*v) != supplier.channel);
        let mut choices: Vec<Choice> = Vec::new();
        let support = named_software || reading.supports_names();
        for mention in &reading.mentions {
            let choice = weigh(classifier, mention, own, support);
            if choice.pair || !matches!(mention.named, Named::Own(_)) {
                choices.push(choice);
            }
        }
        for mention in &supplier.mentions {
            // A supplier is often named after something; only its own products count there.
            // The description tells more precisely what was bought.
            let mut choice = weigh(classifier, mention, own, support);
            choice.score -= 2.5;
            let unlinked =
                own.is_none() && supplier.words.is_empty() && choice.strength == Strength::Strong;
            // Behind the front of a longer name, the vendor's own name says nothing new.
            let front = supplier.link.is_some_and(|l| l.how == How::Front);
            let only_name = front && choice.product.is_some_and(|p| is_namesake(classifier, p));
            let own_name = matches!(mention.named, Named::Own(_)) && !choice.pair;
            if choice.product.is_some() && (choice.pair || unlinked) && !only_name && !own_name {
                choices.push(choice);
            }
        }
        if let Some(own) = own
            && classifier.names.vendors[own as usize].sells == Sells::Software
            && supplier.link.is_some_and(|l| l.strength > Strength::Weak)
        {
            // A publisher sells its own, unless a line begins with another's product.
            let any_own = choices.iter().any(|c| c.vendor == Some(own));
            let first = reading
                .mentions
                .iter()
                .filter(|m| m.start == 1)
                .map(|m| m.pattern)
                .collect::<Vec<_>>();
            choices.retain(|c| {
                c.vendor == Some(own)
                    || !any_own
                        && c.strength >= Strength::Medium
                        && c.product.is_some()
                        && first.contains(&c.pattern)
            });
        }
        choices.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then_with(|| {
                (a.product.is_none(), a.product, a.vendor).cmp(&(
                    b.product.is_none(),
                    b.product,
                    b.vendor,
                ))
            })
        });
        let best = choices.first().copied();
        let second = choices.iter().copied().find(|c| {
            best.is_some_and(|b| {
                (b.product, b.vendor) != (c.product, c.vendor)
                    && (c.product.is_some() || c.vendor != b.vendor)
            })
        });
        Identity { best, second }
    }

    /// Adds what the names say to the evidence.
    pub fn add<'a>(&self, classifier: &'a Classifier, reading: &Reading, sum: &mut Sum<'a, '_>) {
        let Some(best) = self.best else {
            return;
        };
        let signal = match (best.product, best.strength) {
            (_, Strength::Weak) if best.supported || best.pair => Signal::ProductSupported,
            (Some(_), Strength::Strong) => Signal::ProductStrong,
            (Some(_), Strength::Medium) => Signal::ProductMedium,
            (Some(_), Strength::Weak) => Signal::ProductWeak,
            (None, Strength::Strong) => Signal::VendorStrong,
            (None, Strength::Medium) => Signal::VendorMedium,
            (None, Strength::Weak) => Signal::VendorWeak,
        };
        let content = best
            .product
            .is_some_and(|p| classifier.names.products[p as usize].category == CONTENT);
        let limits = &sum.weights.limits;
        let against = !reading.speaks_of_licence()
            && (reading.speaks_against() || reading.has(Signal::ServiceWord));
        let beside = if against {
            limits.name_beside_against
        } else {
            1.0
        };
        let share = beside * if content { limits.content_product } else { 1.0 };
        sum.add(
            signal,
            share,
            Cow::Borrowed(classifier.text.text(best.pattern)),
        );
        if best.pair {
            sum.add(Signal::Pair, beside, Cow::Borrowed(""));
        }
    }

    /// Writes vendor, product and channel of a line that is software.
    pub fn name<'a>(
        &self,
        classifier: &'a Classifier,
        line: &Line<'a>,
        supplier: &Supplier,
        decision: &mut Decision<'a>,
    ) {
        let names = &classifier.names;
        let billed = Some(line.supplier.trim()).filter(|s| !s.is_empty());
        let linked = supplier
            .link
            .map(|l| l.vendor)
            .filter(|v| Some(*v) != supplier.channel);
        // A common word that nothing supports names nothing.
        let best = self
            .best
            .filter(|b| b.strength > Strength::Weak || b.supported || b.pair);
        let vendor = match best {
            Some(best) => best.vendor,
            None => linked.filter(|v| names.vendors[*v as usize].sells != Sells::Retail),
        };
        decision.vendor = vendor.map(|v| names.vendors[v as usize].name.as_str());
        let product = best
            .and_then(|b| b.product)
            .or_else(|| vendor.and_then(|v| names.vendors[v as usize].namesake));
        decision.product = product
            .map(|p| names.products[p as usize].name.as_str())
            .or_else(|| {
                // The brand itself is what people call the product.
                best.and(vendor)
                    .map(|v| &names.vendors[v as usize])
                    .filter(|v| v.sells == Sells::Software)
                    .map(|v| v.name.as_str())
            });
        let through = supplier
            .channel
            .or(linked.filter(|l| vendor.is_some_and(|v| v != *l)));
        decision.channel = through.map(|c| names.vendors[c as usize].name.as_str());
        if vendor.is_none() && best.is_none_or(|b| b.product.is_none()) && through.is_none() {
            let retail = linked.is_some();
            decision.vendor = if retail { None } else { billed };
        } else if vendor.is_some() && linked.is_none() && supplier.channel.is_none() {
            decision.channel = billed;
        } else if vendor.is_none() && linked.is_none() && supplier.channel.is_none() {
            decision.vendor = billed;
        }
    }

    /// The second choice, for whoever asks why not.
    pub fn runner_up<'a>(&self, classifier: &'a Classifier) -> Option<Candidate<'a>> {
        let names = &classifier.names;
        self.second.map(|c| Candidate {
            vendor: c.vendor.map(|v| names.vendors[v as usize].name.as_str()),
            product: c.product.map(|p| names.products[p as usize].name.as_str()),
            score: c.score,
        })
    }
}

/// Whether a product bears its vendor's name.
fn is_namesake(classifier: &Classifier, product: u32) -> bool {
    let names = &classifier.names;
    let vendor = names.products[product as usize].vendor;
    vendor.is_some_and(|v| names.vendors[v as usize].namesake == Some(product))
}

fn weigh(classifier: &Classifier, mention: &Mention, own: Option<u32>, support: bool) -> Choice {
    let names = &classifier.names;
    let weights = &classifier.weights;
    let strength = strength(mention.named);
    let (vendor, product, curated) = match mention.named {
        Named::Product(id, _) | Named::Own(id) => {
            let product = &names.products[id as usize];
            (product.vendor, Some(id), product.curated)
        }
        Named::Vendor(id, _) => (Some(id), None, names.vendors[id as usize].curated),
    };
    let pair = own.is_some() && vendor == own;
    let supported = strength == Strength::Weak && support;
    let points = match strength {
        Strength::Strong => weights.of(Signal::ProductStrong),
        Strength::Medium => weights.of(Signal::ProductMedium),
        Strength::Weak if supported || pair => weights.of(Signal::ProductSupported),
        Strength::Weak => weights.of(Signal::ProductWeak),
    };
    let namesake = product.is_some_and(|p| is_namesake(classifier, p));
    // Longer names tell more; a list of ours is better kept than the others.
    let score = points
        + f64::from(mention.len.min(40)) * 0.02
        + if pair { 3.0 } else { 0.0 }
        + if curated { 0.6 } else { 0.0 }
        + if product.is_some() { 0.3 } else { 0.0 }
        - if vendor.is_none() { 0.5 } else { 0.0 }
        - if namesake { 1.5 } else { 0.0 };
    Choice {
        vendor,
        product,
        strength,
        supported,
        pair,
        score,
        pattern: mention.pattern,
    }
}
