//! Proofs of a pod's identity without a request: the issuer's own keys verify the pod's service-account token.
//!
//! A token that is proved here may share the Entra token of another pod with the same subject. A token that is not
//! proved, for whatever reason, is exchanged at Entra for itself, as all tokens are without this module. So no mount
//! fails or waits because keys cannot be fetched.

mod fetch;
mod issuer_keys;
mod issuer_url;
mod key_set;
mod signature;
#[cfg(test)]
mod signer;
mod token;

pub use self::{
    issuer_keys::KeyRefresh,
    issuer_url::{IssuerUrl, NotAnIssuer},
    key_set::{KeySet, KeySetError, MAX_DOCUMENT_BYTES, MAX_KEYS},
    token::{LEEWAY, MAX_TOKEN_BYTES, NotProven, ProvenSubject, UnverifiedToken},
};

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures::future::{join_all, pending};

use crate::{
    metrics::{Metrics, ProofResult},
    spec::identity::{IdentityMode, ServiceAccountToken},
    transport::ClientFactory,
};

use self::{fetch::KeyFetcher, issuer_keys::IssuerKeys};

/// The operator's settings for proofs of identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityProofSettings {
    /// `--service-account-issuer`: the issuers whose keys prove an identity; none turns proofs off.
    pub issuers: Vec<IssuerUrl>,
    /// `--identity-proof-max-age`: how long after its exchange an Entra token is shared with new pods of the same
    /// subject. Zero turns proofs off.
    pub max_age: Duration,
    /// When the issuers' keys are fetched.
    pub refresh: KeyRefresh,
}

/// A verifier of service-account tokens. Clones share its keys.
#[derive(Debug, Clone)]
pub(super) struct IdentityProofs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    issuers: Vec<IssuerKeys>,
    max_age: Duration,
    fetcher: KeyFetcher,
    metrics: Metrics,
}

impl IdentityProofs {
    /// Returns a verifier that has no keys before [`Self::keep_fresh`] runs.
    pub(super) fn new(clients: &ClientFactory, settings: IdentityProofSettings) -> Self {
        let IdentityProofSettings { issuers, max_age, refresh } = settings;
        let is_on = !max_age.is_zero();
        let keys = |url| IssuerKeys::new(url, refresh, clients.metrics.clone());
        Self(Arc::new(Inner {
            issuers: issuers.into_iter().filter(|_| is_on).map(keys).collect(),
            max_age,
            fetcher: KeyFetcher::new(clients),
            metrics: clients.metrics.clone(),
        }))
    }

    /// Returns how long after its exchange an Entra token is shared.
    pub(super) fn max_age(&self) -> Duration {
        self.0.max_age
    }

    /// Returns the subject that the pod's token proves at the time `now`; `None` if it proves none, or if the mode
    /// presents no token to Entra itself.
    pub(super) fn prove(&self, identity: &IdentityMode, now: SystemTime) -> Option<ProvenSubject> {
        let IdentityMode::WorkloadIdentity { assertion, .. } = identity else { return None };
        if self.0.issuers.is_empty() {
            return None;
        }
        let proof = self.verify(assertion, now);
        self.0.metrics.identity_proof(proof_result(proof.as_ref().err()));
        proof.ok()
    }

    fn verify(&self, token: &ServiceAccountToken, now: SystemTime) -> Result<ProvenSubject, NotProven> {
        let token = UnverifiedToken::parse(token.expose())?;
        let issuer = self.0.issuers.iter().find(|issuer| **issuer.issuer() == *token.issuer());
        let issuer = issuer.ok_or(NotProven::OtherIssuer)?;
        let keys = issuer.keys().ok_or(NotProven::NoKeys)?;
        let proof = token.verify(issuer.issuer(), &keys, now);
        if proof == Err(NotProven::UnknownKey) {
            issuer.want_newer();
        }
        proof
    }

    /// Fetches the issuers' keys at once, and again at intervals. Never completes.
    pub(super) async fn keep_fresh(&self) -> Infallible {
        let Inner { issuers, fetcher, .. } = &*self.0;
        let mut fetches = Vec::with_capacity(issuers.len());
        for issuer in issuers {
            fetches.push(issuer.keep_fresh(|| fetcher.keys(issuer.url())));
        }
        join_all(fetches).await;
        pending().await
    }
}

fn proof_result(error: Option<&NotProven>) -> ProofResult {
    match error {
        None => ProofResult::Proven,
        Some(NotProven::Malformed | NotProven::OtherSubject) => ProofResult::Malformed,
        Some(NotProven::OtherIssuer) => ProofResult::OtherIssuer,
        Some(NotProven::NoKeys) => ProofResult::NoKeys,
        Some(NotProven::UnknownKey) => ProofResult::UnknownKey,
        Some(NotProven::OtherAlgorithm | NotProven::BadSignature) => ProofResult::BadSignature,
        Some(NotProven::OtherAudience) => ProofResult::OtherAudience,
        Some(NotProven::OutsideItsTime) => ProofResult::OutsideItsTime,
    }
}
