//! A small definition for the tests of this crate.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use schemas::{Field, Kind, Resource};

use crate::answer::Answer;
use crate::retry::{Patience, Trouble};

/// What answers instead of a server.
pub(crate) type Network =
    Arc<dyn Fn(reqwest::Request) -> BoxFuture<'static, Result<Answer, Trouble>> + Send + Sync>;

/// Waits of one length, for tests with sockets and real time.
pub(crate) fn hurried(wait: Duration) -> Patience {
    Patience {
        transient: wait,
        transient_cap: wait,
        throttled: wait,
        throttled_cap: wait,
        pause: wait,
        young_token: wait,
        forbidden: wait,
        ..Patience::default()
    }
}

pub(crate) fn field(name: &str, kind: Kind) -> Field {
    Field {
        name: name.to_owned(),
        kind,
    }
}

pub(crate) fn resource() -> Resource {
    let supplier = Kind::Object {
        fields: vec![field("id", Kind::Int64), field("name", Kind::Utf8)],
        documented: Vec::new(),
        custom_fields: false,
    };
    let line = Kind::Object {
        fields: vec![field("id", Kind::Int64), field("note", Kind::Utf8)],
        documented: vec!["left_out".to_owned()],
        custom_fields: true,
    };
    Resource {
        name: "invoices".to_owned(),
        doc: "For tests.".to_owned(),
        path: "/api/invoices".to_owned(),
        scope: "core.invoice.read".to_owned(),
        key: "id".to_owned(),
        watermark: Some("updated_at".to_owned()),
        query: [("status".to_owned(), "any".to_owned())].into(),
        fields: vec![
            field("id", Kind::Int64),
            field("updated_at", Kind::Timestamp),
            field(
                "total",
                Kind::Decimal {
                    precision: 38,
                    scale: 9,
                },
            ),
            field("supplier", supplier),
            field("lines", Kind::List(Box::new(line))),
            field("tags", Kind::List(Box::new(Kind::Utf8))),
        ],
        documented: vec!["left_out".to_owned()],
        sample: "[]".to_owned(),
    }
}
