//! One gate per vault for the whole node: who may ask next, and when.
//!
//! Waiting mounts stand in one line, first mounts before republishes. When the vault throttles, all of them wait for
//! the same moment, and go on no faster than the vault could answer before.

mod adaptive;
mod policy;
mod request;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

pub(super) use self::{policy::LimiterPolicy, request::QueuedRequest};

use self::adaptive::{Next, Pace};

/// The gate of one vault.
#[derive(Debug)]
pub(super) struct Limiter(Mutex<State>);

#[derive(Debug)]
struct State {
    pace: Pace,
    /// Those who wait: the urgent ones first, and among equals who came first.
    line: BTreeMap<Place, Arc<Notify>>,
    next_number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// False goes before true.
    patient: bool,
    number: u64,
}

/// Leave to send one request. It lasts until it is dropped.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    limiter: &'a Limiter,
    /// When the request went out.
    sent: Instant,
}

impl Limiter {
    /// Open. A vault that throttles and does not say how long is left alone for `first_wait`, and longer each further
    /// time.
    pub(super) fn new(first_wait: Duration) -> Self {
        Self(Mutex::new(State { pace: Pace::new(first_wait), line: BTreeMap::new(), next_number: 0 }))
    }

    /// Waits for a turn. `ask` may become urgent meanwhile.
    ///
    /// # Errors
    /// The vault wants to be left alone for longer than until `latest`.
    pub(super) async fn acquire(
        &self,
        ask: &QueuedRequest,
        latest: Instant,
    ) -> Result<Permit<'_>, WaitTooLong> {
        let mut urgency = ask.urgency();
        let mut waiting = Waiting::join(self, !*urgency.borrow_and_update());
        loop {
            let until = match self.lock().admit(waiting.place, latest) {
                Admission::Granted(sent) => {
                    waiting.admitted = true;
                    return Ok(Permit { limiter: self, sent });
                }
                Admission::Refused => return Err(WaitTooLong),
                Admission::Wait(until) => until,
            };
            let moment = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = waiting.called.notified() => {}
                () = moment => {}
                Ok(()) = urgency.changed() => waiting.hurry(),
            }
        }
    }

    /// Whether the vault has asked us to wait, and the time is not over.
    pub(super) fn is_throttled(&self) -> bool {
        self.lock().pace.throttled_until(Instant::now()).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no turn: the vault wants to be left alone for longer than whoever asks can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WaitTooLong;

enum Admission {
    Granted(Instant),
    /// It would be too late.
    Refused,
    /// Until this moment, or until called.
    Wait(Option<Instant>),
}

impl State {
    fn admit(&mut self, place: Place, latest: Instant) -> Admission {
        let now = Instant::now();
        if self.pace.throttled_until(now).is_some_and(|until| until > latest) {
            return Admission::Refused;
        }
        if self.line.first_key_value().is_none_or(|(first, _)| *first != place) {
            return Admission::Wait(None);
        }
        match self.pace.next(now) {
            Next::Now => {
                self.pace.sent(now);
                self.line.remove(&place);
                self.call();
                Admission::Granted(now)
            }
            Next::At(moment) => Admission::Wait(Some(moment)),
            Next::WhenAnswered => Admission::Wait(None),
        }
    }

    /// Wakes who is first in the line.
    fn call(&self) {
        if let Some((_, first)) = self.line.first_key_value() {
            first.notify_one();
        }
    }
}

/// A place in the line, left when dropped.
struct Waiting<'a> {
    limiter: &'a Limiter,
    place: Place,
    called: Arc<Notify>,
    admitted: bool,
}

impl<'a> Waiting<'a> {
    fn join(limiter: &'a Limiter, patient: bool) -> Self {
        let called = Arc::new(Notify::new());
        let mut state = limiter.lock();
        let place = Place { patient, number: state.next_number };
        state.next_number += 1;
        state.line.insert(place, called.clone());
        Self { limiter, place, called, admitted: false }
    }

    fn hurry(&mut self) {
        let mut state = self.limiter.lock();
        if let Some(called) = state.line.remove(&self.place) {
            self.place.patient = false;
            state.line.insert(self.place, called);
            state.call();
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.admitted {
            let mut state = self.limiter.lock();
            state.line.remove(&self.place);
            state.call();
        }
    }
}

impl Permit<'_> {
    /// The vault answered.
    pub(super) fn answered(self) {
        self.limiter.lock().pace.answered(Instant::now());
    }

    /// The vault throttled. `retry_after` is what it said of when to come back, and `jitter`, from 0 to 1, keeps nodes
    /// from coming back all at once.
    pub(super) fn throttled(self, retry_after: Option<Duration>, jitter: f64) {
        self.limiter.lock().pace.throttled(self.sent, Instant::now(), retry_after, jitter);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        state.pace.ended();
        state.call();
    }
}

#[cfg(test)]
mod tests;
