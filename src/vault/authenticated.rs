//! Remembers the vaults that accepted a token of this process.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use quick_cache::sync::Cache;

use crate::{metrics::Metrics, one_shard, spec::vault::VaultStanding};

use super::{error::VaultError, error_response::Reason};

/// Remembered vaults: as many as there is other state for.
const MAX_VAULTS: usize = 1_000;

/// A set of the hosts of vaults that answered an authenticated request of this process. Clones share it.
///
/// A pod author can name any vault, and with a forged token the name is all that there is. The vaults of this set have
/// been read by an identity that Entra and the vault itself accepted. So limits that pods share tell the two apart:
/// mounts in flight, prewarmed connections, and the vault names in metrics. It must not decide access.
#[derive(Clone)]
pub struct AuthenticatedVaults {
    hosts: Arc<Cache<Arc<str>, ()>>,
    accepted: Arc<AtomicU64>,
    metrics: Metrics,
}

impl AuthenticatedVaults {
    /// Creates an empty set. `metrics` then names the vaults of the set before others.
    pub fn new(metrics: Metrics) -> Self {
        Self { hosts: Arc::new(one_shard::of_items(MAX_VAULTS)), accepted: Arc::default(), metrics }
    }

    /// Returns the standing of the vault at `host`, which has its port, as in
    /// [`VaultEndpoint::name`](crate::cloud::VaultEndpoint::name).
    pub fn standing(&self, host: &str) -> VaultStanding {
        match self.hosts.get(host) {
            Some(()) => VaultStanding::Authenticated,
            None => VaultStanding::Unauthenticated,
        }
    }

    /// Returns how many vaults were added. The standing of a vault is better than before only if this is.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Adds the vault at `host`.
    pub fn add(&self, host: &Arc<str>) {
        if self.standing(host) == VaultStanding::Unauthenticated {
            self.hosts.insert(host.clone(), ());
            self.accepted.fetch_add(1, Ordering::Relaxed);
            self.metrics.vault_authenticated(host);
        }
    }

    /// Adds the vault at `host` if this result of a read shows that it accepted the token: an object, a statement about
    /// an object, or the statement that the token's identity lacks a permission.
    pub(super) fn note<T>(&self, host: &Arc<str>, result: &Result<T, VaultError>) {
        let accepted = match result {
            Ok(_) | Err(VaultError::NotFound(_) | VaultError::Disabled(_) | VaultError::NotValidNow(_)) => {
                true
            }
            Err(VaultError::Forbidden(answer)) => matches!(answer.reason(), Reason::Rbac | Reason::Policy),
            Err(_) => false,
        };
        if accepted {
            self.add(host);
        }
    }
}

impl std::fmt::Debug for AuthenticatedVaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthenticatedVaults")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> AuthenticatedVaults {
        AuthenticatedVaults::new(Metrics::new(false))
    }

    #[test]
    fn a_vault_is_authenticated_once_it_accepted_a_token() {
        let vaults = empty();
        let lab: Arc<str> = "lab.vault.azure.net".into();
        vaults.note(&lab, &Err::<(), _>(VaultError::Unreachable("no connection".into())));
        vaults.note(&lab, &Err::<(), _>(VaultError::Credential("refused".into())));
        assert_eq!(vaults.standing(&lab), VaultStanding::Unauthenticated);
        vaults.note(&lab, &Ok(()));
        assert_eq!(vaults.standing(&lab), VaultStanding::Authenticated);
        assert_eq!(vaults.standing("lab.vault.azure.net:8443"), VaultStanding::Unauthenticated);
    }

    #[test]
    fn the_number_of_authenticated_vaults_is_bounded_and_one_in_use_stays() {
        let vaults = empty();
        let lab: Arc<str> = "lab.vault.azure.net".into();
        vaults.add(&lab);
        for number in 0..20_000 {
            vaults.add(&format!("vault-{number}.vault.azure.net").into());
            assert_eq!(
                vaults.standing(&lab),
                VaultStanding::Authenticated,
                "forgotten after {number} others"
            );
        }
        assert!(vaults.hosts.len() <= MAX_VAULTS, "{}", vaults.hosts.len());
    }
}
