//! Brings a warehouse up to what the lake has committed, table by table.
//!
//! The warehouse is fed from committed versions alone, and says itself which version it holds: a warehouse
//! that was down, or a run that was killed, is caught up with by the next run, whatever happened between.

mod changes;

use std::time::Instant;

use schemas::{Schemas, Table};
use warehouse::{ColumnDefinition, Load, Loaded, Settings, TableDefinition, Version, Warehouse};

use self::changes::{Changes, changes};
use crate::catalog::{CONNECTION_COLUMN, Lake, Snapshot, TableName};
use crate::error::{Error, Kind};
use crate::job::{Event, Stop, TableState};
use crate::summary::{Outcome, Problem, SinkSummary};
use crate::transform::{MONTH_COLUMN, table_schema};

/// A load that is raced, or whose connection breaks, is planned anew this often in all.
const ATTEMPTS: u32 = 3;

/// What a delivery needs to know of the run around it.
pub struct Delivering<'a> {
    pub lake: &'a Lake,
    pub settings: &'a Settings,
    pub connection: &'a str,
    pub run_id: &'a str,
    pub observe: &'a (dyn Fn(Event) + Send + Sync),
    pub stop: &'a Stop,
}

/// A table of the lake, and what a warehouse is to make of it.
pub struct Deliverable {
    pub name: TableName,
    pub definition: TableDefinition,
}

impl Deliverable {
    /// A table that has a contract. `unified` tables keep their names, those of other layers have the layer
    /// before it: `report_spend_lines`.
    pub fn of_contract(layer: &str, table: &Table) -> Deliverable {
        let name = match layer {
            "unified" => table.name.clone(),
            other => format!("{other}_{}", table.name),
        };
        let schema = table_schema(table);
        // The month is the lake's way to lay out files, and no fact of its own.
        let fields = schema.fields().iter().filter(|f| f.name() != MONTH_COLUMN);
        let columns: Vec<_> = fields
            .map(|field| ColumnDefinition {
                name: field.name().clone(),
                data_type: field.data_type().clone(),
                null: field.is_nullable(),
                doc: field.metadata().get("comment").cloned().unwrap_or_default(),
                // Inside of nested columns, and here, the only maps are custom fields.
                json_maps: field.name() == "custom_fields"
                    || !matches!(field.data_type(), arrow::datatypes::DataType::Map(_, _)),
            })
            .collect();
        let connection = columns.iter().find(|c| c.name == CONNECTION_COLUMN);
        Deliverable {
            name: TableName::new(layer, &table.name),
            definition: TableDefinition {
                name,
                doc: table.doc.clone(),
                key: table.key.clone(),
                replace_by: table.replace_by.clone(),
                connection_column: connection.map(|column| column.name.clone()),
                indexes: indexes(table),
                columns,
            },
        }
    }
}

/// Every unified and every report table.
pub fn deliverables(schemas: &Schemas) -> Vec<Deliverable> {
    let layers = [
        ("unified", &schemas.tables),
        ("report", &schemas.report_tables),
    ];
    layers
        .into_iter()
        .flat_map(|(layer, tables)| {
            let tables = tables.values();
            tables.map(move |table| Deliverable::of_contract(layer, table))
        })
        .collect()
}

/// Tables that documents are followed through; a column that joins one is worth an index.
const JOINED: [&str; 5] = [
    "invoices",
    "purchase_orders",
    "purchase_order_lines",
    "purchase_order_requisitions",
    "purchase_order_requisition_lines",
];

/// What rows are looked up by besides the key: their own id, their parent's, the documents they belong to,
/// and when they changed.
fn indexes(table: &Table) -> Vec<Vec<String>> {
    let joins = |doc: &str| {
        let doc = doc.to_lowercase();
        let named = doc.split("joins unified.").nth(1);
        let named = named.map(|rest| rest.split(|c: char| c != '_' && !c.is_ascii_lowercase()));
        named
            .and_then(|mut words| words.next())
            .is_some_and(|name| JOINED.contains(&name))
    };
    let wanted = table.columns.iter().filter(|column| {
        let parent = table.replace_by.contains(&column.name) && column.name != CONNECTION_COLUMN;
        parent || ["id", "updated_at"].contains(&column.name.as_str()) || joins(&column.doc)
    });
    wanted.map(|column| vec![column.name.clone()]).collect()
}

