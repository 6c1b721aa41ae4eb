#![doc = include_str!("../README.md")]

mod accounts;
mod catalogue;
mod classify;
mod codes;
mod columns;
mod csv_file;
mod error;
mod explain;
mod identity;
mod line;
mod matcher;
mod names;
mod normalise;
mod period;
mod reading;
mod recurrence;
mod signal;
mod supplier;
mod suppliers;
mod table;

pub use catalogue::{Catalogue, embedded_files};
pub use classify::{Cache, Classifier};
pub use columns::{parse_amount, parse_date};
pub use csv_file::Options;
pub use error::{CatalogueError, TableError};
pub use line::{Candidate, Certainty, Class, Decision, Evidence, Line};
pub use period::period_in;
pub use recurrence::{Charges, Recurrence, Recurrences};
pub use signal::{Kind, Limits, Signal, Thresholds, Weights};
pub use suppliers::{
    Judgement, LINKED, Link, MatchSummary, Method, PROPOSED, Placed, Record, SupplierMatcher,
    match_file, match_table,
};
pub use table::{Summary, classify_file, classify_table, explain_row};
