//! Job files: from what is written to a `pipeline::Job` that can run.
//!
//! `file.rs` holds exactly what was written, with lines; `job.rs` checks it and fetches the
//! secrets. Both collect every problem instead of stopping at the first, so that one look at
//! `spendlake check` is enough. No message holds a value that could be a secret.

mod address;
mod expand;
mod file;
mod job;
mod store;
#[cfg(test)]
mod tests;
mod tolerances;
mod units;

use std::fmt;
use std::path::Path;

use pipeline::Job;

use crate::output::nearest;

use expand::Environment;
pub use job::Parts;
pub use tolerances::with_tolerances;

use file::JobFile;
use job::Place;

/// A job file as far as it could be understood.
pub struct Loaded {
    /// What is usable, even if the rest of the file is wrong.
    pub parts: Parts,
    /// All that is wrong, in the order of the file.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// The job, if nothing at all is wrong with its file.
    pub fn ready(self) -> Result<Job, Vec<Problem>> {
        match (self.parts.join(), self.problems) {
            (Some(job), problems) if problems.is_empty() => Ok(job),
            (_, problems) => Err(problems),
        }
    }
}

/// One thing to change in a job file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named on the command line.
    pub file: String,
    /// Counted from 1; `None` where the whole file is meant.
    pub line: Option<usize>,
    /// Lower case, no full stop.
    pub what: String,
    /// What to write instead.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

/// Reads and checks the job file at `path`; `resources` are the names it may list.
///
/// Relative paths inside (`lake.url`, `${file:…}`) start at the folder of the job file, so that a
/// job means the same from every working directory. Touches nothing but the file itself, the
/// environment and the secret files it names.
pub fn load(path: &Path, environment: &Environment<'_>, resources: &[&str]) -> Loaded {
    let mut problems = Problems::of(path);
    let written = read(path, &mut problems);
    let place = Place::of(path, environment, resources);
    let parts = match written {
        Some(written) => job::check(&written, &place, &mut problems),
        None => Parts::default(),
    };
    Loaded {
        parts,
        problems: problems.sorted(),
    }
}

/// Only where the tables of the job file at `path` lie: reading a lake asks for no credentials of
/// Coupa's, so a missing one is no problem here.
pub fn load_lake(path: &Path, environment: &Environment<'_>) -> Result<Parts, Vec<Problem>> {
    let mut problems = Problems::of(path);
    let written = read(path, &mut problems);
    let place = Place::of(path, environment, &[]);
    let parts = written.map(|written| job::check_lake(&written, &place, &mut problems));
    match (parts, problems.sorted()) {
        (Some(parts), problems) if problems.is_empty() => Ok(parts),
        (_, problems) => Err(problems),
    }
}

fn read(path: &Path, problems: &mut Problems) -> Option<JobFile> {
    match std::fs::read_to_string(path) {
        Ok(text) => file::parse(&text, problems),
        Err(error) => {
            problems.whole(
                format!("the job file cannot be read: {}", reason(&error)),
                "`spendlake init` writes a starter job file; `spendlake demo` needs none",
            );
            None
        }
    }
}

/// What went wrong with a file, without the operating system's error number.
pub fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}

/// What was written, in quotes, if it is a word or two. Longer texts are not for a message, and where a quote is
/// missing they hold the lines that follow.
fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.chars().count() {
        length if length > LONGEST => format!("a text of {length} characters"),
        _ if text.contains(char::is_control) => "a text of several lines".to_owned(),
        _ => format!("\"{text}\""),
    }
}

/// Collects the problems of one file.
struct Problems {
    file: String,
    found: Vec<Problem>,
}

impl Problems {
    fn of(path: &Path) -> Self {
        Problems {
            file: path.display().to_string(),
            found: Vec::new(),
        }
    }

    fn at(&mut self, line: usize, what: impl Into<String>, hint: impl Into<String>) {
        self.push(Some(line), what.into(), hint.into());
    }

    fn whole(&mut self, what: impl Into<String>, hint: impl Into<String>) {
        self.push(None, what.into(), hint.into());
    }

    fn push(&mut self, line: Option<usize>, what: String, hint: String) {
        let file = self.file.clone();
        self.found.push(Problem {
            file,
            line,
            what,
            hint,
        });
    }

    /// A word that is none of `allowed`: names the nearest one, or all where none is near.
    fn unknown(&mut self, line: usize, noun: &str, found: &str, allowed: &[&str]) {
        let hint = match nearest(found, allowed.iter().copied()) {
            Some(word) => format!("did you mean \"{word}\"?"),
            None => format!("allowed are {}", allowed.join(", ")),
        };
        self.at(line, format!("unknown {noun} {}", shown(found)), hint);
    }

    fn sorted(mut self) -> Vec<Problem> {
        // Problems of the whole file (something is missing) come after those with a line.
        self.found
            .sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        self.found
    }
}
