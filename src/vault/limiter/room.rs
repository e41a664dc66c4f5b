//! A limit of the requests in flight to all vaults together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most requests in flight that share the room of all vaults. Each has a connection, and a connection costs memory.
const MAX_SHARED: usize = 256;

/// The requests in flight to one vault that need no shared room. Vaults that hang can take all of it, and leave these.
const MAX_OWN: usize = 8;

/// The room that all vaults share. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::vault) struct SharedRoom(Arc<Semaphore>);

/// The room for requests to one vault.
#[derive(Debug)]
pub(super) struct Room {
    own: Arc<Semaphore>,
    shared: SharedRoom,
}

impl SharedRoom {
    pub(in crate::vault) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_SHARED)))
    }
}

impl Room {
    pub(super) fn new(shared: &SharedRoom) -> Self {
        Self { own: Arc::new(Semaphore::new(MAX_OWN)), shared: shared.clone() }
    }

    /// Waits for room for one request. It is taken until the permit is dropped.
    pub(super) async fn acquire(&self) -> OwnedSemaphorePermit {
        let permit = tokio::select! {
            // The shared room stays for others as long as there is room of the vault's own.
            biased;
            permit = self.own.clone().acquire_owned() => permit,
            permit = self.shared.0.clone().acquire_owned() => permit,
        };
        permit.expect("no semaphore is closed")
    }
}
