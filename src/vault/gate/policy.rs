//! Takes each request to a vault through its gate, and once more when it was throttled.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use azure_core::{
    error::{Error, ErrorKind},
    http::{
        Context, Request, StatusCode,
        headers::{Headers, RETRY_AFTER},
        policies::{Policy, PolicyResult},
    },
    time::{OffsetDateTime, parse_rfc7231},
};
use tokio::time::Instant;

use crate::{metrics::Metrics, transport::below};

use super::{Ask, Gate};

/// How often a request may be throttled before whoever wants it hears of it.
const TRIES: u32 = 5;

/// Below the SDK's own retries, which know nothing of each other and would come back each for itself.
#[derive(Debug)]
pub(in crate::vault) struct GatePolicy {
    vault: Arc<str>,
    gate: Gate,
    metrics: Metrics,
    /// The status that was answered last; 0 before there was one.
    last: AtomicU16,
    /// From 0 to 1.
    jitter: fn() -> f64,
}

impl GatePolicy {
    pub(in crate::vault) fn new(vault: Arc<str>, gate: Gate, metrics: Metrics) -> Self {
        Self { vault, gate, metrics, last: AtomicU16::new(0), jitter: fastrand::f64 }
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
        let mut tries = 1;
        loop {
            let turn = self.gate.turn(ask).await;
            ask.set_sent(Some(Instant::now()));
            let response = below(ctx, request, next).await?;
            self.last.store(response.status().into(), Ordering::Relaxed);
            if response.status() != StatusCode::TooManyRequests {
                turn.answered();
                return Ok(response);
            }
            ask.set_sent(None);
            self.metrics.vault_throttled(&self.vault);
            turn.throttled(retry_after(response.headers()), (self.jitter)());
            if tries == TRIES {
                // As an error, since the SDK would try a response of this status again.
                let raw = response.try_into_raw_response().await?;
                let kind = ErrorKind::HttpResponse {
                    status: raw.status(),
                    error_code: None,
                    raw_response: Some(Box::new(raw)),
                };
                return Err(Error::with_message(kind, "throttled"));
            }
            tries += 1;
        }
    }
}

/// Seconds, or a date (RFC 9110 section 10.2.3). One that cannot be read says nothing.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let text = headers.get_optional_str(&RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let left = parse_rfc7231(text).ok()? - OffsetDateTime::now_utc();
    Some(left.try_into().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let parse = |text: &str| {
            let mut headers = Headers::new();
            headers.insert(RETRY_AFTER, text.to_owned());
            retry_after(&headers)
        };
        assert_eq!(parse("7"), Some(Duration::from_secs(7)));
        assert_eq!(parse(" 0 "), Some(Duration::ZERO));
        assert_eq!(parse("18446744073709551615"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(parse("Fri, 01 Jan 2021 00:00:00 GMT"), Some(Duration::ZERO));
        assert!(parse("Fri, 01 Jan 2100 00:00:00 GMT").unwrap() > Duration::from_secs(1 << 30));
        for text in ["", "-1", "1.5", "soon", "99999999999999999999", "Fri, 99 Jan 2021 00:00:00 GMT"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(retry_after(&Headers::new()), None);
    }
}
