//! How long a vault has owed an answer to the requests of this node.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long a request that failed without an answer counts after it.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The silence of one vault.
#[derive(Debug, Default)]
pub(super) struct Silence(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    in_flight: usize,
    /// When the first request was sent that the vault's last answer did not come after.
    since: Option<Instant>,
    /// When a request last failed without an answer.
    failed: Option<Instant>,
}

/// A request in flight. If it is dropped, its caller has gone away, or withdrew it before it was sent.
#[derive(Debug)]
pub(super) struct Unanswered<'a>(&'a Silence);

impl Silence {
    /// Records that a request is sent.
    pub(super) fn begin(&self) -> Unanswered<'_> {
        let (mut state, now) = (self.lock(), Instant::now());
        if state.silent_since(now).is_none() {
            state.since = Some(now);
        }
        state.in_flight += 1;
        Unanswered(self)
    }

    /// Returns how long the vault has owed an answer; `None` if it owes none.
    pub(super) fn lasts(&self) -> Option<Duration> {
        let now = Instant::now();
        self.lock().silent_since(now).map(|since| now - since)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn silent_since(&self, now: Instant) -> Option<Instant> {
        let is_recent = self.failed.is_some_and(|failed| now - failed < MAX_AGE);
        self.since.filter(|_| self.in_flight > 0 || is_recent)
    }
}

impl Unanswered<'_> {
    /// Records an answer, whatever its status.
    pub(super) fn answered(self) {
        let mut state = self.0.lock();
        state.failed = None;
        state.since = Some(Instant::now());
    }

    /// Records that there is no answer.
    pub(super) fn failed(self) {
        self.0.lock().failed = Some(Instant::now());
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_vault_is_silent_since_the_first_request_after_its_last_answer() {
        let silence = Silence::default();
        assert_eq!(silence.lasts(), None);
        let (first, second) = (silence.begin(), silence.begin());
        advance(2 * SECOND).await;
        assert_eq!(silence.lasts(), Some(2 * SECOND));
        first.answered();
        advance(3 * SECOND).await;
        assert_eq!(silence.lasts(), Some(3 * SECOND), "the second one has none");
        second.answered();
        assert_eq!(silence.lasts(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_failed_counts_and_one_that_nobody_waits_for_does_not() {
        let silence = Silence::default();
        silence.begin().failed();
        advance(2 * SECOND).await;
        let again = silence.begin();
        advance(SECOND).await;
        assert_eq!(silence.lasts(), Some(3 * SECOND));
        again.failed();
        advance(MAX_AGE).await;
        assert_eq!(silence.lasts(), None);
        drop(silence.begin());
        advance(SECOND).await;
        assert_eq!(silence.lasts(), None);
    }
}
