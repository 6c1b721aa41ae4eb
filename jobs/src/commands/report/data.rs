//! A report's rows as a page takes them: texts, exact, and not more than a page can hold.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;
use pages::{Column, ColumnKind, Data, Source};
use pipeline::LakeSettings;
use pipeline::catalog::CatalogError;
use schemas::Report;

use super::ask::Asked;
use super::of_report;
use crate::output::{Exit, Failure};

/// Rows of one table on a page: more is for a file.
const PAGE_ROWS: usize = 500;

/// Asks `report` and keeps its first rows; all are counted.
pub async fn ask(
    report: &Report,
    title: Option<&str>,
    lake: &LakeSettings,
    asked: &Asked<'_>,
) -> Result<Data, Failure> {
    let failed = |error: pipeline::Error| of_report(Failure::from(error), report);
    let question = asked.question(report)?;
    let mut stream = pipeline::query(lake, question).await.map_err(failed)?;
    let schema = stream.schema();
    let mut data = Data {
        source: Source {
            name: report.name.clone(),
            title: title.unwrap_or(&report.title).to_owned(),
            definition: report.definition.clone(),
            sql: report.query().to_owned(),
            parameters: asked
                .values(report)?
                .into_iter()
                .map(|(name, value)| (name, value.text().map(str::to_owned)))
                .collect(),
            command: asked.command(report)?,
        },
        columns: schema.fields().iter().map(|field| column(field)).collect(),
        rows: Vec::new(),
        row_count: 0,
    };
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|error| failed(CatalogError::from(error).into()))?;
        data.row_count += batch.num_rows() as u64;
        let wanted = PAGE_ROWS.saturating_sub(data.rows.len());
        let batch = batch.slice(0, wanted.min(batch.num_rows()));
        append(&batch, &mut data).map_err(|error| Failure {
            message: format!("report {}: its rows cannot be shown", report.name),
            causes: vec![error.to_string()],
            hint: None,
            exit: Exit::Bug,
        })?;
    }
    Ok(data)
}

fn append(batch: &RecordBatch, data: &mut Data) -> Result<(), arrow::error::ArrowError> {
    let options = FormatOptions::default();
    let cells: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options))
        .collect::<Result<_, _>>()?;
    for row in 0..batch.num_rows() {
        let columns = batch.columns().iter().zip(&cells);
        let texts = columns.map(|(column, cell)| match column.is_null(row) {
            true => None,
            false => Some(cell.value(row).to_string()),
        });
        data.rows.push(texts.collect());
    }
    Ok(())
}

/// A column of shares says so in its name: `share`, `…_share`, `…_rate`.
fn column(field: &Field) -> Column {
    let name = field.name().clone();
    let is_share = ["share", "rate"].iter().any(|word| {
        let end = name.strip_suffix(word);
        end.is_some_and(|before| before.is_empty() || before.ends_with('_'))
    });
    let kind = match field.data_type() {
        DataType::Decimal128(..) | DataType::Float64 if is_share => ColumnKind::Share,
        DataType::Decimal128(..) | DataType::Decimal256(..) | DataType::Float64 => {
            ColumnKind::Decimal
        }
        DataType::Date32 => ColumnKind::Date,
        kind if kind.is_integer() => ColumnKind::Count,
        _ => ColumnKind::Text,
    };
    Column { name, kind }
}