/// Loads what changed since the version that the warehouse holds, for each of `tables`.
///
/// Never fails as a whole: what goes wrong stands in the summaries. Once the warehouse does not answer, the
/// tables that are left are not tried.
pub async fn deliver(run: &Delivering<'_>, tables: &[Deliverable]) -> Vec<SinkSummary> {
    let started = Instant::now();
    let mut warehouse = match Warehouse::connect(run.settings).await {
        Ok(warehouse) => warehouse,
        Err(error) => {
            let error = Error::from(error);
            return vec![SinkSummary {
                sink: "warehouse".to_string(),
                table: None,
                version: None,
                rows: 0,
                nul_texts: 0,
                seconds: started.elapsed().as_secs_f64(),
                outcome: Outcome::Failed,
                error: Some(Problem::from(&error)),
            }];
        }
    };
    let mut summaries = Vec::with_capacity(tables.len());
    for table in tables {
        if run.stop.is_requested() {
            break;
        }
        let tell = |state| {
            (run.observe)(Event::Sink {
                table: table.name.to_string(),
                state,
            });
        };
        tell(TableState::Started);
        let started = Instant::now();
        let mut summary = SinkSummary {
            sink: warehouse.name().to_string(),
            table: Some(table.name.to_string()),
            version: None,
            rows: 0,
            nul_texts: 0,
            seconds: 0.0,
            outcome: Outcome::Done,
            error: None,
        };
        let delivered = deliver_table(run, &mut warehouse, table, &mut summary).await;
        summary.seconds = started.elapsed().as_secs_f64();
        let mut lost = false;
        match delivered {
            Ok(()) => tell(TableState::Done),
            Err(error) => {
                lost = error.kind == Kind::Unavailable;
                summary.outcome = Outcome::Failed;
                summary.error = Some(Problem::from(&error));
                tell(TableState::Failed);
            }
        }
        summaries.push(summary);
        if lost {
            break;
        }
    }
    summaries
}

async fn deliver_table(
    run: &Delivering<'_>,
    warehouse: &mut Warehouse,
    table: &Deliverable,
    summary: &mut SinkSummary,
) -> Result<(), Error> {
    let Some(snapshot) = Snapshot::open(run.lake, &table.name).await? else {
        return Ok(());
    };
    let to = Version {
        table_id: snapshot.table_id()?,
        number: snapshot.version,
    };
    let mut attempt = 1;
    loop {
        let tried = deliver_once(run, warehouse, table, &snapshot, &to).await;
        match tried {
            Ok(Some(loaded)) => {
                summary.version = Some(to.number);
                (summary.rows, summary.nul_texts) = loaded;
                return Ok(());
            }
            Ok(None) if attempt < ATTEMPTS => {}
            Ok(None) => {
                let text = format!("another run loads {} at the same time", table.name);
                return Err(Error::new(Kind::Unavailable, text)
                    .with_hint("the next run brings what is missing"));
            }
            Err(error) if error.kind == Kind::Unavailable && attempt < ATTEMPTS => {
                tracing::debug!("{}: attempt {attempt}: {error}", table.name);
            }
            Err(error) => return Err(error),
        }
        attempt += 1;
    }
}

/// One load as planned now: rows sent and texts changed; `None` when somebody else was faster.
async fn deliver_once(
    run: &Delivering<'_>,
    warehouse: &mut Warehouse,
    table: &Deliverable,
    snapshot: &Snapshot,
    to: &Version,
) -> Result<Option<(u64, u64)>, Error> {
    let loaded = warehouse
        .loaded(run.connection, &table.definition.name)
        .await?;
    // A version beyond ours was loaded by a run that saw more; it is not taken back.
    let from = loaded.map(|Loaded { version, .. }| version);
    let same_table = from.as_ref().filter(|from| from.table_id == to.table_id);
    if same_table.is_some_and(|from| from.number >= to.number) {
        return Ok(Some((0, 0)));
    }
    let Changes { scope, rows } = changes(
        run.lake,
        snapshot,
        &table.definition,
        run.connection,
        same_table.map(|from| from.number),
    )
    .await?;
    let load = Load {
        connection: run.connection.to_string(),
        from,
        to: to.clone(),
        run_id: run.run_id.to_string(),
        scope,
    };
    Ok(
        match warehouse.load(&table.definition, &load, rows).await? {
            warehouse::Outcome::Loaded { rows, nul_texts } => Some((rows, nul_texts)),
            warehouse::Outcome::Raced => None,
        },
    )
}

/// Whether a warehouse can be reached and written: what `check` tries.
pub async fn try_warehouse(settings: &Settings) -> Result<(), Error> {
    Warehouse::connect(settings).await?;
    Ok(())
}
