use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::*;
use crate::catalog::LakeSettings;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// The production's pace, a hundred times as fast.
const QUICK: Pace = Pace {
    beat: Duration::from_millis(100),
    silence: Duration::from_millis(400),
    poll: Duration::from_millis(10),
};

fn lake(url: &str) -> Lake {
    Lake::open(&LakeSettings {
        url: url.to_string(),
        options: BTreeMap::new(),
    })
    .unwrap()
}

fn mark(run: &str) -> RunMark {
    RunMark {
        connection: "acme".to_string(),
        run_id: run.to_string(),
        started_at: NOW,
        epoch: 0,
    }
}

/// Leaves a claim as a process elsewhere, or a dead one here, would have.
async fn leave(lake: &Lake, epoch: u64, holder: Holder) -> Claim {
    let claim = Claim {
        run_id: "other".to_string(),
        holder,
        since: NOW,
        renewed_at: NOW,
        released: false,
    };
    renew(lake, epoch, &claim).await;
    claim
}

async fn renew(lake: &Lake, epoch: u64, claim: &Claim) {
    let folder = lake.folder_path(&format!("{LEASES}/acme"));
    put(
        lake.store().as_ref(),
        &folder,
        epoch,
        claim,
        PutMode::Overwrite,
    )
    .await
    .unwrap();
}

/// What the newest lease says.
async fn claim(lake: &Lake) -> Claim {
    let folder = lake.folder_path(&format!("{LEASES}/acme"));
    let last = last_claim(lake.store().as_ref(), &folder).await.unwrap();
    last.unwrap().1
}

fn elsewhere() -> Holder {
    Holder {
        host: "elsewhere".to_string(),
        process: 7,
        space: Some("another boot".to_string()),
        started: Some("1".to_string()),
    }
}

#[tokio::test]
async fn a_second_run_is_told_who_works() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(&folder.path().display().to_string());
    let first = Lease::take(&lake, &mark("first")).await.unwrap();
    let refused = Lease::take(&lake, &mark("second")).await.err().unwrap();
    assert_eq!(refused.kind, Kind::Unavailable);
    assert!(refused.message.contains("first"), "{}", refused.message);
    assert_eq!(claim(&lake).await.run_id, "first");
    let epoch = first.epoch();
    first.release().await;
    assert!(claim(&lake).await.released);
    let second = Lease::take(&lake, &mark("second")).await.unwrap();
    assert_eq!(second.epoch(), epoch + 1);
}

#[tokio::test]
async fn of_many_at_once_one_works() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(&folder.path().display().to_string());
    let takers = (0..16).map(|n| {
        let lake = lake.clone();
        tokio::spawn(async move { Lease::take(&lake, &mark(&format!("run {n}"))).await })
    });
    let taken: Vec<_> = futures::future::join_all(takers).await;
    let held: Vec<_> = taken
        .into_iter()
        .filter_map(|lease| lease.unwrap().ok())
        .collect();
    assert_eq!(held.len(), 1);
}

#[tokio::test]
async fn a_dead_process_here_is_followed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(&folder.path().display().to_string());
    let mut dead = Holder::this_process();
    if dead.space.is_none() {
        return; // Only Linux tells.
    }
    dead.started = Some("before".to_string());
    leave(&lake, 4, dead).await;
    let lease = Lease::take(&lake, &mark("next")).await.unwrap();
    assert_eq!(lease.epoch(), 5);
}

#[tokio::test]
async fn silence_elsewhere_is_waited_for_and_followed() {
    let lake = lake("memory:///lake");
    leave(&lake, 1, elsewhere()).await;
    let before = Instant::now();
    let lease = Lease::take_at(&lake, &mark("next"), QUICK).await.unwrap();
    assert_eq!(lease.epoch(), 2);
    assert!(before.elapsed() >= QUICK.silence);
    // The first wakes and finds itself followed.
    assert!(!lease.is_lost());
}

#[tokio::test]
async fn life_elsewhere_ends_the_wait() {
    let lake = lake("memory:///lake");
    let mut claim = leave(&lake, 1, elsewhere()).await;
    let beating = {
        let lake = lake.clone();
        tokio::spawn(async move {
            tokio::time::sleep(QUICK.beat).await;
            claim.renewed_at += TimeDelta::seconds(10);
            renew(&lake, 1, &claim).await;
        })
    };
    let before = Instant::now();
    let refused = Lease::take_at(&lake, &mark("next"), QUICK)
        .await
        .err()
        .unwrap();
    assert!(refused.message.contains("elsewhere"), "{}", refused.message);
    assert!(before.elapsed() < QUICK.silence);
    beating.await.unwrap();
}

#[tokio::test]
async fn a_holder_learns_that_it_was_followed() {
    let lake = lake("memory:///lake");
    let lease = Lease::take_at(&lake, &mark("slow"), QUICK).await.unwrap();
    leave(&lake, 2, elsewhere()).await;
    tokio::time::sleep(QUICK.beat * 2).await;
    assert!(lease.is_lost());
}
