//! When to ask again, and how long to wait first. The only place that decides it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::decode::DecodeError;
use crate::error::{Effort, ExtractError};

/// One request and its repetitions.
pub(crate) struct Retry {
    pub resource: String,
    started: Instant,
    attempts: u32,
    unreadable: u32,
    pub renewed: bool,
    pub young: u32,
    pub forbidden: bool,
}

/// A failure that may pass.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// No connection, or one that broke before the answer was whole.
    Connection(String),
    Timeout(&'static str),
    /// 429, or 503 with a time to come back.
    Throttled {
        status: u16,
        wait: Option<Duration>,
    },
    Server {
        status: u16,
    },
    Content(DecodeError),
}

/// Waits between attempts; tests make them short.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    pub transient: Duration,
    pub transient_cap: Duration,
    pub throttled: Duration,
    pub throttled_cap: Duration,
    /// Least time that nobody asks after a refusal; what the server says may be longer.
    pub pause: Duration,
    /// Coupa asks for five seconds between a token's issue and its first use.
    pub young_token: Duration,
    pub forbidden: Duration,
    /// Some part of a wait.
    pub jitter: fn(Duration) -> Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            transient: Duration::from_millis(500),
            transient_cap: Duration::from_secs(30),
            throttled: Duration::from_secs(2),
            throttled_cap: Duration::from_secs(120),
            pause: Duration::from_secs(1),
            young_token: Duration::from_secs(3),
            forbidden: Duration::from_secs(30),
            jitter: random_part,
        }
    }
}

const MOST_ATTEMPTS: u32 = 6;
/// A throttled request was not at fault, and its waits grow longer.
const MOST_THROTTLED: u32 = 10;
/// A page that stays unreadable is not a matter of luck.
pub(crate) const MOST_UNREADABLE: u32 = 3;
const LONGEST_TRANSIENT: Duration = Duration::from_secs(300);
const LONGEST_THROTTLED: Duration = Duration::from_secs(30 * 60);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(15 * 60);

impl Retry {
    pub(crate) fn new(resource: &str) -> Retry {
        Retry {
            resource: resource.to_owned(),
            started: Instant::now(),
            attempts: 0,
            unreadable: 0,
            renewed: false,
            young: 0,
            forbidden: false,
        }
    }

