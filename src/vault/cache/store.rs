//! The answers of one kind: those that mounts wait for, those that are kept, and the refused ones.

use std::sync::Arc;

use tokio::time::Instant;

use crate::singleflight::Singleflight;

use super::{
    super::{error::VaultError, limiter::QueuedRequest},
    key::{Key, ReadKey},
    refused_reads::RefusedReads,
    ttl_cache::{MemorySize, TtlCache},
};

/// The reads in flight and the cached answers of one kind.
pub(in crate::vault) struct Store<V> {
    pub(super) reads: Singleflight<ReadKey, Result<Arc<V>, Arc<VaultError>>, Arc<QueuedRequest>>,
    pub(super) kept: TtlCache<Key, V>,
    pub(super) refused: RefusedReads<ReadKey>,
}

impl<V: MemorySize + Send + Sync + 'static> Store<V> {
    pub(super) fn new() -> Self {
        Self { reads: Singleflight::new(), kept: TtlCache::new(), refused: RefusedReads::new() }
    }

    pub(super) fn evict_expired(&self, now: Instant) {
        self.kept.evict_expired(now);
        self.refused.evict_expired(now);
    }
}
