//! An adaptive limit of a vault's request rate, learned from its answers.
//!
//! The model has three states.
//!
//! - **Open.** 64 requests are in flight at once, within Key Vault's published limit.
//! - **Closed.** After a 429 no request is sent before the time that the vault named.
//! - **Limited.** After that a [rate](Rate) applies too. It falls once for all refusals of one epoch, and rises by a step
//!   that doubles each second: additive increase, multiplicative decrease. After about ten seconds without a 429 the
//!   vault is open again: Key Vault counts over ten seconds.
//!
//! An epoch begins with the first 429 to a request that was sent in the epoch before. Later refusals of earlier
//! requests belong to the same epoch: they lengthen the wait, and do not lower the rate again.

mod rate;

use std::time::Duration;

use tokio::time::Instant;

use super::{last_second::LastSecond, token_bucket::TokenBucket};

use self::rate::{Rate, Start};

/// The most requests in flight to a vault. Each has a connection, and a connection costs memory.
const MAX_IN_FLIGHT: usize = 64;

/// Key Vault's published limit is 4,000 requests in ten seconds for a vault
/// (<https://learn.microsoft.com/azure/key-vault/general/service-limits>). This burst and this interval add up to it.
const PUBLISHED_BURST: u32 = 1_500;
const PUBLISHED_INTERVAL: Duration = Duration::from_millis(4);

/// A vault that answers at least this many later requests for each concurrent refusal is not at its limit.
const STRAY_ANSWERS: u32 = 3;

/// One stray refusal within this time is forgiven.
const STRAY_MEMORY: Duration = Duration::from_secs(10);

/// The longest wait of the limiter's own backoff.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// The longest accepted `Retry-After`. A wrong header must not keep a node from a vault for days.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// How long after its wait a refusal still counts as a limit if no request comes. By then its [rate](Rate) would have
/// ended, so a vault without history gets as much.
const MAX_UNUSED_LIMIT: Duration = Duration::from_secs(60);

/// The largest jitter on top of each wait is the wait divided by this, and at least [`MIN_JITTER`]. The vault refuses
/// the nodes of a fleet together, and they must not return together. Short jitter is likelier than long: the vault can
/// answer most right after it rested. So the median is a quarter of the range.
const JITTER: u32 = 4;
const MIN_JITTER: Duration = Duration::from_millis(250);

/// A limit of the request rate to one vault. Time comes in as an argument.
#[derive(Debug)]
pub(super) struct AdaptiveLimit {
    /// The first wait after a 429 without `Retry-After`.
    first_backoff: Duration,
    in_flight: usize,
    published: TokenBucket,
    sent: LastSecond,
    answered: LastSecond,
    /// The number of requests that were permitted.
    count: u64,
    epoch: u64,
    /// The refusals of the current epoch.
    refusal: Option<Refusal>,
    rate: Option<Rate>,
    /// The number of consecutive epochs without an answer to a request sent after the one before.
    epochs_in_a_row: u32,
    /// The time of the last forgiven refusal.
    forgiven_at: Option<Instant>,
}

/// The time of the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Now,
    At(Instant),
    /// After the end of a request in flight.
    WhenAnswered,
}

/// A request in flight. It is returned to the limit when it ends.
#[derive(Debug)]
#[must_use = "the limit counts it until it is given back"]
pub struct InFlight {
    /// The number of requests that were permitted before it.
    number: u64,
    epoch: u64,
}

/// The refusals of one epoch.
#[derive(Debug)]
struct Refusal {
    /// The latest time that the vault named, with jitter.
    reopens_at: Instant,
    /// A random number from 0 to 1, whose square is the jitter as a part of its range. It is drawn once for the epoch: of
    /// many draws the largest would win.
    jitter: f64,
    refused: u32,
    /// The number of the first refused request.
    first: u64,
    /// The number of answers to requests that were in flight when the epoch began.
    answered: u32,
    /// The number of answers among them to requests that were sent after the first refused one. An answer to an earlier
    /// request does not show what the vault would answer to a later one.
    answered_later: u32,
    /// The measurements for a start rate, if there was no rate before.
    start: Option<Start>,
    closed: bool,
}

impl AdaptiveLimit {
    pub(super) fn new(first_backoff: Duration) -> Self {
        Self {
            first_backoff,
            in_flight: 0,
            published: TokenBucket::new(PUBLISHED_INTERVAL * (PUBLISHED_BURST - 1)),
            sent: LastSecond::default(),
            answered: LastSecond::default(),
            count: 0,
            epoch: 0,
            refusal: None,
            rate: None,
            epochs_in_a_row: 0,
            forgiven_at: None,
        }
    }

