//! From an identity mode to a token: the only match on modes, and one way for all of them to fail.

mod answer;
mod asked;
mod at_once;
mod binding;
mod cache;
mod claims;
mod entra;
mod error;
mod key;
mod managed;
mod pod_identity;
pub mod principal;
mod refusal;
pub mod server_name;

pub use self::{
    answer::TokenAnswer,
    asked::{Asked, Presented, TokenSource},
    binding::{TokenProxyError, TokenProxySettings},
    error::{IdentityError, LastAnswer},
};

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use azure_core::{
    credentials::{TokenCredential, TokenRequestOptions},
    http::{ClientMethodOptions, ClientOptions, Context, Transport},
};

use crate::{
    cloud::CloudEnvironment,
    metrics::{Metrics, TokenResult, Upstream},
    spec::{identity::IdentityMode, pod::PodRef, principal::Principal},
    transport::{LastExchange, Outgoing},
};

use self::{
    at_once::AtOnce, binding::TokenProxy, cache::CredentialCache, key::CredentialKey, refusal::RefusalPolicy,
};

/// Where credentials come from.
#[derive(Debug, Clone)]
pub struct Identities {
    entra: ClientOptions,
    node: ClientOptions,
    bound: ClientOptions,
    metrics: Metrics,
    limit: Duration,
    shared: CredentialCache,
    token_proxy: Arc<TokenProxy>,
    pod_identity_retired: Arc<Once>,
}

/// What a token is asked for.
#[derive(Debug)]
pub struct TokenRequest {
    /// As whom.
    pub identity: IdentityMode,
    /// For which pod; what decides on the token is the identity alone, but for pod identity.
    pub pod: PodRef,
    /// For the vaults of this cloud.
    pub cloud: CloudEnvironment,
}

/// A credential that holds a token.
#[derive(Debug)]
pub struct Authenticated {
    /// For the clients of a vault.
    pub credential: Arc<dyn TokenCredential>,
    /// Whom the token is for, as Entra says; `None` where it does not.
    pub principal: Option<Principal>,
    reused: bool,
    key: Option<CredentialKey>,
}

impl Identities {
    /// Credentials whose requests go out as `outgoing` says, and that have their token within `limit` or not at all.
    pub fn new(outgoing: &Outgoing, token_proxy: TokenProxySettings, limit: Duration) -> Self {
        let at_once = AtOnce::new();
        let options = |upstream| {
            let mut options = outgoing.client_options(upstream);
            // Above what counts requests: what waits is not sent yet.
            options.per_try_policies.insert(0, at_once.policy());
            options.per_call_policies.insert(0, Arc::new(RefusalPolicy));
            options
        };
        Self {
            entra: options(Upstream::Entra),
            node: outgoing.client_options(Upstream::Node),
            bound: options(Upstream::TokenProxy),
            metrics: outgoing.metrics.clone(),
            limit,
            shared: CredentialCache::new(),
            token_proxy: Arc::new(TokenProxy::new(token_proxy, &outgoing.transports)),
            pod_identity_retired: Arc::new(Once::new()),
        }
    }

    /// A credential that already holds the token of `request`: an identity that is refused is refused
    /// here, once for the mount, and not again for every object.
    ///
    /// Who has proved the same before shares its credential, and the token in it. `last`, a new one, tells what was
    /// answered so far, also to those who do not wait for the end.
    ///
    /// # Errors
    /// Who refused the identity, or could not be asked.
    pub(crate) async fn authenticate(
        &self,
        request: &TokenRequest,
        last: &LastExchange,
    ) -> Result<Authenticated, IdentityError> {
        let result = self.authenticated(request, last).await;
        self.metrics.token(request.identity.name(), token_result(&result));
        result
    }

    /// Forgets a token that a vault refused, so that the next one is new. Whether that can help: a token that was asked
    /// for just now is refused for good.
    pub fn forget(&self, refused: &Authenticated) -> bool {
        refused.key.iter().for_each(|key| self.shared.forget(key));
        refused.reused
    }

    /// Drops what nobody asks for any more.
    pub fn tidy(&self) {
        self.shared.tidy();
    }

