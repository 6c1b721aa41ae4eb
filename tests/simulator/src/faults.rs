//! Trouble on demand.
//!
//! A fault is a rule: which requests it is for, how many of them, and what happens. Rules are asked in order;
//! the first that has something left to do decides.

use std::{str::FromStr, time::Duration};

/// The rules of a simulator, changeable while it runs (see [`crate::Running::faults`]).
#[derive(Clone, Debug, Default)]
pub struct Faults {
    pub rules: Vec<Fault>,
}

/// One rule. [`Fault::new`] applies to every list request, without end.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Only this resource, by path segment.
    pub resource: Option<String>,
    pub on: On,
    /// Only requests that carry this parameter, as decoded (`id[gt]`).
    pub parameter: Option<String>,
    /// Requests to let pass before.
    pub after: u32,
    /// Requests to strike; `None`: all.
    pub times: Option<u32>,
    /// Strike each n-th of the matching requests.
    pub every: u32,
    pub effect: Effect,
    /// Matching requests so far.
    pub seen: u32,
}

/// Kinds of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    List,
    Show,
    Token,
    Any,
}

/// What happens instead of, or besides, the right answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// An error answer with this status.
    Status { code: u16, retry_after: Option<u32> },
    /// An error answer with any text as its `Retry-After`: a date, or nonsense.
    RetryAfter { code: u16, value: String },
    /// The connection is reset without an answer.
    Reset,
    /// The connection is reset after so many bytes of the answer.
    Cut { bytes: u64 },
    /// The right answer, later.
    Delay(Duration),
    /// Parameters whose decoded name begins like this are not looked at.
    Ignore { parameter: String },
    /// 200 with no rows.
    Empty,
    /// 200 with a body that is not JSON.
    Garbage,
    /// 200 with a page for people, as of a login or of maintenance.
    Html,
    /// The right answer, packed and cut before its end.
    CutGzip,
    /// The right answer, so many bytes a second.
    Drip { bytes: u64 },
}

impl Fault {
    pub fn new(effect: Effect) -> Fault {
        Fault {
            resource: None,
            on: On::List,
            parameter: None,
            after: 0,
            times: None,
            every: 1,
            effect,
            seen: 0,
        }
    }

    /// Only for one resource.
    pub fn resource(mut self, name: &str) -> Fault {
        self.resource = Some(name.to_owned());
        self
    }

    /// Only for the next `n` matching requests.
    pub fn times(mut self, n: u32) -> Fault {
        self.times = Some(n);
        self
    }

    fn strikes(&mut self, on: On, resource: Option<&str>, query: &[(String, String)]) -> bool {
        let meant = (self.on == On::Any || self.on == on)
            && (self.resource.is_none() || self.resource.as_deref() == resource)
            && self
                .parameter
                .as_ref()
                .is_none_or(|p| query.iter().any(|(key, _)| key == p));
        if !meant {
            return false;
        }
        self.seen += 1;
        if self.seen <= self.after || !(self.seen - self.after).is_multiple_of(self.every.max(1)) {
            return false;
        }
        match &mut self.times {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }
}

impl Faults {
    pub fn with(mut self, fault: Fault) -> Faults {
        self.rules.push(fault);
        self
    }

