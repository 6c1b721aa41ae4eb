//! Orders, receipts and invoices matched: the report tables against a worked example and against a matcher of
//! its own that goes row by row.

mod agree;
mod brute;
mod documents;
mod fifo;
mod fixtures;
mod histories;
mod lake;
mod spend;
mod world;
