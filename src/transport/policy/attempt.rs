//! Counts every request that really goes out, and those that go out again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use azure_core::http::{
    AsyncRawResponse, Context, Request, StatusCode,
    headers::AUTHORIZATION,
    policies::{Policy, PolicyResult},
};

use crate::metrics::{Metrics, Upstream};

use super::{super::below, error_for_status, retry_after};

/// Begins a call, of which the exchanges below are tries.
#[derive(Debug)]
pub(in crate::transport) struct CallPolicy;

/// Sees each exchange of a call, right above the transport.
#[derive(Debug)]
pub(in crate::transport) struct ExchangePolicy {
    pub(in crate::transport) upstream: Upstream,
    pub(in crate::transport) metrics: Metrics,
    /// The longest that `Retry-After` may keep a mount waiting.
    pub(in crate::transport) longest_wait: Duration,
}

/// How the newest exchange of a call ended. Whoever begins a call can put one into its context and read it later, also
/// when the call was given up.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastExchange(Arc<AtomicU16>);

/// What stands for an exchange that is not there yet, and for one without an answer, among statuses.
const NONE: u16 = 0;
const UNANSWERED: u16 = 1;

impl LastExchange {
    /// The status that was answered; `None` while there is none.
    pub(crate) fn status(&self) -> Option<u16> {
        Some(self.0.load(Ordering::Relaxed)).filter(|status| *status > UNANSWERED)
    }
}

#[async_trait::async_trait]
impl Policy for CallPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if ctx.value::<LastExchange>().is_some() {
            return below(ctx, request, next).await;
        }
        let mut ctx = ctx.to_borrowed();
        ctx.insert(LastExchange::default());
        below(&ctx, request, next).await
    }
}

#[async_trait::async_trait]
impl Policy for ExchangePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let last = ctx.value::<LastExchange>();
        match last.map(|last| last.0.load(Ordering::Relaxed)) {
            // What follows a challenge is its answer, not another try.
            None | Some(NONE | 401) => {}
            Some(_) => self.metrics.retry(self.upstream),
        }
        let anonymous = request.headers().get_optional_str(&AUTHORIZATION).is_none();
        let operation = operation(self.upstream, request.url().path(), anonymous);
        let result = below(ctx, request, next).await;
        let status = result.as_ref().ok().map(|response| u16::from(response.status()));
        self.metrics.exchange(self.upstream, operation, status);
        if let Some(last) = last {
            last.0.store(status.unwrap_or(UNANSWERED), Ordering::Relaxed);
        }
        tracing::trace!(
            upstream = self.upstream.as_str(),
            host = request.url().host_str(),
            operation,
            status,
            "request"
        );
        match result {
            Ok(response) if self.puts_off(&response) => {
                // As an error, since the SDK would wait as long as it is told, and the mount end before it.
                Err(error_for_status(response, "put off for longer than a mount waits").await)
            }
            result => result,
        }
    }
}

impl ExchangePolicy {
    /// Whether an answer asks the SDK to wait for longer than there is time.
    fn puts_off(&self, response: &AsyncRawResponse) -> bool {
        let waits = match (self.upstream, response.status()) {
            (Upstream::Entra | Upstream::TokenProxy, StatusCode::TooManyRequests) => true,
            (Upstream::Node, _) => false,
            // The vault's limiter handles 429.
            (_, status) => status == StatusCode::ServiceUnavailable,
        };
        waits && retry_after(response.headers()).is_some_and(|wait| wait > self.longest_wait)
    }
}

/// What a request is for, from a closed set.
fn operation(upstream: Upstream, path: &str, anonymous: bool) -> &'static str {
    if upstream != Upstream::KeyVault {
        return "token";
    }
    if anonymous {
        return "challenge";
    }
    let list = path.trim_end_matches('/').ends_with("/versions");
    match (path.split('/').nth(1), list) {
        (Some("secrets"), false) => "get_secret",
        (Some("secrets"), true) => "list_secret_versions",
        (Some("keys"), false) => "get_key",
        (Some("keys"), true) => "list_key_versions",
        (Some("certificates"), false) => "get_certificate",
        (Some("certificates"), true) => "list_certificate_versions",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_from_a_closed_set() {
        for (path, expected) in [
            ("/secrets/db-password/", "get_secret"),
            ("/secrets/db-password/v1", "get_secret"),
            ("/secrets/db-password/versions", "list_secret_versions"),
            ("/keys/k/", "get_key"),
            ("/certificates/c/versions", "list_certificate_versions"),
            ("/", "other"),
            ("", "other"),
        ] {
            assert_eq!(operation(Upstream::KeyVault, path, false), expected, "{path}");
            assert_eq!(operation(Upstream::KeyVault, path, true), "challenge", "{path}");
        }
        assert_eq!(operation(Upstream::Entra, "/secrets/x/", true), "token");
    }
}
