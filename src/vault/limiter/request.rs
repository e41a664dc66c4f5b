//! How much a request matters, and what has become of it so far.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::{sync::watch, time::Instant};

/// What stands behind a request: a mount or several, of which the most urgent counts.
#[derive(Debug)]
pub(crate) struct QueuedRequest {
    urgent: watch::Sender<bool>,
    sent: Mutex<Sent>,
}

/// A request, or those for the pages of a list one after the other: the list is as old as its first page.
#[derive(Debug, Default)]
struct Sent {
    /// When it went out.
    at: Option<Instant>,
    /// Whether there is an answer that will be part of what is given.
    answered: bool,
}

impl QueuedRequest {
    /// A request for a first mount, which a pod waits for, or for a republish, which nobody does.
    pub(crate) fn new(urgent: bool) -> Self {
        Self { urgent: watch::Sender::new(urgent), sent: Mutex::default() }
    }

    /// A first mount waits for it too.
    pub(crate) fn promote(&self) {
        self.urgent.send_if_modified(|urgent| !std::mem::replace(urgent, true));
    }

    /// When the request went out whose answer is the oldest part of what is given; `None` while it waits.
    pub(crate) fn sent(&self) -> Option<Instant> {
        self.lock().at
    }

    /// A request goes out now, the first or another try, or that for a further page.
    pub(in crate::vault) fn goes_out(&self) {
        let mut sent = self.lock();
        if !sent.answered {
            sent.at = Some(Instant::now());
        }
    }

    /// It waits again.
    pub(in crate::vault) fn was_throttled(&self) {
        let mut sent = self.lock();
        if !sent.answered {
            sent.at = None;
        }
    }

    /// It was answered with what was asked for.
    pub(in crate::vault) fn was_answered(&self) {
        self.lock().answered = true;
    }

    fn lock(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::vault) fn urgency(&self) -> watch::Receiver<bool> {
        self.urgent.subscribe()
    }
}
