//! Unified tables of any size, straight into a lake.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, RecordBatch, StringArray,
    new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use pipeline::LakeSettings;
use pipeline::catalog::{Lake, TableName};
use pipeline::load::{Commit, TableWriter, commit, ensure_table};
use pipeline::transform::{MONTH_COLUMN, table_schema};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use schemas::{Schemas, Table};

pub const TOLERANCES: &str = "scope,scope_id,check_name,pct,abs
default,,price_unit,2,
default,,qty_ordered,0,
default,,qty_received,0,
default,,amount_line,,10
default,,amount_received,0,
commodity,7,price_unit,10,
commodity,8,qty_received,,
vendor,11,qty_ordered,5,
";

const CHUNK: usize = 65_536;
const VENDORS: usize = 2_000;
const COMMODITIES: usize = 500;
/// Days since 1970 of the first document.
const FIRST_DAY: i32 = 19_800;
const DAYS: usize = 1_000;
const UNIT: i128 = 1_000_000_000;

pub struct Sizes {
    pub invoice_lines: usize,
    pub order_lines: usize,
    pub receipts: usize,
}

impl Sizes {
    pub fn of(invoice_lines: usize) -> Sizes {
        Sizes {
            invoice_lines,
            order_lines: invoice_lines * 6 / 10,
            receipts: invoice_lines * 8 / 10,
        }
    }
}

pub fn open(folder: &Path) -> Lake {
    let settings = LakeSettings {
        url: folder.display().to_string(),
        options: Default::default(),
    };
    Lake::open(&settings).expect("the lake opens")
}

