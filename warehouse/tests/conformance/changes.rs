//! Loads, repeated loads, loads that race, and loads whose rows fail.

use futures::{StreamExt, stream};
use warehouse::{Kind as What, Loaded, Outcome, Scope};

use crate::sinks::{Sink, conforms};
use crate::tables::{
    CONNECTION, batch, gone, lines, load, load_of, some_lines, unchanged_but_for_rows, version,
};

conforms!(
    changed_rows_replace_those_of_their_document,
    a_repeated_load_changes_nothing,
    rows_that_fail_leave_everything_as_it_was,
    connections_do_not_touch_each_other,
    a_load_of_nothing_moves_the_ledger,
    a_table_of_its_own_key_is_replaced_row_by_row,
);

/// Documents, lines and versions of a connection, as one text a document.
async fn held(sink: &Sink, connection: &str) -> Vec<String> {
    let sql = format!(
        "SELECT document_id, count(*), min(text), max(text), sum(amount) FROM {}.lines \
         WHERE connection_id = '{connection}' GROUP BY 1 ORDER BY 1",
        sink.schema()
    );
    let rows = sink.rows(&sql).await;
    let text = |row: &Vec<Option<String>>| {
        let values = row.iter().map(|value| value.as_deref().unwrap_or("null"));
        values.collect::<Vec<_>>().join(" ")
    };
    rows.iter().map(text).collect()
}

async fn changed_rows_replace_those_of_their_document(sink: Sink) {
    let (table, mut warehouse) = (lines(), sink.open().await);
    let first = batch(CONNECTION, &some_lines(0..3, 2, 1));
    let whole = load_of(None, 1, Scope::Whole);
    let done = load(&mut warehouse, &table, &whole, vec![first]).await;
    assert_eq!(
        done.expect("it loads"),
        Outcome::Loaded {
            rows: 6,
            nul_texts: 0
        }
    );
    assert_eq!(
        held(&sink, CONNECTION).await,
        [
            "d0 2 v1 v1 2000000.000000000",
            "d1 2 v1 v1 2000002.000000000",
            "d2 2 v1 v1 2000004.000000000"
        ]
    );

    // d1 has a line less, d3 is new, d0 is gone, d2 stays.
    let mut changed = some_lines(1..2, 1, 2);
    changed.extend(some_lines(3..4, 3, 2));
    let changes = load_of(Some(1), 2, gone(CONNECTION, &["d0", "never-there"]));
    let done = load(
        &mut warehouse,
        &table,
        &changes,
        vec![batch(CONNECTION, &changed)],
    )
    .await;
    done.expect("it loads");
    assert_eq!(
        held(&sink, CONNECTION).await,
        [
            "d1 1 v2 v2 2000001.000000000",
            "d2 2 v1 v1 2000004.000000000",
            "d3 3 v2 v2 6000009.000000000"
        ]
    );
    let loaded = warehouse
        .loaded(CONNECTION, "lines")
        .await
        .expect("it tells");
    assert_eq!(
        loaded,
        Some(Loaded {
            version: version(2),
            run_id: "run 2".to_string(),
            rows: 4
        })
    );

    // Whole once more: what the lake no longer has leaves.
    let whole = load_of(Some(2), 3, Scope::Whole);
    let all = batch(CONNECTION, &some_lines(7..8, 1, 3));
    load(&mut warehouse, &table, &whole, vec![all])
        .await
        .expect("it loads");
    assert_eq!(
        held(&sink, CONNECTION).await,
        ["d7 1 v3 v3 3000007.000000000"]
    );
    let left = format!(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = '{}'",
        sink.schema()
    );
    assert_eq!(
        sink.value(&left).await.as_deref(),
        Some("2"),
        "no staging table is left"
    );
}

async fn a_repeated_load_changes_nothing(sink: Sink) {
    let (table, mut warehouse) = (lines(), sink.open().await);
    let first = || vec![batch(CONNECTION, &some_lines(0..2, 1, 1))];
    let whole = load_of(None, 1, Scope::Whole);
    load(&mut warehouse, &table, &whole, first())
        .await
        .expect("it loads");
    // Planned when nothing was there, repeated by somebody who does not know that it was done.
    let again = load(&mut warehouse, &table, &whole, first()).await;
    assert_eq!(again.expect("no error"), Outcome::Raced);
    let mut other = sink.open().await;
    let late = load_of(Some(0), 1, unchanged_but_for_rows());
    let late = load(&mut other, &table, &late, first()).await;
    assert_eq!(late.expect("no error"), Outcome::Raced);
    assert_eq!(
        held(&sink, CONNECTION).await,
        [
            "d0 1 v1 v1 1000000.000000000",
            "d1 1 v1 v1 1000001.000000000"
        ]
    );
}

