//! How old an answer may be that a mount is given.

use std::time::Duration;

use super::read::Read;

/// What the operator allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSettings {
    /// `--republish-max-age`: how old an answer may be that a volume gets which this process has served before.
    pub republish_max_age: Duration,
    /// `--object-cache-ttl`: how old one may be that any volume gets.
    pub object_cache_ttl: Duration,
}

/// How old an answer may be, by what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    newest: Duration,
    pinned: Duration,
}

/// How much longer a version that is named may be kept: what is in it never changes, only who may read it.
const PINNED: u32 = 4;

impl CacheSettings {
    /// For a volume that is new: who updates a secret and restarts a deployment wants the new value.
    pub fn first_mount(&self) -> Freshness {
        Freshness { newest: self.object_cache_ttl, pinned: self.object_cache_ttl.saturating_mul(PINNED) }
    }

    /// For a volume that was served before: nobody waits for it, and it comes again.
    pub fn republish(&self) -> Freshness {
        let first = self.first_mount();
        Freshness {
            newest: first.newest.max(self.republish_max_age),
            pinned: first.pinned.max(self.republish_max_age),
        }
    }
}

impl Freshness {
    /// How old the answer to `read` may be; a list of versions counts as what is newest.
    pub fn max_age(&self, read: &Read) -> Duration {
        if read.version.is_some() { self.pinned } else { self.newest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ages(settings: CacheSettings) -> [u64; 4] {
        let (first, again) = (settings.first_mount(), settings.republish());
        [first.newest, first.pinned, again.newest, again.pinned].map(|age| age.as_secs())
    }

    #[test]
    fn a_first_mount_is_fresh_unless_the_operator_says_otherwise() {
        let settings = |republish, ttl| CacheSettings {
            republish_max_age: Duration::from_secs(republish),
            object_cache_ttl: Duration::from_secs(ttl),
        };
        assert_eq!(ages(settings(60, 0)), [0, 0, 60, 60]);
        assert_eq!(ages(settings(0, 0)), [0, 0, 0, 0]);
        assert_eq!(ages(settings(60, 300)), [300, 1200, 300, 1200]);
        assert_eq!(ages(settings(60, 20)), [20, 80, 60, 80]);
    }
}
