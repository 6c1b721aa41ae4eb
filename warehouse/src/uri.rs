//! What kind of warehouse a uri names.

use secrecy::{ExposeSecret, SecretString};

use crate::WarehouseError;

/// How a warehouse is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// The server's own protocol.
    Postgres,
    /// A driver of the ADBC standard; its dialect's name.
    Adbc(String),
}

/// The scheme of a uri; `adbc+postgresql://` takes the driver instead of the server's own protocol.
pub(crate) fn scheme(uri: &SecretString) -> Result<Scheme, WarehouseError> {
    let refuse =
        || WarehouseError::address("it does not begin with a scheme, such as postgresql://");
    let (scheme, _) = uri.expose_secret().split_once(':').ok_or_else(refuse)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if scheme.is_empty() || !scheme.chars().all(plain) {
        return Err(refuse());
    }
    Ok(match scheme.to_ascii_lowercase().as_str() {
        "postgresql" | "postgres" => Scheme::Postgres,
        other => {
            let name = other.strip_prefix("adbc+").unwrap_or(other);
            let name = if name == "postgres" {
                "postgresql"
            } else {
                name
            };
            Scheme::Adbc(name.to_string())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes() {
        let check = |uri: &str, expected: Option<Scheme>| {
            let found = scheme(&SecretString::from(uri));
            assert_eq!(found.ok(), expected, "{uri}");
        };
        let adbc = |name: &str| Some(Scheme::Adbc(name.to_string()));
        check("postgresql://u:p@h/d", Some(Scheme::Postgres));
        check("POSTGRES://h", Some(Scheme::Postgres));
        check("adbc+postgres://h/d", adbc("postgresql"));
        check("duckdb:///a/b.db", adbc("duckdb"));
        check("secret words", None);
        check("", None);
    }
}
