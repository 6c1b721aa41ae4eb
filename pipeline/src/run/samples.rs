//! The definitions' own samples as a small lake: shows what mappings make of them, without a source.

use std::sync::Arc;

use extract::{Decoder, Stamp};
use schemas::Schemas;

use super::RunMark;
use super::log::LogAppend;
use super::protocol::{ChangeLog, Progress};
use crate::catalog::Lake;
use crate::error::{Error, Kind};

/// Decodes each resource's sample answer and appends it to the lake's change log.
pub async fn load_samples(lake: &Lake, schemas: &Schemas, mark: &RunMark) -> Result<(), Error> {
    for resource in schemas.resources.values() {
        let mut log = LogAppend::open(lake, schemas, resource, mark).await?;
        let stamp = Stamp {
            run_id: mark.run_id.clone(),
            extracted_at: mark.started_at,
        };
        let wrong = |e: extract::DecodeError| {
            let text = format!("coupa/{}.sample.json: {e}", resource.name);
            Error::new(Kind::Invalid, text)
        };
        let mut decoder = Decoder::new(Arc::new(resource.clone()), stamp);
        decoder.page(resource.sample.as_bytes()).map_err(wrong)?;
        let decoded = decoder.finish().map_err(wrong)?;
        log.write(&decoded.batch, &decoded.misfits).await?;
        log.commit(Progress::default()).await?;
    }
    Ok(())
}
