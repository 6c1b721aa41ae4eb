//! What lands in the lake lands in the warehouse: row by row, run after run, whatever happened between.

use std::time::Duration;

use chrono::TimeDelta;
use pipeline::summary::Outcome;
use pipeline::{
    MaintainOptions, RunOptions, Stop, Summary, Surroundings, WarehouseSettings, maintain,
};
use schemas::{ColumnKind, Table};
use secrecy::SecretString;
use serde_json::Value;
use simulator::{Change, Config};
use tokio_postgres::{Client, NoTls};

use crate::services::postgres;
use crate::truth::lake::{Lake, with_room};

type Texts = Vec<Vec<Option<String>>>;

async fn open(schema: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(postgres(), NoTls)
        .await
        .expect("the server answers");
    tokio::spawn(connection);
    let drop = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
    client
        .batch_execute(&drop)
        .await
        .expect("it can be dropped");
    client
}

fn settings(uri: &str, schema: &str) -> Option<WarehouseSettings> {
    Some(WarehouseSettings {
        uri: SecretString::from(uri),
        schema: schema.to_owned(),
    })
}

/// A run that may meet problems.
async fn run(lake: &Lake) -> Summary {
    let clock = || lake.coupa.clock().now();
    let around = Surroundings {
        clock: &clock,
        observe: &|_| {},
        stop: Stop::default(),
    };
    let options = RunOptions {
        reconcile: true,
        ..RunOptions::default()
    };
    pipeline::run(&lake.job, &lake.schemas, &options, &around)
        .await
        .expect("the run starts")
}

fn advance(lake: &Lake, deleted_fraction: f64) {
    lake.coupa.clock().advance(Duration::from_secs(3_600));
    lake.coupa.advance(&Change {
        changed_fraction: 0.1,
        new_fraction: 0.05,
        deleted_fraction,
        ..Change::default()
    });
    lake.coupa.clock().advance(Duration::from_secs(60));
}

/// How a column is compared as text: in the lake's SQL, and in the warehouse's.
fn as_text(name: &str, kind: &ColumnKind) -> (String, String) {
    let both = |lake: &str, warehouse: &str| (lake.to_owned(), warehouse.to_owned());
    match kind {
        ColumnKind::Timestamp => both(
            &format!("CAST(CAST({name} AS BIGINT) AS VARCHAR)"),
            &format!("(extract(epoch from {name}) * 1000000)::bigint::text"),
        ),
        ColumnKind::Binary | ColumnKind::Map | ColumnKind::Struct(_) => both(
            &format!("CAST({name} IS NULL AS VARCHAR)"),
            &format!("({name} IS NULL)::text"),
        ),
        ColumnKind::List(_) => both(
            &format!("CAST(coalesce(cardinality({name}), 0) AS VARCHAR)"),
            &format!("coalesce(jsonb_array_length({name}), 0)::text"),
        ),
        _ => both(
            &format!("CAST({name} AS VARCHAR)"),
            &format!("{name}::text"),
        ),
    }
}

async fn in_lake(lake: &Lake, table: &Table) -> Texts {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let (text, _) = as_text(&column.name, &column.kind);
            format!("{text} AS {}", column.name)
        })
        .collect();
    let sql = format!("SELECT {} FROM unified.{}", columns.join(", "), table.name);
    let rows = lake.query(&sql).await;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut texts: Texts = rows
        .iter()
        .map(|row| {
            let columns = table.columns.iter();
            columns.map(|column| text(&row[&column.name])).collect()
        })
        .collect();
    texts.sort();
    texts
}

async fn in_warehouse(client: &Client, schema: &str, table: &Table) -> Texts {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| as_text(&column.name, &column.kind).1)
        .collect();
    let sql = format!("SELECT {} FROM {schema}.{}", columns.join(", "), table.name);
    let rows = client.query(&sql, &[]).await.expect("the table is there");
    let mut texts: Texts = rows
        .iter()
        .map(|row| (0..table.columns.len()).map(|at| row.get(at)).collect())
        .collect();
    texts.sort();
    texts
}

/// Every row of every table, and the ledger beside it.
async fn must_agree(lake: &Lake, client: &Client, schema: &str) -> usize {
    let mut count = 0;
    for table in lake.schemas.tables.values() {
        let (expected, found) = (
            in_lake(lake, table).await,
            in_warehouse(client, schema, table).await,
        );
        let odd = expected
            .iter()
            .find(|row| found.binary_search(row).is_err());
        assert!(odd.is_none(), "{} lacks {odd:?}", table.name);
        assert_eq!(
            expected.len(),
            found.len(),
            "{} has rows too many",
            table.name
        );
        count += expected.len();
    }
    let ledger = format!("SELECT count(*) FROM {schema}._spendlake_loads");
    let rows: i64 = client
        .query_one(&ledger, &[])
        .await
        .expect("a ledger")
        .get(0);
    assert_eq!(rows as usize, lake.schemas.tables.len());
    count
}

