//! Reads one resource of the source into its change log.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use extract::{Decoded, Instance, Probe, Scan};
use futures::StreamExt;
use schemas::{Kind as FieldKind, Resource, Schemas};
use serde_json::json;

use super::RunMark;
use super::log::{LogAppend, Progress, Quarantine, watermark_id};
use crate::catalog::{Lake, Snapshot, TableName};
use crate::error::{Error, Kind};
use crate::job::{Event, Job, Reconcile, ResourceState, RunOptions, Stop};
use crate::load::KnownVersions;
use crate::summary::{DriftSummary, Outcome, Problem, ResourceSummary};
use crate::transform::last_known;

/// A sweep that misses more than this share of the records, and more than the floor, is not believed.
const GONE_SHARE: f64 = 0.1;
const GONE_FLOOR: usize = 50;

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
}

/// Reads what changed in one resource and commits it with the new watermark.
///
/// Never fails as a whole: what went wrong stands in the summary. A read that ends early commits nothing;
/// one whose deletions are not believed, or with too many misfits, has committed all the rest.
pub async fn read_resource(run: &Reading<'_>, resource: &Resource) -> ResourceSummary {
    let started = Instant::now();
    let mut summary = ResourceSummary {
        resource: resource.name.clone(),
        requests: 0,
        retries: 0,
        pages: 0,
        records: 0,
        changed: 0,
        bytes: 0,
        quarantined: 0,
        deleted: 0,
        rounded: 0,
        drift: Vec::new(),
        watermark: None,
        seconds: 0.0,
        outcome: Outcome::Done,
        error: None,
    };
    let tell = |state| {
        (run.observe)(Event::Resource {
            name: resource.name.clone(),
            state,
        });
    };
    let result = Box::pin(read(run, resource, &mut summary)).await;
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
    if run.options.dry_run {
        return read_only(run, resource, summary).await;
    }
    let raw_schema = extract::raw_schema(resource);
    let mut log = LogAppend::open(run.lake, run.schemas, resource, &raw_schema, run.mark).await?;
    let probe = extract::probe(run.instance, resource).await?;
    summary.requests += 1;
    let committed = log.watermark().await?;
    let window = Window::of(run, resource, committed);
    (run.observe)(Event::Resource {
        name: resource.name.clone(),
        // The source tells no counts, and ids have gaps of any size.
        state: ResourceState::Started { expected: None },
    });
    let mut known = if log.base.files.is_empty() {
        KnownVersions::nothing()
    } else {
        let since = window.since.zip(resource.watermark.as_deref());
        KnownVersions::of(run.lake, &log.base, &run.mark.connection, since).await?
    };
    let mut quarantine = Quarantine::new(run.lake, &resource.name, run.mark);
    let scan = window.scan(run, &probe, log.extracted_at());
    let mut into = Some(Into {
        log: &mut log,
        quarantine: &mut quarantine,
    });
    drain(run, resource, scan, into.as_mut(), &mut known, summary).await?;
    let mut reconciled = None;
    let mut gone = Gone::default();
    if window.whole {
        gone = Gone {
            ids: known.gone(&known),
            held: known.len(),
        };
    } else if sweep_is_due(run, &log, committed).await? {
        if !log.base.files.is_empty() {
            let swept = sweep(run, resource, &log, &probe, summary).await?;
            gone = Gone {
                ids: swept.gone(&known),
                held: swept.len(),
            };
            if swept.lacks_any(probe.max_id, &known) {
                // Records that were committed late, or can be seen again: everything wanted is read
                // once more, and only what the log lacks is written.
                let again = Window {
                    since: run.job.since,
                    whole: false,
                };
                let scan = again.scan(run, &probe, log.extracted_at());
                known = swept.after(known);
                let mut into = Some(Into {
                    log: &mut log,
                    quarantine: &mut quarantine,
                });
                drain(run, resource, scan, into.as_mut(), &mut known, summary).await?;
            }
        }
        reconciled = Some(run.mark.started_at);
    }
    // A sweep that is not believed holds nothing else back, and stays due.
    let deleted = delete(run, &mut log, gone, summary).await;
    if deleted.is_err() {
        reconciled = None;
    }
    quarantine.commit().await?;
    let overlap = TimeDelta::from_std(run.job.overlap).unwrap_or_else(|_| TimeDelta::minutes(10));
    let watermark = resource
        .watermark
        .as_ref()
        .map(|_| probe.server_time - overlap);
    summary.watermark = watermark;
    let progress = Progress {
        watermark,
        reconciled,
        lineage: HashMap::from([
            ("spendlake.resource".to_string(), json!(resource.name)),
            ("spendlake.since".to_string(), json!(window.since)),
            ("spendlake.watermark".to_string(), json!(watermark)),
            ("spendlake.received".to_string(), json!(summary.records)),
            (
                "spendlake.quarantined".to_string(),
                json!(summary.quarantined),
            ),
            ("spendlake.deleted".to_string(), json!(summary.deleted)),
            (
                "spendlake.definitions".to_string(),
                json!(run.schemas.fingerprint()),
            ),
        ]),
    };
    log.commit(progress).await?;
    deleted?;
    tolerate(run, summary)
}

