//! One run: extract, load, transform, in that order, and nothing else.
//!
//! Only this folder knows all three stages.

mod deliver;
pub mod lease;
mod log;
mod protocol;
mod quarantine;
mod read;
mod references;
mod refresh;
mod replay;
mod report;
mod samples;
#[cfg(test)]
mod storage;

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use extract::Instance;
use futures::StreamExt;
use schemas::{Resource, Schemas};

pub use deliver::{Deliverable, Delivering, deliver, deliverables, try_warehouse};
pub use log::{RunMark, watermark_id};
pub use replay::{Replayed, replay};
pub use samples::load_samples;

use self::lease::Lease;
use self::read::{Reading, fetch_missing, read_resource};
use self::references::References;
use self::refresh::{Refreshing, refresh_tables};
use crate::catalog::Lake;
use crate::error::{Error, Kind};
use crate::job::{Event, Job, RunOptions, Stop};
use crate::summary::{Outcome, ResourceSummary, Summary};
use crate::transform::check_mappings;

/// Resources read side by side; requests are bounded by the instance's own limits.
const RESOURCES_AT_ONCE: usize = 4;

/// What a run is given besides the job: time, a way to tell, a way to be stopped.
pub struct Surroundings<'a> {
    pub clock: &'a (dyn Fn() -> DateTime<Utc> + Send + Sync),
    pub observe: &'a (dyn Fn(Event) + Send + Sync),
    pub stop: Stop,
}

/// Reads what changed at the source, appends it to the change log, and refreshes the unified tables.
///
/// Errors only when nothing could start: definitions, lake or credentials. What fails later stands in
/// the summary beside what was done. A second call continues where this one ended.
pub async fn run(
    job: &Job,
    schemas: &Schemas,
    options: &RunOptions,
    around: &Surroundings<'_>,
) -> Result<Summary, Error> {
    let started_at = (around.clock)();
    let mark = RunMark {
        connection: job.connection.clone(),
        run_id: uuid::Uuid::now_v7().to_string(),
        started_at,
        epoch: 0,
    };
    // What is wrong with the call is said before anything is taken or asked.
    chosen_resources(job, schemas, options)?;
    let lake = Lake::open(&job.lake)?;
    if let Some(problem) = check_mappings(&lake, schemas, &raw_schemas(schemas))
        .await
        .into_iter()
        .next()
    {
        return Err(problem.into());
    }
    if options.dry_run {
        return work(job, schemas, &lake, &mark, options, around).await;
    }
    lake.probe(&mark.run_id).await?;
    with_lease(&lake, &mark, async |mark| {
        let summary = work(job, schemas, &lake, mark, options, around).await?;
        if let Err(error) = record_run(&lake, &summary).await {
            // The run is over and its work is committed; only this note of it is missing.
            tracing::warn!("the run's summary could not be kept in the lake: {error}");
        }
        Ok(summary)
    })
    .await
}

/// Does work on a connection that nobody else may do meanwhile; its commits are fenced.
async fn with_lease<T>(
    lake: &Lake,
    mark: &RunMark,
    work: impl AsyncFnOnce(&RunMark) -> Result<T, Error>,
) -> Result<T, Error> {
    let lease = Lease::take(lake, mark).await?;
    let held = RunMark {
        epoch: lease.epoch(),
        ..mark.clone()
    };
    let done = work(&held).await;
    lease.release().await;
    done
}

/// The run itself, with the right to write.
async fn work(
    job: &Job,
    schemas: &Schemas,
    lake: &Lake,
    mark: &RunMark,
    options: &RunOptions,
    around: &Surroundings<'_>,
) -> Result<Summary, Error> {
    let raw_schemas = raw_schemas(schemas);
    let read = match options.replay {
        true => Vec::new(),
        false => read_source(job, schemas, lake, mark, options, around).await?,
    };
    let tables = if options.dry_run || around.stop.is_requested() {
        Vec::new()
    } else {
        refresh_tables(&Refreshing {
            lake,
            schemas,
            raw_schemas: &raw_schemas,
            mark,
            replay: options.replay,
            observe: around.observe,
            stop: &around.stop,
        })
        .await?
    };
    let sinks = match &job.warehouse {
        Some(settings) if !options.dry_run && !around.stop.is_requested() => {
            let delivering = Delivering {
                lake,
                settings,
                connection: &mark.connection,
                run_id: &mark.run_id,
                observe: around.observe,
                stop: &around.stop,
            };
            deliver(&delivering, &deliverables(schemas)).await
        }
        _ => Vec::new(),
    };
    let mut summary = Summary {
        run_id: mark.run_id.clone(),
        connection: mark.connection.clone(),
        started_at: mark.started_at,
        finished_at: (around.clock)(),
        outcome: Outcome::Done,
        resources: read,
        tables,
        sinks,
        known_drift: Vec::new(),
    };
    let earlier = last_summary(lake, &job.connection).await;
    summary.remember_drift(earlier.map_or_else(Vec::new, |run| run.known_drift));
    summary.outcome = outcome(&summary, &around.stop);
    Ok(summary)
}

