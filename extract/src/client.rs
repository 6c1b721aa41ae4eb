//! One Coupa instance over HTTP: every request goes through here.
//!
//! Holds what readers share: connections, token, pace, retry budget and the places in flight.
//! Knows nothing of pages or records.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use url::Url;

use crate::address::{Lookup, PrivateName, PublicOnly, check_url, system_lookup};
use crate::answer::{Answer, Limits, Rooms, read_answer};
use crate::error::ExtractError;
use crate::limiter::Limiter;
use crate::retry::{Budget, Patience, Retry, Trouble};
use crate::scrub::Scrubber;
use crate::token::Tokens;

/// How to reach an instance, and how hard to ask.
#[derive(Clone)]
pub struct Settings {
    /// `https://…`, or loopback over `http://`. A path is put before Coupa's own.
    pub url: Url,
    pub client_id: SecretString,
    pub client_secret: SecretString,
    /// Asked for with the token; empty: all that the client has.
    pub scopes: Vec<String>,
    /// `None`: no ceiling.
    pub requests_per_second: Option<f64>,
    pub max_in_flight: usize,
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("url", &self.url.as_str())
            .field("scopes", &self.scopes)
            .field("requests_per_second", &self.requests_per_second)
            .field("max_in_flight", &self.max_in_flight)
            .finish_non_exhaustive()
    }
}

/// One Coupa instance. A clone is the same instance: give one to every reader.
#[derive(Clone)]
pub struct Instance(Arc<Shared>);

struct Shared {
    settings: Settings,
    http: reqwest::Client,
    tokens: Tokens,
    limiter: Limiter,
    in_flight: Semaphore,
    rooms: Rooms,
    budget: Budget,
    scrubber: Scrubber,
    tuning: Tuning,
    requests: AtomicU64,
    retries: AtomicU64,
    bytes: AtomicU64,
}

impl fmt::Debug for Instance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Instance")
            .field(&self.0.settings)
            .finish()
    }
}

/// What an instance was asked for since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Sign-ins and repetitions included.
    pub requests: u64,
    pub retries: u64,
    /// Bodies, uncompressed.
    pub bytes: u64,
}

/// What is fixed for people, and what tests change: waits, limits, trust, and the network itself.
#[derive(Clone, Default)]
pub(crate) struct Tuning {
    pub patience: Patience,
    pub limits: Limits,
    /// Issuers to trust besides those of this machine.
    pub roots: Vec<reqwest::Certificate>,
    pub lookup: Option<Lookup>,
    /// Answers instead of the network, so that time can be virtual.
    #[cfg(test)]
    pub network: Option<crate::testing::Network>,
}

/// A token's answer is a few kilobytes.
const SIGN_IN_LIMIT: usize = 1 << 20;
const CAUSE_LIMIT: usize = 300;

impl Instance {
    /// Checks the settings; sends nothing yet.
    pub fn new(settings: Settings) -> Result<Instance, ExtractError> {
        Instance::tuned(settings, Tuning::default())
    }

    pub(crate) fn tuned(settings: Settings, tuning: Tuning) -> Result<Instance, ExtractError> {
        let loopback = check_url(&settings.url)?;
        check_pace(&settings)?;
        // Does nothing where the program has chosen its provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // Both are done here, where they are counted and limited.
            .retry(reqwest::retry::never())
            .no_gzip()
            .no_zstd()
            .connect_timeout(tuning.limits.connect)
            .dns_resolver(Arc::new(PublicOnly {
                host: settings.url.host_str().unwrap_or_default().to_owned(),
                loopback,
                lookup: tuning.lookup.clone().unwrap_or_else(system_lookup),
            }))
            .pool_max_idle_per_host(settings.max_in_flight)
            .user_agent(concat!("spendlake/", env!("CARGO_PKG_VERSION")));
        client = match settings.url.scheme() {
            // Nothing is encrypted on the way to this machine itself, so its issuers need not be read.
            "http" => client.tls_certs_only([]),
            _ => client.tls_certs_merge(tuning.roots.clone()),
        };
        if loopback || tuning.lookup.is_some() {
            client = client.no_proxy();
        }
        let http = client.build().map_err(|error| ExtractError::Settings {
            detail: format!("no HTTP client can be made: {}", chain(&error)),
            hint: "check the certificates and the proxy settings of this machine".to_owned(),
        })?;
        Ok(Instance(Arc::new(Shared {
            limiter: Limiter::new(settings.requests_per_second),
            in_flight: Semaphore::new(settings.max_in_flight),
            rooms: Rooms::default(),
            scrubber: Scrubber::new(&settings.client_id, &settings.client_secret),
            settings,
            http,
            tokens: Tokens::default(),
            budget: Budget::new(),
            tuning,
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        })))
    }

    /// Gets a token, so that refused credentials are known before the first read.
    pub async fn sign_in(&self) -> Result<(), ExtractError> {
        self.0.tokens.current(self).await.map(drop)
    }