fn sent(summary: &Summary) -> u64 {
    let problems: Vec<_> = summary.problems().collect();
    assert!(problems.is_empty(), "{problems:#?}");
    summary.sinks.iter().map(|sink| sink.rows).sum()
}

#[test]
fn the_warehouse_follows_the_lake() {
    with_room(|| async {
        let schema = "e2e_follows";
        let client = open(schema).await;
        let mut lake = Lake::of_tables_under_test(Config::for_tests(71, 0.04));
        lake.job.warehouse = settings(postgres(), schema);
        let all = sent(&run(&lake).await);
        let rows = must_agree(&lake, &client, schema).await;
        assert_eq!(all as usize, rows, "the first load brings every row once");
        assert_eq!(
            sent(&run(&lake).await),
            0,
            "nothing changed, nothing is sent"
        );

        advance(&lake, 0.03);
        let changed = sent(&run(&lake).await);
        must_agree(&lake, &client, schema).await;
        assert!(
            changed > 0 && changed * 2 < all,
            "{changed} of {all} rows were sent"
        );

        // Runs that the warehouse does not see, with files joined between them: rows come, change again, and
        // move before it looks.
        lake.job.warehouse = None;
        for _ in 0..2 {
            advance(&lake, 0.03);
            assert_eq!(sent(&run(&lake).await), 0);
            tidy(&lake, TimeDelta::days(7)).await;
        }
        lake.job.warehouse = settings(postgres(), schema);
        let caught_up = sent(&run(&lake).await);
        must_agree(&lake, &client, schema).await;
        assert!(
            caught_up > 0 && caught_up < all,
            "{caught_up} of {all} rows were sent"
        );

        // A lake that has forgotten what it was is loaded whole.
        advance(&lake, 0.0);
        lake.job.warehouse = None;
        run(&lake).await;
        tidy(&lake, TimeDelta::zero()).await;
        lake.job.warehouse = settings(postgres(), schema);
        sent(&run(&lake).await);
        must_agree(&lake, &client, schema).await;
    });
}

async fn tidy(lake: &Lake, keep: TimeDelta) {
    let options = MaintainOptions {
        keep,
        dry_run: false,
    };
    let done = maintain(&lake.job.lake, options, &Stop::default(), &|_| {}).await;
    let done = done.expect("the lake can be listed");
    assert!(done.iter().all(|table| table.error.is_none()), "{done:#?}");
}

#[test]
fn a_warehouse_that_is_down_holds_nothing_up_and_is_caught_up_with() {
    with_room(|| async {
        let schema = "e2e_down";
        let client = open(schema).await;
        let mut lake = Lake::of_tables_under_test(Config::for_tests(72, 0.02));
        // A port that was free a moment ago.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it has a port").port();
        drop(listener);
        let nobody = format!("postgresql://spendlake:hunter2@127.0.0.1:{port}/spendlake");
        lake.job.warehouse = settings(&nobody, schema);
        let down = run(&lake).await;
        assert_eq!((down.outcome, down.exit_code()), (Outcome::Failed, 4));
        let told = serde_json::to_string(&down).expect("a summary is JSON");
        assert!(!told.contains("hunter2"), "no password in a summary");
        assert!(
            told.contains("the warehouse does not answer"),
            "{:?}",
            down.sinks
        );
        lake.must_equal(&lake.truth()).await;

        lake.job.warehouse = settings(postgres(), schema);
        assert!(sent(&run(&lake).await) > 0);
        must_agree(&lake, &client, schema).await;

        // A password that is wrong is no outage: nobody should wait for it to pass.
        let wrong = postgres().replace(":spendlake-test@", ":hunter2@");
        assert_ne!(wrong, postgres());
        lake.job.warehouse = settings(&wrong, schema);
        let refused = run(&lake).await;
        assert_eq!(refused.exit_code(), 2, "{:?}", refused.sinks);

        // Somebody drops a table: it is loaded whole by the next run.
        let drop = format!("DROP TABLE {schema}.invoice_lines");
        client.batch_execute(&drop).await.expect("it is dropped");
        lake.job.warehouse = settings(postgres(), schema);
        assert!(sent(&run(&lake).await) > 0);
        must_agree(&lake, &client, schema).await;
    });
}

/// Two instances in one lake and one schema do not touch each other's rows.
#[test]
fn connections_share_a_warehouse() {
    with_room(|| async {
        let schema = "e2e_shared";
        let client = open(schema).await;
        let mut lake = Lake::of_tables_under_test(Config::for_tests(73, 0.02));
        lake.job.warehouse = settings(postgres(), schema);
        sent(&run(&lake).await);
        lake.job.connection = "other".to_owned();
        sent(&run(&lake).await);
        advance(&lake, 0.05);
        sent(&run(&lake).await);
        lake.job.connection = "acme".to_owned();
        sent(&run(&lake).await);
        for table in lake.schemas.tables.values() {
            let (expected, found) = (
                in_lake(&lake, table).await,
                in_warehouse(&client, schema, table).await,
            );
            assert!(expected == found, "{} differs", table.name);
        }
    });
}
