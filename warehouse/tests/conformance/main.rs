//! One suite that every warehouse passes: PostgreSQL over its own protocol, PostgreSQL and DuckDB through
//! their drivers.

mod changes;
mod cut;
mod evolution;
mod kills;
mod readers;
mod sinks;
mod tables;
mod types;
