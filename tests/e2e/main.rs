//! End-to-end tests: one binary, because each links the whole engine.

mod cli;
mod crash;
mod identities;
mod incremental;
mod maintain;
mod mappings;
mod matching;
mod quarantine;
mod reports;
mod software;
mod tidy;
mod truth;
