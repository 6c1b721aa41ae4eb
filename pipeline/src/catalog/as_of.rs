//! Time travel: which version of a table a moment means, and whether that version can still be read.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectStore, ObjectStoreExt, path::Path};

use super::{CatalogError, Lake, Snapshot, TableName, table_handle};

/// Files that are asked for at once, to see whether an old version still has them.
const CONCURRENT_CHECKS: usize = 16;

/// A version of a table, or the one that was the newest at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    Version(u64),
    Time(DateTime<Utc>),
}

/// What `AsOf` is written as.
const FORMS: &str = "write a version (12), a day (2026-03-01, its beginning in UTC) or a time \
    (2026-03-01T08:30:00Z)";

impl FromStr for AsOf {
    type Err = String;

    /// A number is a version; a day is its beginning in UTC; a time without an offset is in UTC.
    fn from_str(text: &str) -> Result<AsOf, String> {
        let text = text.trim();
        if let Ok(version) = text.parse() {
            return Ok(AsOf::Version(version));
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)) {
            return Ok(AsOf::Time(time.to_utc()));
        }
        for form in [
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y-%m-%dT%H:%M",
            "%Y-%m-%d %H:%M",
        ] {
            if let Ok(time) = NaiveDateTime::parse_from_str(text, form) {
                return Ok(AsOf::Time(time.and_utc()));
            }
        }
        match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Ok(day) => Ok(AsOf::Time(day.and_time(chrono::NaiveTime::MIN).and_utc())),
            Err(_) => Err(FORMS.to_string()),
        }
    }
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AsOf::Version(version) => write!(f, "version {version}"),
            AsOf::Time(time) => f.write_str(&moment(*time)),
        }
    }
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Why a table can not be read as of then.
#[derive(Debug, thiserror::Error)]
pub enum NotThere {
    #[error("{table} has no version {version} yet: the newest is {newest}")]
    Ahead {
        table: String,
        version: u64,
        newest: u64,
    },
    #[error("{table} was not there on {asked}: its first commit was on {first}")]
    Before {
        table: String,
        asked: String,
        first: String,
    },
    #[error("{table} as of {asked} is gone: what it was made of has been tidied away")]
    Gone { table: String, asked: String },
}

impl Snapshot {
    /// The table as of then; `None` when there is no such table at all.
    ///
    /// A version of a moment is the last one whose commit file is not younger, as in other readers of
    /// Delta tables. Errors: `CatalogError::NotThere` when no such version exists, or not any more.
    pub async fn open_as_of(
        lake: &Lake,
        name: &TableName,
        as_of: AsOf,
    ) -> Result<Option<Snapshot>, CatalogError> {
        let Some(newest) = Snapshot::open(lake, name).await? else {
            return Ok(None);
        };
        let version = match as_of {
            AsOf::Version(version) if version > newest.version => {
                return Err(CatalogError::NotThere(NotThere::Ahead {
                    table: name.to_string(),
                    version,
                    newest: newest.version,
                }));
            }
            AsOf::Version(version) => version,
            AsOf::Time(time) => version_at(lake, name, time).await?,
        };
        if version == newest.version {
            return Ok(Some(newest));
        }
        let gone = || {
            CatalogError::NotThere(NotThere::Gone {
                table: name.to_string(),
                asked: as_of.to_string(),
            })
        };
        let mut table = table_handle(lake, name);
        if table.load_version(version).await.is_err() {
            // The newest version was read just now, so it is this one's part of the log that lacks.
            return Err(gone());
        }
        let then = Snapshot::of(name, table)?;
        if then.version != version {
            return Err(gone());
        }
        let live: HashSet<&str> = newest.files.iter().map(|file| file.path.as_str()).collect();
        let store = newest.table.log_store().object_store(None);
        let replaced = then.files.iter().map(|file| file.path.as_str());
        let replaced: Vec<_> = replaced.filter(|path| !live.contains(path)).collect();
        let there = stream::iter(replaced)
            .map(|path| exists(store.as_ref(), path))
            .buffer_unordered(CONCURRENT_CHECKS)
            .try_all(|there| async move { there })
            .await
            .map_err(|source| CatalogError::Store {
                subject: format!("a file of {name}"),
                source,
            })?;
        match there {
            true => Ok(Some(then)),
            false => Err(gone()),
        }
    }
}

async fn exists(store: &dyn ObjectStore, path: &str) -> Result<bool, object_store::Error> {
    match store.head(&Path::from(path)).await {
        Ok(_) => Ok(true),
        Err(object_store::Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The last version whose commit is not younger than `time`.
async fn version_at(
    lake: &Lake,
    name: &TableName,
    time: DateTime<Utc>,
) -> Result<u64, CatalogError> {
    let commits = commits(lake, name).await?;
    let early: Vec<_> = commits.iter().filter(|commit| commit.at <= time).collect();
    if let Some(last) = early.last() {
        return Ok(last.version);
    }
    let asked = moment(time);
    let table = name.to_string();
    Err(CatalogError::NotThere(match commits.first() {
        Some(first) if first.version == 0 => NotThere::Before {
            table,
            asked,
            first: moment(first.at),
        },
        _ => NotThere::Gone { table, asked },
    }))
}

struct CommitFile {
    version: u64,
    at: DateTime<Utc>,
}

/// The commits that the log still has, oldest first; their times never go back.
async fn commits(lake: &Lake, name: &TableName) -> Result<Vec<CommitFile>, CatalogError> {
    let folder = lake.table_path(name).join("_delta_log");
    let listed = lake.store().list_with_delimiter(Some(&folder)).await;
    let listed = listed.map_err(|source| CatalogError::Store {
        subject: format!("the log of {name}"),
        source,
    })?;
    let mut commits: Vec<CommitFile> = listed
        .objects
        .iter()
        .filter_map(|object| {
            let stem = object.location.filename()?.strip_suffix(".json")?;
            let version = stem.parse().ok()?;
            Some(CommitFile {
                version,
                at: object.last_modified,
            })
        })
        .collect();
    commits.sort_by_key(|commit| commit.version);
    // A copied lake, or a clock that was set back, may have a later commit with an earlier time.
    let mut latest = DateTime::<Utc>::MIN_UTC;
    for commit in &mut commits {
        latest = latest.max(commit.at);
        commit.at = latest;
    }
    Ok(commits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_days_and_times() {
        let time = |text: &str| AsOf::Time(text.parse().expect("a time"));
        for (text, expected) in [
            ("12", AsOf::Version(12)),
            ("2026-03-01", time("2026-03-01T00:00:00Z")),
            ("2026-03-01T08:30", time("2026-03-01T08:30:00Z")),
            ("2026-03-01 08:30:15", time("2026-03-01T08:30:15Z")),
            ("2026-03-01T08:30:00+02:00", time("2026-03-01T06:30:00Z")),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "yesterday", "-1", "2026-13-01"] {
            assert_eq!(text.parse::<AsOf>(), Err(FORMS.to_string()), "{text}");
        }
    }
}
