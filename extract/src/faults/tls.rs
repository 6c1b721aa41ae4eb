//! Certificates and handshakes: what is final, and what may pass.

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::error::Kind;

struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    Authority {
        certificate,
        issuer: Issuer::new(params, key),
    }
}

fn params(host: &str) -> CertificateParams {
    CertificateParams::new(vec![host.to_owned()]).unwrap()
}

fn acceptor(certificate: CertificateDer<'static>, key: &KeyPair) -> TlsAcceptor {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn signed(params: &CertificateParams, by: &Authority) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &by.issuer).unwrap();
    acceptor(certificate.der().clone(), &key)
}

/// Reads from a server with that certificate, whose first connections are cut in the handshake.
async fn run(tls: Option<TlsAcceptor>, trusted: &Authority, cuts: usize) -> (Server, Read) {
    let resource = shape("currencies");
    let server = Server::with_tls(records(&resource, COUNT), Box::new(|_, _, _| None), tls).await;
    server.state().cuts = cuts;
    let mut tuning = tuning(small());
    tuning.limits.connect = Duration::from_secs(1);
    tuning.roots = vec![reqwest::Certificate::from_der(&trusted.certificate).unwrap()];
    tuning.lookup = Some(Arc::new(|_| {
        Box::pin(async { Ok(vec![std::net::IpAddr::from([127, 0, 0, 1])]) })
    }));
    let url = format!("https://localhost:{}", server.address.port());
    let instance = Instance::tuned(settings(&url, 1), tuning).unwrap();
    let read = collect(&instance, &resource).await;
    (server, read)
}

#[test]
fn x76_a_certificate_that_is_not_accepted_is_final() {
    block_on(async {
        let ours = authority("ours");
        let (server, read) = run(Some(signed(&params("localhost"), &ours)), &ours, 0).await;
        assert!(read.error.is_none(), "{:?}", read.error);
        assert_eq!((read.ids.len() as i64, server.lists()), (COUNT, 3));

        let mut expired = params("localhost");
        expired.not_before = rcgen::date_time_ymd(2020, 1, 1);
        expired.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let mut early = params("localhost");
        early.not_before = rcgen::date_time_ymd(2090, 1, 1);
        early.not_after = rcgen::date_time_ymd(2091, 1, 1);
        let own_key = KeyPair::generate().unwrap();
        let own = params("localhost").self_signed(&own_key).unwrap();
        for (name, tls) in [
            ("expired", signed(&expired, &ours)),
            ("not yet valid", signed(&early, &ours)),
            ("of another host", signed(&params("other.example"), &ours)),
            (
                "of an unknown issuer",
                signed(&params("localhost"), &authority("theirs")),
            ),
            ("self-signed", acceptor(own.der().clone(), &own_key)),
        ] {
            let (server, read) = run(Some(tls), &ours, 0).await;
            let error = read.error.unwrap();
            assert!(error.to_string().contains("certificate"), "{name}: {error}");
            assert!(
                error.hint().unwrap().contains("issuer"),
                "{name}: {error:?}"
            );
            assert_eq!(error.kind(), Kind::Invalid, "{name}");
            check_message(&error, name);
            let state = server.state();
            assert_eq!((state.connections, state.asked.len()), (1, 0), "{name}");
        }
    });
}

#[test]
fn x76_a_handshake_that_is_cut_is_tried_again() {
    block_on(async {
        let ours = authority("ours");
        let (server, read) = run(Some(signed(&params("localhost"), &ours)), &ours, 3).await;
        assert!(read.error.is_none(), "{:?}", read.error);
        assert_eq!((read.ids.len() as i64, server.lists()), (COUNT, 3));
        let (server, read) =
            run(Some(signed(&params("localhost"), &ours)), &ours, usize::MAX).await;
        let error = read.error.unwrap();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        check_message(&error, "cut");
        let (connections, requests) = {
            let state = server.state();
            (state.connections, state.asked.len())
        };
        assert_eq!((connections, requests), (6, 0));
        // A server that speaks no TLS there.
        let (server, read) = run(None, &ours, 0).await;
        let error = read.error.unwrap();
        check_message(&error, "no TLS");
        assert!(server.state().asked.is_empty(), "{error}");
    });
}
