//! A request in a vault's queue: its priority and its progress.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::{sync::watch, time::Instant};

use crate::spec::mount_kind::MountKind;

/// A request to a vault that one or several mounts wait for. The most urgent mount decides its priority.
#[derive(Debug)]
pub(crate) struct QueuedRequest {
    kind: watch::Sender<MountKind>,
    /// The namespace of the pod whose mount began it.
    namespace: Arc<str>,
    /// The namespaces of pods whose mounts wait for it too.
    joined: watch::Sender<Vec<Arc<str>>>,
    /// The number of its arrival at the limiter. With it a request that waits again keeps its position.
    arrival: OnceLock<u64>,
    sent: Mutex<Sent>,
}

/// The progress of a request, or of the requests for the pages of a list in turn: the list is as old as its first
/// page.
#[derive(Debug, Default)]
struct Sent {
    /// The time at which it was sent.
    at: Option<Instant>,
    /// True if there is an answer that will be part of the result.
    answered: bool,
}

/// The most further namespaces in whose turns one request may go. Others wait for it where it is.
const MAX_JOINED: usize = 15;

impl QueuedRequest {
    /// Creates a request that a mount of this kind waits for, for a pod of this namespace.
    pub(crate) fn new(kind: MountKind, namespace: Arc<str>) -> Self {
        Self {
            kind: watch::Sender::new(kind),
            namespace,
            joined: watch::Sender::default(),
            arrival: OnceLock::new(),
            sent: Mutex::default(),
        }
    }

    /// Raises the priority: a mount of this kind waits for the request too, for a pod of this namespace.
    pub(crate) fn join(&self, kind: MountKind, namespace: &Arc<str>) {
        if kind == MountKind::Initial {
            self.promote();
        }
        if *namespace == self.namespace {
            return;
        }
        self.joined.send_if_modified(|joined| {
            let is_new = joined.len() < MAX_JOINED && !joined.contains(namespace);
            if is_new {
                joined.push(namespace.clone());
            }
            is_new
        });
    }

    /// Raises the priority: an initial mount waits for the request too.
    pub(super) fn promote(&self) {
        self.kind.send_if_modified(|kind| std::mem::replace(kind, MountKind::Initial) != MountKind::Initial);
    }

    /// Returns when the request was sent whose answer is the oldest part of the result; `None` while it waits.
    pub(crate) fn sent_at(&self) -> Option<Instant> {
        self.lock().at
    }

    /// Records that a request is sent: a first try, a retry, or the request for a further page.
    pub(in crate::vault) fn mark_sent(&self) {
        let mut sent = self.lock();
        if !sent.answered {
            sent.at = Some(Instant::now());
        }
    }

    /// Records that the request waits again: the vault refused it, or it was withdrawn before it was sent.
    pub(in crate::vault) fn mark_waiting(&self) {
        let mut sent = self.lock();
        if !sent.answered {
            sent.at = None;
        }
    }

    /// Records a successful answer.
    pub(in crate::vault) fn mark_answered(&self) {
        self.lock().answered = true;
    }

    /// Returns the kind of the most urgent mount that waits, with its later changes.
    pub(in crate::vault) fn kind(&self) -> watch::Receiver<MountKind> {
        self.kind.subscribe()
    }

    pub(super) fn namespace(&self) -> &Arc<str> {
        &self.namespace
    }

    /// Returns the namespaces that have joined, with those that join later.
    pub(super) fn joined(&self) -> watch::Receiver<Vec<Arc<str>>> {
        self.joined.subscribe()
    }

    pub(super) fn arrival(&self) -> &OnceLock<u64> {
        &self.arrival
    }

    fn lock(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
