//! What there is to ask about: the lake's tables, and the columns of one, with their documentation.

use arrow::datatypes::{DataType, Field, TimeUnit};
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};

use super::LAYERS;
use super::wrong::no_table;
use crate::catalog::{AsOf, CatalogError, Lake, LakeSettings, Snapshot, TableName};
use crate::error::Error;

/// Tables whose logs are read at once.
const CONCURRENT_TABLES: usize = 8;

/// One table of the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableListing {
    pub name: TableName,
    pub row_count: u64,
    pub version: u64,
    pub committed_at: Option<DateTime<Utc>>,
    /// What a row is; empty where the table does not say.
    pub doc: String,
    pub columns: Vec<ColumnListing>,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnListing {
    pub name: String,
    /// In the words of the definitions: `utf8`, `decimal(38, 9)`, `list<struct<…>>`.
    pub kind: String,
    pub null: bool,
    pub doc: String,
}

/// Names of all tables of the lake.
pub async fn tables(settings: &LakeSettings) -> Result<Vec<TableName>, Error> {
    let lake = Lake::open(settings)?;
    Ok(names(&lake).await?)
}

/// All tables of the lake, by name.
pub async fn list_tables(settings: &LakeSettings) -> Result<Vec<TableListing>, Error> {
    let lake = Lake::open(settings)?;
    let listings: Vec<Option<TableListing>> = stream::iter(names(&lake).await?)
        .map(|name| {
            let lake = lake.clone();
            async move { Ok::<_, CatalogError>(Snapshot::open(&lake, &name).await?.map(listing)) }
        })
        .buffered(CONCURRENT_TABLES)
        .try_collect()
        .await?;
    Ok(listings.into_iter().flatten().collect())
}

/// One table, with its columns, as of then or as last committed.
///
/// `name` is qualified; without a layer it means `unified`. Errors: no such table, near ones named.
pub async fn describe(
    settings: &LakeSettings,
    name: &str,
    as_of: Option<AsOf>,
) -> Result<TableListing, Error> {
    let lake = Lake::open(settings)?;
    let name = TableName::parse(name).unwrap_or_else(|| TableName::new("unified", name));
    match super::open(&lake, &name, as_of).await? {
        Some(snapshot) => Ok(listing(snapshot)),
        None => Err(no_table(&lake, &name, None).await?),
    }
}

async fn names(lake: &Lake) -> Result<Vec<TableName>, CatalogError> {
    let mut names = Vec::new();
    for layer in LAYERS {
        names.extend(lake.tables(layer).await?);
    }
    Ok(names)
}

fn listing(snapshot: Snapshot) -> TableListing {
    let state = snapshot.table.snapshot().ok();
    let doc = state.and_then(|state| state.metadata().description());
    TableListing {
        row_count: snapshot.row_count(),
        version: snapshot.version,
        committed_at: snapshot.committed_at(),
        doc: doc.unwrap_or_default().to_string(),
        columns: snapshot.schema.fields().iter().map(|f| column(f)).collect(),
        name: snapshot.name,
    }
}

fn column(field: &Field) -> ColumnListing {
    ColumnListing {
        name: field.name().clone(),
        kind: kind(field.data_type()),
        null: field.is_nullable(),
        doc: field.metadata().get("comment").cloned().unwrap_or_default(),
    }
}

/// A type in the words of the definitions.
fn kind(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "utf8".to_string(),
        DataType::Boolean => "bool".to_string(),
        DataType::Int8 => "int8".to_string(),
        DataType::Int16 => "int16".to_string(),
        DataType::Int32 => "int32".to_string(),
        DataType::Int64 => "int64".to_string(),
        DataType::Date32 => "date".to_string(),
        DataType::Binary => "binary".to_string(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamp".to_string(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision}, {scale})"),
        DataType::Map(..) => "map".to_string(),
        DataType::List(item) => format!("list<{}>", kind(item.data_type())),
        DataType::Struct(members) => {
            let members = members.iter();
            let members: Vec<String> = members
                .map(|member| format!("{} {}", member.name(), kind(member.data_type())))
                .collect();
            format!("struct<{}>", members.join(", "))
        }
        other => other.to_string(),
    }
}
