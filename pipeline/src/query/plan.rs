//! Every report is planned against the declared columns, which finds a wrong one without any data.

use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use schemas::{Report, Schemas};

use super::wrong::wrong_statement;
use super::{Question, planned};
use crate::catalog::{CatalogError, new_query_session, referenced_tables};
use crate::error::{Error, Kind};
use crate::transform::table_schema;

/// A day to plan with: defaults that are days of the calendar need one, and its types are all that counts.
const SOME_DAY: (i32, u32, u32) = (2026, 1, 1);

/// Plans all reports; returns what is wrong with each that is.
pub async fn check_reports(schemas: &Schemas) -> Vec<Error> {
    let mut problems = Vec::new();
    for report in schemas.reports.values() {
        if let Err(mut problem) = check(schemas, report).await {
            problem.message = format!("reports/{}.sql: {}", report.name, problem.message);
            problems.push(problem);
        }
    }
    problems
}

async fn check(schemas: &Schemas, report: &Report) -> Result<(), Error> {
    let ctx = new_query_session(None).map_err(CatalogError::from)?;
    let wrong = |error| wrong_statement(&error, &report.sql, &[]);
    for name in referenced_tables(&ctx, &report.sql).map_err(wrong)? {
        let Some(table) = schemas.table(&name.layer, &name.name) else {
            let text = format!("there is no table {name} in the definitions");
            let hint = "a report reads tables of the layers unified and report";
            return Err(Error::new(Kind::Invalid, text).with_hint(hint));
        };
        let reference = TableReference::partial(name.layer.clone(), name.name.clone());
        let empty = EmptyTable::new(table_schema(table));
        ctx.register_table(reference, Arc::new(empty))
            .map_err(CatalogError::from)?;
    }
    let question = Question {
        sql: report.sql.clone(),
        as_of: None,
        values: report
            .parameters
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.default.on(SOME_DAY)))
            .collect(),
    };
    let frame = planned(&ctx, &question).await.map_err(wrong)?;
    // Types are settled while a plan is made ready to run.
    frame.create_physical_plan().await.map_err(wrong)?;
    Ok(())
}
