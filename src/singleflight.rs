//! Calls that concurrent callers share: calls with equal keys run one at a time.
//!
//! The callers drive the call together. If a caller goes away, the others drive the call on; if the last one goes
//! away, the call ends. If the call panics, each caller panics. Nothing is kept of a call that has ended, whatever its
//! outcome.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    hash::Hash,
    panic::{AssertUnwindSafe, resume_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};

/// A call whose result any number of callers can await.
pub(crate) type Call<V> = Shared<BoxFuture<'static, V>>;

/// The future that all callers drive. If it panicked itself, `Shared` would leave all callers but one waiting.
type Driven<V> = BoxFuture<'static, Result<V, Panicked>>;

/// The outcome of a call that panicked. The panic's own text may hold a secret.
#[derive(Clone, Copy)]
struct Panicked;

/// A group of calls by key. `P` is the progress of a call. Clones share the calls.
pub(crate) struct Singleflight<K, V, P>(Arc<Mutex<HashMap<K, InFlight<V, P>>>>);

/// A call that the caller joined or began.
pub(crate) struct Joined<V, P> {
    /// The result.
    pub(crate) call: Call<V>,
    /// The progress.
    pub(crate) progress: P,
    /// True if another caller began the call.
    pub(crate) is_shared: bool,
}

struct InFlight<V, P> {
    call: WeakShared<Driven<V>>,
    progress: P,
    id: Arc<()>,
}

impl<K, V, P> Singleflight<K, V, P>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
    P: Clone + Send + 'static,
{
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Joins the call of `key` that is in flight if `may_join` accepts its progress, or else makes one with `begin`.
    pub(crate) fn join<F>(
        &self,
        key: &K,
        may_join: impl FnOnce(&P) -> bool,
        begin: impl FnOnce() -> (P, F),
    ) -> Joined<V, P>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut calls = self.lock();
        // Upgraded last: the last holder of a call that is dropped here would wait for the lock that is held here.
        if let Some(InFlight { call, progress, .. }) = calls.get(key)
            && may_join(progress)
            && let Some(call) = call.upgrade()
        {
            return Joined { call: of_caller(call), progress: progress.clone(), is_shared: true };
        }
        let (progress, future) = begin();
        // Boxed before it is wrapped: the wrapper would keep room for it twice.
        let future = future.boxed();
        let id = Arc::new(());
        let removal = RemoveOnDrop { calls: self.clone(), key: key.clone(), id: id.clone() };
        let call = async move {
            let _removal = removal;
            AssertUnwindSafe(future).catch_unwind().await.map_err(|_| Panicked)
        };
        let call = call.boxed().shared();
        if let Some(weak) = call.downgrade() {
            calls.insert(key.clone(), InFlight { call: weak, progress: progress.clone(), id });
        }
        Joined { call: of_caller(call), progress, is_shared: false }
    }
}

/// Returns a caller's part in a call. It panics if the call has panicked, so that each caller fails as if the call were its
/// own. The panic was logged where it began, and is not logged once more for each caller.
fn of_caller<V: Clone + Send + Sync + 'static>(call: Shared<Driven<V>>) -> Call<V> {
    let result = |outcome: Result<V, Panicked>| {
        outcome.unwrap_or_else(|Panicked| resume_unwind(Box::new("a shared call panicked")))
    };
    call.map(result).boxed().shared()
}

impl<K: Eq + Hash, V, P> Singleflight<K, V, P> {
    /// Returns whether a call of `key` is in flight, with a caller that waits for it.
    pub(crate) fn is_in_flight(&self, key: &K) -> bool {
        // Dropped after the lock is released: the last holder of a call removes it from the calls.
        let call = self.lock().get(key).and_then(|InFlight { call, .. }| call.upgrade());
        call.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, InFlight<V, P>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V, P> Clone for Singleflight<K, V, P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V, P> Default for Singleflight<K, V, P> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V, P> fmt::Debug for Singleflight<K, V, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Singleflight")
    }
}

/// A guard that removes a call when it has ended, or when the last caller has gone away.
struct RemoveOnDrop<K: Eq + Hash, V, P> {
    calls: Singleflight<K, V, P>,
    key: K,
    id: Arc<()>,
}

