//! The number of connections to each host.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// A counter of connections by authority. Clones share it.
#[derive(Clone, Default)]
pub(in crate::transport) struct ConnectionCounts(Arc<Mutex<HashMap<String, Host>>>);

#[derive(Default)]
struct Host {
    /// The number of connections, pending ones included.
    open: usize,
    /// Wakes one that waits for a connection less.
    closed: Arc<Notify>,
}

/// A guard that counts a connection until it is dropped. It exists before the connection does, so that no other task
/// opens the connection too.
pub(in crate::transport) struct CountGuard {
    connection_count: ConnectionCounts,
    authority: String,
}

impl ConnectionCounts {
    /// Counts one more connection.
    pub(in crate::transport) fn count(&self, authority: &str) -> CountGuard {
        self.lock().entry(authority.to_owned()).or_default().open += 1;
        CountGuard { connection_count: self.clone(), authority: authority.to_owned() }
    }

    /// Waits until there are fewer than `most` connections, and counts one more.
    pub(in crate::transport) async fn count_below(&self, most: usize, authority: &str) -> CountGuard {
        loop {
            let closed = {
                let mut hosts = self.lock();
                let host = hosts.entry(authority.to_owned()).or_default();
                if host.open < most {
                    host.open += 1;
                    return CountGuard { connection_count: self.clone(), authority: authority.to_owned() };
                }
                host.closed.clone()
            };
            closed.notified().await;
        }
    }

    /// Returns the number of connections, pending ones included.
    pub(in crate::transport) fn open(&self, authority: &str) -> usize {
        self.lock().get(authority).map_or(0, |host| host.open)
    }

    /// Returns the number of connections to all hosts, pending ones included.
    pub(in crate::transport) fn all(&self) -> usize {
        self.lock().values().map(|host| host.open).sum()
    }

    /// Counts the connections that are missing to `wanted`, and returns their guards.
    pub(in crate::transport) fn missing(&self, authority: &str, wanted: usize) -> Vec<CountGuard> {
        (self.open(authority)..wanted).map(|_| self.count(authority)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CountGuard {
    fn drop(&mut self) {
        let mut hosts = self.connection_count.lock();
        let Some(host) = hosts.get_mut(&self.authority) else { return };
        host.open -= 1;
        if host.open > 0 {
            host.closed.notify_one();
        } else if let Some(host) = hosts.remove(&self.authority) {
            host.closed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::poll;

    use super::*;

    #[test]
    fn only_what_is_missing_is_made() {
        let connection_count = ConnectionCounts::default();
        let own = connection_count.count("lab:443");
        let made = connection_count.missing("lab:443", 3);
        assert_eq!(made.len(), 2);
        assert_eq!(connection_count.missing("lab:443", 3).len(), 0, "they count before they are there");
        let others = connection_count.missing("other:443", 3);
        assert_eq!((others.len(), connection_count.all()), (3, 6));
        drop((made, others));
        assert_eq!(connection_count.missing("lab:443", 3).len(), 2);
        drop(own);
        assert!(connection_count.lock().is_empty(), "a host without connections is forgotten");
    }

    #[tokio::test]
    async fn a_connection_beyond_the_most_waits_until_another_closes() {
        let counts = ConnectionCounts::default();
        let (first, second) = (counts.count_below(2, "lab").await, counts.count_below(2, "lab").await);
        let (mut third, mut fourth) =
            (pin!(counts.count_below(2, "lab")), pin!(counts.count_below(2, "lab")));
        assert!(poll!(third.as_mut()).is_pending() && poll!(fourth.as_mut()).is_pending());
        assert!(poll!(pin!(counts.count_below(2, "other"))).is_ready(), "another host has its own");
        drop(first);
        assert!(poll!(fourth.as_mut()).is_pending(), "the one that waited longest goes first");
        let third = third.await;
        assert_eq!(counts.open("lab"), 2);
        drop((second, third));
        fourth.await;
        assert!(counts.lock().is_empty());
    }

    #[tokio::test]
    async fn one_that_gives_up_its_wait_leaves_the_place_to_the_next() {
        let counts = ConnectionCounts::default();
        let (first, _second) = (counts.count("lab"), counts.count("lab"));
        let mut next = pin!(counts.count_below(2, "lab"));
        {
            let mut left = pin!(counts.count_below(2, "lab"));
            assert!(poll!(left.as_mut()).is_pending() && poll!(next.as_mut()).is_pending());
            drop(first);
        }
        assert!(poll!(next.as_mut()).is_ready());
    }
}
