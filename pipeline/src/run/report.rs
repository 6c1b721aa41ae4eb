//! What reports need of a run beside the tables that they are made of: when they are made anew, and what must hold
//! of them.

use std::collections::BTreeMap;

use schemas::{Schemas, Table};
use sha2::{Digest, Sha256};

use super::refresh::{EMPTY_COMMITS, Refreshing, Work, number};
use crate::catalog::{Snapshot, TableName};
use crate::error::{Error, Kind};
use crate::summary::Problem;
use crate::transform::{Changes, Feed, Layers, broken};

/// A report is made anew, whole, when rows of any table that it reads came or went; what it then brings
/// is compared with what is there, so only rows that differ are written.
pub(super) async fn plan_report(
    run: &Refreshing<'_>,
    layers: &Layers<'_>,
    feed: Feed<'_>,
    base: &Snapshot,
) -> Result<Option<Work>, Error> {
    if !layers.snapshots.contains_key(&feed.driver()) {
        return Ok(None);
    }
    let consumed_id = |source: &TableName| {
        let connection = &run.mark.connection;
        format!("spendlake/{connection}/{}/{source}", feed.mapping.name)
    };
    let definition_id = consumed_id(&TableName::new("definition", "sql"));
    let definition = report_definition(run.schemas, feed)?;
    let mut changed = base.transaction(&definition_id).await? != Some(definition);
    let mut progress = vec![(definition_id, definition)];
    let mut behind = 0;
    for source in feed.reads()? {
        let Some(source) = layers.snapshots.get(&source) else {
            continue;
        };
        let id = consumed_id(&source.name);
        let consumed = base.transaction(&id).await?;
        let version = consumed.and_then(|version| u64::try_from(version).ok());
        changed = changed || source.changed_since(version).await?;
        behind = behind.max(source.version as i64 - consumed.unwrap_or(0));
        progress.push((id, source.version as i64));
    }
    Ok((changed || behind > EMPTY_COMMITS).then(|| Work {
        changes: if changed {
            vec![Changes::All]
        } else {
            Vec::new()
        },
        ids: Vec::new(),
        progress,
    }))
}

/// A number that changes with the report's query, and with the words that it reads, wherever those stand.
fn report_definition(schemas: &Schemas, feed: Feed<'_>) -> Result<i64, Error> {
    let mut hash = Sha256::new();
    hash.update(&feed.mapping.sql);
    let reads = feed.reads()?;
    for words in schemas.made_tables().flat_map(|table| &table.words) {
        if reads.contains(&TableName::new("words", &words.name)) {
            hash.update(&words.name);
            hash.update(&words.text);
        }
    }
    Ok(number(hash))
}

/// What a table's checks find of the connection's rows, as one problem.
pub(super) async fn broken_promise(
    run: &Refreshing<'_>,
    table: &Table,
    snapshots: &BTreeMap<TableName, Snapshot>,
) -> Result<Option<Problem>, Error> {
    let layers = Layers {
        lake: run.lake,
        schemas: run.schemas,
        connection: &run.mark.connection,
        raw_schemas: run.raw_schemas,
        snapshots,
    };
    for check in &table.checks {
        let found = broken(&layers, table, check).await?;
        if found.count > 0 {
            let examples = found.examples.join(", ");
            let text = format!("{} breaks of \"{}\": {examples}", found.count, check.doc);
            let hint = format!(
                "`spendlake schemas show {}.{}` prints the query that finds them",
                table.layer, table.name
            );
            return Ok(Some(Problem::from(
                &Error::new(Kind::Data, text).with_hint(hint),
            )));
        }
    }
    Ok(None)
}
