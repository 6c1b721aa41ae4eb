//! Quarantined records once more: decoded with today's definitions, and landed where they fit.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use chrono::{DateTime, Utc};
use extract::{Decoder, Stamp};
use futures::StreamExt;
use schemas::{Resource, Schemas};
use serde::Serialize;

use super::log::LogAppend;
use super::protocol::{ChangeLog, Progress};
use super::{RunMark, refresh, with_lease};
use crate::catalog::{CatalogError, Lake};
use crate::error::{Error, Kind};
use crate::job::LakeSettings;
use crate::load::KnownVersions;
use crate::quarantine::{newest_entry, open_texts, resources};
use crate::summary::{Problem, TableSummary};

/// What a replay did to one resource.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    pub resource: String,
    /// Entries that fit now and are in the change log.
    pub landed: u64,
    /// Entries that still do not fit; they stay as they are.
    pub unfit: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// Decodes open entries again with today's definitions, appends what fits, and refreshes the unified tables.
///
/// Asks no source. Holds the connection's lease meanwhile. `only` narrows it to some resources.
pub async fn replay(
    settings: &LakeSettings,
    schemas: &Schemas,
    mark: &RunMark,
    only: Option<&[String]>,
) -> Result<(Vec<Replayed>, Vec<TableSummary>), Error> {
    let lake = Lake::open(settings)?;
    with_lease(&lake, mark, async |mark| {
        let mut replayed = Vec::new();
        for name in resources(settings).await? {
            if only.is_some_and(|only| !only.contains(&name)) {
                continue;
            }
            let mut done = Replayed {
                resource: name.clone(),
                landed: 0,
                unfit: 0,
                error: None,
            };
            let result = match schemas.resources.get(&name) {
                Some(resource) => {
                    replay_resource(settings, &lake, schemas, resource, mark, &mut done).await
                }
                None => Err(Error::new(
                    Kind::Invalid,
                    format!("there is no definition of {name}"),
                )),
            };
            done.error = result.err().as_ref().map(Problem::from);
            replayed.push(done);
        }
        let tables = match replayed.iter().any(|done| done.landed > 0) {
            true => refresh(&lake, schemas, mark).await?,
            false => Vec::new(),
        };
        Ok((replayed, tables))
    })
    .await
}

/// Streams the entries through the decoder into the log, and commits once.
async fn replay_resource(
    settings: &LakeSettings,
    lake: &Lake,
    schemas: &Schemas,
    resource: &Resource,
    mark: &RunMark,
    done: &mut Replayed,
) -> Result<(), Error> {
    // What a replay lands is newer than the entries it answers, whatever this machine's clock says.
    let mut mark = mark.clone();
    if let Some(newest) = newest_entry(settings, &resource.name, &mark.connection).await? {
        mark.started_at = mark.started_at.max(newest);
    }
    let mut texts = open_texts(settings, &resource.name, &mark.connection).await?;
    let mut into = None;
    let mut landed = 0;
    while let Some(batch) = texts.next().await {
        let batch = batch.map_err(CatalogError::from)?;
        let stamp = into.as_ref().map_or(mark.started_at, stamp_of);
        let mut made = decode(resource, &batch, &mark, stamp)?;
        done.unfit += made.unfit;
        if made.rows.num_rows() == 0 {
            continue;
        }
        // The log is opened, and made where it is not there yet, only for what fits.
        if into.is_none() {
            let log = LogAppend::open(lake, schemas, resource, &mark).await?;
            let known = log.held(None).await?;
            let opened = into.insert((log, known));
            made = decode(resource, &batch, &mark, stamp_of(opened))?;
        }
        let Some((log, known)) = &mut into else {
            continue;
        };
        let fresh = known.only_changed(&made.rows).map_err(internal)?;
        landed += fresh.num_rows() as u64;
        log.write(&fresh, &[]).await?;
    }
    if let Some((mut log, _)) = into {
        log.commit(Progress::default()).await?;
    }
    done.landed = landed;
    Ok(())
}

fn stamp_of((log, _): &(LogAppend<'_>, KnownVersions)) -> DateTime<Utc> {
    log.stamp()
}

struct Made {
    rows: RecordBatch,
    unfit: u64,
}

/// Decodes texts of single records; `stamp` is the time they are said to have been extracted at.
fn decode(
    resource: &Resource,
    texts: &RecordBatch,
    mark: &RunMark,
    stamp: DateTime<Utc>,
) -> Result<Made, Error> {
    let stamp = Stamp {
        run_id: mark.run_id.clone(),
        extracted_at: stamp,
    };
    let mut decoder = Decoder::new(Arc::new(resource.clone()), stamp);
    let mut unfit = 0;
    for raw in texts.column(0).as_string::<i32>().iter().flatten() {
        // Each alone: a text that is no JSON at all must not take its neighbours along.
        if decoder.page(format!("[{raw}]").as_bytes()).is_err() {
            unfit += 1;
        }
    }
    let made = decoder.finish().map_err(internal)?;
    Ok(Made {
        unfit: unfit + made.misfits.len() as u64,
        rows: made.batch,
    })
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::new(Kind::Internal, error.to_string())
}
