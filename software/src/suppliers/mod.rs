//! Which suppliers of a list are one company, and how that is known.
//!
//! Evidence decides in this order: the user's own word, the same tax or DUNS number, the same domain, the
//! same name but for legal form, country and abbreviations, names of one vendor of the catalogue; then
//! likeness, judged word by word: what two names share must tell a company, and what they do not share must
//! not. Likeness of letters alone never links.

mod candidates;
mod compare;
mod group;
mod table;
mod words;

use crate::catalogue::Catalogue;
use crate::classify::Classifier;
use crate::error::CatalogueError;
use crate::names::Strength;
use crate::supplier::How;

pub use compare::{LINKED, Method, PROPOSED};
pub use group::{Judgement, Link, Placed};
pub use table::{MatchSummary, match_file, match_table};

use words::Lists;

/// A supplier as a list has it; what is not known stays empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    pub name: String,
    pub tax_number: String,
    pub duns: String,
    pub website: String,
    pub email: String,
}

/// Matches suppliers with each other and with the catalogue's vendors.
pub struct SupplierMatcher {
    lists: Lists,
    classifier: Classifier,
}

impl SupplierMatcher {
    /// Errors if the catalogue folder's own name words do not read.
    pub fn new(catalogue: &Catalogue) -> Result<SupplierMatcher, CatalogueError> {
        Ok(SupplierMatcher {
            lists: Lists::new(catalogue)?,
            classifier: Classifier::new(catalogue),
        })
    }

    /// Places each record in a group. Judgements win over everything, `same` and `different` alike.
    ///
    /// Takes memory in proportion to the list, and time in proportion to it too: names that share only
    /// frequent words are not compared.
    pub fn groups(&self, records: &[Record], judgements: &[Judgement]) -> Vec<Placed> {
        group::find(&self.lists, records, judgements, |name| {
            self.vendor_id(name)
        })
    }

    /// The catalogue's vendor that a supplier's name stands for, when the whole name says so.
    pub fn vendor(&self, name: &str) -> Option<&str> {
        let vendor = self.vendor_id(name)?;
        Some(&self.classifier.names.vendors[vendor as usize].name)
    }

    fn vendor_id(&self, name: &str) -> Option<u32> {
        let found = self.classifier.suppliers.find(name, &self.classifier.names);
        let link = found.link.filter(|_| !found.online)?;
        (link.how == How::Exact && link.strength >= Strength::Medium).then_some(link.vendor)
    }
}
