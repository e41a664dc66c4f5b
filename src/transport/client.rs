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
use tokio::time::{Instant, timeout};

use crate::spec::vault::VaultStanding;

use super::{
    answer::{AnswerReader, ResponseError, lost, refused},
    connect::{ConnectPhase, Connector, EndlessAnswer, MountGuard, Route, Uses, authority},
    dispatch::Dispatch,
    failure::has_cause,
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

    /// Returns the head of the answer. A connection that was idle may have died meanwhile, and with it all others to the
    /// host. Then none of them is used again, and the request is sent again without a pause.
    async fn answer(
        &self,
        request: http::Request<Full<Bytes>>,
        dispatch: Option<&Dispatch>,
    ) -> azure_core::Result<http::Response<Incoming>> {
        let authority = authority(request.uri());
        let mut dead = 0;
        loop {
            let (pool, begin) = (self.pools.of(&authority), Instant::now());
            let mut request = request.clone();
            let connection = capture_connection(&mut request);
            dispatch.iter().for_each(|dispatch| dispatch.begin(connection.clone()));
            let answer = timeout(self.read_idle, pool.client.request(request)).await;
            let uses = connection.connection_metadata().as_ref().and_then(Uses::of);
            let was_idle = uses.as_ref().is_some_and(|uses| uses.may_have_died(begin));
            match answer {
                Ok(Ok(answer)) => {
                    uses.iter().for_each(Uses::add);
                    return Ok(answer);
                }
                Ok(Err(error)) if has_cause::<EndlessAnswer>(&error) => {
                    return Err(refused(ResponseError::Endless(EndlessAnswer)));
                }
                Ok(Err(error)) => {
                    if was_idle {
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
                    if was_idle {
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

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use azure_core::http::{Method, Url};
    use futures::{FutureExt, future::BoxFuture};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        sync::Semaphore,
        task::{JoinHandle, yield_now},
    };

    use crate::{
        report::Report,
        transport::{Proxy, Resolve, Resolver, Timeouts},
    };

    use super::*;

    /// A resolver of one address, whose second look-up waits for a permit.
    #[derive(Clone)]
    struct Names {
        lead_to: SocketAddr,
        lookups: Arc<AtomicUsize>,
        second: Arc<Semaphore>,
    }

    impl Names {
        fn new(lead_to: SocketAddr) -> Self {
            Self { lead_to, lookups: Arc::default(), second: Arc::new(Semaphore::new(0)) }
        }

        fn client(&self) -> Client {
            // Nothing hangs in these tests, so a busy machine must not cause a timeout.
            let timeouts = Timeouts::within(Duration::from_secs(360));
            let (proxy, observer) = (Proxy::none(), Observer::none());
            let names = Resolver(Arc::new(self.clone()));
            Client::new(Route { roots: None, proxy, names, timeouts, observer })
        }
    }

    impl Resolve for Names {
        fn resolve(&self, _: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
            let is_second = self.lookups.fetch_add(1, Ordering::Relaxed) == 1;
            let (lead_to, second) = (self.lead_to, self.second.clone());
            Box::pin(async move {
                if is_second {
                    drop(second.acquire().await);
                }
                Ok(vec![lead_to])
            })
        }
    }

    async fn host() -> (TcpListener, Names) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let names = Names::new(listener.local_addr().unwrap());
        (listener, names)
    }

    type Answer = azure_core::Result<AsyncRawResponse>;

    fn get(client: &Client) -> JoinHandle<Answer> {
        let url: Url = "http://lab.example/".parse().unwrap();
        let (client, request) = (client.clone(), Request::new(url, Method::Get));
        tokio::spawn(async move { client.execute_request(&request).await })
    }

    /// Reads a request.
    async fn read(stream: &mut TcpStream) {
        let request = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut [0; 4096])).await;
        assert!(request.expect("there is no request").unwrap() > 0);
    }

    /// Waits until the pool has an unused connection, which it takes in tasks of its own.
    async fn settle() {
        for _ in 0..1_000 {
            yield_now().await;
        }
    }

    /// Lets time pass for the client alone.
    async fn pass(time: Duration) {
        tokio::time::pause();
        tokio::time::advance(time).await;
        tokio::time::resume();
    }

    const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
    const NO_CONTENT_AND_CLOSE: &[u8] = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    const CHUNKS: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

    #[tokio::test]
    async fn an_answer_that_never_begins_is_refused() {
        for (beginning, endless) in [
            (String::new(), "HTTP/1.1 100 Continue\r\n\r\n"),
            (CHUNKS.to_owned(), "0"),
            (format!("{CHUNKS}1"), " "),
        ] {
            let (listener, names) = host().await;
            let client = names.client();
            let first = get(&client);
            let (mut stream, _) = listener.accept().await.unwrap();
            read(&mut stream).await;
            stream.write_all(NO_CONTENT).await.unwrap();
            first.await.unwrap().unwrap();
            settle().await;

            // The connection was used before, and yet the request is not sent again: no other connection gets an answer.
            let second = get(&client);
            read(&mut stream).await;
            stream.write_all(beginning.as_bytes()).await.unwrap();
            let part = endless.repeat(1_000);
            let mut sent = 0;
            while stream.write_all(part.as_bytes()).await.is_ok() {
                sent += part.len();
            }
            let error = Report(&second.await.unwrap().expect_err("it does not end")).to_string();
            let expected = "the answer took more than 8388608 bytes of its connection";
            assert!(error.contains(expected), "{endless:?}: {error}");
            // Beside what the client has read, the sockets hold some.
            assert!((7 << 20..64 << 20).contains(&sent), "{endless:?}: {sent} bytes");
        }
    }

    #[tokio::test]
    async fn the_answers_of_a_connection_are_counted_each_for_itself() {
        let (listener, names) = host().await;
        let client = names.client();
        let body = vec![b'x'; 1 << 20];
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let mut answer = get(&client);
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..10 {
            read(&mut stream).await;
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
            answer.await.unwrap().unwrap();
            settle().await;
            answer = get(&client);
        }
    }

    #[tokio::test]
    async fn a_connection_that_died_before_its_first_request_is_replaced_at_once() {
        let (listener, names) = host().await;
        let client = names.client();
        let first = get(&client);
        let (mut used, _) = listener.accept().await.unwrap();
        read(&mut used).await;
        let second = get(&client);
        while names.lookups.load(Ordering::Relaxed) < 2 {
            yield_now().await;
        }
        // The second request goes on with this connection, and hyper opens the other one for the pool.
        used.write_all(NO_CONTENT).await.unwrap();
        first.await.unwrap().unwrap();
        read(&mut used).await;
        used.write_all(NO_CONTENT_AND_CLOSE).await.unwrap();
        second.await.unwrap().unwrap();
        names.second.add_permits(1);
        let (mut unused, _) = listener.accept().await.unwrap();
        settle().await;
        pass(Duration::from_secs(2)).await;

        let third = get(&client);
        read(&mut unused).await;
        drop(unused);
        let (mut new, _) = listener.accept().await.unwrap();
        read(&mut new).await;
        new.write_all(NO_CONTENT).await.unwrap();
        third.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_new_connection_that_breaks_off_is_not_taken_for_one_that_died_idle() {
        let (listener, names) = host().await;
        let request = get(&names.client());
        let (mut stream, _) = listener.accept().await.unwrap();
        read(&mut stream).await;
        // The request began when the connection was new.
        pass(Duration::from_secs(5)).await;
        drop(stream);
        request.await.unwrap().expect_err("the connection broke off");
        assert!(listener.accept().now_or_never().is_none(), "the request was sent again");
    }
}
