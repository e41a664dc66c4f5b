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
        AsyncRawResponse, Context, RawResponse, Request, StatusCode, Url,
        headers::{AUTHORIZATION, Headers, WWW_AUTHENTICATE},
        policies::{Policy, PolicyResult},
    },
};
use tokio::sync::Mutex;

use crate::{
    report::Report,
    transport::{self, NetworkFailure, Unanswered, below},
};

/// The memory of one vault's challenge.
#[derive(Debug)]
pub(super) struct ProbePolicy {
    /// The only host that these clients may talk to, whatever a list's `nextLink` says.
    host: String,
    probes: Mutex<Probes>,
    /// How many probes have come to nothing.
    failed: AtomicU64,
}

/// What came of the probes so far.
#[derive(Debug, Default)]
struct Probes {
    challenge: Option<Arc<str>>,
    /// What the last one came to that drew no challenge.
    failure: Option<Failure>,
}

/// What a probe draws instead of a challenge.
#[derive(Debug, Clone)]
enum Failure {
    Answered(RawResponse),
    Unanswered { kind: ErrorKind, why: Arc<str>, failure: NetworkFailure },
}

impl ProbePolicy {
    pub(super) fn new(host: String) -> Self {
        Self { host, probes: Mutex::default(), failed: AtomicU64::new(0) }
    }

    /// Whether there is nothing to learn, now.
    pub(super) fn is_known(&self) -> bool {
        self.probes.try_lock().is_ok_and(|probes| probes.challenge.is_some())
    }
}

#[async_trait]
impl Policy for ProbePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if request.url().host_str() != Some(self.host.as_str()) {
            return Err(Error::with_message(
                ErrorKind::Other,
                format!("the vault's answer leads to another host than {}", self.host),
            ));
        }

        if request.headers().get_optional_str(&AUTHORIZATION).is_some() {
            let response = below(ctx, request, next).await?;
            if response.status() == StatusCode::Unauthorized {
                self.probes.lock().await.challenge = None;
            }
            return Ok(response);
        }

        let failed = self.failed.load(Ordering::Acquire);
        // Held across the probe, so that concurrent first reads wait for its answer instead of asking too.
        let mut probes = self.probes.lock().await;
        if let Some(challenge) = probes.challenge.as_deref() {
            let mut headers = Headers::new();
            headers.insert(WWW_AUTHENTICATE, challenge.to_owned());
            return Ok(AsyncRawResponse::from_bytes(StatusCode::Unauthorized, headers, &b""[..]));
        }
        // Who waited for a probe that came to nothing has waited long enough: one after the other they would take
        // longer than a mount may.
        if let Some(failure) = &probes.failure
            && self.failed.load(Ordering::Acquire) != failed
        {
            return failure.clone().again();
        }
        let failure = match below(ctx, request, next).await {
            Ok(response) if response.status() == StatusCode::Unauthorized => {
                let challenge = response.headers().get_optional_str(&WWW_AUTHENTICATE);
                probes.challenge = challenge.filter(|text| names_vault(text, &self.host)).map(Into::into);
                return Ok(response);
            }
            Ok(response) => Failure::Answered(response.try_into_raw_response().await?),
            Err(error) => Failure::of(error)?,
        };
        probes.failure = Some(failure.clone());
        self.failed.fetch_add(1, Ordering::Release);
        failure.again()
    }
}

impl Failure {
    /// What an error comes to for others.
    ///
    /// # Errors
    /// With the error itself, where it is none of the network's.
    fn of(error: Error) -> azure_core::Result<Self> {
        match error.kind() {
            kind @ (ErrorKind::Io | ErrorKind::Connection) => {
                let (kind, failure) = (kind.clone(), NetworkFailure::of(&error));
                let why = Report(&*transport::cause(error)).to_string().into();
                Ok(Self::Unanswered { kind, why, failure })
            }
            _ => Err(error),
        }
    }

    fn again(self) -> PolicyResult {
        match self {
            Self::Answered(raw) => {
                let (status, headers, body) = raw.deconstruct();
                Ok(AsyncRawResponse::from_bytes(status, headers, body))
            }
            Self::Unanswered { kind, why, failure } => {
                Err(Error::with_error(kind, Unanswered { why, failure }, "the vault did not answer"))
            }
        }
    }
}

/// Whether a challenge is for the service that the vault at `host` belongs to, as the SDK will demand: the host of its
/// `resource` or `scope` is the vault's domain. Another one fails the mount, and must not be remembered for the next.
fn names_vault(challenge: &str, host: &str) -> bool {
    let audience = challenge
        .split([',', ' '])
        .filter_map(|parameter| parameter.trim().split_once('='))
        .find(|(name, _)| matches!(*name, "resource" | "scope"))
        .and_then(|(_, value)| value.trim_matches('"').parse::<Url>().ok());
    audience.is_some_and(|audience| {
        audience
            .host_str()
            .is_some_and(|domain| host.strip_suffix(domain).is_some_and(|vault| vault.ends_with('.')))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use azure_core::http::Method;

    use super::*;

    #[test]
    fn a_challenge_is_for_the_vaults_own_service() {
        for (challenge, good) in [
            (
                r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net""#,
                true,
            ),
            (r#"Bearer authorization="https://l/t", scope="https://vault.azure.net/.default""#, true),
            (r#"Bearer resource="https://vault.azure.net",authorization="https://l/t""#, true),
            (r#"Bearer authorization="https://l/t", resource="https://vault.evil.net""#, false),
            (r#"Bearer authorization="https://l/t", resource="https://azure.net.evil""#, false),
            (r#"Bearer authorization="https://l/t", resource="https://lab.vault.azure.net""#, false),
            (r#"Bearer authorization="https://l/t", resource="vault.azure.net""#, false),
            (r#"Bearer authorization="https://l/t""#, false),
            ("Basic realm=x", false),
            ("", false),
        ] {
            assert_eq!(names_vault(challenge, "lab.vault.azure.net"), good, "{challenge}");
        }
    }

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
        let foreign = r#"Bearer authorization="https://evil/t", resource="https://evil""#;
        let own = r#"Bearer authorization="https://l/t", resource="https://vault.azure.net""#;
        for (challenges, probes) in [([own, own], 1), ([foreign, own], 2), (["", own], 2)] {
            let policy = ProbePolicy::new("lab.vault.azure.net".to_owned());
            let vault = Arc::new(Vault { asked: AtomicUsize::new(0), challenges });
            let next: [Arc<dyn Policy>; 1] = [vault.clone()];
            for _ in 0..4 {
                let url = "https://lab.vault.azure.net/secrets/s".parse().unwrap();
                policy.send(&Context::new(), &mut Request::new(url, Method::Get), &next).await.unwrap();
            }
            assert_eq!(vault.asked.load(Ordering::Relaxed), probes, "{challenges:?}");
        }
    }
}
