//! Unified tables in memory, written as text, and the report tables that the mappings make of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use pipeline::catalog::new_report_session;
use pipeline::transform::table_schema;
use schemas::{Schemas, Table};

/// A row as text, by column; what is not named is null.
pub type Row = BTreeMap<&'static str, String>;

/// `row! { id: "1", quantity: "2" }`
macro_rules! row {
    ($($column:ident: $value:expr),* $(,)?) => {{
        let mut row = $crate::matching::world::Row::new();
        $(if let Some(value) = $crate::matching::world::Cell::cell($value) {
            row.insert(stringify!($column), value);
        })*
        row
    }};
}
pub(crate) use row;

/// What may stand in a row.
pub trait Cell {
    fn cell(self) -> Option<String>;
}

impl Cell for &str {
    fn cell(self) -> Option<String> {
        (!self.is_empty()).then(|| self.to_owned())
    }
}

impl Cell for String {
    fn cell(self) -> Option<String> {
        (!self.is_empty()).then_some(self)
    }
}

impl<T: Cell> Cell for Option<T> {
    fn cell(self) -> Option<String> {
        self.and_then(Cell::cell)
    }
}

/// Unified tables and the reports over them, in one session.
pub struct World {
    ctx: SessionContext,
    schemas: Schemas,
}

impl World {
    /// `tables` by their names in `unified`; those not named are empty. `tolerances` is a CSV.
    pub fn new(tables: &BTreeMap<&'static str, Vec<Row>>, tolerances: &str) -> World {
        let schemas = Schemas::embedded()
            .expect("our definitions are right")
            .with_words("po_invoice_match_tolerances", tolerances, "tolerances.csv")
            .expect("the tolerances fit");
        let ctx = new_report_session(None).expect("a session opens");
        let none = Vec::new();
        for table in schemas.tables.values() {
            let rows = tables.get(table.name.as_str()).unwrap_or(&none);
            register(&ctx, "unified", &table.name, unified(table, rows));
        }
        for table in schemas.report_tables.values() {
            for words in &table.words {
                register(&ctx, "words", &words.name, of_csv(&words.text));
            }
        }
        World { ctx, schemas }
    }

    /// The same with a report's query changed in one place: what a test must notice.
    pub fn spoilt(mut self, table: &str, from: &str, to: &str) -> World {
        let table = self.schemas.report_tables.get_mut(table);
        let mapping = &mut table.expect("the table is there").mappings[0];
        assert!(mapping.sql.contains(from), "the query says {from}");
        mapping.sql = mapping.sql.replace(from, to);
        self
    }

    /// The tables that the others read.
    pub async fn base(self) -> World {
        self.make("daily_rates").await;
        self.make("settings").await;
        self
    }

    /// Makes a report table, and lets those made after it read it.
    pub async fn make(&self, name: &str) -> Made {
        let table = &self.schemas.report_tables[name];
        let wanted = table_schema(table);
        let mut made = Vec::new();
        for mapping in &table.mappings {
            let frame = self.ctx.sql(&mapping.sql).await;
            let frame = frame.unwrap_or_else(|e| panic!("{name} plans: {e}"));
            let schema = Arc::new(frame.schema().as_arrow().clone());
            let batches = frame.collect().await;
            let batches = batches.unwrap_or_else(|e| panic!("{name} runs: {e}"));
            let whole = concat_batches(&schema, &batches).expect("batches are alike");
            made.push(of_contract(&whole, &wanted));
        }
        let schema = made[0].schema();
        let whole = concat_batches(&schema, &made).expect("mappings fill one contract");
        register(&self.ctx, "report", name, whole.clone());
        Made { batch: whole }
    }

    /// What a report's checks find, by the name of the check.
    pub async fn broken(&self, name: &str) -> Vec<(String, Vec<Vec<String>>)> {
        let mut found = Vec::new();
        for check in &self.schemas.report_tables[name].checks {
            let rows = self.rows(&check.sql).await;
            if !rows.is_empty() {
                found.push((check.name.clone(), rows));
            }
        }
        found
    }

    /// The rows of any question over the tables, as text.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let frame = self.ctx.sql(sql).await.expect("the question plans");
        let batches = frame.collect().await.expect("the question is answered");
        let mut rows = Vec::new();
        for batch in &batches {
            let made = Made {
                batch: batch.clone(),
            };
            rows.extend((0..batch.num_rows()).map(|row| made.texts(row)));
        }
        rows
    }
}

/// Rows that were made, as text: decimals without zeros at the end, nothing for null.
pub struct Made {
    pub batch: RecordBatch,
}

