//! One Coupa instance over HTTP: every request goes through here.
//!
//! Holds what readers share: connections, token, pace, retry budget and the places in flight.
//! Knows nothing of pages or records.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use url::{Host, Url};

use crate::error::ExtractError;
use crate::limiter::Limiter;
use crate::retry::{Budget, Patience, Retry, Trouble, retry_after};
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
    budget: Budget,
    patience: Patience,
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

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const FIRST_BYTE_LIMIT: Duration = Duration::from_secs(60);
const IDLE_LIMIT: Duration = Duration::from_secs(30);
const TOTAL_LIMIT: Duration = Duration::from_secs(300);
const BODY_LIMIT: usize = 128 << 20;
const WORDS_LIMIT: usize = 300;

impl Instance {
    /// Checks the settings; sends nothing yet.
    pub fn new(settings: Settings) -> Result<Instance, ExtractError> {
        Instance::with_patience(settings, Patience::default())
    }

    pub(crate) fn with_patience(
        settings: Settings,
        patience: Patience,
    ) -> Result<Instance, ExtractError> {
        let loopback = check_url(&settings.url)?;
        check_pace(&settings)?;
        // Does nothing where the program has chosen its provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .pool_max_idle_per_host(settings.max_in_flight)
            .user_agent(concat!("spendlake/", env!("CARGO_PKG_VERSION")));
        client = if loopback {
            client.no_proxy()
        } else {
            client.dns_resolver(Arc::new(PublicOnly))
        };
        let http = client.build().map_err(|error| ExtractError::Settings {
            detail: format!("no HTTP client can be made: {}", chain(&error)),
            hint: "check the certificates and the proxy settings of this machine".to_owned(),
        })?;
        Ok(Instance(Arc::new(Shared {
            limiter: Limiter::new(settings.requests_per_second),
            in_flight: Semaphore::new(settings.max_in_flight),
            settings,
            http,
            tokens: Tokens::default(),
            budget: Budget::new(),
            patience,
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
                .bearer_auth(token.expose());
            let sent = {
                let _place = self.0.in_flight.acquire().await.expect("never closed");
                retry.count_attempt();
                self.send(request, retry).await?
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
                    sleep(self.0.patience.young_token * retry.young).await;
                }
                // Seen in practice as a passing answer, so one repetition.
                403 if !retry.forbidden => {
                    retry.forbidden = true;
                    sleep(self.0.patience.forbidden).await;
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
        let throttled = matches!(trouble, Trouble::Throttled { .. });
        tracing::debug!(
            resource = retry.resource,
            attempts = retry.attempts(),
            ?trouble,
            "retry"
        );
        let wait = retry.wait(trouble, &self.0.patience, &self.0.budget)?;
        self.0.retries.fetch_add(1, Ordering::Relaxed);
        if throttled {
            self.0.limiter.throttled(wait);
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
        self.send(request, retry).await
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
    ) -> Result<Result<Answer, Trouble>, ExtractError> {
        self.0.limiter.ready().await;
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        let request = request.header(ACCEPT, "application/json");
        let whole = async {
            let Ok(response) = timeout(FIRST_BYTE_LIMIT, request.send()).await else {
                return Err(Trouble::Timeout("answer"));
            };
            let response = response.map_err(|error| broken(&error))?;
            read_answer(response).await
        };
        let answer = timeout(TOTAL_LIMIT, whole)
            .await
            .unwrap_or(Err(Trouble::Timeout("complete answer")));
        match answer {
            Ok(answer) => {
                self.0
                    .bytes
                    .fetch_add(answer.body.len() as u64, Ordering::Relaxed);
                Ok(Ok(answer))
            }
            Err(Trouble::Connection(text)) if text.contains("certificate") => {
                Err(ExtractError::WrongServer {
                    resource: retry.resource.clone(),
                    detail: format!("the server's certificate is not accepted: {text}"),
                    hint: "check coupa.url, and that this machine trusts the issuer".to_owned(),
                    effort: retry.effort(),
                })
            }
            Err(trouble) => Ok(Err(trouble)),
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
            401 => Some("the token is not accepted: is the OAuth client still active?".to_owned()),
            403 => Some(format!("give the OAuth client the scope {scope}")),
            404 => Some(format!(
                "the instance has no {path}: the module may not be licensed, or coupa.url is not Coupa's"
            )),
            _ => None,
        };
        ExtractError::Refused {
            resource,
            path: path.to_owned(),
            status: answer.status,
            words: answer.words(self),
            hint,
            effort,
        }
    }

    /// The text without this instance's secrets, should a server repeat them.
    fn without_secrets(&self, text: &str) -> String {
        let settings = &self.0.settings;
        [&settings.client_id, &settings.client_secret]
            .iter()
            .map(|secret| secret.expose_secret())
            .filter(|secret| !secret.is_empty())
            .fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

/// One HTTP answer, whole.
pub(crate) struct Answer {
    pub status: u16,
    pub body: Bytes,
    /// The server's clock.
    pub date: Option<DateTime<Utc>>,
    retry_after: Option<Duration>,
    /// Host of a redirect.
    location: Option<String>,
}

impl Answer {
    /// What may pass when asked again; `None` if the answer is final.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        match self.status {
            429 => Some(Trouble::Throttled {
                status: 429,
                wait: self.retry_after,
            }),
            503 if self.retry_after.is_some() => Some(Trouble::Throttled {
                status: 503,
                wait: self.retry_after,
            }),
            status @ (408 | 425 | 500 | 502..=504) => Some(Trouble::Server { status }),
            _ => None,
        }
    }

    /// What the server gives as its reason: the texts of a JSON error body, shortened.
    pub(crate) fn words(&self, instance: &Instance) -> String {
        let Ok(body) = serde_json::from_slice::<serde_json::Value>(&self.body) else {
            return String::new();
        };
        let words = ["error_description", "errors", "error", "message"]
            .iter()
            .find_map(|key| body.get(key))
            .map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            });
        let Some(words) = words else {
            return String::new();
        };
        let plain: String = words
            .chars()
            .filter(|letter| !letter.is_control())
            .collect();
        let short = &plain[..plain.floor_char_boundary(WORDS_LIMIT)];
        format!(": {}", instance.without_secrets(short))
    }
}

async fn read_answer(mut response: Response) -> Result<Answer, Trouble> {
    let status = response.status().as_u16();
    let headers = response.headers();
    let date = text(headers, DATE.as_str());
    let location = text(headers, LOCATION.as_str()).map(|place| match Url::parse(place) {
        Ok(url) => url.host_str().unwrap_or("another place").to_owned(),
        Err(_) => "another path".to_owned(),
    });
    let retry_after =
        text(headers, RETRY_AFTER.as_str()).and_then(|value| retry_after(value, date));
    let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let announced = response.content_length().unwrap_or(0) as usize;
    let mut body = BytesMut::with_capacity(announced.min(BODY_LIMIT));
    loop {
        let chunk = timeout(IDLE_LIMIT, response.chunk())
            .await
            .map_err(|_| Trouble::Timeout("further part of the answer"))?
            .map_err(|error| broken(&error))?;
        let Some(chunk) = chunk else { break };
        if body.len() + chunk.len() > BODY_LIMIT {
            let text = format!("the answer is longer than {BODY_LIMIT} bytes");
            return Err(Trouble::Connection(text));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        body: body.freeze(),
        date: date.map(|date| date.to_utc()),
        retry_after,
        location,
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn broken(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        return Trouble::Timeout("connection");
    }
    Trouble::Connection(chain(error))
}

/// The innermost causes, without the address: its query tells what is read.
fn chain(error: &reqwest::Error) -> String {
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

/// Whether the address is this machine's own. Errors: it may not be used at all.
fn check_url(url: &Url) -> Result<bool, ExtractError> {
    let refuse = |detail: String, hint: &str| {
        Err(ExtractError::Settings {
            detail,
            hint: hint.to_owned(),
        })
    };
    let address = match url.host() {
        None => {
            return refuse(
                "coupa.url names no host".to_owned(),
                "https://NAME.coupahost.com",
            );
        }
        Some(Host::Domain(name)) => {
            let local = name == "localhost" || name.ends_with(".localhost");
            local.then_some(IpAddr::from([127, 0, 0, 1]))
        }
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
    };
    let loopback = address.is_some_and(|address| address.is_loopback());
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return refuse(
            "coupa.url holds a user, a password or a query".to_owned(),
            "give the credentials as coupa.client_id and coupa.client_secret",
        );
    }
    if !(url.scheme() == "https" || (url.scheme() == "http" && loopback)) {
        return refuse(
            format!(
                "coupa.url uses {}, which sends the token in clear",
                url.scheme()
            ),
            "begin it with https://",
        );
    }
    if !loopback && address.is_some_and(is_private) {
        return refuse(
            "coupa.url is a private address".to_owned(),
            "name the host by which Coupa is reached from outside",
        );
    }
    Ok(loopback)
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

/// Looks names up and gives only addresses of the open internet, whatever the name server says.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> =
                found.filter(|address| !is_private(address.ip())).collect();
            if public.is_empty() {
                return Err("the name leads to a private address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let shared = address.octets()[0] == 100 && (address.octets()[1] & 0xC0) == 64;
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_broadcast()
                || shared
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}
