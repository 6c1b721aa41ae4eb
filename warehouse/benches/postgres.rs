//! Loads a million invoice lines into PostgreSQL, beside the floor: COPY of a prepared binary file of the same
//! rows, by the same client, in the same run. Then an incremental load of one row in a hundred.
//!
//! `cargo bench -p warehouse`; `SPENDLAKE_TEST_POSTGRES` names the server, `SPENDLAKE_BENCH_ROWS` another number.
//! The server of `tests/services/start-postgres.sh` syncs with `SPENDLAKE_POSTGRES_DURABLE=1`.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Int32Array, ListBuilder,
    RecordBatch, StringArray, StringBuilder, StructBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Fields};
use bytes::Bytes;
use futures::{SinkExt, TryStreamExt};
use secrecy::SecretString;
use tokio_postgres::{Client, NoTls};
use warehouse::{
    ColumnDefinition, Load, Outcome, Scope, Settings, TableDefinition, Version, Warehouse,
};

const SCHEMA: &str = "bench";
const BATCH_ROWS: usize = 4_096;
const LINES: usize = 4;
const ROUNDS: u64 = 2;

#[tokio::main]
async fn main() {
    // What `cargo test --benches` asks for: that it starts, not what it measures.
    let rows = match std::env::args().any(|arg| arg == "--bench") {
        true => std::env::var("SPENDLAKE_BENCH_ROWS").map_or(1_000_000, |text| {
            text.parse().expect("SPENDLAKE_BENCH_ROWS is a number")
        }),
        false => 5_000,
    };
    let uri = std::env::var("SPENDLAKE_TEST_POSTGRES");
    let Ok(uri) = uri else {
        println!("set SPENDLAKE_TEST_POSTGRES: eval \"$(tests/services/start-postgres.sh)\"");
        return;
    };
    let (client, connection) = tokio_postgres::connect(&uri, NoTls)
        .await
        .expect("the server answers");
    tokio::spawn(connection);
    run(&client, "DROP SCHEMA IF EXISTS bench CASCADE").await;
    let settings = Settings {
        uri: SecretString::from(uri),
        schema: SCHEMA.to_string(),
    };
    let mut warehouse = Warehouse::connect(&settings).await.expect("it opens");
    let maker = Maker::new();
    let table = maker.table();
    println!("{rows} invoice lines of {} columns", table.columns.len());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lines.copy");

    let mut whole = Vec::new();
    let (mut bare, mut full) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        run(&client, "DROP TABLE IF EXISTS bench.invoice_lines").await;
        let took = load(&mut warehouse, &table, &maker, None, 0..rows, Scope::Whole).await;
        whole.push(took);
        if round == 0 {
            prepare(&client, &file).await;
            let bytes = std::fs::metadata(&file).expect("it was written").len();
            println!("prepared file: {} MB", bytes >> 20);
        }
        let (copied, indexed) = floor(&client, &file).await;
        bare.push(copied);
        full.push(indexed);
        println!(
            "round {}: load with key and indexes {}; floor: COPY alone {}, and key and indexes {}",
            round + 1,
            rate(rows, took),
            rate(rows, copied),
            rate(rows, indexed)
        );
    }
    let (whole, bare, full) = (median(whole), median(bare), median(full));
    println!("full load      {}", rate(rows, whole));
    println!(
        "floor, COPY    {}: we reach {:.0} %",
        rate(rows, bare),
        share(bare, whole)
    );
    println!(
        "floor, indexed {}: we reach {:.0} %",
        rate(rows, full),
        share(full, whole)
    );

    let mut parts = Vec::new();
    for from in 1..=5 {
        // Other lines each time, whole documents.
        let first = (rows / 100 * from as usize) / LINES * LINES;
        let changed = first..first + rows / 100;
        let scope = Scope::Changed { gone: Vec::new() };
        let took = load(&mut warehouse, &table, &maker, Some(from), changed, scope).await;
        parts.push(took);
    }
    let part = median(parts);
    println!(
        "incremental    {} rows in {:.3} s: {:.1} % of the full load",
        rows / 100,
        part.as_secs_f64(),
        share(part, whole)
    );
    run(&client, "DROP SCHEMA bench CASCADE").await;
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn share(part: Duration, whole: Duration) -> f64 {
    100.0 * part.as_secs_f64() / whole.as_secs_f64()
}

fn rate(rows: usize, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    format!("{:.0} rows/s ({seconds:.2} s)", rows as f64 / seconds)
}

async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.expect("it runs");
}

