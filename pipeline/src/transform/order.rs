//! In which order tables are refreshed: a mapping that reads a table runs after it.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{Schemas, Table};

use super::TransformError;
use crate::catalog::{TableName, new_session, referenced_tables};

/// All tables that are made, those read by others first.
pub fn refresh_order(schemas: &Schemas) -> Result<Vec<&Table>, TransformError> {
    let ctx = new_session(None).map_err(crate::catalog::CatalogError::from)?;
    let mut waits_for: BTreeMap<TableName, BTreeSet<TableName>> = BTreeMap::new();
    for table in schemas.made_tables() {
        let own = TableName::new(&table.layer, &table.name);
        let mut reads = BTreeSet::new();
        let mappings = table.mappings.iter().flat_map(|mapping| {
            let queries = std::iter::once(&mapping.sql).chain(mapping.when.values());
            queries.map(|sql| (&mapping.name, sql))
        });
        // What a check looks at is made before the table that it is about.
        let checks = table.checks.iter().map(|check| (&check.name, &check.sql));
        for (name, sql) in mappings.chain(checks) {
            let tables = referenced_tables(&ctx, sql).map_err(|source| TransformError::Plan {
                mapping: format!("{}/{name}", table.name),
                source: Box::new(source),
            })?;
            // A table that reads itself sees it as last committed, which is no circle.
            reads.extend(tables.into_iter().filter(|read| *read != own));
        }
        waits_for.insert(own, reads);
    }
    let mut order: Vec<TableName> = Vec::new();
    while order.len() < waits_for.len() {
        let left = waits_for.iter().filter(|(name, _)| !order.contains(name));
        let is_done = |read: &TableName| order.contains(read) || !waits_for.contains_key(read);
        let ready: Vec<TableName> = left
            .clone()
            .filter(|(_, reads)| reads.iter().all(is_done))
            .map(|(name, _)| name.clone())
            .collect();
        if ready.is_empty() {
            let stuck: Vec<_> = left.map(|(name, _)| name.name.as_str()).collect();
            return Err(TransformError::Circle(stuck.join(", ")));
        }
        order.extend(ready);
    }
    let tables = order.iter();
    Ok(tables
        .filter_map(|name| schemas.table(&name.layer, &name.name))
        .collect())
}
