//! Credentials that pods share, and with them the tokens that they hold.
//!
//! A credential of the SDK keeps its token until five minutes before it expires, lets concurrent callers wait for one
//! request, and remembers no failure. So it is credentials that are kept here, not tokens.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use azure_core::credentials::TokenCredential;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::key::CredentialKey;

/// How many credentials are kept: a node runs a few hundred pods at the most.
const MOST: usize = 1_000;

/// How long one is kept that nobody asks for, and with it the assertion or secret in it. A service-account token lives
/// an hour, and a rotating volume comes by every few minutes.
const IDLE: Duration = Duration::from_secs(3600);

/// Credentials by what was proved. Clones share it.
#[derive(Clone)]
pub(super) struct CredentialCache(Arc<Cache<CredentialKey, Kept>>);

#[derive(Clone)]
struct Kept {
    credential: Arc<dyn TokenCredential>,
    used: Arc<Mutex<Instant>>,
}

impl CredentialCache {
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::new(MOST)))
    }

    /// The credential of `key`, made now if there is none; of concurrent callers one makes it.
    ///
    /// # Errors
    /// Where it cannot be made. That is not remembered.
    pub(super) fn credential(
        &self,
        key: &CredentialKey,
        make: impl FnOnce() -> azure_core::Result<Arc<dyn TokenCredential>>,
    ) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let now = Instant::now();
        let kept = self.0.get_or_insert_with(key, || {
            make().map(|credential| Kept { credential, used: Arc::new(Mutex::new(now)) })
        })?;
        *kept.used.lock().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(kept.credential)
    }

    /// Forgets a credential that led nowhere.
    pub(super) fn forget(&self, key: &CredentialKey) {
        self.0.remove(key);
    }

    /// Drops those that nobody asks for.
    pub(super) fn tidy(&self) {
        self.0.retain(|_, kept| kept.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < IDLE);
    }
}

impl std::fmt::Debug for CredentialCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialCache")
    }
}

#[cfg(test)]
mod tests {
    use azure_core::{
        credentials::{AccessToken, TokenRequestOptions},
        error::{Error, ErrorKind},
    };

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
        let made = || Ok(Arc::new(Credential) as Arc<dyn TokenCredential>);
        let never = || unreachable!("it is kept");
        cache.credential(&key("a"), made).unwrap();
        cache.credential(&key("b"), made).unwrap();
        tokio::time::advance(IDLE - Duration::from_secs(1)).await;
        cache.credential(&key("a"), never).unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        cache.tidy();
        cache.credential(&key("a"), never).unwrap();
        assert_eq!(cache.0.len(), 1);
    }

    #[test]
    fn that_one_cannot_be_made_is_not_remembered() {
        let cache = CredentialCache::new();
        let fail = || Err(Error::with_message(ErrorKind::Credential, "no"));
        assert!(cache.credential(&key("a"), fail).is_err());
        assert!(cache.credential(&key("a"), || Ok(Arc::new(Credential))).is_ok());
    }
}
