//! The connector: opens connections through a proxy if one is set, over TLS, and ahead of requests.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, TryFutureExt};
use http::Uri;
use hyper_util::client::{legacy::connect::HttpConnector, proxy::matcher::Intercept};
use tokio::{sync::oneshot, time::timeout};
use tower::{Service, ServiceExt};

use crate::spec::vault::VaultStanding;

use super::{
    super::{
        BoxError,
        observe::{NetworkOutcome, Observer},
        timeouts::Timeouts,
    },
    connect_phase::{ConnectPhase, Dial, PendingDials},
    connection::{PooledConnection, Stream},
    connection_count::{ConnectionCounts, CountGuard},
    dns::Resolver,
    handshake::{ShownCertificate, TlsClient},
    prewarm::{MountGuard, PrewarmedConnections, UNCLAIMED},
    proxy::Proxy,
    tls::{self, Roots},
    tunnel::{self, ProxyError},
};

/// The most connections to a host that requests open: as many as requests may be in flight to a vault.
///
/// hyper's pool opens a connection for each request that finds none idle, and lets the request go on with whichever is
/// there first. While a node fills up, requests find none idle since the first connections are still being opened, and
/// half of what they open would be needed by nobody. One that waits here when its request goes on with an idle one waits
/// in the background. It is opened for the pool if another one closes in time.
pub(in crate::transport) const MAX_CONNECTIONS_OF_HOST: usize = 64;

/// The settings of a client's connections.
#[derive(Debug, Clone)]
pub struct Route {
    /// The trusted roots; `None` for plain HTTP, and then nothing uses TLS.
    pub roots: Option<Roots>,
    /// The proxy, if any.
    pub proxy: Proxy,
    /// The resolver of host names.
    pub names: Resolver,
    /// The timeouts of connections and answers.
    pub timeouts: Timeouts,
    /// The watcher, if any.
    pub observer: Observer,
}

/// A connector with prewarmed connections. Clones share them.
#[derive(Clone)]
pub(in crate::transport) struct Connector {
    shared: Arc<Shared>,
    connection_count: ConnectionCounts,
    prewarmed: PrewarmedConnections,
}

struct Shared {
    dials: PendingDials,
    names: Resolver,
    tls: Option<TlsClient>,
    proxy: Proxy,
    timeouts: Duration,
    observer: Observer,
}

impl Connector {
    pub(in crate::transport) fn new(route: Route) -> Self {
        let Route { roots, proxy, names, timeouts, observer } = route;
        let tls = roots.map(TlsClient::new);
        let (dials, timeouts) = (PendingDials::default(), timeouts.connect);
        let shared = Shared { dials, names, tls, proxy, timeouts, observer };
        Self {
            shared: Arc::new(shared),
            connection_count: ConnectionCounts::default(),
            prewarmed: PrewarmedConnections::default(),
        }
    }

    /// See [`super::super::Client::prewarm`].
    pub(in crate::transport) fn prewarm(
        &self,
        uri: &Uri,
        standing: VaultStanding,
        sharers: &Arc<str>,
        reads: usize,
    ) -> MountGuard {
        let authority = authority(uri);
        let guard = self.prewarmed.enter(&authority, standing, sharers, reads);
        if reads == 0 {
            return guard;
        }
        let needed = self.prewarmed.needed(&authority).min(MAX_CONNECTIONS_OF_HOST);
        let most = self.connection_count.open(&authority) + self.prewarmed.room(standing);
        let missing = self.connection_count.missing(&authority, needed.min(most));
        if missing.is_empty() {
            return guard;
        }
        // All connections have the same name, so they share one look-up and its failure.
        let addresses = self.shared.look_up(uri).map_err(Arc::new).boxed().shared();
        for counted in missing {
            let (mut promise, promised) = oneshot::channel();
            self.prewarmed.keep(&authority, promised);
            let (shared, uri) = (self.shared.clone(), uri.clone());
            let addresses = addresses.clone().map_err(|error| io::Error::new(error.kind(), error));
            tokio::spawn(async move {
                let stream = tokio::select! {
                    stream = shared.connect(&uri, addresses) => stream,
                    // The mounts that it was for have failed.
                    () = promise.closed() => return,
                };
                let link = stream.map(|stream| PooledConnection::new(stream, counted));
                // The request that waited for it may have ended.
                let _ = promise.send(link);
            });
        }
        let prewarmed = self.prewarmed.clone();
        tokio::spawn(async move {
            tokio::time::sleep(UNCLAIMED).await;
            prewarmed.evict_expired(&authority);
        });
        guard
    }

