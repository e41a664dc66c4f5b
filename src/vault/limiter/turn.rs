//! A request's turn at a vault, taken before the request is built.
//!
//! Mounts begin more reads than a vault may get at once. What the SDK builds for a request, its future, headers and URL,
//! takes about 10 KiB, so only requests whose turn it is are built.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{Permit, QueuedRequest};

/// A permit of the limiter with room beside the requests to other vaults.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) permit: Permit,
    pub(super) room: OwnedSemaphorePermit,
    /// The latest time at which the request may wait for another turn.
    pub(super) latest: Instant,
}

/// A request whose turn it is, in the context of the SDK's pipeline. Its first try takes the turn.
#[derive(Debug)]
pub(in crate::vault) struct AdmittedRequest {
    queued: Arc<QueuedRequest>,
    turn: Mutex<Option<Turn>>,
}

impl AdmittedRequest {
    pub(super) fn new(queued: Arc<QueuedRequest>, turn: Turn) -> Self {
        Self { queued, turn: Mutex::new(Some(turn)) }
    }

    /// Returns the request's place in the queue.
    pub(in crate::vault) fn queued(&self) -> &Arc<QueuedRequest> {
        &self.queued
    }

    /// Lets another request go first. This one waits again before it is sent.
    pub(in crate::vault) fn give_way(&self) {
        drop(self.take_turn());
    }

    pub(super) fn take_turn(&self) -> Option<Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
