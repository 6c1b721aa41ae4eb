//! A CSV list of suppliers in, the same list with its groups out.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use csv::ByteRecord;

use super::{Judgement, Link, Placed, Record, SupplierMatcher};
use crate::csv_file::{Layout, Options, Rows, safe, write_input, write_whole};
use crate::error::TableError;
use crate::normalise::folded;

/// Names of each column, the usual one first.
const NAME: &[&str] = &[
    "name",
    "supplier",
    "supplier_name",
    "vendor",
    "vendor_name",
    "company",
    "company_name",
];
const ID: &[&str] = &[
    "id",
    "supplier_id",
    "vendor_id",
    "number",
    "supplier_number",
    "vendor_number",
];
const TAX: &[&str] = &[
    "tax_number",
    "tax_id",
    "vat",
    "vat_number",
    "vat_id",
    "tax_code",
    "tin",
    "ein",
];
const DUNS: &[&str] = &["duns", "duns_number"];
const WEBSITE: &[&str] = &["website", "web_site", "domain", "url"];
const EMAIL: &[&str] = &["email", "email_address", "e_mail", "primary_contact_email"];

/// Columns that are appended, in this order.
const APPENDED: [&str; 9] = [
    "group",
    "group_name",
    "method",
    "score",
    "linked_to",
    "catalogue_vendor",
    "proposed_group",
    "proposed_method",
    "proposed_score",
];

/// What was in a list of suppliers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MatchSummary {
    pub rows: u64,
    pub groups: u64,
    /// Rows that were linked to another row.
    pub linked: u64,
    /// Rows with a likely other group, for a person to judge.
    pub proposed: u64,
    /// Rows whose name is a vendor of the catalogue.
    pub in_catalogue: u64,
    /// Input values that a spreadsheet would run as a formula.
    pub formulas: u64,
}

/// Matches the suppliers of the file `input` into `output`, or to standard output.
///
/// `decisions` is a CSV with the columns `a`, `b` (ids or names of the list) and `decision` (`same` or
/// `different`). `output` appears whole or not at all.
pub fn match_file(
    matcher: &SupplierMatcher,
    input: &Path,
    decisions: Option<&Path>,
    output: Option<&Path>,
    options: Options,
) -> Result<MatchSummary, TableError> {
    let decisions = decisions.map(std::fs::read_to_string).transpose()?;
    let file = BufReader::new(File::open(input)?);
    match output {
        Some(path) => write_whole(path, |out| {
            match_table(matcher, file, decisions.as_deref(), out, options)
        }),
        None => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            let summary = match_table(matcher, file, decisions.as_deref(), &mut out, options)?;
            out.flush()?;
            Ok(summary)
        }
    }
}

/// As [`match_file`], from and to streams. The input is read twice: once for the names, once to be written.
pub fn match_table(
    matcher: &SupplierMatcher,
    mut input: impl Read + Seek,
    decisions: Option<&str>,
    mut output: impl Write,
    options: Options,
) -> Result<MatchSummary, TableError> {
    let layout = Layout::sniff(&mut input, options)?;
    let (records, ids) = read(layout.rows(&mut input)?)?;
    let judgements = match decisions {
        Some(text) => judgements(text, &records, &ids)?,
        None => Vec::new(),
    };
    let placed = matcher.groups(&records, &judgements);
    let mut summary = MatchSummary::default();
    let numbers = numbers(&placed, &mut summary);
    if layout.bom {
        output.write_all("\u{feff}".as_bytes())?;
    }
    let mut rows = layout.rows(&mut input)?;
    let mut writer = csv::WriterBuilder::new()
        .delimiter(layout.delimiter)
        .from_writer(output);
    for name in &rows.header {
        writer.write_field(name)?;
    }
    writer.write_record(APPENDED)?;
    let told = |place: usize| match ids.get(place).filter(|id| !id.is_empty()) {
        Some(id) => id.clone(),
        None => records[place].name.clone(),
    };
    let mut place = 0;
    while let Some(row) = rows.next()? {
        summary.formulas += write_input(&mut writer, row, options)?;
        let here = &placed[place];
        let vendor = matcher.vendor(&records[place].name);
        summary.in_catalogue += u64::from(vendor.is_some());
        writer.write_field(numbers[&here.group].to_string())?;
        writer.write_field(&*safe(&records[here.group].name))?;
        write_link(&mut writer, here.link, &told)?;
        writer.write_field(&*safe(vendor.unwrap_or("")))?;
        write_proposal(&mut writer, here.proposal, |to| numbers[&placed[to].group])?;
        writer.write_record(None::<&[u8]>)?;
        place += 1;
    }
    writer.flush()?;
    Ok(summary)
}

