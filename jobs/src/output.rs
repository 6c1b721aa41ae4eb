//! What people read: failures with their cause and remedy, tables, counts in human units.
//!
//! Everything here goes to stderr or is handed back as text. What a program reads (`--json`, the
//! rows of a query) is written by the command itself, to stdout.

use std::fmt::Write as _;
use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table, TableComponent};
use extract::hidden;

use crate::config;

/// What the reader of an exit code should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    /// Report our bug.
    Bug = 1,
    /// Change the job, a definition or the call.
    Change = 2,
    /// Look at the quarantine: the source sent more misfits than the job tolerates.
    Misfits = 3,
    /// Run again later.
    Later = 4,
}

impl Exit {
    /// The code that asks for more: a bug before a change before "later" before misfits, whose
    /// run is complete but for them.
    pub fn worst(self, other: Exit) -> Exit {
        let weight = |exit: Exit| match exit {
            Exit::Done => 0,
            Exit::Misfits => 1,
            Exit::Later => 2,
            Exit::Change => 3,
            Exit::Bug => 4,
        };
        if weight(other) > weight(self) {
            other
        } else {
            self
        }
    }

    pub fn of(code: u8) -> Exit {
        match code {
            0 => Exit::Done,
            2 => Exit::Change,
            3 => Exit::Misfits,
            4 => Exit::Later,
            _ => Exit::Bug,
        }
    }
}

/// Why a command failed, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub message: String,
    /// From the nearest cause to the first.
    pub causes: Vec<String>,
    pub hint: Option<String>,
    pub exit: Exit,
}

impl Failure {
    /// Something to change in the call, the job or a definition.
    pub fn change(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            causes: Vec::new(),
            hint: Some(hint.into()),
            exit: Exit::Change,
        }
    }

    /// A file or a stream of this machine that cannot be used now.
    pub fn of_io(doing: &str, error: &std::io::Error) -> Failure {
        Failure {
            message: format!("{doing}: {}", config::reason(error)),
            causes: Vec::new(),
            hint: Some("check the path, its permissions and the space on the disk".to_owned()),
            exit: Exit::Change,
        }
    }

    /// The three lines a person reads: what failed, why, what to do.
    pub fn lines(&self) -> String {
        let mut lines = format!("error: {}", indent_rest(&self.message));
        for cause in &self.causes {
            let _ = write!(lines, "\n  cause: {}", indent_rest(cause));
        }
        if let Some(hint) = &self.hint {
            let _ = write!(lines, "\n  hint: {}", indent_rest(hint));
        }
        lines
    }

    /// The same for a program.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "message": self.message,
            "causes": self.causes,
            "hint": self.hint,
            "exit_code": self.exit as u8,
        })
    }
}

impl From<config::Problem> for Failure {
    fn from(problem: config::Problem) -> Failure {
        Failure {
            message: problem.to_string(),
            causes: Vec::new(),
            hint: Some(problem.hint),
            exit: Exit::Change,
        }
    }
}

impl From<pipeline::Error> for Failure {
    fn from(error: pipeline::Error) -> Failure {
        let mut causes = Vec::new();
        let mut said = error.message.clone();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            let text = cause.to_string();
            // Some libraries repeat their source in their own text: each is said once.
            if !said.contains(&text) {
                said = text.clone();
                causes.push(text);
            }
            source = cause.source();
        }
        Failure {
            exit: Exit::of(error.kind.exit_code()),
            message: error.message,
            causes,
            hint: error.hint,
        }
    }
}

impl From<&pipeline::summary::Problem> for Failure {
    fn from(problem: &pipeline::summary::Problem) -> Failure {
        Failure {
            message: problem.message.clone(),
            causes: Vec::new(),
            hint: problem.hint.clone(),
            exit: Exit::of(problem.kind.exit_code()),
        }
    }
}

impl From<schemas::SchemaError> for Failure {
    fn from(error: schemas::SchemaError) -> Failure {
        Failure::change(
            error.to_string(),
            "change the files under --schemas; `spendlake schemas export DIR` writes the ones \
             in the binary to compare with",
        )
    }
}

