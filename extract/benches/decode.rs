//! Pages of invoices to record batches: bytes a second on one core.
//!
//! `cargo bench -p extract --bench decode`. `decode` does all of it, `_raw` and hash included;
//! `hash` is the SHA-256 of the same records alone, to be subtracted.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use extract::{Decoder, Stamp};
use schemas::{Field, Kind, Resource};
use sha2::{Digest, Sha256};

const PAGE_COUNT: u64 = 20;
const PAGE_ROWS: u64 = 50;

static PAGES: LazyLock<Vec<String>> = LazyLock::new(|| (0..PAGE_COUNT).map(page).collect());

fn main() {
    println!("{} bytes a record", PAGES[0].len() / PAGE_ROWS as usize);
    divan::main();
}

#[divan::bench]
fn decode(bencher: Bencher) {
    let resource = Arc::new(invoices());
    bencher
        .counter(BytesCount::new(byte_count()))
        .with_inputs(|| Decoder::new(resource.clone(), stamp()))
        .bench_local_values(|mut decoder| {
            for page in PAGES.iter() {
                decoder.page(page.as_bytes()).expect("the page is JSON");
            }
            let decoded = decoder.finish().expect("the columns fit");
            assert!(decoded.misfits.is_empty() && decoded.batch.num_rows() == 1_000);
            decoded
        });
}

#[divan::bench]
fn hash(bencher: Bencher) {
    bencher
        .counter(BytesCount::new(byte_count()))
        .bench_local(|| {
            for page in PAGES.iter() {
                black_box(Sha256::digest(page.as_bytes()));
            }
        });
}

#[divan::bench]
fn serde_json_value(bencher: Bencher) {
    bencher
        .counter(BytesCount::new(byte_count()))
        .bench_local(|| {
            for page in PAGES.iter() {
                let value: serde_json::Value =
                    serde_json::from_str(page).expect("the page is JSON");
                black_box(value);
            }
        });
}

fn byte_count() -> usize {
    PAGES.iter().map(String::len).sum()
}

fn stamp() -> Stamp {
    Stamp {
        run_id: "0198c6f0-0000-7000-8000-000000000000".to_owned(),
        extracted_at: chrono::DateTime::UNIX_EPOCH,
    }
}

fn field(name: &str, kind: Kind) -> Field {
    Field {
        name: name.to_owned(),
        kind,
    }
}

fn amount() -> Kind {
    Kind::Decimal {
        precision: 38,
        scale: 9,
    }
}

fn object(fields: Vec<Field>) -> Kind {
    Kind::Object {
        fields,
        documented: Vec::new(),
        custom_fields: false,
    }
}

fn reference() -> Kind {
    object(vec![
        field("id", Kind::Int64),
        field("code", Kind::Utf8),
        field("name", Kind::Utf8),
    ])
}

const TEXTS: [&str; 20] = [
    "status",
    "document_type",
    "payment_notes",
    "comments",
    "folio_number",
    "series",
    "channel",
    "image_scan_url",
    "customs_code",
    "origin_currency",
    "dispute_method",
    "late_reason",
    "withholding_tax",
    "delivery_number",
    "supplier_note",
    "bill_to_name",
    "remit_to_code",
    "ship_from",
    "ship_to",
    "internal_note",
];
const AMOUNTS: [&str; 12] = [
    "gross_total",
    "total_with_taxes",
    "tax_amount",
    "shipping_amount",
    "handling_amount",
    "misc_amount",
    "discount_amount",
    "advance_amount",
    "net_total",
    "tax_rate",
    "paid_total",
    "tolerance",
];
const TIMES: [&str; 10] = [
    "created_at",
    "updated_at",
    "invoice_date",
    "net_due_date",
    "discount_due_date",
    "delivery_date",
    "payment_date",
    "date_received",
    "last_exported_at",
    "tax_point_date",
];
const FLAGS: [&str; 6] = [
    "paid",
    "exported",
    "confirmed",
    "canceled",
    "is_credit",
    "compliant",
];
const REFERENCES: [&str; 6] = [
    "supplier",
    "currency",
    "payment_term",
    "shipping_term",
    "account_type",
    "created_by",
];

