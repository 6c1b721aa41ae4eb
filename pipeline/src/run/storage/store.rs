//! An object store that fails once, at an operation and in a way that the test chooses.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use crate::catalog::{Lake, TableName};
use crate::maintain::{MaintainOptions, Maintained, maintain_table};

/// How an operation goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Fault {
    /// It fails, and nothing was done.
    Before,
    /// It is done, and the answer is lost.
    Lost,
    /// It is done, the answer is lost, and the transport asks again: "it is there already".
    Repeated,
    /// It stops midway: half a file under a passing name, half an answer.
    Torn,
    /// Nothing was done, and another process compacts the table meanwhile.
    BeforeAndCompacted,
    /// It is done, the answer is lost, and another process compacts the table meanwhile.
    LostAndCompacted,
    /// The same, and the transport asks again.
    RepeatedAndCompacted,
}

impl Fault {
    fn compacts(self) -> bool {
        use Fault::*;
        matches!(
            self,
            BeforeAndCompacted | LostAndCompacted | RepeatedAndCompacted
        )
    }

    fn is_done(self) -> bool {
        !matches!(self, Fault::Before | Fault::BeforeAndCompacted)
    }

    fn repeats(self) -> bool {
        matches!(self, Fault::Repeated | Fault::RepeatedAndCompacted)
    }
}

/// What an operation is, as far as it decides how it can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Operation {
    Get,
    List,
    Put,
    /// Only if nothing is there.
    Create,
    /// The creation of a table's next version.
    Commit,
    BeginUpload,
    UploadPart,
    CompleteUpload,
    Delete,
    Copy,
}

impl Operation {
    pub(super) fn faults(self) -> &'static [Fault] {
        use Fault::*;
        match self {
            Operation::Get | Operation::List => &[Before, Torn],
            Operation::Delete | Operation::BeginUpload => &[Before, Lost],
            Operation::Put
            | Operation::UploadPart
            | Operation::CompleteUpload
            | Operation::Copy => &[Before, Lost, Torn],
            Operation::Create => &[Before, Lost, Repeated, Torn],
            Operation::Commit => &[
                Before,
                Lost,
                Repeated,
                Torn,
                BeforeAndCompacted,
                LostAndCompacted,
                RepeatedAndCompacted,
            ],
        }
    }
}

/// Which operation fails, counted from zero, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    pub at: usize,
    pub fault: Fault,
    /// From then on nothing works: the process or the store is gone.
    pub lasting: bool,
}

#[derive(Debug, Default)]
struct State {
    seen: Vec<Operation>,
    schedule: Option<Schedule>,
    /// How the next commit fails, whenever it comes.
    next_commit: Option<Fault>,
    struck: bool,
}

/// Counts the operations of one run, and breaks the one that is scheduled.
#[derive(Clone, Debug)]
pub(super) struct FaultyStore {
    inner: Arc<InMemory>,
    state: Arc<Mutex<State>>,
}