    pub fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            requests: read(&self.0.requests),
            retries: read(&self.0.retries),
            bytes: read(&self.0.bytes),
        }
    }

    pub(crate) fn scrubber(&self) -> &Scrubber {
        &self.0.scrubber
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Gets a path below the instance's address; returns only with status 200.
    ///
    /// `scope` is what a refusal tells to grant. Errors: final answers at once, passing ones when
    /// `retry` is spent.
    pub(crate) async fn get(
        &self,
        retry: &mut Retry,
        path: &str,
        scope: &str,
        query: &[(String, String)],
    ) -> Result<Answer, ExtractError> {
        loop {
            let token = self.0.tokens.current(self).await?;
            let request = self
                .0
                .http
                .get(self.address(path, query))
                .header(CONTENT_TYPE, "application/json")
                .header(AUTHORIZATION, bearer(token.expose()));
            let sent = {
                let _place = self.0.in_flight.acquire().await.expect("never closed");
                retry.count_attempt();
                self.send(request, retry, &self.0.tuning.limits).await?
            };
            let answer = match sent {
                Ok(answer) => answer,
                Err(trouble) => {
                    self.wait(retry, trouble).await?;
                    continue;
                }
            };
            match answer.status {
                200 => {
                    self.0.budget.refill();
                    self.0.limiter.succeeded();
                    return Ok(answer);
                }
                // A token is renewed once; a new one may need some seconds before it counts.
                401 if !retry.renewed => {
                    retry.renewed = true;
                    self.0.tokens.renewed(self, &token).await?;
                }
                401 if retry.young < 2 => {
                    retry.young += 1;
                    sleep(self.0.tuning.patience.young_token * retry.young).await;
                }
                // Seen in practice as a passing answer, so one repetition; not where the scope is missing.
                403 if !retry.forbidden && !token.lacks(scope) => {
                    retry.forbidden = true;
                    sleep(self.0.tuning.patience.forbidden).await;
                }
                _ => match answer.trouble() {
                    Some(trouble) => {
                        self.wait(retry, trouble).await?;
                        continue;
                    }
                    None => return Err(self.refusal(retry, path, scope, &answer)),
                },
            }
            self.0.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits before the next attempt, or ends the retries with an error.
    pub(crate) async fn wait(
        &self,
        retry: &mut Retry,
        trouble: Trouble,
    ) -> Result<(), ExtractError> {
        let patience = &self.0.tuning.patience;
        // Without a word of the server, only the one that was refused waits longer each time.
        let pause = match &trouble {
            Trouble::Throttled { wait, .. } => Some(wait.unwrap_or_default().max(patience.pause)),
            _ => None,
        };
        tracing::debug!(
            resource = retry.resource,
            attempts = retry.attempts(),
            ?trouble,
            "retry"
        );
        let wait = retry.wait(trouble, patience, &self.0.budget)?;
        self.0.retries.fetch_add(1, Ordering::Relaxed);
        if let Some(pause) = pause {
            self.0.limiter.throttled(pause);
        }
        sleep(wait).await;
        Ok(())
    }

    pub(crate) async fn post_sign_in(
        &self,
        retry: &Retry,
    ) -> Result<Result<Answer, Trouble>, ExtractError> {
        let settings = &self.0.settings;
        let scopes = settings.scopes.join(" ");
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", settings.client_id.expose_secret()),
            ("client_secret", settings.client_secret.expose_secret()),
        ];
        if !scopes.is_empty() {
            form.push(("scope", &scopes));
        }
        let request = self
            .0
            .http
            .post(self.address("/oauth2/token", &[]))
            .form(&form);
        let limits = Limits {
            wire_bytes: SIGN_IN_LIMIT,
            ..self.0.tuning.limits.clone()
        };
        self.send(request, retry, &limits).await
    }

    fn address(&self, path: &str, query: &[(String, String)]) -> Url {
        let mut address = self.0.settings.url.clone();
        let before = address.path().trim_end_matches('/').to_owned();
        address.set_path(&format!("{before}{path}"));
        if !query.is_empty() {
            address.query_pairs_mut().extend_pairs(query);
        }
        address
    }

    /// One attempt. The outer error is final, the inner one may pass.
    async fn send(
        &self,
        request: RequestBuilder,
        retry: &Retry,
        limits: &Limits,
    ) -> Result<Result<Answer, Trouble>, ExtractError> {
        self.0.limiter.ready().await;
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        let request = request
            .header(ACCEPT, "application/json")
            .header(ACCEPT_ENCODING, "gzip");
        let whole = async {
            #[cfg(test)]
            if let Some(network) = &self.0.tuning.network {
                let request = request.build().expect("our requests are well-formed");
                return network(request).await.map_err(Failure::Passing);
            }
            match timeout(limits.first_byte, request.send()).await {
                Err(_) => Err(Failure::Passing(Trouble::Timeout("answer"))),
                Ok(Err(error)) => Err(Failure::of(&error)),
                Ok(Ok(response)) => read_answer(response, limits, &self.0.rooms)
                    .await
                    .map_err(Failure::Passing),
            }
        };
        let answer = timeout(limits.total, whole)
            .await
            .unwrap_or(Err(Failure::Passing(Trouble::Timeout("complete answer"))));
        match answer {
            Ok(answer) => {
                self.0
                    .bytes
                    .fetch_add(answer.body.len() as u64, Ordering::Relaxed);
                Ok(Ok(answer))
            }
            Err(Failure::Passing(trouble)) => Ok(Err(trouble)),
            Err(Failure::Final { detail, hint }) => Err(ExtractError::WrongServer {
                resource: retry.resource.clone(),
                detail: self.0.scrubber.clean(&detail, CAUSE_LIMIT),
                hint: hint.to_owned(),
                effort: retry.effort(),
            }),
        }
    }

    fn refusal(&self, retry: &Retry, path: &str, scope: &str, answer: &Answer) -> ExtractError {
        let resource = retry.resource.clone();
        let effort = retry.effort();
        if (300..400).contains(&answer.status) {
            let host = answer.location.as_deref().unwrap_or("another place");
            return ExtractError::WrongServer {
                resource,
                detail: format!("GET {path} was redirected to {host}, which is not followed"),
                hint: "set coupa.url to the instance's final address".to_owned(),
                effort,
            };
        }
        let hint = match answer.status {
            401 => "the token is not accepted: is the OAuth client still active?".to_owned(),
            403 => format!("give the OAuth client the scope {scope}"),
            404 => format!(
                "the instance has no {path}: the module may not be licensed, or coupa.url is not Coupa's"
            ),
            400 | 422 => "the query is not understood: compare the resource's definition with this instance's fields"
                .to_owned(),
            407 => "a proxy asks for credentials: set HTTPS_PROXY with them, or NO_PROXY".to_owned(),
            431 => "the token is too large for the server: set coupa.scopes to fewer scopes".to_owned(),
            511 => "this network asks for a sign-in first: open coupa.url in a browser".to_owned(),
            500.. => "the server does not offer this: is coupa.url the instance's own address?".to_owned(),
            _ => format!("is {path} a list of this instance? see the resource's definition"),
        };
        ExtractError::Refused {
            resource,
            path: path.to_owned(),
            status: answer.status,
            words: answer.words(self),
            hint: Some(hint),
            effort,
        }
    }
}

/// Marked, so that nothing that prints headers prints this one.
fn bearer(token: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .expect("a token is checked to be printable when it comes");
    value.set_sensitive(true);
    value
}

/// What an I/O error only wraps; its own `source` would leave that out.
fn carried<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    match error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
    {
        Some(inner) => carried(inner),
        None => error,
    }
}

