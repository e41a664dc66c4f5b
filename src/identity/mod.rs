//! Tokens for identity modes, with one error type for all modes.

mod attempt;
mod cache;
mod client_assertion;
mod concurrency_limit;
mod echo;
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
pub mod proof;
mod renewal;
pub mod server_name;
mod source;
mod token_proxy;
mod token_request_info;
mod token_response;

pub use self::{
    error::{IdentityError, LastAnswer},
    error_response::TokenErrorResponse,
    proof::{IdentityProofSettings, IssuerUrl},
    renewal::TokenRefusal,
    token_proxy::{TokenProxyError, TokenProxySettings},
    token_request_info::{TokenRequestInfo, TokenSource, UnverifiedClaims},
    token_response::{TokenResponse, TokenResponseError},
};

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use azure_core::credentials::TokenCredential;
use tokio::time::Instant;

use crate::{
    blocking::Computations,
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
    proof::IdentityProofs,
    renewal::Renewals,
    source::Sources,
};

/// The credentials of the provider, with their cache. Clones share them.
#[derive(Debug, Clone)]
pub struct Identities {
    sources: Arc<Sources>,
    kept: CredentialCache,
    proofs: IdentityProofs,
    renewals: Renewals,
    /// The number of tokens issued so far.
    issued: Arc<AtomicU64>,
    metrics: Metrics,
    limit: Duration,
}

/// A request for a token.
#[derive(Debug)]
pub struct TokenRequest {
    /// The identity that the token is for.
    pub identity: IdentityMode,
    /// The pod. It decides on the token in pod identity only.
    pub pod: PodRef,
    /// The cloud whose vaults accept the token.
    pub cloud: CloudEnvironment,
}

/// A credential that holds a token.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The credential for the clients of a vault.
    pub credential: Arc<dyn TokenCredential>,
    /// The principal of the token, from Entra's claims; `None` if it has none.
    pub principal: Option<Principal>,
    /// True if the token was issued before this request.
    reused: bool,
    /// True if the source issued no new token just now, and the last one is used.
    is_last: bool,
    issued: Issued,
    /// When the mount got the token.
    since: Instant,
    kept: Arc<Kept>,
}

impl Authenticated {
    /// Returns the token's number among all that were issued.
    pub(crate) fn generation(&self) -> TokenGeneration {
        self.issued.generation
    }
}

/// A token request in flight, perhaps shared with other mounts.
#[derive(Debug)]
pub(crate) struct Authentication {
    call: Call<Attempted>,
    last: LastExchange,
    /// True if another mount began the request.
    is_shared: bool,
    mode: &'static str,
    metrics: Metrics,
}

impl Identities {
    /// Returns credentials that send requests as `clients` configures, each with a token within `limit` or an error.
    pub fn new(
        clients: &ClientFactory,
        token_proxy: TokenProxySettings,
        proofs: IdentityProofSettings,
        limit: Duration,
        computations: Computations,
    ) -> Self {
        Self {
            sources: Arc::new(Sources::new(clients, token_proxy, computations)),
            kept: CredentialCache::new(),
            proofs: IdentityProofs::new(clients, proofs),
            renewals: Renewals::new(),
            issued: Arc::default(),
            metrics: clients.metrics.clone(),
            limit,
        }
    }

    /// Begins to request the token of `request`. A refused identity fails here once for the mount, and not again for
    /// every object.
    ///
    /// Requests that have proved the same share a credential and its token: with equal assertions, or with assertions
    /// of one subject that its issuer's keys prove. If the token is still being requested, they share the outcome,
    /// whatever it is.
    pub(crate) fn authenticate(&self, request: &Arc<TokenRequest>) -> Authentication {
        let TokenRequest { identity, cloud, .. } = &**request;
        let attempt = match CredentialKey::of(identity, cloud) {
            None => self.join(request, None, Arc::default(), None),
            Some(key) => {
                let prove = || {
                    let subject = self.proofs.prove(identity, SystemTime::now())?;
                    Some(CredentialKey::of_subject(&subject, identity, cloud))
                };
                let max_age = self.proofs.max_age();
                self.kept.of_assertion(&key, prove, max_age, |kept| {
                    self.join(request, Some(key.clone()), kept, None)
                })
            }
        };
        self.authentication(request, attempt)
    }

    /// Joins the attempt in flight to get a token for `kept`, or begins one. `claims` are demanded in addition to the
    /// usual ones.
    fn join(
        &self,
        request: &Arc<TokenRequest>,
        key: Option<CredentialKey>,
        kept: Arc<Kept>,
        claims: Option<Arc<str>>,
    ) -> Joined<Attempted, LastExchange> {
        let begin = || {
            let last = LastExchange::default();
            let (identities, request, kept) = (self.clone(), request.clone(), kept.clone());
            let attempt = Attempt { identities, request, key, kept, last: last.clone(), claims };
            (last, attempt.outcome())
        };
        kept.attempt.join(&(), |_| true, begin)
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

    /// Fetches the keys of the service-account issuers at once, and again at intervals. Never completes.
    pub async fn refresh_issuer_keys(&self) -> Infallible {
        self.proofs.keep_fresh().await
    }

    /// Drops cached entries that are no longer used.
    pub fn evict_expired(&self) {
        self.kept.evict_expired();
        self.renewals.evict_expired();
    }

    /// Returns the token source of a request, for messages.
    pub fn source(&self, request: &TokenRequest) -> TokenSource {
        self.sources.of(request)
    }
}

impl Authentication {
    /// Returns the progress of the request, also for callers that do not wait for its end.
    pub(crate) fn last(&self) -> LastExchange {
        self.last.clone()
    }

    /// Waits for a credential that already holds its token.
    ///
    /// # Errors
    /// The source refused the identity, or cannot be reached.
    pub(crate) async fn outcome(self) -> Attempted {
        let attempted = self.call.await;
        self.metrics.token(self.mode, token_result(&attempted, self.is_shared));
        attempted
    }
}

fn token_result(attempted: &Attempted, is_shared: bool) -> TokenResult {
    match attempted.as_ref().map_err(|error| &**error) {
        // A token is issued once, however many mounts wait for it.
        Ok(authenticated) if authenticated.reused || is_shared => TokenResult::Reused,
        Ok(_) => TokenResult::Issued,
        Err(IdentityError::Refused { .. } | IdentityError::Certificate { .. }) => TokenResult::Refused,
        Err(IdentityError::Unavailable { .. } | IdentityError::Timeout { last: LastAnswer(Some(_)), .. }) => {
            TokenResult::Unavailable
        }
        Err(
            IdentityError::Unreachable { .. }
            | IdentityError::Foreign { .. }
            | IdentityError::TokenProxy { .. }
            | IdentityError::Timeout { last: LastAnswer(None), .. },
        ) => TokenResult::Unreachable,
    }
}
