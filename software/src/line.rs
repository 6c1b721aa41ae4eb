//! What goes in and what comes out: a purchase line and the decision on it.

use std::borrow::Cow;
use std::fmt;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::recurrence::Recurrence;
use crate::signal::{Kind, Signal};

/// One line of purchase data. Whatever is not known stays empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line<'a> {
    /// The supplier as billed, or the merchant text of a card statement.
    pub supplier: &'a str,
    pub description: &'a str,
    pub amount: Option<Decimal>,
    /// ISO 4217; tells which way round a date like 04/05/2025 is.
    pub currency: &'a str,
    /// Name of the commodity, or its code, or both ("43231513 - Office suites").
    pub commodity: &'a str,
    /// The commodity's place in its tree, such as "IT > Software > SaaS".
    pub commodity_path: &'a str,
    pub unspsc: &'a str,
    /// Account code, segments or name.
    pub account: &'a str,
    pub account_name: &'a str,
    pub date: Option<NaiveDate>,
    pub contract_type: &'a str,
    pub requester: &'a str,
    pub department: &'a str,
    /// How often this charge comes back, where that is known (see [`crate::Charges`]).
    pub recurrence: Option<Recurrence>,
}

/// Whether a line is software, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<'a> {
    pub is_software: bool,
    /// The probability that `is_software` is right, 0.5 to 1.
    pub confidence: f64,
    pub certainty: Certainty,
    /// The sum of the evidence's weights. Above 0 is software.
    pub logit: f64,
    /// The publisher: of the catalogue, else the supplier as billed. `None` if it is not software,
    /// or was bought through a reseller and the text names none.
    pub vendor: Option<&'a str>,
    /// `None` if the text does not say, and the vendor has more than one.
    pub product: Option<&'a str>,
    pub category: Option<&'a str>,
    pub class: Class,
    /// Through whom it was bought, where that is not the vendor.
    pub channel: Option<&'a str>,
    /// Starts with the prior; the weights add up to `logit`.
    pub evidence: Vec<Evidence<'a>>,
    /// First and last day that the description states.
    pub subscription_period: Option<(NaiveDate, NaiveDate)>,
    /// The next best vendor and product, if the text named several.
    pub runner_up: Option<Candidate<'a>>,
}

/// A vendor and product that a line may mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate<'a> {
    pub vendor: Option<&'a str>,
    pub product: Option<&'a str>,
    /// The points it was worth when compared.
    pub score: f64,
}

/// One thing noticed, and what it counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence<'a> {
    pub signal: Signal,
    /// Points on the logit scale; negative speaks against software.
    pub weight: f64,
    /// What was found: a phrase, a code's title, a vendor's name.
    pub detail: Cow<'a, str>,
}

/// How far to trust an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    Unsure,
    Likely,
    Certain,
}

/// What kind of thing was bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Saas,
    Licence,
    Maintenance,
    CloudInfrastructure,
    Content,
    ItService,
    Hardware,
    Telecom,
    NotIt,
}

impl Decision<'_> {
    /// The probability that the line is software, 0 to 1.
    pub fn probability(&self) -> f64 {
        sigmoid(self.logit)
    }

    /// Evidence other than the prior, strongest first, as one line of text:
    /// `product_strong "jira" +4.6; licence_word "licence" +1.2`.
    pub fn evidence_text(&self) -> String {
        let mut sorted: Vec<&Evidence> = self
            .evidence
            .iter()
            .filter(|e| e.signal.kind() != Kind::Prior)
            .collect();
        sorted.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        let mut text = String::new();
        for (n, e) in sorted.into_iter().enumerate() {
            if n > 0 {
                text.push_str("; ");
            }
            text.push_str(&e.to_string());
        }
        text
    }
}

/// The logistic function.
pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl fmt::Display for Evidence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.signal.name())?;
        if !self.detail.is_empty() {
            write!(f, " \"{}\"", self.detail)?;
        }
        write!(f, " {:+.1}", self.weight)
    }
}

impl Certainty {
    /// As written in the output.
    pub fn name(self) -> &'static str {
        match self {
            Certainty::Unsure => "unsure",
            Certainty::Likely => "likely",
            Certainty::Certain => "certain",
        }
    }
}

impl Class {
    /// As written in tables.
    pub fn name(self) -> &'static str {
        match self {
            Class::Saas => "saas",
            Class::Licence => "licence",
            Class::Maintenance => "maintenance",
            Class::CloudInfrastructure => "cloud_infrastructure",
            Class::Content => "content_subscription",
            Class::ItService => "it_service",
            Class::Hardware => "hardware",
            Class::Telecom => "telecom",
            Class::NotIt => "not_it",
        }
    }
}
