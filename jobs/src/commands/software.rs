//! `spendlake software` and `spendlake suppliers`: lists that need no lake.

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use software::{
    Catalogue, Classifier, Options, Summary, SupplierMatcher, classify_file, explain_row,
    match_file,
};

use super::Ended;
use crate::cli::{Classify, MatchSuppliers};
use crate::output::{Exit, Failure, say};

pub fn classify(args: &Classify) -> Ended {
    let catalogue = catalogue(args.catalogue.as_deref())?;
    let classifier = Classifier::new(&catalogue);
    let options = Options {
        delimiter: None,
        escape_formulas: args.escape_formulas,
    };
    let name = args.file.display().to_string();
    let hint = "give a CSV in UTF-8 whose header names at least one of the columns in `--help`";
    if let Some(row) = args.explain {
        let file = File::open(&args.file)
            .map_err(|error| vec![Failure::of_io(&format!("{name} cannot be read"), &error)])?;
        let text = explain_row(&classifier, BufReader::new(file), row, options)
            .map_err(|error| vec![failure(&name, &error, hint)])?;
        return super::print(&text);
    }
    let output = args.output.as_deref();
    another_file(output, &args.file)?;
    let summary = classify_file(&classifier, &args.file, output, options)
        .map_err(|error| vec![failure(&name, &error, hint)])?;
    tell(&summary, args.escape_formulas);
    Ok(Exit::Done)
}

pub fn match_suppliers(args: &MatchSuppliers) -> Ended {
    let matcher = SupplierMatcher::new(&catalogue(args.catalogue.as_deref())?)
        .map_err(|error| vec![failure("the catalogue", &error, CATALOGUE_HINT)])?;
    let options = Options {
        delimiter: None,
        escape_formulas: args.escape_formulas,
    };
    let output = args.output.as_deref();
    another_file(output, &args.file)?;
    let decisions = args.decisions.as_deref();
    let summary =
        match_file(&matcher, &args.file, decisions, output, options).map_err(|error| {
            let hint = "give a CSV in UTF-8 whose header names the column `supplier` or `name`";
            vec![failure(&args.file.display().to_string(), &error, hint)]
        })?;
    say(format!(
        "{} suppliers in {} groups: {} linked to another, {} with a proposal to judge; {} in the catalogue",
        summary.rows, summary.groups, summary.linked, summary.proposed, summary.in_catalogue
    ));
    tell_formulas(summary.formulas, args.escape_formulas);
    Ok(Exit::Done)
}

const CATALOGUE_HINT: &str =
    "mend the file; the columns of each are in the folder of the catalogue's source";

fn catalogue(folder: Option<&Path>) -> Result<Catalogue, Vec<Failure>> {
    let catalogue = match folder {
        Some(folder) => Catalogue::with_folder(folder),
        None => Catalogue::embedded(),
    };
    catalogue.map_err(|error| vec![failure("the catalogue", &error, CATALOGUE_HINT)])
}

fn another_file(output: Option<&Path>, input: &Path) -> Result<(), Vec<Failure>> {
    match output {
        Some(output) if same_file(output, input) => Err(vec![Failure::change(
            "--output is the input itself",
            "give it another name",
        )]),
        _ => Ok(()),
    }
}

fn tell(summary: &Summary, escaped: bool) {
    say(format!(
        "{} lines: {} software; {} certain, {} likely, {} unsure",
        summary.rows, summary.software, summary.certain, summary.likely, summary.unsure
    ));
    if summary.unread_amounts + summary.unread_dates > 0 {
        say(format!(
            "{} amounts and {} dates could not be read and count as not given",
            summary.unread_amounts, summary.unread_dates
        ));
    }
    tell_formulas(summary.formulas, escaped);
}

fn tell_formulas(formulas: u64, escaped: bool) {
    if formulas > 0 && !escaped {
        say(format!(
            "{formulas} values of the input would run as formulas in a spreadsheet; --escape-formulas prevents it"
        ));
    }
}

fn failure(subject: &str, error: &dyn Error, hint: &str) -> Failure {
    let mut failure = Failure::change(format!("{subject}: {error}"), hint);
    let mut cause = error.source();
    while let Some(error) = cause {
        failure.causes.push(error.to_string());
        cause = error.source();
    }
    failure
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
