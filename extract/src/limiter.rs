//! One pace for all readers of an instance.
//!
//! Requests leave evenly spaced, without a burst, so that no second holds more than the ceiling. A
//! refusal slows everybody down at once. The pace then returns quickly to the one that held before,
//! stays there for a while, and only then feels its way up: so a server at its limit is seldom
//! pushed over it, and one that has recovered is soon used in full.
//! Own code, because the pace has to change while it runs.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{Mutex as Line, Notify};
use tokio::time::{Instant, sleep_until};

pub(crate) struct Limiter {
    ceiling: Option<f64>,
    /// Whoever holds it leaves next; tokio's mutex is first come, first served. Only he waits for
    /// the time, so a new pace counts at once for all behind him.
    line: Line<()>,
    changed: Notify,
    state: Mutex<State>,
}

struct State {
    /// Requests a second; `None`: as fast as answers come.
    rate: Option<f64>,
    /// When the last request left.
    left: Option<Instant>,
    /// Before this, nobody asks: the server said so.
    closed_until: Instant,
    /// The pace that held, as far as refusals have taught.
    held: Option<f64>,
    slowed_at: Option<Instant>,
    /// Good answers since then.
    good: u32,
    /// Since when the pace has been at `held`.
    settled_at: Option<Instant>,
    stepped_at: Instant,
    /// Steps beyond `held`.
    beyond: i32,
    /// Requests in the running second, to know the pace where there is no ceiling.
    second: Instant,
    in_second: u32,
}

const SLOWEST: f64 = 0.2;
/// Beyond this a pace without ceiling is free again.
const FREE: f64 = 200.0;
/// Requests in flight hear of the same overload.
const SAME: Duration = Duration::from_secs(2);
/// A refusal so soon after another: the step before was too small.
const AGAIN: Duration = Duration::from_secs(10);
const SETTLED: Duration = Duration::from_secs(40);
const STEP: Duration = Duration::from_secs(1);
/// Growth a step: back to what held; and beyond it, each step larger by this factor.
const BACK: f64 = 1.5;
const BEYOND: f64 = 1.1;

impl Limiter {
    pub(crate) fn new(ceiling: Option<f64>) -> Limiter {
        let now = Instant::now();
        Limiter {
            ceiling,
            line: Line::new(()),
            changed: Notify::new(),
            state: Mutex::new(State {
                rate: ceiling,
                left: None,
                closed_until: now,
                held: None,
                slowed_at: None,
                good: 0,
                settled_at: None,
                stepped_at: now,
                beyond: 0,
                second: now,
                in_second: 0,
            }),
        }
    }

    /// Waits for this caller's turn.
    pub(crate) async fn ready(&self) {
        let _first = self.line.lock().await;
        loop {
            let changed = self.changed.notified();
            let Some(turn) = self.leave() else { return };
            tokio::select! {
                () = sleep_until(turn) => {}
                () = changed => {}
            }
        }
    }

    /// Takes the turn, or tells when it comes.
    fn leave(&self) -> Option<Instant> {
        let mut state = self.state();
        let now = Instant::now();
        let spaced = state
            .left
            .zip(state.rate)
            .map(|(left, rate)| left + Duration::from_secs_f64(1.0 / rate));
        let turn = spaced.unwrap_or(now).max(state.closed_until);
        if turn > now {
            return Some(turn);
        }
        state.left = Some(now);
        if now.duration_since(state.second) >= Duration::from_secs(1) {
            state.second = now;
            state.in_second = 0;
        }
        state.in_second += 1;
        None
    }

    /// The server is over its limit: slower for all, and nothing at all for `pause`.
    pub(crate) fn throttled(&self, pause: Duration) {
        let mut state = self.state();
        let now = Instant::now();
        state.closed_until = state.closed_until.max(now + pause);
        let since = state.slowed_at.map(|at| now.duration_since(at));
        if since.is_some_and(|since| since < SAME) {
            return;
        }
        let rate = state.rate.unwrap_or(f64::from(state.in_second).max(5.0));
        let held = match state.held {
            None => rate * 0.9,
            // Nothing has been served: that is an outage, and tells nothing of the limit.
            Some(held) if state.good == 0 => held,
            Some(held) if rate <= held => rate * 0.8,
            Some(held) => held,
        };
        let again = since.is_some_and(|since| since < AGAIN);
        let slower = rate * if again { 0.5 } else { 0.7 };
        state.held = Some(held);
        state.rate = Some(slower.min(held).max(SLOWEST));
        state.slowed_at = Some(now);
        state.stepped_at = now;
        state.settled_at = None;
        state.beyond = 0;
        state.good = 0;
        drop(state);
        self.changed.notify_waiters();
    }

    pub(crate) fn succeeded(&self) {
        let mut state = self.state();
        state.good = state.good.saturating_add(1);
        let (Some(rate), Some(held)) = (state.rate, state.held) else {
            return;
        };
        let now = Instant::now();
        if now.duration_since(state.stepped_at) < STEP {
            return;
        }
        state.stepped_at = now;
        let faster = if rate < held {
            (rate * BACK).min(held)
        } else {
            let settled_at = *state.settled_at.get_or_insert(now);
            if now.duration_since(settled_at) < SETTLED {
                return;
            }
            // A small step finds a limit that is still there with hardly a request too many.
            state.beyond = (state.beyond + 1).min(8);
            rate * BEYOND.powi(state.beyond)
        };
        match self.ceiling {
            Some(ceiling) if faster >= ceiling => {
                state.rate = Some(ceiling);
                state.held = None;
            }
            None if faster > FREE => {
                state.rate = None;
                state.held = None;
            }
            _ => state.rate = Some(faster),
        }
        drop(state);
        self.changed.notify_waiters();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests;
