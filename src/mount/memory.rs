//! The memory of volumes, over all mounts.
//!
//! A small volume needs no permit. A mount that outgrows that size takes one of a few permits, which cover the largest
//! volume that there can be. If no permit is free, the mount drops what it has read, waits, and reads again. A mount
//! that waits therefore holds nothing that another mount waits for, and takes at most one permit. So no two mounts can
//! wait for each other. A namespace gets half of the permits, rounded up, and stands in the queue for those of all with
//! no more mounts than that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::{
    metrics::Metrics,
    permits_by_name::{Permit, PermitsByName, PermitsOfName},
};

/// The size up to which a volume needs no permit, in bytes: twenty certificates with their keys, or 250 passwords.
pub(super) const MAX_SMALL_VOLUME_BYTES: usize = 256 << 10;

/// How much memory a volume takes at worst, in multiples of the driver's limit: twice the limit is read, then it is
/// files, and then an answer.
const COPIES: usize = 4;

/// The permits for large volumes. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct VolumeMemory {
    permits: PermitsByName,
    metrics: Metrics,
}

/// A permit for one large volume, returned when dropped.
#[derive(Debug)]
pub(super) struct LargeVolumePermit {
    _permit: Permit,
}

/// The memory of one mount. Clones share its permit, which lives as long as any of them.
#[derive(Debug, Clone)]
pub(super) struct MountMemory {
    permits: PermitsOfName,
    metrics: Metrics,
    permit: Arc<Mutex<Option<LargeVolumePermit>>>,
}

/// An error for a mount that needs a permit while none is free.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoPermit;

impl VolumeMemory {
    /// Creates as many permits as volumes of `largest_volume` bytes fit into `budget` bytes at once, and at least one.
    pub(super) fn new(budget: usize, largest_volume: usize, metrics: Metrics) -> Self {
        let permits =
            (budget / largest_volume.saturating_mul(COPIES).max(1)).clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: PermitsByName::new(permits, permits.div_ceil(2)), metrics }
    }

    /// Returns the memory of one mount for a pod of `namespace`, without a permit.
    pub(super) fn of_mount(&self, namespace: &str) -> MountMemory {
        MountMemory {
            permits: self.permits.of(&namespace.into()),
            metrics: self.metrics.clone(),
            permit: Arc::default(),
        }
    }
}

