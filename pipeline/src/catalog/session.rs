//! Query sessions: one set of settings and functions for mappings, reports and ad-hoc queries.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::common::config::Dialect;
use datafusion::error::Result;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::{DataFile, Lake, TableName, functions};

/// Rows a batch: raw records carry their JSON, so a batch of 1,024 is already some 8 MiB.
const BATCH_ROWS: usize = 1_024;
/// What a batch of a mapping may take where its records are large.
const BATCH_BYTES: u64 = 16 << 20;
/// A byte of a file is about so many in memory.
const UNPACKED: u64 = 4;
/// What a file of wide rows takes besides them, at most.
const FOOTER_BYTES: u64 = 1 << 20;
/// Queries spill to disk beyond this.
const MEMORY_BYTES: usize = 192 << 20;
/// What a report's mapping may use: it joins and sorts whole tables, in narrow rows.
const REPORT_MEMORY_BYTES: usize = 1 << 30;
/// Rows a batch of such a mapping; its rows are narrow.
const REPORT_BATCH_ROWS: usize = 8_192;
const CATALOG: &str = "spendlake";
/// The schemas a query may name.
pub const LAYERS: [&str; 7] = [
    "coupa",
    "unified",
    "report",
    "quarantine",
    "words",
    "changed",
    "current",
];

/// A session with our functions, bounded memory, and the lake's store when there is one.
pub fn new_session(lake: Option<&Lake>) -> Result<SessionContext> {
    session(
        lake,
        SessionConfig::new().with_batch_size(BATCH_ROWS),
        MEMORY_BYTES,
    )
}

/// A session that works through its input in one stream.
///
/// Mappings move wide rows past narrow ones; dealing them out to several partitions would copy each row
/// and hold batches for every one of them. Their work is spread by running several streams instead.
/// Where the rows of `driver` are large, a batch has fewer of them.
pub fn new_mapping_session(lake: Option<&Lake>, driver: &[DataFile]) -> Result<SessionContext> {
    let config = SessionConfig::new().with_target_partitions(1);
    session(
        lake,
        config.with_batch_size(batch_rows(driver)),
        MEMORY_BYTES,
    )
}

/// So many rows that a batch of the largest in these files takes about [`BATCH_BYTES`].
fn batch_rows(files: &[DataFile]) -> usize {
    let row_bytes = |file: &DataFile| {
        let pages = file.bytes.saturating_sub(FOOTER_BYTES);
        pages / file.row_count.max(1) * UNPACKED
    };
    let largest = files.iter().map(row_bytes).max().unwrap_or(0);
    let rows = BATCH_BYTES / largest.max(1);
    usize::try_from(rows).map_or(BATCH_ROWS, |rows| rows.clamp(1, BATCH_ROWS))
}

/// A session for statements that people write: it knows where in the text each column stands.
pub fn new_query_session(lake: Option<&Lake>) -> Result<SessionContext> {
    let mut config = SessionConfig::new().with_batch_size(BATCH_ROWS);
    config.options_mut().sql_parser.collect_spans = true;
    session(lake, config, MEMORY_BYTES)
}

/// A session for mappings that join and sort whole tables of narrow rows: all cores, larger batches.
pub fn new_report_session(lake: Option<&Lake>) -> Result<SessionContext> {
    let config = SessionConfig::new().with_batch_size(REPORT_BATCH_ROWS);
    session(lake, config, REPORT_MEMORY_BYTES)
}

fn session(
    lake: Option<&Lake>,
    config: SessionConfig,
    memory_bytes: usize,
) -> Result<SessionContext> {
    let mut config = config
        .with_default_catalog_and_schema(CATALOG, "unified")
        .with_information_schema(true);
    let options = config.options_mut();
    // The dialect whose lambdas (`x -> …`) nested lists are mapped with.
    options.sql_parser.dialect = Dialect::DuckDB;
    // Plain strings everywhere: contracts name them so, and Delta has no views.
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.parquet.schema_force_view_types = false;
    // Lifting field accesses out of lambda bodies breaks them at run time (DataFusion 55).
    options.optimizer.enable_leaf_expression_pushdown = false;
    // Mappings are long and planned often; a second and third pass found nothing more in any of them.
    options.optimizer.max_passes = 1;
    options.execution.time_zone = Some("UTC".to_string());
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory_bytes)))
        .build_arc()?;
    if let Some(lake) = lake {
        runtime.register_object_store(lake.store_url().as_ref(), lake.store());
    }
    let mut rules = PhysicalOptimizer::new().rules;
    // It renumbers columns below a lambda but not the lambda's own variable, so a mapping over a nested
    // list fails at run time (DataFusion 55). The logical plan has pushed projections into scans before.
    rules.retain(|rule| rule.name() != "ProjectionPushdown");
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_physical_optimizer_rules(rules)
        .build();
    let ctx = SessionContext::new_with_state(state);
    functions::register(&ctx);
    register_schemas(&ctx)?;
    Ok(ctx)
}

/// Makes the layers known to the session, empty.
pub fn register_schemas(ctx: &SessionContext) -> Result<()> {
    let catalog = ctx
        .catalog(CATALOG)
        .expect("the session is made with this catalog as its default");
    for layer in LAYERS {
        if catalog.schema(layer).is_none() {
            let schema: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
            catalog.register_schema(layer, schema)?;
        }
    }
    Ok(())
}

/// The tables that a statement reads, by qualified name; a bare name means `unified`.
pub fn referenced_tables(ctx: &SessionContext, sql: &str) -> Result<BTreeSet<TableName>> {
    let state = ctx.state();
    let statement = state.sql_to_statement(sql, &Dialect::DuckDB)?;
    let references = state.resolve_table_references(&statement)?;
    Ok(references
        .into_iter()
        .map(|reference| {
            let resolved = reference.resolve(CATALOG, "unified");
            TableName::new(resolved.schema.as_ref(), resolved.table.as_ref())
        })
        .collect())
}
