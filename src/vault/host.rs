//! What is known of each vault's host, and shared by all mounts that read from it.

use std::sync::Arc;

use azure_core::http::policies::Policy;
use quick_cache::sync::Cache;

use crate::{cloud::VaultEndpoint, metrics::Metrics, transport::Patience};

use super::{limiter::LimiterPolicy, probe::ProbePolicy};

/// How many vaults are remembered. Vault names come from SecretProviderClasses, so there is a bound.
const MOST: usize = 1_000;

/// The hosts by their endpoints. Clones share them.
#[derive(Clone)]
pub(super) struct VaultHosts {
    hosts: Arc<Cache<VaultEndpoint, VaultHost>>,
    metrics: Metrics,
    patience: Patience,
}

/// One vault's host.
#[derive(Clone)]
pub(super) struct VaultHost {
    /// Its authority.
    pub(super) name: Arc<str>,
    /// Learned once: it says where to get a token, and not who asks.
    pub(super) probe: Arc<ProbePolicy>,
    /// When it may be asked.
    pub(super) limiter: Arc<LimiterPolicy>,
}

impl VaultHosts {
    pub(super) fn new(metrics: Metrics, patience: Patience) -> Self {
        Self { hosts: Arc::new(Cache::new(MOST)), metrics, patience }
    }

    /// The host of the vault at `endpoint`.
    pub(super) fn of(&self, endpoint: &VaultEndpoint) -> VaultHost {
        let make = || Ok(VaultHost::of(endpoint, &self.metrics, self.patience));
        let host = self.hosts.get_or_insert_with(endpoint, make);
        host.unwrap_or_else(|never: std::convert::Infallible| match never {})
    }
}

impl VaultHost {
    fn of(endpoint: &VaultEndpoint, metrics: &Metrics, patience: Patience) -> Self {
        let name: Arc<str> = endpoint.name().into();
        Self {
            name: name.clone(),
            probe: Arc::new(ProbePolicy::new(endpoint.clone())),
            limiter: Arc::new(LimiterPolicy::new(name, metrics.clone(), patience)),
        }
    }

    /// What each request to the host goes through.
    pub(super) fn policies(&self) -> [Arc<dyn Policy>; 2] {
        [self.probe.clone(), self.limiter.clone()]
    }
}
