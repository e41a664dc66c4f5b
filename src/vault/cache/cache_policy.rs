//! How old an answer may be that a mount gets.

use std::time::Duration;

use crate::spec::mount_kind::MountKind;

use super::super::read::Read;

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
pub struct MaxAge {
    newest: Duration,
    pinned: Duration,
}

/// How much longer a version that is named may be kept: what is in it never changes, only who may read it.
const PINNED_TTL_FACTOR: u32 = 4;

impl CacheSettings {
    /// Returns how old an answer may be. A pod that is new gets the newest value, unless the operator says otherwise: a
    /// deployment that is restarted after a secret was updated wants it.
    pub fn max_age(&self, kind: MountKind) -> MaxAge {
        let newest = self.object_cache_ttl;
        let pinned = newest.saturating_mul(PINNED_TTL_FACTOR);
        match kind {
            MountKind::Initial => MaxAge { newest, pinned },
            MountKind::Republish => MaxAge {
                newest: newest.max(self.republish_max_age),
                pinned: pinned.max(self.republish_max_age),
            },
        }
    }
}

impl MaxAge {
    /// Returns the maximum age of an answer to `read`. A list of versions counts as the newest version.
    pub fn of(&self, read: &Read) -> Duration {
        if read.version.is_some() { self.pinned } else { self.newest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ages(settings: CacheSettings) -> [u64; 4] {
        let (first, again) = (settings.max_age(MountKind::Initial), settings.max_age(MountKind::Republish));
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
