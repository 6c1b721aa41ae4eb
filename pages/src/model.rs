//! What a page is made of.

/// One page.
#[derive(Clone, Debug)]
pub struct Page {
    pub title: String,
    /// One or two sentences below the title.
    pub subtitle: String,
    /// When and of what it was made: pairs shown in its head, such as `Period`, `Made`.
    pub facts: Vec<(String, String)>,
    pub sections: Vec<Section>,
}

/// A heading and what stands below it.
#[derive(Clone, Debug)]
pub struct Section {
    pub title: String,
    pub intro: String,
    pub parts: Vec<Part>,
}

/// One thing to look at.
#[derive(Clone, Debug)]
pub enum Part {
    Figures(Figures),
    Chart(Chart),
    Table(Data),
}

/// Rows of numbers that stand for themselves.
///
/// The data's columns are found by name: `kpi` (what it is), `value`, `unit` (a currency's
/// code, `currency`, `share`, `count`, `days`, `hours`; anything else is shown as it is), `numerator` and `denominator`.
#[derive(Clone, Debug)]
pub struct Figures {
    pub data: Data,
    /// Only these, in this order; empty: all.
    pub only: Vec<String>,
}

/// Columns of the data as marks.
#[derive(Clone, Debug)]
pub struct Chart {
    pub kind: ChartKind,
    pub data: Data,
    /// The column of the labels.
    pub x: String,
    /// The columns of the values, each a series.
    pub y: Vec<String>,
    /// Makes a series of each value of this column; then `y` is one column.
    pub by: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartKind {
    /// Upright, for times.
    Columns,
    /// Upright, series on top of each other.
    Stack,
    /// Lying, for names.
    Bars,
    Lines,
}

/// A table, and where it comes from.
#[derive(Clone, Debug)]
pub struct Data {
    pub source: Source,
    pub columns: Vec<Column>,
    /// Exact, as a program would write it: `1234.5`, `2026-03-01`; `None` is null.
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows that the query gave; more than `rows` where a page can not hold them.
    pub row_count: u64,
}

#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub kind: ColumnKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    /// Money, a quantity, any decimal.
    Decimal,
    /// A part of one: 0.125 is shown as 12.5 %.
    Share,
    /// A whole number.
    Count,
    Date,
}

/// The query behind a table.
#[derive(Clone, Debug)]
pub struct Source {
    /// `spend_by_month`
    pub name: String,
    pub title: String,
    /// What is counted and how.
    pub definition: String,
    pub sql: String,
    /// The values that its `$name`s stood for; `None` is null.
    pub parameters: Vec<(String, Option<String>)>,
    /// How to get the table again: a command.
    pub command: String,
}

impl Data {
    /// Where the column of that name stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    pub(crate) fn cell(&self, row: usize, column: usize) -> Option<&str> {
        self.rows.get(row)?.get(column)?.as_deref()
    }
}
