//! Records that others refer to: which were named while reading, so that those the log lacks can be fetched.
//!
//! An account of a dynamic chart appears when it is first used, perhaps after its list was read; a supplier
//! may be older than the oldest change wanted. What is noted lives as long as the run: what a stopped run did
//! not fetch is noted again when the record is read again, at the latest by the rotating check.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};

/// Names of objects inside records, and the resource whose ids they carry.
const REFERENCES: [(&str, &str); 13] = [
    ("account", "accounts"),
    ("account_type", "account_types"),
    ("contract", "contracts"),
    ("created_by", "users"),
    ("expensed_by", "users"),
    ("item", "items"),
    ("manager", "users"),
    ("owner", "users"),
    ("requested_by", "users"),
    ("requester", "users"),
    ("supplier", "suppliers"),
    ("updated_by", "users"),
    ("user", "users"),
];
/// Ids that are noted of one resource in one run.
const NOTED: usize = 100_000;

/// Ids by resource, as seen in one run.
#[derive(Debug, Default)]
pub struct References(Mutex<BTreeMap<&'static str, BTreeSet<i64>>>);

impl References {
    /// Notes what the records of a raw batch refer to.
    pub fn note(&self, batch: &RecordBatch) {
        let mut found = self.0.lock().expect("no holder panics");
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            walk(field.name(), column, &mut found);
        }
    }

    /// What was noted of this resource, ascending.
    pub fn to(&self, resource: &str) -> Vec<i64> {
        let found = self.0.lock().expect("no holder panics");
        found
            .get(resource)
            .map(|ids| ids.iter().copied().collect())
            .unwrap_or_default()
    }
}

fn walk(name: &str, column: &dyn Array, found: &mut BTreeMap<&'static str, BTreeSet<i64>>) {
    match column.data_type() {
        DataType::Struct(fields) => {
            let object = column.as_struct();
            let target = REFERENCES.iter().find(|(reference, _)| *reference == name);
            let ids = object
                .column_by_name("id")
                .and_then(|ids| ids.as_primitive_opt::<Int64Type>());
            if let (Some((_, resource)), Some(ids)) = (target, ids) {
                let noted = found.entry(resource).or_default();
                let room = NOTED.saturating_sub(noted.len());
                noted.extend(ids.iter().flatten().take(room));
            }
            for (field, column) in fields.iter().zip(object.columns()) {
                walk(field.name(), column, found);
            }
        }
        DataType::List(_) => walk(name, column.as_list::<i32>().values(), found),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use extract::{Decoder, Stamp};
    use schemas::Schemas;

    use super::*;

    #[test]
    fn accounts_of_lines_and_their_allocations_are_noted() {
        let schemas = Schemas::embedded().expect("the definitions are sound");
        let stamp = Stamp {
            run_id: "run".to_string(),
            extracted_at: Default::default(),
        };
        let mut decoder = Decoder::new(Arc::new(schemas.resources["invoices"].clone()), stamp);
        let page = r#"[{"id":1,"supplier":{"id":7},"invoice-lines":[
            {"id":2,"account":{"id":11}},
            {"id":3,"account":null,"account-allocations":[{"id":4,"account":{"id":12}}]}]}]"#;
        decoder.page(page.as_bytes()).expect("it is a page");
        let references = References::default();
        references.note(&decoder.finish().expect("it is a batch").batch);
        assert_eq!(references.to("accounts"), [11, 12]);
        assert_eq!(references.to("suppliers"), [7]);
        assert!(references.to("users").is_empty());
    }

    #[test]
    fn what_is_referred_to_is_defined() {
        let schemas = Schemas::embedded().expect("the definitions are sound");
        for (_, resource) in REFERENCES {
            assert!(schemas.resources.contains_key(resource), "{resource}");
        }
    }
}
