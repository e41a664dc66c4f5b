//! A cache of authentication challenges: one anonymous probe per vault, instead of one per SDK client and concurrent
//! read. The policy also keeps tokens from other hosts.
//!
//! The SDK learns a vault's audience from the 401 to its first, anonymous request, and each of its clients learns it
//! anew. This policy sits below authorization. It lets one anonymous request through, and answers the others with the
//! cached challenge.
//!
//! Only outcomes that say nothing about an object are shared: a challenge, no answer, 429 and 5xx. A vault can also
//! answer an anonymous request with the object itself, as emulators and gateways with a credential of their own do.
//! Such an answer belongs to its request alone, and each further request is sent.

use std::sync::{
    Arc, Mutex as SyncMutex, Once, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use azure_core::{
    error::{Error, ErrorKind},
    http::{
        AsyncRawResponse, Context, RawResponse, Request, StatusCode,
        headers::{AUTHORIZATION, Headers, WWW_AUTHENTICATE},
        policies::{Policy, PolicyResult},
    },
};
use tokio::sync::Mutex;

use crate::{
    cloud::VaultEndpoint,
    report::Report,
    transport::{self, NetworkFailure, Unanswered, below, header},
};

use super::{
    super::limiter::AdmittedRequest,
    challenge::{Challenge, ChallengeError, ClaimsChallenge, NamedAuthority},
};

/// A policy that caches one vault's challenge.
#[derive(Debug)]
pub(in crate::vault) struct ChallengeCachePolicy {
    /// The vault. Its host is the only one that these clients may reach, whatever a list's `nextLink` says.
    vault: VaultEndpoint,
    state: Mutex<State>,
    /// The number of failed probes.
    failed: AtomicU64,
    /// The authority that the vault's last challenge named.
    authority: SyncMutex<Option<NamedAuthority>>,
    logged: Once,
}

/// The known behaviour of a vault towards anonymous requests.
#[derive(Debug)]
enum State {
    /// Not known: the next request is a probe. Holds the failure of the last probe, for the requests that waited for
    /// it.
    Unknown(Option<Failure>),
    /// The vault demands a token.
    Challenged(Challenge),
    /// The vault answered an anonymous request with something other than a challenge, so each request is sent.
    Open,
}

/// A failed probe's outcome, which may answer every waiting request.
#[derive(Debug, Clone)]
enum Failure {
    /// 429 or 5xx.
    Status(RawResponse),
    /// A 401 without a usable challenge.
    BadChallenge(ChallengeError),
    /// No answer, or one that a policy below turned into an error, such as a throttled request.
    Failed { kind: ErrorKind, why: Arc<str>, failure: NetworkFailure },
}

/// The outcome of an anonymous request.
enum Drawn {
    Challenge(Challenge),
    Failure(Failure),
    /// An answer to this request alone.
    Own(RawResponse),
}

impl ChallengeCachePolicy {
    pub(in crate::vault) fn new(vault: VaultEndpoint) -> Self {
        Self {
            vault,
            state: Mutex::new(State::Unknown(None)),
            failed: AtomicU64::new(0),
            authority: SyncMutex::default(),
            logged: Once::new(),
        }
    }

    /// Returns whether the vault's behaviour is known, so that a probe is not needed.
    pub(in crate::vault) fn is_known(&self) -> bool {
        self.state.try_lock().is_ok_and(|state| !matches!(*state, State::Unknown(_)))
    }

    /// Returns the authority that the vault's last challenge named; `None` if there was no challenge.
    pub(in crate::vault) fn authority(&self) -> Option<NamedAuthority> {
        self.authority.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn authorized(
        &self,
        ctx: &Context<'_>,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let response = below(ctx, request, next).await?;
        if response.status() != StatusCode::Unauthorized {
            return Ok(response);
        }
        let text = response.headers().get_optional_str(&WWW_AUTHENTICATE).unwrap_or_default().to_owned();
        // A probe would get the same challenge. Without a usable one the next anonymous request is a probe.
        let state = match Challenge::for_vault(&text, &self.vault) {
            Ok(challenge) => {
                self.learn(&challenge);
                State::Challenged(challenge)
            }
            Err(_) => State::Unknown(None),
        };
        *self.state.lock().await = state;
        let (status, mut headers, body) = response.try_into_raw_response().await?.deconstruct();
        // The SDK would request another token, for whatever this answer names, and send it here. The mount gets a new
        // token for the cloud's audience instead, since the SDK's credential would only return the refused one.
        headers.remove(WWW_AUTHENTICATE);
        if let Some(claims) = ClaimsChallenge::read(&text) {
            let raw = RawResponse::from_bytes(status, headers, body);
            let kind =
                ErrorKind::HttpResponse { status, error_code: None, raw_response: Some(Box::new(raw)) };
            return Err(Error::with_error(kind, claims, "the vault wants a token with more claims"));
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }

    async fn anonymous(
        &self,
        ctx: &Context<'_>,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let failed = self.failed.load(Ordering::Acquire);
        // Held across the probe, so that concurrent first reads wait for its answer instead of sending probes of
        // their own.
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(_) => {
                // The probe may need the turn, for another try.
                if let Some(admitted) = ctx.value::<Arc<AdmittedRequest>>() {
                    admitted.give_way();
                }
                self.state.lock().await
            }
        };
        match &*state {
            State::Challenged(challenge) => return passed_on(challenge),
            // A request that waited for a failed probe does not probe again: probes one after the other would take
            // longer than a mount may.
            State::Unknown(Some(failure)) if self.failed.load(Ordering::Acquire) != failed => {
                return failure.clone().again();
            }
            State::Unknown(_) => {}
            State::Open => {
                drop(state);
                return match self.draw(ctx, request, next).await {
                    Drawn::Challenge(challenge) => {
                        let answer = passed_on(&challenge);
                        *self.state.lock().await = State::Challenged(challenge);
                        answer
                    }
                    Drawn::Failure(failure) => failure.again(),
                    Drawn::Own(raw) => answer(raw),
                };
            }
        }
        match self.draw(ctx, request, next).await {
            Drawn::Challenge(challenge) => {
                let answer = passed_on(&challenge);
                *state = State::Challenged(challenge);
                answer
            }
            Drawn::Failure(failure) => {
                *state = State::Unknown(Some(failure.clone()));
                self.failed.fetch_add(1, Ordering::Release);
                failure.again()
            }
            Drawn::Own(raw) => {
                *state = State::Open;
                answer(raw)
            }
        }
    }

    /// Sends an anonymous request, and classifies its outcome.
    async fn draw(&self, ctx: &Context<'_>, request: &mut Request, next: &[Arc<dyn Policy>]) -> Drawn {
        let answer = async { below(ctx, request, next).await?.try_into_raw_response().await };
        match answer.await {
            Ok(raw) if raw.status() == StatusCode::Unauthorized => {
                let text = raw.headers().get_optional_str(&WWW_AUTHENTICATE).unwrap_or_default();
                match Challenge::for_vault(text, &self.vault) {
                    Ok(challenge) => {
                        self.learn(&challenge);
                        Drawn::Challenge(challenge)
                    }
                    Err(error) => Drawn::Failure(Failure::BadChallenge(error)),
                }
            }
            Ok(raw) if raw.status().is_server_error() || raw.status() == StatusCode::TooManyRequests => {
                Drawn::Failure(Failure::Status(raw))
            }
            Ok(raw) => Drawn::Own(raw),
            Err(error) => Drawn::Failure(Failure::of(error)),
        }
    }

    fn learn(&self, challenge: &Challenge) {
        if let NamedAuthority::Other(named) = challenge.authority() {
            self.logged.call_once(|| {
                tracing::warn!(
                    vault = self.vault.name(),
                    named = %named,
                    authority = self.vault.authority.authority(),
                    "the vault's challenge names another authority than the cloud's; tokens still come from the cloud's"
                );
            });
        }
        let authority = Some(challenge.authority().clone());
        *self.authority.lock().unwrap_or_else(PoisonError::into_inner) = authority;
    }
}

#[async_trait]
impl Policy for ChallengeCachePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if request.url().host_str() != Some(self.vault.host()) {
            return Err(Error::with_message(
                ErrorKind::Other,
                format!("the vault's answer leads to another host than {}", self.vault.host()),
            ));
        }
        if header(request.headers(), &AUTHORIZATION).is_some() {
            self.authorized(ctx, request, next).await
        } else {
            self.anonymous(ctx, request, next).await
        }
    }
}