    /// What happens to a request. `Ignore` rules join each other; of the others, the first one strikes.
    pub(crate) fn strike(
        &mut self,
        on: On,
        resource: Option<&str>,
        query: &[(String, String)],
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        for rule in &mut self.rules {
            let joins = matches!(rule.effect, Effect::Ignore { .. } | Effect::Delay(_));
            if (joins
                || effects
                    .iter()
                    .all(|e| matches!(e, Effect::Ignore { .. } | Effect::Delay(_))))
                && rule.strikes(on, resource, query)
            {
                effects.push(rule.effect.clone());
            }
        }
        effects
    }
}

/// Reads `[resource:]effect[xTIMES]`, several separated by commas. Effects: a status (`503`), or one with
/// a `Retry-After` (`429=7`, or `429=date` for five seconds from now as a date); `reset`, `cut=BYTES`,
/// `cut-gzip`, `delay=MILLISECONDS`, `drip=BYTES` a second, `ignore=PARAMETER`, `empty`, `garbage`, `html`.
/// Example: `invoices:503x3,users:429=7x2,purchase_orders:delay=200,ignore=id[gt]`.
impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Faults, String> {
        let mut faults = Faults::default();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let (resource, rest) = match part.split_once(':') {
                Some((resource, rest)) => (Some(resource), rest),
                None => (None, part),
            };
            let (word, times) = match rest.rsplit_once('x') {
                Some((word, n)) if n.parse::<u32>().is_ok() => (word, n.parse().ok()),
                _ => (rest, None),
            };
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || {
                value
                    .parse::<u64>()
                    .map_err(|_| format!("{name} needs a number, as in {name}=200"))
            };
            let effect = match name {
                "reset" => Effect::Reset,
                "empty" => Effect::Empty,
                "garbage" => Effect::Garbage,
                "html" => Effect::Html,
                "cut-gzip" => Effect::CutGzip,
                "drip" => Effect::Drip {
                    bytes: number()?.max(1),
                },
                "cut" => Effect::Cut { bytes: number()? },
                "delay" => Effect::Delay(Duration::from_millis(number()?)),
                "ignore" => Effect::Ignore {
                    parameter: value.to_owned(),
                },
                status => match status.parse() {
                    Ok(code @ 400..=599) if value.is_empty() => Effect::Status {
                        code,
                        retry_after: None,
                    },
                    Ok(code @ 400..=599) => match value.parse() {
                        Ok(seconds) => Effect::Status {
                            code,
                            retry_after: Some(seconds),
                        },
                        Err(_) => Effect::RetryAfter {
                            code,
                            value: value.to_owned(),
                        },
                    },
                    _ => {
                        return Err(format!(
                            "unknown fault {status:?}: expected a status from 400 to 599, one with its Retry-After as in \
                             429=7 or 429=date, reset, cut=BYTES, cut-gzip, delay=MILLISECONDS, drip=BYTES, \
                             ignore=PARAMETER, empty, garbage or html"
                        ));
                    }
                },
            };
            faults.rules.push(Fault {
                resource: resource.map(str::to_owned),
                times,
                ..Fault::new(effect)
            });
        }
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_used_up() {
        let mut faults: Faults = "invoices:503x2,ignore=id[gt]".parse().unwrap();
        let ignore = Effect::Ignore {
            parameter: "id[gt]".into(),
        };
        let status = Effect::Status {
            code: 503,
            retry_after: None,
        };
        assert_eq!(
            faults.strike(On::List, Some("users"), &[]),
            vec![ignore.clone()]
        );
        for _ in 0..2 {
            assert_eq!(
                faults.strike(On::List, Some("invoices"), &[]),
                [status.clone(), ignore.clone()]
            );
        }
        assert_eq!(faults.strike(On::List, Some("invoices"), &[]), [ignore]);
        assert_eq!(faults.strike(On::Token, None, &[]), []);
        assert!("later".parse::<Faults>().is_err());
        assert!("drip=fast".parse::<Faults>().is_err());
        let faults: Faults = "429=7x2,503=date,429=soon,cut-gzip,drip=200,html"
            .parse()
            .unwrap();
        let effects: Vec<Effect> = faults.rules.into_iter().map(|rule| rule.effect).collect();
        let with = |code, value: &str| Effect::RetryAfter {
            code,
            value: value.to_owned(),
        };
        let seven = Effect::Status {
            code: 429,
            retry_after: Some(7),
        };
        let expected = [
            seven,
            with(503, "date"),
            with(429, "soon"),
            Effect::CutGzip,
            Effect::Drip { bytes: 200 },
            Effect::Html,
        ];
        assert_eq!(effects, expected);
    }
}