    pub(crate) fn count_attempt(&mut self) {
        self.attempts += 1;
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Answers so far that arrived and could not be read.
    pub(crate) fn unreadable(&self) -> u32 {
        self.unreadable
    }

    pub(crate) fn effort(&self) -> Effort {
        Effort {
            attempts: self.attempts,
            elapsed: self.started.elapsed(),
        }
    }

    /// How long to wait before the next attempt, or the error if there is none.
    pub(crate) fn wait(
        &mut self,
        trouble: Trouble,
        patience: &Patience,
        budget: &Budget,
    ) -> Result<Duration, ExtractError> {
        let throttled = matches!(trouble, Trouble::Throttled { .. });
        self.unreadable += u32::from(matches!(trouble, Trouble::Content(_)));
        let most = if throttled {
            MOST_THROTTLED
        } else {
            MOST_ATTEMPTS
        };
        // Asked for in the same way, a page does not get smaller.
        let hopeless = matches!(trouble, Trouble::Content(DecodeError::TooLarge { .. }));
        let elapsed = self.started.elapsed();
        let spent = hopeless
            || self.attempts >= most
            || self.unreadable >= MOST_UNREADABLE
            || match &trouble {
                Trouble::Throttled { wait, .. } => {
                    elapsed + wait.unwrap_or_default() > LONGEST_THROTTLED || !budget.refused()
                }
                Trouble::Timeout(_) => elapsed > LONGEST_TRANSIENT || !budget.spend(10),
                _ => elapsed > LONGEST_TRANSIENT || !budget.spend(5),
            };
        if spent {
            return Err(self.give_up(trouble));
        }
        let turn = self.attempts.saturating_sub(1);
        let next = match trouble {
            // Half of it is fixed: waits near zero would burn all attempts inside one window.
            Trouble::Throttled { wait, .. } => {
                let backoff = doubled(patience.throttled, turn, patience.throttled_cap);
                let jittered = backoff / 2 + (patience.jitter)(backoff / 2);
                jittered.max(wait.unwrap_or_default().min(LONGEST_RETRY_AFTER))
            }
            _ => (patience.jitter)(doubled(patience.transient, turn, patience.transient_cap)),
        };
        if !budget.wait(next) {
            return Err(self.give_up(trouble));
        }
        Ok(next)
    }

    fn give_up(&self, trouble: Trouble) -> ExtractError {
        let resource = self.resource.clone();
        let effort = self.effort();
        let cause = match trouble {
            Trouble::Content(cause) => {
                return ExtractError::Content {
                    resource,
                    cause,
                    effort,
                };
            }
            Trouble::Connection(text) => text,
            Trouble::Timeout(what) => format!("no {what} in time"),
            Trouble::Throttled { status, .. } => {
                format!("the server answered {status}, too many requests,")
            }
            Trouble::Server { status } => format!("the server answered {status}"),
        };
        ExtractError::Unavailable {
            resource,
            cause,
            effort,
        }
    }
}

/// What all readers of an instance may still repeat: when a server is down, not every page of every
/// resource is tried to the end.
pub(crate) struct Budget(Mutex<Left>);

struct Left {
    /// For retries of what failed.
    tokens: u32,
    /// Refusals in a row are no failures, and cost no token; but they have to end.
    refusals: u32,
    /// Time in which somebody waits to ask again. Where many wait at once, it passes once.
    waits: Duration,
    /// Up to here it is paid for.
    waited: Option<Instant>,
}

const BUDGET: u32 = 100;
/// A source that answers now and then, and never well, would hold a run for days.
const LONGEST_WAITS: Duration = Duration::from_secs(3_600);
/// What an answer gives back: a source that is asked often may refuse often.
const EARNED_WAIT: Duration = Duration::from_secs(1);

impl Budget {
    pub(crate) fn new() -> Budget {
        Budget(Mutex::new(Left {
            tokens: BUDGET,
            refusals: BUDGET,
            waits: LONGEST_WAITS,
            waited: None,
        }))
    }

    fn wait(&self, wait: Duration) -> bool {
        let now = Instant::now();
        let mut left = self.0.lock().expect("no holder panics");
        let paid = left.waited.map_or(now, |until| until.max(now));
        let until = paid.max(now + wait);
        let Some(rest) = left.waits.checked_sub(until - paid) else {
            return false;
        };
        left.waits = rest;
        left.waited = Some(until);
        true
    }

    fn spend(&self, tokens: u32) -> bool {
        let mut left = self.0.lock().expect("no holder panics");
        let Some(rest) = left.tokens.checked_sub(tokens) else {
            return false;
        };
        left.tokens = rest;
        true
    }

    fn refused(&self) -> bool {
        let mut left = self.0.lock().expect("no holder panics");
        let Some(rest) = left.refusals.checked_sub(1) else {
            return false;
        };
        left.refusals = rest;
        true
    }

    pub(crate) fn refill(&self) {
        let mut left = self.0.lock().expect("no holder panics");
        left.tokens = (left.tokens + 1).min(BUDGET);
        left.refusals = BUDGET;
        left.waits = (left.waits + EARNED_WAIT).min(LONGEST_WAITS);
    }
}

/// `Retry-After`: seconds, or a date, which counts from the answer's own `Date` and not our clock.
///
/// `None`: neither, so it is as if it were absent. At most a quarter of an hour.
pub(crate) fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER));
    }
    let (until, now) = (http_date(value)?, http_date(date?)?);
    let wait = (until - now).to_std().unwrap_or_default();
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// A date of HTTP, in any of its three forms, or of mail, as some servers write it.
pub(crate) fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    match httpdate::parse_http_date(text) {
        Ok(time) => Some(time.into()),
        Err(_) => DateTime::parse_from_rfc2822(text)
            .ok()
            .map(|time| time.to_utc()),
    }
}

fn doubled(base: Duration, turn: u32, cap: Duration) -> Duration {
    base.saturating_mul(1 << turn.min(16)).min(cap)
}

