//! Functions over text, and over JSON kept as text.

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use sonic_rs::{JsonType, JsonValueTrait, LazyValue};

/// Trimmed, lower case, spaces and dashes as underscores.
pub fn status_key(texts: &ArrayRef) -> Result<StringArray> {
    let texts = cast(texts, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let mut keys = StringBuilder::with_capacity(texts.len(), texts.values().len());
    for text in texts {
        keys.append_option(text.map(|text| text.trim().to_lowercase().replace([' ', '-'], "_")));
    }
    Ok(keys.finish())
}

/// The text unchanged; null when it is empty or only white space.
pub fn non_blank(texts: &ArrayRef) -> Result<StringArray> {
    let texts = cast(texts, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    Ok(texts
        .iter()
        .map(|text| text.filter(|text| !text.trim().is_empty()))
        .collect())
}

/// A member of a JSON object as plain text; dashes and underscores in names are alike.
pub fn json_get(texts: &ArrayRef, names: &ArrayRef) -> Result<StringArray> {
    let texts = cast(texts, &DataType::Utf8)?;
    let names = cast(names, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let names = names.as_string::<i32>();
    let mut found = StringBuilder::new();
    for row in 0..texts.len() {
        if texts.is_null(row) || names.is_null(row) {
            found.append_null();
        } else {
            found.append_option(member(texts.value(row), names.value(row)));
        }
    }
    Ok(found.finish())
}

/// A JSON scalar as plain text: strings without quotes, the rest as written.
pub fn json_text(texts: &ArrayRef) -> Result<StringArray> {
    let texts = cast(texts, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    Ok(texts
        .iter()
        .map(|text| {
            let value: LazyValue<'_> = sonic_rs::from_str(text?).ok()?;
            match value.get_type() {
                JsonType::Object | JsonType::Array => None,
                _ => plain(&value),
            }
        })
        .collect())
}

fn member(text: &str, name: &str) -> Option<String> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    for entry in sonic_rs::to_object_iter(text) {
        let (key, value) = entry.ok()?;
        if same_name(&key, name) {
            return plain(&value);
        }
    }
    None
}

fn same_name(a: &str, b: &str) -> bool {
    let dashed = |byte: u8| if byte == b'-' { b'_' } else { byte };
    a.len() == b.len() && a.bytes().map(dashed).eq(b.bytes().map(dashed))
}

fn plain(value: &LazyValue<'_>) -> Option<String> {
    match value.get_type() {
        JsonType::Null => None,
        JsonType::String => value.as_str().map(str::to_string),
        _ => Some(value.as_raw_str().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, name: &str, expected: Option<&str>) {
        assert_eq!(member(json, name).as_deref(), expected, "{json} {name}");
    }

    #[test]
    fn members_are_found_under_either_spelling() {
        check(
            r#"{"external-ref-code": "a\"b"}"#,
            "external_ref_code",
            Some("a\"b"),
        );
        check(r#"{"id": 12, "name": null}"#, "id", Some("12"));
        check(r#"{"id": 12, "name": null}"#, "name", None);
        check(r#"{"x": {"y": [1]}}"#, "x", Some(r#"{"y": [1]}"#));
        check("[1]", "x", None);
        check("not json", "x", None);
    }
}
