//! The simulator over HTTP, checked against its own truth and against the documentation.

mod access;
mod advance;
mod client;
mod faults;
mod fields;
mod filters;
mod integrity;
mod paging;
mod xml;
