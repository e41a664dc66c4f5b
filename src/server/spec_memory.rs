//! The memory of large specifications over all mounts that wait or run.
//!
//! A mount takes its share first, then its permit to run, and then the memory of a large volume. So a mount that waits
//! for its share holds nothing that another mount waits for.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The size from which a specification needs a share, in bytes: about fifty objects.
pub(super) const MAX_SMALL_SPEC: usize = 16 << 10;

/// The largest specification of medium size, in bytes: about two hundred objects.
const MAX_MEDIUM_SPEC: usize = 64 << 10;

/// The memory of all specifications of medium size, in units of [`MAX_SMALL_SPEC`]: 16 MiB.
const MEDIUM_UNITS: u32 = 1_024;

/// The memory of all larger specifications, in units of [`MAX_SMALL_SPEC`]: 24 MiB.
const LARGE_UNITS: u32 = 1_536;

/// The memory of specifications that are not small. Clones share it. Large ones do not delay those of medium size.
#[derive(Debug, Clone)]
pub(super) struct SpecMemory {
    medium: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// The share of one mount, which is given back when it is dropped. A small specification needs none.
#[derive(Debug)]
pub(super) struct SpecShare {
    _permit: Option<OwnedSemaphorePermit>,
}

impl SpecMemory {
    /// Returns memory that no mount has taken.
    pub(super) fn new() -> Self {
        Self {
            medium: Arc::new(Semaphore::new(MEDIUM_UNITS as usize)),
            large: Arc::new(Semaphore::new(LARGE_UNITS as usize)),
        }
    }

    /// Returns the share of a specification of this size, if there is one without waiting.
    pub(super) fn try_acquire(&self, bytes: usize) -> Option<SpecShare> {
        let permit = match self.of(bytes) {
            None => None,
            Some((memory, units)) => Some(memory.try_acquire_many_owned(units).ok()?),
        };
        Some(SpecShare { _permit: permit })
    }

    /// Waits for the share of a specification of this size, in order of arrival. One that is larger than all memory
    /// takes all of it.
    pub(super) async fn acquire(&self, bytes: usize) -> SpecShare {
        let permit = match self.of(bytes) {
            None => None,
            Some((memory, units)) => memory.acquire_many_owned(units).await.ok(),
        };
        SpecShare { _permit: permit }
    }

    /// Returns the memory for a specification of this size, and the units that it takes.
    fn of(&self, bytes: usize) -> Option<(Arc<Semaphore>, u32)> {
        let units = u32::try_from(bytes.div_ceil(MAX_SMALL_SPEC)).unwrap_or(LARGE_UNITS);
        if bytes <= MAX_SMALL_SPEC {
            None
        } else if bytes <= MAX_MEDIUM_SPEC {
            Some((self.medium.clone(), units))
        } else {
            Some((self.large.clone(), units.min(LARGE_UNITS)))
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn medium_specifications_share_16_mib_of_their_own() {
        let memory = SpecMemory::new();
        let _large = memory.try_acquire(24 << 20).unwrap();
        let medium: Vec<_> = std::iter::from_fn(|| memory.try_acquire(MAX_MEDIUM_SPEC)).collect();
        assert_eq!(medium.len(), (16 << 20) / MAX_MEDIUM_SPEC);
        assert!(memory.try_acquire(MAX_SMALL_SPEC + 1).is_none());
        drop(medium);
        assert!(memory.try_acquire(MAX_SMALL_SPEC + 1).is_some());
    }

    #[test]
    fn large_specifications_share_24_mib_and_small_ones_never_wait() {
        let memory = SpecMemory::new();
        let half: Vec<_> = (0..2).map(|_| memory.try_acquire(12 << 20).unwrap()).collect();
        assert!(memory.try_acquire(MAX_MEDIUM_SPEC + 1).is_none());
        for _ in 0..10_000 {
            assert!(memory.try_acquire(MAX_SMALL_SPEC).is_some());
        }
        let mut waits = Box::pin(memory.acquire(100 << 20));
        assert!((&mut waits).now_or_never().is_none());
        drop(half);
        let all = waits.now_or_never().expect("one larger than all memory takes all of it");
        assert!(memory.try_acquire(MAX_MEDIUM_SPEC + 1).is_none());
        drop(all);
        assert!(memory.try_acquire(24 << 20).is_some());
    }
}
