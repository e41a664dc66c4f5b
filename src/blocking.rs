//! Computations that take too long for the threads that serve mounts.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::permits_by_name::{PermitsByName, PermitsOfName};

/// The niceness of blocking threads (`sched(7)`): beside a busy one, the thread that serves gets ten times its time.
const NICENESS: i32 = 10;

/// The most computations of one namespace at once, on a machine with as many processors.
const MAX_OF_NAMESPACE: usize = 4;

/// Long computations beside the threads that serve, a few at a time. Clones share the limit.
///
/// More at once would end no sooner. They would hold their memory longer, and delay those of other namespaces.
#[derive(Debug, Clone)]
pub struct Computations(PermitsByName);

/// The computations for the pods of one namespace.
#[derive(Debug)]
pub(crate) struct NamespaceComputations(PermitsOfName);

impl Computations {
    /// Creates a limit for this machine: as many computations of one namespace as it has processors, and twice as many
    /// of all.
    pub fn of_machine() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::of_namespace(processors.min(MAX_OF_NAMESPACE))
    }

    fn of_namespace(most: usize) -> Self {
        Self(PermitsByName::new(2 * most, most))
    }

    /// Returns those of a namespace.
    pub(crate) fn of(&self, namespace: &str) -> NamespaceComputations {
        NamespaceComputations(self.0.of(&namespace.into()))
    }
}

impl NamespaceComputations {
    /// Runs a computation. It counts until its end, also if its caller goes away meanwhile. A panic in `work` panics here.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let permit = self.0.acquire().await;
        run_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
    }
}

/// Computations that run one after the other, whosever they are, in order of arrival. Clones share the turn.
#[derive(Debug, Clone)]
pub(crate) struct OneAtATime(Arc<Semaphore>);

impl OneAtATime {
    /// Creates a turn that nobody has.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Runs a computation. It has its turn until its end, also if its caller goes away meanwhile. A panic in `work` panics
    /// here.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let turn = self.0.clone().acquire_owned().await.expect("the semaphore is never closed");
        run_blocking(move || {
            let _turn = turn;
            work()
        })
        .await
    }
}

/// Lowers the priority of the calling thread, so that long computations leave the serving thread its time.
pub fn lower_priority() {
    // The computations are only less polite without it.
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

/// Runs a computation on a blocking thread, so that it does not delay the threads that serve other mounts. A panic in
/// `work` panics here. Private, so that each computation has one of the limits above.
async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a shutdown of the runtime drops blocking work that has not begun, and it drops this task as well.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    use super::*;

    #[tokio::test]
    async fn a_namespace_with_many_long_computations_leaves_room_for_others() {
        let computations = Computations::of_namespace(2);
        let (began, mut begins) = tokio::sync::mpsc::unbounded_channel();
        let running = Arc::new(AtomicUsize::new(0));
        let (ends, callers): (Vec<_>, Vec<_>) = (0..5)
            .map(|_| {
                let (end, ended) = mpsc::channel::<()>();
                let (computations, began, running) = (computations.clone(), began.clone(), running.clone());
                let caller = tokio::spawn(async move {
                    let work = move || {
                        running.fetch_add(1, Ordering::SeqCst);
                        let _ = began.send(());
                        let _ = ended.recv();
                    };
                    computations.of("hostile").run(work).await;
                });
                (end, caller)
            })
            .unzip();
        for _ in 0..2 {
            begins.recv().await.unwrap();
        }
        assert_eq!(computations.of("honest").run(|| 7).await, 7);
        assert_eq!(running.load(Ordering::SeqCst), 2);
        // A caller that has gone away leaves its thread to compute.
        callers.iter().for_each(tokio::task::JoinHandle::abort);
        tokio::task::yield_now().await;
        let hostile = computations.of("hostile");
        let mut waits = Box::pin(hostile.run(|| 8));
        assert!(futures::poll!(&mut waits).is_pending());
        drop(ends);
        assert_eq!(waits.await, 8);
        assert_eq!(running.load(Ordering::SeqCst), 2, "those that had not begun never do");
    }
}