/// Reads what changed at the source into the change log, resource by resource.
async fn read_source(
    job: &Job,
    schemas: &Schemas,
    lake: &Lake,
    mark: &RunMark,
    options: &RunOptions,
    around: &Surroundings<'_>,
) -> Result<Vec<ResourceSummary>, Error> {
    let resources = chosen_resources(job, schemas, options)?;
    let instance = match sign_in(job, &resources).await {
        Ok(instance) => instance,
        // One scope too many refuses the token for all. With what the client does have, the others
        // are read, and the resource that lacks its scope says so.
        Err(error) if error.kind == Kind::Invalid => sign_in(job, &[]).await.map_err(|_| error)?,
        Err(error) => return Err(error),
    };
    let references = References::default();
    let reading = Reading {
        job,
        options,
        schemas,
        lake,
        instance: &instance,
        mark,
        observe: around.observe,
        stop: &around.stop,
        references: &references,
    };
    let mut read: Vec<_> = futures::stream::iter(&resources)
        .map(|resource| read_resource(&reading, resource))
        .buffer_unordered(RESOURCES_AT_ONCE)
        .collect()
        .await;
    fetch_missing(&reading, &resources, &mut read).await;
    read.sort_by(|a, b| a.resource.cmp(&b.resource));
    Ok(read)
}

/// Folder of the lake that keeps each run's summary.
pub const RUNS: &str = "_runs";

/// Keeps the summary beside the tables: a run that committed nothing leaves no other trace.
async fn record_run(lake: &Lake, summary: &Summary) -> Result<(), Error> {
    let name = format!(
        "{}-{}.json",
        summary.started_at.format("%Y%m%dT%H%M%SZ"),
        summary.run_id
    );
    let text = serde_json::to_vec_pretty(summary)
        .map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
    let folder = format!("{RUNS}/{}", summary.connection);
    Ok(lake.put_file(&folder, &name, text).await?)
}

/// The summary of the connection's last run, where one was kept.
pub async fn last_summary(lake: &Lake, connection: &str) -> Option<Summary> {
    let text = lake
        .last_file(&format!("{RUNS}/{connection}"))
        .await
        .ok()??;
    serde_json::from_slice(&text).ok()
}

/// Brings the unified tables up to what the change log of the lake already holds; asks no source.
pub async fn refresh(
    lake: &Lake,
    schemas: &Schemas,
    mark: &RunMark,
) -> Result<Vec<crate::summary::TableSummary>, Error> {
    refresh_tables(&Refreshing {
        lake,
        schemas,
        raw_schemas: &raw_schemas(schemas),
        mark,
        replay: false,
        observe: &|_| {},
        stop: &Stop::default(),
    })
    .await
}

/// Opens the source and signs in once, with the scopes that the resources need.
pub async fn sign_in(job: &Job, resources: &[Resource]) -> Result<Instance, Error> {
    let mut settings = job.source.clone();
    let mut scopes: Vec<String> = resources.iter().map(|r| r.scope.clone()).collect();
    scopes.sort();
    scopes.dedup();
    settings.scopes = scopes;
    let instance = Instance::new(settings)?;
    instance.sign_in().await?;
    Ok(instance)
}

/// The raw columns of every resource.
pub fn raw_schemas(schemas: &Schemas) -> BTreeMap<String, SchemaRef> {
    schemas
        .resources
        .iter()
        .map(|(name, resource)| (name.clone(), extract::raw_schema(resource)))
        .collect()
}

/// The resources that a run reads: those of the job, narrowed by the call.
pub fn chosen_resources(
    job: &Job,
    schemas: &Schemas,
    options: &RunOptions,
) -> Result<Vec<Resource>, Error> {
    let named = options.resources.as_ref().or(job.resources.as_ref());
    let Some(named) = named else {
        return Ok(schemas.resources.values().cloned().collect());
    };
    named
        .iter()
        .map(|name| {
            schemas.resources.get(name).cloned().ok_or_else(|| {
                let known: Vec<_> = schemas.resources.keys().map(String::as_str).collect();
                Error::new(Kind::Invalid, format!("there is no resource `{name}`"))
                    .with_hint(format!("known resources: {}", known.join(", ")))
            })
        })
        .collect()
}

fn outcome(summary: &Summary, stop: &Stop) -> Outcome {
    if stop.is_requested() {
        return Outcome::Interrupted;
    }
    match summary.problems().map(|problem| problem.kind).max() {
        None => Outcome::Done,
        Some(Kind::Data) => Outcome::Misfits,
        Some(_) => Outcome::Failed,
    }
}
