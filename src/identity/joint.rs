//! One attempt for all who want its outcome meanwhile.

use std::{
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};

/// The outcome of an attempt. Whoever holds it drives the attempt, which ends when nobody does any more.
pub(super) type Outcome<T> = Shared<BoxFuture<'static, T>>;

/// A place for one attempt at a time: who comes while it is under way shares its outcome, also where that is a failure,
/// and who comes later begins anew. `P` shows how far the attempt is.
pub(super) struct Joint<T, P = ()>(Mutex<Option<UnderWay<T, P>>>);

struct UnderWay<T, P> {
    outcome: WeakShared<BoxFuture<'static, T>>,
    progress: P,
}

impl<T: Clone + Send + 'static, P: Clone> Joint<T, P> {
    /// The attempt under way and true, or the one that `begin` makes.
    pub(super) fn join<F>(&self, begin: impl FnOnce() -> (P, F)) -> (Outcome<T>, P, bool)
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut under_way = self.lock();
        if let Some(UnderWay { outcome, progress }) = &*under_way
            && let Some(outcome) = outcome.upgrade()
            // Somebody may hold one that has ended.
            && outcome.peek().is_none()
        {
            return (outcome, progress.clone(), true);
        }
        let (progress, attempt) = begin();
        let outcome = attempt.boxed().shared();
        *under_way = outcome.downgrade().map(|outcome| UnderWay { outcome, progress: progress.clone() });
        (outcome, progress, false)
    }

    fn lock(&self) -> MutexGuard<'_, Option<UnderWay<T, P>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T, P> Default for Joint<T, P> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T, P> std::fmt::Debug for Joint<T, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Joint")
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    type Attempts = Joint<Result<u32, u32>>;

    fn never() -> ((), BoxFuture<'static, Result<u32, u32>>) {
        unreachable!("there is an attempt to join")
    }

    #[tokio::test]
    async fn a_failure_is_shared_by_those_who_waited_for_it_and_by_nobody_else() {
        let attempts = Attempts::default();
        let (end, ended) = oneshot::channel();
        let (first, (), joined) = attempts.join(|| ((), async { Err(ended.await.unwrap()) }));
        assert!(!joined);
        let (second, (), joined) = attempts.join(never);
        assert!(joined);
        end.send(5).unwrap();
        assert_eq!(first.clone().await, Err(5));
        let (third, (), joined) = attempts.join(|| ((), async { Ok(3) }));
        assert!(!joined, "it has failed, though two still hold it");
        assert_eq!((second.await, third.await), (Err(5), Ok(3)));
        drop(first);
    }

    #[tokio::test]
    async fn an_attempt_ends_with_the_last_who_waits_and_not_with_the_first_who_began_it() {
        let attempts = Attempts::default();
        let (mut end, ended) = oneshot::channel();
        let (first, ..) = attempts.join(|| ((), async { Ok(ended.await.unwrap_or_default()) }));
        let first = tokio::spawn(first);
        tokio::task::yield_now().await;
        let (second, ..) = attempts.join(never);
        let second = tokio::spawn(second);
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert!(!end.is_closed(), "the second waits for it");
        second.abort();
        assert!(second.await.unwrap_err().is_cancelled());
        end.closed().await;
        let (third, (), joined) = attempts.join(|| ((), async { Ok(3) }));
        assert_eq!((third.await, joined), (Ok(3), false));
    }

    #[tokio::test]
    async fn who_waits_goes_on_when_the_one_who_drove_the_attempt_went_away() {
        let attempts = Attempts::default();
        let (end, ended) = oneshot::channel();
        let (first, ..) = attempts.join(|| ((), async { Ok(ended.await.unwrap()) }));
        let first = tokio::spawn(first);
        tokio::task::yield_now().await;
        let second = tokio::spawn(attempts.join(never).0);
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        end.send(7).unwrap();
        assert_eq!(second.await.unwrap(), Ok(7));
    }
}
