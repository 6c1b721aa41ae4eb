//! OAuth 2.0 client credentials: clients, tokens, scopes.
//!
//! Documented: `POST /oauth2/token` with a form body or HTTP Basic, scopes separated by spaces, a lifetime of
//! 86,399 seconds, and that a token younger than five seconds may be rejected. From public clients: the words
//! `invalid_client` and `invalid_scope`, and all granted scopes when none is asked for. Ours: the status 401 of
//! `invalid_client`, and tokens that look like a JWT but are only known to this process.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use crate::world::dice::mix;

/// An OAuth client of the tenant.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    pub secret: String,
    pub scopes: Vec<String>,
}

/// How tokens behave.
#[derive(Clone, Copy, Debug)]
pub struct TokenRules {
    pub lifetime: Duration,
    /// Tokens younger than this are rejected; zero: none.
    pub youth: Duration,
}

impl Default for TokenRules {
    fn default() -> Self {
        TokenRules {
            lifetime: Duration::from_secs(86_399),
            youth: Duration::ZERO,
        }
    }
}

struct Token {
    scopes: Vec<String>,
    issued: i64,
    expires: i64,
}

pub(crate) struct Tokens {
    clients: Vec<Client>,
    rules: TokenRules,
    seed: u64,
    issued: Mutex<HashMap<String, Token>>,
}

/// Why a bearer token was not good enough.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unknown,
    Expired,
    TooYoung,
    Scope,
}

/// A refused token request: status, error word, description.
pub(crate) type TokenError = (u16, &'static str, &'static str);

impl Tokens {
    pub fn new(clients: Vec<Client>, rules: TokenRules, seed: u64) -> Tokens {
        Tokens {
            clients,
            rules,
            seed,
            issued: Mutex::new(HashMap::new()),
        }
    }

    /// Answers a token request; the body of the 200.
    pub fn issue(
        &self,
        form: &HashMap<String, String>,
        basic: Option<(String, String)>,
        now: i64,
    ) -> Result<String, TokenError> {
        let given = |key: &str| form.get(key).cloned().unwrap_or_default();
        let (id, secret) = basic.unwrap_or_else(|| (given("client_id"), given("client_secret")));
        let client = self
            .clients
            .iter()
            .find(|c| c.id == id && c.secret == secret);
        let client = client.ok_or((401, "invalid_client", "Client authentication failed"))?;
        match given("grant_type").as_str() {
            "client_credentials" => {}
            "" => {
                return Err((
                    400,
                    "invalid_request",
                    "The parameter grant_type is missing",
                ));
            }
            _ => {
                return Err((
                    400,
                    "unsupported_grant_type",
                    "The grant type is not supported",
                ));
            }
        }
        let asked: Vec<String> = given("scope")
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        if asked.iter().any(|scope| !client.scopes.contains(scope)) {
            return Err((
                400,
                "invalid_scope",
                "The requested scope is invalid, unknown, or malformed",
            ));
        }
        let scopes = if asked.is_empty() {
            client.scopes.clone()
        } else {
            asked
        };
        let mut issued = self.issued.lock().expect("no panic while tokens are held");
        let lifetime = self.rules.lifetime.as_secs() as i64;
        let claims = format!(
            r#"{{"iss":"simulator","sub":"{}","iat":{now},"exp":{},"n":{}}}"#,
            client.id,
            now + lifetime,
            issued.len()
        );
        let secret: Vec<u8> = (0..4)
            .flat_map(|n| mix(self.seed, 777 + n, issued.len() as u64).to_be_bytes())
            .collect();
        let head = br#"{"alg":"HS256","typ":"JWT"}"#;
        let token = format!(
            "{}.{}.{}",
            base64(head),
            base64(claims.as_bytes()),
            base64(&secret)
        );
        let body = serde_json::json!({
            "access_token": token,
            "token_type": "bearer",
            "expires_in": lifetime,
            "scope": scopes.join(" "),
        });
        issued.insert(
            token,
            Token {
                scopes,
                issued: now,
                expires: now + lifetime,
            },
        );
        Ok(body.to_string())
    }

    /// Whether a bearer token opens one of `scopes`.
    pub fn check(&self, bearer: Option<&str>, scopes: &[&str], now: i64) -> Result<(), Refusal> {
        let issued = self.issued.lock().expect("no panic while tokens are held");
        let token = bearer.and_then(|b| issued.get(b)).ok_or(Refusal::Unknown)?;
        if now >= token.expires {
            return Err(Refusal::Expired);
        }
        if now - token.issued < self.rules.youth.as_secs() as i64 {
            return Err(Refusal::TooYoung);
        }
        let opens = scopes.is_empty() || token.scopes.iter().any(|s| scopes.contains(&s.as_str()));
        if opens { Ok(()) } else { Err(Refusal::Scope) }
    }

    /// The tokens that are still worth something.
    pub fn valid(&self) -> Vec<String> {
        let issued = self.issued.lock().expect("no panic while tokens are held");
        issued.keys().cloned().collect()
    }

    /// Makes every token that was issued so far worthless.
    pub fn revoke(&self) {
        self.issued
            .lock()
            .expect("no panic while tokens are held")
            .clear();
    }
}

/// Reads `Basic ...` credentials.
pub(crate) fn basic(header: &str) -> Option<(String, String)> {
    let text = String::from_utf8(unbase64(header.strip_prefix("Basic ")?)?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| {
        let pairs = format!("v={}", part.replace('+', "%2B"));
        url::form_urlencoded::parse(pairs.as_bytes())
            .next()
            .map(|(_, v)| v.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| (n << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            out.push(char::from(LETTERS[(n >> (18 - 6 * place)) as usize & 63]));
        }
    }
    out
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut bits, mut held) = (0u32, 0);
    for byte in text.trim().trim_end_matches('=').bytes() {
        let byte = match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        };
        bits = (bits << 6) | LETTERS.iter().position(|l| *l == byte)? as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_reads_back() {
        for text in ["", "a", "ab", "abc", "abcd", "\u{ff}~ id:secret"] {
            assert_eq!(unbase64(&base64(text.as_bytes())).unwrap(), text.as_bytes());
        }
        assert_eq!(
            basic("Basic aWQ6cyUzQXQ="),
            Some(("id".into(), "s:t".into()))
        );
    }
}
