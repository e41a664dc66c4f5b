//! One anonymous probe per vault instead of one per SDK client and concurrent read, and no token to another host.
//!
//! The SDK learns a vault's audience from the 401 that its first, anonymous request draws, and each of its clients
//! learns anew. This policy sits below authorization, sees those anonymous requests, lets one through, and answers
//! the others with the same challenge from memory.

use std::sync::{
    Arc,
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
    transport::{self, NetworkFailure, Unanswered, below},
};

use super::challenge::{Challenge, ChallengeError};

/// The memory of one vault's challenge.
#[derive(Debug)]
pub(super) struct ProbePolicy {
    /// The vault; its host is the only one that these clients may talk to, whatever a list's `nextLink` says.
    vault: VaultEndpoint,
    probes: Mutex<Probes>,
    /// How many probes have come to nothing.
    failed: AtomicU64,
}

/// What came of the probes so far.
#[derive(Debug, Default)]
struct Probes {
    challenge: Option<Challenge>,
    /// What the last one came to that drew no challenge.
    failure: Option<Failure>,
}

/// What a probe draws instead of a challenge.
#[derive(Debug, Clone)]
enum Failure {
    Answered(RawResponse),
    NotBelieved(ChallengeError),
    /// No answer, or one that was made an error of below: that the vault throttles, for one.
    Failed {
        kind: ErrorKind,
        why: Arc<str>,
        failure: NetworkFailure,
    },
}

impl ProbePolicy {
    pub(super) fn new(vault: VaultEndpoint) -> Self {
        Self { vault, probes: Mutex::default(), failed: AtomicU64::new(0) }
    }

    /// Whether there is nothing to learn, now.
    pub(super) fn is_known(&self) -> bool {
        self.probes.try_lock().is_ok_and(|probes| probes.challenge.is_some())
    }
}

#[async_trait]
impl Policy for ProbePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if request.url().host_str() != Some(self.vault.host()) {
            return Err(Error::with_message(
                ErrorKind::Other,
                format!("the vault's answer leads to another host than {}", self.vault.host()),
            ));
        }

        if request.headers().get_optional_str(&AUTHORIZATION).is_some() {
            let response = below(ctx, request, next).await?;
            if response.status() != StatusCode::Unauthorized {
                return Ok(response);
            }
            self.probes.lock().await.challenge = None;
            // The SDK would ask for another token, for whatever this answer names, and send it here. A new one for what
            // the cloud names is the mount's to get, since the SDK's credential only has the refused one again.
            let (status, mut headers, body) = response.try_into_raw_response().await?.deconstruct();
            headers.remove(WWW_AUTHENTICATE);
            return Ok(AsyncRawResponse::from_bytes(status, headers, body));
        }

        let failed = self.failed.load(Ordering::Acquire);
        // Held across the probe, so that concurrent first reads wait for its answer instead of asking too.
        let mut probes = self.probes.lock().await;
        if let Some(challenge) = &probes.challenge {
            return Ok(passed_on(challenge));
        }
        // Who waited for a probe that came to nothing has waited long enough: one after the other they would take
        // longer than a mount may.
        if let Some(failure) = &probes.failure
            && self.failed.load(Ordering::Acquire) != failed
        {
            return failure.clone().again();
        }
        let answer = async { below(ctx, request, next).await?.try_into_raw_response().await };
        let failure = match answer.await {
            Ok(answer) if answer.status() == StatusCode::Unauthorized => {
                let text = answer.headers().get_optional_str(&WWW_AUTHENTICATE).unwrap_or_default();
                match Challenge::for_vault(text, &self.vault) {
                    Ok(challenge) => {
                        probes.failure = None;
                        return Ok(passed_on(probes.challenge.insert(challenge)));
                    }
                    Err(error) => Failure::NotBelieved(error),
                }
            }
            Ok(answer) => Failure::Answered(answer),
            Err(error) => Failure::of(error),
        };
        probes.failure = Some(failure.clone());
        self.failed.fetch_add(1, Ordering::Release);
        failure.again()
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
            Self::Answered(raw) => {
                let (status, headers, body) = raw.deconstruct();
                Ok(AsyncRawResponse::from_bytes(status, headers, body))
            }
            Self::NotBelieved(error) => {
                Err(Error::with_error(ErrorKind::Other, error, "the vault is not believed"))
            }
            Self::Failed { kind, why, failure } => {
                Err(Error::with_error(kind, Unanswered { why, failure }, "the probe failed"))
            }
        }
    }
}

/// The answer that makes the SDK ask for a token.
fn passed_on(challenge: &Challenge) -> AsyncRawResponse {
    let mut headers = Headers::new();
    headers.insert(WWW_AUTHENTICATE, challenge.to_string());
    AsyncRawResponse::from_bytes(StatusCode::Unauthorized, headers, &b""[..])
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use azure_core::http::Method;

    use crate::{cloud::CloudEnvironment, spec::cloud::CloudName};

    use super::*;

    /// Answers the first probe with the first challenge, and all others with the second.
    #[derive(Debug)]
    struct Vault {
        asked: AtomicUsize,
        challenges: [&'static str; 2],
    }

    #[async_trait]
    impl Policy for Vault {
        async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            let mut headers = Headers::new();
            headers.insert(WWW_AUTHENTICATE, self.challenges[asked.min(1)]);
            Ok(AsyncRawResponse::from_bytes(StatusCode::Unauthorized, headers, &b""[..]))
        }
    }

    #[tokio::test]
    async fn a_challenge_of_somebody_in_between_is_not_remembered() {
        let foreign = r#"Bearer authorization="https://evil/t", resource="https://vault.azure.net""#;
        let own = r#"Bearer authorization="https://login.windows.net/t", resource="https://vault.azure.net""#;
        let cloud = CloudEnvironment::named(CloudName::Public);
        for (challenges, probes) in [([own, own], 1), ([foreign, own], 2), (["", own], 2)] {
            let policy = ProbePolicy::new(cloud.vault(&"lab".parse().unwrap()));
            let vault = Arc::new(Vault { asked: AtomicUsize::new(0), challenges });
            let next: [Arc<dyn Policy>; 1] = [vault.clone()];
            for attempt in 0..4 {
                let url = "https://lab.vault.azure.net/secrets/s".parse().unwrap();
                let mut request = Request::new(url, Method::Get);
                let answer = policy.send(&Context::new(), &mut request, &next).await;
                assert_eq!(answer.is_ok(), challenges[attempt.min(1)] == own, "{challenges:?} {attempt}");
            }
            assert_eq!(vault.asked.load(Ordering::Relaxed), probes, "{challenges:?}");
        }
    }
}
