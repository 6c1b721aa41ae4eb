//! What can go wrong between us and Coupa, and what the reader should do about it.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::decode::DecodeError;

/// A read, or a sign-in, that ended without success. No secret and no record value is in it.
#[derive(Debug, Error)]
pub enum ExtractError {
    /// The instance's settings can not be used.
    #[error("{detail}")]
    Settings { detail: String, hint: String },
    /// Coupa does not accept the client, or not for these scopes.
    #[error("{host} refused the sign-in {effort}: {detail}")]
    Credentials {
        host: String,
        detail: String,
        hint: String,
        effort: Effort,
    },
    /// An answer that repeating does not change.
    #[error("{resource}: GET {path} answered {status} {effort}{words}")]
    Refused {
        resource: String,
        path: String,
        status: u16,
        /// What the server said, behind a colon; empty if nothing.
        words: String,
        hint: Option<String>,
        effort: Effort,
    },
    /// The server can not be trusted, or is not the one that was asked.
    #[error("{resource}: {detail} {effort}")]
    WrongServer {
        resource: String,
        detail: String,
        hint: String,
        effort: Effort,
    },
    /// Retries are spent.
    #[error("{resource}: {cause} {effort}")]
    Unavailable {
        resource: String,
        cause: String,
        effort: Effort,
    },
    /// Answers arrive, but not as records.
    #[error("{resource}: unreadable answer {effort}")]
    Content {
        resource: String,
        #[source]
        cause: DecodeError,
        effort: Effort,
    },
    /// Without paging by id, passes over the whole have to agree, and they did not.
    #[error(
        "{resource}: {passes} passes by offset differ, the source changes faster than it is read"
    )]
    Unsteady { resource: String, passes: u32 },
    /// Neither ids nor offsets lead to the next page.
    #[error("{resource}: the server gives the same page again, whatever is asked")]
    NoPaging { resource: String },
    /// Our own fault.
    #[error("{resource}: a batch could not be made")]
    Batch {
        resource: String,
        #[source]
        cause: DecodeError,
    },
}

/// What the reader of an error should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Change the job or a definition.
    Invalid,
    /// Run again later.
    Unavailable,
    /// The source sent what does not fit.
    Data,
    /// Report our bug.
    Internal,
}

impl ExtractError {
    pub fn kind(&self) -> Kind {
        match self {
            ExtractError::Settings { .. }
            | ExtractError::Credentials { .. }
            | ExtractError::Refused { .. }
            | ExtractError::WrongServer { .. }
            | ExtractError::NoPaging { .. } => Kind::Invalid,
            ExtractError::Unavailable { .. }
            | ExtractError::Content { .. }
            | ExtractError::Unsteady { .. } => Kind::Unavailable,
            ExtractError::Batch { .. } => Kind::Internal,
        }
    }

    /// What to do next, where we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            ExtractError::Settings { hint, .. }
            | ExtractError::Credentials { hint, .. }
            | ExtractError::WrongServer { hint, .. } => Some(hint.clone()),
            ExtractError::Refused { hint, .. } => hint.clone(),
            ExtractError::Content { cause, .. } => Some(content_hint(cause)),
            ExtractError::Unavailable { .. } => {
                Some("run again later: it goes on from what was committed".to_owned())
            }
            ExtractError::Unsteady { .. } => Some("run again at a quieter hour".to_owned()),
            ExtractError::NoPaging { .. } => {
                Some("the resource's path or key may be wrong: see its definition".to_owned())
            }
            ExtractError::Batch { .. } => {
                Some("please report it, with the version and the resource".to_owned())
            }
        }
    }

    /// How often and how long it was tried.
    pub fn effort(&self) -> Option<Effort> {
        match self {
            ExtractError::Credentials { effort, .. }
            | ExtractError::Refused { effort, .. }
            | ExtractError::WrongServer { effort, .. }
            | ExtractError::Unavailable { effort, .. }
            | ExtractError::Content { effort, .. } => Some(*effort),
            ExtractError::Settings { .. }
            | ExtractError::Unsteady { .. }
            | ExtractError::NoPaging { .. }
            | ExtractError::Batch { .. } => None,
        }
    }
}

fn content_hint(cause: &DecodeError) -> String {
    let text = match cause {
        DecodeError::NotRecords { found } if found.contains("HTML") => {
            "a login or maintenance page stands in the way: open coupa.url in a browser"
        }
        DecodeError::NotRecords { found } if found.contains("XML") => {
            "something on the way drops the header Accept: application/json"
        }
        DecodeError::NotRecords { found } if found.contains("token") => {
            "is coupa.url the instance's own address? if the token is too long, ask for fewer scopes"
        }
        DecodeError::NotRecords { .. } => {
            "is coupa.url the instance's own address, and the resource's path right?"
        }
        DecodeError::TooLarge { .. } => {
            "not even the ids alone could be read: something between here and Coupa changes the answers"
        }
        DecodeError::NotUtf8 { .. } => {
            "something between here and Coupa changes the encoding of the answers"
        }
        _ => "something between here and Coupa cuts or changes the answers: run again later",
    };
    text.to_owned()
}

/// How much was tried before giving up; reads as `after 3 attempts, 0.4 s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effort {
    pub attempts: u32,
    pub elapsed: Duration,
}

impl fmt::Display for Effort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.attempts == 1 { "" } else { "s" };
        let seconds = self.elapsed.as_secs_f64();
        write!(
            formatter,
            "after {} attempt{plural}, {seconds:.1} s",
            self.attempts
        )
    }
}
