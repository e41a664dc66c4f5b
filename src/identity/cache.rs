//! A cache of credentials, which hold their tokens and which pods share.
//!
//! A credential of the SDK keeps its token until five minutes before it expires, and caches no failure. So this cache
//! holds credentials and not tokens. The SDK lets one of several concurrent callers request the token; after a
//! failure the next caller requests it again. The callers would fail one after the other, and the last ones too late.
//! So concurrent requests for a token of one credential share one attempt.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use azure_core::credentials::TokenCredential;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::{singleflight::Singleflight, spec::principal::TokenGeneration, transport::LastExchange};

use super::{Authenticated, IdentityError, key::CredentialKey};

/// The result of an attempt to get a token.
pub(super) type Attempted = Result<Authenticated, Arc<IdentityError>>;

/// The most cached credentials: a node runs a few hundred pods at the most.
const MAX_CREDENTIALS: usize = 1_000;

/// How long an unused credential stays, and with it the assertion or secret in it. A service-account token lives an
/// hour, and a rotating volume is mounted again every few minutes.
const MAX_IDLE: Duration = Duration::from_secs(3600);

/// A cache of credentials by what the pod proved. Clones share it.
#[derive(Clone)]
pub(super) struct CredentialCache(Arc<Cache<CredentialKey, Arc<Kept>>>);

/// A cache entry, shared by all requests that have proved the same.
#[derive(Debug)]
pub(super) struct Kept {
    credential: OnceLock<Arc<dyn TokenCredential>>,
    /// The attempt in flight to get a token from the credential.
    pub(super) attempt: Singleflight<(), Attempted, LastExchange>,
    used: Mutex<Instant>,
    issued: Mutex<Option<Issued>>,
}

/// The time at which a token was issued, and its generation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Issued {
    pub(super) at: Instant,
    pub(super) generation: TokenGeneration,
}

impl Default for Kept {
    fn default() -> Self {
        let used = Mutex::new(Instant::now());
        Self { credential: OnceLock::new(), attempt: Singleflight::default(), used, issued: Mutex::default() }
    }
}

impl Kept {
    /// Returns the credential, if there is one yet.
    pub(super) fn credential(&self) -> Option<Arc<dyn TokenCredential>> {
        self.credential.get().cloned()
    }

    /// Returns when the token was issued: now if it `is_new`.
    pub(super) fn issued(&self, is_new: bool, next: impl FnOnce() -> TokenGeneration) -> Issued {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if is_new {
            *issued = None;
        }
        *issued.get_or_insert_with(|| Issued { at: Instant::now(), generation: next() })
    }

    /// Stores `made`, unless there is a credential already. Returns the stored one.
    pub(super) fn keep(&self, made: Arc<dyn TokenCredential>) -> Arc<dyn TokenCredential> {
        self.credential.get_or_init(|| made).clone()
    }
}

impl CredentialCache {
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::new(MAX_CREDENTIALS)))
    }

    /// Returns the entry of `key`, and marks it as used.
    pub(super) fn of(&self, key: &CredentialKey) -> Arc<Kept> {
        let kept = self.0.get_or_insert_with(key, || Ok(Arc::default()));
        let kept: Arc<Kept> = kept.unwrap_or_else(|never: Infallible| match never {});
        *kept.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        kept
    }

    /// Removes an entry after a failure, unless a newer one is in its place.
    pub(super) fn forget(&self, key: &CredentialKey, nowhere: &Arc<Kept>) {
        self.0.remove_if(key, |kept| Arc::ptr_eq(kept, nowhere));
    }

    /// Drops entries that have not been used for [`MAX_IDLE`].
    pub(super) fn evict_expired(&self) {
        self.0
            .retain(|_, kept| kept.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < MAX_IDLE);
    }
}

impl std::fmt::Debug for CredentialCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialCache")
    }
}

#[cfg(test)]
mod tests {
    use azure_core::credentials::{AccessToken, TokenRequestOptions};

    use crate::{
        cloud::CloudEnvironment,
        spec::{cloud::CloudName, identity::IdentityMode},
    };

    use super::*;

    #[derive(Debug)]
    struct Credential;

    #[async_trait::async_trait]
    impl TokenCredential for Credential {
        async fn get_token(
            &self,
            _: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            unreachable!("this test requests no token")
        }
    }

    fn key(client: &str) -> CredentialKey {
        let node = IdentityMode::ManagedIdentity { user_assigned: Some(client.parse().unwrap()) };
        CredentialKey::of(&node, &CloudEnvironment::named(CloudName::Public)).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_credential_is_kept_as_long_as_somebody_asks_for_it() {
        let cache = CredentialCache::new();
        let kept = |client: &str| cache.of(&key(client)).credential().is_some();
        for client in ["a", "b"] {
            cache.of(&key(client)).keep(Arc::new(Credential));
        }
        tokio::time::advance(MAX_IDLE - Duration::from_secs(1)).await;
        assert!(kept("a"));
        tokio::time::advance(Duration::from_secs(1)).await;
        cache.evict_expired();
        assert_eq!(cache.0.len(), 1);
        assert!(kept("a") && !kept("b"));
        let older = cache.of(&key("a"));
        cache.forget(&key("a"), &older);
        assert!(!kept("a"));
        cache.of(&key("a")).keep(Arc::new(Credential));
        cache.forget(&key("a"), &older);
        assert!(kept("a"), "the newer one stays");
    }
}
