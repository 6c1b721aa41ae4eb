//! The process is killed, again and again, at moments that nobody chose; what lands in the end is the truth.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pipeline::RunOptions;
use simulator::{Change, Config};

use crate::truth::lake::{CONNECTION, Lake, with_room};

/// Kills in all; `SPENDLAKE_LONG=1` asks for ten times as many.
fn kills_wanted() -> u32 {
    if std::env::var_os("SPENDLAKE_LONG").is_some() {
        500
    } else {
        50
    }
}

/// Kills of one lake before it is brought to its end and compared.
const KILLS_A_LAKE: u32 = 13;

/// A run that has not shown a file more for so long is killed where it stands: it may be planning.
const PATIENCE: Duration = Duration::from_secs(4);

#[test]
fn a_run_that_is_killed_anywhere_ends_as_if_it_never_was() {
    with_room(|| async {
        let wanted = kills_wanted();
        let (mut kills, mut ended, mut lakes) = (0, 0, 0);
        let mut dice = Dice(20_261_125);
        while kills < wanted {
            lakes += 1;
            let lake = Lake::of_tables_under_test(Config::for_tests(40 + lakes, 0.01));
            let until = wanted.min(kills + KILLS_A_LAKE);
            while kills < until {
                if killed(&lake, &mut dice) {
                    kills += 1;
                } else {
                    // It got to its end: something to do for the next.
                    ended += 1;
                    lake.coupa.clock().advance(Duration::from_secs(3_600));
                    lake.coupa.advance(&Change {
                        changed_fraction: 0.2,
                        new_fraction: 0.1,
                        ..Change::default()
                    });
                }
            }
            lake.coupa.clock().advance(Duration::from_secs(60));
            lake.run(RunOptions::default()).await;
            lake.must_equal(&lake.truth()).await;
            no_version_is_there_twice(&lake).await;
        }
        println!("{kills} runs were killed and {ended} ended, over {lakes} lakes");
    });
}

/// Starts a run and kills it after it has written some files more; false when it ended before.
fn killed(lake: &Lake, dice: &mut Dice) -> bool {
    let folder = Path::new(&lake.job.lake.url);
    let files = 1 + dice.below(60);
    let mut run = start(lake, &[]);
    let (mut seen, mut since) = (count_files(folder), Instant::now());
    let enough = seen + files as usize;
    loop {
        if let Some(status) = run.try_wait().expect("the child is ours") {
            assert_eq!(
                status.code(),
                Some(0),
                "a run that was left alone ends well"
            );
            return false;
        }
        let now = count_files(folder);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        if now >= enough || since.elapsed() > PATIENCE {
            // A little later, so that it is caught between two files as well.
            std::thread::sleep(Duration::from_millis(dice.below(30)));
            run.kill().expect("it can be killed");
            run.wait().expect("the child is ours");
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Starts a run of the lake's job as a process; `variables` are its environment, beside Coupa's.
pub fn start(lake: &Lake, variables: &[(&str, &str)]) -> Child {
    let client = lake.coupa.client();
    let resources = lake.job.resources.clone().unwrap_or_default();
    let job = format!(
        "connection = \"{CONNECTION}\"\n[coupa]\nurl = \"{}\"\nclient_id = \"${{COUPA_CLIENT_ID}}\"\n\
         client_secret = \"${{COUPA_CLIENT_SECRET}}\"\nrequests_per_second = 25\n\
         [extract]\nresources = {resources:?}\nreconcile = \"never\"\ntolerate = {{ quarantined = 0.0 }}\n\
         [lake]\nurl = \"{}\"\n",
        lake.coupa.url(),
        lake.job.lake.url
    );
    let path = lake.folder().with_extension("toml");
    std::fs::write(&path, job).expect("the folder is writable");
    Command::new(env!("CARGO_BIN_EXE_spendlake"))
        .arg("run")
        .arg(&path)
        .env_clear()
        .env("COUPA_CLIENT_ID", &client.id)
        .env("COUPA_CLIENT_SECRET", &client.secret)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts")
}

fn count_files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => count_files(&entry.path()),
            _ => 1,
        })
        .sum()
}

/// The log holds each version of a record once.
pub async fn no_version_is_there_twice(lake: &Lake) {
    for resource in lake.job.resources.iter().flatten() {
        let twice = lake
            .query(&format!(
                "SELECT id, _extracted_at, count(*) AS n FROM coupa.{resource} \
                 GROUP BY id, _extracted_at HAVING count(*) > 1"
            ))
            .await;
        assert!(twice.is_empty(), "{resource}: {twice:?}");
    }
}

/// Numbers by a seed (SplitMix64).
pub struct Dice(u64);

impl Dice {
    pub fn of(seed: u64) -> Dice {
        Dice(seed)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}
