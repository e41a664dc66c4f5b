//! One attempt at a token, which all who want the same token at that moment share.

use std::sync::Arc;

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{ClientMethodOptions, Context},
};
use tokio::time::{Instant, timeout_at};

use crate::{spec::identity::IdentityMode, transport::LastExchange};

use super::{
    Authenticated, Identities, IdentityError, LastAnswer, TokenRequest, cache::Kept, key::CredentialKey,
    principal,
};

/// How an attempt ended.
pub(super) type Attempted = Result<Authenticated, Arc<IdentityError>>;

/// All that an attempt needs, so that it can outlive the mount that began it.
pub(super) struct Attempt {
    pub(super) identities: Identities,
    pub(super) request: Arc<TokenRequest>,
    pub(super) key: Option<CredentialKey>,
    pub(super) kept: Arc<Kept>,
    pub(super) last: LastExchange,
}

impl Attempt {
    /// The token within the limit, or why there is none.
    pub(super) async fn outcome(self) -> Attempted {
        let result = self.authenticated().await;
        if let Err(error) = &result {
            self.forget_what_led_nowhere(error).await;
        }
        result.map_err(Arc::new)
    }

    async fn authenticated(&self) -> Result<Authenticated, IdentityError> {
        let credential = self.credential().await?;
        let until = Instant::now() + self.identities.limit;
        let token = self.token(credential.as_ref(), until).await?;
        let TokenRequest { identity, cloud, .. } = &*self.request;
        let principal = principal::of(&token, identity, cloud.authority());
        let reused = self.last.status().is_none();
        Ok(Authenticated { credential, principal, reused, key: self.key.clone() })
    }

    /// The credential that is kept, or a new one.
    async fn credential(&self) -> Result<Arc<dyn TokenCredential>, IdentityError> {
        if let Some(credential) = self.kept.credential() {
            return Ok(credential);
        }
        let (Identities { sources, .. }, request) = (&self.identities, &*self.request);
        let bound = if self.is_binding() {
            let found = sources.token_proxy.transport().await.map_err(Arc::new);
            Some(
                found
                    .map_err(|source| IdentityError::TokenProxy { asked: sources.asked(request), source })?,
            )
        } else {
            None
        };
        let credential = sources.credential(request, bound).map_err(|error| IdentityError::Unreachable {
            asked: sources.asked(request),
            source: error.to_string().into(),
        })?;
        Ok(self.kept.keep(credential))
    }

    async fn token(
        &self,
        credential: &dyn TokenCredential,
        until: Instant,
    ) -> Result<AccessToken, IdentityError> {
        let asked = || self.identities.sources.asked(&self.request);
        let mut context = Context::new();
        context.insert(self.last.clone());
        let options = TokenRequestOptions { method_options: ClientMethodOptions { context } };
        let scope = self.request.cloud.vault_scope();
        match timeout_at(until, credential.get_token(&[&scope], Some(options))).await {
            // The SDK takes an answer without a token for one with an empty token.
            Ok(Ok(token)) if token.token.secret().is_empty() => {
                let why = "the answer holds no token".into();
                Err(IdentityError::Unreachable { asked: asked(), source: why })
            }
            Ok(Ok(token)) => Ok(token),
            Ok(Err(error)) => Err(IdentityError::new(asked(), error)),
            Err(_) => {
                let last = LastAnswer(self.last.status());
                Err(IdentityError::Late { asked: asked(), limit: self.identities.limit, last })
            }
        }
    }

    /// The SDK would keep an empty token, and the token proxy may have moved.
    async fn forget_what_led_nowhere(&self, error: &IdentityError) {
        if matches!(error, IdentityError::Unreachable { .. }) {
            self.key.iter().for_each(|key| self.identities.kept.forget(key));
            if self.is_binding() {
                self.identities.sources.token_proxy.forget().await;
            }
        }
    }

    fn is_binding(&self) -> bool {
        matches!(self.request.identity, IdentityMode::IdentityBinding { .. })
    }
}