impl Failure {
    /// Returns an error's outcome for other requests. Its kind carries the response, if there is one.
    fn of(error: Error) -> Self {
        let (kind, failure) = (error.kind().clone(), NetworkFailure::of(&error));
        let why = Report(&*transport::cause(error)).to_string().into();
        Self::Failed { kind, why, failure }
    }

    fn again(self) -> PolicyResult {
        match self {
            Self::Status(raw) => answer(raw),
            Self::BadChallenge(error) => Err(Error::with_error(
                ErrorKind::Other,
                error,
                "rejected the vault's authentication challenge",
            )),
            Self::Failed { kind, why, failure } => {
                Err(Error::with_error(kind, Unanswered { why, failure }, "the probe failed"))
            }
        }
    }
}

fn answer(raw: RawResponse) -> PolicyResult {
    let (status, headers, body) = raw.deconstruct();
    Ok(AsyncRawResponse::from_bytes(status, headers, body))
}

/// Returns the response that makes the SDK request a token.
fn passed_on(challenge: &Challenge) -> PolicyResult {
    let mut headers = Headers::new();
    headers.insert(WWW_AUTHENTICATE, challenge.to_string());
    Ok(AsyncRawResponse::from_bytes(StatusCode::Unauthorized, headers, &b""[..]))
}

#[cfg(test)]
mod tests;
