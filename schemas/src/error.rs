//! What can be wrong with a definition, and where.

use std::fmt;

/// Every definition that could not be read, at most one problem a file.
///
/// Prints one line a problem: `file:line: what is wrong, what was allowed`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.problems))]
pub struct SchemaError {
    /// Sorted by file; never empty.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong, in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path below the definitions' root, with forward slashes: `coupa/invoices.toml`.
    pub file: String,
    /// Counted from 1; `None` where the whole file is meant.
    pub line: Option<usize>,
    /// Lower case, no full stop.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// A problem while its file is being read: the reader of the file adds the name.
#[derive(Debug)]
pub(crate) struct Fault {
    pub line: Option<usize>,
    pub what: String,
}

impl Fault {
    pub(crate) fn at(line: usize, what: impl Into<String>) -> Self {
        Fault {
            line: Some(line),
            what: what.into(),
        }
    }

    pub(crate) fn whole(what: impl Into<String>) -> Self {
        Fault {
            line: None,
            what: what.into(),
        }
    }

    pub(crate) fn of(self, file: &str) -> Problem {
        Problem {
            file: file.to_owned(),
            line: self.line,
            what: self.what,
        }
    }
}

/// `unknown key "scop", did you mean "scope"?`, or the whole list where nothing is near.
pub(crate) fn unknown<'a>(
    noun: &str,
    found: &str,
    allowed: impl IntoIterator<Item = &'a str>,
) -> String {
    let allowed: Vec<&str> = allowed.into_iter().collect();
    let nearest = allowed
        .iter()
        .map(|word| (strsim::damerau_levenshtein(found, word), word))
        .min();
    match nearest {
        // More than a third of the letters wrong is another word, not a slip.
        Some((distance, word)) if distance * 3 <= word.chars().count().max(3) => {
            format!("unknown {noun} \"{found}\", did you mean \"{word}\"?")
        }
        Some(_) => format!(
            "unknown {noun} \"{found}\", allowed are {}",
            allowed.join(", ")
        ),
        None => format!("unknown {noun} \"{found}\", none is allowed here"),
    }
}
