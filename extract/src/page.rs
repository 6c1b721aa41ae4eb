//! What one request asks for: the query of a page, and the `fields` list made from a definition.

use chrono::{DateTime, SecondsFormat, Utc};
use schemas::{Field, Kind, Resource};
use serde_json::{Value, json};

use crate::decode::DecodeError;

/// Coupa gives no more at a time, whatever is asked.
pub(crate) const PAGE_ROWS: usize = 50;

/// How much of each record to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Payload {
    /// The declared fields, by name: small answers that no admin's filter changes.
    #[default]
    Declared,
    /// All that the instance gives, so that `_raw` keeps it.
    Full,
}

/// The parts of a resource's query that all its pages share.
pub(crate) fn base_query(
    resource: &Resource,
    since: Option<DateTime<Utc>>,
    payload: Payload,
    extra_keys: &[Vec<String>],
) -> Vec<(String, String)> {
    let mut query: Vec<(String, String)> = resource.query.clone().into_iter().collect();
    if let (Some(watermark), Some(since)) = (&resource.watermark, since) {
        let name = format!("{}[gt_or_eq]", watermark.replace('_', "-"));
        query.push((name, since.to_rfc3339_opts(SecondsFormat::Secs, true)));
    }
    query.push(("order_by".to_owned(), resource.key.clone()));
    query.push(("dir".to_owned(), "asc".to_owned()));
    query.push(("limit".to_owned(), PAGE_ROWS.to_string()));
    if payload == Payload::Declared {
        query.push(("fields".to_owned(), fields(resource, extra_keys)));
    }
    query
}

/// Coupa's own form: names of attributes, and objects for what hangs on them.
///
/// `extra_keys` are paths of the customer's own keys, which Coupa gives only by name.
pub(crate) fn fields(resource: &Resource, extra_keys: &[Vec<String>]) -> String {
    level(&resource.fields, true, &mut Vec::new(), extra_keys).to_string()
}

fn level(
    fields: &[Field],
    custom_fields: bool,
    path: &mut Vec<String>,
    extra_keys: &[Vec<String>],
) -> Value {
    let mut names = Vec::new();
    for field in fields {
        path.push(field.name.clone());
        names.push(entry(&field.name, &field.kind, path, extra_keys));
        path.pop();
    }
    if custom_fields {
        for extra in extra_keys {
            if let Some((key, parents)) = extra.split_last()
                && parents == path.as_slice()
            {
                names.push(json!(key));
            }
        }
        names.push(json!({ "custom_fields": {} }));
    }
    Value::Array(names)
}

fn entry(name: &str, kind: &Kind, path: &mut Vec<String>, extra_keys: &[Vec<String>]) -> Value {
    match kind {
        Kind::Object {
            fields,
            custom_fields,
            ..
        } => {
            let inner = level(fields, *custom_fields, path, extra_keys);
            json!({ name: inner })
        }
        Kind::List(item) => entry(name, item, path, extra_keys),
        _ => json!(name),
    }
}

/// A list's body begins with its bracket; an error object is no record, though it is JSON.
pub(crate) fn check_list(body: &[u8]) -> Result<(), DecodeError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let found = match body.trim_ascii_start().first() {
        None => "empty",
        Some(b'{') => "one object, perhaps an error,",
        _ => return Ok(()),
    };
    Err(DecodeError::NotRecords { found })
}

/// The query with another value for one of its words.
pub(crate) fn with_word(
    query: &[(String, String)],
    name: &str,
    value: String,
) -> Vec<(String, String)> {
    let mut query: Vec<(String, String)> = query
        .iter()
        .filter(|(word, _)| word != name)
        .cloned()
        .collect();
    query.push((name.to_owned(), value));
    query
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::resource;

    #[test]
    fn fields_follow_the_definition() {
        let extra = [
            vec!["Cost-Note".to_owned()],
            vec!["lines".to_owned(), "own".to_owned()],
            vec!["supplier".to_owned(), "not-asked".to_owned()],
        ];
        assert_eq!(
            fields(&resource(), &extra),
            r#"["id","updated_at","total",{"supplier":["id","name"]},{"lines":["id","note","own",{"custom_fields":{}}]},"tags","Cost-Note",{"custom_fields":{}}]"#
        );
    }

    #[test]
    fn the_query_is_open_above() {
        let since = "2026-03-01T10:00:00.7Z".parse().unwrap();
        let query = base_query(&resource(), Some(since), Payload::Full, &[]);
        let words: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            words.join("&"),
            "status=any&updated-at[gt_or_eq]=2026-03-01T10:00:00Z&order_by=id&dir=asc&limit=50"
        );
    }
}
