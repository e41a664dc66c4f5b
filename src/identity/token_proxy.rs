//! The token proxy of AKS identity binding, which exchanges a pod's token in place of Entra
//! (<https://learn.microsoft.com/azure/aks/identity-bindings-concepts>).
//!
//! The SDK's own proxy option reads the proxy's address from the process's environment and the token from a file, and
//! so serves one pod. Here both come with the mount.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use azure_core::{
    error::{Error, ErrorKind},
    http::{AsyncRawResponse, HttpClient, Request, Transport, Url},
};
use tokio::time::timeout;

use crate::singleflight::Singleflight;
use crate::transport::{self, Client, Observer, Resolver, Roots, RootsError, Timeouts, Transports};

use super::server_name::{self, ServerNameError};

/// The operator's settings of the token proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenProxySettings {
    /// The proxy's URL (`--token-proxy-url`); the API server if not given.
    pub url: Option<Url>,
    /// The proxy's TLS server name (`--sni-name`); computed from the API server's certificate if not given.
    pub server_name: Option<String>,
    /// The port of the API server.
    pub api_server_port: u16,
    /// The cluster's CA. If there is no such file, the system's roots apply.
    pub ca_file: PathBuf,
}

/// An error of a token proxy that is not available.
#[derive(Debug, thiserror::Error)]
pub enum TokenProxyError {
    /// The TLS server name cannot be computed.
    #[error("cannot compute the token proxy's TLS server name; --sni-name sets it")]
    ServerName(#[from] ServerNameError),
    /// The file of the cluster's CA is unreadable or invalid.
    #[error("cannot use the cluster's CA {}", path.display())]
    Ca {
        /// The path of the file.
        path: PathBuf,
        /// The error of the file or of its content.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// DNS has no address for the proxy.
    #[error("cannot resolve the token proxy {host}")]
    Resolve {
        /// The host name of the proxy.
        host: String,
        /// The error of the name lookup.
        source: io::Error,
    },
    /// The set-up of the proxy timed out. The duration is the timeout.
    #[error("the token proxy was not found within {} seconds", .0.as_secs_f32())]
    Timeout(Duration),
    /// The node has no TLS roots, and the cluster no CA.
    #[error("cannot trust the token proxy")]
    Roots(#[from] RootsError),
}

/// A token proxy that is set up when it is first needed, and again after each failure. So the start does not wait for
/// the API server, and a first failure does not last.
#[derive(Debug)]
pub(super) struct TokenProxy {
    settings: TokenProxySettings,
    names: Resolver,
    timeouts: Timeouts,
    observer: Observer,
    found: Mutex<Option<Transport>>,
    search: Singleflight<(), Result<Transport, Arc<TokenProxyError>>, ()>,
}

impl TokenProxy {
    /// Creates a token proxy from `settings`, with the resolver, the timeouts and the observer of `transports`.
    pub(super) fn new(settings: TokenProxySettings, transports: &Transports) -> Self {
        let Transports { cluster, timeouts, observer, .. } = transports;
        Self {
            settings,
            names: cluster.clone(),
            timeouts: *timeouts,
            observer: observer.clone(),
            found: Mutex::default(),
            search: Singleflight::default(),
        }
    }

    /// Returns the proxy's URL, for messages.
    pub(super) fn url(&self) -> Url {
        self.settings.url.clone().unwrap_or_else(|| api_server(443))
    }

    /// Returns the transport to the proxy, and sets it up if there is none yet. Concurrent callers share one set-up.
    pub(super) async fn transport(self: &Arc<Self>) -> Result<Transport, Arc<TokenProxyError>> {
        if let Some(transport) = &*self.found() {
            return Ok(transport.clone());
        }
        let search = self.search.join(
            &(),
            |()| true,
            || {
                let this = self.clone();
                let search = async move {
                    let transport = this.find().await?;
                    *this.found() = Some(transport.clone());
                    Ok(transport)
                };
                ((), search)
            },
        );
        search.call.await
    }

    /// Drops the transport after a failure: the cluster's CA or addresses may have changed.
    pub(super) fn forget(&self) {
        *self.found() = None;
    }

    fn found(&self) -> MutexGuard<'_, Option<Transport>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn find(&self) -> Result<Transport, TokenProxyError> {
        let roots = roots(&self.settings.ca_file)?;
        let server_name = match &self.settings.server_name {
            Some(name) => name.clone(),
            None => self.compute_server_name(self.client(roots.clone(), self.names.clone())).await?,
        };
        let url = self.url();
        let addresses = self.resolve(&url).await?;
        let client = self.client(roots, Resolver::fixed(addresses));
        tracing::info!(token_proxy = %url, server_name, "identity binding is ready");
        Ok(Transport::new(Arc::new(ProxiedClient { client, url, server_name })))
    }

    fn client(&self, roots: Roots, names: Resolver) -> Client {
        transport::cluster(roots, names, self.timeouts, self.observer.clone())
    }

    /// Computes the server name. A TLS handshake with the API server shows its certificate; no request is sent.
    async fn compute_server_name(&self, client: Client) -> Result<String, ServerNameError> {
        let api_server = api_server(self.settings.api_server_port);
        let uri = api_server.as_str().parse().map_err(io::Error::other)?;
        server_name::of_certificate(&client.peer_certificate(&uri).await?)
    }

    async fn resolve(&self, url: &Url) -> Result<Vec<SocketAddr>, TokenProxyError> {
        let host = url.host_str().unwrap_or_default();
        let failed = |source: io::Error| TokenProxyError::Resolve { host: host.to_owned(), source };
        let resolved = timeout(self.timeouts.connect, self.names.0.resolve(host.to_owned())).await;
        resolved.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(failed)
    }
}

fn api_server(port: u16) -> Url {
    let mut url = Url::parse("https://kubernetes.default.svc.cluster.local/").expect("a constant URL");
    let _ = url.set_port(Some(port));
    url
}

/// Returns the cluster's CA alone if there is one, or else the system's roots.
fn roots(ca_file: &Path) -> Result<Roots, TokenProxyError> {
    let failed = |source| TokenProxyError::Ca { path: ca_file.to_owned(), source };
    match std::fs::read(ca_file) {
        Ok(pem) => Roots::from_pem(&pem).map_err(|error| failed(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Roots::system()?),
        Err(error) => Err(failed(error.into())),
    }
}

/// Returns the `Host` header of a request to `url` (RFC 9110, section 7.2).
fn host_header(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// An HTTP client that sends the requests of an Entra credential to the proxy instead of the authority.
#[derive(Debug)]
struct ProxiedClient {
    client: Client,
    url: Url,
    server_name: String,
}

#[async_trait::async_trait]
impl HttpClient for ProxiedClient {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut url = self.url.clone();
        let path = format!("{}{}", url.path().trim_end_matches('/'), request.url().path());
        url.set_path(&path);
        url.set_query(request.url().query());
        url.set_host(Some(&self.server_name))
            .map_err(|_| Error::with_message(ErrorKind::Other, "the TLS server name is not a host name"))?;
        let mut request = request.clone();
        // Compat: TLS uses the proxy's server name, and HTTP the authority's host, as with provider-azure.
        request.insert_header("host", host_header(request.url()));
        *request.url_mut() = url;
        HttpClient::execute_request(&self.client, &request).await
    }
}
