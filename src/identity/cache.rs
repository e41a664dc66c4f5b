//! Credentials that pods share, and with them the tokens that they hold.
//!
//! A credential of the SDK keeps its token until five minutes before it expires, lets concurrent callers wait for one
//! request, and remembers no failure. So it is credentials that are kept here, not tokens.

use std::{sync::Arc, time::Duration};

use azure_core::credentials::TokenCredential;
use moka::sync::Cache;

use super::key::CredentialKey;

/// How many credentials are kept: a node runs a few hundred pods at the most.
const MOST: u64 = 1_000;

/// How long one is kept that nobody asks for, and with it the assertion or secret in it. A service-account token lives
/// an hour, and a rotating volume comes by every few minutes.
const IDLE: Duration = Duration::from_secs(3600);

/// Credentials by what was proved. Clones share it.
#[derive(Clone)]
pub(super) struct CredentialCache(Cache<CredentialKey, Arc<dyn TokenCredential>>);

impl CredentialCache {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_idle(IDLE).build())
    }

    /// The credential of `key`, made now if there is none; of concurrent callers one makes it.
    ///
    /// # Errors
    /// Where it cannot be made. That is not remembered.
    pub(super) fn credential(
        &self,
        key: CredentialKey,
        make: impl FnOnce() -> azure_core::Result<Arc<dyn TokenCredential>>,
    ) -> Result<Arc<dyn TokenCredential>, Arc<azure_core::Error>> {
        self.0.try_get_with(key, make)
    }

    /// Forgets a credential that led nowhere.
    pub(super) fn forget(&self, key: &CredentialKey) {
        self.0.invalidate(key);
    }
}

impl std::fmt::Debug for CredentialCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialCache")
    }
}