pub fn tolerances() -> RecordBatch {
    let rows: Vec<Vec<&str>> = TOLERANCES
        .lines()
        .map(|line| line.split(',').collect())
        .collect();
    let fields = rows[0]
        .iter()
        .map(|name| Field::new(*name, DataType::Utf8, true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let column = |at: usize| {
        let cells = rows[1..]
            .iter()
            .map(|row| Some(row[at]).filter(|cell| !cell.is_empty()));
        Arc::new(cells.collect::<StringArray>()) as ArrayRef
    };
    RecordBatch::try_new(schema, (0..5).map(column).collect()).expect("five columns")
}

type Columns = HashMap<&'static str, ArrayRef>;

/// Writes every table that the matching reads.
pub async fn fill(folder: &Path, sizes: &Sizes) {
    let lake = open(folder);
    let schemas = Schemas::embedded().expect("our definitions are right");
    let unified = |name: &str| &schemas.tables[name];
    let (invoices, orders) = (
        sizes.invoice_lines.div_ceil(3),
        sizes.order_lines.div_ceil(3),
    );
    write(&lake, unified("invoices"), invoices, |rows| {
        invoice(rows, orders)
    })
    .await;
    write(
        &lake,
        unified("invoice_lines"),
        sizes.invoice_lines,
        |rows| invoice_line(rows, orders),
    )
    .await;
    write(&lake, unified("purchase_orders"), orders, order).await;
    write(
        &lake,
        unified("purchase_order_lines"),
        sizes.order_lines,
        order_line,
    )
    .await;
    write(&lake, unified("receipts"), sizes.receipts, |rows| {
        receipt(rows, sizes.order_lines)
    })
    .await;
    write(&lake, unified("contacts"), VENDORS, |rows| {
        HashMap::from([("id", text(rows, |at| Some(at.to_string())))])
    })
    .await;
    write(&lake, unified("currencies"), 2, |rows| {
        let code = |at: usize| Some(["USD", "EUR"][at - 1].to_owned());
        let decimals: ArrayRef = Arc::new(Int32Array::from_iter_values(rows.map(|_| 2)));
        let decimals = cast(&decimals, &DataType::Int8).expect("a small number");
        HashMap::from([
            ("id", text(1..3, code)),
            ("code", text(1..3, code)),
            ("decimals", decimals),
        ])
    })
    .await;
    write(&lake, &schemas.report_tables["daily_rates"], DAYS, |rows| {
        HashMap::from([
            (
                "from_currency",
                text(rows.clone(), |_| Some("EUR".to_owned())),
            ),
            (
                "to_currency",
                text(rows.clone(), |_| Some("USD".to_owned())),
            ),
            ("day", days(rows.clone(), |at| at - 1)),
            ("rate", amount(rows, |at| UNIT + at as i128 * 100_000)),
        ])
    })
    .await;
}

async fn write(
    lake: &Lake,
    table: &Table,
    rows: usize,
    columns: impl Fn(std::ops::Range<usize>) -> Columns,
) {
    let schema = table_schema(table);
    let partition = table.partition.as_ref().map(|_| MONTH_COLUMN);
    let name = TableName::new(&table.layer, &table.name);
    let base = ensure_table(lake, &name, "bench", &schema, partition)
        .await
        .expect("a table");
    let mut writer = TableWriter::new(lake, &name, &schema, partition, "bench").expect("a writer");
    for first in (1..=rows).step_by(CHUNK) {
        let range = first..(first + CHUNK).min(rows + 1);
        let count = range.len();
        let made = columns(range.clone());
        let arrays = schema.fields().iter().map(|field| {
            if let Some(column) = made.get(field.name().as_str()) {
                return column.clone();
            }
            match (field.name().as_str(), field.is_nullable()) {
                ("is_deleted", _) => Arc::new(BooleanArray::from(vec![false; count])),
                (MONTH_COLUMN, _) => text(range.clone(), |_| Some("2026-01".to_owned())),
                ("ordinal", _) => Arc::new(Int32Array::from_iter_values(
                    range.clone().map(|at| at as i32),
                )),
                (_, true) => new_null_array(field.data_type(), count),
                (_, false) => {
                    let zero: ArrayRef = Arc::new(StringArray::from(vec!["0"; count]));
                    let instant: ArrayRef = Arc::new(Int32Array::from(vec![0; count]));
                    match field.data_type() {
                        DataType::Timestamp(..) => {
                            let wide = cast(&instant, &DataType::Int64).expect("a number");
                            cast(&wide, field.data_type()).expect("a time")
                        }
                        other => cast(&zero, other).expect("a nothing"),
                    }
                }
            }
        });
        let batch = RecordBatch::try_new(schema.clone(), arrays.collect());
        writer
            .write(&batch.expect("the columns fit"))
            .await
            .expect("rows are written");
    }
    let facts = Commit {
        app_id: "bench".to_owned(),
        sequence: 1,
        add: writer.finish().await.expect("files are closed"),
        ..Commit::default()
    };
    commit(&base, &facts).await.expect("the table is committed");
}

fn text(rows: std::ops::Range<usize>, cell: impl Fn(usize) -> Option<String>) -> ArrayRef {
    Arc::new(rows.map(cell).collect::<StringArray>())
}

fn amount(rows: std::ops::Range<usize>, cell: impl Fn(usize) -> i128) -> ArrayRef {
    let array = Decimal128Array::from_iter_values(rows.map(cell));
    Arc::new(array.with_precision_and_scale(38, 9).expect("a scale"))
}

fn days(rows: std::ops::Range<usize>, cell: impl Fn(usize) -> usize) -> ArrayRef {
    Arc::new(Date32Array::from_iter_values(
        rows.map(|at| FIRST_DAY + cell(at) as i32),
    ))
}

/// A number that depends on the place alone, below `n`.
fn dice(at: usize, salt: u64, n: u64) -> u64 {
    Pcg64Mcg::seed_from_u64(at as u64 ^ (salt << 32)).random_range(0..n)
}

fn currency(order: usize) -> Option<String> {
    Some(
        if order.is_multiple_of(10) {
            "EUR"
        } else {
            "USD"
        }
        .to_owned(),
    )
}

fn vendor(order: usize) -> Option<String> {
    Some((order % VENDORS + 1).to_string())
}

/// The order that an invoice bills.
fn billed(invoice: usize, orders: usize) -> usize {
    (invoice * 3 / 5) % orders + 1
}

fn word(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn invoice(rows: std::ops::Range<usize>, orders: usize) -> Columns {
    let of = |at| billed(at, orders);
    HashMap::from([
        ("id", text(rows.clone(), |at| Some(at.to_string()))),
        (
            "number",
            text(rows.clone(), |at| {
                Some(format!("INV-{:07}", at - usize::from(at % 500 == 0)))
            }),
        ),
        (
            "document_type",
            text(rows.clone(), |at| {
                word(if dice(at, 1, 20) == 0 {
                    "credit_note"
                } else {
                    "invoice"
                })
            }),
        ),
        ("status", text(rows.clone(), |_| word("authorised"))),
        (
            "remote_status",
            text(rows.clone(), |at| {
                word(if dice(at, 2, 33) == 0 {
                    "voided"
                } else {
                    "approved"
                })
            }),
        ),
        ("vendor_id", text(rows.clone(), |at| vendor(of(at)))),
        (
            "currency",
            text(rows.clone(), |at| {
                if dice(at, 3, 20) == 0 {
                    word("EUR")
                } else {
                    currency(of(at))
                }
            }),
        ),
        (
            "issue_date",
            days(rows.clone(), |at| dice(at, 4, DAYS as u64) as usize),
        ),
        (
            "received_date",
            days(rows, |at| dice(at, 5, DAYS as u64) as usize),
        ),
    ])
}

fn price(order_line: usize) -> i128 {
    (1 + dice(order_line, 6, 10_000) as i128) * UNIT / 100
}

fn ordered(order_line: usize) -> i128 {
    1 + dice(order_line, 7, 100) as i128
}

fn invoice_line(rows: std::ops::Range<usize>, orders: usize) -> Columns {
    let invoice = |at: usize| (at - 1) / 3 + 1;
    let order = |at: usize| billed(invoice(at), orders);
    let number = |at: usize| (at - 1) % 3 + 1;
    let order_line = |at: usize| (order(at) - 1) * 3 + number(at);
    let says = |at: usize| dice(at, 8, 20);
    let quantity = |at: usize| 1 + dice(at, 9, ordered(order_line(at)) as u64) as i128;
    let asked =
        |at: usize| price(order_line(at)) * (100 + (dice(at, 10, 10) == 0) as i128 * 3) / 100;
    HashMap::from([
        ("id", text(rows.clone(), |at| Some(at.to_string()))),
        (
            "invoice_id",
            text(rows.clone(), |at| Some(invoice(at).to_string())),
        ),
        (
            "line_number",
            text(rows.clone(), |at| Some(number(at).to_string())),
        ),
        (
            "line_number_int",
            Arc::new(Int32Array::from_iter_values(
                rows.clone().map(|at| number(at) as i32),
            )),
        ),
        ("type", text(rows.clone(), |_| word("quantity"))),
        (
            "purchase_order_line_id",
            text(rows.clone(), |at| {
                (says(at) < 16).then(|| order_line(at).to_string())
            }),
        ),
        (
            "purchase_order_id",
            text(rows.clone(), |at| {
                (says(at) < 19).then(|| order(at).to_string())
            }),
        ),
        (
            "purchase_order_line_number",
            text(rows.clone(), |at| {
                (says(at) < 19).then(|| number(at).to_string())
            }),
        ),
        ("uom", text(rows.clone(), |_| word("EA"))),
        ("quantity", amount(rows.clone(), |at| quantity(at) * UNIT)),
        ("unit_price", amount(rows.clone(), asked)),
        (
            "total_line_amount",
            amount(rows, |at| quantity(at) * asked(at)),
        ),
    ])
}

fn order(rows: std::ops::Range<usize>) -> Columns {
    HashMap::from([
        ("id", text(rows.clone(), |at| Some(at.to_string()))),
        ("number", text(rows.clone(), |at| Some(format!("PO-{at}")))),
        (
            "remote_status",
            text(rows.clone(), |at| {
                word(if dice(at, 11, 50) == 0 {
                    "closed"
                } else {
                    "issued"
                })
            }),
        ),
        ("vendor_id", text(rows.clone(), vendor)),
        ("currency", text(rows.clone(), currency)),
        (
            "issue_date",
            days(rows, |at| dice(at, 12, DAYS as u64) as usize),
        ),
    ])
}

fn order_line(rows: std::ops::Range<usize>) -> Columns {
    let level = |at| word(["2-way", "3-way", "3-way-fifo", "none"][dice(at, 13, 4) as usize]);
    HashMap::from([
        ("id", text(rows.clone(), |at| Some(at.to_string()))),
        (
            "purchase_order_id",
            text(rows.clone(), |at| Some(((at - 1) / 3 + 1).to_string())),
        ),
        (
            "line_number",
            text(rows.clone(), |at| Some(((at - 1) % 3 + 1).to_string())),
        ),
        ("type", text(rows.clone(), |_| word("quantity"))),
        ("quantity", amount(rows.clone(), |at| ordered(at) * UNIT)),
        ("unit_price", amount(rows.clone(), price)),
        (
            "total_line_amount",
            amount(rows.clone(), |at| ordered(at) * price(at)),
        ),
        ("uom", text(rows.clone(), |_| word("EA"))),
        ("match_type", text(rows.clone(), level)),
        (
            "commodity_id",
            text(rows, |at| Some((at % COMMODITIES).to_string())),
        ),
    ])
}

fn receipt(rows: std::ops::Range<usize>, order_lines: usize) -> Columns {
    let of = |at: usize| dice(at, 14, order_lines as u64) as usize + 1;
    let pieces = |at: usize| {
        let size = 1 + dice(at, 15, ordered(of(at)) as u64) as i128;
        if dice(at, 16, 20) == 0 { -size } else { size }
    };
    HashMap::from([
        ("id", text(rows.clone(), |at| Some(at.to_string()))),
        ("status", text(rows.clone(), |_| word("created"))),
        (
            "purchase_order_line_id",
            text(rows.clone(), |at| Some(of(at).to_string())),
        ),
        (
            "quantity_effect",
            amount(rows.clone(), |at| pieces(at) * UNIT),
        ),
        (
            "amount_effect",
            amount(rows, |at| pieces(at) * price(of(at))),
        ),
    ])
}
