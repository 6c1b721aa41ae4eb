//! Which addresses may be asked at all: those of the open internet, and this machine's own.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

use crate::error::ExtractError;

/// Whether the address is this machine's own. Errors: it may not be used at all.
pub(crate) fn check_url(url: &Url) -> Result<bool, ExtractError> {
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
    let loopback = address.is_some_and(|address| address.to_canonical().is_loopback());
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

/// The look-up of a name, which tests replace.
pub(crate) type Lookup = Arc<dyn Fn(String) -> Looking + Send + Sync>;
pub(crate) type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Looks names up and gives only addresses of the open internet, whatever the name server says.
pub(crate) struct PublicOnly {
    /// The instance's own name. Another one is a proxy's, which may well stand inside.
    pub host: String,
    /// The instance is this machine, so nothing is left out.
    pub loopback: bool,
    pub lookup: Lookup,
}

/// The instance's name leads to no public address.
#[derive(Debug, Error)]
#[error("the name leads to a private address")]
pub(crate) struct PrivateName;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let open = self.loopback || !name.as_str().eq_ignore_ascii_case(&self.host);
        let looking = (self.lookup)(name.as_str().to_owned());
        Box::pin(async move {
            let found = looking.await?;
            let public: Vec<SocketAddr> = found
                .iter()
                .filter(|address| open || !is_private(**address))
                .map(|address| SocketAddr::new(*address, 0))
                .collect();
            if public.is_empty() && !found.is_empty() {
                return Err(PrivateName.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// By the system's own resolver.
pub(crate) fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
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
