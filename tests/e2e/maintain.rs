//! A lake that was tidied holds the same rows, and goes on as before.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use pipeline::{MaintainOptions, RunOptions, Stop, maintain};
use simulator::{Change, Config};

use crate::truth::lake::{Lake, with_room};

#[test]
fn a_tidied_lake_holds_the_same_and_goes_on() {
    with_room(|| async {
        let lake = Lake::of_tables_under_test(Config::for_tests(61, 0.02));
        for _ in 0..2 {
            lake.run(RunOptions::default()).await;
            lake.coupa.clock().advance(Duration::from_secs(3_600));
            lake.coupa.advance(&Change {
                changed_fraction: 0.2,
                new_fraction: 0.1,
                ..Change::default()
            });
            lake.coupa.clock().advance(Duration::from_secs(60));
        }
        // What a run that died may leave: a file that no commit names.
        let left_over = Path::new(&lake.job.lake.url).join("unified/invoices/left-over.parquet");
        std::fs::write(&left_over, "half a file").expect("the lake is writable");

        let look = MaintainOptions {
            keep: TimeDelta::zero(),
            dry_run: true,
        };
        let before = versions(&lake).await;
        let told = tidy(&lake, look).await;
        assert!(told.values().any(|removed| *removed > 0), "{told:?}");
        assert!(left_over.exists(), "a dry run removes nothing");
        assert_eq!(before, versions(&lake).await, "a dry run commits nothing");

        // The last changes are read and mapped only after the files that hold the earlier ones were joined.
        tidy(
            &lake,
            MaintainOptions {
                dry_run: false,
                ..look
            },
        )
        .await;
        assert!(!left_over.exists(), "left-overs are removed");
        let next = lake.run(RunOptions::default()).await;
        lake.must_equal(&lake.truth()).await;
        assert!(next.tables.iter().any(|table| table.updated > 0));

        tidy(
            &lake,
            MaintainOptions {
                dry_run: false,
                ..look
            },
        )
        .await;
        lake.must_equal(&lake.truth()).await;
        let quiet = lake.run(RunOptions::default()).await;
        let touched: Vec<_> = quiet
            .tables
            .iter()
            .filter(|table| table.inserted + table.updated + table.deleted > 0)
            .collect();
        assert!(
            touched.is_empty(),
            "joined files are not mapped again: {touched:#?}"
        );
    });
}

async fn tidy(lake: &Lake, options: MaintainOptions) -> BTreeMap<String, u64> {
    let tables = maintain(&lake.job.lake, options, &Stop::default(), &|_| {})
        .await
        .expect("the lake is there");
    for table in &tables {
        assert!(table.error.is_none(), "{table:?}");
        assert!(table.files_after <= table.files_before, "{table:?}");
    }
    tables
        .into_iter()
        .map(|table| (table.table, table.removed))
        .collect()
}

async fn versions(lake: &Lake) -> Vec<(String, u64)> {
    pipeline::status(&lake.job, chrono::DateTime::UNIX_EPOCH)
        .await
        .expect("the lake is there")
        .into_iter()
        .map(|table| (table.table, table.version))
        .collect()
}
