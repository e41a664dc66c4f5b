//! A cache of credentials, which hold their tokens and which pods share.
//!
//! A credential of the SDK keeps its token until five minutes before it expires, and caches no failure. So this cache
//! holds credentials and not tokens. The SDK lets one of several concurrent callers request the token; after a
//! failure the next caller requests it again. The callers would fail one after the other, and the last ones too late.
//! So concurrent requests for a token of one credential share one attempt.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use azure_core::credentials::{AccessToken, TokenCredential};
use quick_cache::{Weighter, sync::Cache};
use tokio::time::Instant;

use crate::{
    one_shard, singleflight::Singleflight, spec::principal::TokenGeneration, transport::LastExchange,
};

use super::{Authenticated, IdentityError, key::CredentialKey};

/// The result of an attempt to get a token.
pub(super) type Attempted = Result<Authenticated, Arc<IdentityError>>;

/// The most cached credentials: a node runs a few hundred pods at the most.
const MAX_CREDENTIALS: usize = 1_000;

/// What all of them may take in memory together, in bytes.
pub(super) const MAX_BYTES: u64 = MAX_CREDENTIALS as u64 * USUAL_BYTES;

/// What a credential with an assertion of a usual length takes in memory, in bytes.
const USUAL_BYTES: u64 = 8 << 10;

/// What a credential takes beside what the pod proved, in bytes: the SDK's client, and a token twice.
const CREDENTIAL_OVERHEAD: u64 = 6 << 10;

/// What a credential takes for each byte that the pod proved: the text, and what is made of it. A certificate that is
/// sent with each request is longer there than in its text.
const PROOF_COPIES: u64 = 2;

/// A token that expires sooner is not shared with the next pod of its subject: that pod's own assertion is exchanged
/// then. It is longer than the five minutes in which the SDK renews a token, so that no mount renews a token with the
/// assertion of another pod.
const MIN_SHARED_LIFETIME: Duration = Duration::from_secs(600);

/// How long an unused credential stays, and with it the assertion or secret in it. A service-account token lives an
/// hour, and a rotating volume is mounted again every few minutes.
const MAX_IDLE: Duration = Duration::from_secs(3600);

/// A cache of credentials by what the pod proved. Clones share it.
#[derive(Clone)]
pub(super) struct CredentialCache(Arc<Entries>);

struct Entries {
    by_key: Cache<CredentialKey, Arc<Kept>, Memory>,
    /// Held while a mount looks for the token of its subject, until it has begun to request one. So mounts of one
    /// subject that begin at the same moment make one request.
    subjects: Mutex<()>,
}

/// The weight of an entry: at least that of a usual one, so that their number is bounded too.
#[derive(Debug, Clone)]
struct Memory;

impl Weighter<CredentialKey, Arc<Kept>> for Memory {
    fn weight(&self, key: &CredentialKey, _: &Arc<Kept>) -> u64 {
        credential_bytes(key.proof_bytes())
    }
}

/// Returns about what a credential takes in memory, with a proof of this many bytes.
pub(super) fn credential_bytes(proof_bytes: usize) -> u64 {
    USUAL_BYTES.max(CREDENTIAL_OVERHEAD + PROOF_COPIES * proof_bytes as u64)
}

/// A cache entry, shared by all requests that have proved the same.
#[derive(Debug)]
pub(super) struct Kept {
    credential: OnceLock<Arc<dyn TokenCredential>>,
    /// The attempt in flight to get a token from the credential.
    pub(super) attempt: Singleflight<(), Attempted, LastExchange>,
    used: Mutex<Instant>,
    issued: Mutex<Option<Issued>>,
    /// The newest token, which outlives a failure of its source.
    last_token: Mutex<Option<LastToken>>,
    /// The key of the proven subject whose pods may share the token.
    subject: Option<CredentialKey>,
    /// True once a vault refused the token: no mount that begins later gets it.
    is_refused: AtomicBool,
}

/// The newest token of a credential, beside the SDK's own copy.
#[derive(Debug)]
struct LastToken {
    token: AccessToken,
    /// True once a vault did not accept the token.
    is_refused: bool,
}

/// The time at which a token was issued, and its generation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Issued {
    pub(super) at: Instant,
    expires: Instant,
    pub(super) generation: TokenGeneration,
}

impl Default for Kept {
    fn default() -> Self {
        Self::of_subject(None)
    }
}

impl Kept {
    fn of_subject(subject: Option<CredentialKey>) -> Self {
        Self {
            credential: OnceLock::new(),
            attempt: Singleflight::default(),
            used: Mutex::new(Instant::now()),
            issued: Mutex::default(),
            last_token: Mutex::default(),
            subject,
            is_refused: AtomicBool::new(false),
        }
    }

    /// Returns whether another pod of the same subject may use the token: while it is requested, and then until it is
    /// older than `max_age` or nears its end.
    fn is_shared(&self, max_age: Duration) -> bool {
        // Released first: the end of a call in flight locks it again.
        let issued = *self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        match issued {
            Some(Issued { at, expires, .. }) => {
                at.elapsed() < max_age && Instant::now() + MIN_SHARED_LIFETIME < expires
            }
            None => self.attempt.is_in_flight(&()),
        }
    }

    /// Returns a new entry for the pods that share this one.
    pub(super) fn successor(&self) -> Arc<Self> {
        Arc::new(Self::of_subject(self.subject.clone()))
    }