fn write_link(
    writer: &mut csv::Writer<impl Write>,
    link: Option<Link>,
    told: &impl Fn(usize) -> String,
) -> Result<(), TableError> {
    match link {
        Some(link) => {
            writer.write_field(link.method.name())?;
            writer.write_field(format!("{:.2}", link.score))?;
            writer.write_field(&*safe(&told(link.to)))?;
        }
        None => {
            for _ in 0..3 {
                writer.write_field("")?;
            }
        }
    }
    Ok(())
}

fn write_proposal(
    writer: &mut csv::Writer<impl Write>,
    proposal: Option<Link>,
    number: impl Fn(usize) -> usize,
) -> Result<(), TableError> {
    match proposal {
        Some(link) => {
            writer.write_field(number(link.to).to_string())?;
            writer.write_field(link.method.name())?;
            writer.write_field(format!("{:.2}", link.score))?;
        }
        None => {
            for _ in 0..3 {
                writer.write_field("")?;
            }
        }
    }
    Ok(())
}

fn read<R: Read>(mut rows: Rows<R>) -> Result<(Vec<Record>, Vec<String>), TableError> {
    let name = rows.column(NAME)?.ok_or_else(|| TableError::NoNames {
        found: rows.names(),
    })?;
    let id = rows.column(ID)?;
    let tax = rows.column(TAX)?;
    let duns = rows.column(DUNS)?;
    let website = rows.column(WEBSITE)?;
    let email = rows.column(EMAIL)?;
    let (mut records, mut ids) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let text = |place: Option<usize>| field(row, place);
        records.push(Record {
            name: text(Some(name)),
            tax_number: text(tax),
            duns: text(duns),
            website: text(website),
            email: text(email),
        });
        if id.is_some() {
            ids.push(text(id));
        }
    }
    Ok((records, ids))
}

fn field(row: &ByteRecord, place: Option<usize>) -> String {
    place
        .and_then(|place| row.get(place))
        .and_then(|field| std::str::from_utf8(field).ok())
        .map_or("", str::trim)
        .to_string()
}

/// Reads what a person has judged. Each side is an id of the list, or else a name of it.
fn judgements(
    text: &str,
    records: &[Record],
    ids: &[String],
) -> Result<Vec<Judgement>, TableError> {
    let mut by_text: HashMap<String, usize> = HashMap::new();
    for (place, record) in records.iter().enumerate().rev() {
        by_text.insert(folded(&record.name), place);
    }
    let by_id: HashMap<&str, usize> = ids
        .iter()
        .enumerate()
        .rev()
        .map(|(place, id)| (id.as_str(), place))
        .collect();
    let wrong = |line: u64, what: String| TableError::Decision { line, what };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers()?.clone();
    let column = |name: &str| {
        header
            .iter()
            .position(|h| h.eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                wrong(
                    1,
                    format!("the column `{name}` is missing: it needs a, b and decision"),
                )
            })
    };
    let (a, b, decision) = (column("a")?, column("b")?, column("decision")?);
    let mut judgements = Vec::new();
    for row in reader.records() {
        let row = row?;
        let line = row.position().map_or(0, csv::Position::line);
        let find = |at: usize| {
            let text = row.get(at).unwrap_or("");
            let place = by_id.get(text).or_else(|| by_text.get(&folded(text)));
            place.copied()
        };
        let same = match row.get(decision).unwrap_or("") {
            word if word.eq_ignore_ascii_case("same") => true,
            word if word.eq_ignore_ascii_case("different") => false,
            word => {
                return Err(wrong(
                    line,
                    format!("`{word}` is no decision: write same or different"),
                ));
            }
        };
        // A supplier that has left the list since is no error: decisions outlive lists.
        if let (Some(a), Some(b)) = (find(a), find(b))
            && a != b
        {
            judgements.push(Judgement { a, b, same });
        }
    }
    Ok(judgements)
}

/// Numbers the groups in the order of the list, from 1.
fn numbers(placed: &[Placed], summary: &mut MatchSummary) -> HashMap<usize, usize> {
    let mut numbers = HashMap::new();
    for here in placed {
        let next = numbers.len() + 1;
        numbers.entry(here.group).or_insert(next);
        summary.rows += 1;
        summary.linked += u64::from(here.link.is_some());
        summary.proposed += u64::from(here.proposal.is_some());
    }
    summary.groups = numbers.len() as u64;
    numbers
}
