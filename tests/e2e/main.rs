//! End-to-end tests: one binary, because each links the whole engine.

mod cli;
mod crash;
mod identities;
mod incremental;
mod leak;
mod maintain;
mod mappings;
mod memory;
mod quarantine;
mod software;
mod tidy;
mod truth;
