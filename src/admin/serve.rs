//! An HTTP server whose clients cannot fill the memory: few connections, and little time for each.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::Router;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::oneshot,
    task::{JoinSet, yield_now},
    time::{sleep, timeout},
};
use tower::ServiceExt;

use super::connections::{ConnectionId, Connections};

/// How long a client may take to send the head of its request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest head of a request, in bytes. hyper takes no smaller bound.
const MAX_HEAD_BYTES: usize = 8 << 10;

/// The pause after an error of `accept`, such as no descriptors left. Without it each try would fail at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections are accepted before those that are there are read. With more than fit into the port they would
/// close a probe whose request is there already. With one at a time a flood would keep probes waiting to be accepted.
const ACCEPTED_IN_TURN: usize = 16;

/// Serves until dropped, one request on each connection. A connection lasts `exchange` at most.
pub(super) async fn serve(listener: TcpListener, routes: Router, exchange: Duration) {
    let open = OpenConnections::default();
    let (mut tasks, mut accepted_in_turn) = (JoinSet::new(), 0);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = tasks.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = open.add(peer.ip());
                let routes = routes.clone();
                tasks.spawn(async move {
                    let _ = timeout(exchange, answer(stream, connection, routes)).await;
                });
                accepted_in_turn += 1;
                if accepted_in_turn == ACCEPTED_IN_TURN {
                    accepted_in_turn = 0;
                    yield_now().await;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers one request, unless the connection is closed for another one.
async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut connection: OpenConnection,
    routes: Router,
) {
    let arrived = connection.arrived();
    let service = service_fn(move |request| {
        arrived();
        routes.clone().oneshot(request)
    });
    let exchange = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        // A client that connects again takes part in the choice of which connection is closed.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // A client that breaks off is no error of the provider.
        _ = exchange => {}
        _ = &mut connection.closed => {}
    }
}

/// The open connections of a port, with the means to close them. Clones share them.
#[derive(Clone, Default)]
struct OpenConnections(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    connections: Connections,
    close: HashMap<ConnectionId, oneshot::Sender<()>>,
}

/// An open connection. It is removed from the others when it is dropped.
struct OpenConnection {
    all: OpenConnections,
    id: ConnectionId,
    closed: oneshot::Receiver<()>,
}

impl OpenConnections {
    fn add(&self, source: IpAddr) -> OpenConnection {
        let mut state = self.lock();
        let (id, replaced) = state.connections.add(source);
        // The dropped sender closes the connection.
        replaced.iter().for_each(|id| drop(state.close.remove(id)));
        let (close, closed) = oneshot::channel();
        state.close.insert(id, close);
        drop(state);
        OpenConnection { all: self.clone(), id, closed }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenConnection {
    /// Returns a function that records that the request has arrived.
    fn arrived(&self) -> impl Fn() + use<> {
        let (all, id) = (self.all.clone(), self.id);
        move || all.lock().connections.answering(id)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut state = self.all.lock();
        state.connections.remove(self.id);
        state.close.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::Instant,
    };

    use super::*;

    fn routes() -> Router {
        Router::new().route("/healthz", get(async || "ok"))
    }

    fn source() -> IpAddr {
        IpAddr::from([10, 0, 0, 1])
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_request_is_closed_after_five_seconds() {
        for sent in ["", "GET /healthz HTTP/1.1\r\nhost: a\r\n"] {
            let (mut client, server) = duplex(1 << 10);
            let begin = Instant::now();
            let task = tokio::spawn(answer(server, OpenConnections::default().add(source()), routes()));
            client.write_all(sent.as_bytes()).await.unwrap();
            task.await.unwrap();
            assert_eq!(begin.elapsed().as_secs(), HEADER_TIMEOUT.as_secs(), "after {sent:?}");
        }
    }

    #[tokio::test]
    async fn a_head_of_megabytes_is_refused() {
        let (mut client, server) = duplex(1 << 10);
        let task = tokio::spawn(answer(server, OpenConnections::default().add(source()), routes()));
        let head = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", "x".repeat(1 << 20));
        // The server stops reading, so the client cannot send everything.
        assert!(client.write_all(head.as_bytes()).await.is_err());
        task.await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_takes_one_request() {
        let (mut client, server) = duplex(1 << 10);
        let open = OpenConnections::default();
        let task = tokio::spawn(answer(server, open.add(source()), routes()));
        let request = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n".repeat(2);
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answers = String::new();
        client.read_to_string(&mut answers).await.unwrap();
        assert_eq!(answers.matches("200 OK").count(), 1, "{answers}");
        task.await.unwrap();
        assert!(open.lock().close.is_empty());
    }

    #[tokio::test]
    async fn a_connection_that_is_replaced_is_closed() {
        let open = OpenConnections::default();
        let (mut client, server) = duplex(1 << 10);
        let task = tokio::spawn(answer(server, open.add(source()), routes()));
        let others: Vec<_> = (0..8).map(|_| open.add(source())).collect();
        task.await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        drop(others);
    }
}
