//! Connections that are opened before a request needs them.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

use super::connection::PooledConnection;

/// How long a prewarmed connection waits for a request.
pub(in crate::transport) const UNCLAIMED: Duration = Duration::from_secs(10);

/// A connection that is being opened.
pub(in crate::transport) type PendingConnection = oneshot::Receiver<io::Result<PooledConnection>>;

/// A map of unused prewarmed connections by authority. Clones share it.
#[derive(Clone, Default)]
pub(in crate::transport) struct PrewarmedConnections(Arc<Mutex<Waiting>>);

/// The connections with their start times, the oldest first.
type Waiting = HashMap<String, VecDeque<(Instant, PendingConnection)>>;

impl PrewarmedConnections {
    /// Stores a connection for the next request.
    pub(in crate::transport) fn keep(&self, authority: &str, promised: PendingConnection) {
        self.lock().entry(authority.to_owned()).or_default().push_back((Instant::now(), promised));
    }

    /// Returns the oldest connection.
    pub(in crate::transport) fn take(&self, authority: &str) -> Option<PendingConnection> {
        let mut hosts = self.lock();
        let waiting = hosts.get_mut(authority)?;
        let first = waiting.pop_front();
        if waiting.is_empty() {
            hosts.remove(authority);
        }
        Some(first?.1)
    }

    /// Drops all connections.
    pub(in crate::transport) fn give_up(&self) {
        let all = std::mem::take(&mut *self.lock());
        // Outside the lock, since closing connections takes time.
        drop(all);
    }

    /// Drops the connections to a host that no request has taken in time.
    pub(in crate::transport) fn evict_expired(&self, authority: &str) {
        let stale: Vec<_> = {
            let mut hosts = self.lock();
            let Some(waiting) = hosts.get_mut(authority) else { return };
            let fresh = waiting.iter().position(|(since, _)| since.elapsed() < UNCLAIMED);
            let stale = waiting.drain(..fresh.unwrap_or(waiting.len())).collect();
            if waiting.is_empty() {
                hosts.remove(authority);
            }
            stale
        };
        drop(stale);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_nobody_came_for_is_given_up() {
        let ahead = PrewarmedConnections::default();
        let (first, promised) = oneshot::channel();
        ahead.keep("lab:443", promised);
        tokio::time::advance(UNCLAIMED / 2).await;
        let (second, promised) = oneshot::channel();
        ahead.keep("lab:443", promised);
        tokio::time::advance(UNCLAIMED / 2).await;
        ahead.evict_expired("lab:443");
        assert!(first.is_closed() && !second.is_closed());
        assert!(ahead.take("lab:443").is_some() && ahead.take("lab:443").is_none());
        assert!(ahead.lock().is_empty(), "a host that nothing waits for is forgotten");
    }
}