    /// Returns when the next request may be sent.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if let Some(until) = self.closed_until(now) {
            return Next::At(until);
        }
        self.reopen();
        self.forget_rate(now);
        if self.in_flight >= MAX_IN_FLIGHT {
            return Next::WhenAnswered;
        }
        let limited = self.rate.as_ref().and_then(Rate::ready_at);
        match self.published.ready_at().max(limited) {
            Some(at) if now < at => Next::At(at),
            _ => Next::Now,
        }
    }

    /// Returns the time until which the vault is closed, if it is not past.
    pub(super) fn closed_until(&self, now: Instant) -> Option<Instant> {
        let refusal = self.refusal.as_ref().filter(|refusal| refusal.closed)?;
        Some(refusal.reopens_at).filter(|until| now < *until)
    }

    /// Returns whether a refusal limits requests now, by its wait or by its rate. If no request comes after the wait,
    /// the refusal counts for [`MAX_UNUSED_LIMIT`] more.
    pub(super) fn is_limited(&self, now: Instant) -> bool {
        let is_closed = |refusal: &Refusal| refusal.closed && now < refusal.reopens_at + MAX_UNUSED_LIMIT;
        self.refusal.as_ref().is_some_and(is_closed)
            || self.rate.as_ref().is_some_and(|rate| now < rate.ends_at())
    }

    /// Counts a request that is being sent, after [`Self::next`] allowed it.
    pub(super) fn send(&mut self, now: Instant) -> InFlight {
        self.sent.add(now);
        self.in_flight += 1;
        self.published.take(now, PUBLISHED_INTERVAL);
        if let Some(rate) = &mut self.rate {
            rate.send(now);
        }
        self.count += 1;
        InFlight { number: self.count - 1, epoch: self.epoch }
    }

    /// Records an answer of the vault.
    pub(super) fn answered(&mut self, request: InFlight, now: Instant) {
        self.answered.add(now);
        if request.epoch == self.epoch {
            self.epochs_in_a_row = 0;
            if let Some(rate) = &mut self.rate {
                rate.answered();
            }
        } else if let Some(refusal) = &mut self.refusal {
            refusal.answered += 1;
            refusal.answered_later += u32::from(request.number > refusal.first);
        }
        self.ended(request);
    }

    /// Records a refusal. `retry_after` is the wait that the vault named, and `jitter` a random number from 0 to 1.
    pub(super) fn refused(
        &mut self,
        request: InFlight,
        now: Instant,
        retry_after: Option<Duration>,
        jitter: f64,
    ) {
        if request.epoch == self.epoch || self.refusal.is_none() {
            self.begin_epoch(request.number, now, jitter);
        }
        let doublings = self.epochs_in_a_row.saturating_sub(1).min(5);
        let backoff = (self.first_backoff * 2_u32.pow(doublings)).min(MAX_BACKOFF);
        // A vault that refuses again right after its own wait needs a longer one.
        let least = if self.epochs_in_a_row > 1 { backoff } else { Duration::ZERO };
        let wait = retry_after.map_or(backoff, |named| named.min(MAX_RETRY_AFTER).max(least));
        if let Some(refusal) = &mut self.refusal {
            refusal.closed = true;
            refusal.refused += 1;
            let range = (wait / JITTER).max(MIN_JITTER);
            refusal.reopens_at = refusal.reopens_at.max(now + wait + range.mul_f64(refusal.jitter.powi(2)));
        }
        self.ended(request);
    }

    /// Records the end of a request without an answer.
    pub(super) fn ended(&mut self, _request: InFlight) {
        self.in_flight -= 1;
    }

    fn begin_epoch(&mut self, first: u64, now: Instant, jitter: f64) {
        self.epoch += 1;
        self.epochs_in_a_row += 1;
        self.forget_rate(now);
        let start = match &mut self.rate {
            Some(rate) => {
                rate.refused(now);
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
            // A late refusal may have named a later time than this epoch.
            reopens_at: self.refusal.as_ref().map_or(now, |earlier| earlier.reopens_at.max(now)),
            jitter: jitter.clamp(0.0, 1.0),
            refused: 0,
            first,
            answered: 0,
            answered_later: 0,
            start,
            closed: true,
        });
    }

    /// Ends the wait of the current epoch.
    fn reopen(&mut self) {
        let Some(refusal) = self.refusal.as_mut().filter(|refusal| refusal.closed) else { return };
        refusal.closed = false;
        let since = refusal.reopens_at;
        self.rate = match (&self.rate, refusal.start) {
            (_, Some(start)) if refusal.is_stray(start) => {
                self.forgiven_at = Some(since);
                None
            }
            (_, Some(start)) => Some(start.rate(refusal.answered, since)),
            // There is none if it ended while late refusals kept the vault closed.
            (rate, None) => rate.as_ref().map(|rate| rate.resumed(since)),
        };
    }

    fn forget_rate(&mut self, now: Instant) {
        self.rate.take_if(|rate| rate.ends_at() <= now);
    }
}

impl Refusal {
    fn is_stray(&self, start: Start) -> bool {
        // A single refusal proves nothing, even if there was no other request that could have been answered.
        !start.forgiven_before && (self.refused == 1 || self.answered_later >= self.refused * STRAY_ANSWERS)
    }
}

#[cfg(test)]
mod tests;
