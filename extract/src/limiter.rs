//! One pace for all readers of an instance.
//!
//! Requests leave evenly spaced, without a burst, so that no second holds more than the ceiling.
//! A throttling answer slows everybody down at once; good answers bring the pace back slowly.
//! Own code, because the pace has to change while it runs.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

pub(crate) struct Limiter {
    ceiling: Option<f64>,
    state: Mutex<State>,
}

struct State {
    /// Requests a second; `None`: as fast as answers come.
    rate: Option<f64>,
    /// When the next request may leave.
    next: Instant,
    /// Before this, nobody asks: the server said so.
    closed_until: Instant,
    slowed_at: Option<Instant>,
    good: u32,
    /// Requests in the running second, to know the pace where there is no ceiling.
    second: Instant,
    in_second: u32,
}

const SLOWEST: f64 = 0.2;
/// Beyond this a pace without ceiling is free again.
const FREE: f64 = 200.0;

impl Limiter {
    pub(crate) fn new(ceiling: Option<f64>) -> Limiter {
        let now = Instant::now();
        Limiter {
            ceiling,
            state: Mutex::new(State {
                rate: ceiling,
                next: now,
                closed_until: now,
                slowed_at: None,
                good: 0,
                second: now,
                in_second: 0,
            }),
        }
    }

    /// Waits for this caller's turn.
    pub(crate) async fn ready(&self) {
        loop {
            let turn = self.turn();
            sleep_until(turn).await;
            // The server may have asked for a pause while we waited.
            if self.state().closed_until <= Instant::now() {
                return;
            }
        }
    }

    fn turn(&self) -> Instant {
        let mut state = self.state();
        let now = Instant::now();
        let turn = state.next.max(now).max(state.closed_until);
        if let Some(rate) = state.rate {
            state.next = turn + Duration::from_secs_f64(1.0 / rate);
        }
        if now.duration_since(state.second) >= Duration::from_secs(1) {
            state.second = now;
            state.in_second = 0;
        }
        state.in_second += 1;
        turn
    }

    /// The server is over its limit: slower for all, and nothing at all for `pause`.
    pub(crate) fn throttled(&self, pause: Duration) {
        let mut state = self.state();
        let now = Instant::now();
        state.closed_until = state.closed_until.max(now + pause);
        state.good = 0;
        let since = state.slowed_at.map(|at| now.duration_since(at));
        // Several requests in flight hear of the same overload.
        if since.is_some_and(|since| since < Duration::from_secs(2)) {
            return;
        }
        let again = since.is_some_and(|since| since < Duration::from_secs(10));
        let rate = state.rate.unwrap_or(f64::from(state.in_second).max(5.0));
        let slower = rate * if again { 0.5 } else { 0.7 };
        state.rate = Some(slower.max(SLOWEST));
        state.slowed_at = Some(now);
    }

    pub(crate) fn succeeded(&self) {
        let mut state = self.state();
        let Some(rate) = state.rate else { return };
        if state.slowed_at.is_none() {
            return;
        }
        state.good += 1;
        if state.good < 20 {
            return;
        }
        state.good = 0;
        let faster = rate + (rate * 0.1).max(0.5);
        match self.ceiling {
            Some(ceiling) if faster >= ceiling => {
                state.rate = Some(ceiling);
                state.slowed_at = None;
            }
            None if faster > FREE => {
                state.rate = None;
                state.slowed_at = None;
            }
            _ => state.rate = Some(faster),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_second_holds_more_than_the_ceiling() {
        let limiter = std::sync::Arc::new(Limiter::new(Some(100.0)));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let limiter = limiter.clone();
            tasks.spawn(async move {
                limiter.ready().await;
                Instant::now()
            });
        }
        let mut turns = tasks.join_all().await;
        turns.sort();
        let span = turns[39].duration_since(turns[0]);
        assert!(span >= Duration::from_millis(385), "{span:?}");
    }

    #[tokio::test]
    async fn a_pause_holds_everybody() {
        let limiter = Limiter::new(None);
        limiter.ready().await;
        let start = Instant::now();
        limiter.throttled(Duration::from_millis(120));
        limiter.ready().await;
        assert!(start.elapsed() >= Duration::from_millis(120));
        assert!(limiter.state().rate.is_some());
        for _ in 0..2_000 {
            limiter.succeeded();
        }
        assert!(limiter.state().rate.is_none());
    }

    #[tokio::test]
    async fn a_slower_pace_returns_to_the_ceiling() {
        let limiter = Limiter::new(Some(10.0));
        limiter.throttled(Duration::ZERO);
        limiter.throttled(Duration::ZERO);
        assert_eq!(limiter.state().rate, Some(7.0));
        for _ in 0..200 {
            limiter.succeeded();
        }
        assert_eq!(limiter.state().rate, Some(10.0));
    }
}