    /// Returns the phase that connections to the host of `uri` wait in; `None` if one is established, or none is
    /// requested.
    pub(in crate::transport) fn connect_phase(&self, uri: &Uri) -> Option<ConnectPhase> {
        let authority = authority(uri);
        let (dials, connect_phase) = self.shared.dials.to(&authority)?;
        (self.connection_count.open(&authority) <= dials).then_some(connect_phase)
    }

    /// Returns the number of connections to all hosts, pending ones included.
    pub(in crate::transport) fn connections(&self) -> usize {
        self.connection_count.all()
    }

    /// Drops the prewarmed connections to a host.
    pub(in crate::transport) fn give_up(&self, authority: &str) {
        self.prewarmed.give_up(authority);
    }

    pub(in crate::transport) async fn peer_certificate(&self, uri: &Uri) -> io::Result<Vec<u8>> {
        let stream = self.shared.connect(uri, self.shared.look_up(uri)).await?;
        stream.peer_certificate().ok_or_else(|| io::Error::other("the host shows no certificate"))
    }

    async fn link(self, uri: Uri) -> io::Result<PooledConnection> {
        let authority = authority(&uri);
        while let Some(taken) = self.prewarmed.take(&authority) {
            // If a prewarmed connection failed, a new one may still succeed.
            if let Ok(link) = taken.opened().await {
                return Ok(link.kept());
            }
        }
        let room = self.connection_count.count_below(MAX_CONNECTIONS_OF_HOST, &authority);
        let counted: CountGuard = timeout(self.shared.timeouts, room)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "all connections to the host are in use"))?;
        let stream = self.shared.connect(&uri, self.shared.look_up(&uri)).await?;
        Ok(PooledConnection::new(stream, counted))
    }
}

