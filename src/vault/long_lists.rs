//! A limit of concurrent lists that are longer than a page, since each holds what came so far.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use quick_cache::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most lists of more than one page that are read at once, over all vaults. The longest one takes 4 MiB. A waiting
/// list holds its first page, which has 25 entries at Key Vault.
const MAX_LONG_LISTS: usize = 8;

/// The most of them that are read from one vault.
const MAX_LONG_LISTS_OF_VAULT: usize = MAX_LONG_LISTS / 2;

/// The most vaults with a limit of their own. The limit over all vaults still applies to the others.
const MAX_VAULTS: usize = 100;

/// The limits of all vaults. Clones share them.
#[derive(Clone)]
pub(super) struct LongLists {
    all: Arc<Semaphore>,
    vaults: Arc<Cache<Arc<str>, Arc<OfVault>>>,
}

/// The limits for the lists of one vault.
#[derive(Clone)]
pub(super) struct LongListsOfVault {
    all: Arc<Semaphore>,
    of_vault: Arc<OfVault>,
}

struct OfVault {
    permits: Arc<Semaphore>,
    /// Lists that wait for those of other vaults.
    waiting: AtomicUsize,
}

/// A permit to read a list to its end.
pub(super) struct LongListPermit {
    _permits: [OwnedSemaphorePermit; 2],
}

impl LongLists {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(MAX_LONG_LISTS)), vaults: Arc::new(Cache::new(MAX_VAULTS)) }
    }

    /// Returns the limits for the vault with this host and port.
    pub(super) fn of(&self, vault: &Arc<str>) -> LongListsOfVault {
        let make = || {
            let permits = Arc::new(Semaphore::new(MAX_LONG_LISTS_OF_VAULT));
            Ok::<_, Infallible>(Arc::new(OfVault { permits, waiting: AtomicUsize::new(0) }))
        };
        let Ok(of_vault) = self.vaults.get_or_insert_with(vault, make);
        LongListsOfVault { all: self.all.clone(), of_vault }
    }
}

impl LongListsOfVault {
    /// Waits for a permit, first come, first served. A list takes one, and so no two lists can wait for each other.
    pub(super) async fn acquire(&self) -> LongListPermit {
        // In this order: lists of a vault that has its share wait for it alone.
        let of_vault = permit(&self.of_vault.permits).await;
        let _waiting = Waiting::begin(&self.of_vault.waiting);
        LongListPermit { _permits: [of_vault, permit(&self.all).await] }
    }

    /// Returns whether a list of the vault waits for those of other vaults.
    pub(super) fn wait_for_others(&self) -> bool {
        self.of_vault.waiting.load(Ordering::Relaxed) > 0
    }
}

async fn permit(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    semaphore.clone().acquire_owned().await.expect("the semaphore is never closed")
}

/// Counts a waiting list until it is dropped.
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

    fn acquired(vault: &LongListsOfVault) -> Option<LongListPermit> {
        vault.acquire().now_or_never()
    }

    #[test]
    fn a_vault_that_hangs_leaves_long_lists_for_others() {
        let lists = LongLists::new();
        let [hangs, other, third] = ["hangs", "other", "third"].map(|vault| lists.of(&vault.into()));
        let hanging: Vec<_> = std::iter::from_fn(|| acquired(&hangs)).collect();
        assert_eq!(hanging.len(), MAX_LONG_LISTS_OF_VAULT);
        let others: Vec<_> = std::iter::from_fn(|| acquired(&other)).collect();
        assert_eq!(hanging.len() + others.len(), MAX_LONG_LISTS);
        assert!(acquired(&third).is_none());
        let mut waits = Box::pin(third.acquire());
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(third.wait_for_others() && !other.wait_for_others());
        drop(others);
        assert!(waits.now_or_never().is_some());
        assert!(!third.wait_for_others());
    }

    #[test]
    fn lists_that_wait_for_their_vault_do_not_delay_those_of_others() {
        let lists = LongLists::new();
        let [hangs, other] = ["hangs", "other"].map(|vault| lists.of(&vault.into()));
        let _hanging: Vec<_> = std::iter::from_fn(|| acquired(&hangs)).collect();
        let mut waiting: Vec<_> = (0..100).map(|_| Box::pin(hangs.acquire())).collect();
        assert!(waiting.iter_mut().all(|wait| wait.as_mut().now_or_never().is_none()));
        assert!(acquired(&other).is_some());
        assert!(!hangs.wait_for_others(), "they wait for their own vault");
    }
}
