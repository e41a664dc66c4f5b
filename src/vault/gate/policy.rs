//! Takes each request to a vault through its gate, and once more when it was throttled.

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

use super::{Ask, Gate};

/// How often a request may be throttled before whoever wants it hears of it.
const TRIES: u32 = 5;

/// Below the SDK's own retries, which know nothing of each other and would come back each for itself.
#[derive(Debug)]
pub(in crate::vault) struct GatePolicy {
    vault: Arc<str>,
    gate: Gate,
    metrics: Metrics,
    patience: Patience,
    /// The status that was answered last; 0 before there was one.
    last: AtomicU16,
    /// From 0 to 1.
    jitter: fn() -> f64,
}

impl GatePolicy {
    pub(in crate::vault) fn new(vault: Arc<str>, metrics: Metrics, patience: Patience) -> Self {
        let gate = Gate::new(patience.throttled);
        Self { vault, gate, metrics, patience, last: AtomicU16::new(0), jitter: fastrand::f64 }
    }

    /// Whether the vault has asked us to wait.
    pub(in crate::vault) fn is_throttled(&self) -> bool {
        self.gate.is_throttled()
    }

    /// The status that the vault answered last.
    pub(in crate::vault) fn last_status(&self) -> Option<u16> {
        Some(self.last.load(Ordering::Relaxed)).filter(|status| *status != 0)
    }
}

#[async_trait]
impl Policy for GatePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let unasked = Arc::new(Ask::new(true));
        let ask = ctx.value::<Arc<Ask>>().unwrap_or(&unasked);
        // Half of what the mount may take: whoever waits longer does not hear why.
        let latest = Instant::now() + self.patience.again * 3 / 2;
        let mut tries = 1;
        loop {
            let Ok(turn) = self.gate.turn(ask, latest).await else {
                return Err(Error::with_message(
                    ErrorKind::HttpResponse {
                        status: StatusCode::TooManyRequests,
                        error_code: None,
                        raw_response: None,
                    },
                    "not asked, since the vault throttles",
                ));
            };
            ask.set_sent(Some(Instant::now()));
            let response = below(ctx, request, next).await?;
            self.last.store(response.status().into(), Ordering::Relaxed);
            if response.status() != StatusCode::TooManyRequests {
                turn.answered();
                return Ok(response);
            }
            ask.set_sent(None);
            self.metrics.vault_throttled(&self.vault);
            let wait = retry_after(response.headers());
            turn.throttled(wait, (self.jitter)());
            let left = latest.saturating_duration_since(Instant::now());
            if tries == TRIES || wait.unwrap_or_default() > left {
                // As an error, since the SDK would try a response of this status again.
                return Err(unsuccessful(response, "throttled").await);
            }
            tries += 1;
        }
    }
}