/// Where a read's rows go.
struct Into<'a, 'b> {
    log: &'a mut LogAppend,
    quarantine: &'a mut Quarantine<'b>,
}

/// Ids that the source no longer shows, of so many that the log holds.
#[derive(Default)]
struct Gone {
    ids: Vec<i64>,
    held: usize,
}

/// Asks the source and compares, but creates and writes nothing; deletions are not looked for.
async fn read_only(
    run: &Reading<'_>,
    resource: &Resource,
    summary: &mut ResourceSummary,
) -> Result<(), Error> {
    let name = TableName::new("coupa", &resource.name);
    let log = Snapshot::open(run.lake, &name).await?;
    let probe = extract::probe(run.instance, resource).await?;
    summary.requests += 1;
    let connection = &run.mark.connection;
    let committed = match &log {
        Some(log) => log.transaction(&watermark_id(connection)).await?,
        None => None,
    };
    let window = Window::of(
        run,
        resource,
        committed.and_then(DateTime::from_timestamp_micros),
    );
    let mut known = match &log {
        Some(log) => {
            let since = window.since.zip(resource.watermark.as_deref());
            KnownVersions::of(run.lake, log, connection, since).await?
        }
        None => KnownVersions::nothing(),
    };
    let scan = window.scan(run, &probe, run.mark.started_at);
    drain(run, resource, scan, None, &mut known, summary).await?;
    tolerate(run, summary)
}

/// What is asked of a resource in this run.
struct Window {
    since: Option<DateTime<Utc>>,
    /// Everything is read and compared with everything that is stored.
    whole: bool,
}

impl Window {
    fn of(run: &Reading<'_>, resource: &Resource, committed: Option<DateTime<Utc>>) -> Window {
        if resource.watermark.is_none() {
            return Window {
                since: None,
                whole: true,
            };
        }
        let since = match committed {
            Some(watermark) if !run.options.full => Some(watermark),
            _ => run.job.since,
        };
        Window {
            since,
            whole: false,
        }
    }

    fn scan(&self, run: &Reading<'_>, probe: &Probe, extracted_at: DateTime<Utc>) -> Scan {
        Scan {
            since: self.since,
            until_id: probe.max_id,
            server_time: probe.server_time,
            extra_keys: probe.extra_keys.clone(),
            payload: run.job.payload,
            run_id: run.mark.run_id.clone(),
            extracted_at,
        }
    }
}

/// Moves decoded batches into the log; they are read and decoded ahead, a batch or two.
async fn drain(
    run: &Reading<'_>,
    resource: &Resource,
    scan: Scan,
    mut into: Option<&mut Into<'_, '_>>,
    known: &mut KnownVersions,
    summary: &mut ResourceSummary,
) -> Result<(), Error> {
    let stream = extract::read(run.instance, Arc::new(resource.clone()), scan);
    let mut batches = std::pin::pin!(stream);
    let mut drift = BTreeMap::new();
    while let Some(decoded) = batches.next().await {
        if run.stop.is_requested() {
            return Err(interrupted());
        }
        let decoded = decoded?;
        count(summary, &decoded);
        for found in decoded.drift {
            drift.entry(found.path).or_insert(found.example_id);
        }
        for misfit in &decoded.misfits {
            if let Some(id) = misfit.id.as_ref().and_then(|id| id.parse().ok()) {
                known.see_misfit(id);
            }
        }
        let changed = known
            .only_changed(&decoded.batch)
            .map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
        summary.changed += changed.num_rows() as u64;
        if let Some(into) = &mut into {
            into.quarantine.write(&decoded.misfits).await?;
            if changed.num_rows() > 0 {
                into.log.write(&changed).await?;
            }
        }
        (run.observe)(Event::Resource {
            name: resource.name.clone(),
            state: ResourceState::Progress {
                records: summary.records,
                pages: summary.pages,
                bytes: summary.bytes,
            },
        });
    }
    // A request may be counted with one batch and its page with the next; only the sums compare. The
    // probe is a request without a page.
    summary.retries = summary.requests.saturating_sub(summary.pages + 1);
    summary.drift = drift
        .into_iter()
        .map(|(path, example_id)| DriftSummary { path, example_id })
        .collect();
    Ok(())
}

