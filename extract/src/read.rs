//! A resource from its first id to its newest, in decoded batches.
//!
//! Pages are asked for by id, ascending, behind the last one seen, so that a record that changes
//! while we read moves no other. Several ranges of ids are read side by side. What the server does
//! not honour is noticed on each page; the slow way (`passes`) needs no more than an offset.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, TimeDelta, Utc};
use futures::Stream;
use futures::stream;
use schemas::{Kind, Resource};
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio::task::{JoinError, JoinSet};

use crate::client::Instance;
use crate::decode::{DecodeError, Decoded, Decoder, PageInfo, Stamp};
use crate::error::ExtractError;
use crate::fetch::PageSize;
use crate::page::{Payload, base_query};
use crate::passes;
use crate::queue::{Receiver, Sender, queue};
use crate::range::{Disorder, Plan};

/// One pass over a resource.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Only records changed at or after this, in the server's time; `None`: all. A resource without
    /// a watermark is read whole anyway.
    pub since: Option<DateTime<Utc>>,
    /// The newest id, as probed. What is created later may come, and is not waited for.
    pub until_id: Option<i64>,
    /// The server's clock, as probed: how long a window is, is a matter between its own stamps.
    pub server_time: DateTime<Utc>,
    /// As probed.
    pub extra_keys: Vec<Vec<String>>,
    pub payload: Payload,
    pub run_id: String,
    pub extracted_at: DateTime<Utc>,
}

const BATCH_ROWS: usize = 1_024;
const BATCH_BYTES: u64 = 4 << 20;
/// What waits for who reads the stream, with what that one has in hand: about two batches of wide records.
const WAITING_BYTES: usize = 16 << 20;
/// A scan that reaches further back reads much, and is split before it begins.
const LONG_WINDOW: TimeDelta = TimeDelta::days(7);

/// Reads every record of `resource` that `scan` asks for, each at least once.
///
/// Yields batches of about 1,024 rows or 4 MiB of JSON, in no order of ids; the last one may be
/// empty, and carries the last counts. Ends after the first error. Dropping the stream stops the
/// requests. Nothing is sent before the stream is polled, inside a tokio runtime.
pub fn read(
    instance: &Instance,
    resource: Arc<Resource>,
    scan: Scan,
) -> impl Stream<Item = Result<Decoded, ExtractError>> + Send + 'static {
    let start = State::Start(Box::new((instance.clone(), resource, scan)));
    stream::unfold(start, |state| async move {
        let (mut batches, tasks) = match state {
            State::Start(start) => begin(*start),
            State::Running(batches, tasks) => (batches, tasks),
        };
        let batch = batches.recv().await?;
        Some((batch, State::Running(batches, tasks)))
    })
}

type Batch = Result<Decoded, ExtractError>;

enum State {
    Start(Box<(Instance, Arc<Resource>, Scan)>),
    /// The tasks end with the set that holds them.
    Running(Receiver<Batch>, JoinSet<()>),
}

fn begin(
    (instance, resource, scan): (Instance, Arc<Resource>, Scan),
) -> (Receiver<Batch>, JoinSet<()>) {
    let (sender, batches) = queue(WAITING_BYTES, bytes_of);
    let reader = Arc::new(Reader::new(instance, resource, &scan, sender));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        if let Err(Stop::Failed(error)) = drive(&reader, &scan).await {
            let _ = reader.batches.send(Err(*error)).await;
        }
    });
    (batches, tasks)
}

fn bytes_of(batch: &Batch) -> usize {
    batch.as_ref().map_or(0, Decoded::memory_bytes)
}

/// What all requests of one scan share.
pub(crate) struct Reader {
    pub instance: Instance,
    pub resource: Arc<Resource>,
    pub query: Vec<(String, String)>,
    since: Option<i64>,
    plan: Mutex<Plan>,
    more: Notify,
    pub decoder: AsyncMutex<Decoder>,
    pub requests: AtomicU64,
    /// Records set aside unread since the last page that could be read.
    pub unread: AtomicU64,
    early: AtomicU64,
    notes: Mutex<Vec<String>>,
    batches: Sender<Batch>,
}

/// Why a scan, or one of its ranges, does not go on.
pub(crate) enum Stop {
    Failed(Box<ExtractError>),
    /// The server does not page by id.
    Disorder,
    /// Nobody listens any more.
    Unheard,
}

impl From<ExtractError> for Stop {
    fn from(error: ExtractError) -> Stop {
        Stop::Failed(Box::new(error))
    }
}

async fn drive(reader: &Arc<Reader>, scan: &Scan) -> Result<(), Stop> {
    if reader.pages_by_id() {
        match read_ranges(reader, reader.instance.settings().max_in_flight).await {
            Err(Stop::Disorder) => {
                reader.note("the server does not page by id, so it is read by offset until two passes agree");
                reader.forget_unsent().await?;
                passes::read(reader).await?;
            }
            ended => ended?,
        }
    } else {
        passes::read(reader).await?;
    }
    let early = reader.early.load(Ordering::Relaxed);
    if let (Some(since), true) = (scan.since, early > 0) {
        reader.note(&format!(
            "{early} records are older than {since}: the server ignores the filter on time"
        ));
    }
    reader.send(true).await
}

