//! `tolerances.csv` beside a job file: how far an invoice may differ from its order.

use std::collections::BTreeSet;
use std::path::Path;

use schemas::Schemas;

use super::{Problem, Problems, reason};

/// The word table whose rows the file replaces.
const WORDS: &str = "po_invoice_match_tolerances";
const FILE: &str = "tolerances.csv";
const COLUMNS: [&str; 5] = ["scope", "scope_id", "check_name", "pct", "abs"];
const SCOPES: [&str; 4] = ["default", "commodity", "vendor", "chart"];
const CHECKS: [&str; 7] = [
    "price_unit",
    "qty_ordered",
    "qty_received",
    "amount_line",
    "amount_received",
    "po_total",
    "charges",
];
/// Digits before and after the point that amounts have room for, with what they are multiplied by.
const MOST_WHOLE: usize = 15;
const MOST_FRACTION: usize = 9;

/// The definitions with the tolerances that lie in the job's folder; without a file, those of the
/// definitions hold.
pub fn with_tolerances(schemas: &Schemas, job: &Path) -> Result<Schemas, Vec<Problem>> {
    let file = job.with_file_name(FILE);
    let mut problems = Problems::of(&file);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(schemas.clone()),
        Err(error) => {
            problems.whole(
                format!("the tolerances cannot be read: {}", reason(&error)),
                "check the file and its permissions, or remove it: defaults hold then",
            );
            return Err(problems.sorted());
        }
    };
    let rows = read(&text, &mut problems);
    let problems = problems.sorted();
    if !problems.is_empty() {
        return Err(problems);
    }
    let replaced = schemas.clone().with_words(WORDS, &rows, FILE);
    replaced.map_err(|error| {
        let mut problems = Problems::of(&file);
        problems.whole(
            error.to_string(),
            "the columns are those of the definitions",
        );
        problems.sorted()
    })
}

/// The rows as the definitions want them; what is wrong goes to `problems`.
fn read(text: &str, problems: &mut Problems) -> String {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let mut rows = format!("{}\n", COLUMNS.join(","));
    let columns = "the columns are scope,scope_id,check_name,pct,abs";
    match reader.headers() {
        Ok(header) if header.iter().eq(COLUMNS) => {}
        Ok(_) => {
            problems.at(
                1,
                "the columns are others than those of tolerances",
                columns,
            );
            return rows;
        }
        Err(error) => {
            problems.whole(format!("this is no CSV: {error}"), columns);
            return rows;
        }
    }
    let mut seen = BTreeSet::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(1, |at| at.line() as usize);
                problems.at(
                    line,
                    "the row has more or fewer cells than columns",
                    columns,
                );
                continue;
            }
        };
        let line = record.position().map_or(1, |at| at.line() as usize);
        let [scope, id, check, pct, abs] = [0, 1, 2, 3, 4].map(|at| record.get(at).unwrap_or(""));
        for (noun, word, words) in [("scope", scope, &SCOPES[..]), ("check", check, &CHECKS)] {
            if !words.contains(&word) {
                problems.unknown(line, noun, word, words);
            }
        }
        if (scope == "default") != id.is_empty() {
            problems.at(
                line,
                format!("scope_id is {}", if id.is_empty() { "missing" } else { "too much" }),
                "scope default has none; every other names the id of its commodity, vendor or chart",
            );
        }
        if scope == "commodity" && check == "charges" {
            problems.at(
                line,
                "charges are of a whole invoice, which has no commodity",
                "write vendor, chart or default",
            );
        }
        for (name, limit) in [("pct", pct), ("abs", abs)] {
            if !limit.is_empty() && !is_limit(limit) {
                problems.at(
                    line,
                    format!("{name} is no limit"),
                    "write a number such as 2.5, not below zero and without signs; empty is no limit",
                );
            }
        }
        if !seen.insert((scope.to_owned(), id.to_owned(), check.to_owned())) {
            problems.at(
                line,
                format!("a second row for {check} of {scope} {id}")
                    .trim_end()
                    .to_owned(),
                "keep one of them",
            );
        }
        // Ids with commas or quotes are no ids; quoting them keeps the row whole all the same.
        let id = id.replace('"', "\"\"");
        rows.push_str(&format!("{scope},\"{id}\",{check},{pct},{abs}\n"));
    }
    rows
}

fn is_limit(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, most: usize| {
        !part.is_empty() && part.len() <= most && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    digits(whole, MOST_WHOLE) && digits(fraction, MOST_FRACTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(usize, &str)]) {
        let mut problems = Problems::of(Path::new(FILE));
        read(text, &mut problems);
        let found = problems.sorted();
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.line.unwrap_or(0), one.what.as_str()))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn every_row_that_is_wrong_is_told_with_its_line() {
        let header = "scope,scope_id,check_name,pct,abs\n";
        check(
            &format!("{header}default,,price_unit,2,\nvendor,10,charges,,0.50\n"),
            &[],
        );
        check(
            &format!(
                "{header}vendor,,price_unit,2,\ndefault,,prise_unit,2,\ndefault,,qty_ordered,-1,1e3\n\
                 chart,5,po_total,1,\nchart,5,po_total,2,\ncommodity,1,charges,1,\ndefault,,po_total\n"
            ),
            &[
                (2, "scope_id is missing"),
                (3, "unknown check \"prise_unit\""),
                (4, "pct is no limit"),
                (4, "abs is no limit"),
                (6, "a second row for po_total of chart 5"),
                (7, "charges are of a whole invoice, which has no commodity"),
                (8, "the row has more or fewer cells than columns"),
            ],
        );
        check(
            "scope,id,check\n",
            &[(1, "the columns are others than those of tolerances")],
        );
    }

    #[test]
    fn a_file_beside_the_job_stands_in_the_place_of_the_defaults() {
        let schemas = Schemas::embedded().expect("our definitions are right");
        let folder = tempfile::tempdir().expect("a folder");
        let job = folder.path().join("job.toml");
        let same = with_tolerances(&schemas, &job).expect("no file is no problem");
        assert_eq!(same.fingerprint(), schemas.fingerprint());
        let text = "scope,scope_id,check_name,pct,abs\ndefault,,price_unit,7.5,\n";
        std::fs::write(folder.path().join(FILE), text).expect("the file is written");
        let other = with_tolerances(&schemas, &job).expect("the file is good");
        assert_ne!(other.fingerprint(), schemas.fingerprint());
        let words = &other.report_tables["po_invoice_match"].words[0];
        assert_eq!(
            words.text,
            "scope,scope_id,check_name,pct,abs\ndefault,\"\",price_unit,7.5,\n"
        );
    }
}