fn invoices() -> Resource {
    let mut fields = vec![
        field("id", Kind::Int64),
        field("invoice_number", Kind::Utf8),
    ];
    fields.extend(TIMES.iter().enumerate().map(|(place, name)| {
        let day = place > 1 && name.ends_with("date");
        field(name, if day { Kind::Date } else { Kind::Timestamp })
    }));
    fields.extend(TEXTS.iter().map(|name| field(name, Kind::Utf8)));
    fields.extend(AMOUNTS.iter().map(|name| field(name, amount())));
    fields.extend(FLAGS.iter().map(|name| field(name, Kind::Bool)));
    fields.extend(REFERENCES.iter().map(|name| field(name, reference())));
    let line = vec![
        field("id", Kind::Int64),
        field("line_num", Kind::Int64),
        field("description", Kind::Utf8),
        field("created_at", Kind::Timestamp),
        field("updated_at", Kind::Timestamp),
        field("quantity", amount()),
        field("price", amount()),
        field("total", amount()),
        field("accounting_total", amount()),
        field("po_number", Kind::Utf8),
        field("status", Kind::Utf8),
        field("type", Kind::Utf8),
        field("account", reference()),
        field("currency", reference()),
        field("uom", reference()),
        field("commodity", reference()),
    ];
    fields.push(field("invoice_lines", Kind::List(Box::new(object(line)))));
    Resource {
        name: "invoices".to_owned(),
        doc: String::new(),
        path: "/api/invoices".to_owned(),
        scope: "core.invoice.read".to_owned(),
        key: "id".to_owned(),
        watermark: Some("updated_at".to_owned()),
        query: Default::default(),
        fields,
        documented: Vec::new(),
        sample: String::new(),
    }
}

/// A page in Coupa's manner: dashes, amounts as strings, offsets in times, many nulls.
fn page(number: u64) -> String {
    let mut text = String::from("[");
    for row in 0..PAGE_ROWS {
        if row > 0 {
            text.push(',');
        }
        record(&mut text, number * PAGE_ROWS + row + 1);
    }
    text.push(']');
    text
}

fn record(text: &mut String, id: u64) {
    // A small generator of its own keeps the pages the same everywhere.
    let mut state = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = |below: u64| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    };
    write!(text, r#"{{"id":{id},"invoice-number":"INV-{id:08}""#).expect("a string grows");
    for name in TIMES {
        let (day, hour) = (next(28) + 1, next(24));
        member(
            text,
            name,
            next(10) < 7,
            &format!("\"2024-03-{day:02}T{hour:02}:16:48+03:00\""),
        );
    }
    for name in TEXTS {
        member(
            text,
            name,
            next(10) < 5,
            &format!("\"{name} of the invoice {}\"", next(100_000)),
        );
    }
    for name in AMOUNTS {
        member(
            text,
            name,
            next(10) < 7,
            &format!("\"{}.{:02}\"", next(1_000_000), next(100)),
        );
    }
    for name in FLAGS {
        member(
            text,
            name,
            true,
            if next(2) == 0 { "true" } else { "false" },
        );
    }
    for name in REFERENCES {
        let reference = reference_text(next(100_000));
        member(text, name, next(10) < 7, &reference);
    }
    text.push_str(r#","custom-fields":{"cost-note":"as agreed","region":{"id":7,"name":"EMEA"}}"#);
    text.push_str(r#","invoice-lines":["#);
    for line in 1..=8 {
        if line > 1 {
            text.push(',');
        }
        let (price, quantity) = (next(100_000), next(100));
        write!(
            text,
            r#"{{"id":{},"line-num":{line},"description":"Annual licence, seat {line}, contract {price}","created-at":"2024-03-02T10:11:12+03:00","updated-at":"2024-03-05T10:11:12+03:00","quantity":"{quantity}.0","price":"{price}.25","total":"{}.50","accounting-total":"{}.500000","po-number":"{}","status":"pending_approval","type":"InvoiceQuantityLine","account":{},"currency":{{"id":1,"code":"EUR","name":null}},"uom":{{"id":1,"code":"EA","name":"Each"}},"commodity":{}}}"#,
            id * 10 + line,
            price * quantity,
            price * quantity,
            next(90_000),
            reference_text(next(500)),
            if next(10) < 6 { "null".to_owned() } else { reference_text(next(50)) },
        )
        .expect("a string grows");
    }
    text.push_str("]}");
}

fn member(text: &mut String, name: &str, present: bool, value: &str) {
    let value = if present { value } else { "null" };
    let name = name.replace('_', "-");
    write!(text, r#","{name}":{value}"#).expect("a string grows");
}

fn reference_text(id: u64) -> String {
    format!(r#"{{"id":{id},"code":"C-{id}","name":"Name of number {id}"}}"#)
}
