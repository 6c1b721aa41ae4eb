//! Records that do not fit are set aside, told, and brought back once the definition was mended.

use std::time::Duration;

use pipeline::quarantine::{entries, groups};
use pipeline::run::{RunMark, replay};
use pipeline::{Kind, RunOptions};
use schemas::Kind as FieldKind;
use simulator::Config;

use crate::truth::lake::{CONNECTION, Lake, with_room};

#[test]
fn what_did_not_fit_comes_back_when_the_definition_is_mended() {
    with_room(|| async {
        let mut lake = Lake::of_tables_under_test(Config::for_tests(71, 0.02));
        lake.job.tolerate_quarantined = 1.0;
        let right = lake.schemas.clone();
        let suppliers = lake
            .schemas
            .resources
            .get_mut("suppliers")
            .expect("defined");
        // No mapping reads it, so only the records themselves do not fit.
        let method = suppliers
            .fields
            .iter_mut()
            .find(|field| field.name == "po_method");
        method.expect("suppliers have a way of ordering").kind = FieldKind::Int64;

        let first = lake.run(RunOptions::default()).await;
        let read = first.resources.iter().find(|r| r.resource == "suppliers");
        let read = read.expect("suppliers are read");
        assert!(read.quarantined > 3, "some suppliers have one");

        let told = groups(&lake.job.lake, CONNECTION).await.expect("it reads");
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].field, "po_method");
        let open = told[0].records;
        assert_eq!(open, read.quarantined, "each is counted once");

        // Others refer to them, now and later: they were seen, so nobody asks for them again.
        lake.coupa.clock().advance(Duration::from_secs(7_200));
        for invoice in lake.coupa.truth("invoices") {
            let id = invoice["id"].as_i64().expect("an id");
            assert!(lake.coupa.touch("invoices", id));
        }
        let documents = lake.run(RunOptions {
            resources: Some(vec!["invoices".to_owned(), "suppliers".to_owned()]),
            ..RunOptions::default()
        });
        let documents = documents.await;
        let of = |name: &str| documents.resources.iter().find(|r| r.resource == name);
        assert!(of("invoices").expect("read").changed > 0);
        assert_eq!(of("suppliers").expect("read").quarantined, 0);
        let shown = entries(&lake.job.lake, CONNECTION, "suppliers", 3).await;
        let shown = shown.expect("it reads");
        assert_eq!(shown.len(), 3);
        assert!(shown[0].raw.starts_with('{'), "{}", shown[0].raw);
        let wrong = entries(&lake.job.lake, CONNECTION, "supplier", 3).await;
        assert_eq!(wrong.expect_err("no such resource").kind, Kind::Invalid);

        let now = lake.coupa.clock().now();
        let mark = |run: &str| RunMark {
            connection: CONNECTION.to_owned(),
            run_id: run.to_owned(),
            started_at: now,
            epoch: 0,
        };
        // With the same definition nothing comes back, and nothing is lost either.
        let again = replay(&lake.job.lake, &lake.schemas, &mark("again"), None).await;
        let (again, _) = again.expect("it replays");
        assert_eq!((again[0].landed, again[0].unfit), (0, open));

        // The column has another type now, and the table is as it was made: that is said, nothing is lost.
        let mended = replay(&lake.job.lake, &right, &mark("refused"), None).await;
        let (mended, _) = mended.expect("it replays");
        let refused = mended[0].error.as_ref().expect("the types differ");
        assert!(refused.message.contains("po_method"), "{}", refused.message);

        let log = std::path::Path::new(&lake.job.lake.url).join("coupa/suppliers");
        std::fs::remove_dir_all(log).expect("the table is there");
        let mended = replay(&lake.job.lake, &right, &mark("mended"), None).await;
        let (mended, _) = mended.expect("it replays");
        assert_eq!((mended[0].landed, mended[0].unfit), (open, 0));
        lake.schemas = right;
        lake.run(RunOptions {
            full: true,
            ..RunOptions::default()
        })
        .await;
        let open = groups(&lake.job.lake, CONNECTION).await.expect("it reads");
        assert!(open.is_empty(), "{open:?}");
        lake.must_equal(&lake.truth()).await;
    });
}
