//! A `postgresql://` uri, and how far the server's certificate is to be trusted.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use url::{Host, Url};

use crate::WarehouseError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A server that takes no byte for so long is gone.
const SILENCE: Duration = Duration::from_secs(90);

/// Where to connect, and how.
pub(super) struct Address {
    pub config: Config,
    pub tls: MakeRustlsConnect,
}

/// Reads a uri. What it says of `sslmode`: `disable`, `prefer`, `require` (encrypted, the certificate is not
/// looked at), `verify-full` (and `verify-ca`, which is not told apart). Left out, it is `prefer` on this
/// machine and `require` elsewhere. `sslrootcert` names a file of certificates to trust besides the system's.
pub(super) fn read(uri: &SecretString) -> Result<Address, WarehouseError> {
    let refuse = WarehouseError::address;
    let url = Url::parse(uri.expose_secret())
        .map_err(|error| refuse(format!("it is no uri, {error}")))?;
    let text = |part: &str| {
        percent(part).ok_or_else(|| refuse("a percent sign is not followed by two digits".into()))
    };
    let mut config = Config::new();
    let host = url
        .host()
        .ok_or_else(|| refuse("it names no host".into()))?;
    let (name, here) = match &host {
        Host::Domain(name) => (text(name)?, *name == "localhost"),
        Host::Ipv4(ip) => (ip.to_string(), ip.is_loopback()),
        Host::Ipv6(ip) => (ip.to_string(), ip.is_loopback()),
    };
    // Hosts of schemes that are not the web's are not read as numbers.
    let here = here || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    config.host(&name).port(url.port().unwrap_or(5432));
    if !url.username().is_empty() {
        config.user(text(url.username())?);
    }
    if let Some(password) = url.password() {
        config.password(text(password)?);
    }
    let database = text(url.path().trim_start_matches('/'))?;
    if database.is_empty() {
        return Err(refuse("it names no database".into()));
    }
    config.dbname(database);
    let mut mode = if here { "prefer" } else { "require" }.to_string();
    let mut roots = None;
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "sslmode" => mode = value.into_owned(),
            "sslrootcert" => roots = Some(value.into_owned()),
            "user" => drop(config.user(value.into_owned())),
            "password" => drop(config.password(value.into_owned())),
            "application_name" => drop(config.application_name(value.into_owned())),
            "options" => drop(config.options(value.into_owned())),
            other => {
                return Err(refuse(format!(
                    "`{}` is none of sslmode, sslrootcert, user, password, application_name, options",
                    other.escape_debug()
                )));
            }
        }
    }
    if config.get_application_name().is_none() {
        config.application_name("spendlake");
    }
    config
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_user_timeout(SILENCE)
        .keepalives_idle(Duration::from_secs(30));
    let verified = match mode.as_str() {
        "disable" => {
            config.ssl_mode(SslMode::Disable);
            false
        }
        "prefer" => {
            config.ssl_mode(SslMode::Prefer);
            false
        }
        "require" => {
            config.ssl_mode(SslMode::Require);
            false
        }
        "verify-full" | "verify-ca" => {
            config.ssl_mode(SslMode::Require);
            true
        }
        _ => {
            return Err(refuse(
                "sslmode is none of disable, prefer, require, verify-full".into(),
            ));
        }
    };
    Ok(Address {
        config,
        tls: MakeRustlsConnect::new(client_config(verified, roots.as_deref())?),
    })
}

fn percent(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            bytes.push((digit(rest.next()?)? * 16 + digit(rest.next()?)?) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn client_config(verified: bool, roots: Option<&str>) -> Result<ClientConfig, WarehouseError> {
    let provider = Arc::new(ring::default_provider());
    let refuse = |error: rustls::Error| WarehouseError::address(error.to_string());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(refuse)?;
    if !verified {
        return Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
            .with_no_client_auth());
    }
    let mut trusted = RootCertStore::empty();
    trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = roots {
        let unreadable = |error: rustls::pki_types::pem::Error| {
            WarehouseError::address(format!("sslrootcert can not be read, {error}"))
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            trusted
                .add(certificate.map_err(unreadable)?)
                .map_err(refuse)?;
        }
    }
    Ok(builder
        .with_root_certificates(trusted)
        .with_no_client_auth())
}

/// Encryption without identity, as the protocol's own library understands `prefer` and `require`.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, expected: Result<SslMode, &str>) {
        let found = read(&SecretString::from(uri)).map(|address| address.config.get_ssl_mode());
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{uri}"),
            (Err(found), Err(expected)) => {
                let text = found.to_string();
                assert!(text.contains(expected), "{text}");
                assert!(!text.contains("hunter2"), "{text}");
            }
            (found, expected) => panic!("{uri}: {found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn encryption_is_asked_for_unless_the_server_is_here() {
        check("postgresql://u@localhost/d", Ok(SslMode::Prefer));
        check("postgresql://u@127.0.0.1:5433/d", Ok(SslMode::Prefer));
        check("postgresql://u@[::1]/d", Ok(SslMode::Prefer));
        check("postgresql://u@db.example.com/d", Ok(SslMode::Require));
        let asked = "postgresql://u@db.example.com/d?sslmode=";
        check(&format!("{asked}disable"), Ok(SslMode::Disable));
        check(&format!("{asked}verify-full"), Ok(SslMode::Require));
        check(&format!("{asked}allow"), Err("sslmode is none of"));
    }

    #[test]
    fn a_uri_that_does_not_do_is_refused_without_its_password() {
        check("postgresql://u:hunter2@h", Err("names no database"));
        check("postgresql://u:hunter2@h/d?ssl=1", Err("`ssl` is none of"));
        check("postgresql:///d", Err("names no host"));
        check("postgresql://u:hunter2%zz@h/d", Err("percent sign"));
        check(
            "postgresql://u:hunter2@h:port/d",
            Err("it is no uri, invalid port number"),
        );
    }

    #[test]
    fn passwords_may_hold_any_character() {
        let address = read(&SecretString::from("postgresql://a%40b:p%2Fw%25@h/d%20b"));
        let config = address.expect("a good uri").config;
        assert_eq!(config.get_user(), Some("a@b"));
        assert_eq!(config.get_password(), Some("p/w%".as_bytes()));
        assert_eq!(config.get_dbname(), Some("d b"));
    }
}
