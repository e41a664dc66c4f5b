//! Takes each request to a vault through its limiter, and once more when it was throttled.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use async_trait::async_trait;
use azure_core::{
    error::{Error, ErrorKind},
    http::{
        Context, Request, StatusCode,
        policies::{Policy, PolicyResult},
    },
};
use tokio::time::Instant;

use crate::{
    metrics::Metrics,
    transport::{Patience, below, retry_after, unsuccessful},
};

use super::{Limiter, QueuedRequest};

/// How often a request may be throttled before whoever wants it hears of it.
const TRIES: u32 = 5;

/// Below the SDK's own retries, which know nothing of each other and would come back each for itself.
#[derive(Debug)]
pub(in crate::vault) struct LimiterPolicy {
    vault: Arc<str>,
    limiter: Limiter,
    metrics: Metrics,
    patience: Patience,
    /// The status that was answered last; 0 before there was one.
    last: AtomicU16,
    /// From 0 to 1.
    jitter: fn() -> f64,
}

impl LimiterPolicy {
    pub(in crate::vault) fn new(vault: Arc<str>, metrics: Metrics, patience: Patience) -> Self {
        let limiter = Limiter::new(patience.throttled);
        Self { vault, limiter, metrics, patience, last: AtomicU16::new(0), jitter: fastrand::f64 }
    }

    /// Whether the vault has asked us to wait.
    pub(in crate::vault) fn is_throttled(&self) -> bool {
        self.limiter.is_throttled()
    }

    /// The status that the vault answered last.
    pub(in crate::vault) fn last_status(&self) -> Option<u16> {
        Some(self.last.load(Ordering::Relaxed)).filter(|status| *status != 0)
    }
}

#[async_trait]
impl Policy for LimiterPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let unasked = Arc::new(QueuedRequest::new(true));
        let ask = ctx.value::<Arc<QueuedRequest>>().unwrap_or(&unasked);
        // Half of what the mount may take: whoever waits longer does not hear why.
        let latest = Instant::now() + self.patience.again * 3 / 2;
        let mut tries = 1;
        loop {
            let Ok(permit) = self.limiter.acquire(ask, latest).await else {
                return Err(Error::with_message(
                    ErrorKind::HttpResponse {
                        status: StatusCode::TooManyRequests,
                        error_code: None,
                        raw_response: None,
                    },
                    "not asked, since the vault throttles",
                ));
            };
            ask.goes_out();
            let response = below(ctx, request, next).await?;
            self.last.store(response.status().into(), Ordering::Relaxed);
            if response.status() != StatusCode::TooManyRequests {
                permit.answered();
                if response.status().is_success() {
                    ask.was_answered();
                }
                return Ok(response);
            }
            ask.was_throttled();
            self.metrics.vault_throttled(&self.vault);
            let wait = retry_after(response.headers());
            permit.throttled(wait, (self.jitter)());
            let left = latest.saturating_duration_since(Instant::now());
            if tries == TRIES || wait.unwrap_or_default() > left {
                // As an error, since the SDK would try a response of this status again.
                return Err(unsuccessful(response, "throttled").await);
            }
            tries += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Duration};

    use azure_core::http::{AsyncRawResponse, Method, headers::Headers};

    use super::*;

    /// Answers with one status after the other.
    #[derive(Debug)]
    struct Vault(Mutex<Vec<u16>>);

    #[async_trait]
    impl Policy for Vault {
        async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
            let status = self.0.lock().unwrap().remove(0);
            Ok(AsyncRawResponse::from_bytes(status.into(), Headers::new(), &b""[..]))
        }
    }

    /// A new pod would be given a list whose first page is from before a change.
    #[tokio::test(start_paused = true)]
    async fn a_list_of_several_pages_is_as_old_as_its_first() {
        let patience = Patience::within(Duration::from_secs(90));
        let policy = LimiterPolicy::new("lab".into(), Metrics::new(false), patience);
        let (begin, ask) = (Instant::now(), Arc::new(QueuedRequest::new(true)));
        let mut ctx = Context::new();
        ctx.insert(ask.clone());
        // The first page at the third try, and the second at its second.
        for (statuses, sent) in [(&[503][..], 0), (&[429, 200], 5), (&[429, 200], 5), (&[200], 5)] {
            let vault: Arc<dyn Policy> = Arc::new(Vault(Mutex::new(statuses.to_vec())));
            let mut request = Request::new("https://lab.vault.azure.net/".parse().unwrap(), Method::Get);
            policy.send(&ctx, &mut request, &[vault]).await.unwrap();
            let at = ask.sent().map(|sent| sent.duration_since(begin).as_secs());
            assert_eq!(at, Some(sent), "{statuses:?}");
            tokio::time::advance(Duration::from_secs(4)).await;
        }
    }
}
