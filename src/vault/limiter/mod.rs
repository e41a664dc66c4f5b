//! A limiter for each vault. It decides which request of the node is sent next, and when.
//!
//! Key Vault limits the requests to a vault, whichever pod they are for. The limiter keeps one queue of all requests
//! of this node to a vault, with initial mounts before republishes, in which namespaces take turns. After a 429 the
//! whole queue waits until the same time, and then continues at the rate that the vault answers.
//!
//! [`LimiterState`] decides. It is a value without clock or I/O; `Limiter` gives it the time, and wakes the first
//! request of the queue.

mod adaptive;
mod last_second;
mod policy;
mod queue;
mod request;
mod room;
mod silence;
mod state;
mod token_bucket;
mod turn;

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

pub use self::state::{InFlight, LimiterState, Next, Ticket};
pub(super) use self::{
    policy::LimiterPolicy, request::QueuedRequest, room::SharedRoom, turn::AdmittedRequest,
};

use crate::spec::mount_kind::MountKind;

/// A limiter of the requests to one vault. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Limiter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Notified of each refusal.
    refused: Notify,
}

type State = LimiterState<Arc<Waiter>>;

/// The limiter's state of a request in the queue.
#[derive(Debug)]
struct Waiter {
    /// The latest time at which the request may still wait.
    latest: Instant,
    /// Wakes the request if it may be the first of the queue, or if its wait would end after `latest`.
    woken: Notify,
}

/// A permit to send one request. The request counts as in flight until the permit is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    limiter: Limiter,
    request: Option<InFlight>,
}

/// An error for a request whose wait would end too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WaitTooLong;

impl Limiter {
    /// Creates a limiter for a vault without history. After a 429 without `Retry-After` the limiter waits for
    /// `first_backoff`, and twice as long after each further one in a row.
    pub(super) fn new(first_backoff: Duration) -> Self {
        let state = Mutex::new(LimiterState::new(first_backoff));
        Self(Arc::new(Shared { state, refused: Notify::new() }))
    }

    /// Waits until `request` may be sent. Other tasks may promote it while it waits.
    ///
    /// # Errors
    /// The vault's wait ends after `latest`.
    pub(super) async fn acquire(
        &self,
        request: &QueuedRequest,
        latest: Instant,
    ) -> Result<Permit, WaitTooLong> {
        let (mut kind, mut joined) = (request.kind(), request.joined());
        let mut waiting = {
            let kind = *kind.borrow_and_update();
            Waiting::join(self, kind, request, latest)
        };
        waiting.move_forward(&joined.borrow_and_update());
        loop {
            let until = match waiting.admit()? {
                Admission::Granted(permit) => return Ok(permit),
                Admission::Wait(until) => until,
            };
            let moment = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = waiting.waiter.woken.notified() => {}
                () = moment => {}
                Ok(()) = kind.changed() => waiting.promote(),
                Ok(()) = joined.changed() => waiting.move_forward(&joined.borrow_and_update()),
            }
        }
    }

    /// Returns whether requests wait because the vault throttles: for the end of its wait, or for the rate that it
    /// answers.
    pub(super) fn is_throttling(&self) -> bool {
        let (state, now) = (self.lock(), Instant::now());
        state.closed_until(now).is_some() || state.is_limited(now) && state.first().is_some()
    }

    /// Returns whether no request may be sent before the time that the vault named.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed_until(Instant::now()).is_some()
    }

    /// Returns whether the vault's refusals still limit its requests.
    pub(super) fn is_limited(&self) -> bool {
        self.lock().is_limited(Instant::now())
    }

    /// Waits until no request may be sent while `is_waiting` is true. That is evaluated each time the future is polled.
    pub(super) async fn closed_while(&self, is_waiting: impl Fn() -> bool) {
        let mut refused = pin!(self.0.refused.notified());
        poll_fn(|context| {
            while refused.as_mut().poll(context).is_ready() {
                refused.set(self.0.refused.notified());
            }
            if is_waiting() && self.is_closed() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Admission {
    Granted(Permit),
    /// Wait until this time, or until woken.
    Wait(Option<Instant>),
}

/// A request in the queue. It leaves the queue when this value is dropped.
struct Waiting<'a> {
    limiter: &'a Limiter,
    ticket: Ticket,
    waiter: Arc<Waiter>,
    is_queued: bool,
}

impl<'a> Waiting<'a> {
    fn join(limiter: &'a Limiter, kind: MountKind, request: &QueuedRequest, latest: Instant) -> Self {
        let waiter = Arc::new(Waiter { latest, woken: Notify::new() });
        let arrival = request.arrival().get().copied();
        let ticket = limiter.lock().join(kind, request.namespace(), arrival, waiter.clone());
        request.arrival().get_or_init(|| ticket.arrival());
        Self { limiter, ticket, waiter, is_queued: true }
    }

    fn admit(&mut self) -> Result<Admission, WaitTooLong> {
        let (mut state, now) = (self.limiter.lock(), Instant::now());
        if state.closed_until(now).is_some_and(|until| until > self.waiter.latest) {
            return Err(WaitTooLong);
        }
        if !state.first().is_some_and(|first| Arc::ptr_eq(first, &self.waiter)) {
            return Ok(Admission::Wait(None));
        }
        match state.next(now) {
            Next::Go(_) => {}
            Next::At(moment) => return Ok(Admission::Wait(Some(moment))),
            Next::WhenAnswered | Next::Idle => return Ok(Admission::Wait(None)),
        }
        let request = state.send(now).map(|(_, _, request)| request);
        self.is_queued = false;
        wake_first(&state);
        Ok(Admission::Granted(Permit { limiter: self.limiter.clone(), request }))
    }

    fn promote(&mut self) {
        let mut state = self.limiter.lock();
        state.promote(&mut self.ticket);
        wake_first(&state);
    }

    /// Moves the request to the one of these namespaces in which the fewest requests are before it.
    fn move_forward(&mut self, namespaces: &[Arc<str>]) {
        if namespaces.is_empty() {
            return;
        }
        let mut state = self.limiter.lock();
        for namespace in namespaces {
            state.move_forward(&mut self.ticket, namespace);
        }
        wake_first(&state);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_queued {
            let mut state = self.limiter.lock();
            state.leave(&self.ticket);
            wake_first(&state);
        }
    }
}

impl Permit {
    /// Records an answer of the vault.
    pub(super) fn answered(mut self) {
        if let Some(request) = self.request.take() {
            self.limiter.lock().answered(request, Instant::now());
        }
    }

    /// Records a 429. `retry_after` is the wait that the vault named, and `jitter` a random number from 0 to 1.
    pub(super) fn refused(mut self, retry_after: Option<Duration>, jitter: f64) {
        let Some(request) = self.request.take() else { return };
        let (mut state, now) = (self.limiter.lock(), Instant::now());
        state.refused(request, now, retry_after, jitter);
        if let Some(until) = state.closed_until(now) {
            state
                .waiting()
                .filter(|waiter| waiter.latest < until)
                .for_each(|waiter| waiter.woken.notify_one());
        }
        drop(state);
        self.limiter.0.refused.notify_waiters();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        if let Some(request) = self.request.take() {
            state.ended(request);
        }
        wake_first(&state);
    }
}

/// Wakes the first request of the queue, which then computes when it may be sent.
fn wake_first(state: &State) {
    if let Some(first) = state.first() {
        first.woken.notify_one();
    }
}

#[cfg(test)]
mod tests;
