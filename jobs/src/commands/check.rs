//! `spendlake check`: everything that is wrong, at once.

use std::path::{Path, PathBuf};

use pipeline::LakeSettings;
use schemas::Schemas;
use uuid::Uuid;

use super::{Ended, World, failures};
use crate::cli::Check;
use crate::config::Parts;
use crate::output::{Exit, Failure, print_failures, say};

pub async fn check(args: &Check, overlay: Option<&Path>, world: &World) -> Ended {
    let (schemas, mut exit) = match super::definitions(overlay) {
        Ok(schemas) => (schemas, Exit::Done),
        // The job is still worth a look, by the definitions in the binary.
        Err(failures) => (super::definitions(None)?, print_failures(&failures)),
    };
    for path in &args.jobs {
        let loaded = super::load(path, &schemas, world);
        let mut found = failures(loaded.problems);
        let of_job = super::of_job(&schemas, path);
        found.extend(of_job.as_ref().err().into_iter().flatten().cloned());
        let schemas = of_job.as_ref().unwrap_or(&schemas);
        found.extend(try_out(loaded.parts, schemas, args.offline).await);
        let path = path.display();
        match found.len() {
            0 if args.offline => say(format!("{path}: nothing is wrong, offline")),
            0 => say(format!("{path}: ready to run")),
            1 => say(format!("{path}: one problem")),
            count => say(format!("{path}: {count} problems")),
        }
        exit = exit.worst(print_failures(&found));
    }
    Ok(exit)
}

/// Tries whatever can be tried: a fault in one section of a job file is no reason to keep quiet
/// about the others.
async fn try_out(parts: Parts, schemas: &Schemas, offline: bool) -> Vec<Failure> {
    let (has_lake, has_source) = (parts.lake.is_some(), parts.source.is_some());
    // Credentials can be tried without the lake: a folder of our own stands in for it.
    let stand_in = StandIn::new();
    let lake = parts.lake.clone().unwrap_or_else(|| LakeSettings {
        url: stand_in.0.display().to_string(),
        options: Default::default(),
    });
    let parts = Parts {
        lake: Some(lake),
        ..parts
    };
    let job = match has_source {
        true => parts.named().join(),
        false => parts.without_source(),
    };
    let Some(job) = job else {
        return Vec::new();
    };
    let token = Uuid::now_v7().to_string();
    let mut findings = pipeline::check(&job, schemas, offline || !has_source, &token).await;
    findings.retain(|finding| has_lake || finding.subject != "lake");
    let good = findings.iter().filter(|finding| finding.ok);
    let good: Vec<String> = good.map(|finding| finding.subject.clone()).collect();
    if !good.is_empty() {
        say(format!("ok: {}", super::list(&good)));
    }
    let problems = findings.iter().filter_map(|finding| {
        let problem = finding.problem.as_ref()?;
        Some((finding.subject.clone(), problem))
    });
    super::grouped(problems)
}

struct StandIn(PathBuf);

impl StandIn {
    fn new() -> StandIn {
        let name = format!("spendlake-check-{}", Uuid::now_v7());
        StandIn(std::env::temp_dir().join(name))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // It may not exist, and a left folder in the system's temporary place does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
