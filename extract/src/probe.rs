//! What has to be known before a scan: the newest id, the server's clock, the customer's own keys.

use chrono::{DateTime, Utc};
use schemas::{Field, Kind, Resource};
use serde_json::{Map, Value};

use crate::client::Instance;
use crate::decode::{DecodeError, is_secret};
use crate::error::ExtractError;
use crate::fetch::only_key;
use crate::page::check_list;
use crate::retry::{Retry, Trouble};

/// One look at a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The newest id; `None` if there is no record, or its id is no integer.
    pub max_id: Option<i64>,
    /// The server's clock when the probe was answered: nothing it knew then is younger.
    pub server_time: DateTime<Utc>,
    /// Paths of keys nobody declared on the newest record, the last part spelt as received. Coupa
    /// gives legacy custom fields only to those who ask for them by name.
    pub extra_keys: Vec<Vec<String>>,
    /// What the source did that it should not have, a sentence each.
    pub notes: Vec<String>,
}

/// Asks for the newest record, whole.
///
/// One request, unless its answer can not be read: then the key alone is asked for. Errors: as of a page; 403 names the scope that is missing.
pub async fn probe(instance: &Instance, resource: &Resource) -> Result<Probe, ExtractError> {
    let mut query: Vec<(String, String)> = resource.query.clone().into_iter().collect();
    query.extend([
        ("order_by".to_owned(), resource.key.clone()),
        ("dir".to_owned(), "desc".to_owned()),
        ("limit".to_owned(), "1".to_owned()),
    ]);
    let mut retry = Retry::new(&resource.name);
    let answer = loop {
        let got = instance
            .get(&mut retry, &resource.path, &resource.scope, &query)
            .await;
        let error = match got {
            Ok(answer) => match check_list(&answer.body).and_then(|()| records(&answer.body)) {
                Ok(records) => {
                    let newest = records.first().and_then(Value::as_object);
                    return Ok(learn(resource, newest, answer.date));
                }
                Err(error) => instance
                    .wait(&mut retry, Trouble::Content(error))
                    .await
                    .err(),
            },
            Err(error) => Some(error),
        };
        match error {
            None => {}
            // It is a list, but its record is broken or too large: the key alone will do.
            Some(ExtractError::Content { cause, .. })
                if !matches!(cause, DecodeError::NotRecords { .. }) =>
            {
                break only_key(instance, &mut Retry::new(&resource.name), resource, &query)
                    .await?;
            }
            Some(error) => return Err(error),
        }
    };
    let (record, date) = answer;
    let mut probe = learn(resource, record.as_ref(), date);
    probe.extra_keys.clear();
    probe.notes.push(
        "the newest record can not be read whole, so keys of the customer's own are not asked for"
            .to_owned(),
    );
    Ok(probe)
}

/// A body that is read as a tree takes many times its size in memory.
const TREE_LIMIT: usize = 4 << 20;

pub(crate) fn records(body: &[u8]) -> Result<Vec<Value>, DecodeError> {
    if body.len() > TREE_LIMIT {
        let what = format!("more than {TREE_LIMIT} bytes for one record");
        return Err(DecodeError::TooLarge { what });
    }
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    serde_json::from_slice(body).map_err(|error| {
        if body.trim_ascii_start().starts_with(b"[") {
            return match error.is_eof() {
                true => DecodeError::Truncated { at: body.len() },
                false => DecodeError::Malformed { at: error.column() },
            };
        }
        DecodeError::not_records(&String::from_utf8_lossy(body))
    })
}

fn learn(
    resource: &Resource,
    newest: Option<&Map<String, Value>>,
    date: Option<DateTime<Utc>>,
) -> Probe {
    let mut notes = Vec::new();
    let server_time = date.unwrap_or_else(|| {
        notes.push("the answers carry no Date, so the newest record's time is used".to_owned());
        newest
            .and_then(|record| changed_at(resource, record))
            .unwrap_or_default()
    });
    let mut extra_keys = Vec::new();
    if let Some(record) = newest {
        own_keys(
            &resource.fields,
            &resource.documented,
            true,
            record,
            &mut Vec::new(),
            &mut extra_keys,
        );
    }
    Probe {
        max_id: newest.and_then(|record| integer(member(record, &resource.key)?)),
        server_time,
        extra_keys,
        notes,
    }
}

/// Any time the server has written is at most its clock: a lower bound that loses nothing.
fn changed_at(resource: &Resource, record: &Map<String, Value>) -> Option<DateTime<Utc>> {
    let text = member(record, resource.watermark.as_deref()?)?.as_str()?;
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.to_utc())
}

pub(crate) fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

pub(crate) fn member<'a>(record: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    record
        .get(name)
        .or_else(|| record.get(&name.replace('_', "-")))
}

fn own_keys(
    fields: &[Field],
    documented: &[String],
    captures: bool,
    record: &Map<String, Value>,
    path: &mut Vec<String>,
    found: &mut Vec<Vec<String>>,
) {
    for (key, value) in record {
        let name = key.replace('-', "_");
        if let Some(field) = fields.iter().find(|field| field.name == name) {
            path.push(name);
            inner_keys(&field.kind, value, path, found);
            path.pop();
        } else if captures
            && name != "custom_fields"
            && !documented.contains(&name)
            && !is_secret(key)
        {
            let extra = path.iter().chain([key]).cloned().collect();
            found.push(extra);
        }
    }
}

fn inner_keys(kind: &Kind, value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match (kind, value) {
        (
            Kind::Object {
                fields,
                documented,
                custom_fields,
            },
            Value::Object(record),
        ) => own_keys(fields, documented, *custom_fields, record, path, found),
        // The items of a list have one shape, so the first speaks for all.
        (Kind::List(item), Value::Array(items)) => {
            if let Some(first) = items.first() {
                inner_keys(item, first, path, found);
            }
        }
        (Kind::List(item), Value::Object(_)) => inner_keys(item, value, path, found),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::resource;

    fn check(record: Value, date: Option<&str>, expected: (Option<i64>, &str, &[&str])) {
        let date = date.map(|date| date.parse().unwrap());
        let probe = learn(&resource(), record.as_object(), date);
        let keys: Vec<String> = probe.extra_keys.iter().map(|path| path.join(".")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let time: DateTime<Utc> = expected.1.parse().unwrap();
        assert_eq!(
            (probe.max_id, probe.server_time, keys.as_slice()),
            (expected.0, time, expected.2)
        );
    }

    #[test]
    fn the_customers_own_keys_are_found() {
        let record = serde_json::json!({
            "id": 7, "updated-at": "2026-03-01T12:00:00+02:00", "left-out": 1, "Own-Key": 2,
            "cxml-secret": "x", "custom-fields": {"a": 1},
            "supplier": {"id": 1, "unasked": 1},
            "lines": [{"id": 1, "seat-no": 4, "note": null}, {"other": 1}],
        });
        let own: &[&str] = &["Own-Key", "lines.seat-no"];
        check(
            record.clone(),
            Some("2026-03-02T00:00:00Z"),
            (Some(7), "2026-03-02T00:00:00Z", own),
        );
        check(record, None, (Some(7), "2026-03-01T10:00:00Z", own));
        check(
            serde_json::json!({"id": "12"}),
            None,
            (Some(12), "1970-01-01T00:00:00Z", &[]),
        );
    }
}