fn count(summary: &mut ResourceSummary, decoded: &Decoded) {
    summary.records += (decoded.batch.num_rows() + decoded.misfits.len()) as u64;
    summary.quarantined += decoded.misfits.len() as u64;
    summary.pages += decoded.pages;
    summary.requests += decoded.requests;
    summary.bytes += decoded.bytes;
    summary.rounded += decoded.rounded;
}

async fn sweep_is_due(
    run: &Reading<'_>,
    log: &LogAppend,
    committed: Option<DateTime<Utc>>,
) -> Result<bool, Error> {
    if run.options.reconcile || committed.is_none() {
        return Ok(true);
    }
    Ok(match run.job.reconcile {
        Reconcile::Always => true,
        Reconcile::Never => false,
        Reconcile::Weekly => log
            .reconciled()
            .await?
            .is_none_or(|last| run.mark.started_at - last >= TimeDelta::days(7)),
    })
}

/// Lists the ids that the source shows of what the job wants, beside those that the log holds of it.
async fn sweep(
    run: &Reading<'_>,
    resource: &Resource,
    log: &LogAppend,
    probe: &Probe,
    summary: &mut ResourceSummary,
) -> Result<KnownVersions, Error> {
    let ids_only = Resource {
        fields: vec![schemas::Field {
            name: resource.key.clone(),
            kind: FieldKind::Int64,
        }],
        ..resource.clone()
    };
    let since = run.job.since.zip(resource.watermark.as_deref());
    let mut held = KnownVersions::of(run.lake, &log.base, &run.mark.connection, since).await?;
    let scan = Scan {
        since: run.job.since,
        until_id: probe.max_id,
        server_time: probe.server_time,
        extra_keys: Vec::new(),
        payload: extract::Payload::Declared,
        run_id: run.mark.run_id.clone(),
        extracted_at: run.mark.started_at,
    };
    let stream = extract::read(run.instance, Arc::new(ids_only), scan);
    let mut batches = std::pin::pin!(stream);
    while let Some(decoded) = batches.next().await {
        if run.stop.is_requested() {
            return Err(interrupted());
        }
        let decoded = decoded?;
        summary.requests += decoded.requests;
        summary.pages += decoded.pages;
        summary.bytes += decoded.bytes;
        held.see(&decoded.batch);
    }
    Ok(held)
}

/// Writes a deletion for each id that is gone, unless so many are that the source is not believed.
async fn delete(
    run: &Reading<'_>,
    log: &mut LogAppend,
    gone: Gone,
    summary: &mut ResourceSummary,
) -> Result<(), Error> {
    let Gone { ids, held } = gone;
    if ids.is_empty() {
        return Ok(());
    }
    let limit = GONE_FLOOR.max((held as f64 * GONE_SHARE) as usize);
    if ids.len() > limit || ids.len() == held {
        let text = format!(
            "{} of {held} {} are no longer shown by the source; deletions are not marked",
            ids.len(),
            summary.resource
        );
        return Err(Error::new(Kind::Invalid, text).with_hint(
            "check what the OAuth client may see (content groups, scopes); what changed has landed all the same",
        ));
    }
    let rows = last_known(run.lake, &log.base, &run.mark.connection, &ids).await?;
    summary.deleted = log.write_deletions(rows).await?;
    Ok(())
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

fn interrupted() -> Error {
    Error::new(Kind::Unavailable, "stopped on request before its commit")
        .with_hint("run again to continue; nothing was lost")
}
