//! How many connections each host has, and those that were made before they were asked for.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

use super::stream::Link;

/// How long a connection waits for the request that it was made for.
pub(super) const UNCLAIMED: Duration = Duration::from_secs(10);

/// A connection that will be there soon.
pub(super) type Promised = oneshot::Receiver<io::Result<Link>>;

/// Connections by authority. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Census(Arc<Mutex<HashMap<String, Host>>>);

#[derive(Default)]
struct Host {
    open: usize,
    ready: VecDeque<(Instant, Promised)>,
}

/// A connection that counts until it is dropped; from before it is made, so that nobody makes it again meanwhile.
pub(super) struct Counted {
    census: Census,
    authority: String,
}

impl Census {
    /// Counts one more connection.
    pub(super) fn count(&self, authority: &str) -> Counted {
        self.lock().entry(authority.to_owned()).or_default().open += 1;
        Counted { census: self.clone(), authority: authority.to_owned() }
    }

    /// How many there are, also those that are being made.
    pub(super) fn open(&self, authority: &str) -> usize {
        self.lock().get(authority).map_or(0, |host| host.open)
    }

    /// As many as are missing to `wanted`, counted.
    pub(super) fn missing(&self, authority: &str, wanted: usize) -> Vec<Counted> {
        (self.open(authority)..wanted).map(|_| self.count(authority)).collect()
    }

    /// Keeps a connection for whoever asks next.
    pub(super) fn keep(&self, authority: &str, promised: Promised) {
        let mut hosts = self.lock();
        hosts.entry(authority.to_owned()).or_default().ready.push_back((Instant::now(), promised));
    }

    /// The connection that was made first.
    pub(super) fn take(&self, authority: &str) -> Option<Promised> {
        Some(self.lock().get_mut(authority)?.ready.pop_front()?.1)
    }

    /// Gives up all that wait for a request.
    pub(super) fn give_up(&self) {
        let waiting: Vec<_> = self.lock().values_mut().flat_map(|host| host.ready.drain(..)).collect();
        // Outside the lock, which a connection takes once more as it ends.
        drop(waiting);
    }

    /// Gives up those that nobody came for.
    pub(super) fn tidy(&self, authority: &str) {
        let stale: Vec<_> = {
            let mut hosts = self.lock();
            let Some(host) = hosts.get_mut(authority) else { return };
            let fresh = host.ready.iter().position(|(since, _)| since.elapsed() < UNCLAIMED);
            let stale = host.ready.drain(..fresh.unwrap_or(host.ready.len())).collect();
            if host.open == 0 && host.ready.is_empty() {
                hosts.remove(authority);
            }
            stale
        };
        // Outside the lock, which a connection takes once more as it ends.
        drop(stale);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut hosts = self.census.lock();
        if let Some(host) = hosts.get_mut(&self.authority) {
            host.open -= 1;
            if host.open == 0 && host.ready.is_empty() {
                hosts.remove(&self.authority);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_made() {
        let census = Census::default();
        let own = census.count("lab:443");
        let made = census.missing("lab:443", 3);
        assert_eq!(made.len(), 2);
        assert_eq!(census.missing("lab:443", 3).len(), 0, "they count before they are there");
        assert_eq!(census.missing("other:443", 3).len(), 3);
        drop(made);
        assert_eq!(census.missing("lab:443", 3).len(), 2);
        drop(own);
        assert!(census.lock().is_empty(), "a host without connections is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_came_for_is_given_up() {
        let census = Census::default();
        let (first, promised) = oneshot::channel();
        census.keep("lab:443", promised);
        tokio::time::advance(UNCLAIMED / 2).await;
        let (second, promised) = oneshot::channel();
        census.keep("lab:443", promised);
        tokio::time::advance(UNCLAIMED / 2).await;
        census.tidy("lab:443");
        assert!(first.is_closed() && !second.is_closed());
        assert!(census.take("lab:443").is_some() && census.take("lab:443").is_none());
    }
}
