//! Connections: through a proxy where one is named, over TLS, and if need be before a request asks for them.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, TryFutureExt};
use http::Uri;
use hyper_util::client::{legacy::connect::HttpConnector, proxy::matcher::Intercept};
use rustls_pki_types::ServerName;
use tokio::{sync::oneshot, time::timeout};
use tokio_rustls::TlsConnector;
use tower::{Service, ServiceExt};

use super::{
    ahead::{Ahead, UNCLAIMED},
    census::{Census, Counted},
    names::Names,
    patience::Patience,
    proxy::Proxy,
    stage::{Dial, Dials, Stage},
    stream::{Link, Stream},
    tls::{self, Roots},
    tunnel::{self, ProxyError},
};

/// How a client comes to where it is sent.
#[derive(Debug, Clone)]
pub struct Route {
    /// Whom to trust; `None` for plain HTTP, and then nothing goes over TLS.
    pub roots: Option<Roots>,
    /// Through which proxy, if any.
    pub proxy: Proxy,
    /// How names become addresses.
    pub names: Names,
    /// How long it waits.
    pub patience: Patience,
}

/// Makes connections. Clones share those that wait.
#[derive(Clone)]
pub(super) struct Connector {
    shared: Arc<Shared>,
    census: Census,
    ahead: Ahead,
}

struct Shared {
    dials: Dials,
    names: Names,
    tls: Option<TlsConnector>,
    proxy: Proxy,
    patience: Duration,
}

impl Connector {
    pub(super) fn new(route: Route) -> Self {
        let Route { roots, proxy, names, patience } = route;
        let tls = roots.map(|roots| TlsConnector::from(Arc::new(roots.config())));
        let shared = Shared { dials: Dials::default(), names, tls, proxy, patience: patience.connect };
        Self { shared: Arc::new(shared), census: Census::default(), ahead: Ahead::default() }
    }

    /// See [`super::Client::warm`].
    pub(super) fn warm(&self, uri: &Uri, connections: usize) {
        let authority = authority(uri);
        let missing = self.census.missing(&authority, connections);
        if missing.is_empty() {
            return;
        }
        // One name, and so one look-up, whose failure is theirs too.
        let addresses = self.shared.look_up(uri).map_err(Arc::new).boxed().shared();
        for counted in missing {
            let (promise, promised) = oneshot::channel();
            self.ahead.keep(&authority, promised);
            let (shared, uri) = (self.shared.clone(), uri.clone());
            let addresses = addresses.clone().map_err(|error| io::Error::new(error.kind(), error));
            tokio::spawn(async move {
                let stream = shared.connect(&uri, addresses).await;
                let link = stream.map(|stream| Link::new(stream, counted));
                // Whoever waited for it may be gone.
                let _ = promise.send(link);
            });
        }
        let ahead = self.ahead.clone();
        tokio::spawn(async move {
            tokio::time::sleep(UNCLAIMED).await;
            ahead.tidy(&authority);
        });
    }

    /// What those wait for who want a connection to the host of `uri`; `None` where there is one, or nobody does.
    pub(super) fn stage(&self, uri: &Uri) -> Option<Stage> {
        let authority = authority(uri);
        let (dials, stage) = self.shared.dials.to(&authority)?;
        (self.census.open(&authority) <= dials).then_some(stage)
    }

    /// Gives up the connections that were made ahead.
    pub(super) fn give_up(&self) {
        self.ahead.give_up();
    }

    pub(super) async fn peer_certificate(&self, uri: &Uri) -> io::Result<Vec<u8>> {
        let stream = self.shared.connect(uri, self.shared.look_up(uri)).await?;
        stream.peer_certificate().ok_or_else(|| io::Error::other("the host shows no certificate"))
    }

    async fn link(self, uri: Uri) -> io::Result<Link> {
        let authority = authority(&uri);
        while let Some(promised) = self.ahead.take(&authority) {
            // One that failed is no reason not to try.
            if let Ok(Ok(link)) = promised.await {
                return Ok(link.kept());
            }
        }
        let counted: Counted = self.census.count(&authority);
        let stream = self.shared.connect(&uri, self.shared.look_up(&uri)).await?;
        Ok(Link::new(stream, counted))
    }
}

