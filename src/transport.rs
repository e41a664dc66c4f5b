//! How bytes reach Azure: the process's HTTP clients, made once and handed down.

use std::{io, net::Ipv4Addr, net::Ipv6Addr, net::SocketAddr, sync::Arc, time::Duration};

use azure_core::{
    http::{ExponentialRetryOptions, RetryOptions, Transport},
    time,
};
use reqwest::{
    ClientBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

/// The two ways out of the provider. Tests put their own in place.
#[derive(Debug, Clone)]
pub struct Transports {
    /// To Entra and Key Vault, over TLS, through the proxy that the environment names.
    pub azure: Transport,
    /// To the node's own token sources, IMDS and NMI: never through a proxy
    /// (<https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service#proxies>).
    pub node: Transport,
}

impl Transports {
    /// What production uses: the system's TLS roots (or those of `SSL_CERT_FILE`) and proxy settings.
    ///
    /// # Errors
    /// Where the TLS roots cannot be loaded or a proxy setting is no URL.
    pub fn system() -> Result<Self, reqwest::Error> {
        Ok(Self {
            azure: Transport::new(Arc::new(azure().build()?)),
            node: Transport::new(Arc::new(node().build()?)),
        })
    }
}

/// The client for Entra and Key Vault, yet to be built.
pub fn azure() -> ClientBuilder {
    base()
        .https_only(true)
        .tls_version_min(reqwest::tls::Version::TLS_1_2)
}

/// The client for IMDS and NMI, yet to be built.
pub fn node() -> ClientBuilder {
    // Both are on the node: who does not answer at once is not there.
    base().no_proxy().connect_timeout(Duration::from_secs(2))
}

fn base() -> ClientBuilder {
    reqwest::Client::builder()
        // A token must not follow wherever an answer points.
        .redirect(Policy::none())
        .dns_resolver(Arc::new(Resolver))
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(30))
        .pool_idle_timeout(Duration::from_secs(60))
}

/// How often a request is tried again on connection errors and on statuses that pass.
pub fn retries() -> RetryOptions {
    RetryOptions::exponential(ExponentialRetryOptions {
        initial_delay: time::Duration::milliseconds(200),
        max_retries: 4,
        max_total_elapsed: time::Duration::seconds(30),
        max_delay: time::Duration::seconds(5),
    })
}

/// The system's resolver, but names under `.localhost` are loopback, as RFC 6761 section 6.3 wants and glibc leaves
/// to the network.
#[derive(Debug)]
struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            if is_localhost(name.as_str()) {
                let loopback = [
                    SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                    SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
                ];
                return Ok(Box::new(loopback.into_iter()) as Addrs);
            }
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if addresses.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_under_localhost_are_loopback() {
        for name in ["localhost", "lab.vault.localhost", "LAB.Vault.LocalHost"] {
            let mut addresses = Resolver.resolve(name.parse().unwrap()).await.unwrap();
            assert!(addresses.all(|address| address.ip().is_loopback()), "{name}");
        }
        assert!(is_localhost("localhost."));
        assert!(!is_localhost("notlocalhost"));
        assert!(!is_localhost("localhost.example"));
    }
}
