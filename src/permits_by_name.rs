//! A limit over all hosts, tenants or namespaces, of which each gets a part: one that hangs leaves the rest for others.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use quick_cache::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most names with a limit of their own. The limit over all names still applies to the others.
const MAX_NAMES: usize = 100;

/// The permits of all names. Clones share them.
#[derive(Clone)]
pub(crate) struct PermitsByName {
    all: Arc<Semaphore>,
    of_each: usize,
    names: Arc<Cache<Arc<str>, Arc<OfName>>>,
}

/// The permits for one name.
#[derive(Clone)]
pub(crate) struct PermitsOfName {
    all: Arc<Semaphore>,
    of_each: usize,
    of_name: Arc<OfName>,
}

struct OfName {
    permits: Arc<Semaphore>,
    /// How many wait for permits that other names have.
    waiting: AtomicUsize,
}

/// A permit, which is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    _permits: [OwnedSemaphorePermit; 2],
}

impl PermitsByName {
    /// Creates this many permits, of which one name gets `of_each` at most.
    pub(crate) fn new(all: usize, of_each: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), of_each, names: Arc::new(Cache::new(MAX_NAMES)) }
    }

    /// Returns the permits for this name.
    pub(crate) fn of(&self, name: &Arc<str>) -> PermitsOfName {
        let make = || {
            let permits = Arc::new(Semaphore::new(self.of_each));
            Ok::<_, Infallible>(Arc::new(OfName { permits, waiting: AtomicUsize::new(0) }))
        };
        let Ok(of_name) = self.names.get_or_insert_with(name, make);
        PermitsOfName { all: self.all.clone(), of_each: self.of_each, of_name }
    }
}

impl PermitsOfName {
    /// Waits for a permit, first come, first served. A holder of one must wait for no other: then no two can wait for each
    /// other.
    pub(crate) async fn acquire(&self) -> Permit {
        self.acquire_many(1).await
    }

    /// Like [`Self::acquire`], for one that counts as `number`, or as all of its name if that is more.
    pub(crate) async fn acquire_many(&self, number: usize) -> Permit {
        let number = self.limited(number);
        // In this order: those of a name that has its share wait for it alone.
        let of_name = permits(&self.of_name.permits, number).await;
        let _waiting = Waiting::begin(&self.of_name.waiting);
        Permit { _permits: [of_name, permits(&self.all, number).await] }
    }

    /// Returns a permit if one is free.
    pub(crate) fn try_acquire(&self) -> Option<Permit> {
        self.try_acquire_many(1)
    }

    /// Like [`Self::try_acquire`], for one that counts as `number`, or as all of its name if that is more.
    pub(crate) fn try_acquire_many(&self, number: usize) -> Option<Permit> {
        let number = self.limited(number);
        let [of_name, all] = [&self.of_name.permits, &self.all];
        let of_name = of_name.clone().try_acquire_many_owned(number).ok()?;
        Some(Permit { _permits: [of_name, all.clone().try_acquire_many_owned(number).ok()?] })
    }

    fn limited(&self, number: usize) -> u32 {
        u32::try_from(number.min(self.of_each)).unwrap_or(u32::MAX)
    }

    /// Returns whether one waits for permits that other names have.
    pub(crate) fn wait_for_others(&self) -> bool {
        self.of_name.waiting.load(Ordering::Relaxed) > 0
    }
}

async fn permits(semaphore: &Arc<Semaphore>, number: u32) -> OwnedSemaphorePermit {
    semaphore.clone().acquire_many_owned(number).await.expect("the semaphore is never closed")
}

impl std::fmt::Debug for PermitsOfName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PermitsOfName")
    }
}

impl std::fmt::Debug for PermitsByName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PermitsByName")
    }
}

/// Counts one that waits until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn acquired(host: &PermitsOfName) -> Option<Permit> {
        host.acquire().now_or_never()
    }

    #[test]
    fn a_host_that_hangs_leaves_permits_for_others() {
        let permits = PermitsByName::new(8, 4);
        let [hangs, other, third] = ["hangs", "other", "third"].map(|host| permits.of(&host.into()));
        let hanging: Vec<_> = std::iter::from_fn(|| acquired(&hangs)).collect();
        assert_eq!(hanging.len(), 4);
        let others: Vec<_> = std::iter::from_fn(|| acquired(&other)).collect();
        assert_eq!(hanging.len() + others.len(), 8);
        assert!(acquired(&third).is_none());
        let mut waits = Box::pin(third.acquire());
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(third.wait_for_others() && !other.wait_for_others());
        drop(others);
        assert!(waits.now_or_never().is_some());
        assert!(!third.wait_for_others());
    }

    #[test]
    fn those_that_wait_for_their_host_do_not_delay_others() {
        let permits = PermitsByName::new(8, 4);
        let [hangs, other] = ["hangs", "other"].map(|host| permits.of(&host.into()));
        let _hanging: Vec<_> = std::iter::from_fn(|| acquired(&hangs)).collect();
        let mut waiting: Vec<_> = (0..100).map(|_| Box::pin(hangs.acquire())).collect();
        assert!(waiting.iter_mut().all(|wait| wait.as_mut().now_or_never().is_none()));
        assert!(acquired(&other).is_some());
        assert!(!hangs.wait_for_others(), "they wait for their own host");
    }
}
