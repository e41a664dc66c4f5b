//! Limits concurrent mounts. Mounts get their permits in order of arrival, and no vault can hold every permit.

use std::{convert::Infallible, sync::Arc};

use quick_cache::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    metrics::Metrics,
    spec::{mount_kind::MountKind, vault::VaultName},
};

/// Mounts that run at once. A mount that reads twenty small objects uses 0.3 MiB, and at worst a few times the driver's
/// limit for one answer. A waiting mount uses a fifteenth of the 0.3 MiB (docs/limits.md).
pub(super) const MAX_MOUNTS: usize = 100;

/// Mounts of one vault that run at once. A vault that hangs therefore leaves half of the permits to the others.
pub(super) const MAX_MOUNTS_OF_VAULT: usize = MAX_MOUNTS / 2;

/// Republishes of one vault that run at once. A starting pod therefore gets a permit while republishes wait for a vault
/// that throttles.
pub(super) const MAX_REPUBLISHES_OF_VAULT: usize = MAX_MOUNTS_OF_VAULT / 2;

/// Vaults that have a queue of their own. Vault names come from SecretProviderClasses, so their number needs a bound.
const MAX_VAULTS: usize = 1_000;

/// A limiter of concurrent mounts. Clones share its permits.
#[derive(Clone)]
pub(super) struct MountLimiter {
    all: Arc<Semaphore>,
    vaults: Arc<Cache<String, OfVault>>,
    metrics: Metrics,
}

/// The permits of one vault.
#[derive(Clone)]
struct OfVault {
    all: Arc<Semaphore>,
    republishes: Arc<Semaphore>,
}

/// A permit for one mount, returned when dropped.
#[derive(Debug)]
pub(super) struct MountPermit {
    _republish: Option<OwnedSemaphorePermit>,
    _of_vault: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl MountLimiter {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { all: Arc::new(Semaphore::new(MAX_MOUNTS)), vaults: Arc::new(Cache::new(MAX_VAULTS)), metrics }
    }

    /// Waits for a permit among the mounts of `vault`, and then for one among all mounts. A republish first waits for a
    /// permit among the vault's republishes.
    pub(super) async fn acquire(&self, vault: &VaultName, kind: MountKind) -> MountPermit {
        let _waiting = self.metrics.waiting();
        let make = || {
            let places = |number| Arc::new(Semaphore::new(number));
            Ok(OfVault { all: places(MAX_MOUNTS_OF_VAULT), republishes: places(MAX_REPUBLISHES_OF_VAULT) })
        };
        // Host names ignore case, so each spelling means the same vault.
        let name = vault.as_str().to_ascii_lowercase();
        let of_vault = self.vaults.get_or_insert_with(&name, make);
        let of_vault = of_vault.unwrap_or_else(|never: Infallible| match never {});
        let republish = match kind {
            MountKind::Initial => None,
            MountKind::Republish => Some(permit(of_vault.republishes).await),
        };
        MountPermit {
            _republish: republish,
            _of_vault: permit(of_vault.all).await,
            _of_all: permit(self.all.clone()).await,
        }
    }
}

/// Waits for a permit. Tokio's semaphore is fair: the longest waiter gets the next permit.
async fn permit(places: Arc<Semaphore>) -> OwnedSemaphorePermit {
    places.acquire_owned().await.expect("the semaphore is never closed")
}

impl std::fmt::Debug for MountLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MountLimiter")
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Returns the permit if the limiter grants it without waiting.
    fn at_once<F: Future<Output = MountPermit>>(place: &mut std::pin::Pin<Box<F>>) -> Option<MountPermit> {
        place.as_mut().now_or_never()
    }

    #[test]
    fn a_vault_has_half_of_the_permits_in_order_of_arrival() {
        let limiter = MountLimiter::new(Metrics::new(false));
        let [lab, shouted, other, third] =
            ["lab", "LAB", "other", "third"].map(|name| name.parse::<VaultName>().unwrap());
        let wait = |vault| Box::pin(limiter.acquire(vault, MountKind::Initial));
        let mut held: Vec<MountPermit> =
            (0..MAX_MOUNTS_OF_VAULT).map(|_| at_once(&mut wait(&lab)).unwrap()).collect();
        let (mut first, mut second) = (wait(&lab), wait(&lab));
        assert!(at_once(&mut first).is_none() && at_once(&mut second).is_none());
        let others: Vec<MountPermit> =
            (0..MAX_MOUNTS_OF_VAULT).map(|_| at_once(&mut wait(&other)).unwrap()).collect();
        assert!(at_once(&mut wait(&third)).is_none(), "the node has no permit left");
        assert!(at_once(&mut wait(&shouted)).is_none(), "the same vault, spelt otherwise");
        held.pop();
        assert!(at_once(&mut second).is_none(), "it came later");
        assert!(at_once(&mut first).is_some());
        drop(others);
    }

    #[test]
    fn republishes_leave_half_of_a_vaults_permits_to_initial_mounts() {
        let limiter = MountLimiter::new(Metrics::new(false));
        let lab: VaultName = "lab".parse().unwrap();
        let wait = |kind| Box::pin(limiter.acquire(&lab, kind));
        let again: Vec<MountPermit> = (0..MAX_REPUBLISHES_OF_VAULT)
            .map(|_| at_once(&mut wait(MountKind::Republish)).unwrap())
            .collect();
        assert!(at_once(&mut wait(MountKind::Republish)).is_none());
        let first: Vec<MountPermit> = (0..MAX_MOUNTS_OF_VAULT - MAX_REPUBLISHES_OF_VAULT)
            .map(|_| at_once(&mut wait(MountKind::Initial)).unwrap())
            .collect();
        assert!(at_once(&mut wait(MountKind::Initial)).is_none());
        drop(again);
        assert!(at_once(&mut wait(MountKind::Initial)).is_some());
        drop(first);
    }
}
