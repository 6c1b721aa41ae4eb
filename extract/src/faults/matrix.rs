//! The fault matrix: every kind of answer, in each shape of resource, with its outcome and the exact
//! number of requests. Without a fault a read takes three: pages of 50, 50 and 20 records.

use tokio::task::JoinSet;

use super::answers::{contents, records_amiss, statuses};
use super::server::{Piece, Script};
use super::transport::{broken_connections, sizes_and_times};
use super::*;
use crate::decode::Reason;
use crate::error::Kind;

/// Which requests for the list are struck.
#[derive(Clone, Copy)]
pub enum Strikes {
    /// So many, from the second on.
    Times(usize),
    Always,
    /// Those whose page holds record 77, unless only its id is asked for.
    Record,
}

#[derive(Clone, Copy)]
pub enum Outcome {
    /// Every record, in so many requests.
    Lands(usize),
    /// Every record but 77, which is a misfit.
    Aside(Reason, usize),
    /// An error of that kind whose text holds these words.
    Ends(Kind, &'static str, usize),
}

use Outcome::{Aside, Ends, Lands};
use Strikes::{Always, Record, Times};

type Fault = Box<dyn Fn(&[u8]) -> Vec<Piece> + Send + Sync>;

pub struct Case {
    id: &'static str,
    name: String,
    strikes: Strikes,
    fault: Fault,
    outcome: Outcome,
    hasty: bool,
}

pub fn case(
    id: &'static str,
    name: &str,
    strikes: Strikes,
    fault: impl Fn(&[u8]) -> Vec<Piece> + Send + Sync + 'static,
    outcome: Outcome,
) -> Case {
    Case {
        id,
        name: name.to_owned(),
        strikes,
        fault: Box::new(fault),
        outcome,
        hasty: false,
    }
}

pub fn hasty_case(
    id: &'static str,
    name: &str,
    strikes: Strikes,
    fault: impl Fn(&[u8]) -> Vec<Piece> + Send + Sync + 'static,
    outcome: Outcome,
) -> Case {
    Case {
        hasty: true,
        ..case(id, name, strikes, fault, outcome)
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    statuses(&mut cases);
    broken_connections(&mut cases);
    sizes_and_times(&mut cases);
    contents(&mut cases);
    records_amiss(&mut cases);
    cases
}

fn script(case: Arc<Case>) -> Script {
    let mut left = match case.strikes {
        Times(times) => times,
        Always | Record => usize::MAX,
    };
    Box::new(move |asked, number, page| {
        if !asked.is_list() || number == 1 {
            return None;
        }
        if let Record = case.strikes {
            let whole = asked
                .query
                .get("fields")
                .is_some_and(|fields| fields.len() > 6);
            let holds = page.windows(8).any(|bytes| bytes == b"\"id\":77,");
            if !holds || !whole {
                return None;
            }
        }
        left = left.checked_sub(1)?;
        Some((case.fault)(page))
    })
}

async fn check(case: Arc<Case>, shape: &'static str) {
    let name = format!("{} {} of {shape}", case.id, case.name);
    let limits = if case.hasty { hasty() } else { small() };
    let (server, read) = run(shape, script(case.clone()), limits).await;
    let all: Vec<i64> = (1..=COUNT).collect();
    let requests = match case.outcome {
        Lands(requests) => {
            assert!(read.error.is_none(), "{name}: {:?}", read.error);
            assert_eq!(read.ids, all, "{name}");
            assert_eq!(read.misfits, [], "{name}");
            requests
        }
        Aside(reason, requests) => {
            assert!(read.error.is_none(), "{name}: {:?}", read.error);
            let others: Vec<i64> = all.into_iter().filter(|id| *id != 77).collect();
            assert_eq!(read.ids, others, "{name}");
            let [misfit] = read.misfits.as_slice() else {
                panic!("{name}: {:?}", read.misfits);
            };
            assert_eq!(misfit.reason, reason, "{name}: {}", misfit.detail);
            if case.id != "x73" {
                assert_eq!(misfit.id.as_deref(), Some("77"), "{name}");
            }
            requests
        }
        Ends(kind, text, requests) => {
            let error = read.error.unwrap_or_else(|| panic!("{name} does not end"));
            assert_eq!(error.kind(), kind, "{name}: {error}");
            assert!(error.to_string().contains(text), "{name}: {error}");
            check_message(&error, &name);
            assert!(read.ids.len() <= 50 && read.misfits.is_empty(), "{name}");
            requests
        }
    };
    assert_eq!(server.lists(), requests, "{name}");
    for asked in &server.state().asked {
        assert_eq!(asked.accept, "application/json", "{name}");
    }
}

/// Every case in every shape.
#[test]
fn x30_to_x78_every_answer_has_one_outcome() {
    block_on(async {
        let cases: Vec<Arc<Case>> = cases().into_iter().map(Arc::new).collect();
        println!("{} cases in {} shapes", cases.len(), SHAPES.len());
        // What depends on short times runs alone.
        let (hasty, others): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.hasty);
        for (cases, most) in [(others, 24), (hasty, 8)] {
            let mut running = JoinSet::new();
            for case in &cases {
                for shape in SHAPES {
                    if running.len() == most {
                        running.join_next().await.unwrap().unwrap();
                    }
                    running.spawn(check(case.clone(), shape));
                }
            }
            while let Some(ended) = running.join_next().await {
                ended.unwrap();
            }
        }
    });
}