    async fn authenticated(
        &self,
        request: &TokenRequest,
        last: &LastExchange,
    ) -> Result<Authenticated, IdentityError> {
        let TokenRequest { identity, cloud, .. } = request;
        let asked = || {
            Box::new(Asked {
                identity: identity.to_string(),
                client: identity.client().map(ToString::to_string),
                source: self.source(request),
                presented: Presented::by(identity),
            })
        };
        let binding = matches!(identity, IdentityMode::IdentityBinding { .. });
        let key = CredentialKey::of(identity, cloud);

        let bound = if binding { Some(self.token_proxy.transport().await) } else { None };
        let bound =
            bound.transpose().map_err(|source| IdentityError::TokenProxy { asked: asked(), source })?;
        let make = || self.make(request, bound);
        let credential = match &key {
            Some(key) => self.shared.credential(key, make),
            None => make(),
        };
        let credential = credential.map_err(|error| IdentityError::Unreachable {
            asked: asked(),
            source: error.to_string().into(),
        })?;

        let mut context = Context::new();
        context.insert(last.clone());
        let options = TokenRequestOptions { method_options: ClientMethodOptions { context } };
        let scope = cloud.vault_scope();
        match tokio::time::timeout(self.limit, credential.get_token(&[&scope], Some(options))).await {
            // The SDK takes an answer without a token for one with an empty token.
            Ok(Ok(token)) if token.token.secret().is_empty() => {
                key.iter().for_each(|key| self.shared.forget(key));
                let why = "the answer holds no token".into();
                Err(IdentityError::Unreachable { asked: asked(), source: why })
            }
            Ok(Ok(token)) => {
                let principal = principal::of(&token, identity, cloud.authority());
                Ok(Authenticated { credential, principal, reused: last.status().is_none(), key })
            }
            Ok(Err(error)) => {
                let error = IdentityError::new(asked(), error);
                if binding && matches!(error, IdentityError::Unreachable { .. }) {
                    self.token_proxy.forget().await;
                    key.iter().for_each(|key| self.shared.forget(key));
                }
                Err(error)
            }
            Err(_) => {
                let last = LastAnswer(last.status());
                Err(IdentityError::Late { asked: asked(), limit: self.limit, last })
            }
        }
    }

    /// A new credential. `bound` is the way to the token proxy, for identity binding.
    fn make(
        &self,
        request: &TokenRequest,
        bound: Option<Transport>,
    ) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let TokenRequest { identity, pod, cloud } = request;
        match identity.clone() {
            IdentityMode::WorkloadIdentity { tenant, client, assertion } => {
                let options = entra::at_authority(self.entra.clone(), cloud, &tenant);
                entra::workload(&tenant, client, assertion, options)
            }
            IdentityMode::IdentityBinding { tenant, client, assertion } => {
                let options = entra::at_authority(self.bound.clone(), cloud, &tenant);
                entra::workload(&tenant, client, assertion, ClientOptions { transport: bound, ..options })
            }
            IdentityMode::ServicePrincipal { tenant, client, secret } => {
                let options = entra::at_authority(self.entra.clone(), cloud, &tenant);
                entra::service_principal(&tenant, client, secret, options)
            }
            IdentityMode::ManagedIdentity { user_assigned } => {
                managed::credential(user_assigned, self.node.clone())
            }
            IdentityMode::PodIdentity => {
                self.pod_identity_retired.call_once(|| {
                    tracing::warn!("usePodIdentity: AAD pod identity is retired; move to workload identity");
                });
                pod_identity::credential(pod.clone(), self.node.clone())
            }
        }
    }

    /// Who gives the token, for messages.
    pub fn source(&self, request: &TokenRequest) -> TokenSource {
        match &request.identity {
            IdentityMode::ManagedIdentity { .. } => TokenSource::Imds,
            IdentityMode::PodIdentity => TokenSource::Nmi { pod: request.pod.to_string() },
            IdentityMode::IdentityBinding { tenant, .. } => TokenSource::TokenProxy {
                tenant: tenant.clone(),
                host: self.token_proxy.url().authority().to_owned(),
            },
            IdentityMode::WorkloadIdentity { tenant, .. } | IdentityMode::ServicePrincipal { tenant, .. } => {
                let host = request.cloud.authority().authority().to_owned();
                TokenSource::Entra { tenant: tenant.clone(), host }
            }
        }
    }
}

fn token_result(result: &Result<Authenticated, IdentityError>) -> TokenResult {
    match result {
        Ok(authenticated) if authenticated.reused => TokenResult::Reused,
        Ok(_) => TokenResult::Issued,
        Err(IdentityError::Refused { .. }) => TokenResult::Refused,
        Err(IdentityError::Unavailable { .. } | IdentityError::Late { last: LastAnswer(Some(_)), .. }) => {
            TokenResult::Unavailable
        }
        Err(
            IdentityError::Unreachable { .. }
            | IdentityError::TokenProxy { .. }
            | IdentityError::Late { last: LastAnswer(None), .. },
        ) => TokenResult::Unreachable,
    }
}
