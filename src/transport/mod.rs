//! How bytes reach Azure: the process's HTTP clients, made once and handed down.

mod exchange;
mod user_agent;

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use azure_core::{
    error::{Error, ErrorKind},
    http::{
        ClientOptions, Context, ExponentialRetryOptions, Request, RetryOptions, Transport,
        policies::{Policy, PolicyResult},
    },
    time,
};
use reqwest::{
    ClientBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

use crate::metrics::{Metrics, Upstream};

pub(crate) use self::exchange::LastExchange;

use self::{
    exchange::{CallPolicy, ExchangePolicy},
    user_agent::AddedUserAgent,
};

/// The ways out of the provider. Tests put their own in place.
#[derive(Debug, Clone)]
pub struct Transports {
    /// To Entra and Key Vault, over TLS, through the proxy that the environment names.
    pub azure: Transport,
    /// To the node's own token sources, IMDS and NMI: never through a proxy
    /// (<https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service#proxies>).
    pub node: Transport,
    /// Names of the cluster, for the token proxy of AKS identity binding.
    pub cluster: ClusterNames,
}

/// How names of the cluster become addresses. An address with a port other than 0 goes before the URL's default port.
#[derive(Clone)]
pub struct ClusterNames(pub Arc<dyn Resolve>);

impl fmt::Debug for ClusterNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterNames")
    }
}

impl Transports {
    /// What production uses: the system's TLS roots (or those of `SSL_CERT_FILE`) and proxy settings.
    ///
    /// # Errors
    /// Where the TLS library or the resolver cannot be set up.
    pub fn system() -> Result<Self, reqwest::Error> {
        Ok(Self {
            azure: Transport::new(Arc::new(azure().build()?)),
            node: Transport::new(Arc::new(node().build()?)),
            cluster: ClusterNames(Arc::new(Resolver)),
        })
    }
}

/// The client for Entra and Key Vault, yet to be built.
pub fn azure() -> ClientBuilder {
    base().https_only(true).tls_version_min(reqwest::tls::Version::TLS_1_2)
}

/// The client for IMDS and NMI, yet to be built.
pub fn node() -> ClientBuilder {
    // Both are on the node: who does not answer at once is not there.
    base().no_proxy().connect_timeout(Duration::from_secs(2))
}

/// The client for what is in the cluster, yet to be built: over TLS, and never through a proxy.
pub fn cluster(names: &ClusterNames) -> ClientBuilder {
    base()
        .no_proxy()
        .https_only(true)
        .dns_resolver(names.0.clone())
        .tls_version_min(reqwest::tls::Version::TLS_1_2)
}

fn base() -> ClientBuilder {
    reqwest::Client::builder()
        // A token must not follow wherever an answer points.
        .redirect(redirect::Policy::none())
        .dns_resolver(Arc::new(Resolver))
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(30))
        .pool_idle_timeout(Duration::from_secs(60))
}

/// What the clients of a mount have in common.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where requests go.
    pub transports: Transports,
    /// `--custom-user-agent`: added to the `User-Agent` of every request to Azure.
    pub user_agent: Option<String>,
    /// Where they are counted.
    pub metrics: Metrics,
}

impl Outgoing {
    /// The SDK options of a client of `upstream`.
    pub fn client_options(&self, upstream: Upstream) -> ClientOptions {
        let transport = match upstream {
            Upstream::Entra | Upstream::KeyVault | Upstream::TokenProxy => &self.transports.azure,
            Upstream::Node => &self.transports.node,
        };
        let mut per_call_policies: Vec<Arc<dyn Policy>> = vec![Arc::new(CallPolicy)];
        if let Some(text) = self.user_agent.clone() {
            per_call_policies.push(Arc::new(AddedUserAgent(text)));
        }
        ClientOptions {
            per_call_policies,
            per_try_policies: vec![Arc::new(ExchangePolicy { upstream, metrics: self.metrics.clone() })],
            retry: retries(),
            transport: Some(transport.clone()),
            ..Default::default()
        }
    }
}

/// Why there is no answer, in the words of whoever found out.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What is behind an error of the SDK's, without its own words around it: those name Rust crates and retry policies,
/// and push what an operator looks for out of an event's first thousand characters.
pub(crate) fn cause(error: Error) -> Cause {
    let message = error.to_string();
    match error.into_inner().map(|inner| inner.downcast::<Error>()) {
        Ok(Ok(inner)) => cause(*inner),
        Ok(Err(inner)) => inner,
        Err(_) => message.into(),
    }
}

/// Hands a request on to the next policy, the last of which is the transport.
pub(crate) async fn below(
    ctx: &Context<'_>,
    request: &mut Request,
    next: &[Arc<dyn Policy>],
) -> PolicyResult {
    match next {
        [policy, rest @ ..] => policy.send(ctx, request, rest).await,
        [] => Err(Error::with_message(ErrorKind::Other, "a pipeline without a transport")),
    }
}

/// How often a request is tried again on connection errors and on statuses that pass.
fn retries() -> RetryOptions {
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
                let loopback =
                    [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
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
            let addresses: Vec<_> = Resolver.resolve(name.parse().unwrap()).await.unwrap().collect();
            assert!(!addresses.is_empty(), "{name}");
            assert!(addresses.iter().all(|address| address.ip().is_loopback()), "{name}");
        }
        assert!(is_localhost("localhost."));
        assert!(!is_localhost("notlocalhost"));
        assert!(!is_localhost("localhost.example"));
    }
}