impl<K: Eq + Hash, V, P> Drop for RemoveOnDrop<K, V, P> {
    fn drop(&mut self) {
        let mut calls = self.calls.lock();
        // A later call may be in its place.
        if calls.get(&self.key).is_some_and(|call| Arc::ptr_eq(&call.id, &self.id)) {
            calls.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use tokio::sync::oneshot;

    use super::*;

    type Calls = Singleflight<&'static str, Result<u32, u32>, ()>;

    fn any((): &()) -> bool {
        true
    }

    fn never() -> ((), BoxFuture<'static, Result<u32, u32>>) {
        unreachable!("there is a call to join")
    }

    fn ok(value: u32) -> ((), impl Future<Output = Result<u32, u32>> + Send) {
        ((), async move { Ok(value) })
    }

    #[tokio::test]
    async fn callers_with_equal_keys_share_a_call_and_its_failure() {
        let calls = Calls::new();
        let (end, ended) = oneshot::channel();
        let first = calls.join(&"a", any, || ((), async { Err(ended.await.unwrap()) }));
        assert!(!first.is_shared);
        let second = calls.join(&"a", any, never);
        assert!(second.is_shared);
        let other = calls.join(&"b", any, || ok(2));
        assert!(!other.is_shared);
        end.send(5).unwrap();
        assert_eq!(first.call.clone().await, Err(5));
        let third = calls.join(&"a", any, || ok(3));
        assert!(!third.is_shared, "the first has ended, though two still hold it");
        assert_eq!((second.call.await, other.call.await, third.call.await), (Err(5), Ok(2), Ok(3)));
    }

    #[tokio::test]
    async fn a_call_ends_with_its_last_caller_and_not_with_the_first() {
        let calls = Calls::new();
        let (mut end, ended) = oneshot::channel();
        let first = calls.join(&"a", any, || ((), async { Ok(ended.await.unwrap_or_default()) }));
        let first = tokio::spawn(first.call);
        tokio::task::yield_now().await;
        let second = tokio::spawn(calls.join(&"a", any, never).call);
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert!(!end.is_closed(), "the second waits for it");
        second.abort();
        assert!(second.await.unwrap_err().is_cancelled());
        end.closed().await;
        let third = calls.join(&"a", any, || ok(3));
        assert_eq!((third.call.await, third.is_shared), (Ok(3), false));
    }

    #[tokio::test]
    async fn a_call_goes_on_when_the_caller_that_drove_it_goes_away() {
        let calls = Calls::new();
        let (end, ended) = oneshot::channel();
        let first = calls.join(&"a", any, || ((), async { Ok(ended.await.unwrap()) }));
        let first = tokio::spawn(first.call);
        tokio::task::yield_now().await;
        let second = tokio::spawn(calls.join(&"a", any, never).call);
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        end.send(7).unwrap();
        assert_eq!(second.await.unwrap(), Ok(7));
    }

    /// They would otherwise wait until their mounts time out.
    #[tokio::test]
    async fn callers_of_a_call_that_panics_end_at_once() {
        let calls = Calls::new();
        let (end, ended) = oneshot::channel();
        let panics = async {
            if ended.await.is_ok() {
                panic!("this panic belongs to a test");
            }
            Ok(0)
        };
        let first = tokio::spawn(calls.join(&"a", any, || ((), panics)).call);
        tokio::task::yield_now().await;
        let others = [(); 2].map(|()| tokio::spawn(calls.join(&"a", any, never).call));
        tokio::task::yield_now().await;
        end.send(()).unwrap();
        for caller in [first].into_iter().chain(others) {
            let ended = tokio::time::timeout(Duration::from_secs(30), caller).await;
            let panic = ended.expect("it waits for a call that has ended").unwrap_err().into_panic();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"a shared call panicked"));
        }
        let next = calls.join(&"a", any, || ok(3));
        assert_eq!((next.is_shared, next.call.await), (false, Ok(3)));
    }

    /// A refusing caller that held the call could be its last holder, and would then wait for its own lock.
    #[test]
    fn a_call_that_is_refused_while_its_last_caller_leaves_blocks_nobody() {
        let calls = Calls::new();
        let first = calls.join(&"a", any, || ((), std::future::pending()));
        let ((leave, left), (gone, wait)) = (mpsc::channel(), mpsc::channel());
        std::thread::spawn(move || {
            left.recv().unwrap();
            drop(first);
            gone.send(()).unwrap();
        });
        let (end, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let refuse = |(): &()| {
                leave.send(()).unwrap();
                // The other caller cannot leave before the lock is released, unless this one holds the call.
                let _ = wait.recv_timeout(Duration::from_millis(100));
                false
            };
            end.send(calls.join(&"a", refuse, || ok(3)).is_shared).unwrap();
        });
        assert_eq!(
            ended.recv_timeout(Duration::from_secs(30)),
            Ok(false),
            "the caller waits for its own lock"
        );
    }

    #[tokio::test]
    async fn a_call_that_may_not_be_joined_leaves_its_place_to_a_newer_one() {
        let calls = Calls::new();
        let first = calls.join(&"a", any, || ((), std::future::pending()));
        let second = calls.join(&"a", |()| false, || ((), std::future::pending()));
        assert!(!second.is_shared);
        drop(first);
        assert!(calls.join(&"a", any, never).is_shared, "the older call leaves the newer one in place");
        drop(second);
        assert!(!calls.join(&"a", any, || ok(3)).is_shared);
    }
}
