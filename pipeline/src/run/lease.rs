//! Two runs of one connection exclude each other.
//!
//! A lease is a numbered file, `_lease/<connection>/<epoch>.json`, created only if it is not there: the
//! one conditional write that every store has. Whoever creates the highest number holds the lease and
//! rewrites its own file while it works. A holder that falls silent is followed by the next number.
//!
//! The lease only spares needless work. What keeps data right is the commit: it carries the epoch, and a
//! table that has seen a higher one refuses it (`load/commit.rs`). So clocks may differ, and a process
//! that wakes after an hour does no harm.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, path::Path};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::RunMark;
use crate::catalog::{CatalogError, Lake};
use crate::error::{Error, Kind};

/// Folder of the lake that holds the leases.
pub const LEASES: &str = "_lease";

/// How often a holder shows life, and how long others wait for it.
#[derive(Clone, Copy, Debug)]
struct Pace {
    beat: Duration,
    /// A holder that has been silent for this long has ended.
    silence: Duration,
    /// How often one who waits looks.
    poll: Duration,
}

const PACE: Pace = Pace {
    beat: Duration::from_secs(10),
    silence: Duration::from_secs(40),
    poll: Duration::from_secs(1),
};

/// What a lease's file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    pub run_id: String,
    /// Machine and process, for people and for telling whether a holder on this machine still lives.
    pub holder: Holder,
    pub since: DateTime<Utc>,
    pub renewed_at: DateTime<Utc>,
    /// The holder has ended in order.
    pub released: bool,
}

/// A process on a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    pub host: String,
    pub process: u32,
    /// Boot and process namespace: only within the same one does a process number mean anything.
    pub space: Option<String>,
    /// When the process started, in the machine's ticks; numbers are used again.
    pub started: Option<String>,
}

impl Holder {
    fn this_process() -> Holder {
        let process = std::process::id();
        Holder {
            host: std::fs::read_to_string("/proc/sys/kernel/hostname")
                .map(|name| name.trim().to_string())
                .unwrap_or_else(|_| "unknown".to_string()),
            process,
            space: process_space(),
            started: process_start(process),
        }
    }

    /// Whether this process has ended for certain, as far as this machine can tell.
    fn is_dead(&self) -> bool {
        let here = process_space();
        here.is_some() && here == self.space && process_start(self.process) != self.started
    }
}

fn process_space() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// The start time of a process (field 22 of its `stat`); `None` when there is no such process.
fn process_start(process: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name stands in parentheses and may hold spaces; fields are counted behind it.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    // A zombie has ended; only its parent has not asked yet.
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18).map(str::to_string)
}

/// The right to work on one connection, kept alive until it is released or dropped.
pub struct Lease {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    claim: Claim,
    epoch: u64,
    lost: Arc<AtomicBool>,
    beat: JoinHandle<()>,
}

impl Lease {
    /// Takes the lease of the run's connection.
    ///
    /// A holder on this machine that is no more is followed at once, one elsewhere when it has been silent
    /// for 40 seconds; a holder that shows life in the meantime ends the wait.
    /// Errors: kind `Unavailable`, naming the holder, when another run is at work.
    pub async fn take(lake: &Lake, mark: &RunMark) -> Result<Lease, Error> {
        Lease::take_at(lake, mark, PACE).await
    }

    async fn take_at(lake: &Lake, mark: &RunMark, pace: Pace) -> Result<Lease, Error> {
        let store = lake.store();
        let folder = lake.folder_path(&format!("{LEASES}/{}", mark.connection));
        let failed = |source| Error::from(store_error(source));
        let began = Instant::now();
        let mut waited_for: Option<(u64, Claim, Instant)> = None;
        loop {
            let last = last_claim(store.as_ref(), &folder).await.map_err(failed)?;
            let next = match &last {
                None => 1,
                Some((epoch, claim)) if claim.released || claim.holder.is_dead() => epoch + 1,
                Some((epoch, claim)) => match &waited_for {
                    // The clock of this process decides, not the one that wrote the file.
                    Some((seen, before, since)) if seen == epoch && before == claim => {
                        if since.elapsed() < pace.silence {
                            tokio::time::sleep(pace.poll).await;
                            continue;
                        }
                        epoch + 1
                    }
                    Some(_) => return Err(held(mark, claim)),
                    None if claim.holder.space == process_space()
                        && claim.holder.space.is_some() =>
                    {
                        return Err(held(mark, claim));
                    }
                    None => {
                        waited_for = Some((*epoch, claim.clone(), Instant::now()));
                        continue;
                    }
                },
            };
            let now = mark.started_at + began.elapsed();
            let claim = Claim {
                run_id: mark.run_id.clone(),
                holder: Holder::this_process(),
                since: now,
                renewed_at: now,
                released: false,
            };
            match put(store.as_ref(), &folder, next, &claim, PutMode::Create).await {
                Ok(()) => {
                    forget_older(store.as_ref(), &folder, next).await;
                    return Ok(Lease::start(store, folder, claim, next, pace));
                }
                Err(
                    object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. },
                ) => {
                    // Another run was faster, or this claim landed and its answer was lost.
                    if let Some((epoch, there)) =
                        last_claim(store.as_ref(), &folder).await.map_err(failed)?
                        && epoch == next
                        && there.run_id == claim.run_id
                    {
                        return Ok(Lease::start(store, folder, claim, next, pace));
                    }
                }
                Err(source) => return Err(failed(source)),
            }
        }
    }

    fn start(
        store: Arc<dyn ObjectStore>,
        folder: Path,
        claim: Claim,
        epoch: u64,
        pace: Pace,
    ) -> Lease {
        let lost = Arc::new(AtomicBool::new(false));
        let beat = tokio::spawn(keep_alive(
            store.clone(),
            folder.clone(),
            claim.clone(),
            epoch,
            lost.clone(),
            pace.beat,
        ));
        Lease {
            store,
            folder,
            claim,
            epoch,
            lost,
            beat,
        }
    }

    /// The fencing number: grows with every holder, and is written into each commit.
    pub fn epoch(&self) -> i64 {
        self.epoch as i64
    }

    /// Whether another run has taken over.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Ends the lease in order, so that the next run need not wait.
    pub async fn release(mut self) {
        self.beat.abort();
        if self.is_lost() {
            return;
        }
        self.claim.released = true;
        if let Err(error) = put(
            self.store.as_ref(),
            &self.folder,
            self.epoch,
            &self.claim,
            PutMode::Overwrite,
        )
        .await
        {
            tracing::warn!("the lease could not be released, the next run waits for it: {error}");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.beat.abort();
    }
}

