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
        AsyncRawResponse, Context, Request, StatusCode,
        headers::{AUTHORIZATION, Headers, WWW_AUTHENTICATE},
        policies::{Policy, PolicyResult},
    },
};
use tokio::sync::Mutex;

/// The memory of one vault's challenge.
#[derive(Debug)]
pub(super) struct ChallengePolicy {
    /// The only host that these clients may talk to, whatever a list's `nextLink` says.
    host: String,
    challenge: Mutex<Option<Arc<str>>>,
}

impl ChallengePolicy {
    pub(super) fn new(host: String) -> Self {
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
