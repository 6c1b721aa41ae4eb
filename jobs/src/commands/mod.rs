//! One file a command. Each returns the exit code, or the failures that ended it.

mod check;
mod definitions;
mod demo;
mod init;
mod maintain;
mod quarantine;
mod query;
mod report;
mod run;
mod simulate;
mod software;
mod status;

#[cfg(test)]
pub use init::STARTER;
pub use simulate::PORT;

use std::io::{self, Write};
use std::path::Path;

use chrono::{DateTime, Utc};
use pipeline::LakeSettings;
use pipeline::summary::Problem;
use schemas::Schemas;

use crate::cli::{Cli, Command, Software, Suppliers};
use crate::config::{self, Loaded, Parts};
use crate::output::{Exit, Failure, print_failures};

/// What a command may ask of the world around it.
pub struct World {
    pub clock: fn() -> DateTime<Utc>,
    pub environment: fn(&str) -> Option<String>,
}

/// Failures end a command; at least one.
type Ended = Result<Exit, Vec<Failure>>;

/// Does what the command line asks for, and prints what went wrong.
pub async fn execute(cli: Cli, world: World) -> Exit {
    let overlay = cli.schemas.as_deref();
    let ended = match cli.command {
        Command::Demo(args) => demo::demo(&args, overlay, &world).await,
        Command::Init(args) => init::init(&args, overlay),
        Command::Check(args) => check::check(&args, overlay, &world).await,
        Command::Run(args) => run::run(&args, overlay, &world).await,
        Command::Status(args) => status::status(&args, &world).await,
        Command::Maintain(args) => maintain::maintain(&args, &world).await,
        Command::Quarantine(args) => quarantine::quarantine(&args, overlay, &world).await,
        Command::Query(args) => query::query(&args, &world).await,
        Command::Report(args) => report::report(&args, overlay, &world).await,
        Command::Schemas(args) => definitions::definitions(&args, overlay),
        Command::Software(Software::Classify(args)) => software::classify(&args),
        Command::Suppliers(Suppliers::Match(args)) => software::match_suppliers(&args),
        Command::Simulate(args) => simulate::simulate(&args).await,
    };
    match ended {
        Ok(exit) => exit,
        Err(failures) => print_failures(&failures),
    }
}

/// The definitions in the binary, the folder of `--schemas` laid over them.
fn definitions(overlay: Option<&Path>) -> Result<Schemas, Vec<Failure>> {
    let read = match overlay {
        Some(dir) => Schemas::with_overlay(dir),
        None => Schemas::embedded(),
    };
    read.map_err(|error| vec![Failure::from(error)])
}

/// The definitions as the job at `path` wants them: with the tolerances that lie beside it.
fn of_job(schemas: &Schemas, path: &Path) -> Result<Schemas, Vec<Failure>> {
    config::with_tolerances(schemas, path).map_err(failures)
}

fn load(path: &Path, schemas: &Schemas, world: &World) -> Loaded {
    let resources: Vec<&str> = schemas.resources.keys().map(String::as_str).collect();
    config::load(path, &world.environment, &resources)
}

fn failures(problems: Vec<config::Problem>) -> Vec<Failure> {
    problems.into_iter().map(Failure::from).collect()
}

/// The lake of a job whose tables are to be read. A folder that is not there yet is said to be so,
/// since opening it would make an empty one.
fn need_lake<'a>(parts: &'a Parts, job: &Path) -> Result<&'a LakeSettings, Vec<Failure>> {
    let lake = parts.lake.as_ref().expect("a lake was checked");
    if !lake.url.contains("://") && !Path::new(&lake.url).is_dir() {
        return Err(vec![Failure::change(
            format!("there is no lake at {} yet", lake.url),
            format!("`spendlake run {}` fills it", job.display()),
        )]);
    }
    Ok(lake)
}

/// Problems as failures; one that many subjects share is said once.
fn grouped<'a>(problems: impl Iterator<Item = (String, &'a Problem)>) -> Vec<Failure> {
    let mut groups: Vec<(&Problem, Vec<String>)> = Vec::new();
    for (subject, problem) in problems {
        let same = |(other, _): &&mut (&Problem, Vec<String>)| {
            other.message == problem.message && other.hint == problem.hint
        };
        match groups.iter_mut().find(same) {
            Some((_, subjects)) => subjects.push(subject),
            None => groups.push((problem, vec![subject])),
        }
    }
    let failure = |(problem, subjects): &(&Problem, Vec<String>)| {
        let mut failure = Failure::from(*problem);
        failure.message = format!("{}: {}", list(subjects), failure.message);
        failure
    };
    groups.iter().map(failure).collect()
}

/// The subjects, `resource …` counted where there are many.
fn list(subjects: &[String]) -> String {
    let is_resource = |subject: &&String| subject.starts_with("resource ");
    let resource_count = subjects.iter().filter(is_resource).count();
    if resource_count <= 3 {
        return subjects.join(", ");
    }
    let others = subjects.iter().filter(|subject| !is_resource(subject));
    let mut listed: Vec<String> = others.cloned().collect();
    listed.push(format!("{resource_count} resources"));
    listed.join(", ")
}

/// Prints what was asked for on stdout; a reader that left early (`head`) is no error.
fn print(text: &str) -> Ended {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(vec![Failure::of_io("stdout cannot be written", &error)])
        }
        _ => Ok(Exit::Done),
    }
}