async fn rows_that_fail_leave_everything_as_it_was(sink: Sink) {
    let (table, mut warehouse) = (lines(), sink.open().await);
    let first = batch(CONNECTION, &some_lines(0..2, 1, 1));
    let whole = load_of(None, 1, Scope::Whole);
    load(&mut warehouse, &table, &whole, vec![first])
        .await
        .expect("it loads");
    let before = held(&sink, CONNECTION).await;
    for scope in [Scope::Whole, unchanged_but_for_rows()] {
        let good = batch(CONNECTION, &some_lines(0..500, 2, 2));
        let bad = stream::once(async { Err("the lake went away".into()) });
        let rows = stream::iter([Ok(good)]).chain(bad);
        let changes = load_of(Some(1), 2, scope);
        let error = warehouse.load(&table, &changes, Box::pin(rows)).await;
        let error = error.expect_err("rows fail");
        assert_eq!(error.kind(), What::Internal);
        assert!(error.to_string().contains("`lines`"), "{error}");
        assert_eq!(held(&sink, CONNECTION).await, before);

        // Two rows of one key: refused as a whole.
        let mut twice = some_lines(5..6, 1, 2);
        twice.extend(some_lines(5..6, 1, 2));
        let rows = vec![batch(CONNECTION, &twice)];
        let error = load(&mut warehouse, &table, &changes, rows).await;
        if error.is_ok() {
            // DuckDB takes the last one, which is as good.
            assert_eq!(sink.kind, crate::sinks::Kind::AdbcDuckdb);
            return;
        }
        assert_eq!(held(&sink, CONNECTION).await, before);
    }
    let loaded = warehouse
        .loaded(CONNECTION, "lines")
        .await
        .expect("it tells");
    assert_eq!(loaded.map(|loaded| loaded.version), Some(version(1)));
}

async fn connections_do_not_touch_each_other(sink: Sink) {
    let (table, mut warehouse) = (lines(), sink.open().await);
    for connection in ["acme", "other"] {
        let mut whole = load_of(None, 1, Scope::Whole);
        whole.connection = connection.to_string();
        let rows = vec![batch(connection, &some_lines(0..2, 1, 1))];
        load(&mut warehouse, &table, &whole, rows)
            .await
            .expect("it loads");
    }
    let others = held(&sink, "other").await;
    let rows = vec![batch(CONNECTION, &some_lines(0..1, 3, 2))];
    let changes = load_of(Some(1), 2, unchanged_but_for_rows());
    load(&mut warehouse, &table, &changes, rows)
        .await
        .expect("it loads");
    let whole = load_of(Some(2), 3, Scope::Whole);
    load(&mut warehouse, &table, &whole, Vec::new())
        .await
        .expect("it loads");
    assert_eq!(held(&sink, "other").await, others);
    assert!(held(&sink, CONNECTION).await.is_empty());
}

async fn a_load_of_nothing_moves_the_ledger(sink: Sink) {
    let (table, mut warehouse) = (lines(), sink.open().await);
    for (from, to, scope) in [
        (None, 1, Scope::Whole),
        (Some(1), 2, unchanged_but_for_rows()),
    ] {
        let nothing = load_of(from, to, scope);
        load(&mut warehouse, &table, &nothing, Vec::new())
            .await
            .expect("it loads");
        let loaded = warehouse
            .loaded(CONNECTION, "lines")
            .await
            .expect("it tells");
        assert_eq!(loaded.map(|loaded| loaded.version), Some(version(to)));
    }
    // Of a table that is not there, the ledger says nothing.
    sink.run(&format!("DROP TABLE {}.lines", sink.schema()))
        .await;
    let loaded = warehouse.loaded(CONNECTION, "lines").await;
    assert_eq!(loaded.expect("it tells"), None);
}

async fn a_table_of_its_own_key_is_replaced_row_by_row(sink: Sink) {
    let mut table = lines();
    table.replace_by.clone_from(&table.key);
    let mut warehouse = sink.open().await;
    let whole = load_of(None, 1, Scope::Whole);
    let rows = vec![batch(CONNECTION, &some_lines(0..1, 3, 1))];
    load(&mut warehouse, &table, &whole, rows)
        .await
        .expect("it loads");
    let changes = load_of(Some(1), 2, unchanged_but_for_rows());
    let rows = vec![batch(CONNECTION, &some_lines(0..1, 2, 2))];
    load(&mut warehouse, &table, &changes, rows)
        .await
        .expect("it loads");
    assert_eq!(
        held(&sink, CONNECTION).await,
        ["d0 3 v1 v2 5000000.000000000"]
    );
}
