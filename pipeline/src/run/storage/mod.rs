//! Every storage operation of a run × every way in which it can go wrong; then a run that is left alone, and
//! the lake must hold what it would hold if nothing had ever happened.

mod commit;
mod rows;
mod store;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use schemas::Schemas;

use self::rows::{Rows, Versions, half_visible, rows, versions};
use self::store::{Fault, FaultyStore, Operation, Schedule};
use self::work::{Day, LONG_SCENE, SCENES, schemas, work};
use super::lease::LEASES;
use crate::catalog::Lake;

/// Odd, so that both ways in which a read fails come round.
const READS: usize = 7;

/// A lake before a run, and after one that nothing disturbed.
struct Scene {
    schemas: Schemas,
    before: InMemory,
    day: Day,
    operations: Vec<Operation>,
    expected: Rows,
    /// What readers may see of each log on the way.
    versions: Versions,
}

impl Scene {
    /// A day was read before, as far as there was something to read; the next one is to come.
    async fn new(definitions: (&[&str], &[&str])) -> Scene {
        let schemas = schemas(definitions);
        let before = Arc::new(InMemory::new());
        let done = work(&Lake::of_store(before.clone()), &schemas, &Day::first(), 0).await;
        done.expect("nothing disturbs it");
        let day = Day::first().next();
        let store = Arc::new(before.fork());
        let counting = FaultyStore::new(store.clone(), None);
        let lake = Lake::of_store(Arc::new(counting.clone()));
        let done = work(&lake, &schemas, &day, 1).await;
        done.expect("nothing disturbs it");
        let lake = Lake::of_store(store);
        Scene {
            before: before.fork(),
            operations: counting.seen(),
            expected: rows(&lake).await,
            versions: versions(&lake).await,
            schemas,
            day,
        }
    }

    /// What can go wrong, once or for good.
    ///
    /// The end of a process at a read, or before a write, is the same as its end behind the write before.
    /// Reads take most of the operations and decide least: `SPENDLAKE_LONG=1` tries each of them in each way,
    /// otherwise one in [`READS`].
    fn schedules(&self) -> Vec<(Operation, Schedule)> {
        let long = std::env::var_os("SPENDLAKE_LONG").is_some();
        let mut schedules = Vec::new();
        let mut reads = 0_usize;
        for (at, operation) in self.operations.iter().enumerate() {
            let is_read = matches!(operation, Operation::Get | Operation::List);
            for fault in operation.faults() {
                reads += usize::from(is_read);
                if is_read && !long && !reads.is_multiple_of(READS) {
                    continue;
                }
                for lasting in [false, true] {
                    let fault = *fault;
                    let ends = matches!(fault, Fault::Lost | Fault::Torn | Fault::LostAndCompacted);
                    if !lasting || ends && !is_read {
                        schedules.push((*operation, Schedule { at, fault, lasting }));
                    }
                }
            }
        }
        schedules
    }

    /// A run with the fault and one without; returns what is wrong.
    async fn disturb(&self, schedule: Schedule) -> Vec<String> {
        let inner = Arc::new(self.before.fork());
        let faulty = FaultyStore::new(inner.clone(), Some(schedule));
        let lake = Lake::of_store(Arc::new(faulty.clone()));
        let ended = work(&lake, &self.schemas, &self.day, 1).await;
        if !faulty.struck() {
            return vec!["the operation was not reached".to_string()];
        }
        let lake = Lake::of_store(inner.clone());
        let mut wrong = half_visible(&lake, &self.versions).await;
        if schedule.lasting && ended.is_ok() && faulty.seen().len() > schedule.at + 1 {
            wrong.push("the run ended well on a store that was gone".to_string());
        }
        end_holder(&inner).await;
        if let Err(error) = work(&lake, &self.schemas, &self.day, 2).await {
            wrong.push(format!("the next run failed: {error:?}"));
        }
        wrong.extend(self.expected.differences(&rows(&lake).await));
        wrong
    }
}

/// The process that holds the lease is no more, as far as the next one can tell.
async fn end_holder(store: &InMemory) {
    let folder = format!("lake/{LEASES}/acme").into();
    let listed = store.list_with_delimiter(Some(&folder)).await;
    for object in listed.expect("memory answers").objects {
        let found = store.get(&object.location).await.expect("it is there");
        let bytes = found.bytes().await.expect("memory answers");
        let Ok(mut claim) = serde_json::from_slice::<serde_json::Value>(&bytes) else {
            continue;
        };
        claim["holder"]["started"] = "0".into();
        let text = serde_json::to_vec(&claim).expect("it is JSON");
        let put = store.put(&object.location, text.into()).await;
        put.expect("memory takes what it is given");
    }
}

#[test]
fn whatever_fails_in_the_store_the_next_run_mends() {
    let long = std::env::var_os("SPENDLAKE_LONG").map(|_| LONG_SCENE);
    for definitions in SCENES.into_iter().chain(long) {
        let started = Instant::now();
        let scene = on_one_thread(Scene::new(definitions));
        let schedules = scene.schedules();
        println!("{definitions:?}: {} trials", schedules.len());
        let next = AtomicUsize::new(0);
        let work = || {
            let mut wrong = Vec::new();
            while let Some((operation, schedule)) =
                schedules.get(next.fetch_add(1, Ordering::Relaxed))
            {
                let found = on_one_thread(scene.disturb(*schedule));
                let told = found
                    .iter()
                    .map(|one| format!("{operation:?} {schedule:?}: {one}"));
                wrong.extend(told);
            }
            wrong
        };
        let wrong: Vec<String> = std::thread::scope(|threads| {
            let trials: Vec<_> = (0..2).map(|_| threads.spawn(work)).collect();
            let wrong = trials
                .into_iter()
                .map(|one| one.join().expect("no trial panics"));
            wrong.flatten().collect()
        });
        let mut operations: BTreeMap<Operation, usize> = BTreeMap::new();
        for operation in &scene.operations {
            *operations.entry(*operation).or_default() += 1;
        }
        let lasting = schedules.iter().filter(|(_, schedule)| schedule.lasting);
        println!(
            "{definitions:?}: {} operations {operations:?}; {} trials, {} of them for good, in {:.1} s; {} wrong",
            scene.operations.len(),
            schedules.len(),
            lasting.count(),
            started.elapsed().as_secs_f64(),
            wrong.len()
        );
        assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(20)]);
        use Operation::*;
        for needed in [Get, List, Put, Create, Commit, UploadPart, CompleteUpload] {
            assert!(
                scene.operations.contains(&needed),
                "{needed:?} was never tried"
            );
        }
    }
}

/// The comparison can fail.
#[test]
fn a_lake_that_lacks_something_is_noticed() {
    let schemas = schemas(SCENES[0]);
    let of_day = async |day: Day| {
        let lake = Lake::of_store(Arc::new(InMemory::new()));
        let done = work(&lake, &schemas, &day, 0).await;
        done.expect("nothing disturbs it");
        rows(&lake).await
    };
    on_one_thread(async {
        let expected = of_day(Day::first()).await;
        assert!(expected.differences(&of_day(Day::first()).await).is_empty());
        let told = expected.differences(&of_day(Day::first().next()).await);
        assert!(told.iter().any(|one| one.contains("lost")), "{told:?}");
    });
}

fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime starts").block_on(test)
}
