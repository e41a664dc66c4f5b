//! One anonymous probe per vault instead of one per SDK client and concurrent read, and no token to another host.
//!
//! The SDK learns a vault's audience from the 401 that its first, anonymous request draws, and each of its clients
//! learns anew. This policy sits below authorization, sees those anonymous requests, lets one through, and answers
//! the others with the same challenge from memory.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::{
    error::{Error, ErrorKind},
    http::{
        AsyncRawResponse, Context, Request, StatusCode, Url,
        headers::{AUTHORIZATION, Headers, WWW_AUTHENTICATE},
        policies::{Policy, PolicyResult},
    },
};
use moka::sync::Cache;
use tokio::sync::Mutex;

/// How many vaults' challenges are remembered. Vault names come from SecretProviderClasses, so there is a bound.
const MOST: u64 = 1_000;

/// The challenges of all vaults, each learned once: the same for every pod, as it says where to get a token and not
/// who asks. Clones share it.
#[derive(Clone)]
pub(super) struct Challenges(Cache<String, Arc<ChallengePolicy>>);

impl Challenges {
    pub(super) fn new() -> Self {
        Self(Cache::new(MOST))
    }

    /// The policy for the clients of the vault at `url`.
    pub(super) fn of(&self, url: &Url) -> Arc<ChallengePolicy> {
        self.0.get_with_by_ref(url.authority(), || {
            Arc::new(ChallengePolicy::new(url.host_str().unwrap_or_default().to_owned()))
        })
    }
}

impl std::fmt::Debug for Challenges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Challenges")
    }
}

/// The memory of one vault's challenge.
#[derive(Debug)]
pub(super) struct ChallengePolicy {
    /// The only host that these clients may talk to, whatever a list's `nextLink` says.
    host: String,
    challenge: Mutex<Option<Arc<str>>>,
}

impl ChallengePolicy {
    fn new(host: String) -> Self {
        Self { host, challenge: Mutex::new(None) }
    }
}

#[async_trait]
impl Policy for ChallengePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if request.url().host_str() != Some(self.host.as_str()) {
            return Err(Error::with_message(
                ErrorKind::Other,
                format!("the vault's answer leads to another host than {}", self.host),
            ));
        }
        let [transport, rest @ ..] = next else {
            return Err(Error::with_message(ErrorKind::Other, "no transport below the challenge policy"));
        };

        if request.headers().get_optional_str(&AUTHORIZATION).is_some() {
            let response = transport.send(ctx, request, rest).await?;
            if response.status() == StatusCode::Unauthorized {
                *self.challenge.lock().await = None;
            }
            return Ok(response);
        }

        // Held across the probe, so that concurrent first reads wait for its answer instead of asking too.
        let mut known = self.challenge.lock().await;
        if let Some(challenge) = known.as_deref() {
            let mut headers = Headers::new();
            headers.insert(WWW_AUTHENTICATE, challenge.to_owned());
            return Ok(AsyncRawResponse::from_bytes(StatusCode::Unauthorized, headers, &b""[..]));
        }
        let response = transport.send(ctx, request, rest).await?;
        if response.status() == StatusCode::Unauthorized {
            *known = response.headers().get_optional_str(&WWW_AUTHENTICATE).map(Into::into);
        }
        Ok(response)
    }
}