fn random_part(most: Duration) -> Duration {
    // A fresh hasher of the standard library is seeded at random.
    let random = RandomState::new().build_hasher().finish();
    most.mul_f64(random as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_or_left() {
        let date = Some("Wed, 21 Oct 2026 07:28:00 GMT");
        let seconds = |count| Some(Duration::from_secs(count));
        for (value, expected) in [
            ("7", seconds(7)),
            (" 0 ", seconds(0)),
            ("99999999999999999999", seconds(900)),
            ("Wed, 21 Oct 2026 07:28:09 GMT", seconds(9)),
            ("Wed, 21 Oct 2026 07:00:00 GMT", seconds(0)),
            ("Wednesday, 21-Oct-26 07:28:10 GMT", seconds(10)),
            ("Wed Oct 21 07:28:11 2026", seconds(11)),
            ("Wed, 21 Oct 2026 07:28:12 +0000", seconds(12)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", seconds(900)),
            ("99999999999", seconds(900)),
            ("7, 8", None),
            ("7.5", None),
            ("+7", None),
            ("-5", None),
            ("abc", None),
            ("1e400", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, date), expected, "{value}");
        }
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:28:09 GMT", None), None);
    }

    #[test]
    fn attempts_and_budget_end() {
        let patience = Patience::default();
        let budget = Budget::new();
        let mut retry = Retry::new("invoices");
        let mut waits = 0;
        loop {
            retry.count_attempt();
            match retry.wait(Trouble::Server { status: 500 }, &patience, &budget) {
                Ok(wait) => assert!(wait <= patience.transient_cap),
                Err(error) => {
                    assert!(error.to_string().contains("answered 500 after 6 attempts"));
                    break;
                }
            }
            waits += 1;
        }
        assert_eq!(waits, 5);
        // 75 of 100 are left: 15 more retries, wherever they happen.
        let spent = (0..20)
            .filter(|_| {
                let mut retry = Retry::new("users");
                retry.count_attempt();
                let trouble = Trouble::Connection("connection refused".to_owned());
                retry.wait(trouble, &patience, &budget).is_ok()
            })
            .count();
        assert_eq!(spent, 15);
    }

    /// Waits for a refusal that asks for so many seconds, among as many readers; `None` when it gives up.
    async fn refused(budget: &Budget, seconds: u64, readers: usize) -> Option<()> {
        let patience = Patience::default();
        let waits: Result<Vec<Duration>, _> = (0..readers)
            .map(|_| {
                let mut retry = Retry::new("invoices");
                retry.count_attempt();
                let trouble = Trouble::Throttled {
                    status: 429,
                    wait: Some(Duration::from_secs(seconds)),
                };
                retry.wait(trouble, &patience, budget)
            })
            .collect();
        tokio::time::sleep(waits.ok()?.into_iter().max()?).await;
        Some(())
    }

    #[tokio::test(start_paused = true)]
    async fn x43_a_source_that_never_answers_well_is_left_for_later() {
        let (budget, started) = (Budget::new(), Instant::now());
        let mut answered = 0;
        while refused(&budget, 600, 1).await.is_some() {
            budget.refill();
            answered += 1;
            assert!(answered < 100, "it would go on for ever");
        }
        assert!(answered > 3, "{answered}");
        assert!(started.elapsed() <= LONGEST_WAITS);

        // Many that wait at once wait once: as long as one alone.
        let (budget, started) = (Budget::new(), Instant::now());
        while refused(&budget, 600, 8).await.is_some() {
            budget.refill();
        }
        assert!(started.elapsed() > LONGEST_WAITS / 2);

        // One that refuses now and then among its answers is never given up.
        let budget = Budget::new();
        for _ in 0..10_000 {
            assert!(refused(&budget, 10, 4).await.is_some());
            (0..20).for_each(|_| budget.refill());
        }
    }

    #[test]
    fn a_throttled_wait_obeys_the_server() {
        let mut retry = Retry::new("invoices");
        retry.count_attempt();
        let trouble = Trouble::Throttled {
            status: 429,
            wait: Some(Duration::from_secs(70)),
        };
        let wait = retry.wait(trouble, &Patience::default(), &Budget::new());
        assert_eq!(wait.unwrap(), Duration::from_secs(70));
    }
}