async fn load(
    warehouse: &mut Warehouse,
    table: &TableDefinition,
    maker: &Maker,
    from: Option<u64>,
    rows: std::ops::Range<usize>,
    scope: Scope,
) -> Duration {
    let version = |number| Version {
        table_id: "bench".to_string(),
        number,
    };
    let load = Load {
        connection: "acme".to_string(),
        from: from.map(version),
        to: version(from.unwrap_or(0) + 1),
        run_id: "bench".to_string(),
        scope,
    };
    let count = rows.len();
    let batches = rows.clone().step_by(BATCH_ROWS);
    let batches = batches.map(|first| Ok(maker.batch(first, BATCH_ROWS.min(rows.end - first))));
    let started = Instant::now();
    let done = warehouse
        .load(table, &load, Box::pin(futures::stream::iter(batches)))
        .await
        .expect("it loads");
    assert!(matches!(done, Outcome::Loaded { rows, .. } if rows == count as u64));
    started.elapsed()
}

/// Writes the loaded rows to a file in COPY's binary form.
async fn prepare(client: &Client, file: &std::path::Path) {
    let rows = client
        .copy_out("COPY bench.invoice_lines TO STDOUT (FORMAT binary)")
        .await
        .expect("it can be copied");
    let mut rows = std::pin::pin!(rows);
    let mut file = std::io::BufWriter::new(std::fs::File::create(file).expect("a file"));
    while let Some(piece) = rows.try_next().await.expect("rows come") {
        file.write_all(&piece).expect("there is room");
    }
    file.flush().expect("there is room");
}

/// COPY of the file into a table without key, and then the same key and indexes.
async fn floor(client: &Client, file: &std::path::Path) -> (Duration, Duration) {
    run(
        client,
        "DROP TABLE IF EXISTS bench.floor; CREATE TABLE bench.floor AS SELECT * FROM bench.invoice_lines WITH NO DATA",
    )
    .await;
    let mut file = std::fs::File::open(file).expect("it was written");
    let started = Instant::now();
    run(client, "BEGIN").await;
    let sink = client
        .copy_in("COPY bench.floor FROM STDIN (FORMAT binary)")
        .await
        .expect("it can be copied");
    let mut sink = Box::pin(sink);
    loop {
        let mut piece = vec![0; 256 << 10];
        let read = file.read(&mut piece).expect("it can be read");
        if read == 0 {
            break;
        }
        piece.truncate(read);
        sink.send(Bytes::from(piece)).await.expect("it is taken");
    }
    sink.as_mut().finish().await.expect("it is taken");
    let copied = started.elapsed();
    let mut indexes =
        "ALTER TABLE bench.floor ADD PRIMARY KEY (connection_id, invoice_id, ordinal)".to_string();
    for column in INDEXED {
        indexes.push_str(&format!("; CREATE INDEX ON bench.floor ({column})"));
    }
    run(client, &indexes).await;
    run(client, "COMMIT").await;
    let indexed = started.elapsed();
    run(client, "DROP TABLE bench.floor").await;
    (copied, indexed)
}

const INDEXED: [&str; 5] = [
    "id",
    "invoice_id",
    "updated_at",
    "purchase_order_id",
    "purchase_order_line_id",
];

/// Makes batches: what does not tell rows apart is made once.
struct Maker {
    shared: Vec<(String, ArrayRef)>,
}

