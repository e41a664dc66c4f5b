//! How fast a vault may be asked, learned from its answers.
//!
//! The model has three states.
//!
//! - **Open.** 64 requests are in flight at once, within Key Vault's published limit.
//! - **Closed.** After a 429 nothing goes before the moment that the vault named.
//! - **Limited.** From then on a rate holds too. It falls to [`DECREASE`] of it once for all the refusals of one epoch, and
//!   rises by a step that doubles each second (additive increase, multiplicative decrease). After about ten seconds without
//!   a 429 the vault is open again: Key Vault counts over ten seconds.
//!
//! The rate starts at what the vault answered in the second before the first refusal, if as much was asked of it, and
//! otherwise at [`UNKNOWN_RATE`]. Until the vault has answered for a second at some rate, a refusal shows that this start is
//! too high. The next one is halfway, in proportion, between what was refused and what was answered.
//!
//! An epoch begins with the first 429 to a request that was sent in the epoch before. Later refusals of requests from
//! before it belong to it: they lengthen the wait, and do not slow the rate once more.

use std::time::Duration;

use tokio::time::Instant;

use super::{last_second::LastSecond, token_bucket::TokenBucket};

/// How many requests a vault gets from this node at once: each has a connection, and a connection has memory.
const MAX_IN_FLIGHT: usize = 64;

/// Key Vault's published limit is 4,000 requests in ten seconds for a vault
/// (<https://learn.microsoft.com/azure/key-vault/general/service-limits>). This burst and this rate make as many.
const PUBLISHED_BURST: u32 = 1_500;
const PUBLISHED_INTERVAL: Duration = Duration::from_millis(4);

/// The rate after a first refusal, in requests a second, where too few were asked for to tell what the vault answers. It is
/// half of the published limit: others use such a vault too.
const UNKNOWN_RATE: f64 = 200.0;

/// The most that is concluded from one second of answers, in requests a second: what the published limit allows for long.
const MAX_START_RATE: f64 = 250.0;

/// How many times more a vault answers in a second than it is asked for at first. Its second and ours differ, since requests
/// travel for different times.
const START_MARGIN: f64 = 1.1;

/// The least that is asked of a vault, in requests a second.
const MIN_RATE: f64 = 5.0;

/// The part of the rate that is left after the refusals of one epoch.
const DECREASE: f64 = 0.85;

/// The first step of the increase is this part of the rate, and not less than [`MIN_STEP`].
const FIRST_STEP: f64 = 0.01;
const MIN_STEP: f64 = 0.25;

/// Above this rate, in requests a second, only the published limit holds.
const MAX_RATE: f64 = 1_000.0;

/// For how long requests of a limited vault may be saved up to go at once.
const RATE_SLACK: Duration = Duration::from_millis(50);

/// A vault that answers at least so many requests for each one that it refuses at the same time is not at its limit.
const STRAY_ANSWERS: u32 = 3;

/// One stray refusal in so long is forgiven.
const STRAY_MEMORY: Duration = Duration::from_secs(10);

/// The longest wait of our own doubling.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// The longest wait that a vault can name. A header that is wrong must not keep a node from a vault for days.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Random time on top of each wait is up to this part of it, and never from a smaller range than [`MIN_JITTER`]. The nodes
/// of a fleet are refused together, and must not come back together.
const JITTER: u32 = 4;
const MIN_JITTER: Duration = Duration::from_millis(250);

/// What is known of how fast a vault may be asked. Time comes in as an argument.
#[derive(Debug)]
pub(super) struct AdaptiveLimit {
    /// The first wait after a 429 that names no moment.
    first_backoff: Duration,
    in_flight: usize,
    published: TokenBucket,
    sent: LastSecond,
    answered: LastSecond,
    epoch: u64,
    /// The newest refusals.
    refusal: Option<Refusal>,
    rate: Option<Rate>,
    /// How many epochs began in a row, each without an answer to a request that was sent after the one before.
    epochs_in_a_row: u32,
    /// When a stray refusal was forgiven.
    forgiven_at: Option<Instant>,
}

/// When the next request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Now,
    At(Instant),
    /// When one that is in flight has ended.
    WhenAnswered,
}

/// A request that is in flight. It is given back to the limit when it ends.
#[derive(Debug)]
#[must_use = "the limit counts it until it is given back"]
pub struct InFlight {
    epoch: u64,
}

