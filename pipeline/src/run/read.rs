//! Reads one resource of the source into its change log.

use std::time::Instant;

use chrono::TimeDelta;
use extract::Instance;
use schemas::{Resource, Schemas};

use super::RunMark;
use super::log::LogAppend;
use super::protocol::{ChangeLog, GONE_FLOOR, GONE_SHARE, PIECE_BYTES, Protocol, Settings, Sweep};
use super::references::References;
use crate::catalog::Lake;
use crate::error::{Error, Kind};
use crate::job::{Event, Job, Reconcile, ResourceState, RunOptions, Stop};
use crate::quarantine::open_ids;
use crate::summary::{Outcome, Problem, ResourceSummary};

/// What reading a resource needs to know of the run around it.
pub struct Reading<'a> {
    pub job: &'a Job,
    pub options: &'a RunOptions,
    pub schemas: &'a Schemas,
    pub lake: &'a Lake,
    pub instance: &'a Instance,
    pub mark: &'a RunMark,
    pub observe: &'a (dyn Fn(Event) + Send + Sync),
    pub stop: &'a Stop,
    /// What the records that are read refer to.
    pub references: &'a References,
}

/// Reads what changed in one resource and commits it with the new watermark.
///
/// Never fails as a whole: what went wrong stands in the summary. A read that ends early has committed the
/// pieces it finished; one whose deletions are not believed, or with too many misfits, all the rest.
pub async fn read_resource(run: &Reading<'_>, resource: &Resource) -> ResourceSummary {
    let started = Instant::now();
    let mut summary = ResourceSummary::of(&resource.name);
    let tell = |state| {
        (run.observe)(Event::Resource {
            name: resource.name.clone(),
            state,
        });
    };
    let result = Box::pin(read(run, resource, &mut summary)).await;
    count_retries(&mut summary);
    if let Err(error) = result {
        summary.outcome = match error.kind {
            Kind::Data => Outcome::Misfits,
            _ if run.stop.is_requested() => Outcome::Interrupted,
            _ => Outcome::Failed,
        };
        summary.error = Some(Problem::from(&error));
    }
    tell(match summary.outcome {
        Outcome::Done | Outcome::Misfits => ResourceState::Done,
        _ => ResourceState::Failed,
    });
    summary.seconds = started.elapsed().as_secs_f64();
    summary
}

async fn read(
    run: &Reading<'_>,
    resource: &Resource,
    summary: &mut ResourceSummary,
) -> Result<(), Error> {
    let settings = settings(run);
    let mut log = if run.options.dry_run {
        LogAppend::peek(run.lake, run.schemas, resource, run.mark).await?
    } else {
        LogAppend::open(run.lake, run.schemas, resource, run.mark).await?
    };
    protocol(run, resource, &settings, &mut log, summary)
        .read()
        .await?;
    tolerate(run, summary)
}

fn protocol<'a, L: ChangeLog>(
    run: &'a Reading<'_>,
    resource: &'a Resource,
    settings: &'a Settings,
    log: &'a mut L,
    summary: &'a mut ResourceSummary,
) -> Protocol<'a, L> {
    Protocol {
        instance: run.instance,
        resource,
        settings,
        log,
        summary,
        observe: run.observe,
        stop: run.stop,
        extra_keys: Vec::new(),
        references: run.references,
    }
}

/// Fetches records that others refer to and the log lacks, of resources that were read well.
///
/// So many a resource and run; the others follow in later runs. One that is in quarantine is not asked for: it
/// was seen, and comes back when it changes or is replayed. A failure stands in the resource's summary.
pub async fn fetch_missing(
    run: &Reading<'_>,
    resources: &[Resource],
    summaries: &mut [ResourceSummary],
) {
    for resource in resources {
        let mut named = run.references.to(&resource.name);
        let summary = summaries
            .iter_mut()
            .find(|one| one.resource == resource.name);
        let Some(summary) = summary.filter(|one| one.outcome == Outcome::Done) else {
            continue;
        };
        if named.is_empty() || run.options.dry_run || run.stop.is_requested() {
            continue;
        }
        let result = async {
            let settings = settings(run);
            let connection = &run.mark.connection;
            let aside = open_ids(&run.job.lake, &resource.name, connection).await?;
            named.retain(|id| !aside.contains(id));
            let mut log = LogAppend::open(run.lake, run.schemas, resource, run.mark).await?;
            protocol(run, resource, &settings, &mut log, summary)
                .fetch_missing(&named)
                .await
        };
        let result = result.await;
        count_retries(summary);
        if let Err(error) = result {
            summary.outcome = Outcome::Failed;
            summary.error = Some(Problem::from(&error));
        }
    }
}

/// A request may be counted with one batch and its page with the next; only the sums compare.
fn count_retries(summary: &mut ResourceSummary) {
    let answered = summary.pages + summary.probes;
    summary.retries = summary.requests.saturating_sub(answered);
}

fn settings(run: &Reading<'_>) -> Settings {
    let (job, options) = (run.job, run.options);
    Settings {
        run_id: run.mark.run_id.clone(),
        now: run.mark.started_at,
        since: job.since,
        overlap: TimeDelta::from_std(job.overlap).unwrap_or_else(|_| TimeDelta::minutes(10)),
        payload: job.payload,
        full: options.full,
        sweep: match job.reconcile {
            _ if options.reconcile => Sweep::Now,
            Reconcile::Always => Sweep::Now,
            Reconcile::Weekly => Sweep::IfDue,
            Reconcile::Never => Sweep::Never,
        },
        accept_deletes: options.accept_deletes,
        check: job.check,
        dry_run: options.dry_run,
        piece_records: job.piece_records.max(1),
        piece_bytes: PIECE_BYTES,
        gone_floor: GONE_FLOOR,
        gone_share: GONE_SHARE,
    }
}

fn tolerate(run: &Reading<'_>, summary: &ResourceSummary) -> Result<(), Error> {
    let share = summary.quarantined as f64 / (summary.records.max(1)) as f64;
    if share <= run.job.tolerate_quarantined {
        return Ok(());
    }
    let text = format!(
        "{} of {} records of {} did not fit the definition; the others landed",
        summary.quarantined, summary.records, summary.resource
    );
    let hint = format!(
        "see quarantine.{} for the reasons, mend the definition and run with --full, or raise extract.tolerate.quarantined",
        summary.resource
    );
    Err(Error::new(Kind::Data, text).with_hint(hint))
}
