//! Targets for fuzzing: any bytes in, no panic, and what must hold of every outcome.
//!
//! `fuzz/` calls them from cargo-fuzz; the tests below replay its corpus and mutate it.

use std::sync::{Arc, LazyLock};

use chrono::DateTime;
use schemas::{Resource, Schemas};

use crate::decode::{Decoder, Stamp};
use crate::page::{Payload, base_query};
use crate::retry::{http_date, retry_after};

static RESOURCES: LazyLock<Vec<Arc<Resource>>> = LazyLock::new(|| {
    let schemas = Schemas::embedded().expect("the definitions in the binary are valid");
    schemas.resources.into_values().map(Arc::new).collect()
});

/// The first byte chooses the resource, the others are its page. Every record of a page that is read
/// is a row or a misfit, and what is kept of it makes a batch.
pub fn page(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else {
        return;
    };
    let resource = &RESOURCES[usize::from(*choice) % RESOURCES.len()];
    let stamp = Stamp {
        run_id: "fuzz".to_owned(),
        extracted_at: DateTime::UNIX_EPOCH,
    };
    let mut decoder = Decoder::new(resource.clone(), stamp);
    let read = decoder.page(body);
    let keep = read.as_ref().map_or(0, |page| page.records.len() / 2);
    let seen = read.as_ref().map_or(0, |page| page.records.len());
    let again = decoder.page(body);
    assert_eq!(
        read.is_ok(),
        again.is_ok(),
        "a page is read or not, whatever came before"
    );
    decoder.keep(keep);
    let decoded = decoder.finish().expect("what was kept makes a batch");
    let landed = decoded.batch.num_rows() + decoded.misfits.len();
    assert_eq!(landed, if read.is_ok() { seen + keep } else { 0 });
}

/// Paths of keys, split at zero bytes and slashes, asked for by name: the list stays JSON, and the
/// query says the same after it has been through an address.
pub fn fields(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let extra: Vec<Vec<String>> = text
        .split('\0')
        .map(|path| path.split('/').map(str::to_owned).collect())
        .collect();
    let resource = &RESOURCES[bytes.len() % RESOURCES.len()];
    let since = DateTime::from_timestamp(bytes.len() as i64 * 86_399, 0);
    let query = base_query(resource, since, Payload::Declared, &extra);
    let list = &query.last().expect("the fields stand last").1;
    let names: serde_json::Value = serde_json::from_str(list).expect("the list is JSON");
    assert!(
        names
            .as_array()
            .is_some_and(|names| names.len() > resource.fields.len())
    );
    let mut address: url::Url = "https://acme.example/api".parse().expect("an address");
    address.query_pairs_mut().extend_pairs(&query);
    let back: Vec<(String, String)> = address.query_pairs().into_owned().collect();
    assert_eq!(back, query);
}

/// Two lines: `Retry-After`, and the answer's `Date`.
pub fn wait(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (value, date) = text.split_once('\n').unwrap_or((&text, ""));
    let date = (!date.is_empty()).then_some(date);
    if let Some(wait) = retry_after(value, date) {
        assert!(wait.as_secs() <= 900);
    }
}

/// Dates of headers, and the dates, times and numbers of records.
pub fn date(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = http_date(text);
    }
    crate::decode::scalars(bytes);
}

#[cfg(test)]
mod tests;
