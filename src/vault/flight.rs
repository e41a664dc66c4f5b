//! Same read, one flight: who asks what somebody else is asking shares the answer.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};

use crate::spec::mount_kind::MountKind;

use super::limiter::QueuedRequest;

/// An answer under way. Whoever holds it drives it, and it ends when nobody does any more.
pub(super) type Flight<V> = Shared<BoxFuture<'static, V>>;

/// How long after it went out a request may be joined. The answer may be as old as that, so a first mount must not
/// join one that has been under way for long: who updates a secret and restarts a deployment wants the new value.
const JOINABLE: Duration = Duration::from_secs(1);

/// The answers under way, by what was asked. Clones share them.
pub(super) struct Flights<K, V>(Arc<Mutex<HashMap<K, Entry<V>>>>);

struct Entry<V> {
    answer: WeakShared<BoxFuture<'static, V>>,
    request: Arc<QueuedRequest>,
}

impl<K: Clone + Eq + Hash + Send + 'static, V: Clone + Send + Sync + 'static> Flights<K, V> {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// The answer to `key` that is under way, and true; or the one that `make` begins.
    pub(super) fn join(
        &self,
        key: &K,
        kind: MountKind,
        make: impl FnOnce(Arc<QueuedRequest>) -> BoxFuture<'static, V>,
    ) -> (Flight<V>, bool) {
        let mut flights = self.lock();
        if let Some(entry) = flights.get(key)
            && entry.request.sent_at().is_none_or(|sent| sent.elapsed() < JOINABLE)
            && let Some(answer) = entry.answer.upgrade()
        {
            if kind == MountKind::Initial {
                entry.request.promote();
            }
            return (answer, true);
        }
        let request = Arc::new(QueuedRequest::new(kind));
        let landing = Landing { flights: self.clone(), key: key.clone(), request: request.clone() };
        let answer = make(request.clone());
        let answer = async move {
            let _landing = landing;
            answer.await
        };
        let answer = answer.boxed().shared();
        if let Some(weak) = answer.downgrade() {
            flights.insert(key.clone(), Entry { answer: weak, request });
        }
        (answer, false)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Entry<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Clone for Flights<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Takes a flight off the list when it has ended, or when nobody waits for it any more.
struct Landing<K: Clone + Eq + Hash + Send + 'static, V: Clone + Send + Sync + 'static> {
    flights: Flights<K, V>,
    key: K,
    request: Arc<QueuedRequest>,
}

impl<K: Clone + Eq + Hash + Send + 'static, V: Clone + Send + Sync + 'static> Drop for Landing<K, V> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        // A later flight may be in its place.
        if flights.get(&self.key).is_some_and(|entry| Arc::ptr_eq(&entry.request, &self.request)) {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    type Answers = Flights<&'static str, u32>;

    fn never(_: Arc<QueuedRequest>) -> BoxFuture<'static, u32> {
        unreachable!("there is a flight to join")
    }

    #[tokio::test]
    async fn who_asks_the_same_meanwhile_shares_the_answer() {
        let flights = Answers::new();
        let (answer, wait) = oneshot::channel();
        let (first, joined) =
            flights.join(&"a", MountKind::Initial, |_| Box::pin(async { wait.await.unwrap() }));
        assert!(!joined);
        let (second, joined) = flights.join(&"a", MountKind::Initial, never);
        assert!(joined);
        let (other, joined) = flights.join(&"b", MountKind::Initial, |_| Box::pin(async { 2 }));
        assert!(!joined);
        answer.send(1).unwrap();
        assert_eq!((first.await, second.await, other.await), (1, 1, 2));
        assert!(flights.lock().is_empty());
        let (third, joined) = flights.join(&"a", MountKind::Initial, |_| Box::pin(async { 3 }));
        assert_eq!((third.await, joined), (3, false), "what has landed is not joined");
    }

    #[tokio::test]
    async fn a_flight_ends_with_the_last_who_waits_and_not_before() {
        let flights = Answers::new();
        let (mut alive, held) = oneshot::channel::<()>();
        let (first, _) = flights.join(&"a", MountKind::Initial, |_| {
            Box::pin(async {
                let _ = held.await;
                1
            })
        });
        let (second, _) = flights.join(&"a", MountKind::Initial, never);
        drop(first);
        assert!(!alive.is_closed());
        drop(second);
        assert!(alive.is_closed());
        alive.closed().await;
        assert!(flights.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_went_out_long_ago_is_not_joined_but_one_that_waits_is() {
        let flights = Answers::new();
        let (first, _) = flights.join(&"a", MountKind::Republish, |_| Box::pin(std::future::pending()));
        let request = flights.lock()[&"a"].request.clone();
        tokio::time::advance(JOINABLE * 10).await;
        let (second, joined) = flights.join(&"a", MountKind::Initial, never);
        assert!(joined && *request.kind().borrow() == MountKind::Initial, "it waits, now for a first mount");
        request.mark_sent();
        tokio::time::advance(JOINABLE).await;
        let (third, joined) = flights.join(&"a", MountKind::Initial, |_| Box::pin(async { 3 }));
        assert!(!joined);
        drop((first, second));
        assert_eq!(flights.lock().len(), 1, "the older flight leaves the newer one on the list");
        assert_eq!(third.await, 3);
    }
}
