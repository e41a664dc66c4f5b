//! The rate of a vault that has refused requests: where it starts, how it rises, and how it falls.
//!
//! If at least [`UNKNOWN_RATE`] requests were sent in the second before the first refusal, the rate starts at what the
//! vault answered in that second. Otherwise it starts at [`UNKNOWN_RATE`]. A refusal before the vault has answered at a
//! rate for a second shows that the start was too high. The next rate is the geometric mean of the refused rate and the
//! answered rate. Each further refusal takes [`DECREASE`] of it.

use std::time::Duration;

use tokio::time::Instant;

use super::super::token_bucket::TokenBucket;

/// The rate after a first refusal, in requests a second, if too few requests were sent to know what the vault
/// answers. It is half of the published limit, since such a vault has other clients too.
const UNKNOWN_RATE: f64 = 200.0;

/// The highest start rate that one second of answers can show, in requests a second. The published limit allows it
/// permanently.
const MAX_START_RATE: f64 = 250.0;

/// By what factor a vault's answers in a second can exceed the requests sent in it. The vault's second and the
/// provider's differ, since requests travel for different times.
const START_MARGIN: f64 = 1.1;

/// The lowest rate, in requests a second.
const MIN_RATE: f64 = 5.0;

/// The factor of the rate after the refusals of one epoch.
const DECREASE: f64 = 0.85;

/// The first step of the increase: this part of the rate, at least [`MIN_STEP`].
const FIRST_STEP: f64 = 0.005;
const MIN_STEP: f64 = 0.25;

/// Above this rate, in requests a second, only the published limit applies.
const MAX_RATE: f64 = 1_000.0;

/// How much unused rate of a limited vault can accumulate and be used at once.
const RATE_SLACK: Duration = Duration::from_millis(25);

/// The same after the wait of a first refusal, if few requests were sent before it, and the vault answered enough.
const MAX_FIRST_SLACK: Duration = Duration::from_millis(100);

/// The measurements for the start rate after a first refusal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// The number of requests sent in the second before.
    pub(super) sent: u32,
    /// The number of requests answered in that second.
    pub(super) answered: u32,
    /// True if a refusal shortly before was forgiven.
    pub(super) forgiven_before: bool,
}

/// The rate of a limited vault.
#[derive(Debug)]
pub(super) struct Rate {
    /// Requests a second at `since`.
    base: f64,
    since: Instant,
    /// True if the vault has answered at this rate for a second.
    proven: bool,
    /// The number of answers since `since`.
    answered: u32,
    bucket: TokenBucket,
}

impl Start {
    /// Returns the rate from `since` on. `answered_since` are answers to requests that were in flight.
    ///
    /// After few requests half of what the vault answered in the second before its refusal may be sent at once, since it
    /// has rested meanwhile. The other half is left for a rate that is too high, and for its first steps. A fleet's vault
    /// answers each node only a few requests. After many requests the vault may count whole seconds, so that the first
    /// second must not have more than it answered.
    pub(super) fn rate(self, answered_since: u32, since: Instant) -> Rate {
        let answered = f64::from(self.answered + answered_since);
        // After few requests it is not known how many more the vault would have answered.
        let (base, slack) = if f64::from(self.sent) < UNKNOWN_RATE {
            let slack = Duration::from_secs_f64(answered / 2.0 / UNKNOWN_RATE);
            (UNKNOWN_RATE, slack.clamp(RATE_SLACK, MAX_FIRST_SLACK))
        } else {
            ((answered / START_MARGIN).clamp(MIN_RATE, MAX_START_RATE), RATE_SLACK)
        };
        Rate { base, since, proven: false, answered: 0, bucket: TokenBucket::new(slack) }
    }
}

impl Rate {
    /// Returns the rate again, from `since` on: the wait of a further epoch ends then.
    pub(super) fn resumed(&self, since: Instant) -> Self {
        Self { since, answered: 0, bucket: TokenBucket::new(RATE_SLACK), ..*self }
    }

    /// Returns when the next request may be sent; `None` if it may be sent at any time.
    pub(super) fn ready_at(&self) -> Option<Instant> {
        Some(self.bucket.ready_at()?.min(self.ends_at()))
    }

    /// Counts a request that is sent at `now`.
    pub(super) fn send(&mut self, now: Instant) {
        self.bucket.take(now, Duration::from_secs_f64(1.0 / self.per_second(now)));
    }

    /// Counts an answer to a request that was sent at this rate.
    pub(super) fn answered(&mut self) {
        self.answered += 1;
        self.proven |= f64::from(self.answered) >= self.base;
    }

    /// Lowers the rate, once for the refusals of an epoch.
    pub(super) fn refused(&mut self, now: Instant) {
        self.base = self.after_refusal(now);
    }

    /// Returns the rate after the refusals of an epoch, in requests a second.
    fn after_refusal(&self, now: Instant) -> f64 {
        let refused = self.per_second(now);
        // If there was no answer at all, the wait was too short, and nothing follows about the rate.
        let halfway = if self.proven || self.answered == 0 {
            refused
        } else {
            (refused * f64::from(self.answered)).sqrt()
        };
        halfway.min(refused * DECREASE).max(MIN_RATE)
    }

    fn per_second(&self, now: Instant) -> f64 {
        self.after(now.saturating_duration_since(self.since).as_secs())
    }

    /// Returns the rate after a number of whole seconds.
    fn after(&self, seconds: u64) -> f64 {
        let doublings = i32::try_from(seconds.min(64)).unwrap_or(64);
        let step = (self.base * FIRST_STEP).max(MIN_STEP);
        self.base + step * (2_f64.powi(doublings) - 1.0)
    }

    /// Returns when the rate ceases to limit.
    pub(super) fn ends_at(&self) -> Instant {
        let seconds = (0..64).find(|seconds| self.after(*seconds) >= MAX_RATE).unwrap_or(64);
        self.since + Duration::from_secs(seconds)
    }
}
