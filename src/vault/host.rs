//! What is known of each vault's host, and shared by all mounts that read from it.

use std::sync::Arc;

use azure_core::http::Url;
use moka::sync::Cache;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::challenge::ChallengePolicy;

/// How many vaults are remembered. Vault names come from SecretProviderClasses, so there is a bound.
const MOST: u64 = 1_000;

/// How many requests a vault gets from this node at once, whatever the number of mounts: each has a connection, and a
/// connection has memory. Each vault has its own, so that one that hangs keeps no other waiting.
const AT_ONCE: usize = 64;

/// The hosts by their authority. Clones share them.
#[derive(Clone)]
pub(super) struct VaultHosts(Cache<String, VaultHost>);

/// One vault's host.
#[derive(Debug, Clone)]
pub(super) struct VaultHost {
    /// Learned once: it says where to get a token, and not who asks.
    pub(super) challenge: Arc<ChallengePolicy>,
    gate: Arc<Semaphore>,
}

impl VaultHosts {
    pub(super) fn new() -> Self {
        Self(Cache::new(MOST))
    }

    /// The host of the vault at `url`.
    pub(super) fn of(&self, url: &Url) -> VaultHost {
        self.0.get_with_by_ref(url.authority(), || VaultHost {
            challenge: Arc::new(ChallengePolicy::new(url.host_str().unwrap_or_default().to_owned())),
            gate: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }
}

impl VaultHost {
    /// Waits for a turn, first come first served. It lasts until the permit is dropped.
    pub(super) async fn turn(&self) -> SemaphorePermit<'_> {
        self.gate.acquire().await.expect("the gate is never closed")
    }
}

impl std::fmt::Debug for VaultHosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VaultHosts")
    }
}
