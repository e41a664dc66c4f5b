//! Counting of requests and retries.

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

use super::{
    super::{below, header},
    error_for_status, retry_after,
};

/// A policy that begins a call. The exchanges below it are tries of that call.
#[derive(Debug)]
pub(in crate::transport) struct CallPolicy;

/// A policy that observes each exchange of a call, directly above the transport.
#[derive(Debug)]
pub(in crate::transport) struct ExchangePolicy {
    pub(in crate::transport) upstream: Upstream,
    pub(in crate::transport) metrics: Metrics,
    /// The longest `Retry-After` that a mount waits for.
    pub(in crate::transport) longest_wait: Duration,
}

/// The outcome of a call's newest exchange. A caller can put one into the call's context and read it later, even
/// after the call was dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastExchange(Arc<AtomicU16>);

/// Values below all statuses: no exchange yet, and an exchange without an answer.
const NONE: u16 = 0;
const UNANSWERED: u16 = 1;

impl LastExchange {
    /// Returns the status of the newest answer; `None` while there is none.
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
        let before = last.map(|last| last.0.load(Ordering::Relaxed));
        let anonymous = header(request.headers(), &AUTHORIZATION).is_none();
        let operation = operation(self.upstream, request.url().path(), anonymous);
        let result = below(ctx, request, next).await;
        // Counted now, since a request that is dropped before may not have been sent.
        match before {
            // The request after a challenge is the reply to it and not a retry.
            None | Some(NONE | 401) => {}
            Some(_) => self.metrics.retry(self.upstream),
        }
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
                // As an error, since the SDK would wait for the whole time, and the mount would time out first.
                Err(error_for_status(response, "put off for longer than a mount waits").await)
            }
            result => result,
        }
    }
}

impl ExchangePolicy {
    /// Returns whether a response asks the SDK to wait longer than the mount can.
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

/// Returns the operation of a request, from a closed set of labels.
fn operation(upstream: Upstream, path: &str, anonymous: bool) -> &'static str {
    match upstream {
        Upstream::KeyVault => {}
        Upstream::Issuer if path.ends_with("/.well-known/openid-configuration") => return "discovery",
        Upstream::Issuer => return "keys",
        Upstream::Entra | Upstream::Node | Upstream::TokenProxy => return "token",
    }
    if anonymous {
        return "challenge";
    }
    let mut segments = path.trim_end_matches('/').split('/').skip(1);
    let (collection, object, last) = (segments.next(), segments.next(), segments.next());
    match (collection, object, last) {
        (Some("secrets"), None, _) => "list_secrets",
        (Some("secrets"), _, Some("versions")) => "list_secret_versions",
        (Some("secrets"), ..) => "get_secret",
        (Some("keys"), None, _) => "list_keys",
        (Some("keys"), _, Some("versions")) => "list_key_versions",
        (Some("keys"), ..) => "get_key",
        (Some("certificates"), None, _) => "list_certificates",
        (Some("certificates"), _, Some("versions")) => "list_certificate_versions",
        (Some("certificates"), ..) => "get_certificate",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use azure_core::http::{Method, headers::Headers};

    use super::*;

    /// A host that answers with one status after the other, and then never.
    #[derive(Debug)]
    struct Statuses(Mutex<Vec<u16>>);

    #[async_trait::async_trait]
    impl Policy for Statuses {
        async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
            let Some(status) = self.0.lock().unwrap().pop() else { return std::future::pending().await };
            Ok(AsyncRawResponse::from_bytes(status.into(), Headers::new(), &b""[..]))
        }
    }

    #[tokio::test]
    async fn a_request_that_is_withdrawn_before_its_answer_is_no_retry() {
        let metrics = Metrics::new(false);
        let policy = ExchangePolicy {
            upstream: Upstream::KeyVault,
            metrics: metrics.clone(),
            longest_wait: Duration::from_secs(15),
        };
        let mut ctx = Context::new();
        ctx.insert(LastExchange::default());
        let mut request =
            Request::new("https://lab.vault.azure.net/secrets/a/".parse().unwrap(), Method::Get);
        for (status, retries) in [(Some(503), None), (None, None), (Some(200), Some(1))] {
            let host: [Arc<dyn Policy>; 1] = [Arc::new(Statuses(Mutex::new(Vec::from_iter(status))))];
            let answered = futures::poll!(policy.send(&ctx, &mut request, &host)).is_ready();
            assert_eq!(answered, status.is_some());
            let page = metrics.page();
            let counted = page.lines().find_map(|line| {
                line.strip_prefix("akv_upstream_retries_total{upstream=\"keyvault\"} ")?.parse().ok()
            });
            assert_eq!(counted, retries, "{status:?}");
        }
    }

    #[test]
    fn operations_are_from_a_closed_set() {
        for (path, expected) in [
            ("/secrets/db-password/", "get_secret"),
            ("/secrets/db-password/v1", "get_secret"),
            ("/secrets/db-password/versions", "list_secret_versions"),
            ("/secrets", "list_secrets"),
            ("/keys/", "list_keys"),
            ("/certificates", "list_certificates"),
            ("/keys/k/", "get_key"),
            ("/certificates/c/versions", "list_certificate_versions"),
            ("/", "other"),
            ("", "other"),
        ] {
            assert_eq!(operation(Upstream::KeyVault, path, false), expected, "{path}");
            assert_eq!(operation(Upstream::KeyVault, path, true), "challenge", "{path}");
        }
        assert_eq!(operation(Upstream::Entra, "/secrets/x/", true), "token");
        let discovery = "/t/.well-known/openid-configuration";
        assert_eq!(operation(Upstream::Issuer, discovery, true), "discovery");
        assert_eq!(operation(Upstream::Issuer, "/openid/v1/jwks", true), "keys");
    }
}
