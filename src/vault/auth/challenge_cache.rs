//! One anonymous probe per vault instead of one per SDK client and concurrent read, and no token to another host.
//!
//! The SDK learns a vault's audience from the 401 that its first, anonymous request draws, and each of its clients
//! learns anew. This policy sits below authorization, sees those anonymous requests, lets one through, and answers
//! the others with the same challenge from memory.
//!
//! Only what says nothing of an object is shared: a challenge, no answer, 429 and 5xx. A vault can also answer an
//! anonymous request with the object itself, as emulators and gateways with a credential of their own do. Such an
//! answer belongs to the request that drew it alone, and each further request is sent for itself.

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
    spec::excerpt::Excerpt,
    transport::{self, NetworkFailure, Unanswered, below},
};

use super::challenge::{Challenge, ChallengeError, ClaimsChallenge};

/// A policy that remembers one vault's challenge.
#[derive(Debug)]
pub(in crate::vault) struct ChallengeCachePolicy {
    /// The vault; its host is the only one that these clients may talk to, whatever a list's `nextLink` says.
    vault: VaultEndpoint,
    state: Mutex<State>,
    /// How many probes failed.
    failed: AtomicU64,
    /// The authority that the vault's last challenge named, where it is not the cloud's.
    other_authority: SyncMutex<Option<Excerpt>>,
    logged: Once,
}

/// What is known of how the vault answers anonymous requests.
#[derive(Debug)]
enum State {
    /// Nothing: the next request is a probe. Holds what the last probe came to, for the requests that waited for it.
    Unknown(Option<Failure>),
    /// It asks for a token.
    Challenged(Challenge),
    /// It answered an anonymous request with something else than a challenge, so each request is sent for itself.
    Open,
}

/// What a probe comes to that every waiting request may be answered with.
#[derive(Debug, Clone)]
enum Failure {
    /// 429 or 5xx.
    Status(RawResponse),
    /// A 401 without a challenge that can be used.
    BadChallenge(ChallengeError),
    /// No answer, or one that a policy below made an error of: a throttled request, for one.
    Failed { kind: ErrorKind, why: Arc<str>, failure: NetworkFailure },
}

