//! The number of connections to each host.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A counter of connections by authority. Clones share it.
#[derive(Clone, Default)]
pub(in crate::transport) struct ConnectionCounts(Arc<Mutex<HashMap<String, usize>>>);

/// A guard that counts a connection until it is dropped. It exists before the connection does, so that no other task
/// opens the connection too.
pub(in crate::transport) struct CountGuard {
    connection_count: ConnectionCounts,
    authority: String,
}

impl ConnectionCounts {
    /// Counts one more connection.
    pub(in crate::transport) fn count(&self, authority: &str) -> CountGuard {
        *self.lock().entry(authority.to_owned()).or_default() += 1;
        CountGuard { connection_count: self.clone(), authority: authority.to_owned() }
    }

    /// Returns the number of connections, pending ones included.
    pub(in crate::transport) fn open(&self, authority: &str) -> usize {
        self.lock().get(authority).copied().unwrap_or_default()
    }

    /// Returns the number of connections to all hosts, pending ones included.
    pub(in crate::transport) fn all(&self) -> usize {
        self.lock().values().sum()
    }

    /// Counts the connections that are missing to `wanted`, and returns their guards.
    pub(in crate::transport) fn missing(&self, authority: &str, wanted: usize) -> Vec<CountGuard> {
        (self.open(authority)..wanted).map(|_| self.count(authority)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CountGuard {
    fn drop(&mut self) {
        let mut hosts = self.connection_count.lock();
        if let Some(open) = hosts.get_mut(&self.authority) {
            *open -= 1;
            if *open == 0 {
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
}
