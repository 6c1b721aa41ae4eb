//! The slow way, for a resource that can not be paged by id: whole passes by offset.
//!
//! A record that comes or goes while we page moves all behind it, so one pass proves nothing. When
//! two passes in a row have seen the same records, none was missed.

use std::collections::HashMap;
use std::convert::Infallible;

use crate::decode::{PageInfo, Seen};
use crate::error::ExtractError;
use crate::fetch::PageSize;
use crate::range::Step;
use crate::read::{Reader, Stop};

const MOST_PASSES: u32 = 6;
/// Insertions may push one page down onto the next; more is a server that knows no offset.
const MOST_REPEATED: u32 = 3;

/// Sends each version of each record once, over as many passes as it takes.
pub(crate) async fn read(reader: &Reader) -> Result<(), Stop> {
    let mut before = None;
    for _ in 0..MOST_PASSES {
        let seen = pass(reader, before.as_ref()).await?;
        if before.as_ref() == Some(&seen) {
            return Ok(());
        }
        before = Some(seen);
    }
    Err(Stop::from(ExtractError::Unsteady {
        resource: reader.resource.name.clone(),
        passes: MOST_PASSES,
    }))
}

/// What a pass saw: each key, or where it has none that is a number its content, with its content.
type Contents = HashMap<(Option<i64>, u64), u64>;

async fn pass(reader: &Reader, before: Option<&Contents>) -> Result<Contents, Stop> {
    let mut contents = Contents::new();
    let mut offset = 0;
    let mut repeated = 0;
    let mut size = PageSize::default();
    loop {
        let mut query = reader.query.clone();
        query.push(("offset".to_owned(), offset.to_string()));
        let page = std::sync::Mutex::new(PageInfo::default());
        let step = reader
            .page(&query, &mut size, |info| {
                page.lock().expect("no holder panics").clone_from(info);
                let known = info.records.iter().all(|seen| {
                    let (key, hash) = identity(seen);
                    contents.get(&key).or_else(|| before?.get(&key)) == Some(&hash)
                });
                let keep = if known { 0 } else { info.records.len() };
                let done = info.records.is_empty();
                Ok::<_, Infallible>(Step {
                    keep,
                    done,
                    full: false,
                })
            })
            .await?;
        let Ok(step) = step;
        if step.done {
            return Ok(contents);
        }
        let page = page.into_inner().expect("no holder panics");
        offset += page.records.len();
        let count = contents.len();
        contents.extend(page.records.iter().map(identity));
        repeated = if contents.len() > count {
            0
        } else {
            repeated + 1
        };
        // A list that fits one page, from a server that gives it whatever the offset.
        if repeated > 0 && page.records.len() < size.asked() {
            return Ok(contents);
        }
        if repeated > MOST_REPEATED {
            return Err(Stop::from(ExtractError::NoPaging {
                resource: reader.resource.name.clone(),
            }));
        }
        reader.send(false).await?;
    }
}

fn identity(seen: &Seen) -> ((Option<i64>, u64), u64) {
    let own = if seen.id.is_none() { seen.hash } else { 0 };
    ((seen.id, own), seen.hash)
}
