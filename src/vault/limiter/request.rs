//! A request that waits for a vault: its priority, and what has become of it so far.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::{sync::watch, time::Instant};

use crate::spec::mount_kind::MountKind;

/// A request to a vault that one mount or several wait for, of which the most urgent decides.
#[derive(Debug)]
pub(crate) struct QueuedRequest {
    kind: watch::Sender<MountKind>,
    /// The number of its arrival at the limiter. With it a request that was refused keeps its place.
    arrival: OnceLock<u64>,
    sent: Mutex<Sent>,
}

/// A request, or the requests for the pages of a list one after the other: the list is as old as its first page.
#[derive(Debug, Default)]
struct Sent {
    /// When it went out.
    at: Option<Instant>,
    /// Whether there is an answer that will be part of the result.
    answered: bool,
}

impl QueuedRequest {
    /// A request that a mount of this kind waits for.
    pub(crate) fn new(kind: MountKind) -> Self {
        Self { kind: watch::Sender::new(kind), arrival: OnceLock::new(), sent: Mutex::default() }
    }

    /// An initial mount waits for it too.
    pub(crate) fn promote(&self) {
        self.kind.send_if_modified(|kind| std::mem::replace(kind, MountKind::Initial) != MountKind::Initial);
    }

    /// Returns when the request went out whose answer is the oldest part of the result; `None` while it waits.
    pub(crate) fn sent_at(&self) -> Option<Instant> {
        self.lock().at
    }

    /// A request goes out now: the first or another try, or that for a further page.
    pub(in crate::vault) fn mark_sent(&self) {
        let mut sent = self.lock();
        if !sent.answered {
            sent.at = Some(Instant::now());
        }
    }

    /// The vault refused it, and it waits again.
    pub(in crate::vault) fn mark_refused(&self) {
        let mut sent = self.lock();
        if !sent.answered {
            sent.at = None;
        }
    }

    /// The vault answered with what was asked for.
    pub(in crate::vault) fn mark_answered(&self) {
        self.lock().answered = true;
    }

    /// Returns the kind of the most urgent mount that waits for it, now and later.
    pub(in crate::vault) fn kind(&self) -> watch::Receiver<MountKind> {
        self.kind.subscribe()
    }

    pub(super) fn arrival(&self) -> &OnceLock<u64> {
        &self.arrival
    }

    fn lock(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
