//! In which order tables are refreshed: a mapping that reads a table runs after it.

use std::collections::{BTreeMap, BTreeSet};

use schemas::Schemas;

use super::TransformError;
use crate::catalog::{TableName, new_session, referenced_tables};

/// Names of all unified tables, those read by others first.
pub fn refresh_order(schemas: &Schemas) -> Result<Vec<String>, TransformError> {
    let ctx = new_session(None).map_err(crate::catalog::CatalogError::from)?;
    let mut waits_for: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, table) in &schemas.tables {
        let mut reads = BTreeSet::new();
        for mapping in &table.mappings {
            for sql in std::iter::once(&mapping.sql).chain(mapping.when.values()) {
                let tables =
                    referenced_tables(&ctx, sql).map_err(|source| TransformError::Plan {
                        mapping: format!("{name}/{}", mapping.name),
                        source: Box::new(source),
                    })?;
                reads.extend(tables.into_iter().filter_map(|read| unified(read, name)));
            }
        }
        waits_for.insert(name, reads);
    }
    let mut order: Vec<String> = Vec::new();
    while order.len() < waits_for.len() {
        let ready: Vec<&str> = waits_for
            .iter()
            .filter(|(name, _)| !order.iter().any(|done| done == *name))
            .filter(|(_, reads)| {
                reads
                    .iter()
                    .all(|read| order.contains(read) || !waits_for.contains_key(read.as_str()))
            })
            .map(|(name, _)| *name)
            .collect();
        if ready.is_empty() {
            let stuck: Vec<_> = waits_for
                .keys()
                .filter(|name| !order.iter().any(|done| done == *name))
                .copied()
                .collect();
            return Err(TransformError::Circle(stuck.join(", ")));
        }
        order.extend(ready.into_iter().map(str::to_string));
    }
    Ok(order)
}

/// A table that reads itself sees it as last committed, which is no circle.
fn unified(read: TableName, own: &str) -> Option<String> {
    (read.layer == "unified" && read.name != own).then_some(read.name)
}