impl Service<Uri> for Connector {
    type Response = Link;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().link(uri))
    }
}

impl Shared {
    async fn connect(
        &self,
        uri: &Uri,
        addresses: impl Future<Output = io::Result<Names>>,
    ) -> io::Result<Stream> {
        let dial = self.dials.begin(authority(uri));
        timeout(self.patience, self.connect_unhurried(uri, addresses, &dial)).await.unwrap_or_else(|_| {
            let (host, stage) = (authority(uri), dial.stage());
            let error = NoConnection { host, stage, after: self.patience };
            Err(io::Error::new(io::ErrorKind::TimedOut, error))
        })
    }

    async fn connect_unhurried(
        &self,
        uri: &Uri,
        addresses: impl Future<Output = io::Result<Names>>,
        dial: &Dial,
    ) -> io::Result<Stream> {
        let stream = match self.proxy.to(uri) {
            Some(proxy) => {
                dial.enter(Stage::Proxy);
                self.tunnel(uri, proxy, addresses).await?
            }
            None => {
                dial.enter(Stage::Name);
                let addresses = addresses.await?;
                dial.enter(Stage::Connect);
                self.tcp(uri, addresses).await?
            }
        };
        match &self.tls {
            Some(tls) => {
                dial.enter(Stage::Tls);
                secure(tls, uri, stream).await
            }
            None => Ok(stream),
        }
    }

    /// The addresses of whom a connection to the host of `uri` leads to first, the proxy if there is one: as a resolver
    /// that knows nothing else. A host that is an address has no name.
    fn look_up(&self, uri: &Uri) -> impl Future<Output = io::Result<Names>> + Send + use<> {
        let first = self.proxy.to(uri).map_or(uri, Intercept::uri);
        let host = first.host().unwrap_or_default().to_owned();
        let names = self.names.clone();
        async move {
            if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
                return Ok(names);
            }
            let name =
                host.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "no host name"))?;
            Ok(Names::fixed(names.oneshot(name).await?.collect()))
        }
    }

    async fn tcp(&self, uri: &Uri, names: Names) -> io::Result<Stream> {
        let mut tcp = HttpConnector::new_with_resolver(names);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // A way that was lost without a word, as a firewall forgets idle connections, is found out by what nobody
        // acknowledges, and not by waiting for an answer.
        tcp.set_tcp_user_timeout(Some(self.patience / 2));
        let stream = tcp.oneshot(uri.clone()).await.map_err(tls::failed)?;
        Ok(Stream::Tcp(stream.into_inner()))
    }

    async fn tunnel(
        &self,
        uri: &Uri,
        proxy: &Intercept,
        addresses: impl Future<Output = io::Result<Names>>,
    ) -> io::Result<Stream> {
        let stream = self.proxy(proxy.uri(), addresses).await.map_err(|source| {
            io::Error::new(source.kind(), ProxyError::Unreachable { proxy: tunnel::name(proxy), source })
        })?;
        tunnel::open(proxy, stream, uri).await.map_err(io::Error::other)
    }

    async fn proxy(
        &self,
        at: &Uri,
        addresses: impl Future<Output = io::Result<Names>>,
    ) -> io::Result<Stream> {
        let stream = self.tcp(at, addresses.await?).await?;
        match (at.scheme_str(), &self.tls) {
            (Some("http" | "socks5" | "socks5h"), _) => Ok(stream),
            (Some("https"), Some(tls)) => secure(tls, at, stream).await,
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "there are no roots to speak https with")),
        }
    }
}

/// A connection that was given up.
#[derive(Debug, thiserror::Error)]
#[error("no connection to {host} within {} seconds: it waited for {stage}", after.as_secs_f32())]
pub(super) struct NoConnection {
    pub(super) host: String,
    pub(super) stage: Stage,
    pub(super) after: Duration,
}

async fn secure(tls: &TlsConnector, uri: &Uri, stream: Stream) -> io::Result<Stream> {
    let host = uri.host().unwrap_or_default();
    // An IPv6 address stands in brackets in a URI, and in none in a certificate.
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let name = ServerName::try_from(host.to_owned()).map_err(tls::failed)?;
    Ok(Stream::Tls(Box::new(tls.connect(name, stream).await?)))
}

fn authority(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    match uri.port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

#[cfg(test)]
mod tests;
