//! The limiter as a state machine without clock or I/O: the queue of requests, and the time at which the first one
//! goes.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::spec::mount_kind::MountKind;

use super::{
    adaptive::{self, AdaptiveLimit},
    queue::RequestQueue,
};

pub use super::{adaptive::InFlight, queue::Ticket};

/// The state of one vault's limiter. `T` is the caller's data for each request in the queue.
#[derive(Debug)]
pub struct LimiterState<T> {
    limit: AdaptiveLimit,
    queue: RequestQueue<T>,
}

/// The next step of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// This request goes now.
    Go(Ticket),
    /// The first request goes at this time, if nothing happens before.
    At(Instant),
    /// The first request goes when a request in flight ends.
    WhenAnswered,
    /// The queue is empty.
    Idle,
}

impl<T> LimiterState<T> {
    /// Creates a limiter for a vault without history. After a 429 without `Retry-After` the limiter waits for
    /// `first_backoff`, and twice as long after each further one in a row.
    pub fn new(first_backoff: Duration) -> Self {
        Self { limit: AdaptiveLimit::new(first_backoff), queue: RequestQueue::new() }
    }

    /// Adds a request for a pod of `namespace` to the queue. With the `arrival` of an earlier ticket it takes that
    /// ticket's position in its namespace.
    pub fn join(
        &mut self,
        kind: MountKind,
        namespace: &Arc<str>,
        arrival: Option<u64>,
        request: T,
    ) -> Ticket {
        self.queue.join(kind, namespace, arrival, request)
    }

    /// Moves a request in the queue to the requests of `namespace`, if fewer of these are before it. It keeps its arrival.
    pub fn move_forward(&mut self, ticket: &mut Ticket, namespace: &Arc<str>) {
        self.queue.move_forward(ticket, namespace);
    }

    /// Moves a request in the queue to the initial mounts.
    pub fn promote(&mut self, ticket: &mut Ticket) {
        self.queue.promote(ticket);
    }

    /// Removes a request that no longer waits.
    pub fn leave(&mut self, ticket: &Ticket) {
        self.queue.leave(ticket);
    }

    /// Returns the request that goes next.
    pub fn first(&self) -> Option<&T> {
        self.queue.first().map(|(_, request)| request)
    }

    /// Returns all requests in the queue, in no order.
    pub fn waiting(&self) -> impl Iterator<Item = &T> {
        self.queue.iter()
    }

    /// Returns the next step of the queue.
    pub fn next(&mut self, now: Instant) -> Next {
        let Some((ticket, _)) = self.queue.first() else { return Next::Idle };
        match self.limit.next(now) {
            adaptive::Next::Now => Next::Go(ticket),
            adaptive::Next::At(moment) => Next::At(moment),
            adaptive::Next::WhenAnswered => Next::WhenAnswered,
        }
    }

    /// Sends the first request, after [`Self::next`] returned that it goes now.
    pub fn send(&mut self, now: Instant) -> Option<(Ticket, T, InFlight)> {
        let (ticket, request) = self.queue.pop_first()?;
        Some((ticket, request, self.limit.send(now)))
    }

    /// Records an answer of the vault.
    pub fn answered(&mut self, request: InFlight, now: Instant) {
        self.limit.answered(request, now);
    }

    /// Records a 429. `retry_after` is the wait that the vault named, and `jitter` a random number from 0 to 1.
    pub fn refused(&mut self, request: InFlight, now: Instant, retry_after: Option<Duration>, jitter: f64) {
        self.limit.refused(request, now, retry_after, jitter);
    }

    /// Records the end of a request without an answer.
    pub fn ended(&mut self, request: InFlight) {
        self.limit.ended(request);
    }

    /// Returns the time until which the vault is closed, if it is not past.
    pub fn closed_until(&self, now: Instant) -> Option<Instant> {
        self.limit.closed_until(now)
    }

    /// Returns whether a 429 limits requests now, by its wait or by the rate after it. If no request comes after the
    /// wait, the 429 counts for a minute more.
    pub fn is_limited(&self, now: Instant) -> bool {
        self.limit.is_limited(now)
    }
}

#[cfg(test)]
mod tests;
