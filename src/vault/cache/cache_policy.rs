//! The maximum age of cached answers.

use std::time::Duration;

use crate::spec::mount_kind::MountKind;

use super::{
    super::{read::Read, request::Request},
    revalidation::MAX_UNREAD,
};

/// The operator's settings of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSettings {
    /// The maximum age of an answer for a volume that this process has served before (`--republish-max-age`).
    pub republish_max_age: Duration,
    /// The maximum age of an answer for any volume (`--object-cache-ttl`).
    pub object_cache_ttl: Duration,
    /// How a republish finds out which values have changed (`--republish-check`).
    pub republish_check: RepublishCheck,
}

/// How a republish finds out which values have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RepublishCheck {
    /// By a read of each object.
    #[default]
    Get,
    /// By a list of the vault's objects, where that takes fewer requests.
    List,
}

/// The maximum age of an answer, by the kind of read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxAge {
    newest: Duration,
    pinned: Duration,
}

/// How many times longer a named version may be kept: its content never changes, only the permission to read it does.
const PINNED_TTL_FACTOR: u32 = 4;

impl CacheSettings {
    /// Returns the maximum age of answers. An initial mount gets the newest value, unless the operator configures
    /// otherwise: a deployment that restarts after an update of a secret needs the new value.
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

    /// Returns how long the value of `read` is kept for republishes.
    pub fn keep(&self, read: &Read) -> Duration {
        let max_age = self.max_age(MountKind::Republish).of(read);
        match self.republish_check {
            RepublishCheck::List if read.version.is_none() => max_age.max(MAX_UNREAD),
            RepublishCheck::List | RepublishCheck::Get => max_age,
        }
    }
}

impl MaxAge {
    /// Returns the maximum age of an answer to `read`. A list of versions counts as the newest version.
    pub fn of(&self, read: &Read) -> Duration {
        if read.version.is_some() { self.pinned } else { self.newest }
    }

    /// Returns the maximum age of an answer to `request`. A list of objects counts as the newest versions.
    pub(in crate::vault) fn of_request(&self, request: &Request) -> Duration {
        match request {
            Request::Object(read) => self.of(read),
            Request::List(_) => self.newest,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::object::ObjectType;

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
            republish_check: RepublishCheck::Get,
        };
        assert_eq!(ages(settings(60, 0)), [0, 0, 60, 60]);
        assert_eq!(ages(settings(0, 0)), [0, 0, 0, 0]);
        assert_eq!(ages(settings(60, 300)), [300, 1200, 300, 1200]);
        assert_eq!(ages(settings(60, 20)), [20, 80, 60, 80]);
    }

    #[test]
    fn values_that_a_list_can_confirm_are_kept_for_an_hour() {
        let read = |version: Option<&str>| {
            let name = "a".parse().unwrap();
            Read { object_type: ObjectType::Secret, name, version: version.map(|v| v.parse().unwrap()) }
        };
        let kept = |republish_check, republish, version| {
            let republish_max_age = Duration::from_secs(republish);
            let settings =
                CacheSettings { republish_max_age, object_cache_ttl: Duration::ZERO, republish_check };
            settings.keep(&read(version)).as_secs()
        };
        assert_eq!(kept(RepublishCheck::Get, 60, None), 60);
        assert_eq!(kept(RepublishCheck::List, 60, None), 3_600);
        assert_eq!(kept(RepublishCheck::List, 0, None), 3_600);
        assert_eq!(kept(RepublishCheck::List, 7_200, None), 7_200);
        assert_eq!(kept(RepublishCheck::List, 60, Some("0a")), 60, "a list does not show older versions");
    }
}
