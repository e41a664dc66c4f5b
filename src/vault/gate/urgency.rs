//! How much a request matters, and what has become of it so far.

use std::sync::{Mutex, PoisonError};

use tokio::{sync::watch, time::Instant};

/// What stands behind a request: a mount or several, of which the most urgent counts.
#[derive(Debug)]
pub(crate) struct Ask {
    urgent: watch::Sender<bool>,
    sent: Mutex<Option<Instant>>,
}

impl Ask {
    /// A request for a first mount, which a pod waits for, or for a republish, which nobody does.
    pub(crate) fn new(urgent: bool) -> Self {
        Self { urgent: watch::Sender::new(urgent), sent: Mutex::new(None) }
    }

    /// A first mount waits for it too.
    pub(crate) fn raise(&self) {
        self.urgent.send_if_modified(|urgent| !std::mem::replace(urgent, true));
    }

    /// When the request went out that may be answered next; `None` while it waits.
    pub(crate) fn sent(&self) -> Option<Instant> {
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::vault) fn set_sent(&self, sent: Option<Instant>) {
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) = sent;
    }

    pub(in crate::vault) fn urgency(&self) -> watch::Receiver<bool> {
        self.urgent.subscribe()
    }
}
