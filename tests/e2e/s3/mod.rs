//! A lake on object storage: the same tables, whatever the store and the network do.

mod proxy;

use std::collections::BTreeMap;
use std::time::Duration;

use pipeline::error::Kind;
use pipeline::{LakeSettings, RunOptions, Stop, Surroundings};
use secrecy::SecretString;
use simulator::{Change, Config};

use self::proxy::Proxy;
use crate::crash::{Dice, no_version_is_there_twice, start};
use crate::services::{S3_KEY, S3_SECRET, overwriting_s3, s3};
use crate::truth::lake::{Lake, with_room};

/// A prefix of its own in the bucket of the test server.
fn bucket(name: &str) -> String {
    format!("s3://spendlake/{name}-{}", uuid::Uuid::now_v7())
}

fn settings(url: &str, endpoint: &str) -> LakeSettings {
    let options = [
        ("aws_access_key_id", S3_KEY),
        ("aws_secret_access_key", S3_SECRET),
        ("aws_region", "us-east-1"),
        ("aws_endpoint", endpoint),
        ("allow_http", "true"),
    ];
    LakeSettings {
        url: url.to_owned(),
        options: options
            .into_iter()
            .map(|(key, value)| (key.to_owned(), SecretString::from(value)))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn advance(lake: &Lake) {
    lake.coupa.clock().advance(Duration::from_secs(3_600));
    lake.coupa.advance(&Change {
        changed_fraction: 0.2,
        new_fraction: 0.1,
        ..Change::default()
    });
    lake.coupa.clock().advance(Duration::from_secs(60));
}

/// Like [`Lake::run`], for runs that may fail in part.
async fn try_run(lake: &Lake) -> Vec<String> {
    let clock = || lake.coupa.clock().now();
    let around = Surroundings {
        clock: &clock,
        observe: &|_| {},
        stop: Stop::default(),
    };
    match pipeline::run(&lake.job, &lake.schemas, &RunOptions::default(), &around).await {
        Ok(summary) => summary.problems().map(|p| p.message.clone()).collect(),
        Err(error) => {
            assert_eq!(error.kind, Kind::Unavailable, "{error:?}");
            vec![error.message]
        }
    }
}

#[test]
fn a_lake_on_s3_holds_the_truth() {
    with_room(|| async {
        let place = settings(&bucket("truth"), s3());
        let lake = Lake::of_tables_under_test(Config::for_tests(61, 0.01)).at(place);
        lake.run(RunOptions::default()).await;
        lake.must_equal(&lake.truth()).await;
        advance(&lake);
        lake.run(RunOptions::default()).await;
        lake.must_equal(&lake.truth()).await;
    });
}

#[test]
fn faults_between_us_and_the_store_lose_and_double_nothing() {
    with_room(|| async {
        let url = bucket("faults");
        let proxy = Proxy::start(s3(), 15, 7).await;
        let lake = Lake::of_tables_under_test(Config::for_tests(62, 0.01));
        let lake = lake.at(settings(&url, &proxy.endpoint));
        let mut met = Vec::new();
        for _ in 0..4 {
            met.extend(try_run(&lake).await);
            advance(&lake);
        }
        println!(
            "{:?}; {} problems were told: {met:#?}",
            proxy.counts,
            met.len()
        );
        let lake = lake.at(settings(&url, s3()));
        lake.run(RunOptions::default()).await;
        lake.must_equal(&lake.truth()).await;
        no_version_is_there_twice(&lake).await;
        let counts = [
            &proxy.counts.reset,
            &proxy.counts.failed,
            &proxy.counts.busy,
            &proxy.counts.answer_lost,
            &proxy.counts.answer_cut,
            &proxy.counts.late,
        ];
        for count in counts {
            assert!(
                count.load(std::sync::atomic::Ordering::Relaxed) > 0,
                "a fault did not happen"
            );
        }
    });
}

#[test]
fn a_run_killed_at_any_request_ends_as_if_it_never_was() {
    let wanted = match std::env::var_os("SPENDLAKE_LONG") {
        Some(_) => 200,
        None => 50,
    };
    with_room(move || async move {
        let (mut kills, mut ended, mut lakes) = (0, 0, 0);
        let mut dice = Dice::of(61);
        while kills < wanted {
            lakes += 1;
            let url = bucket("crash");
            let proxy = Proxy::start(s3(), 0, 0).await;
            let lake = Lake::of_tables_under_test(Config::for_tests(70 + lakes, 0.01));
            let lake = lake.at(settings(&url, s3()));
            let until = wanted.min(kills + 25);
            while kills < until {
                match killed(&lake, &proxy, 1 + dice.below(250)).await {
                    true => kills += 1,
                    false => {
                        ended += 1;
                        advance(&lake);
                    }
                }
            }
            lake.coupa.clock().advance(Duration::from_secs(60));
            lake.run(RunOptions::default()).await;
            lake.must_equal(&lake.truth()).await;
            no_version_is_there_twice(&lake).await;
        }
        println!("{kills} runs were killed and {ended} ended, over {lakes} lakes on S3");
    });
}

/// Starts a run and kills it at its `n`th request to the store; false when it ended before.
async fn killed(lake: &Lake, proxy: &Proxy, n: u64) -> bool {
    let until = proxy.requests() + n;
    // What the store needs comes from the environment here, as it does for most who run this.
    let mut run = start(
        lake,
        &[
            ("AWS_ACCESS_KEY_ID", S3_KEY),
            ("AWS_SECRET_ACCESS_KEY", S3_SECRET),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", &proxy.endpoint),
            ("AWS_ALLOW_HTTP", "true"),
        ],
    );
    loop {
        if let Some(status) = run.try_wait().expect("the child is ours") {
            assert_eq!(status.code(), Some(0), "a run left alone ends well");
            return false;
        }
        if proxy.requests() >= until {
            run.kill().expect("it can be killed");
            run.wait().expect("the child is ours");
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn a_store_that_overwrites_is_refused_before_any_work() {
    with_room(|| async {
        let place = settings(&bucket("refused"), overwriting_s3());
        let lake = Lake::of_tables_under_test(Config::for_tests(63, 0.01)).at(place);
        let clock = || lake.coupa.clock().now();
        let around = Surroundings {
            clock: &clock,
            observe: &|_| {},
            stop: Stop::default(),
        };
        let run = pipeline::run(&lake.job, &lake.schemas, &RunOptions::default(), &around).await;
        let error = run.expect_err("commits would not be safe there");
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.message.contains("overwrites"), "{}", error.message);
        assert!(
            error
                .hint
                .is_some_and(|hint| hint.contains("If-None-Match"))
        );
    });
}

#[test]
fn a_wrong_option_or_key_says_so() {
    with_room(|| async {
        let mut wrong = settings(&bucket("wrong"), s3());
        let told = |settings: LakeSettings| async move {
            let error = pipeline::catalog::Lake::open(&settings)?.probe("x").await;
            error.map_err(pipeline::Error::from)
        };
        wrong.options.insert(
            "aws_secret_access_key".to_owned(),
            SecretString::from("nonsense"),
        );
        let error = told(wrong).await.expect_err("the signature is wrong");
        assert_eq!(error.kind, Kind::Invalid, "{error:?}");
        let mut unknown = settings(&bucket("wrong"), s3());
        unknown
            .options
            .insert("aws_regoin".to_owned(), SecretString::from("x"));
        let error = told(unknown).await.expect_err("there is no such key");
        assert!(error.message.contains("aws_region"), "{}", error.message);
    });
}
