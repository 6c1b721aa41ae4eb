//! End-to-end tests: one binary, because each links the whole engine.

mod cli;
mod crash;
mod evolution;
mod identities;
mod incremental;
mod leak;
mod maintain;
mod mappings;
mod matching;
mod memory;
mod quarantine;
mod reports;
mod s3;
mod services;
mod software;
mod tidy;
mod truth;
mod warehouse;
