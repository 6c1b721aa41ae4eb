//! `spendlake software`: which lines of a list are software.

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use software::{Catalogue, Classifier, Options, Summary, classify_file, explain_row};

use super::Ended;
use crate::cli::Classify;
use crate::output::{Exit, Failure, say};

pub fn classify(args: &Classify) -> Ended {
    let catalogue = match &args.catalogue {
        Some(folder) => Catalogue::with_folder(folder),
        None => Catalogue::embedded(),
    };
    let hint = "mend the file; the columns of each are in the folder of the catalogue's source";
    let catalogue = catalogue.map_err(|error| vec![failure("the catalogue", &error, hint)])?;
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
    if output.is_some_and(|output| same_file(output, &args.file)) {
        return Err(vec![Failure::change(
            "--output is the input itself",
            "give it another name",
        )]);
    }
    let summary = classify_file(&classifier, &args.file, output, options)
        .map_err(|error| vec![failure(&name, &error, hint)])?;
    tell(&summary, args.escape_formulas);
    Ok(Exit::Done)
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
    if summary.formulas > 0 && !escaped {
        say(format!(
            "{} values of the input would run as formulas in a spreadsheet; --escape-formulas prevents it",
            summary.formulas
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
