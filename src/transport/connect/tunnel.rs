//! Tunnels through proxies.

use std::{
    io,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::{
    client::{
        legacy::connect::proxy::{SocksV5, Tunnel},
        proxy::matcher::Intercept,
    },
    rt::TokioIo,
};
use tower::Service;

use super::{super::BoxError, connection::Stream};

/// An error of the proxy, because of which no host is reachable.
#[derive(Debug, thiserror::Error)]
pub(in crate::transport) enum ProxyError {
    /// The provider cannot connect to the proxy.
    #[error("cannot connect to the proxy {proxy}")]
    Unreachable { proxy: String, source: io::Error },
    /// The proxy does not open the tunnel.
    #[error("the proxy {proxy} opens no tunnel")]
    Refused { proxy: String, source: BoxError },
    /// The proxy is connected, and does not answer for this time.
    #[error("the proxy {proxy} did not open the tunnel in time ({} seconds)", after.as_secs_f32())]
    Late { proxy: String, after: Duration },
    /// The proxy answered 407.
    #[error("the proxy {proxy} answered 407 Proxy Authentication Required")]
    AuthRequired { proxy: String },
}

/// The error of a tunnel, which hyper-util does not export by name.
type TunnelError = <Tunnel<Ready> as Service<Uri>>::Error;

/// Opens a tunnel to the host of `uri` over a connection to the proxy. The proxy looks up the host's name.
pub(in crate::transport) async fn open(
    proxy: &Intercept,
    stream: Stream,
    uri: &Uri,
) -> Result<Stream, ProxyError> {
    let stream = Ready(Some(TokioIo::new(stream)));
    let at = proxy.uri().clone();
    let name = name(proxy);
    if at.scheme_str().is_some_and(|scheme| scheme.starts_with("socks5")) {
        let mut socks = SocksV5::new(at, stream);
        if let Some((user, password)) = proxy.raw_auth() {
            socks = socks.with_auth(user.to_owned(), password.to_owned());
        }
        let refused = |source| ProxyError::Refused { proxy: name, source: BoxError::from(source) };
        return Ok(socks.call(uri.clone()).await.map_err(refused)?.into_inner());
    }
    let mut tunnel = Tunnel::new(at, stream);
    if let Some(auth) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(auth.clone());
    }
    let refused = |error| match error {
        TunnelError::ProxyAuthRequired => ProxyError::AuthRequired { proxy: name },
        other => ProxyError::Refused { proxy: name, source: other.into() },
    };
    Ok(tunnel.call(uri.clone()).await.map_err(refused)?.into_inner())
}

/// Returns the host and port of a proxy, without its user and password.
pub(in crate::transport) fn name(proxy: &Intercept) -> String {
    proxy.uri().authority().map(ToString::to_string).unwrap_or_default()
}

/// A connector that returns one existing connection.
struct Ready(Option<TokioIo<Stream>>);

impl Service<Uri> for Ready {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<Stream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let stream = self.0.take().ok_or_else(|| io::Error::other("the connection is taken"));
        Box::pin(async { stream })
    }
}
