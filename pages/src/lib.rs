//! Pages that people look at: one HTML file with its charts, tables and the queries behind them.
//!
//! A page is made of [`Part`]s over [`Data`]; what it says and in which order is its maker's. It needs
//! nothing but itself: no request leaves it, and a policy in its head forbids them. All text that comes
//! in is taken for hostile. This crate knows HTML and nothing of tables, queries or jobs.

mod chart;
mod embed;
mod model;
mod number;
mod render;

#[cfg(test)]
mod tests;

pub use model::{Chart, ChartKind, Column, ColumnKind, Data, Figures, Page, Part, Section, Source};
pub use render::{PageError, render};