/// What an anonymous request drew.
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
            other_authority: SyncMutex::default(),
            logged: Once::new(),
        }
    }

    /// Whether a probe would teach nothing.
    pub(in crate::vault) fn is_known(&self) -> bool {
        self.state.try_lock().is_ok_and(|state| !matches!(*state, State::Unknown(_)))
    }

    /// The authority that the vault's challenge names, where it is another than the cloud's.
    pub(in crate::vault) fn other_authority(&self) -> Option<Excerpt> {
        self.other_authority.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
        *self.state.lock().await = State::Unknown(None);
        let (status, mut headers, body) = response.try_into_raw_response().await?.deconstruct();
        let challenge = headers.get_optional_str(&WWW_AUTHENTICATE).unwrap_or_default().to_owned();
        if let Ok(challenge) = Challenge::for_vault(&challenge, &self.vault) {
            self.learn(&challenge);
        }
        // The SDK would ask for another token, for whatever this answer names, and send it here. A new one for what
        // the cloud names is the mount's to get, since the SDK's credential only has the refused one again.
        headers.remove(WWW_AUTHENTICATE);
        if let Some(claims) = ClaimsChallenge::read(&challenge) {
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
        // Held across the probe, so that concurrent first reads wait for its answer instead of asking too.
        let mut state = self.state.lock().await;
        match &*state {
            State::Challenged(challenge) => return passed_on(challenge),
            // A request that waited for a probe that failed has waited long enough: one after the other they would
            // take longer than a mount may.
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

    /// Sends an anonymous request, and sorts its answer by what it may be used for.
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
        let other = challenge.other_authority().cloned();
        if let Some(named) = &other {
            self.logged.call_once(|| {
                tracing::warn!(
                    vault = self.vault.name(),
                    named = %named,
                    authority = self.vault.authority.authority(),
                    "the vault's challenge names another authority than the cloud's; tokens still come from the cloud's"
                );
            });
        }
        *self.other_authority.lock().unwrap_or_else(PoisonError::into_inner) = other;
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
        if request.headers().get_optional_str(&AUTHORIZATION).is_some() {
            self.authorized(ctx, request, next).await
        } else {
            self.anonymous(ctx, request, next).await
        }
    }
}

impl Failure {
    /// What an error comes to for others. With its kind goes the answer, if there is one.
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

/// The answer that makes the SDK ask for a token.
fn passed_on(challenge: &Challenge) -> PolicyResult {
    let mut headers = Headers::new();
    headers.insert(WWW_AUTHENTICATE, challenge.to_string());
    Ok(AsyncRawResponse::from_bytes(StatusCode::Unauthorized, headers, &b""[..]))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use azure_core::http::{Method, Url};

    use crate::{cloud::CloudEnvironment, spec::cloud::CloudName};

    use super::*;

    const OWN: &str =
        r#"Bearer authorization="https://login.windows.net/t", resource="https://vault.azure.net""#;

    /// A vault that answers with a status, a challenge, or the path that it was asked for.
    #[derive(Debug)]
    struct Vault {
        asked: AtomicUsize,
        /// One answer after the other; the last one for ever.
        answers: Vec<Answer>,
    }

    #[derive(Debug, Clone, Copy)]
    enum Answer {
        Challenge(&'static str),
        Status(u16),
        Path,
    }

    #[async_trait]
    impl Policy for Vault {
        async fn send(&self, _: &Context, request: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            // So that others come while the answer is under way.
            tokio::task::yield_now().await;
            let mut headers = Headers::new();
            Ok(match self.answers[asked.min(self.answers.len() - 1)] {
                Answer::Challenge(challenge) => {
                    headers.insert(WWW_AUTHENTICATE, challenge);
                    AsyncRawResponse::from_bytes(StatusCode::Unauthorized, headers, &b""[..])
                }
                Answer::Status(status) => AsyncRawResponse::from_bytes(status.into(), headers, &b""[..]),
                Answer::Path => {
                    let path = request.url().path().to_owned();
                    AsyncRawResponse::from_bytes(StatusCode::Ok, headers, path)
                }
            })
        }
    }

    struct Setup {
        policy: ChallengeCachePolicy,
        vault: Arc<Vault>,
    }

    impl Setup {
        fn new(answers: &[Answer]) -> Self {
            let cloud = CloudEnvironment::named(CloudName::Public);
            Self {
                policy: ChallengeCachePolicy::new(cloud.vault(&"lab".parse().unwrap())),
                vault: Arc::new(Vault { asked: AtomicUsize::new(0), answers: answers.to_vec() }),
            }
        }

        async fn send(&self, path: &str) -> azure_core::Result<(u16, String)> {
            let url = Url::parse("https://lab.vault.azure.net").unwrap().join(path).unwrap();
            let next: [Arc<dyn Policy>; 1] = [self.vault.clone()];
            let mut request = Request::new(url, Method::Get);
            let answer = self.policy.send(&Context::new(), &mut request, &next).await?;
            let raw = answer.try_into_raw_response().await?;
            Ok((raw.status().into(), String::from_utf8(raw.body().to_vec()).unwrap()))
        }

        fn asked(&self) -> usize {
            self.vault.asked.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn a_challenge_that_cannot_be_used_is_not_remembered() {
        let foreign = r#"Bearer authorization="https://login.windows.net/t", resource="https://evil""#;
        for (first, probes) in [(OWN, 1), (foreign, 2), ("", 2)] {
            let setup = Setup::new(&[Answer::Challenge(first), Answer::Challenge(OWN)]);
            for attempt in 0..4 {
                let answer = setup.send("/secrets/s").await;
                assert_eq!(answer.is_ok(), first == OWN || attempt > 0, "{first} {attempt}");
            }
            assert_eq!(setup.asked(), probes, "{first}");
        }
    }

    #[tokio::test]
    async fn a_vault_that_needs_no_token_gives_each_request_its_own_answer() {
        let setup = Setup::new(&[Answer::Path]);
        let paths: Vec<_> = (0..40).map(|index| format!("/secrets/s{index}/")).collect();
        for _ in 0..3 {
            let answers = futures::future::join_all(paths.iter().map(|path| setup.send(path))).await;
            for (path, answer) in paths.iter().zip(answers) {
                assert_eq!(answer.unwrap(), (200, path.clone()));
            }
        }
        assert_eq!(setup.asked(), 120, "each request is sent once");
    }

    #[tokio::test]
    async fn a_missing_object_is_missing_for_its_own_request_alone() {
        let setup = Setup::new(&[Answer::Status(404), Answer::Path]);
        let (missing, there) = tokio::join!(setup.send("/secrets/missing"), setup.send("/secrets/there"));
        assert_eq!(missing.unwrap().0, 404);
        assert_eq!(there.unwrap(), (200, "/secrets/there".to_owned()));
    }

    #[tokio::test]
    async fn a_failure_is_shared_by_the_requests_that_waited_for_it() {
        for status in [429, 500, 503] {
            let setup = Setup::new(&[Answer::Status(status)]);
            let requests = (0..20).map(|_| setup.send("/secrets/s"));
            for answer in futures::future::join_all(requests).await {
                assert_eq!(answer.unwrap().0, status);
            }
            assert_eq!(setup.asked(), 1);
            setup.send("/secrets/s").await.unwrap();
            assert_eq!(setup.asked(), 2, "a later request asks again");
        }
    }

    #[tokio::test]
    async fn a_vault_that_begins_to_ask_for_tokens_is_probed_once_more() {
        let setup = Setup::new(&[Answer::Path, Answer::Challenge(OWN)]);
        assert_eq!(setup.send("/secrets/s").await.unwrap().0, 200);
        for _ in 0..3 {
            assert_eq!(setup.send("/secrets/s").await.unwrap().0, 401);
        }
        assert_eq!(setup.asked(), 2);
    }
}