impl Service<Uri> for Connector {
    type Response = PooledConnection;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<PooledConnection>> + Send>>;

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
        addresses: impl Future<Output = io::Result<Resolver>>,
    ) -> io::Result<Stream> {
        let dial = self.dials.begin(authority(uri));
        let step = self.observer.begin();
        let shown = self.observer.watches().then(ShownCertificate::default);
        let connecting = self.connect_inner(uri, addresses, &dial, shown.as_ref());
        let connected = timeout(self.timeouts, connecting).await;
        let connected = connected.unwrap_or_else(|_| Err(self.late(uri, &dial)));
        if let Err(error) = &connected {
            let certificate = shown.and_then(|shown| shown.take());
            let failed = || NetworkOutcome::not_connected(dial.connect_phase(), error, certificate);
            step.end(|| authority(uri), failed);
        }
        connected
    }

    /// Returns the error of a connection that timed out.
    fn late(&self, uri: &Uri, dial: &Dial) -> io::Error {
        let after = self.timeouts;
        let error: BoxError = match self.proxy.to(uri) {
            Some(proxy) if dial.waits_for_tunnel() => {
                ProxyError::Late { proxy: tunnel::name(proxy), after }.into()
            }
            _ => NoConnection { host: authority(uri), connect_phase: dial.connect_phase(), after }.into(),
        };
        io::Error::new(io::ErrorKind::TimedOut, error)
    }

    async fn connect_inner(
        &self,
        uri: &Uri,
        addresses: impl Future<Output = io::Result<Resolver>>,
        dial: &Dial,
        shown: Option<&ShownCertificate>,
    ) -> io::Result<Stream> {
        let host = || authority(uri);
        let stream = match self.proxy.to(uri) {
            Some(proxy) => {
                dial.enter(ConnectPhase::Proxy);
                let step = self.observer.begin();
                let stream = self.tunnel(uri, proxy, addresses, dial, shown).await?;
                step.end(host, || NetworkOutcome::Tunnelled { proxy: tunnel::name(proxy) });
                stream
            }
            None => {
                dial.enter(ConnectPhase::Dns);
                let addresses = addresses.await?;
                dial.enter(ConnectPhase::Tcp);
                let step = self.observer.begin();
                let stream = self.tcp(uri, addresses).await?;
                step.end(host, || NetworkOutcome::Connected(stream.peer_address()));
                stream
            }
        };
        match &self.tls {
            Some(tls) => {
                dial.enter(ConnectPhase::Tls);
                let step = self.observer.begin();
                let stream = tls.secure(uri, stream, shown).await?;
                let certificate = || stream.peer_certificate().unwrap_or_default();
                step.end(host, || NetworkOutcome::Secured { certificate: certificate() });
                Ok(stream)
            }
            None => Ok(stream),
        }
    }

    /// Looks up the host that a connection to `uri` leads to first: the proxy if there is one, or else the host.
    /// Returns a resolver of these addresses alone. An IP address is not looked up.
    fn look_up(&self, uri: &Uri) -> impl Future<Output = io::Result<Resolver>> + Send + use<> {
        let first = self.proxy.to(uri).map_or(uri, Intercept::uri);
        let host = first.host().unwrap_or_default().to_owned();
        let (names, observer, authority) = (self.names.clone(), self.observer.clone(), authority(first));
        async move {
            if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
                return Ok(names);
            }
            let name =
                host.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "no host name"))?;
            let step = observer.begin();
            let addresses: Vec<SocketAddr> = names.oneshot(name).await?.collect();
            step.end(
                || authority,
                || NetworkOutcome::Resolved(addresses.iter().map(SocketAddr::ip).collect()),
            );
            Ok(Resolver::fixed(addresses))
        }
    }

    async fn tcp(&self, uri: &Uri, names: Resolver) -> io::Result<Stream> {
        let mut tcp = HttpConnector::new_with_resolver(names);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // A broken path that reports no error, such as a firewall that forgets idle connections, shows in data that
        // is not acknowledged. This timeout detects it sooner than the wait for an answer does.
        tcp.set_tcp_user_timeout(Some(self.timeouts / 2));
        let stream = tcp.oneshot(uri.clone()).await.map_err(tls::failed)?;
        Ok(Stream::Tcp(stream.into_inner()))
    }

    async fn tunnel(
        &self,
        uri: &Uri,
        proxy: &Intercept,
        addresses: impl Future<Output = io::Result<Resolver>>,
        dial: &Dial,
        shown: Option<&ShownCertificate>,
    ) -> io::Result<Stream> {
        let stream = self.proxy(proxy.uri(), addresses, shown).await.map_err(|source| {
            io::Error::new(source.kind(), ProxyError::Unreachable { proxy: tunnel::name(proxy), source })
        })?;
        dial.ask_for_tunnel();
        tunnel::open(proxy, stream, uri).await.map_err(io::Error::other)
    }

    async fn proxy(
        &self,
        at: &Uri,
        addresses: impl Future<Output = io::Result<Resolver>>,
        shown: Option<&ShownCertificate>,
    ) -> io::Result<Stream> {
        let stream = self.tcp(at, addresses.await?).await?;
        match (at.scheme_str(), &self.tls) {
            (Some("http" | "socks5" | "socks5h"), _) => Ok(stream),
            (Some("https"), Some(tls)) => tls.secure(at, stream, shown).await,
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "there are no roots to speak https with")),
        }
    }
}

/// An error of a connection that timed out.
#[derive(Debug, thiserror::Error)]
#[error("no connection to {host} within {} seconds: it waited for {connect_phase}", after.as_secs_f32())]
pub(in crate::transport) struct NoConnection {
    pub(in crate::transport) host: String,
    pub(in crate::transport) connect_phase: ConnectPhase,
    pub(in crate::transport) after: Duration,
}

/// Returns the host of `uri` in lower case, with its port if it names one.
pub(in crate::transport) fn authority(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    match uri.port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

#[cfg(test)]
mod tests;
