//! How a simulated tenant is set up.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeZone, Utc};

use crate::{
    auth::{Client, TokenRules},
    clock::Clock,
    faults::Faults,
    rate::Rate,
    world::Resource,
    zone::Zone,
};

/// A tenant and its server. [`Config::default`] is a small company behind Coupa's documented limits;
/// [`Config::for_tests`] one without limits, whose clock stands.
#[derive(Clone, Debug)]
pub struct Config {
    /// Everything random follows from it.
    pub seed: u64,
    /// 1.0: 5,000 invoices, 4,000 orders, 2,000 requisitions, 400 suppliers, 800 users and so on.
    pub scale: f64,
    /// Numbers of records that replace those of the scale, by path segment (`invoices`).
    pub counts: BTreeMap<String, u32>,
    /// Lines of every document; `None`: 1 to 8.
    pub lines: Option<u32>,
    /// Leave about one id in forty out.
    pub id_gaps: bool,
    /// The clock; its first instant ends three years of history.
    pub clock: Clock,
    /// The company's time zone.
    pub zone: Zone,
    /// Print associations that are not set as `null` (newer releases) instead of leaving them out (older ones).
    pub null_associations: bool,
    /// Header shipping, handling and misc amounts as JSON numbers.
    pub numeric_charges: bool,
    /// Port on the loopback interface; 0: any free one.
    pub port: u16,
    pub clients: Vec<Client>,
    pub token: TokenRules,
    /// `None`: no limit.
    pub rate: Option<Rate>,
    /// Added to every answer.
    pub latency: Duration,
    /// Answer a `limit` over 50 with 400 instead of cutting it.
    pub refuse_large_pages: bool,
    /// Skip conditions on unknown attributes instead of answering 400.
    pub ignore_unknown_filters: bool,
    /// Status when a token lacks the scope: 403, or 401.
    pub scope_status: u16,
    /// Fields that are answered when a call names none: the tenant's default response filter, by path segment.
    pub default_fields: BTreeMap<String, String>,
    pub faults: Faults,
    /// Serve `/simulator/...`: advance, requests, truth.
    pub control: bool,
    /// Keep a record of each request.
    pub record_requests: bool,
    /// Threads that answer.
    pub threads: usize,
}

/// The instant at which history ends unless the configuration says otherwise.
pub fn default_start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 17, 0, 0)
        .single()
        .expect("a valid instant")
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            scale: 1.0,
            counts: BTreeMap::new(),
            lines: None,
            id_gaps: true,
            clock: Clock::running(default_start()),
            zone: Zone::LosAngeles,
            null_associations: false,
            numeric_charges: false,
            port: 0,
            clients: vec![Client {
                id: "simulator".into(),
                secret: "simulator-secret".into(),
                scopes: Resource::scopes(),
            }],
            token: TokenRules::default(),
            rate: Some(Rate::default()),
            latency: Duration::ZERO,
            refuse_large_pages: false,
            ignore_unknown_filters: false,
            scope_status: 403,
            default_fields: BTreeMap::new(),
            faults: Faults::default(),
            control: false,
            record_requests: true,
            threads: 1,
        }
    }
}

impl Config {
    /// No rate limit, a clock that stands, and a company of `scale`.
    pub fn for_tests(seed: u64, scale: f64) -> Config {
        Config {
            seed,
            scale,
            clock: Clock::standing(default_start()),
            rate: None,
            ..Config::default()
        }
    }

    /// Replaces the number of records of one resource.
    pub fn count(mut self, resource: &str, n: u32) -> Config {
        self.counts.insert(resource.to_owned(), n);
        self
    }
}
