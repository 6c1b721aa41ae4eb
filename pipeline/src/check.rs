//! Everything that a run needs, tried one by one, so that all problems are known at once.

use schemas::{Resource, Schemas};
use serde::Serialize;

use crate::catalog::Lake;
use crate::error::{Error, Kind};
use crate::job::{Job, RunOptions};
use crate::query::check_reports;
use crate::run::{chosen_resources, raw_schemas, sign_in, try_warehouse};
use crate::summary::Problem;
use crate::transform::check_mappings;

/// One thing that was tried.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was tried: `definitions`, `lake`, `warehouse`, `credentials`, `resource invoices`.
    pub subject: String,
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

impl Finding {
    fn good(subject: impl Into<String>) -> Finding {
        Finding {
            subject: subject.into(),
            ok: true,
            problem: None,
        }
    }

    fn bad(subject: impl Into<String>, error: &Error) -> Finding {
        Finding {
            subject: subject.into(),
            ok: false,
            problem: Some(Problem::from(error)),
        }
    }

    /// The exit code that this finding alone would give.
    pub fn kind(&self) -> Option<Kind> {
        self.problem.as_ref().map(|problem| problem.kind)
    }
}

/// Tries definitions, lake, warehouse, credentials, and each resource's scope; `offline` stops before what
/// is asked over the network.
pub async fn check(job: &Job, schemas: &Schemas, offline: bool, token: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let resources = match chosen_resources(job, schemas, &RunOptions::default()) {
        Ok(resources) => resources,
        Err(error) => {
            findings.push(Finding::bad("resources", &error));
            Vec::new()
        }
    };
    match Lake::open(&job.lake) {
        Err(error) => findings.push(Finding::bad("lake", &error.into())),
        Ok(lake) => {
            // A bucket lies behind a network, a folder does not.
            if !offline || lake.url().scheme() == "file" {
                findings.push(match lake.probe(token).await {
                    Ok(()) => Finding::good("lake"),
                    Err(error) => Finding::bad("lake", &error.into()),
                });
            }
            let problems = check_mappings(&lake, schemas, &raw_schemas(schemas)).await;
            let mut problems: Vec<Error> = problems.into_iter().map(Error::from).collect();
            problems.extend(check_reports(schemas).await);
            if problems.is_empty() {
                findings.push(Finding::good("definitions"));
            }
            for problem in &problems {
                findings.push(Finding::bad("definitions", problem));
            }
        }
    }
    if offline {
        return findings;
    }
    if let Some(settings) = &job.warehouse {
        findings.push(match try_warehouse(settings).await {
            Ok(()) => Finding::good("warehouse"),
            Err(error) => Finding::bad("warehouse", &error),
        });
    }
    findings.extend(check_source(job, &resources).await);
    findings
}

/// Credentials first, then a page of each resource; a refused scope is found by asking for it alone.
async fn check_source(job: &Job, resources: &[Resource]) -> Vec<Finding> {
    let refused = match sign_in(job, resources).await {
        Ok(instance) => {
            let mut findings = vec![Finding::good("credentials")];
            for resource in resources {
                let probed = extract::probe(&instance, resource).await;
                findings.push(of_resource(resource, probed.map_err(Error::from)));
            }
            return findings;
        }
        Err(error) => error,
    };
    if refused.kind != Kind::Invalid {
        return vec![Finding::bad("source", &refused)];
    }
    // Without scopes, the token has all that the client was given: a refusal is not about scopes.
    if let Err(error) = sign_in(job, &[]).await {
        return vec![Finding::bad("credentials", &error)];
    }
    let mut findings = vec![Finding::good("credentials")];
    for resource in resources {
        let tried = async {
            let instance = sign_in(job, std::slice::from_ref(resource)).await?;
            extract::probe(&instance, resource).await?;
            Ok(())
        };
        findings.push(of_resource(resource, tried.await));
    }
    findings
}

fn of_resource<T>(resource: &Resource, tried: Result<T, Error>) -> Finding {
    let subject = format!("resource {}", resource.name);
    match tried {
        Ok(_) => Finding::good(subject),
        Err(error) => Finding::bad(subject, &error),
    }
}
