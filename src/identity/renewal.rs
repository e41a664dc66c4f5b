//! One new token for all mounts of a principal whose token a vault refused.
//!
//! A vault refuses a token that was revoked, that is older than a role assigned through a group, or that lacks
//! claims. A vault that lags behind may also refuse a token that is still too new for it. One new token shows whether
//! the token was the cause. One is enough for a principal, however many pods have a token of their own: the
//! permissions do not depend on the pod.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use quick_cache::{Weighter, sync::Cache};

use crate::{
    one_shard,
    singleflight::{Joined, Singleflight},
    spec::{identity::IdentityMode, principal::Principal},
    transport::LastExchange,
};

use super::{
    Authenticated, Authentication, Identities, TokenRequest,
    cache::{Attempted, CredentialCache, Kept, MAX_BYTES, credential_bytes},
    key::CredentialKey,
};

/// A vault's reason to refuse a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRefusal {
    /// 403: the principal of the token has no permission.
    Forbidden,
    /// 401: the token is not accepted.
    Unauthorized,
    /// 401, with a demand for a token with these claims: a JSON object.
    MoreClaims(Arc<str>),
}

impl TokenRefusal {
    /// Returns the claims that the vault demands.
    fn claims(&self) -> Option<Arc<str>> {
        match self {
            Self::MoreClaims(claims) => Some(claims.clone()),
            Self::Forbidden | Self::Unauthorized => None,
        }
    }
}

/// The shortest time between two renewals for one principal. A younger token is as good as a new one.
const MIN_RENEWAL_INTERVAL: Duration = Duration::from_secs(10);

/// How long a renewed token is kept for mounts that began with an older one: longer than a mount takes.
const MAX_RENEWED_AGE: Duration = Duration::from_secs(120);

/// The most principals whose renewed tokens are kept.
const MAX_PRINCIPALS: usize = 1_000;

/// A cache of renewed credentials by principal, within the memory of [`MAX_BYTES`]. Clones share it.
#[derive(Clone)]
pub(super) struct Renewals(Arc<Cache<RenewalKey, Arc<Renewal>, Memory>>);

#[derive(Clone)]
struct Memory;

impl Weighter<RenewalKey, Arc<Renewal>> for Memory {
    fn weight(&self, key: &RenewalKey, renewal: &Arc<Renewal>) -> u64 {
        credential_bytes(renewal.proof_bytes) + key.claims.as_ref().map_or(0, |claims| claims.len() as u64)
    }
}

/// A key of interchangeable tokens: one principal, one audience, the same claims.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct RenewalKey {
    principal: Principal,
    scope: String,
    claims: Option<Arc<str>>,
}

/// The newest token of one principal after a refusal.
#[derive(Default)]
struct Renewal {
    /// The length of what the pod proved. The renewed credential keeps it.
    proof_bytes: usize,
    newest: Mutex<Option<Authenticated>>,
    attempt: Singleflight<(), Attempted, Replacement>,
}

/// A renewal in flight: the entry of its token in the cache of credentials, and the entry that it replaces.
#[derive(Clone)]
struct Replacement {
    key: Option<CredentialKey>,
    refused: Arc<Kept>,
    renewed: Arc<Kept>,
    last: LastExchange,
}

impl Replacement {
    fn put_into(&self, cache: &CredentialCache) {
        if let Some(key) = &self.key {
            cache.replace(key, &self.refused, &self.renewed);
        }
    }
}

impl Renewal {
    /// Returns the newest token, if it is young enough to serve as a new one.
    fn young(&self) -> Option<Authenticated> {
        self.lock().clone().filter(|newest| newest.issued.at.elapsed() < MIN_RENEWAL_INTERVAL)
    }

    /// Returns the newest token if it was issued while the mount already had `refused`: another mount has renewed that
    /// one meanwhile.
    fn renewed_since(&self, refused: &Authenticated) -> Option<Authenticated> {
        let newest = self.lock().clone()?;
        let is_newer = newest.generation() > refused.generation() && newest.issued.at > refused.since;
        is_newer.then_some(newest)
    }

