//! An HTTP/1.1 client with pooled connections, as a transport of the SDK.

use std::{fmt, io, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    error::{Error, ErrorKind},
    http::{
        AsyncRawResponse, Context, HttpClient, Request, Transport,
        policies::{Policy, PolicyResult},
        request::Body,
    },
};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use tokio::time::timeout;

use crate::spec::vault::VaultStanding;

use super::{
    answer::{AnswerReader, ResponseError, lost},
    connect::{ConnectPhase, Connector, MountGuard, Route, Uses, authority},
    dispatch::Dispatch,
    header::headers,
    observe::{Observer, RequestLine},
    pools::Pools,
    timeouts::MAX_DEAD_CONNECTIONS,
};

/// A client with a pool of connections for each host. Clones share the pools. It never follows redirects, since the
/// token would be sent along.
#[derive(Clone)]
pub struct Client {
    connector: Connector,
    pools: Arc<Pools>,
    answers: AnswerReader,
    read_idle: Duration,
    observer: Observer,
}

impl Client {
    /// Creates a client that connects as `route` configures.
    pub fn new(route: Route) -> Self {
        let (read_idle, observer) = (route.timeouts.read_idle, route.observer.clone());
        let connector = Connector::new(route);
        let pools = Arc::new(Pools::new(connector.clone()));
        Self { connector, pools, answers: AnswerReader::new(read_idle), read_idle, observer }
    }

    /// Returns the client as a transport, which records in a call's context whether its request has a connection.
    pub fn transport(&self) -> Transport {
        Transport::with_policy(Arc::new(self.clone()))
    }

    /// Opens connections to the host of `url` for the reads of its mounts, this one and others, as far as the limits
    /// allow. Mounts with the same `sharers` share their reads. Returns at once. If a connection fails, the request that
    /// needs it reports the error.
    pub(super) fn prewarm(
        &self,
        url: &azure_core::http::Url,
        standing: VaultStanding,
        sharers: &Arc<str>,
        reads: usize,
    ) -> Option<MountGuard> {
        let uri = url.as_str().parse().ok()?;
        Some(self.connector.prewarm(&uri, standing, sharers, reads))
    }

    /// Returns the phase that connections to the host of `url` wait in; `None` if one is established, or none is
    /// requested.
    pub(crate) fn connect_phase(&self, url: &azure_core::http::Url) -> Option<ConnectPhase> {
        self.connector.connect_phase(&url.as_str().parse().ok()?)
    }

    async fn exchange(
        &self,
        request: http::Request<Full<Bytes>>,
        dispatch: Option<&Dispatch>,
    ) -> azure_core::Result<AsyncRawResponse> {
        let watched = self.observer.begin_exchange(|| (authority(request.uri()), RequestLine::of(&request)));
        let exchanged = self.exchange_inner(request, dispatch).await;
        watched.end(&exchanged);
        let (head, body) = exchanged?;
        Ok(AsyncRawResponse::from_bytes(
            head.status.as_u16().into(),
            headers(head.status, &head.headers),
            body,
        ))
    }

    async fn exchange_inner(
        &self,
        request: http::Request<Full<Bytes>>,
        dispatch: Option<&Dispatch>,
    ) -> azure_core::Result<(http::response::Parts, Bytes)> {
        let host = authority(request.uri());
        let (head, body) = self.answer(request, dispatch).await?.into_parts();
        let body = self.answers.read(&host, head.status, body).await?;
        Ok((head, body))
    }

    /// Returns the head of the answer. A reused connection may have died since its last use, and with it all others
    /// to the host. Then none of them is used again, and the request is sent again without a pause.
    async fn answer(
        &self,
        request: http::Request<Full<Bytes>>,
        dispatch: Option<&Dispatch>,
    ) -> azure_core::Result<http::Response<Incoming>> {
        let authority = authority(request.uri());
        let mut dead = 0;
        loop {
            let pool = self.pools.of(&authority);
            let mut request = request.clone();
            let connection = capture_connection(&mut request);
            dispatch.iter().for_each(|dispatch| dispatch.begin(connection.clone()));
            let answer = timeout(self.read_idle, pool.client.request(request)).await;
            let uses = connection.connection_metadata().as_ref().and_then(Uses::of);
            let reused = uses.as_ref().is_some_and(|uses| uses.count() > 0);
            match answer {
                Ok(Ok(answer)) => {
                    uses.iter().for_each(Uses::add);
                    return Ok(answer);
                }
                Ok(Err(error)) => {
                    if reused {
                        self.pools.renew(&authority, &pool);
                        dead += 1;
                        if dead <= MAX_DEAD_CONNECTIONS {
                            continue;
                        }
                    }
                    let kind = if error.is_connect() { ErrorKind::Connection } else { ErrorKind::Io };
                    return Err(Error::with_error(kind, error, "the request failed"));
                }
                Err(_) => {
                    // The host may be slow, or the path to it may be broken. In case of the path, the next try takes
                    // a new connection.
                    if reused {
                        self.pools.renew(&authority, &pool);
                    }
                    return Err(lost(ResponseError::Silence(self.read_idle)));
                }
            }
        }
    }
}

/// Returns a request of the SDK as hyper sends it.
fn outgoing(request: &Request) -> azure_core::Result<http::Request<Full<Bytes>>> {
    let Body::Bytes(body) = request.body().clone() else {
        return Err(Error::with_message(ErrorKind::Other, "only bodies in memory are sent"));
    };
    let mut outgoing = http::Request::builder().method(request.method().as_ref()).uri(request.url().as_str());
    for (name, value) in request.headers().iter() {
        outgoing = outgoing.header(name.as_str(), value.as_str());
    }
    outgoing
        .body(Full::new(body))
        .map_err(|error| Error::with_error(ErrorKind::Other, error, "the request cannot be sent"))
}

#[async_trait]
impl HttpClient for Client {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.exchange(outgoing(request)?, None).await
    }
}

/// The last policy of a pipeline.
#[async_trait]
impl Policy for Client {
    async fn send(&self, ctx: &Context, request: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        self.exchange(outgoing(request)?, ctx.value::<Dispatch>()).await
    }
}

impl Client {
    /// Returns the certificate that the host of `uri` shows, in DER. The caller decides what it means.
    ///
    /// # Errors
    /// There is no connection over TLS.
    pub(crate) async fn peer_certificate(&self, uri: &http::Uri) -> io::Result<Vec<u8>> {
        self.connector.peer_certificate(uri).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}