impl Made {
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// One column as text.
    pub fn column(&self, name: &str) -> Vec<String> {
        let column = self.batch.column_by_name(name);
        texts(column.unwrap_or_else(|| panic!("there is no column {name}")))
    }

    /// Rows by the text of their key column.
    pub fn by(&self, key: &str) -> BTreeMap<String, BTreeMap<String, String>> {
        let keys = self.column(key);
        let names = self.batch.schema();
        let columns: Vec<(String, Vec<String>)> = names
            .fields()
            .iter()
            .zip(self.batch.columns())
            .map(|(field, column)| (field.name().clone(), texts(column)))
            .collect();
        let columns = &columns;
        let row = |at: usize| {
            let cells = columns.iter();
            cells.map(move |(name, texts)| (name.clone(), texts[at].clone()))
        };
        let rows = keys.into_iter().enumerate();
        rows.map(|(at, key)| (key, row(at).collect())).collect()
    }

    fn texts(&self, row: usize) -> Vec<String> {
        let columns = self.batch.columns();
        columns
            .iter()
            .map(|column| texts(column)[row].clone())
            .collect()
    }
}

fn texts(column: &ArrayRef) -> Vec<String> {
    let options = FormatOptions::default().with_null("");
    let format = ArrayFormatter::try_new(column, &options).expect("a column has a text form");
    let is_decimal = column.data_type().is_decimal();
    (0..column.len())
        .map(|row| {
            let text = format.value(row).to_string();
            match is_decimal {
                true => plain(&text),
                false => text,
            }
        })
        .collect()
}

/// A decimal without zeros at the end.
pub fn plain(text: &str) -> String {
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    };
    let text = if text == "-0" { "0" } else { text };
    text.to_owned()
}

fn register(ctx: &SessionContext, layer: &str, name: &str, batch: RecordBatch) {
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).expect("one schema");
    let reference = TableReference::partial(layer.to_owned(), name.to_owned());
    ctx.register_table(reference, Arc::new(table))
        .expect("the layer is there");
}

/// Rows of a unified table; `is_deleted` is false where nothing else is said.
fn unified(table: &Table, rows: &[Row]) -> RecordBatch {
    let schema = table_schema(table);
    for row in rows.iter().take(1) {
        for name in row.keys() {
            assert!(table.column(name).is_some(), "{}.{name}", table.name);
        }
    }
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            if field.data_type().is_nested() {
                return new_null_array(field.data_type(), rows.len());
            }
            let given = rows.iter().map(|row| {
                let unsaid = (field.name() == "is_deleted").then_some("false");
                row.get(field.name().as_str())
                    .map(String::as_str)
                    .or(unsaid)
            });
            let texts: ArrayRef = Arc::new(given.collect::<StringArray>());
            strict_cast(&texts, field.data_type())
        })
        .collect();
    RecordBatch::try_new(nullable(&schema), columns).expect("the columns fit")
}

fn strict_cast(texts: &ArrayRef, to: &DataType) -> ArrayRef {
    let made = cast(texts, to).expect("text has a form of every plain type");
    assert_eq!(
        made.null_count(),
        texts.null_count(),
        "text that is no {to}"
    );
    made
}

/// What a mapping made, as the contract's columns; those that the engine stamps are left out.
fn of_contract(batch: &RecordBatch, wanted: &SchemaRef) -> RecordBatch {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for field in wanted.fields() {
        let Some(column) = batch.column_by_name(field.name()) else {
            continue;
        };
        let same = column.data_type() == field.data_type() || column.data_type().is_null();
        assert!(same, "{} is {}", field.name(), column.data_type());
        columns.push(cast(column, field.data_type()).expect("a type casts to itself"));
        fields.push(field.as_ref().clone().with_nullable(true));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("the columns fit")
}

fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields: Vec<Field> = fields
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    Arc::new(Schema::new(fields))
}

fn of_csv(text: &str) -> RecordBatch {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names = reader.headers().expect("a header").clone();
    let mut columns: Vec<Vec<Option<String>>> = vec![Vec::new(); names.len()];
    for record in reader.records() {
        for (cells, cell) in columns.iter_mut().zip(&record.expect("a row")) {
            cells.push((!cell.is_empty()).then(|| cell.to_owned()));
        }
    }
    let fields: Vec<Field> = names
        .iter()
        .map(|name| Field::new(name, DataType::Utf8, true))
        .collect();
    let columns = columns
        .into_iter()
        .map(|cells| Arc::new(StringArray::from(cells)) as ArrayRef)
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("the columns fit")
}
