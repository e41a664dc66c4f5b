//! Credentials that pods share, and with them the tokens that they hold.
//!
//! A credential of the SDK keeps its token until five minutes before it expires, and remembers no failure. So it is
//! credentials that are kept here, not tokens. Of its concurrent callers one asks, though, and after a failure the next
//! one asks for itself: they would hear of it one after the other, and the last of them not in time. So those who want
//! a token of the same credential at the same moment wait for one attempt.

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

/// How an attempt at a token ended.
pub(super) type Attempted = Result<Authenticated, Arc<IdentityError>>;

/// How many credentials are kept: a node runs a few hundred pods at the most.
const MAX_CREDENTIALS: usize = 1_000;

/// How long one is kept that nobody asks for, and with it the assertion or secret in it. A service-account token lives
/// an hour, and a rotating volume comes by every few minutes.
const MAX_IDLE: Duration = Duration::from_secs(3600);

/// Credentials by what was proved. Clones share it.
#[derive(Clone)]
pub(super) struct CredentialCache(Arc<Cache<CredentialKey, Arc<Kept>>>);

/// What is kept for those who have proved the same.
#[derive(Debug)]
pub(super) struct Kept {
    credential: OnceLock<Arc<dyn TokenCredential>>,
    /// Asks it for a token.
    pub(super) attempt: Singleflight<(), Attempted, LastExchange>,
    used: Mutex<Instant>,
    issued: Mutex<Option<Issued>>,
}

/// When a token was issued, and its number.
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
    /// The credential, where one was made.
    pub(super) fn credential(&self) -> Option<Arc<dyn TokenCredential>> {
        self.credential.get().cloned()
    }

    /// When the token was issued, which is now where it `is_new`.
    pub(super) fn issued(&self, is_new: bool, next: impl FnOnce() -> TokenGeneration) -> Issued {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if is_new {
            *issued = None;
        }
        *issued.get_or_insert_with(|| Issued { at: Instant::now(), generation: next() })
    }

    /// Keeps `made`, unless there is one already. The one that is kept.
    pub(super) fn keep(&self, made: Arc<dyn TokenCredential>) -> Arc<dyn TokenCredential> {
        self.credential.get_or_init(|| made).clone()
    }
}

impl CredentialCache {
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::new(MAX_CREDENTIALS)))
    }

    /// What is kept for `key`.
    pub(super) fn of(&self, key: &CredentialKey) -> Arc<Kept> {
        let kept = self.0.get_or_insert_with(key, || Ok(Arc::default()));
        let kept: Arc<Kept> = kept.unwrap_or_else(|never: Infallible| match never {});
        *kept.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        kept
    }

    /// Forgets a credential that led nowhere, unless a newer one is in its place.
    pub(super) fn forget(&self, key: &CredentialKey, nowhere: &Arc<Kept>) {
        self.0.remove_if(key, |kept| Arc::ptr_eq(kept, nowhere));
    }

    /// Drops those that nobody asks for.
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
            unreachable!("nobody asks for a token here")
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
