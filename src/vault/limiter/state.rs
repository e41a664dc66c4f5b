//! The limiter as a state machine without clock or I/O: requests that wait, and when the first of them goes.

use std::time::Duration;

use tokio::time::Instant;

use crate::spec::mount_kind::MountKind;

use super::{
    adaptive::{self, AdaptiveLimit},
    queue::RequestQueue,
};

pub use super::{adaptive::InFlight, queue::Ticket};

/// The state of one vault's limiter. `T` is what the caller keeps with each request that waits.
#[derive(Debug)]
pub struct LimiterState<T> {
    limit: AdaptiveLimit,
    queue: RequestQueue<T>,
}

/// What the requests that wait have to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// This one goes now.
    Go(Ticket),
    /// The first of them goes at this moment, if nothing happens before.
    At(Instant),
    /// The first of them goes when a request that is in flight ends.
    WhenAnswered,
    /// No request waits.
    Idle,
}

impl<T> LimiterState<T> {
    /// A limiter for a vault that has not been asked yet. After a 429 that names no moment it waits for `first_backoff`,
    /// and twice as long after each further one in a row.
    pub fn new(first_backoff: Duration) -> Self {
        Self { limit: AdaptiveLimit::new(first_backoff), queue: RequestQueue::new() }
    }

    /// Adds a request to those that wait. With the `arrival` of an earlier ticket it keeps that one's place.
    pub fn join(&mut self, kind: MountKind, arrival: Option<u64>, request: T) -> Ticket {
        self.queue.join(kind, arrival, request)
    }

    /// Makes a request that waits one of an initial mount.
    pub fn promote(&mut self, ticket: &mut Ticket) {
        self.queue.promote(ticket);
    }

    /// Takes out a request that does not wait any more.
    pub fn leave(&mut self, ticket: &Ticket) {
        self.queue.leave(ticket);
    }

    /// Returns the request that is the next to go.
    pub fn first(&self) -> Option<&T> {
        self.queue.first().map(|(_, request)| request)
    }

    /// Returns all requests that wait, in no order.
    pub fn waiting(&self) -> impl Iterator<Item = &T> {
        self.queue.iter()
    }

    /// Returns what those that wait have to wait for.
    pub fn next(&mut self, now: Instant) -> Next {
        let Some((ticket, _)) = self.queue.first() else { return Next::Idle };
        match self.limit.next(now) {
            adaptive::Next::Now => Next::Go(ticket),
            adaptive::Next::At(moment) => Next::At(moment),
            adaptive::Next::WhenAnswered => Next::WhenAnswered,
        }
    }

    /// Sends the first request. [`Self::next`] said that it goes now.
    pub fn send(&mut self, now: Instant) -> Option<(Ticket, T, InFlight)> {
        let (ticket, request) = self.queue.pop_first()?;
        Some((ticket, request, self.limit.send(now)))
    }

    /// The vault answered a request.
    pub fn answered(&mut self, request: InFlight, now: Instant) {
        self.limit.answered(request, now);
    }

    /// The vault answered 429 to a request. `retry_after` is the wait that it named, and `jitter` a random number from
    /// 0 to 1.
    pub fn refused(&mut self, request: InFlight, now: Instant, retry_after: Option<Duration>, jitter: f64) {
        self.limit.refused(request, now, retry_after, jitter);
    }

    /// A request ended without an answer.
    pub fn ended(&mut self, request: InFlight) {
        self.limit.ended(request);
    }

    /// Returns the moment before which the vault is not asked, where that is not past.
    pub fn closed_until(&self, now: Instant) -> Option<Instant> {
        self.limit.closed_until(now)
    }

    /// Returns whether a 429 holds requests back, or a rate that a 429 led to.
    pub fn is_limited(&self, now: Instant) -> bool {
        self.limit.is_limited(now)
    }
}

#[cfg(test)]
mod tests;