    fn is_outdated(&self) -> bool {
        !self.attempt.is_in_flight(&())
            && self.lock().as_ref().is_none_or(|newest| newest.issued.at.elapsed() >= MAX_RENEWED_AGE)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Authenticated>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Renewals {
    pub(super) fn new() -> Self {
        Self(Arc::new(one_shard::cache(MAX_PRINCIPALS, MAX_BYTES, Memory)))
    }

    /// Returns the renewal of `key`. A new one is for a proof of this many bytes.
    fn of(&self, key: &RenewalKey, proof_bytes: usize) -> Arc<Renewal> {
        let begin = || Ok(Arc::new(Renewal { proof_bytes, ..Renewal::default() }));
        let renewal = self.0.get_or_insert_with(key, begin);
        renewal.unwrap_or_else(|never: std::convert::Infallible| match never {})
    }

    /// Drops tokens that are too old to serve as new ones.
    pub(super) fn evict_expired(&self) {
        self.0.retain(|_, renewal| !renewal.is_outdated());
    }
}

impl Identities {
    /// Returns the token for a second read after a vault refused `refused`; `None` if no other token would help.
    /// `shared` says that some of the answers were to requests with another mount's token.
    ///
    /// The node's own identities are never renewed: IMDS and NMI cache a token for hours, and would return it again.
    pub(crate) fn renew(
        &self,
        request: &Arc<TokenRequest>,
        refused: &Authenticated,
        refusal: TokenRefusal,
        shared: bool,
    ) -> Option<Authentication> {
        if refusal != TokenRefusal::Forbidden {
            refused.kept.refuse_token();
        }
        if matches!(request.identity, IdentityMode::ManagedIdentity { .. } | IdentityMode::PodIdentity) {
            return None;
        }
        let kept_as = CredentialKey::of(&request.identity, &request.cloud);
        // Without a principal, as with AD FS, no other mount shares the token.
        let Some(principal) = refused.principal.clone() else {
            let helps = refused.reused && !refused.is_last || refusal != TokenRefusal::Forbidden;
            return helps.then(|| self.begin_renewal(request, refused, &refusal, kept_as, None));
        };
        let key = RenewalKey { principal, scope: request.cloud.vault_scope(), claims: refusal.claims() };
        let renewal = self.renewals.of(&key, kept_as.as_ref().map_or(0, CredentialKey::proof_bytes));
        if let Some(newer) = renewal.renewed_since(refused) {
            return Some(self.known(request, newer));
        }
        if let Some(young) = renewal.young() {
            if young.generation() != refused.generation() || shared {
                return Some(self.known(request, young));
            }
            // A token issued now would have the same principal with the same permissions.
            if refusal == TokenRefusal::Forbidden {
                return None;
            }
        }
        // Its source has just issued none, and would take the rest of the mount's time to fail again.
        if refusal == TokenRefusal::Forbidden && refused.is_last {
            return None;
        }
        if refusal == TokenRefusal::Forbidden && !refused.reused {
            // A token that was issued for this mount includes every role that exists.
            *renewal.lock() = Some(refused.clone());
            return shared.then(|| self.known(request, refused.clone()));
        }
        Some(self.begin_renewal(request, refused, &refusal, kept_as, Some(renewal)))
    }

    /// Requests a new token, unless a request for the same principal is in flight.
    ///
    /// After a 403 the refused token stays in use until the new one is there: it may open all that other pods read.
    /// After a 401 no mount that begins later gets it.
    fn begin_renewal(
        &self,
        request: &Arc<TokenRequest>,
        refused: &Authenticated,
        refusal: &TokenRefusal,
        kept_as: Option<CredentialKey>,
        renewal: Option<Arc<Renewal>>,
    ) -> Authentication {
        let begin = || {
            let renewed = refused.kept.successor();
            let Joined { call, progress: last, .. } =
                self.join(request, kept_as.clone(), renewed.clone(), refusal.claims());
            let replacement = Replacement { key: kept_as, refused: refused.kept.clone(), renewed, last };
            let (cache, renewal, in_flight) = (self.kept.clone(), renewal.clone(), replacement.clone());
            let outcome = async move {
                let attempted = call.await;
                if let Ok(authenticated) = &attempted {
                    in_flight.put_into(&cache);
                    if let Some(renewal) = renewal {
                        *renewal.lock() = Some(authenticated.clone());
                    }
                }
                attempted
            };
            (replacement, outcome)
        };
        let Joined { call, progress: replacement, is_shared } = match &renewal {
            Some(renewal) => renewal.attempt.join(&(), |_| true, begin),
            None => Singleflight::default().join(&(), |_| true, begin),
        };
        // In its place already while it is requested, so that a mount that begins meanwhile waits for the same token.
        if *refusal != TokenRefusal::Forbidden && Arc::ptr_eq(&replacement.refused, &refused.kept) {
            replacement.put_into(&self.kept);
        }
        self.authentication(request, Joined { call, progress: replacement.last, is_shared })
    }

    fn known(&self, request: &Arc<TokenRequest>, authenticated: Authenticated) -> Authentication {
        let call = std::future::ready(Ok(authenticated)).boxed().shared();
        self.authentication(request, Joined { call, progress: LastExchange::default(), is_shared: true })
    }
}

impl fmt::Debug for Renewals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewals")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewals_with_long_certificates_take_the_place_of_several() {
        let renewals = Renewals::new();
        let principal = Principal::new("https://login.microsoftonline.com/", "t", "p");
        for claims in 0..1_000 {
            let claims = Some(format!("{{\"access_token\": {claims}}}").into());
            let key = RenewalKey { principal: principal.clone(), scope: String::new(), claims };
            renewals.of(&key, 32 << 10);
        }
        assert!((50..=120).contains(&renewals.0.len()), "{}", renewals.0.len());
    }
}
