//! The OAuth token of an instance: one for all readers, renewed by one of them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::client::Instance;
use crate::decode::DecodeError;
use crate::error::ExtractError;
use crate::retry::{Retry, Trouble};

/// The current token; whoever holds the lock renews, the others wait for what he gets.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<Option<Arc<Token>>>);

pub(crate) struct Token {
    value: SecretString,
    renew_at: Instant,
    /// What it opens; `None` where the server does not say.
    scopes: Option<Vec<String>>,
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(***)")
    }
}

impl Token {
    pub(crate) fn expose(&self) -> &str {
        self.value.expose_secret()
    }

    /// Whether the server said what the token opens, and this was not among it.
    pub(crate) fn lacks(&self, scope: &str) -> bool {
        let scopes = self.scopes.as_ref();
        scopes.is_some_and(|scopes| !scopes.iter().any(|one| one == scope))
    }
}

const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
const USUAL: Duration = Duration::from_secs(3600);
/// A token is a JWT that grows with its scopes; headers beyond this are refused anyway.
const LONGEST_TOKEN: usize = 128 << 10;

impl Tokens {
    /// A token that is good for a while yet.
    pub(crate) async fn current(&self, instance: &Instance) -> Result<Arc<Token>, ExtractError> {
        let mut held = self.0.lock().await;
        if let Some(token) = held
            .as_ref()
            .filter(|token| token.renew_at > Instant::now())
        {
            return Ok(token.clone());
        }
        let token = Arc::new(sign_in(instance).await?);
        *held = Some(token.clone());
        Ok(token)
    }

    /// Another token than `refused`: the one somebody has got meanwhile, or a new one.
    pub(crate) async fn renewed(
        &self,
        instance: &Instance,
        refused: &Arc<Token>,
    ) -> Result<(), ExtractError> {
        let mut held = self.0.lock().await;
        if held
            .as_ref()
            .is_some_and(|token| Arc::ptr_eq(token, refused))
        {
            *held = Some(Arc::new(sign_in(instance).await?));
        }
        Ok(())
    }
}

async fn sign_in(instance: &Instance) -> Result<Token, ExtractError> {
    let mut retry = Retry::new("sign-in");
    loop {
        retry.count_attempt();
        let trouble = match instance.post_sign_in(&retry).await? {
            Ok(answer) if answer.status == 200 => match read_token(&answer) {
                Some(token) => {
                    instance.scrubber().add_token(&token.value);
                    return Ok(token);
                }
                None => Trouble::Content(not_a_token(&answer)),
            },
            Ok(answer) => match answer.trouble() {
                Some(trouble) => trouble,
                None => return Err(refusal(instance, &answer, &retry)),
            },
            Err(trouble) => trouble,
        };
        instance.wait(&mut retry, trouble).await?;
    }
}

fn read_token(answer: &Answer) -> Option<Token> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let value = body.get("access_token")?.as_str()?;
    let printable = value.bytes().all(|byte| byte.is_ascii_graphic());
    if value.is_empty() || value.len() > LONGEST_TOKEN || !printable {
        return None;
    }
    let life = body
        .get("expires_in")
        .and_then(seconds)
        .map_or(USUAL, |seconds| {
            Duration::from_secs(seconds).clamp(SHORTEST, LONGEST)
        });
    let scopes = body.get("scope").and_then(Value::as_str);
    Some(Token {
        value: value.to_owned().into(),
        scopes: scopes.map(|text| text.split_whitespace().map(str::to_owned).collect()),
        renew_at: Instant::now() + life.mul_f64(0.8),
    })
}

/// The lifetime, if it is a sensible number or its text.
fn seconds(value: &Value) -> Option<u64> {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text.parse().ok().filter(|seconds| *seconds > 0)
}

fn not_a_token(answer: &Answer) -> DecodeError {
    let markup = answer.body.trim_ascii_start().starts_with(b"<");
    let found = if markup {
        "an HTML page"
    } else if answer.body.len() > LONGEST_TOKEN {
        "a token longer than any server takes"
    } else {
        "no token"
    };
    DecodeError::NotRecords { found }
}

fn refusal(instance: &Instance, answer: &Answer, retry: &Retry) -> ExtractError {
    let settings = instance.settings();
    let host = settings.url.host_str().unwrap_or_default().to_owned();
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = body
        .get("error")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let (detail, hint) = match (code, answer.status) {
        ("invalid_client" | "unauthorized_client", _) | ("", 401 | 403) => (
            "the client id or the client secret is wrong, or the client is inactive".to_owned(),
            "compare coupa.client_id and coupa.client_secret with Setup > Integrations > OAuth2/OpenID Connect Clients"
                .to_owned(),
        ),
        ("invalid_scope", _) => (
            "the client does not have every scope that was asked for".to_owned(),
            format!(
                "give the OAuth client these scopes, or read fewer resources: {}",
                settings.scopes.join(" ")
            ),
        ),
        (_, 300..=399 | 404) => (
            format!("{} has no token endpoint, it answered {}", settings.url, answer.status),
            "coupa.url is the address in the browser when you are signed in, without a path"
                .to_owned(),
        ),
        _ => (
            format!("it answered {}{}", answer.status, answer.words(instance)),
            "the client needs the grant type client credentials".to_owned(),
        ),
    };
    ExtractError::Credentials {
        host,
        detail,
        hint,
        effort: retry.effort(),
    }
}
