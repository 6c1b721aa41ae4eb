//! What `spendlake software classify` does: a CSV list of purchase lines in, decisions out.
//!
//! cargo run --release -p software --example classify -- FILE.csv [--output OUT.csv]
//!     [--catalogue FOLDER] [--explain ROW] [--escape-formulas]

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use software::{Catalogue, Classifier, Options, classify_file, explain_row};

const USAGE: &str = "usage: classify FILE.csv [--output OUT.csv] [--catalogue FOLDER] [--explain ROW] [--escape-formulas]";

#[derive(Default)]
struct Call {
    input: PathBuf,
    output: Option<PathBuf>,
    catalogue: Option<PathBuf>,
    explain: Option<u64>,
    options: Options,
}

fn main() -> ExitCode {
    match call().and_then(|call| run(&call)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn call() -> Result<Call, String> {
    let mut call = Call::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value\n{USAGE}"));
        match arg.as_str() {
            "--output" => call.output = Some(value()?.into()),
            "--catalogue" => call.catalogue = Some(value()?.into()),
            "--explain" => {
                let row = value()?
                    .parse()
                    .map_err(|_| format!("--explain takes a row number\n{USAGE}"))?;
                call.explain = Some(row);
            }
            "--escape-formulas" => call.options.escape_formulas = true,
            flag if flag.starts_with('-') => return Err(format!("{flag} is not known\n{USAGE}")),
            path => call.input = path.into(),
        }
    }
    if call.input.as_os_str().is_empty() {
        return Err(USAGE.to_string());
    }
    Ok(call)
}

fn run(call: &Call) -> Result<(), String> {
    let told = |e: &dyn std::error::Error| match e.source() {
        Some(cause) => format!("{e}\n  cause: {cause}"),
        None => e.to_string(),
    };
    let catalogue = match &call.catalogue {
        Some(folder) => Catalogue::with_folder(folder),
        None => Catalogue::embedded(),
    }
    .map_err(|e| told(&e))?;
    let classifier = Classifier::new(&catalogue);
    let inside = |e: &dyn std::error::Error| format!("{}: {}", call.input.display(), told(e));
    if let Some(row) = call.explain {
        let file = File::open(&call.input).map_err(|e| inside(&e))?;
        let text = explain_row(&classifier, BufReader::new(file), row, call.options)
            .map_err(|e| inside(&e))?;
        print!("{text}");
        return Ok(());
    }
    let output = call.output.as_deref();
    if output.is_some_and(|out| same_file(out, &call.input)) {
        return Err("--output is the input itself: give it another name".to_string());
    }
    let start = Instant::now();
    let summary =
        classify_file(&classifier, &call.input, output, call.options).map_err(|e| inside(&e))?;
    let seconds = start.elapsed().as_secs_f64();
    eprintln!(
        "{} rows in {seconds:.1} s: {} software; {} certain, {} likely, {} unsure",
        summary.rows, summary.software, summary.certain, summary.likely, summary.unsure
    );
    if summary.unread_amounts + summary.unread_dates > 0 {
        eprintln!(
            "{} amounts and {} dates could not be read and count as not given",
            summary.unread_amounts, summary.unread_dates
        );
    }
    if summary.formulas > 0 && !call.options.escape_formulas {
        eprintln!(
            "{} input values would run as formulas in a spreadsheet; --escape-formulas puts an apostrophe before them",
            summary.formulas
        );
    }
    Ok(())
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