/// The refusals of one epoch.
#[derive(Debug)]
struct Refusal {
    /// The latest moment that was named, with its random time on top.
    reopens_at: Instant,
    /// What part of the range of that random time is waited. It is drawn once for the epoch: of many draws the largest
    /// would win.
    jitter: f64,
    refused: u32,
    /// Answers to requests that were in flight when the epoch began.
    answered: u32,
    /// The rate to start from, where there was none and this is no stray refusal.
    start: Option<Start>,
    closed: bool,
}

/// What a first refusal says of the vault's limit.
#[derive(Debug, Clone, Copy)]
struct Start {
    /// Requests that were sent in the second before.
    sent: u32,
    /// Those that were answered in that second.
    answered: u32,
    /// Whether an earlier refusal was forgiven not long ago.
    forgiven_before: bool,
}

/// The rate of a limited vault.
#[derive(Debug)]
struct Rate {
    /// Requests a second at `since`.
    base: f64,
    since: Instant,
    /// Whether the vault has answered at this rate for a second.
    proven: bool,
    /// Answers since `since`.
    answered: u32,
    bucket: TokenBucket,
}

impl AdaptiveLimit {
    pub(super) fn new(first_backoff: Duration) -> Self {
        Self {
            first_backoff,
            in_flight: 0,
            published: TokenBucket::new(PUBLISHED_INTERVAL * (PUBLISHED_BURST - 1)),
            sent: LastSecond::default(),
            answered: LastSecond::default(),
            epoch: 0,
            refusal: None,
            rate: None,
            epochs_in_a_row: 0,
            forgiven_at: None,
        }
    }

    /// Returns when the next request may go.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if let Some(until) = self.closed_until(now) {
            return Next::At(until);
        }
        self.reopen();
        self.forget_rate(now);
        if self.in_flight >= MAX_IN_FLIGHT {
            return Next::WhenAnswered;
        }
        let limited = self.rate.as_ref().and_then(|rate| Some(rate.bucket.ready_at()?.min(rate.ends_at())));
        match self.published.ready_at().max(limited) {
            Some(at) if now < at => Next::At(at),
            _ => Next::Now,
        }
    }

    /// Returns the moment before which the vault is not asked, where that is not past.
    pub(super) fn closed_until(&self, now: Instant) -> Option<Instant> {
        let refusal = self.refusal.as_ref().filter(|refusal| refusal.closed)?;
        Some(refusal.reopens_at).filter(|until| now < *until)
    }

    /// Returns whether a refusal holds requests back, now or by the rate that it led to.
    pub(super) fn is_limited(&self, now: Instant) -> bool {
        self.closed_until(now).is_some()
            || self.refusal.as_ref().is_some_and(|refusal| refusal.closed)
            || self.rate.as_ref().is_some_and(|rate| now < rate.ends_at())
    }

    /// A request goes out. [`Self::next`] said so.
    pub(super) fn send(&mut self, now: Instant) -> InFlight {
        self.sent.add(now);
        self.in_flight += 1;
        self.published.take(now, PUBLISHED_INTERVAL);
        if let Some(rate) = &mut self.rate {
            let interval = Duration::from_secs_f64(1.0 / rate.per_second(now));
            rate.bucket.take(now, interval);
        }
        InFlight { epoch: self.epoch }
    }

    /// The vault answered.
    pub(super) fn answered(&mut self, request: InFlight, now: Instant) {
        self.answered.add(now);
        if request.epoch == self.epoch {
            self.epochs_in_a_row = 0;
            if let Some(rate) = &mut self.rate {
                rate.answered += 1;
                rate.proven |= f64::from(rate.answered) >= rate.base;
            }
        } else if let Some(refusal) = &mut self.refusal {
            refusal.answered += 1;
        }
        self.ended(request);
    }

    /// The vault refused. `retry_after` is the wait that it named, and `jitter` a random number from 0 to 1.
    pub(super) fn refused(
        &mut self,
        request: InFlight,
        now: Instant,
        retry_after: Option<Duration>,
        jitter: f64,
    ) {
        if request.epoch == self.epoch || self.refusal.is_none() {
            self.begin_epoch(now, jitter);
        }
        let doublings = self.epochs_in_a_row.saturating_sub(1).min(5);
        let backoff = (self.first_backoff * 2_u32.pow(doublings)).min(MAX_BACKOFF);
        // A vault that refuses again, right after the wait that it named, needs more.
        let least = if self.epochs_in_a_row > 1 { backoff } else { Duration::ZERO };
        let wait = retry_after.map_or(backoff, |named| named.min(MAX_RETRY_AFTER).max(least));
        if let Some(refusal) = &mut self.refusal {
            refusal.closed = true;
            refusal.refused += 1;
            let range = (wait / JITTER).max(MIN_JITTER);
            refusal.reopens_at = refusal.reopens_at.max(now + wait + range.mul_f64(refusal.jitter));
        }
        self.ended(request);
    }

    /// A request is over without an answer.
    pub(super) fn ended(&mut self, _request: InFlight) {
        self.in_flight -= 1;
    }

    fn begin_epoch(&mut self, now: Instant, jitter: f64) {
        self.epoch += 1;
        self.epochs_in_a_row += 1;
        self.forget_rate(now);
        let start = match &mut self.rate {
            Some(rate) => {
                rate.base = rate.after_refusal(now);
                None
            }
            None => Some(Start {
                sent: self.sent.total(now),
                answered: self.answered.total(now),
                forgiven_before: self
                    .forgiven_at
                    .is_some_and(|at| now.saturating_duration_since(at) < STRAY_MEMORY),
            }),
        };
        self.refusal = Some(Refusal {
            // A refusal that came late may have named a moment after that of this epoch.
            reopens_at: self.refusal.as_ref().map_or(now, |earlier| earlier.reopens_at.max(now)),
            jitter: jitter.clamp(0.0, 1.0),
            refused: 0,
            answered: 0,
            start,
            closed: true,
        });
    }

    /// Ends the wait of the newest refusals.
    fn reopen(&mut self) {
        let Some(refusal) = self.refusal.as_mut().filter(|refusal| refusal.closed) else { return };
        refusal.closed = false;
        let since = refusal.reopens_at;
        let (base, proven) = match (&self.rate, refusal.start) {
            (_, Some(start)) if refusal.is_stray(start) => {
                self.forgiven_at = Some(since);
                self.rate = None;
                return;
            }
            (_, Some(start)) => (start.rate(refusal.answered), false),
            (Some(rate), None) => (rate.base, rate.proven),
            // It was forgotten while late refusals kept the vault closed.
            (None, None) => return,
        };
        self.rate = Some(Rate { base, since, proven, answered: 0, bucket: TokenBucket::new(RATE_SLACK) });
    }

    fn forget_rate(&mut self, now: Instant) {
        self.rate.take_if(|rate| rate.ends_at() <= now);
    }
}

