//! Coupa over HTTP to raw Arrow record batches.
//!
//! The road: an [`Instance`] sends requests, [`probe`] looks at a resource, [`read`] walks it by
//! id, a [`Decoder`] turns each page into columns as the resource's definition says. Knows nothing
//! of DataFusion, of tables, or of files.

#![forbid(unsafe_code)]

mod address;
mod answer;
mod client;
mod decode;
mod error;
#[cfg(test)]
mod faults;
mod fetch;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod hidden;
mod limiter;
mod page;
mod passes;
mod probe;
pub mod queue;
mod range;
mod read;
mod retry;
mod schema;
mod scrub;
#[cfg(test)]
mod testing;
mod token;

pub use client::{Counters, Instance, Settings};
pub use decode::{DecodeError, Decoded, Decoder, Drift, Misfit, PageInfo, Reason, Seen, Stamp};
pub use error::{Effort, ExtractError, Kind};
pub use page::Payload;
pub use probe::{Probe, probe};
pub use read::{Scan, read};
pub use schema::raw_schema;