/// Prints one line of talk, cleaned of secrets that others may have put into it.
pub fn say(line: impl AsRef<str>) {
    eprintln!("{}", hidden::clean(line.as_ref()));
}

/// Prints failures, each once, and gives back the worst code.
pub fn print_failures(failures: &[Failure]) -> Exit {
    for failure in failures {
        say(failure.lines());
    }
    let exits = failures.iter().map(|failure| failure.exit);
    exits.fold(Exit::Done, Exit::worst)
}

/// The word of `allowed` that `found` was probably meant to be.
pub fn nearest<'a>(found: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase();
    let distances = allowed.into_iter().map(|word| {
        (
            strsim::damerau_levenshtein(&found, &word.to_lowercase()),
            word,
        )
    });
    // More than a third of the letters wrong is another word, not a slip.
    let near = |(distance, word): &(usize, &str)| distance * 3 <= word.chars().count().max(3);
    distances.min().filter(near).map(|(_, word)| word)
}

/// Columns of the terminal that stdout is; `None` where it is none, or does not know its width.
pub fn stdout_width() -> Option<u16> {
    Table::new().width().filter(|width| *width > 0)
}

/// As `stdout_width`, of stderr.
pub fn stderr_width() -> Option<u16> {
    Table::new().use_stderr().width()
}

/// How a column of a table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// A table for people: as wide as the terminal, or as its content where there is none.
pub fn table(header: &[(&str, Align)], rows: Vec<Vec<String>>, width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    for line in [
        TableComponent::HeaderLines,
        TableComponent::MiddleHeaderIntersections,
    ] {
        table.set_style(line, '─');
    }
    match width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    let cell = |text: &str, align: Align| {
        Cell::new(text).set_alignment(match align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        })
    };
    table.set_header(header.iter().map(|(name, align)| {
        let cell = cell(name, *align);
        if width.is_some() {
            cell.add_attribute(Attribute::Bold)
        } else {
            cell
        }
    }));
    for row in rows {
        table.add_row(
            row.iter()
                .zip(header)
                .map(|(text, (_, align))| cell(text, *align)),
        );
    }
    table.trim_fmt()
}

/// `1,234,567`
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `512 B`, `3.4 MiB`
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut size = number as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// `0.4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        small => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match seconds {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn indent_rest(text: &str) -> String {
    text.replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn human_units() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(3_565_158), "3.4 MiB");
        assert_eq!(duration(Duration::from_millis(412)), "0.4 s");
        assert_eq!(duration(Duration::from_secs(200)), "3 min 20 s");
        assert_eq!(duration(Duration::from_secs(7500)), "2 h 5 min");
        assert_eq!(duration(Duration::from_secs(3 * 86_400)), "3 d");
    }

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        let failure = Failure {
            message: "coupa.invoices stopped after id 88213".into(),
            causes: vec!["GET /api/invoices answered 403".into()],
            hint: Some("give the OAuth client the scope core.invoice.read".into()),
            exit: Exit::Change,
        };
        assert_eq!(
            failure.lines(),
            "error: coupa.invoices stopped after id 88213\n  \
             cause: GET /api/invoices answered 403\n  \
             hint: give the OAuth client the scope core.invoice.read"
        );
    }

    #[test]
    fn the_worst_code_asks_for_most() {
        assert_eq!(Exit::Later.worst(Exit::Change), Exit::Change);
        assert_eq!(Exit::Change.worst(Exit::Bug), Exit::Bug);
        assert_eq!(Exit::Misfits.worst(Exit::Later), Exit::Later);
        assert_eq!(Exit::Done.worst(Exit::Later), Exit::Later);
    }

    #[test]
    fn the_nearest_word() {
        let words = ["client_id", "client_secret", "url"];
        assert_eq!(nearest("client_secrt", words), Some("client_secret"));
        assert_eq!(nearest("URL", words), Some("url"));
        assert_eq!(nearest("password", words), None);
    }
}
