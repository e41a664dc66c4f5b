//! The memory of large specifications over all mounts that wait or run.
//!
//! A mount takes its share first, then its permit to run, and then the memory of a large volume. So a mount that waits
//! for its share holds nothing that another mount waits for.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The size from which a specification needs a share, in bytes: about two hundred objects.
pub(super) const MAX_SMALL_SPEC: usize = 64 << 10;

/// The memory of all large specifications, in units of [`MAX_SMALL_SPEC`]: 24 MiB.
const UNITS: u32 = 384;

/// The memory of large specifications. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct SpecMemory(Arc<Semaphore>);

/// The share of one mount, which is given back when it is dropped. A small specification needs none.
#[derive(Debug)]
pub(super) struct SpecShare {
    _permit: Option<OwnedSemaphorePermit>,
}

impl SpecMemory {
    /// Returns memory that no mount has taken.
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(UNITS as usize)))
    }

    /// Returns the share of a specification of this size, if there is one without waiting.
    pub(super) fn try_acquire(&self, bytes: usize) -> Option<SpecShare> {
        match units(bytes) {
            0 => Some(SpecShare { _permit: None }),
            units => {
                let permit = self.0.clone().try_acquire_many_owned(units).ok()?;
                Some(SpecShare { _permit: Some(permit) })
            }
        }
    }

    /// Waits for the share of a specification of this size, in order of arrival. One that is larger than all memory
    /// takes all of it.
    pub(super) async fn acquire(&self, bytes: usize) -> SpecShare {
        match units(bytes) {
            0 => SpecShare { _permit: None },
            units => SpecShare { _permit: self.0.clone().acquire_many_owned(units).await.ok() },
        }
    }
}

fn units(bytes: usize) -> u32 {
    if bytes <= MAX_SMALL_SPEC {
        return 0;
    }
    u32::try_from(bytes.div_ceil(MAX_SMALL_SPEC)).unwrap_or(UNITS).min(UNITS)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn large_specifications_share_24_mib_and_small_ones_never_wait() {
        let memory = SpecMemory::new();
        let half: Vec<_> = (0..2).map(|_| memory.try_acquire(12 << 20).unwrap()).collect();
        assert!(memory.try_acquire(MAX_SMALL_SPEC + 1).is_none());
        for _ in 0..10_000 {
            assert!(memory.try_acquire(MAX_SMALL_SPEC).is_some());
        }
        let mut waits = Box::pin(memory.acquire(100 << 20));
        assert!((&mut waits).now_or_never().is_none());
        drop(half);
        let all = waits.now_or_never().expect("one larger than all memory takes all of it");
        assert!(memory.try_acquire(MAX_SMALL_SPEC + 1).is_none());
        drop(all);
        assert!(memory.try_acquire(24 << 20).is_some());
    }
}
