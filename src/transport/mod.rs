//! How bytes reach Azure: the process's HTTP clients, made once and handed down.
//!
//! The pool is hyper's; the connector below it is ours, since no client library opens connections before a request
//! asks for them, and a mount knows how many it will need while its token is still being fetched.

mod ahead;
mod census;
mod client;
mod connect;
mod exchange;
mod failure;
mod foreign;
mod names;
mod patience;
mod proxy;
pub mod retry_after;
mod stage;
mod stream;
mod tls;
mod tunnel;
mod unsuccessful;
mod user_agent;

use std::sync::Arc;

use azure_core::{
    error::{Error, ErrorKind},
    http::{
        ClientOptions, Context, Request, Transport, Url,
        policies::{Policy, PolicyResult},
    },
};

use crate::metrics::{Metrics, Upstream};

pub use self::{
    client::Client,
    connect::Route,
    failure::NetworkFailure,
    foreign::ForeignAnswer,
    names::{Names, Resolve},
    patience::Patience,
    proxy::{NotAProxy, Proxy},
    stage::Stage,
    tls::{Roots, RootsError},
};
pub(crate) use self::{
    exchange::LastExchange, failure::Unanswered, retry_after::retry_after, unsuccessful::unsuccessful,
};

use self::{
    exchange::{CallPolicy, ExchangePolicy},
    user_agent::AddedUserAgent,
};

/// The ways out of the provider. Tests put their own in place.
#[derive(Debug, Clone)]
pub struct Transports {
    /// To Entra and Key Vault, over TLS, through the proxy that the environment names.
    pub azure: Transport,
    /// Whose connections to vaults are opened before their reads begin: the client behind `azure`.
    pub ahead: Client,
    /// To the node's own token sources, IMDS and NMI: never through a proxy
    /// (<https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service#proxies>).
    pub node: Transport,
    /// Names of the cluster, for the token proxy of AKS identity binding. An address with a port other than 0 goes
    /// before the URL's default port.
    pub cluster: Names,
    /// How long all of these wait.
    pub patience: Patience,
}

impl Transports {
    /// What production uses: the system's TLS roots (or those of `SSL_CERT_FILE`), and this proxy to Azure.
    ///
    /// # Errors
    /// Where there are no TLS roots.
    pub fn system(proxy: Proxy, patience: Patience) -> Result<Self, RootsError> {
        let azure = azure(Roots::system()?, proxy, patience);
        Ok(Self {
            azure: Transport::new(Arc::new(azure.clone())),
            ahead: azure,
            node: Transport::new(Arc::new(node(patience))),
            cluster: Names::system(),
            patience,
        })
    }
}

/// The client for Entra and Key Vault.
pub fn azure(roots: Roots, proxy: Proxy, patience: Patience) -> Client {
    Client::new(Route { roots: Some(roots), proxy, names: Names::system(), patience })
}

/// The client for IMDS and NMI. Both are on the node: who does not answer at once is not there.
pub fn node(patience: Patience) -> Client {
    let patience = patience.on_node();
    Client::new(Route { roots: None, proxy: Proxy::none(), names: Names::system(), patience })
}

/// The client for what is in the cluster: over TLS, and never through a proxy.
pub fn cluster(roots: Roots, names: Names, patience: Patience) -> Client {
    Client::new(Route { roots: Some(roots), proxy: Proxy::none(), names, patience })
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
            per_try_policies: vec![Arc::new(ExchangePolicy {
                upstream,
                metrics: self.metrics.clone(),
                longest_wait: self.transports.patience.again,
            })],
            retry: self.transports.patience.retries(),
            transport: Some(transport.clone()),
            ..Default::default()
        }
    }
}

impl Outgoing {
    /// Opens connections to the vault at `url`, so that there are so many when its reads begin.
    pub(crate) fn warm(&self, url: &Url, connections: usize) {
        self.transports.ahead.warm(url, connections);
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