async fn read_ranges(reader: &Arc<Reader>, most: usize) -> Result<(), Stop> {
    let mut tasks = JoinSet::new();
    loop {
        while tasks.len() < most {
            let Some(number) = reader.plan().claim() else {
                break;
            };
            let reader = reader.clone();
            tasks.spawn(async move { walk(&reader, number).await });
        }
        tokio::select! {
            ended = tasks.join_next() => match ended {
                None => return Ok(()),
                Some(ended) => joined(ended)?,
            },
            () = reader.more.notified() => {}
        }
    }
}

fn joined(ended: Result<Result<(), Stop>, JoinError>) -> Result<(), Stop> {
    match ended {
        Ok(ended) => ended,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Stop::Unheard),
    }
}

async fn walk(reader: &Reader, number: usize) -> Result<(), Stop> {
    let key = &reader.resource.key;
    let mut size = PageSize::default();
    loop {
        let (last, end) = reader.plan().bounds(number);
        let mut query = reader.query.clone();
        query.push((format!("{key}[gt]"), last.to_string()));
        if let Some(end) = end {
            query.push((format!("{key}[lt_or_eq]"), end.to_string()));
        }
        let mut again = true;
        let step = loop {
            let step = reader
                .page(&query, &mut size, |page| {
                    reader.plan().advance(number, &page.records)
                })
                .await?;
            match step {
                Ok(step) => break step,
                // Once may be a proxy's stale answer.
                Err(Disorder) if again => again = false,
                Err(Disorder) => return Err(Stop::Disorder),
            }
        };
        if step.full {
            reader.more.notify_one();
        }
        reader.send(false).await?;
        if step.done {
            return Ok(());
        }
    }
}

impl Reader {
    fn new(
        instance: Instance,
        resource: Arc<Resource>,
        scan: &Scan,
        batches: Sender<Batch>,
    ) -> Reader {
        let since = scan.since.filter(|_| resource.watermark.is_some());
        let first_load = since.is_none_or(|since| scan.server_time - since > LONG_WINDOW);
        let stamp = Stamp {
            run_id: scan.run_id.clone(),
            extracted_at: scan.extracted_at,
        };
        Reader {
            instance,
            query: base_query(&resource, since, scan.payload, &scan.extra_keys),
            since: since.map(|since| since.timestamp() * 1_000_000),
            plan: Mutex::new(Plan::new(scan.until_id, first_load)),
            more: Notify::new(),
            decoder: AsyncMutex::new(Decoder::new(resource.clone(), stamp)),
            resource,
            requests: AtomicU64::new(0),
            unread: AtomicU64::new(0),
            early: AtomicU64::new(0),
            notes: Mutex::new(Vec::new()),
            batches,
        }
    }

    fn pages_by_id(&self) -> bool {
        let key = self
            .resource
            .fields
            .iter()
            .find(|field| field.name == self.resource.key);
        key.is_some_and(|key| key.kind == Kind::Int64)
    }

    /// Sends what is gathered if that makes a batch, or if it is the last of it.
    pub(crate) async fn send(&self, is_last: bool) -> Result<(), Stop> {
        let mut decoder = self.decoder.lock().await;
        let full = decoder.row_count() >= BATCH_ROWS
            || decoder.byte_count() >= BATCH_BYTES
            || decoder.is_heavy();
        if !full && !is_last {
            return Ok(());
        }
        let mut decoded = decoder.finish().map_err(|cause| self.batch_error(cause))?;
        decoded.requests = self.requests.swap(0, Ordering::Relaxed);
        decoded.notes = std::mem::take(&mut *self.notes.lock().expect("no holder panics"));
        // The decoder stays taken: while this batch waits for room, no other is made.
        self.batches
            .send(Ok(decoded))
            .await
            .map_err(|_| Stop::Unheard)
    }

    async fn forget_unsent(&self) -> Result<(), Stop> {
        let unsent = self.decoder.lock().await.finish();
        unsent.map(drop).map_err(|cause| self.batch_error(cause))
    }

    pub(crate) fn count_early(&self, page: &PageInfo, keep: usize) {
        let Some(since) = self.since else { return };
        let early = page.records[..keep]
            .iter()
            .filter(|seen| seen.changed_at.is_some_and(|at| at < since));
        self.early
            .fetch_add(early.count() as u64, Ordering::Relaxed);
    }

    pub(crate) fn note(&self, text: &str) {
        self.notes
            .lock()
            .expect("no holder panics")
            .push(text.to_owned());
    }

    pub(crate) fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().expect("no holder panics")
    }

    pub(crate) fn batch_error(&self, cause: DecodeError) -> Stop {
        Stop::from(ExtractError::Batch {
            resource: self.resource.name.clone(),
            cause,
        })
    }
}

#[cfg(test)]
mod tests;
