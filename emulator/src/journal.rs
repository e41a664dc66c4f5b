//! The record of all requests, in order of arrival.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{
    entry::Entry,
    route::{RequestHead, Route},
};

/// A record of requests. Clones share it.
///
/// It keeps the newest 100,000 entries; totals count all requests.
#[derive(Clone, Debug)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    start: Instant,
    changed: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    next: u64,
    seen: u64,
    connects: Vec<String>,
    connections: u64,
    open_connections: usize,
    in_flight: usize,
    max_in_flight: usize,
}

impl Journal {
    pub(crate) fn new() -> Self {
        let shared = Shared { start: Instant::now(), changed: Notify::new(), state: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Returns every kept request.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.iter().cloned().collect()
    }

    /// Returns every kept request that the route matches.
    #[must_use]
    pub fn filter(&self, route: &Route) -> Vec<Entry> {
        self.lock().entries.iter().filter(|entry| route.matches(&entry.head)).cloned().collect()
    }

    /// Returns [`Entry::line`] of every kept request.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lock().entries.iter().map(Entry::line).collect()
    }

    /// Returns how many kept requests the route matches.
    #[must_use]
    pub fn count(&self, route: &Route) -> usize {
        self.lock().entries.iter().filter(|entry| route.matches(&entry.head)).count()
    }

    /// Returns how many requests arrived since the start or the last [`clear`](Self::clear).
    #[must_use]
    pub fn total(&self) -> u64 {
        self.lock().seen
    }

    /// Returns how many connections the HTTPS, IMDS and NMI listeners served, tunnelled ones included.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.lock().connections
    }

    /// Returns how many of these connections are open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.lock().open_connections
    }

    /// Returns the targets (`host:port`) of all requested tunnels.
    #[must_use]
    pub fn connects(&self) -> Vec<String> {
        self.lock().connects.clone()
    }

    /// Returns the highest number of requests in flight at one time.
    #[must_use]
    pub fn max_in_flight(&self) -> usize {
        self.lock().max_in_flight
    }

    /// Returns how many requests are in flight now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.lock().in_flight
    }

    /// Removes all requests but those in flight.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.entries.clear();
        state.connects.clear();
        (state.seen, state.connections) = (0, 0);
        state.max_in_flight = state.in_flight;
    }

    /// Waits until `n` requests have arrived since the start or the last [`clear`](Self::clear).
    pub async fn wait_for(&self, n: u64) {
        self.wait_until(|journal| journal.total() >= n).await;
    }

    /// Waits until `n` matching requests have arrived.
    pub async fn wait_for_route(&self, n: usize, route: &Route) {
        self.wait_until(|journal| journal.count(route) >= n).await;
    }

    /// Waits until the condition holds. It is checked at each request and answer, and when a connection opens or closes.
    pub async fn wait_until(&self, condition: impl Fn(&Self) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            if condition(self) {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn connection(&self) -> OpenConnection {
        let mut state = self.lock();
        state.connections += 1;
        state.open_connections += 1;
        drop(state);
        self.shared.changed.notify_waiters();
        OpenConnection(self.clone())
    }

    pub(crate) fn connect(&self, target: &str) {
        self.lock().connects.push(target.to_owned());
        self.shared.changed.notify_waiters();
    }

    pub(crate) fn arrived(&self, head: &RequestHead) -> Arrival {
        let at = self.shared.start.elapsed();
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.seen += 1;
        state.in_flight += 1;
        state.max_in_flight = state.max_in_flight.max(state.in_flight);
        if state.entries.len() == KEPT {
            state.entries.pop_front();
        }
        let head = head.clone();
        state.entries.push_back(Entry { number, at, took: None, head, status: None, caller: None, bytes: 0 });
        drop(state);
        self.shared.changed.notify_waiters();
        Arrival { journal: self.clone(), number, at }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection, which is open until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection(Journal);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.lock().open_connections -= 1;
        self.0.shared.changed.notify_waiters();
    }
}

/// A request in flight; dropped without an answer if its connection closes.
#[derive(Debug)]
pub(crate) struct Arrival {
    journal: Journal,
    number: u64,
    at: Duration,
}

impl Arrival {
    pub(crate) fn answered(self, status: u16, caller: Option<String>, bytes: u64) {
        let took = self.journal.shared.start.elapsed().saturating_sub(self.at);
        let mut state = self.journal.lock();
        let first = state.entries.front().map_or(self.number + 1, |entry| entry.number);
        let index = self.number.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| state.entries.get_mut(index)) {
            (entry.status, entry.caller, entry.bytes, entry.took) = (Some(status), caller, bytes, Some(took));
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut state = self.journal.lock();
        state.in_flight -= 1;
        drop(state);
        self.journal.shared.changed.notify_waiters();
    }
}

const KEPT: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::tests::vault_get;

    #[test]
    fn an_answer_completes_its_entry() {
        let journal = Journal::new();
        let first = journal.arrived(&vault_get("/secrets/a/"));
        let second = journal.arrived(&vault_get("/secrets/b/"));
        second.answered(404, None, 10);
        assert_eq!(journal.lines(), ["GET /secrets/a/ -", "GET /secrets/b/ 404"]);
        assert_eq!((journal.in_flight(), journal.max_in_flight()), (1, 2));
        drop(first);
        assert_eq!(journal.in_flight(), 0);
    }

    #[test]
    fn an_answer_after_clear_is_forgotten() {
        let journal = Journal::new();
        let old = journal.arrived(&vault_get("/old"));
        journal.clear();
        let new = journal.arrived(&vault_get("/new"));
        old.answered(200, None, 0);
        assert_eq!(journal.lines(), ["GET /new -"]);
        new.answered(200, None, 0);
        assert_eq!((journal.total(), journal.max_in_flight()), (1, 2));
    }

    #[tokio::test]
    async fn waiting_ends_when_the_requests_have_arrived() {
        let journal = Journal::new();
        let waiter = tokio::spawn({
            let journal = journal.clone();
            async move { journal.wait_for(2).await }
        });
        // The waiter starts first, so that the arrival must wake it.
        tokio::task::yield_now().await;
        for path in ["/a", "/b"] {
            journal.arrived(&vault_get(path)).answered(200, None, 0);
        }
        waiter.await.expect("the waiter ends");
    }
}
