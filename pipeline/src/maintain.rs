//! Keeps a lake quick and small: joins small files, and removes files that no reader needs.
//!
//! Both are the table format's own operations. Joining moves rows without changing any, and says so in its
//! commit, so no mapping works on them again. Removing leaves every file that a version of the last days
//! refers to, and files so young that a run at work may be about to commit them.

use std::num::NonZeroU64;

use chrono::TimeDelta;
use deltalake::operations::vacuum::VacuumMode;
use serde::Serialize;

use crate::catalog::{Lake, Snapshot, TableName, table_failed};
use crate::error::Error;
use crate::job::{LakeSettings, Stop};
use crate::load::table_properties;
use crate::summary::Problem;

const LAYERS: [&str; 4] = ["coupa", "unified", "report", "quarantine"];
/// Files are joined up to this size.
const FILE_BYTES: NonZeroU64 = NonZeroU64::new(128 << 20).expect("more than nothing");

/// What to keep, and what only to tell.
#[derive(Clone, Copy, Debug)]
pub struct MaintainOptions {
    /// Versions of so many days stay readable; files younger than that stay whatever they are.
    pub keep: TimeDelta,
    /// Say what would be removed, and change nothing.
    pub dry_run: bool,
}

/// What was done to one table.
#[derive(Clone, Debug, Serialize)]
pub struct Maintained {
    pub table: String,
    pub files_before: u64,
    pub files_after: u64,
    /// Files that no version of the kept days refers to, left-overs of ended runs among them.
    pub removed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

impl Maintained {
    pub(crate) fn of(table: &TableName) -> Maintained {
        Maintained {
            table: table.to_string(),
            files_before: 0,
            files_after: 0,
            removed: 0,
            error: None,
        }
    }
}

/// Joins and removes files of every table of the lake, one table at a time.
///
/// A table that fails is reported and the others are worked on. `observe` is told each table as it is done.
/// Errors only when the lake can not be listed.
pub async fn maintain(
    settings: &LakeSettings,
    options: MaintainOptions,
    stop: &Stop,
    observe: &(dyn Fn(&Maintained) + Send + Sync),
) -> Result<Vec<Maintained>, Error> {
    let lake = Lake::open(settings)?;
    let mut done = Vec::new();
    for layer in LAYERS {
        for name in lake.tables(layer).await? {
            if stop.is_requested() {
                return Ok(done);
            }
            let mut table = Maintained::of(&name);
            if let Err(error) = maintain_table(&lake, &name, options, &mut table).await {
                table.error = Some(Problem::from(&error));
            }
            observe(&table);
            done.push(table);
        }
    }
    Ok(done)
}

pub(crate) async fn maintain_table(
    lake: &Lake,
    name: &TableName,
    options: MaintainOptions,
    done: &mut Maintained,
) -> Result<(), Error> {
    let Some(mut snapshot) = Snapshot::open(lake, name).await? else {
        return Ok(());
    };
    let failed = |e| table_failed(name, e);
    done.files_before = snapshot.files.len() as u64;
    if !options.dry_run && snapshot.files.len() > 1 {
        let (table, _) = snapshot
            .table
            .clone()
            .optimize()
            .with_target_size(FILE_BYTES)
            .with_max_concurrent_tasks(1)
            .with_writer_properties(table_properties(name, &snapshot.schema)?)
            .await
            .map_err(failed)?;
        snapshot = Snapshot::of(name, table)?;
    }
    let (table, removed) = snapshot
        .table
        .clone()
        .vacuum()
        .with_mode(VacuumMode::Full)
        .with_retention_period(options.keep)
        .with_enforce_retention_duration(false)
        .with_dry_run(options.dry_run)
        .await
        .map_err(failed)?;
    done.removed = removed.files_deleted.len() as u64;
    done.files_after = Snapshot::of(name, table)?.files.len() as u64;
    Ok(())
}