impl Maker {
    fn new() -> Maker {
        let rows = BATCH_ROWS;
        let mut shared: Vec<(String, ArrayRef)> = Vec::new();
        let mut seed = 7_u64;
        let mut dice = move |most: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % most
        };
        let texts = [
            ("remote_object", 0, 8),
            ("created_by_id", 0, 6),
            ("updated_by_id", 0, 6),
            ("status", 0, 8),
            ("remote_status", 0, 10),
            ("_run_id", 0, 36),
            ("_mapping", 0, 20),
            ("type", 0, 12),
            ("description", 10, 40),
            ("item_id", 60, 6),
            ("item_number", 60, 10),
            ("supplier_part_number", 70, 12),
            ("account_id", 5, 6),
            ("account_code", 5, 16),
            ("uom", 20, 3),
            ("currency", 0, 3),
            ("accounting_currency", 0, 3),
            ("tax_rate_id", 40, 5),
            ("commodity_id", 40, 4),
            ("commodity_name", 40, 18),
            ("contract_id", 80, 5),
            ("period_id", 70, 4),
            ("po_number", 30, 8),
            ("purchase_order_id", 30, 8),
            ("purchase_order_line_id", 30, 9),
            ("purchase_order_line_number", 30, 2),
            ("supplier_id", 0, 6),
            ("category", 50, 8),
            ("subcategory", 70, 8),
            ("deductibility", 90, 8),
            ("tax_description", 50, 12),
            ("unspsc", 80, 8),
            ("billing_note", 90, 30),
            ("match_reference", 80, 8),
        ];
        for (name, nulls, length) in texts {
            let text = |_| {
                (dice(100) >= nulls).then(|| {
                    let digits = format!("{:>0length$}", dice(10_u64.pow(8)), length = length);
                    digits[digits.len() - length..].to_string()
                })
            };
            let array: StringArray = (0..rows).map(text).collect();
            shared.push((name.to_string(), Arc::new(array)));
        }
        for (name, nulls) in [
            ("quantity", 5),
            ("unit_price", 0),
            ("total_line_amount", 0),
            ("tax_amount", 40),
            ("discount_amount", 80),
            ("exchange_rate", 10),
            ("accounting_total", 0),
            ("quantity_received", 60),
            ("amount_invoiced", 60),
            ("withholding_amount", 90),
            ("sub_total", 0),
            ("shipping_amount", 90),
        ] {
            let amount =
                |_| (dice(100) >= nulls).then(|| i128::from(dice(10_u64.pow(15))) * 10_000);
            let array: Decimal128Array = (0..rows).map(amount).collect();
            let array = array.with_precision_and_scale(38, 9).expect("a scale");
            shared.push((name.to_string(), Arc::new(array)));
        }
        for name in ["created_at", "updated_at", "_extracted_at"] {
            let at = |_| 1_700_000_000_000_000 + dice(10_u64.pow(13)) as i64;
            let array = TimestampMicrosecondArray::from_iter_values((0..rows).map(at));
            shared.push((name.to_string(), Arc::new(array.with_timezone("UTC"))));
        }
        for name in ["need_by_date", "supply_date"] {
            let day = |_| (dice(100) < 50).then(|| 19_000 + dice(1_000) as i32);
            let array: Date32Array = (0..rows).map(day).collect();
            shared.push((name.to_string(), Arc::new(array)));
        }
        for name in ["is_deleted", "is_split"] {
            let flags: BooleanArray = (0..rows).map(|_| Some(dice(10) == 0)).collect();
            shared.push((name.to_string(), Arc::new(flags)));
        }
        let hashes = (0..rows).map(|_| dice(u64::MAX).to_be_bytes().repeat(4));
        let hashes = BinaryArray::from_iter_values(hashes);
        shared.push(("_content_hash".to_string(), Arc::new(hashes)));
        shared.push(("allocations".to_string(), allocations(rows, &mut dice)));
        Maker { shared }
    }

    fn batch(&self, first: usize, rows: usize) -> RecordBatch {
        let range = first..first + rows;
        let id = range.clone().map(|row| format!("{}", 5_000_000 + row));
        let invoice = range
            .clone()
            .map(|row| format!("{}", 700_000 + row / LINES));
        let ordinal = range.map(|row| (row % LINES) as i32 + 1);
        let mut columns: Vec<(String, ArrayRef)> = vec![
            (
                "id".to_string(),
                Arc::new(StringArray::from_iter_values(id)),
            ),
            (
                "connection_id".to_string(),
                Arc::new(StringArray::from_iter_values((0..rows).map(|_| "acme"))),
            ),
            (
                "invoice_id".to_string(),
                Arc::new(StringArray::from_iter_values(invoice)),
            ),
            (
                "ordinal".to_string(),
                Arc::new(Int32Array::from_iter_values(ordinal)),
            ),
        ];
        let shared = self.shared.iter();
        columns.extend(shared.map(|(name, array)| (name.clone(), array.slice(0, rows))));
        RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, array)| (name, array, true)),
        )
        .expect("columns of equal length")
    }

    fn table(&self) -> TableDefinition {
        let key = ["connection_id", "invoice_id", "ordinal"].map(str::to_string);
        let columns = self.batch(0, 1).schema();
        let columns = columns.fields().iter().map(|field| ColumnDefinition {
            name: field.name().clone(),
            data_type: field.data_type().clone(),
            null: !key.contains(field.name()),
            doc: format!("What the source says of {}.", field.name()),
            json_maps: true,
        });
        TableDefinition {
            name: "invoice_lines".to_string(),
            doc: "Lines of invoices.".to_string(),
            columns: columns.collect(),
            replace_by: key[..2].to_vec(),
            key: key.to_vec(),
            connection_column: Some("connection_id".to_string()),
            indexes: INDEXED.iter().map(|name| vec![name.to_string()]).collect(),
        }
    }
}

/// One allocation for one line in five.
fn allocations(rows: usize, dice: &mut impl FnMut(u64) -> u64) -> ArrayRef {
    let fields = Fields::from(vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("account_code", DataType::Utf8, true),
    ]);
    let mut lists = ListBuilder::new(StructBuilder::from_fields(fields, rows));
    for _ in 0..rows {
        if dice(5) == 0 {
            let entry = lists.values();
            for at in 0..2 {
                let text = format!("{:08}", dice(10_u64.pow(8)));
                let builder = entry.field_builder::<StringBuilder>(at).expect("a text");
                builder.append_value(text);
            }
            entry.append(true);
        }
        lists.append(true);
    }
    Arc::new(lists.finish())
}
