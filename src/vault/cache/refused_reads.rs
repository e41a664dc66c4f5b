//! Reads that a vault refused to a principal, for the other mounts that were under way.
//!
//! The replicas of a deployment ask for the same objects within seconds. A mount that began before a read was sent
//! gets the refusal of that read instead of sending its own: its own answer could not be newer. A mount that begins
//! after a refusal reads anew, since a role may have been granted meanwhile.

use std::{hash::Hash, sync::Arc, time::Duration};

use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::one_shard;

use super::super::error::VaultError;

/// The most refused reads that are kept.
const MAX_REFUSED_READS: usize = 1_000;

/// How long a refused read is kept. Replicas that start together differ by a few seconds.
const MAX_REFUSED_AGE: Duration = Duration::from_secs(15);

/// A cache of refused reads. Time comes in as an argument.
pub(super) struct RefusedReads<K>(Cache<K, Refused>);

#[derive(Clone)]
struct Refused {
    error: Arc<VaultError>,
    /// The time at which the read was sent.
    asked: Instant,
}

impl<K: Eq + Hash + Clone> RefusedReads<K> {
    pub(super) fn new() -> Self {
        Self(one_shard::of_items(MAX_REFUSED_READS))
    }

    /// Returns the refusal of a read that was sent at or after `began`.
    pub(super) fn get(&self, key: &K, began: Instant) -> Option<Arc<VaultError>> {
        self.0.get(key).filter(|refused| refused.asked >= began).map(|refused| refused.error)
    }

    /// Records an error of a read that was sent at `asked`, if it is a refusal of the token or its principal.
    pub(super) fn insert(&self, key: K, error: &Arc<VaultError>, asked: Instant) {
        if let VaultError::Forbidden(_) | VaultError::Unauthorized(_) | VaultError::MoreClaims { .. } =
            **error
        {
            self.0.insert(key, Refused { error: error.clone(), asked });
        }
    }

    /// Drops the refusals that are too old.
    pub(super) fn evict_expired(&self, now: Instant) {
        self.0.retain(|_, refused| now.saturating_duration_since(refused.asked) < MAX_REFUSED_AGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> Arc<VaultError> {
        use azure_core::{
            error::{Error, ErrorKind},
            http::{RawResponse, headers::Headers},
        };
        let raw = RawResponse::from_bytes(status.into(), Headers::new(), "");
        let kind = ErrorKind::HttpResponse {
            status: status.into(),
            error_code: None,
            raw_response: Some(Box::new(raw)),
        };
        Arc::new(Error::with_message(kind, "refused").into())
    }

    #[test]
    fn only_a_mount_that_began_before_a_read_gets_its_refusal() {
        let (reads, sent) = (RefusedReads::new(), Instant::now());
        let second = Duration::from_secs(1);
        reads.insert("a", &refused(403), sent);
        assert!(reads.get(&"a", sent - second).is_some() && reads.get(&"a", sent).is_some());
        assert!(reads.get(&"a", sent + second).is_none(), "it began later");
        assert!(reads.get(&"b", sent - second).is_none());
        reads.insert("c", &refused(503), sent);
        assert!(reads.get(&"c", sent).is_none(), "an outage is no refusal");
    }

    #[test]
    fn refusals_are_bounded_in_number_and_age() {
        let (reads, sent) = (RefusedReads::new(), Instant::now());
        let error = refused(401);
        for key in 0..5_000 {
            reads.insert(key, &error, sent);
        }
        assert!(Arc::strong_count(&error) <= MAX_REFUSED_READS + 1, "{}", Arc::strong_count(&error));
        reads.evict_expired(sent + MAX_REFUSED_AGE);
        assert_eq!(Arc::strong_count(&error), 1);
    }
}
