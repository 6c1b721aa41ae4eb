//! How fast a change log's Parquet is written: decoded sample invoices, again and again.
//!
//! `cargo bench -p pipeline --bench write` prints bytes of JSON behind the rows a second.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use extract::{Decoder, Stamp};
use pipeline::LakeSettings;
use pipeline::catalog::{Lake, TableName};
use pipeline::load::TableWriter;

fn main() {
    divan::main();
}

#[divan::bench]
fn invoices(bencher: Bencher) {
    let schemas = schemas::Schemas::embedded().expect("our definitions are right");
    let resource = Arc::new(schemas.resources["invoices"].clone());
    let stamp = Stamp {
        run_id: "bench".to_string(),
        extracted_at: chrono::DateTime::UNIX_EPOCH,
    };
    let mut decoder = Decoder::new(resource.clone(), stamp);
    let pages = 256;
    for _ in 0..pages {
        decoder
            .page(resource.sample.as_bytes())
            .expect("the sample is a page");
    }
    let batch = decoder.finish().expect("the sample fits").batch;
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(&LakeSettings {
        url: folder.path().display().to_string(),
        options: Default::default(),
    })
    .expect("a lake");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    bencher
        .counter(BytesCount::new(resource.sample.len() * pages))
        .counter(ItemsCount::new(batch.num_rows()))
        .bench_local(|| {
            runtime.block_on(async {
                let table = TableName::new("coupa", "invoices");
                let mut writer = TableWriter::new(&lake, &table, &batch.schema(), None, "bench")
                    .expect("a writer");
                writer.write(&batch).await.expect("rows are written");
                writer.finish().await.expect("files are closed")
            })
        });
}
