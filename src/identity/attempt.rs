//! One attempt to get a token. Concurrent requests for the same token share it.

use std::{sync::Arc, time::Duration};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{ClientMethodOptions, Context, Transport},
    time::OffsetDateTime,
};
use tokio::time::{Instant, timeout_at};

use crate::{report::Report, spec::identity::IdentityMode, transport::LastExchange};

use super::{
    Authenticated, Identities, IdentityError, LastAnswer, TokenProxyError, TokenRequest, TokenRequestInfo,
    cache::{Attempted, Kept},
    key::CredentialKey,
    more_claims::MoreClaims,
    principal,
};

/// The shortest lifetime of a token that is used because its source issues no new one. The SDK asks for a new one five
/// minutes before the end. If the token ends during a mount, the vault's 401 leads to a new request.
const MIN_LAST_LIFETIME: Duration = Duration::from_secs(60);

/// The inputs of an attempt, owned, so that it can outlive the mount that began it.
pub(super) struct Attempt {
    pub(super) identities: Identities,
    pub(super) request: Arc<TokenRequest>,
    pub(super) key: Option<CredentialKey>,
    pub(super) kept: Arc<Kept>,
    pub(super) last: LastExchange,
    /// Claims that the token must have in addition to the usual ones: a JSON object.
    pub(super) claims: Option<Arc<str>>,
}

impl Attempt {
    /// Returns the credential with its token, or the error, within the time limit.
    pub(super) async fn outcome(self) -> Attempted {
        self.authenticated().await.map_err(|error| {
            self.forget_on_failure(&error);
            Arc::new(error)
        })
    }

    async fn authenticated(&self) -> Result<Authenticated, IdentityError> {
        let until = Instant::now() + self.identities.limit;
        let credential = self.credential(until).await?;
        let requested = self.token(credential.as_ref(), until).await;
        let is_last = requested.is_err();
        let (credential, token, reused) = match requested {
            Ok(token) => {
                self.kept.keep_token(&token);
                (credential, token, self.last.status().is_none())
            }
            Err(error) => {
                let token = self.last_token(&error).ok_or(error)?;
                let held: Arc<dyn TokenCredential> = Arc::new(HeldToken(token.clone()));
                (held, token, true)
            }
        };
        let TokenRequest { identity, cloud, .. } = &*self.request;
        let principal = principal::of(&token, identity, cloud.authority());
        let issued = self.kept.issued(!reused, lifetime(&token), || self.identities.next_generation());
        Ok(Authenticated {
            credential,
            principal,
            reused,
            is_last,
            issued,
            since: Instant::now(),
            kept: self.kept.clone(),
        })
    }

    /// Returns the cached credential, or a new one.
    async fn credential(&self, until: Instant) -> Result<Arc<dyn TokenCredential>, IdentityError> {
        if let Some(credential) = self.kept.credential() {
            return Ok(credential);
        }
        let bound = self.bound(until).await?;
        let made = self.identities.sources.credential(&self.request, bound);
        let credential = made.map_err(|error| IdentityError::Unreachable {
            asked: self.asked(),
            source: error.to_string().into(),
        })?;
        Ok(self.kept.keep(credential))
    }

    /// Returns the transport to the token proxy, for identity binding.
    async fn bound(&self, until: Instant) -> Result<Option<Transport>, IdentityError> {
        if !self.is_binding() {
            return Ok(None);
        }
        let Identities { sources, limit, .. } = &self.identities;
        let found = timeout_at(until, sources.token_proxy.transport()).await;
        let found = found.unwrap_or_else(|_| Err(Arc::new(TokenProxyError::Timeout(*limit))));
        found.map(Some).map_err(|source| IdentityError::TokenProxy { asked: self.asked(), source })
    }

    async fn token(
        &self,
        credential: &dyn TokenCredential,
        until: Instant,
    ) -> Result<AccessToken, IdentityError> {
        let mut context = Context::new();
        context.insert(self.last.clone());
        if let Some(claims) = self.claims.clone() {
            context.insert(MoreClaims(claims));
        }
        let options = TokenRequestOptions { method_options: ClientMethodOptions { context } };
        let scope = self.request.cloud.vault_scope();
        match timeout_at(until, credential.get_token(&[&scope], Some(options))).await {
            Ok(Ok(token)) => Ok(token),
            Ok(Err(error)) => Err(IdentityError::new(self.asked(), error)),
            Err(_) => {
                let last = LastAnswer(self.last.status());
                Err(IdentityError::Timeout { asked: self.asked(), limit: self.identities.limit, last })
            }
        }
    }

    /// Returns the last token after a failure of its source, unless the token is about to expire or a vault refused it.
    ///
    /// The SDK's credential returns the error in its place, although vaults still accept the token.
    fn last_token(&self, error: &IdentityError) -> Option<AccessToken> {
        let is_outage = match error {
            IdentityError::Unavailable { .. } | IdentityError::Foreign { .. } => true,
            // The token proxy may have moved, and only a failed attempt leads to a search for it.
            IdentityError::Unreachable { .. } | IdentityError::Timeout { .. } => !self.is_binding(),
            IdentityError::Refused { .. }
            | IdentityError::Certificate { .. }
            | IdentityError::TokenProxy { .. } => false,
        };
        // A vault that demands claims takes no token without them.
        if !is_outage || self.claims.is_some() {
            return None;
        }
        let token = self.kept.accepted_token().filter(|token| lifetime(token) >= MIN_LAST_LIFETIME)?;
        tracing::warn!(
            identity = %self.request.identity,
            cause = %Report(error),
            "the last token is used until it expires, since there is no new one"
        );
        Some(token)
    }

    /// Drops the cached credential after a failure to reach the source: the token proxy may have moved.
    fn forget_on_failure(&self, error: &IdentityError) {
        if matches!(error, IdentityError::Unreachable { .. } | IdentityError::Timeout { .. }) {
            self.forget();
            if self.is_binding() {
                self.identities.sources.token_proxy.forget();
            }
        }
    }

    fn forget(&self) {
        self.key.iter().for_each(|key| self.identities.kept.forget(key, &self.kept));
    }

    fn asked(&self) -> Box<TokenRequestInfo> {
        self.identities.sources.asked(&self.request)
    }

    fn is_binding(&self) -> bool {
        matches!(self.request.identity, IdentityMode::IdentityBinding { .. })
    }
}

impl Drop for Attempt {
    /// Drops a cached credential that has never got a token, also if its last caller went away: the cache holds nothing
    /// of an identity that the source refused.
    fn drop(&mut self) {
        if !self.kept.has_got_a_token() {
            self.forget();
        }
    }
}

/// Returns how long the token is still valid.
fn lifetime(token: &AccessToken) -> Duration {
    Duration::try_from(token.expires_on - OffsetDateTime::now_utc()).unwrap_or_default()
}

/// A credential that returns one token, and requests none.
#[derive(Debug)]
struct HeldToken(AccessToken);

#[async_trait::async_trait]
impl TokenCredential for HeldToken {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(self.0.clone())
    }
}

#[cfg(test)]
mod tests;
