//! What PostgreSQL's own codes ask the reader to do.

use std::error::Error as _;

use tokio_postgres::Error;

use crate::{Kind, WarehouseError};

/// An error of the library, with its kind and a remedy.
///
/// Only code and message are taken over: a server's detail quotes rows.
pub(super) fn refused(error: Error) -> WarehouseError {
    let Some(db) = error.as_db_error() else {
        let cause = error.source().map(ToString::to_string);
        return match error.source().map(|source| source.is::<std::io::Error>()) {
            Some(false) if !error.is_closed() => WarehouseError::Connection {
                reason: format!("{error}"),
            },
            _ => WarehouseError::connection(cause.unwrap_or_else(|| error.to_string())),
        };
    };
    let code = db.code().code();
    if matches!(
        code,
        // Connections that fail, a server that is stopped or starts, a session that was ended.
        "57P01" | "57P02" | "57P03"
    ) || code.starts_with("08")
    {
        return WarehouseError::connection(format!("{} ({code})", db.message()));
    }
    let (kind, hint) = advice(code);
    WarehouseError::Refused {
        code: code.to_string(),
        message: db.message().to_string(),
        kind,
        hint: hint.map(str::to_string),
    }
}

fn advice(code: &str) -> (Kind, Option<&'static str>) {
    match code {
        "28P01" | "28000" => (
            Kind::Invalid,
            Some("mend user and password in the warehouse's uri, or pg_hba.conf of the server"),
        ),
        "3D000" => (
            Kind::Invalid,
            Some("create the database, or name another in the warehouse's uri"),
        ),
        "42501" => (
            Kind::Invalid,
            Some(
                "give the user CREATE on the database (or make the schema and give it CREATE and USAGE \
                 there), TEMPORARY on the database, and let it own its tables",
            ),
        ),
        "2BP01" | "0A000" => (
            Kind::Invalid,
            Some(
                "a view depends on a column whose type is to be widened: drop the view, and make it again",
            ),
        ),
        // Serialisation, deadlock, locks, cancelled by a timeout, out of room or connections.
        "40001" | "40P01" | "55P03" | "57014" => (
            Kind::Unavailable,
            Some("something else works on the same tables; the next run brings what is missing"),
        ),
        _ if code.starts_with("53") => (
            Kind::Unavailable,
            Some("the server is short of room, memory or connections"),
        ),
        _ if code.starts_with("58") => (Kind::Unavailable, None),
        "23505" => (
            Kind::Internal,
            Some("two rows of the lake have one key; nothing of this load was kept"),
        ),
        _ => (Kind::Internal, None),
    }
}

pub(super) fn missing_right(right: &str) -> WarehouseError {
    WarehouseError::Refused {
        code: "42501".to_string(),
        message: format!("the user lacks {right}"),
        kind: Kind::Invalid,
        hint: advice("42501").1.map(str::to_string),
    }
}
