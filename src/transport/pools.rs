//! The connection pools of a client, one for each host.
//!
//! hyper's client drops its idle connections all together or not at all. With a client for each host, a dead
//! connection costs only its own host's connections, and the host that was used longest ago can make room for others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};

use super::connect::{Connector, MAX_CONNECTIONS_OF_HOST};

/// How long an idle connection is used again. Key Vault and Entra keep it longer. hyper's client closes it within the
/// next minute.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// The most connections to all hosts before idle ones make room, about 15 MiB of them. Any pod can name vaults, and
/// each of them can leave as many idle connections as a mount had reads.
const MAX_CONNECTIONS: usize = 512;

/// The longest head of an answer, and what is read from a connection at once, in bytes. Azure's heads take one or two KiB.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// The most hosts with a pool. Vault names come from SecretProviderClasses, so there is a bound.
const MAX_HOSTS: usize = 1_000;

/// A map of pools by authority.
pub(super) struct Pools {
    hosts: Mutex<Hosts>,
    connector: Connector,
}

#[derive(Default)]
struct Hosts {
    by_authority: HashMap<String, Host>,
    /// Counts the requests, as a clock of their order.
    requests: u64,
}

struct Host {
    pool: Pool,
    last_request: u64,
}

/// A pool of connections to one host. Clones share the connections.
#[derive(Clone)]
pub(super) struct Pool {
    pub(super) client: legacy::Client<Connector, Full<Bytes>>,
    /// Distinguishes the pool from its successor.
    id: Arc<()>,
}

impl Pools {
    pub(super) fn new(connector: Connector) -> Self {
        Self { hosts: Mutex::default(), connector }
    }

    /// Returns the pool of a host for a request. If there are too many connections or pools, drops the pool of the host
    /// whose last request is the oldest: its idle connections close now, and the others after their answers.
    pub(super) fn of(&self, authority: &str) -> Pool {
        let (pool, _dropped) = {
            let mut hosts = self.lock();
            hosts.requests += 1;
            let last_request = hosts.requests;
            let is_new = !hosts.by_authority.contains_key(authority);
            let is_full = hosts.by_authority.len() >= MAX_HOSTS && is_new;
            let dropped = if is_full || self.connector.connections() >= MAX_CONNECTIONS {
                hosts.remove_oldest(authority)
            } else {
                None
            };
            let host = hosts.by_authority.entry(authority.to_owned());
            let host = host.or_insert_with(|| Host { pool: self.pool(), last_request });
            host.last_request = last_request;
            // Dropped outside the lock, since closing connections takes time.
            (host.pool.clone(), dropped)
        };
        pool
    }

    /// Drops the idle connections of `used`, unless another request has dropped them before.
    pub(super) fn renew(&self, authority: &str, used: &Pool) {
        let is_used = |host: &Host| Arc::ptr_eq(&host.pool.id, &used.id);
        let removed = {
            let by_authority = &mut self.lock().by_authority;
            if by_authority.get(authority).is_some_and(is_used) {
                by_authority.remove(authority)
            } else {
                None
            }
        };
        if removed.is_some() {
            self.connector.give_up(authority);
        }
    }

    fn pool(&self) -> Pool {
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(MAX_IDLE)
            .pool_max_idle_per_host(MAX_CONNECTIONS_OF_HOST)
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .build(self.connector.clone());
        Pool { client, id: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hosts {
    /// Removes the host whose last request is the oldest, other than `but`.
    fn remove_oldest(&mut self, but: &str) -> Option<Host> {
        let others = self.by_authority.iter().filter(|(authority, _)| *authority != but);
        let oldest = others.min_by_key(|(_, host)| host.last_request)?.0.clone();
        self.by_authority.remove(&oldest)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        sync::mpsc,
    };

    use crate::transport::{Observer, Proxy, Resolver, Route, Timeouts};

    use super::*;

    /// Answers each request, and sends a message for each connection.
    async fn serve(listener: TcpListener, connections: mpsc::UnboundedSender<()>) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            connections.send(()).unwrap();
            tokio::spawn(async move {
                while stream.read(&mut [0; 1024]).await.is_ok_and(|bytes| bytes > 0) {
                    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
                }
            });
        }
    }

    fn pools() -> Pools {
        Pools::new(Connector::new(Route {
            roots: None,
            proxy: Proxy::none(),
            names: Resolver::system(),
            timeouts: Timeouts::within(Duration::from_secs(90)),
            observer: Observer::none(),
        }))
    }

    async fn request(pools: &Pools, to: SocketAddr) {
        let authority = to.to_string();
        let request = http::Request::get(format!("http://{authority}/")).body(Full::default()).unwrap();
        assert_eq!(pools.of(&authority).client.request(request).await.unwrap().status(), 204);
        // The pool takes the connection back in a task of its own.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_after_a_minute() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let (sender, mut connections) = mpsc::unbounded_channel();
        tokio::spawn(serve(listener, sender));
        let pools = pools();
        request(&pools, to).await;
        for (idle, opened) in [(Duration::from_secs(55), 1), (Duration::from_secs(65), 2)] {
            tokio::time::pause();
            tokio::time::advance(idle).await;
            tokio::time::resume();
            request(&pools, to).await;
            assert_eq!(connections.len(), opened, "after {idle:?}");
        }
        connections.close();
    }

    #[test]
    fn a_new_host_takes_the_place_of_the_one_that_was_used_longest_ago() {
        let pools = pools();
        (0..MAX_HOSTS).for_each(|number| drop(pools.of(&format!("lab-{number}"))));
        drop([pools.of("lab-0"), pools.of("new")]);
        let by_authority = &pools.lock().by_authority;
        let hosts = ["lab-0", "lab-1", "new"].map(|host| by_authority.contains_key(host));
        assert_eq!((hosts, by_authority.len()), ([true, false, true], MAX_HOSTS));
    }
}
