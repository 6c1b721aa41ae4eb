//! Records that do not fit are set aside, told, and brought back once the definition was mended.

use pipeline::quarantine::{entries, groups, replay};
use pipeline::run::RunMark;
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
        let name = suppliers
            .fields
            .iter_mut()
            .find(|field| field.name == "name");
        name.expect("suppliers have names").kind = FieldKind::Int64;

        let first = lake.run(RunOptions::default()).await;
        let read = first.resources.iter().find(|r| r.resource == "suppliers");
        let read = read.expect("suppliers are read");
        assert!(read.quarantined > 0 && read.quarantined == read.records);

        let told = groups(&lake.job.lake, CONNECTION).await.expect("it reads");
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(
            (told[0].field.as_str(), told[0].records),
            ("name", read.quarantined)
        );
        let shown = entries(&lake.job.lake, CONNECTION, "suppliers", 3).await;
        let shown = shown.expect("it reads");
        assert_eq!(shown.len(), 3);
        assert!(shown[0].raw.starts_with('{'), "{}", shown[0].raw);
        let wrong = entries(&lake.job.lake, CONNECTION, "supplier", 3).await;
        assert_eq!(wrong.expect_err("no such resource").kind, Kind::Invalid);

        let mark = |run: &str| RunMark {
            connection: CONNECTION.to_owned(),
            run_id: run.to_owned(),
            started_at: lake.coupa.clock().now(),
            epoch: 0,
        };
        // With the same definition nothing comes back, and nothing is lost either.
        let again = replay(&lake.job.lake, &lake.schemas, &mark("again"), None).await;
        let (again, _) = again.expect("it replays");
        assert_eq!((again[0].landed, again[0].unfit), (0, read.quarantined));

        let mended = replay(&lake.job.lake, &right, &mark("mended"), None).await;
        let (mended, _) = mended.expect("it replays");
        assert_eq!((mended[0].landed, mended[0].unfit), (read.quarantined, 0));
        assert!(
            groups(&lake.job.lake, CONNECTION)
                .await
                .expect("it reads")
                .is_empty()
        );
        lake.must_equal(&lake.truth()).await;
    });
}
