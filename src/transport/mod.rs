//! HTTP transports, created once for the process and passed down.
//!
//! The pool is hyper's, and the connector below it is the provider's own. No client library opens connections before
//! a request needs them, and a mount knows how many it will need while its token is still being requested.

mod answer;
mod client;
mod connect;
mod dispatch;
mod failure;
mod foreign;
mod header;
mod observe;
mod policy;
mod pools;
mod timeouts;

use std::sync::Arc;

use azure_core::{
    error::{Error, ErrorKind},
    http::{
        ClientOptions, Context, Request, Transport, Url,
        policies::{Policy, PolicyResult},
    },
};

use crate::{
    metrics::{Metrics, Upstream},
    spec::vault::VaultStanding,
};

pub use self::{
    client::Client,
    connect::{ConnectPhase, NotAProxy, Proxy, Resolve, Resolver, Roots, RootsError, Route},
    failure::NetworkFailure,
    foreign::ForeignAnswer,
    observe::{NetworkEvent, NetworkOutcome, Observe, Observer, RequestLine},
    policy::retry_after,
    timeouts::{MAX_THROTTLED_TRIES, Timeouts},
};

pub(crate) use self::{
    connect::MountGuard,
    dispatch::Dispatch,
    failure::Unanswered,
    header::header,
    policy::{LastExchange, error_for_status},
};

use self::policy::{AddedUserAgent, CallPolicy, ExchangePolicy};

/// The transports of the provider. Tests replace them.
#[derive(Debug, Clone)]
pub struct Transports {
    /// The transport to Entra and Key Vault: over TLS, through the proxy that the environment names.
    pub azure: Transport,
    /// The client behind `azure`, which opens connections to vaults before their reads begin.
    pub azure_client: Client,
    /// The transport to the node's own token sources, IMDS and NMI: never through a proxy
    /// (<https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service#proxies>).
    pub node: Transport,
    /// The resolver of the cluster's names, for the token proxy of AKS identity binding. An address with a port other
    /// than 0 replaces the URL's default port.
    pub cluster: Resolver,
    /// The timeouts of all transports.
    pub timeouts: Timeouts,
    /// The watcher of further clients, such as that of the token proxy. `azure` and `node` have their own.
    pub observer: Observer,
}

impl Transports {
    /// Returns the transports for production: with the system's TLS roots (or those of `SSL_CERT_FILE`), and this
    /// proxy to Azure.
    ///
    /// # Errors
    /// There are no TLS roots.
    pub fn system(proxy: Proxy, timeouts: Timeouts) -> Result<Self, RootsError> {
        Self::observed(proxy, timeouts, Observer::none())
    }

    /// Returns the same transports, with a watcher of everything that they do.
    ///
    /// # Errors
    /// There are no TLS roots.
    pub fn observed(proxy: Proxy, timeouts: Timeouts, observer: Observer) -> Result<Self, RootsError> {
        let azure = Client::new(Route {
            observer: observer.clone(),
            ..azure_route(Roots::system()?, proxy, timeouts)
        });
        let node = Client::new(Route { observer: observer.clone(), ..node_route(timeouts) });
        Ok(Self::over(azure, Transport::new(Arc::new(node)), Resolver::system(), timeouts, observer))
    }

    /// Returns transports over these clients.
    pub fn over(
        azure: Client,
        node: Transport,
        cluster: Resolver,
        timeouts: Timeouts,
        observer: Observer,
    ) -> Self {
        Self { azure: azure.transport(), azure_client: azure, node, cluster, timeouts, observer }
    }

    /// Replaces the client for Entra and Key Vault.
    pub fn set_azure(&mut self, azure: Client) {
        self.azure = azure.transport();
        self.azure_client = azure;
    }
}

/// Returns the client for Entra and Key Vault.
pub fn azure(roots: Roots, proxy: Proxy, timeouts: Timeouts) -> Client {
    Client::new(azure_route(roots, proxy, timeouts))
}

fn azure_route(roots: Roots, proxy: Proxy, timeouts: Timeouts) -> Route {
    Route { roots: Some(roots), proxy, names: Resolver::system(), timeouts, observer: Observer::none() }
}

/// Returns the client for IMDS and NMI. Both are on the node, so one that does not answer at once is not there.
pub fn node(timeouts: Timeouts) -> Client {
    Client::new(node_route(timeouts))
}

fn node_route(timeouts: Timeouts) -> Route {
    let (timeouts, names) = (timeouts.on_node(), Resolver::system());
    Route { roots: None, proxy: Proxy::none(), names, timeouts, observer: Observer::none() }
}

/// Returns the client for services in the cluster: over TLS, and never through a proxy.
pub fn cluster(roots: Roots, names: Resolver, timeouts: Timeouts, observer: Observer) -> Client {
    Client::new(Route { roots: Some(roots), proxy: Proxy::none(), names, timeouts, observer })
}

/// A factory of SDK client options.
#[derive(Debug, Clone)]
pub struct ClientFactory {
    /// The transports of all clients.
    pub transports: Transports,
    /// The text to add to the `User-Agent` of every request to Azure (`--custom-user-agent`).
    pub user_agent: Option<String>,
    /// The metrics that count requests.
    pub metrics: Metrics,
}

impl ClientFactory {
    /// Returns the SDK options of a client of `upstream`.
    pub fn client_options(&self, upstream: Upstream) -> ClientOptions {
        let transport = match upstream {
            Upstream::Entra | Upstream::KeyVault | Upstream::TokenProxy | Upstream::Issuer => {
                &self.transports.azure
            }
            Upstream::Node => &self.transports.node,
        };
        let mut per_call_policies: Vec<Arc<dyn Policy>> = vec![Arc::new(CallPolicy)];
        if let Some(text) = self.user_agent.clone() {
            per_call_policies.push(Arc::new(AddedUserAgent(text)));
        }
        ClientOptions {
            per_call_policies,
            per_try_policies: vec![Arc::new(ExchangePolicy {
                upstream,
                metrics: self.metrics.clone(),
                longest_wait: self.transports.timeouts.retry_window,
            })],
            retry: self.transports.timeouts.retries(),
            transport: Some(transport.clone()),
            ..Default::default()
        }
    }
}

impl ClientFactory {
    /// Opens connections to the vault at `url`, so that there is one for each read of the mounts under way when their
    /// reads begin. Mounts with the same `sharers` share their reads.
    pub(crate) fn prewarm(
        &self,
        url: &Url,
        standing: VaultStanding,
        sharers: &Arc<str>,
        reads: usize,
    ) -> Option<MountGuard> {
        self.transports.azure_client.prewarm(url, standing, sharers, reads)
    }
}

/// The cause of a missing answer, as a boxed error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Returns the cause of an SDK error, without the SDK's messages around it. Those name Rust crates and retry
/// policies, and would fill an event's first thousand characters.
pub(crate) fn cause(error: Error) -> BoxError {
    let message = error.to_string();
    match error.into_inner().map(|inner| inner.downcast::<Error>()) {
        Ok(Ok(inner)) => cause(*inner),
        Ok(Err(inner)) => inner,
        Err(_) => message.into(),
    }
}

/// Passes a request on to the next policy. The last one is the transport.
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
