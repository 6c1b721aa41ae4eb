//! One error for the whole pipeline, answering one question: what should the reader do?

use std::error::Error as StdError;
use std::fmt;

use extract::{ExtractError, hidden};
use schemas::SchemaError;
use serde::{Deserialize, Serialize};

use crate::catalog::CatalogError;
use crate::load::LoadError;
use crate::transform::TransformError;

/// What to do about an error. The numbers are the command's exit codes; the worst one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// More records were misfits than the job tolerates; everything else landed.
    Data = 3,
    /// Something is not reachable or busy: run again later.
    Unavailable = 4,
    /// Change the job, a definition or the call.
    Invalid = 2,
    /// A fault of ours.
    Internal = 1,
}

impl Kind {
    pub fn exit_code(self) -> u8 {
        self as u8
    }
}

/// An error with its kind, its causes and a remedy.
#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
    pub message: String,
    pub hint: Option<String>,
    pub source: Option<Box<dyn StdError + Send + Sync>>,
    /// Somebody else's commit came first: the same work on top of it may succeed.
    pub lost_race: bool,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error {
            kind,
            message: message.into(),
            hint: None,
            source: None,
            lost_race: false,
        }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn wrap(
        kind: Kind,
        hint: Option<String>,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Error {
            kind,
            message: cleaned(&source),
            hint,
            lost_race: false,
            source: source.source().map(|inner| {
                // The chain below is kept as text: causes are printed, not inspected.
                Box::new(Cause::of(inner)) as Box<dyn StdError + Send + Sync>
            }),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A store may repeat what it was sent, and its words stand in the texts of others.
fn cleaned(error: &dyn StdError) -> String {
    hidden::clean(&error.to_string()).into_owned()
}

#[derive(Debug)]
struct Cause {
    message: String,
    source: Option<Box<Cause>>,
}

impl Cause {
    fn of(error: &dyn StdError) -> Cause {
        Cause {
            message: cleaned(error),
            source: error.source().map(|inner| Box::new(Cause::of(inner))),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<ExtractError> for Error {
    fn from(error: ExtractError) -> Self {
        let kind = match error.kind() {
            extract::Kind::Invalid => Kind::Invalid,
            extract::Kind::Unavailable => Kind::Unavailable,
            extract::Kind::Data => Kind::Data,
            extract::Kind::Internal => Kind::Internal,
        };
        Error::wrap(kind, error.hint(), error)
    }
}

impl From<SchemaError> for Error {
    fn from(error: SchemaError) -> Self {
        Error::wrap(Kind::Invalid, None, error)
    }
}

impl From<CatalogError> for Error {
    fn from(error: CatalogError) -> Self {
        let (kind, hint) = match &error {
            CatalogError::Location { .. } => (
                Kind::Invalid,
                Some("set lake.url to a folder that can be written or to a bucket, such as s3://bucket/prefix".to_string()),
            ),
            CatalogError::Unconditional { .. } => (
                Kind::Invalid,
                Some("two runs could overwrite each other's commits there: use a store with conditional writes (If-None-Match), such as Amazon S3 or SeaweedFS, or a newer release of this one".to_string()),
            ),
            CatalogError::Store { source, .. } => store_advice(source),
            CatalogError::NotThere(_) => (
                Kind::Invalid,
                Some("ask for a later moment or version; `spendlake maintain --keep-days` says how long versions stay".to_string()),
            ),
            CatalogError::Table { .. } => {
                store_cause(&error).unwrap_or((Kind::Unavailable, None))
            }
            CatalogError::Query(_) => store_cause(&error).unwrap_or((Kind::Invalid, None)),
        };
        Error::wrap(kind, hint, error)
    }
}

fn store_advice(error: &object_store::Error) -> (Kind, Option<String>) {
    use object_store::Error as Store;
    let denied = matches!(
        error,
        Store::PermissionDenied { .. } | Store::Unauthenticated { .. } | Store::NotFound { .. }
    ) || caused_by_permission(error);
    if denied {
        let hint = "give this user the right to write there, or set lake.url to another place";
        (Kind::Invalid, Some(hint.to_string()))
    } else {
        (Kind::Unavailable, None)
    }
}

/// What to do about an error that has the store's, or the disk's, somewhere among its causes.
fn store_cause(error: &(dyn StdError + 'static)) -> Option<(Kind, Option<String>)> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(store) = error.downcast_ref::<object_store::Error>() {
            return Some(store_advice(store));
        }
        if error.downcast_ref::<std::io::Error>().is_some() {
            return Some((Kind::Unavailable, None));
        }
        cause = error.source();
    }
    None
}

fn caused_by_permission(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind;
            return matches!(
                io.kind(),
                ErrorKind::PermissionDenied
                    | ErrorKind::NotADirectory
                    | ErrorKind::ReadOnlyFilesystem
            );
        }
        cause = error.source();
    }
    false
}

impl From<TransformError> for Error {
    fn from(error: TransformError) -> Self {
        match error {
            TransformError::Catalog(inner) => inner.into(),
            TransformError::Run { .. } => {
                let (kind, hint) = store_cause(&error).unwrap_or((Kind::Internal, None));
                Error::wrap(kind, hint, error)
            }
            _ => {
                let hint = "mend the file; `spendlake check --offline` plans every mapping without asking Coupa";
                Error::wrap(Kind::Invalid, Some(hint.to_string()), error)
            }
        }
    }
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Catalog(inner) => inner.into(),
            LoadError::Conflict { .. } => {
                let hint = "nothing was lost; run again when the other run has ended";
                Error {
                    lost_race: true,
                    ..Error::wrap(Kind::Unavailable, Some(hint.to_string()), error)
                }
            }
            LoadError::Fenced { .. } => {
                let hint = "this run was silent for too long and was followed; nothing was lost";
                Error::wrap(Kind::Unavailable, Some(hint.to_string()), error)
            }
            LoadError::Schema { .. } => {
                let hint = "a definition gives this column another type than the lake has: use the former one, or give the new one another name; a table of `unified` or `report` can also be removed from the lake, and the next run makes it anew from the change log without asking Coupa";
                Error::wrap(Kind::Invalid, Some(hint.to_string()), error)
            }
            LoadError::Commit { .. } | LoadError::File { .. } => {
                Error::wrap(Kind::Unavailable, None, error)
            }
            LoadError::Batch { .. } | LoadError::Rows { .. } => {
                let (kind, hint) = store_cause(&error).unwrap_or((Kind::Internal, None));
                Error::wrap(kind, hint, error)
            }
        }
    }
}

impl From<warehouse::WarehouseError> for Error {
    fn from(error: warehouse::WarehouseError) -> Self {
        let (mut kind, mut hint) = (
            match error.kind() {
                warehouse::Kind::Unavailable => Kind::Unavailable,
                warehouse::Kind::Invalid => Kind::Invalid,
                warehouse::Kind::Internal => Kind::Internal,
            },
            error.hint(),
        );
        // Rows that do not come are the lake's trouble, not the warehouse's.
        if let Some(advice) = store_cause(&error) {
            (kind, hint) = advice;
        }
        Error::wrap(kind, hint, error)
    }
}
