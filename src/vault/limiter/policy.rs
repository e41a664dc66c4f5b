//! The pipeline policy that applies a vault's limiter, and retries after a 429.

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
use tokio::{sync::SemaphorePermit, time::Instant};

use crate::{
    metrics::Metrics,
    spec::mount_kind::MountKind,
    transport::{MAX_THROTTLED_TRIES, Timeouts, below, error_for_status, retry_after},
};

use super::{
    Limiter, Permit, QueuedRequest, WaitTooLong,
    room::{Room, SharedRoom},
};

/// A policy that sends each request when the vault's limiter permits it, and again after a 429.
///
/// It is below the SDK's retries. SDK retries do not know of each other, so each would return at a time of its own.
#[derive(Debug)]
pub(in crate::vault) struct LimiterPolicy {
    vault: Arc<str>,
    limiter: Limiter,
    room: Room,
    metrics: Metrics,
    timeouts: Timeouts,
    /// The status of the last answer; 0 before the first one.
    last: AtomicU16,
    /// Returns a random number from 0 to 1.
    jitter: fn() -> f64,
}

impl LimiterPolicy {
    pub(in crate::vault) fn new(
        vault: Arc<str>,
        room: &SharedRoom,
        metrics: Metrics,
        timeouts: Timeouts,
    ) -> Self {
        let (limiter, room) = (Limiter::new(timeouts.throttle_backoff), Room::new(room));
        Self { vault, limiter, room, metrics, timeouts, last: AtomicU16::new(0), jitter: fastrand::f64 }
    }

    /// Waits until the limiter permits a request, and until there is room for it beside those to other vaults.
    async fn admit(
        &self,
        queued: &QueuedRequest,
        latest: Instant,
    ) -> Result<(Permit<'_>, SemaphorePermit<'_>), WaitTooLong> {
        loop {
            // In this order: a request that waits for a vault that throttles takes no room.
            let permit = self.limiter.acquire(queued, latest).await?;
            let room = self.room.acquire().await;
            // The vault may have refused other requests meanwhile.
            if !self.limiter.is_closed() {
                return Ok((permit, room));
            }
        }
    }

    /// Returns whether requests wait because the vault throttles.
    pub(in crate::vault) fn is_throttling(&self) -> bool {
        self.limiter.is_throttling()
    }

    /// Returns whether the vault's refusals still limit its requests.
    pub(in crate::vault) fn is_limited(&self) -> bool {
        self.limiter.is_limited()
    }

    /// Returns the status of the vault's last answer.
    pub(in crate::vault) fn last_status(&self) -> Option<u16> {
        Some(self.last.load(Ordering::Relaxed)).filter(|status| *status != 0)
    }
}

#[async_trait]
impl Policy for LimiterPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let unqueued = Arc::new(QueuedRequest::new(MountKind::Initial));
        let queued = ctx.value::<Arc<QueuedRequest>>().unwrap_or(&unqueued);
        // Half of the mount timeout: a request that waits longer could not report why it failed.
        let latest = Instant::now() + self.timeouts.throttle_wait;
        let mut tries = 1;
        loop {
            let Ok((permit, _room)) = self.admit(queued, latest).await else {
                return Err(Error::with_message(
                    ErrorKind::HttpResponse {
                        status: StatusCode::TooManyRequests,
                        error_code: None,
                        raw_response: None,
                    },
                    "not asked, since the vault throttles",
                ));
            };
            queued.mark_sent();
            let response = below(ctx, request, next).await?;
            self.last.store(response.status().into(), Ordering::Relaxed);
            if response.status() != StatusCode::TooManyRequests {
                permit.answered();
                if response.status().is_success() {
                    queued.mark_answered();
                }
                return Ok(response);
            }
            queued.mark_refused();
            self.metrics.vault_throttled(&self.vault);
            let wait = retry_after(response.headers());
            permit.refused(wait, (self.jitter)());
            let left = latest.saturating_duration_since(Instant::now());
            if tries == MAX_THROTTLED_TRIES || wait.unwrap_or_default() > left {
                // As an error, since the SDK would retry a response with this status.
                return Err(error_for_status(response, "throttled").await);
            }
            tries += 1;
        }
    }
}

#[cfg(test)]
mod tests;
