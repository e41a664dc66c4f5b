//! From an identity mode to a token, and one way for all modes to fail.

mod attempt;
mod cache;
mod concurrency_limit;
mod entra;
mod error;
mod error_response;
mod error_status;
mod jwt;
mod key;
mod managed;
mod more_claims;
mod pod_identity;
pub mod principal;
mod renewal;
pub mod server_name;
mod source;
mod token_proxy;
mod token_request_info;
mod token_response;

pub use self::{
    error::{IdentityError, LastAnswer},
    error_response::TokenErrorResponse,
    renewal::TokenRefusal,
    token_proxy::{TokenProxyError, TokenProxySettings},
    token_request_info::{TokenRequestInfo, TokenSource, UnverifiedClaims},
    token_response::{TokenResponse, TokenResponseError},
};

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use azure_core::credentials::TokenCredential;

use crate::{
    cloud::CloudEnvironment,
    metrics::{Metrics, TokenResult},
    singleflight::{Call, Joined},
    spec::{
        identity::IdentityMode,
        pod::PodRef,
        principal::{Principal, TokenGeneration},
    },
    transport::{ClientFactory, LastExchange},
};

use self::{
    attempt::Attempt,
    cache::{Attempted, CredentialCache, Issued, Kept},
    key::CredentialKey,
    renewal::Renewals,
    source::Sources,
};

/// Where credentials come from. Clones share them.
#[derive(Debug, Clone)]
pub struct Identities {
    sources: Arc<Sources>,
    kept: CredentialCache,
    renewals: Renewals,
    /// How many tokens were issued.
    issued: Arc<AtomicU64>,
    metrics: Metrics,
    limit: Duration,
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
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// For the clients of a vault.
    pub credential: Arc<dyn TokenCredential>,
    /// Whom the token is for, as Entra says; `None` where it does not.
    pub principal: Option<Principal>,
    /// It was issued before it was asked for.
    reused: bool,
    issued: Issued,
    key: Option<CredentialKey>,
    kept: Arc<Kept>,
}

impl Authenticated {
    /// Resolver the token among all that were issued.
    pub(crate) fn generation(&self) -> TokenGeneration {
        self.issued.generation
    }
}

/// A token that is being asked for, perhaps for others too.
#[derive(Debug)]
pub(crate) struct Authentication {
    call: Call<Attempted>,
    last: LastExchange,
    /// Another mount began it.
    is_shared: bool,
    mode: &'static str,
    metrics: Metrics,
}

impl Identities {
    /// Credentials whose requests go out as `clients` says, and that have their token within `limit` or not at all.
    pub fn new(clients: &ClientFactory, token_proxy: TokenProxySettings, limit: Duration) -> Self {
        Self {
            sources: Arc::new(Sources::new(clients, token_proxy)),
            kept: CredentialCache::new(),
            renewals: Renewals::new(),
            issued: Arc::default(),
            metrics: clients.metrics.clone(),
            limit,
        }
    }

    /// Begins to ask for the token of `request`: an identity that is refused is refused here, once for the mount, and
    /// not again for every object.
    ///
    /// Who has proved the same before shares its credential, and the token in it; who proves the same while it is being
    /// asked for shares the outcome, whatever it is.
    pub(crate) fn authenticate(&self, request: &Arc<TokenRequest>) -> Authentication {
        let key = CredentialKey::of(&request.identity, &request.cloud);
        let kept = key.as_ref().map(|key| self.kept.of(key)).unwrap_or_default();
        let begin = || {
            let last = LastExchange::default();
            let (identities, request, kept) = (self.clone(), request.clone(), kept.clone());
            let attempt = Attempt { identities, request, key, kept, last: last.clone(), claims: None };
            (last, attempt.outcome())
        };
        let kept = kept.clone();
        self.authentication(request, kept.attempt.join(&(), |_| true, begin))
    }

    fn next_generation(&self) -> TokenGeneration {
        TokenGeneration(self.issued.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn authentication(
        &self,
        request: &TokenRequest,
        attempt: Joined<Attempted, LastExchange>,
    ) -> Authentication {
        let (mode, metrics) = (request.identity.name(), self.metrics.clone());
        let Joined { call, progress, is_shared } = attempt;
        Authentication { call, last: progress, is_shared, mode, metrics }
    }

    /// Forgets a token that a vault refused, so that the next one is new.
    fn forget(&self, refused: &Authenticated) {
        refused.key.iter().for_each(|key| self.kept.forget(key, &refused.kept));
    }

    /// Drops what nobody asks for any more.
    pub fn evict_expired(&self) {
        self.kept.evict_expired();
        self.renewals.evict_expired();
    }

    /// Who gives the token, for messages.
    pub fn source(&self, request: &TokenRequest) -> TokenSource {
        self.sources.of(request)
    }
}

impl Authentication {
    /// What was answered so far, also for those who do not wait for the end.
    pub(crate) fn last(&self) -> LastExchange {
        self.last.clone()
    }

    /// A credential that already holds its token.
    ///
    /// # Errors
    /// Who refused the identity, or could not be asked.
    pub(crate) async fn outcome(self) -> Attempted {
        let attempted = self.call.await;
        self.metrics.token(self.mode, token_result(&attempted, self.is_shared));
        attempted
    }
}

fn token_result(attempted: &Attempted, is_shared: bool) -> TokenResult {
    match attempted.as_ref().map_err(|error| &**error) {
        // One token is issued once, however many wait for it.
        Ok(authenticated) if authenticated.reused || is_shared => TokenResult::Reused,
        Ok(_) => TokenResult::Issued,
        Err(IdentityError::Refused { .. }) => TokenResult::Refused,
        Err(IdentityError::Unavailable { .. } | IdentityError::Late { last: LastAnswer(Some(_)), .. }) => {
            TokenResult::Unavailable
        }
        Err(
            IdentityError::Unreachable { .. }
            | IdentityError::Foreign { .. }
            | IdentityError::TokenProxy { .. }
            | IdentityError::Late { last: LastAnswer(None), .. },
        ) => TokenResult::Unreachable,
    }
}
