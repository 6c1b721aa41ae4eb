//! Any CSV list of purchase lines in, the same list with the decisions out. Streams: memory holds
//! one row, the caches, and the charges of the first pass, all bounded.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use rust_decimal::Decimal;

use crate::classify::{Cache, Classifier};
use crate::columns::{Columns, Row};
use crate::csv_file::{Layout, Options, safe, write_input, write_whole};
use crate::error::TableError;
use crate::line::{Certainty, Decision, Line};
use crate::recurrence::{Charges, Recurrences};

/// Columns that are appended, in this order.
const APPENDED: [&str; 7] = [
    "is_software",
    "confidence",
    "certainty",
    "vendor",
    "product",
    "category",
    "evidence",
];

/// What was in a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub rows: u64,
    pub software: u64,
    pub certain: u64,
    pub likely: u64,
    pub unsure: u64,
    /// Amounts and dates that are there and could not be read; they count as not given.
    pub unread_amounts: u64,
    pub unread_dates: u64,
    /// Input values that a spreadsheet would run as a formula.
    pub formulas: u64,
}

/// Classifies the file `input` into `output`, or to standard output.
///
/// `output` appears whole or not at all: it is written beside its place and then renamed.
pub fn classify_file(
    classifier: &Classifier,
    input: &Path,
    output: Option<&Path>,
    options: Options,
) -> Result<Summary, TableError> {
    let file = BufReader::new(File::open(input)?);
    if let Some(path) = output {
        return write_whole(path, |out| classify_table(classifier, file, out, options));
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let summary = classify_table(classifier, file, &mut out, options)?;
    out.flush()?;
    Ok(summary)
}

/// Classifies a table: the input's columns as they are, then `is_software`, `confidence`,
/// `certainty`, `vendor`, `product`, `category` and `evidence`; rows in the input's order.
///
/// The input is read twice if it has supplier, date and amount, to find charges that come back.
pub fn classify_table(
    classifier: &Classifier,
    mut input: impl Read + Seek,
    output: impl Write,
    options: Options,
) -> Result<Summary, TableError> {
    let layout = Layout::sniff(&mut input, options)?;
    let mut out = output;
    if layout.bom {
        out.write_all("\u{feff}".as_bytes())?;
    }
    let recurrences = recurrences(&layout, &mut input)?;
    let mut rows = layout.rows(&mut input)?;
    let columns = Columns::find(&rows.header)?;
    let mut writer = csv::WriterBuilder::new()
        .delimiter(layout.delimiter)
        .from_writer(out);
    for name in &rows.header {
        writer.write_field(name)?;
    }
    writer.write_record(APPENDED)?;
    let mut summary = Summary::default();
    let mut cache = Cache::default();
    while let Some(record) = rows.next()? {
        let line = Row::new(record, &columns).line(&recurrences, &mut summary);
        let decision = classifier.classify_cached(&line, &mut cache);
        summary.count(&decision);
        summary.formulas += write_input(&mut writer, record, options)?;
        write_decision(&mut writer, &decision)?;
    }
    writer.flush()?;
    Ok(summary)
}

/// Explains the decision on one row of a table, counted from 1 after the header.
pub fn explain_row(
    classifier: &Classifier,
    mut input: impl Read + Seek,
    number: u64,
    options: Options,
) -> Result<String, TableError> {
    let layout = Layout::sniff(&mut input, options)?;
    let recurrences = recurrences(&layout, &mut input)?;
    let mut rows = layout.rows(&mut input)?;
    let columns = Columns::find(&rows.header)?;
    let mut count = 0;
    while let Some(record) = rows.next()? {
        count += 1;
        if count == number {
            let line = Row::new(record, &columns).line(&recurrences, &mut Summary::default());
            return Ok(crate::explain::explain(&line, &classifier.classify(&line)));
        }
    }
    Err(TableError::NoRow {
        row: number,
        rows: count,
    })
}

/// Charges that come back, found in a pass of their own.
fn recurrences(layout: &Layout, input: &mut (impl Read + Seek)) -> Result<Recurrences, TableError> {
    let mut rows = layout.rows(input)?;
    let columns = Columns::find(&rows.header)?;
    let mut charges = Charges::default();
    if columns.tell_recurrence() {
        while let Some(record) = rows.next()? {
            let none = Recurrences::default();
            let line = Row::new(record, &columns).line(&none, &mut Summary::default());
            if let (Some(date), Some(amount)) = (line.date, line.amount) {
                charges.note(line.supplier, date, amount);
            }
        }
    }
    Ok(charges.find())
}

fn write_decision(
    writer: &mut csv::Writer<impl Write>,
    decision: &Decision,
) -> Result<(), TableError> {
    let unspecified =
        (decision.is_software && decision.vendor.is_some()).then_some("(unspecified)");
    writer.write_field(if decision.is_software {
        "true"
    } else {
        "false"
    })?;
    writer.write_field(format!("{:.3}", decision.confidence))?;
    writer.write_field(decision.certainty.name())?;
    writer.write_field(&*safe(decision.vendor.unwrap_or("")))?;
    writer.write_field(&*safe(decision.product.or(unspecified).unwrap_or("")))?;
    writer.write_field(decision.category.unwrap_or(""))?;
    writer.write_field(&*safe(&decision.evidence_text()))?;
    writer.write_record(None::<&[u8]>)?;
    Ok(())
}

impl Summary {
    fn count(&mut self, decision: &Decision) {
        self.rows += 1;
        self.software += u64::from(decision.is_software);
        match decision.certainty {
            Certainty::Certain => self.certain += 1,
            Certainty::Likely => self.likely += 1,
            Certainty::Unsure => self.unsure += 1,
        }
    }
}

impl<'r> Row<'r> {
    fn line(&self, recurrences: &Recurrences, summary: &mut Summary) -> Line<'r> {
        let (mut line, unread) = self.read();
        summary.unread_amounts += u64::from(unread.amount);
        summary.unread_dates += u64::from(unread.date);
        line.recurrence = line
            .amount
            .filter(|a| *a > Decimal::ZERO)
            .and_then(|amount| recurrences.of(line.supplier, amount));
        line
    }
}