/// Why an attempt brought no answer.
enum Failure {
    Passing(Trouble),
    /// Asking again would not change it.
    Final {
        detail: String,
        hint: &'static str,
    },
}

impl Failure {
    fn of(error: &reqwest::Error) -> Failure {
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            if inner.is::<PrivateName>() {
                return Failure::Final {
                    detail: PrivateName.to_string(),
                    hint: "coupa.url has to lead to the open internet; ask who runs the name server",
                };
            }
            if let Some(failure) = carried(inner).downcast_ref().and_then(Failure::of_tls) {
                return failure;
            }
            cause = inner.source();
        }
        if error.is_timeout() {
            return Failure::Passing(Trouble::Timeout("connection"));
        }
        Failure::Passing(Trouble::Connection(chain(error)))
    }

    /// A handshake that was cut may go through next time; one that was refused will not.
    fn of_tls(error: &rustls::Error) -> Option<Failure> {
        use rustls::{AlertDescription as Alert, Error};
        match error {
            Error::InvalidCertificate(_) => Some(Failure::Final {
                detail: format!("the server's certificate is not accepted: {error}"),
                hint: "check coupa.url, and that this machine trusts the issuer",
            }),
            Error::PeerIncompatible(_)
            | Error::AlertReceived(Alert::ProtocolVersion | Alert::HandshakeFailure) => {
                Some(Failure::Final {
                    detail: format!("the server speaks no TLS that is safe: {error}"),
                    hint: "it has to offer TLS 1.2 or newer: is coupa.url the instance's own address?",
                })
            }
            _ => None,
        }
    }
}

/// The innermost causes, without the address: its query tells what is read.
pub(crate) fn chain(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        cause = inner.source();
    }
    match texts.len() {
        0 => "the connection failed".to_owned(),
        count => texts[count.saturating_sub(2)..].join(": "),
    }
}

fn check_pace(settings: &Settings) -> Result<(), ExtractError> {
    let rate = settings.requests_per_second;
    let detail = if rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        "coupa.requests_per_second is not a positive number"
    } else if settings.max_in_flight == 0 || settings.max_in_flight > 1_000 {
        "coupa.max_in_flight is not between 1 and 1000"
    } else {
        return Ok(());
    };
    Err(ExtractError::Settings {
        detail: detail.to_owned(),
        hint: "leave both out to use the defaults".to_owned(),
    })
}
