//! The rate limit: a bucket of requests, a queue that delays, and a refusal beyond.
//!
//! Documented: 25 requests a second and a burst queue of 20. Not documented, and so our choice: that a second's
//! worth of requests may come at once, that the queue waits its turn at the same rate, and 429 beyond it.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// The documented limit, changeable.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub per_second: f64,
    /// Requests that wait instead of being refused.
    pub queue: u32,
    /// Send `Retry-After` (seconds) with a 429; by default it is absent, as most clients have met it.
    pub retry_after: Option<u32>,
}

impl Default for Rate {
    fn default() -> Self {
        Rate {
            per_second: 25.0,
            queue: 20,
            retry_after: None,
        }
    }
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Admission {
    Wait(Duration),
    Refuse,
}

pub(crate) struct Limiter {
    rate: Rate,
    /// Requests that may still come at once, negative while some wait; and when that was true.
    level: Mutex<(f64, Instant)>,
}

impl Limiter {
    pub fn new(rate: Rate) -> Limiter {
        Limiter {
            rate,
            level: Mutex::new((rate.per_second, Instant::now())),
        }
    }

    pub fn admit(&self, now: Instant) -> Admission {
        let mut level = self.level.lock().expect("no panic while the level is held");
        let (tokens, at) = *level;
        let since = now.saturating_duration_since(at).as_secs_f64();
        let tokens = (tokens + since * self.rate.per_second).min(self.rate.per_second.max(1.0));
        if tokens < 1.0 - f64::from(self.rate.queue) {
            *level = (tokens, now);
            return Admission::Refuse;
        }
        *level = (tokens - 1.0, now);
        let wait = ((1.0 - tokens) / self.rate.per_second).max(0.0);
        Admission::Wait(Duration::from_secs_f64(wait))
    }

    pub fn retry_after(&self) -> Option<u32> {
        self.rate.retry_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_at_once_then_a_queue_then_refusal() {
        let limiter = Limiter::new(Rate::default());
        let now = Instant::now();
        let answers: Vec<_> = (0..60).map(|_| limiter.admit(now)).collect();
        assert!(
            answers[..25]
                .iter()
                .all(|a| *a == Admission::Wait(Duration::ZERO)),
            "{answers:?}"
        );
        let Admission::Wait(last) = answers[44] else {
            panic!("the queue holds twenty")
        };
        assert!((last.as_secs_f64() - 0.8).abs() < 0.001, "{last:?}");
        assert!(answers[45..].iter().all(|a| *a == Admission::Refuse));
        // A second later twenty-five more have been worked off.
        assert!(matches!(
            limiter.admit(now + Duration::from_secs(1)),
            Admission::Wait(_)
        ));
    }
}
