//! The memory of large specifications over all mounts that wait or run.
//!
//! A mount takes its share first, then its permit to run, and then the memory of a large volume. So a mount that waits
//! for its share holds nothing that another mount waits for.

use crate::permits_by_name::{Permit, PermitsByName, PermitsOfName};

/// The size from which a specification needs a share, in bytes: about fifty objects.
pub(super) const MAX_SMALL_SPEC: usize = 16 << 10;

/// The largest specification of medium size, in bytes: about two hundred objects.
const MAX_MEDIUM_SPEC: usize = 64 << 10;

/// The memory of all specifications of medium size, in units of [`MAX_SMALL_SPEC`]: 8 MiB.
const MEDIUM_UNITS: usize = 512;

/// The memory of all larger specifications, in units of [`MAX_SMALL_SPEC`]: 16 MiB.
const LARGE_UNITS: usize = 1_024;

/// The memory of specifications that are not small, of which each namespace gets half. Clones share it. Large ones do not
/// delay those of medium size.
#[derive(Debug, Clone)]
pub(super) struct SpecMemory {
    medium: PermitsByName,
    large: PermitsByName,
}

/// The share of one mount, which is given back when it is dropped. A small specification needs none.
#[derive(Debug)]
pub(super) struct SpecShare {
    _permit: Option<Permit>,
}

impl SpecMemory {
    /// Returns memory that no mount has taken.
    pub(super) fn new() -> Self {
        let units = |all| PermitsByName::new(all, all / 2);
        Self { medium: units(MEDIUM_UNITS), large: units(LARGE_UNITS) }
    }

    /// Returns the share of a specification of this size for a pod of `namespace`, if there is one without waiting.
    pub(super) fn try_acquire(&self, namespace: &str, bytes: usize) -> Option<SpecShare> {
        let permit = match self.of(namespace, bytes) {
            None => None,
            Some(memory) => Some(memory.try_acquire_many(units(bytes))?),
        };
        Some(SpecShare { _permit: permit })
    }

    /// Waits for the share of a specification of this size, within a namespace in order of arrival. One that is larger
    /// than all memory takes all of it.
    pub(super) async fn acquire(&self, namespace: &str, bytes: usize) -> SpecShare {
        let permit = match self.of(namespace, bytes) {
            None => None,
            Some(memory) => Some(memory.acquire_many(units(bytes)).await),
        };
        SpecShare { _permit: permit }
    }

    /// Returns the memory for a specification of this size.
    fn of(&self, namespace: &str, bytes: usize) -> Option<PermitsOfName> {
        if bytes <= MAX_SMALL_SPEC {
            return None;
        }
        let memory = if bytes <= MAX_MEDIUM_SPEC { &self.medium } else { &self.large };
        Some(memory.of(&namespace.into()))
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(MAX_SMALL_SPEC)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn medium_specifications_share_8_mib_of_their_own() {
        let memory = SpecMemory::new();
        let _large = ["shop", "bank"].map(|namespace| memory.try_acquire(namespace, 8 << 20).unwrap());
        let medium_of = |namespace| {
            let shares = std::iter::from_fn(|| memory.try_acquire(namespace, MAX_MEDIUM_SPEC));
            shares.collect::<Vec<_>>()
        };
        let medium = ["shop", "bank"].map(medium_of);
        assert_eq!(
            medium.each_ref().map(Vec::len),
            [(4 << 20) / MAX_MEDIUM_SPEC; 2],
            "half for each namespace"
        );
        assert!(memory.try_acquire("desk", MAX_SMALL_SPEC + 1).is_none());
        drop(medium);
        assert!(memory.try_acquire("desk", MAX_SMALL_SPEC + 1).is_some());
    }

    #[test]
    fn large_specifications_share_16_mib_and_small_ones_never_wait() {
        let memory = SpecMemory::new();
        let shop: Vec<_> = (0..2).map(|_| memory.try_acquire("shop", 4 << 20).unwrap()).collect();
        assert!(memory.try_acquire("shop", MAX_MEDIUM_SPEC + 1).is_none());
        let bank = memory.try_acquire("bank", MAX_MEDIUM_SPEC + 1).expect("half is left to other namespaces");
        for _ in 0..10_000 {
            assert!(memory.try_acquire("shop", MAX_SMALL_SPEC).is_some());
        }
        let mut waits = Box::pin(memory.acquire("shop", 100 << 20));
        assert!((&mut waits).now_or_never().is_none());
        drop(shop);
        assert!((&mut waits).now_or_never().is_none(), "16 MiB over all");
        drop(bank);
        let all = waits.now_or_never().expect("one larger than all memory takes all of it");
        assert!(memory.try_acquire("desk", MAX_MEDIUM_SPEC + 1).is_none());
        drop(all);
        assert!(memory.try_acquire("desk", 8 << 20).is_some());
    }
}