impl MountMemory {
    /// Lets the mount hold `bytes` of a volume, or of what it is made of. Takes a permit if one is needed and free.
    ///
    /// # Errors
    /// A permit is needed, and none is free.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), NoPermit> {
        if bytes <= MAX_SMALL_VOLUME_BYTES {
            return Ok(());
        }
        let mut permit = self.lock();
        if permit.is_none() {
            let free = self.permits.try_acquire().ok_or(NoPermit)?;
            *permit = Some(LargeVolumePermit { _permit: free });
        }
        Ok(())
    }

    /// Gives back the permit that the mount may have, and waits for one, within a namespace first come, first served. The
    /// mount must hold nothing meanwhile.
    pub(super) async fn wait(&self) {
        let _waiting = self.metrics.waiting();
        // With a permit in hand it would wait for itself, or for a mount that waits for it.
        drop(self.take());
        let permit = self.permits.acquire().await;
        *self.lock() = Some(LargeVolumePermit { _permit: permit });
    }

    /// Returns whether the mount has a permit.
    pub(super) fn has_permit(&self) -> bool {
        self.lock().is_some()
    }

    /// Returns the permit if what the mount holds, `bytes`, needs none.
    pub(super) fn shrink_to(&self, bytes: usize) {
        if bytes <= MAX_SMALL_VOLUME_BYTES {
            self.take();
        }
    }

    /// Takes the permit out, for as long as the finished volume stays in memory.
    pub(super) fn take(&self) -> Option<LargeVolumePermit> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<LargeVolumePermit>> {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const LARGE: usize = MAX_SMALL_VOLUME_BYTES + 1;

    fn memory(budget: usize, largest_volume: usize) -> VolumeMemory {
        VolumeMemory::new(budget, largest_volume, Metrics::new(false))
    }

    #[test]
    fn large_volumes_share_the_budget_and_small_ones_need_none() {
        let all = memory(32 << 20, 4 << 20);
        let [first, second, third] = ["shop", "bank", "desk"].map(|namespace| all.of_mount(namespace));
        assert_eq!((first.hold(LARGE), second.hold(LARGE)), (Ok(()), Ok(())));
        assert_eq!(first.hold(4 * LARGE), Ok(()), "one permit is enough, however much it grows");
        assert_eq!(third.hold(MAX_SMALL_VOLUME_BYTES), Ok(()));
        assert_eq!(third.hold(LARGE), Err(NoPermit));
        let mut wait = Box::pin(third.wait());
        assert!(wait.as_mut().now_or_never().is_none());
        drop(first);
        assert!(wait.now_or_never().is_some());
        assert_eq!(third.hold(LARGE), Ok(()));
    }

    #[test]
    fn a_namespace_with_many_large_volumes_waits_for_itself_and_delays_no_other() {
        let all = memory(32 << 20, 4 << 20);
        let [first, second] = [(); 2].map(|()| all.of_mount("hostile"));
        assert_eq!(first.hold(LARGE), Ok(()));
        assert_eq!(second.hold(LARGE), Err(NoPermit));
        let mut wait = Box::pin(second.wait());
        assert!(wait.as_mut().now_or_never().is_none());
        assert_eq!(all.of_mount("honest").hold(LARGE), Ok(()));
        drop(first);
        assert!(wait.now_or_never().is_some());
    }

    #[test]
    fn namespaces_that_wait_for_the_only_permit_take_turns() {
        let all = memory(0, 4 << 20);
        let first = all.of_mount("hostile");
        assert_eq!(first.hold(LARGE), Ok(()));
        let [second, third] = [(); 2].map(|()| all.of_mount("hostile"));
        let honest = all.of_mount("honest");
        let [mut of_second, mut of_third, mut of_honest] =
            [&second, &third, &honest].map(|mount| Box::pin(mount.wait()));
        for wait in [&mut of_second, &mut of_third, &mut of_honest] {
            assert!(wait.as_mut().now_or_never().is_none());
        }
        drop(first);
        assert!(of_honest.now_or_never().is_some(), "two of the other namespace came before it");
        assert!(of_second.as_mut().now_or_never().is_none());
        drop(honest.take());
        assert!(of_second.now_or_never().is_some());
        assert!(of_third.now_or_never().is_none());
    }

    #[test]
    fn a_large_volume_that_is_read_again_gives_its_permit_to_the_next_and_does_not_wait_for_itself() {
        let all = memory(0, 4 << 20);
        let [first, second] = ["shop", "bank"].map(|namespace| all.of_mount(namespace));
        assert_eq!(first.hold(LARGE), Ok(()));
        assert!(first.wait().now_or_never().is_some(), "nobody else waits");

        let mut of_second = Box::pin(second.wait());
        assert!(of_second.as_mut().now_or_never().is_none());
        let mut of_first = Box::pin(first.wait());
        assert!(of_first.as_mut().now_or_never().is_none());
        assert!(of_second.now_or_never().is_some());
        assert!(of_first.as_mut().now_or_never().is_none());
        drop(second.take());
        assert!(of_first.now_or_never().is_some());
    }

    #[test]
    fn a_permit_lives_as_long_as_the_volume() {
        let all = memory(0, 4 << 20);
        let first = all.of_mount("shop");
        assert_eq!(first.hold(LARGE), Ok(()), "there is always one permit");
        let volume = first.take();
        drop(first);
        assert_eq!(all.of_mount("shop").hold(LARGE), Err(NoPermit));
        drop(volume);
        assert_eq!(all.of_mount("shop").hold(LARGE), Ok(()));
    }

    #[test]
    fn any_budget_makes_permits() {
        for (budget, largest_volume) in [(0, 0), (0, usize::MAX), (usize::MAX, 0), (usize::MAX, usize::MAX)] {
            assert_eq!(memory(budget, largest_volume).of_mount("shop").hold(LARGE), Ok(()));
        }
    }
}