impl Refusal {
    fn is_stray(&self, start: Start) -> bool {
        // A single one proves nothing, also where nothing else was in flight that could have been answered.
        !start.forgiven_before && (self.refused == 1 || self.answered >= self.refused * STRAY_ANSWERS)
    }
}

impl Start {
    /// Returns the rate to start from, in requests a second. `answered_since` are answers to what was in flight.
    fn rate(self, answered_since: u32) -> f64 {
        // Who asked for little does not know how much more the vault would have answered.
        if f64::from(self.sent) < UNKNOWN_RATE {
            return UNKNOWN_RATE;
        }
        let answered = f64::from(self.answered + answered_since);
        (answered / START_MARGIN).clamp(MIN_RATE, MAX_START_RATE)
    }
}

impl Rate {
    /// Returns the rate to go on with after the refusals of an epoch, in requests a second.
    fn after_refusal(&self, now: Instant) -> f64 {
        let refused = self.per_second(now);
        // No answer at all says that the wait was too short, and nothing of the rate.
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

    /// Returns the rate after so many whole seconds.
    fn after(&self, seconds: u64) -> f64 {
        let doublings = i32::try_from(seconds.min(64)).unwrap_or(64);
        let step = (self.base * FIRST_STEP).max(MIN_STEP);
        self.base + step * (2_f64.powi(doublings) - 1.0)
    }

    /// Returns when the rate is no limit any more.
    fn ends_at(&self) -> Instant {
        let seconds = (0..64).find(|seconds| self.after(*seconds) >= MAX_RATE).unwrap_or(64);
        self.since + Duration::from_secs(seconds)
    }
}

#[cfg(test)]
mod tests;