async fn keep_alive(
    store: Arc<dyn ObjectStore>,
    folder: Path,
    mut claim: Claim,
    epoch: u64,
    lost: Arc<AtomicBool>,
    beat: Duration,
) {
    let began = Instant::now();
    loop {
        tokio::time::sleep(beat).await;
        // A store that does not answer now is asked at the next beat; silence has its own limit.
        match last_claim(store.as_ref(), &folder).await {
            Ok(Some((newest, _))) if newest > epoch => {
                lost.store(true, Ordering::Relaxed);
                return;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("the lease could not be read: {error}"),
        }
        claim.renewed_at = claim.since + began.elapsed();
        if let Err(error) = put(store.as_ref(), &folder, epoch, &claim, PutMode::Overwrite).await {
            tracing::warn!("the lease could not be renewed: {error}");
        }
    }
}

fn claim_path(folder: &Path, epoch: u64) -> Path {
    folder.clone().join(format!("{epoch:020}.json"))
}

async fn put(
    store: &dyn ObjectStore,
    folder: &Path,
    epoch: u64,
    claim: &Claim,
    mode: PutMode,
) -> Result<(), object_store::Error> {
    let text = serde_json::to_vec(claim).unwrap_or_default();
    let options = PutOptions {
        mode,
        ..PutOptions::default()
    };
    store
        .put_opts(&claim_path(folder, epoch), text.into(), options)
        .await
        .map(|_| ())
}

/// The claim with the highest number. A file that can not be read as one counts as a silent holder's.
async fn last_claim(
    store: &dyn ObjectStore,
    folder: &Path,
) -> Result<Option<(u64, Claim)>, object_store::Error> {
    let listed = store.list_with_delimiter(Some(folder)).await?;
    let epoch_of = |path: &Path| path.filename()?.strip_suffix(".json")?.parse::<u64>().ok();
    let Some(epoch) = listed
        .objects
        .iter()
        .filter_map(|object| epoch_of(&object.location))
        .max()
    else {
        return Ok(None);
    };
    let bytes = match store.get(&claim_path(folder, epoch)).await {
        Ok(found) => found.bytes().await?,
        // Removed by a follower between the two questions: ask again.
        Err(object_store::Error::NotFound { .. }) => {
            return Box::pin(last_claim(store, folder)).await;
        }
        Err(error) => return Err(error),
    };
    let claim = serde_json::from_slice(&bytes).unwrap_or_else(|_| Claim {
        run_id: "unknown".to_string(),
        holder: Holder {
            host: "unknown".to_string(),
            process: 0,
            space: None,
            started: None,
        },
        since: DateTime::UNIX_EPOCH,
        renewed_at: DateTime::UNIX_EPOCH,
        released: false,
    });
    Ok(Some((epoch, claim)))
}

/// Removes the files of earlier holders; one that stays does no harm.
async fn forget_older(store: &dyn ObjectStore, folder: &Path, epoch: u64) {
    let Ok(listed) = store.list_with_delimiter(Some(folder)).await else {
        return;
    };
    let newest = claim_path(folder, epoch);
    for object in listed.objects {
        if object.location < newest {
            let _ = store.delete(&object.location).await;
        }
    }
}

fn held(mark: &RunMark, claim: &Claim) -> Error {
    let text = format!(
        "another run works on {}: {} (process {} on {}) since {}",
        mark.connection,
        claim.run_id,
        claim.holder.process,
        claim.holder.host,
        claim.since.format("%Y-%m-%d %H:%M:%S UTC"),
    );
    Error::new(Kind::Unavailable, text)
        .with_hint("nothing was changed; run again when it has ended")
}

fn store_error(source: object_store::Error) -> CatalogError {
    CatalogError::Store {
        subject: "the lease of this connection".to_string(),
        source,
    }
}

#[cfg(test)]
mod tests;
