//! Quarantined records once more: decoded with today's definitions, and landed where they fit.

use std::sync::Arc;

use arrow::array::AsArray;
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
use crate::quarantine::{open_texts, resources};
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
    let internal = |text: String| Error::new(Kind::Internal, text);
    let mut texts = open_texts(settings, &resource.name, &mark.connection).await?;
    let mut into = None;
    let mut landed = 0;
    while let Some(batch) = texts.next().await {
        let batch = batch.map_err(CatalogError::from)?;
        let stamp = Stamp {
            run_id: mark.run_id.clone(),
            extracted_at: mark.started_at,
        };
        let mut decoder = Decoder::new(Arc::new(resource.clone()), stamp);
        for raw in batch.column(0).as_string::<i32>().iter().flatten() {
            // Each alone: a text that is no JSON at all must not take its neighbours along.
            if decoder.page(format!("[{raw}]").as_bytes()).is_err() {
                done.unfit += 1;
            }
        }
        let made = decoder.finish().map_err(|e| internal(e.to_string()))?;
        done.unfit += made.misfits.len() as u64;
        if made.batch.num_rows() == 0 {
            continue;
        }
        // The log is opened, and made where it is not there yet, only for what fits.
        let (log, known) = match &mut into {
            Some(into) => into,
            none => {
                let log = LogAppend::open(lake, schemas, resource, mark).await?;
                let known = log.held(None).await?;
                none.insert((log, known))
            }
        };
        let fresh = known
            .only_changed(&made.batch)
            .map_err(|e| internal(e.to_string()))?;
        landed += fresh.num_rows() as u64;
        log.write(&fresh, &[]).await?;
    }
    if let Some((mut log, _)) = into {
        log.commit(Progress::default()).await?;
    }
    done.landed = landed;
    Ok(())
}
