//! A limit over all hosts, tenants or namespaces, of which each gets a part: one that hangs leaves the rest for others.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter, sync::Cache};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::one_shard;

/// The most names that are kept while they are not in use.
const MAX_NAMES: usize = 100;

/// The permits of all names. Clones share them.
#[derive(Clone)]
pub(crate) struct PermitsByName {
    all: Permits,
    of_each: u32,
    names: Arc<Names>,
}

type Names = Cache<Arc<str>, Arc<OfName>, UnitWeighter, DefaultHashBuilder, KeepsThoseInUse>;

/// The permits for one name.
#[derive(Clone)]
pub(crate) struct PermitsOfName {
    all: Permits,
    of_name: Arc<OfName>,
}

/// A semaphore, and its number of permits.
#[derive(Clone)]
struct Permits {
    semaphore: Arc<Semaphore>,
    number: u32,
}

struct OfName {
    permits: Permits,
    /// How many wait for permits that other names have.
    waiting: AtomicUsize,
}

/// Keeps names of which a permit is held or waited for. With a new semaphore such a name could hold twice its part.
#[derive(Debug, Clone)]
struct KeepsThoseInUse;

/// A permit, which is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    _permits: [OwnedSemaphorePermit; 2],
}

impl PermitsByName {
    /// Creates this many permits, of which one name gets `of_each` at most.
    pub(crate) fn new(all: usize, of_each: usize) -> Self {
        let names = one_shard::with_lifecycle(MAX_NAMES, MAX_NAMES as u64, UnitWeighter, KeepsThoseInUse);
        Self { all: Permits::new(limited(all)), of_each: limited(of_each), names: Arc::new(names) }
    }

    /// Returns the permits for this name.
    pub(crate) fn of(&self, name: &Arc<str>) -> PermitsOfName {
        let make = || {
            let permits = Permits::new(self.of_each);
            Ok::<_, Infallible>(Arc::new(OfName { permits, waiting: AtomicUsize::new(0) }))
        };
        let Ok(of_name) = self.names.get_or_insert_with(name, make);
        PermitsOfName { all: self.all.clone(), of_name }
    }
}

impl Lifecycle<Arc<str>, Arc<OfName>> for KeepsThoseInUse {
    type RequestState = ();

    fn is_pinned(&self, _: &Arc<str>, of_name: &Arc<OfName>) -> bool {
        Arc::strong_count(of_name) > 1 || Arc::strong_count(&of_name.permits.semaphore) > 1
    }
}

impl PermitsOfName {
    /// Waits for a permit, first come, first served. A holder of one must wait for no other: then no two can wait for each
    /// other.
    pub(crate) async fn acquire(&self) -> Permit {
        self.acquire_many(1).await
    }

    /// Like [`Self::acquire`], for one that counts as `number`. What is more than all of its name, or of all names, counts
    /// as all of that.
    pub(crate) async fn acquire_many(&self, number: usize) -> Permit {
        // In this order: those of a name that has its share wait for it alone.
        let of_name = self.of_name.permits.acquire(number).await;
        let _waiting = Waiting::begin(&self.of_name.waiting);
        Permit { _permits: [of_name, self.all.acquire(number).await] }
    }

    /// Returns a permit if one is free.
    pub(crate) fn try_acquire(&self) -> Option<Permit> {
        self.try_acquire_many(1)
    }

    /// Like [`Self::acquire_many`], if that many are free.
    pub(crate) fn try_acquire_many(&self, number: usize) -> Option<Permit> {
        let of_name = self.of_name.permits.try_acquire(number)?;
        Some(Permit { _permits: [of_name, self.all.try_acquire(number)?] })
    }

    /// Returns whether one waits for permits that other names have.
    pub(crate) fn wait_for_others(&self) -> bool {
        self.of_name.waiting.load(Ordering::Relaxed) > 0
    }
}

impl Permits {
    fn new(number: u32) -> Self {
        Self { semaphore: Arc::new(Semaphore::new(number as usize)), number }
    }

    async fn acquire(&self, number: usize) -> OwnedSemaphorePermit {
        let permits = self.semaphore.clone().acquire_many_owned(limited(number).min(self.number));
        permits.await.expect("the semaphore is never closed")
    }

    fn try_acquire(&self, number: usize) -> Option<OwnedSemaphorePermit> {
        self.semaphore.clone().try_acquire_many_owned(limited(number).min(self.number)).ok()
    }
}

fn limited(number: usize) -> u32 {
    u32::try_from(number.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX)
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
    fn one_that_is_larger_than_the_part_of_its_name_counts_as_it_is() {
        let permits = PermitsByName::new(8, 4);
        let [first, second] = ["first", "second"].map(|name| permits.of(&name.into()));
        let large = first.try_acquire_many(6);
        assert!(large.is_some() && first.try_acquire().is_none());
        assert!(second.try_acquire_many(3).is_none(), "two are left over all");
        assert!(second.try_acquire_many(2).is_some());
        drop(large);
        assert!(second.try_acquire_many(usize::MAX).is_some());
    }

    #[test]
    fn a_name_in_use_keeps_its_part_beside_any_number_of_others() {
        let permits = PermitsByName::new(1_000, 2);
        let held: Vec<_> = std::iter::from_fn(|| permits.of(&"used".into()).try_acquire()).collect();
        assert_eq!(held.len(), 2);
        for number in 0..10 * MAX_NAMES {
            drop(permits.of(&number.to_string().into()).try_acquire());
        }
        assert!(permits.of(&"used".into()).try_acquire().is_none());
        drop(held);
        assert!(permits.of(&"used".into()).try_acquire().is_some());
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