impl FaultyStore {
    pub(super) fn new(inner: Arc<InMemory>, schedule: Option<Schedule>) -> FaultyStore {
        let state = State {
            schedule,
            ..State::default()
        };
        FaultyStore {
            inner,
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub(super) fn break_next_commit(&self, fault: Fault) {
        self.state().next_commit = Some(fault);
    }

    pub(super) fn seen(&self) -> Vec<Operation> {
        self.state().seen.clone()
    }

    /// Whether the scheduled operation was reached.
    pub(super) fn struck(&self) -> bool {
        self.state().struck
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// Counts an operation; returns how it fails.
    fn strike(&self, operation: Operation) -> Option<Fault> {
        let mut state = self.state();
        let number = state.seen.len();
        state.seen.push(operation);
        if operation == Operation::Commit
            && let Some(fault) = state.next_commit.take()
        {
            return Some(fault);
        }
        let schedule = state.schedule?;
        if number == schedule.at {
            state.struck = true;
            return Some(schedule.fault);
        }
        (state.struck && schedule.lasting).then_some(Fault::Before)
    }

    async fn compact(&self, fault: Fault, location: &Path) {
        if !fault.compacts() {
            return;
        }
        let parts: Vec<_> = location.parts().collect();
        let [_, layer, table, ..] = parts.as_slice() else {
            return;
        };
        let name = TableName::new(layer.as_ref(), table.as_ref());
        let lake = Lake::of_store(self.inner.clone());
        let week = MaintainOptions {
            keep: chrono::TimeDelta::days(7),
            dry_run: false,
        };
        let mut told = Maintained::of(&name);
        let done = maintain_table(&lake, &name, week, &mut told).await;
        done.expect("another process is not troubled");
    }

    /// Half of a file: where a data file lies, as its name says nothing yet; else under a passing name.
    async fn tear(&self, location: &Path, payload: PutPayload) {
        let bytes = Bytes::from(payload);
        let half = bytes.slice(..bytes.len() / 2);
        let place = match location.extension() {
            Some("parquet") => location.clone(),
            _ => Path::from(format!("{location}#1")),
        };
        let put = self.inner.put(&place, half.into()).await;
        put.expect("memory takes what it is given");
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store that fails")
    }
}

fn broken() -> Error {
    Error::Generic {
        store: "test",
        source: "the connection broke".into(),
    }
}

fn there_already(location: &Path) -> Error {
    Error::AlreadyExists {
        path: location.to_string(),
        source: "it is there already".into(),
    }
}

fn is_commit(location: &Path) -> bool {
    location.as_ref().contains("/_delta_log/") && location.extension() == Some("json")
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let create = opts.mode == PutMode::Create;
        let operation = match create {
            true if is_commit(location) => Operation::Commit,
            true => Operation::Create,
            false => Operation::Put,
        };
        let Some(fault) = self.strike(operation) else {
            return self.inner.put_opts(location, payload, opts).await;
        };
        if fault == Fault::Torn {
            self.tear(location, payload).await;
            return Err(broken());
        }
        if fault.is_done() {
            self.inner.put_opts(location, payload, opts).await?;
        }
        self.compact(fault, location).await;
        Err(if create && fault.repeats() {
            there_already(location)
        } else {
            broken()
        })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let fault = self.strike(Operation::BeginUpload);
        if fault == Some(Fault::Before) {
            return Err(broken());
        }
        let upload = self.inner.put_multipart_opts(location, opts).await?;
        match fault {
            Some(_) => Err(broken()),
            None => Ok(Box::new(Upload {
                inner: upload,
                store: self.clone(),
                location: location.clone(),
                parts: Vec::new(),
            })),
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let fault = self.strike(Operation::Get);
        if fault.is_some_and(|fault| fault != Fault::Torn) {
            return Err(broken());
        }
        let mut found = self.inner.get_opts(location, options).await?;
        if fault == Some(Fault::Torn) {
            let Range { start, end } = found.range;
            let meta = found.meta.clone();
            let range = found.range.clone();
            let attributes = found.attributes.clone();
            let bytes = found.bytes().await?;
            let half = bytes.slice(..((end - start) / 2) as usize);
            let pieces = futures::stream::iter([Ok(half), Err(broken())]);
            found = GetResult {
                payload: GetResultPayload::Stream(pieces.boxed()),
                meta,
                range,
                attributes,
            };
        }
        Ok(found)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let store = store.clone();
            async move {
                let location = location?;
                let fault = store.strike(Operation::Delete);
                if fault != Some(Fault::Before) {
                    store.inner.delete(&location).await?;
                }
                match fault {
                    Some(_) => Err(broken()),
                    None => Ok(location),
                }
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.strike(Operation::List) {
            None => self.inner.list(prefix),
            Some(Fault::Torn) => {
                let first = self.inner.list(prefix).take(1);
                first.chain(futures::stream::iter([Err(broken())])).boxed()
            }
            Some(_) => futures::stream::iter([Err(broken())]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        match self.strike(Operation::List) {
            None => self.inner.list_with_delimiter(prefix).await,
            Some(_) => Err(broken()),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let create = options.mode == CopyMode::Create;
        let Some(fault) = self.strike(Operation::Copy) else {
            return self.inner.copy_opts(from, to, options).await;
        };
        if fault.is_done() && fault != Fault::Torn {
            self.inner.copy_opts(from, to, options).await?;
        }
        Err(if create && fault.repeats() {
            there_already(to)
        } else {
            broken()
        })
    }
}

/// A file that is uploaded in parts.
#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    store: FaultyStore,
    location: Path,
    parts: Vec<PutPayload>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let fault = self.store.strike(Operation::UploadPart);
        let data = match fault {
            Some(Fault::Before) => return async { Err(broken()) }.boxed(),
            Some(Fault::Torn) => {
                let bytes = Bytes::from(data);
                bytes.slice(..bytes.len() / 2).into()
            }
            _ => data,
        };
        self.parts.push(data.clone());
        let done = self.inner.put_part(data);
        async move {
            done.await?;
            match fault {
                Some(_) => Err(broken()),
                None => Ok(()),
            }
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let Some(fault) = self.store.strike(Operation::CompleteUpload) else {
            return self.inner.complete().await;
        };
        match fault {
            Fault::Before => {}
            Fault::Torn => {
                let all: PutPayload = self.parts.iter().flatten().cloned().collect();
                self.store.tear(&self.location, all).await;
            }
            _ => {
                self.inner.complete().await?;
            }
        }
        Err(broken())
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