    /// Keeps `token`, unless it is the kept one.
    pub(super) fn keep_token(&self, token: &AccessToken) {
        let mut last = self.last_token();
        if last.as_ref().is_none_or(|last| last.token.expires_on < token.expires_on) {
            *last = Some(LastToken { token: token.clone(), is_refused: false });
        }
    }

    /// Records that a vault did not accept the token. It is then used only while the SDK's credential returns it.
    pub(super) fn refuse_token(&self) {
        self.last_token().iter_mut().for_each(|last| last.is_refused = true);
    }

    /// Returns the newest token; `None` if there was none, or if a vault refused it.
    pub(super) fn accepted_token(&self) -> Option<AccessToken> {
        let last = self.last_token();
        let last = last.as_ref().filter(|last| !last.is_refused && !self.is_refused.load(Ordering::Relaxed));
        last.map(|last| last.token.clone())
    }

    fn last_token(&self) -> MutexGuard<'_, Option<LastToken>> {
        self.last_token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the credential has ever got a token.
    pub(super) fn has_got_a_token(&self) -> bool {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn use_now(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Returns the credential, if there is one yet.
    pub(super) fn credential(&self) -> Option<Arc<dyn TokenCredential>> {
        self.credential.get().cloned()
    }

    /// Returns when the token was issued: now if it `is_new`. It expires after `lifetime`.
    pub(super) fn issued(
        &self,
        is_new: bool,
        lifetime: Duration,
        next: impl FnOnce() -> TokenGeneration,
    ) -> Issued {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if is_new {
            *issued = None;
        }
        let at = Instant::now();
        *issued.get_or_insert_with(|| Issued { at, expires: at + lifetime, generation: next() })
    }

    /// Stores `made`, unless there is a credential already. Returns the stored one.
    pub(super) fn keep(&self, made: Arc<dyn TokenCredential>) -> Arc<dyn TokenCredential> {
        self.credential.get_or_init(|| made).clone()
    }
}

impl CredentialCache {
    pub(super) fn new() -> Self {
        let by_key = one_shard::cache(MAX_CREDENTIALS, MAX_BYTES, Memory);
        Self(Arc::new(Entries { by_key, subjects: Mutex::default() }))
    }

    /// Returns the entry of `key`, and marks it as used.
    pub(super) fn of(&self, key: &CredentialKey) -> Arc<Kept> {
        self.0.by_key.remove_if(key, |kept| kept.is_refused.load(Ordering::Relaxed));
        let kept = self.0.by_key.get_or_insert_with(key, || Ok(Arc::default()));
        let kept: Arc<Kept> = kept.unwrap_or_else(|never: Infallible| match never {});
        kept.use_now();
        kept
    }

    /// Calls `begin` with an entry for the assertion whose key is `key`, and marks it as used: the assertion's own
    /// entry, the one that a pod of the same proven subject shares, or a new one. `prove` returns the key of the
    /// subject, if the assertion proves one.
    pub(super) fn of_assertion<T>(
        &self,
        key: &CredentialKey,
        prove: impl FnOnce() -> Option<CredentialKey>,
        max_age: Duration,
        begin: impl FnOnce(Arc<Kept>) -> T,
    ) -> T {
        if self.usable(key).is_some() {
            return begin(self.of(key));
        }
        let Some(subject) = prove() else { return begin(self.of(key)) };
        let _guard = self.0.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = self.usable(&subject).filter(|kept| kept.is_shared(max_age));
        shared.iter().for_each(|kept| kept.use_now());
        begin(shared.unwrap_or_else(|| {
            let kept = Arc::new(Kept::of_subject(Some(subject)));
            self.insert(key, &kept);
            kept
        }))
    }

    /// Puts `renewed` in the place of the entry of a token that a vault refused: for the assertion whose key is `key`,
    /// and for all pods that shared the token. A newer entry stays in its place.
    pub(super) fn replace(&self, key: &CredentialKey, refused: &Arc<Kept>, renewed: &Arc<Kept>) {
        let _guard = self.0.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.usable(key).or_else(|| self.usable(refused.subject.as_ref()?));
        refused.is_refused.store(true, Ordering::Relaxed);
        if current.is_none_or(|current| Arc::ptr_eq(&current, refused)) {
            self.insert(key, renewed);
        }
    }

    fn insert(&self, key: &CredentialKey, kept: &Arc<Kept>) {
        for key in std::iter::once(key).chain(&kept.subject) {
            self.0.by_key.insert(key.clone(), kept.clone());
        }
    }

    fn usable(&self, key: &CredentialKey) -> Option<Arc<Kept>> {
        self.0.by_key.get(key).filter(|kept| !kept.is_refused.load(Ordering::Relaxed))
    }

    /// Removes an entry after a failure, unless a newer one is in its place.
    pub(super) fn forget(&self, key: &CredentialKey, nowhere: &Arc<Kept>) {
        for key in std::iter::once(key).chain(&nowhere.subject) {
            self.0.by_key.remove_if(key, |kept| Arc::ptr_eq(kept, nowhere));
        }
    }

    /// Returns the number of entries.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.by_key.len()
    }

    /// Drops entries that have not been used for [`MAX_IDLE`].
    pub(super) fn evict_expired(&self) {
        self.0
            .by_key
            .retain(|_, kept| kept.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < MAX_IDLE);
    }
}

impl std::fmt::Debug for CredentialCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialCache")
    }
}

#[cfg(test)]
mod tests;
