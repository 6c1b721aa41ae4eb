//! Which addresses a job may name: Coupa's over TLS, and a lake's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Component, Path, PathBuf};

use url::{Host, Url};

/// Why an address is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    pub what: String,
    pub hint: String,
}

const WANTED: &str = "write only scheme and host, as in https://acme.coupahost.com";

/// Coupa's address: `https://` and a host; `http://` only on this machine, for the simulator.
///
/// Any public host is taken, since a customer may sit behind a gateway. Private addresses are
/// refused: a job file must not be a way to reach what stands behind a firewall.
pub fn coupa(text: &str) -> Result<Url, Refused> {
    let url = Url::parse(text.trim()).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => refused("the url has no scheme", WANTED),
        error => refused(&format!("the url does not parse: {error}"), WANTED),
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "remove what stands before the @; credentials are client_id and client_secret";
        return Err(refused("the url holds a user or password", hint));
    }
    let Some(host) = url.host() else {
        return Err(refused("the url has no host", WANTED));
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&host) => {}
        "http" => {
            let hint = format!("write https://{host}; http is taken for this machine only");
            return Err(refused("the url is not encrypted", &hint));
        }
        scheme => return Err(refused(&format!("the url is {scheme}://"), WANTED)),
    }
    if let Some(why) = private(&host) {
        let hint = "name Coupa's public host, as in https://acme.coupahost.com";
        return Err(refused(&format!("the url's host {host} is {why}"), hint));
    }
    if !matches!(url.path(), "" | "/") {
        let what = format!("the url has a path, {}", url.path());
        let hint = "write only scheme and host; paths like /api/invoices are added";
        return Err(refused(&what, hint));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("the url has a query", WANTED));
    }
    Ok(url)
}

/// Whether `url` is on this machine.
pub fn on_this_machine(url: &Url) -> bool {
    url.host().is_some_and(|host| is_loopback(&host))
}

/// The lake's address: `s3://bucket/prefix` as it stands, a path made absolute from `folder`.
pub fn lake(text: &str, folder: &Path) -> Result<String, Refused> {
    const WANTED: &str = "write a folder, as in \"./lake\", or s3://bucket/prefix, gs://bucket/prefix, az://container/prefix";
    let text = text.trim();
    if text.is_empty() {
        return Err(refused("the lake's url is empty", WANTED));
    }
    if text.starts_with('~') {
        let hint = "write ${HOME} in place of ~, which only a shell knows";
        return Err(refused("the lake's url starts with ~", hint));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok(absolute(&folder.join(text)).display().to_string());
    };
    match scheme {
        "s3" | "s3a" | "gs" | "az" | "abfs" | "abfss"
            if rest
                .split('/')
                .next()
                .is_some_and(|bucket| !bucket.is_empty()) =>
        {
            Ok(text.trim_end_matches('/').to_owned())
        }
        "s3" | "s3a" | "gs" | "az" | "abfs" | "abfss" => {
            Err(refused("the lake's url names no bucket", WANTED))
        }
        "file" => match Url::parse(text).map(|url| url.to_file_path()) {
            Ok(Ok(path)) => Ok(path.display().to_string()),
            _ => Err(refused(
                "the lake's url names no folder of this machine",
                "a file url has three slashes, as in file:///srv/lake",
            )),
        },
        scheme => Err(refused(
            &format!("a lake on {scheme}:// is not available in this version"),
            WANTED,
        )),
    }
}

fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // "/jobs/../lake" and "/lake" are one place and should read so in messages; the folder may not
    // exist yet, so the file system cannot be asked.
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// What kind of non-public address `host` is; names are judged where they are resolved.
fn private(host: &Host<&str>) -> Option<&'static str> {
    if is_loopback(host) {
        return None;
    }
    let address = match host {
        Host::Domain(_) => return None,
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => address
            .to_ipv4_mapped()
            .map_or(IpAddr::V6(*address), IpAddr::V4),
    };
    match address {
        IpAddr::V4(address) => private_v4(address),
        IpAddr::V6(address) => private_v6(address),
    }
}

fn private_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [first, second, ..] = address.octets();
    if address.is_private() || (first == 100 && (64..128).contains(&second)) {
        Some("a private address")
    } else if address.is_link_local() {
        Some("a link-local address")
    } else if first == 0 || address.is_loopback() || first >= 224 {
        Some("no address of a server")
    } else {
        None
    }
}

fn private_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_unique_local() {
        Some("a private address")
    } else if address.is_unicast_link_local() {
        Some("a link-local address")
    } else if address.is_unspecified() || address.is_multicast() {
        Some("no address of a server")
    } else {
        None
    }
}

fn refused(what: &str, hint: &str) -> Refused {
    Refused {
        what: what.to_owned(),
        hint: hint.to_owned(),
    }
}
