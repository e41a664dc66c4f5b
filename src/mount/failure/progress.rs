//! Tracks how far a mount has come, so that every timeout names what the mount waited for.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use azure_core::http::Url;
use tokio::time::Instant;

use crate::{
    cloud::VaultEndpoint,
    identity::TokenSource,
    spec::object::ObjectSpec,
    transport::{Client, LastExchange},
    vault::Vaults,
};

use super::timeout_cause::TimeoutCause;

/// The progress of one mount. On a timeout, [`Progress::waiting`] must be called before the attempt is dropped.
#[derive(Debug)]
pub(in crate::mount) struct Progress {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
}

/// The current phase of a mount.
#[derive(Debug)]
pub(in crate::mount) enum Phase {
    /// Reading the file that describes the cloud.
    Cloud,
    /// Requesting a token.
    Token {
        /// Mode and client id.
        identity: String,
        /// The token source.
        source: TokenSource,
        /// The authority, if it is the token source.
        authority: Option<Url>,
        /// The last HTTP exchange of the request.
        last: LastExchange,
    },
    /// Reading objects.
    Reads {
        /// The vault of the mount.
        endpoint: VaultEndpoint,
        /// All objects of the mount.
        objects: Arc<[ObjectSpec]>,
        /// Indices of the objects that have not been read yet.
        missing: BTreeSet<usize>,
    },
    /// Waiting for memory, which other large volumes use.
    Memory,
    /// Converting objects to files.
    Conversion,
}

impl Progress {
    /// Returns the progress of a mount that was called for at `began`.
    pub(in crate::mount) fn new(began: Instant) -> Self {
        Self { began, state: Mutex::new(State { phase: Phase::Cloud, since: Instant::now() }) }
    }

    /// Returns the time of the call. The mount may have waited for a permit since.
    pub(in crate::mount) fn began(&self) -> Instant {
        self.began
    }

    pub(in crate::mount) fn enter(&self, phase: Phase) {
        *self.lock() = State { phase, since: Instant::now() };
    }

    /// Enters the phase in which all `objects` are read from the vault at `endpoint`.
    pub(in crate::mount) fn read(&self, endpoint: &VaultEndpoint, objects: &Arc<[ObjectSpec]>) {
        let missing = (0..objects.len()).collect();
        self.enter(Phase::Reads { endpoint: endpoint.clone(), objects: objects.clone(), missing });
    }

    /// Marks an object as read or failed.
    pub(in crate::mount) fn done(&self, index: usize) {
        if let Phase::Reads { missing, .. } = &mut self.lock().phase {
            missing.remove(&index);
        }
    }

    /// Returns what the mount waits for, and for how long it has waited.
    pub(in crate::mount) fn waiting(&self, vaults: &Vaults, azure: &Client) -> (TimeoutCause, Duration) {
        let state = self.lock();
        let waiting = match &state.phase {
            Phase::Cloud => TimeoutCause::Cloud,
            Phase::Token { identity, source, authority, last } => TimeoutCause::Token {
                identity: identity.clone(),
                source: source.clone(),
                connect_phase: authority.as_ref().and_then(|authority| azure.connect_phase(authority)),
                last: last.status(),
            },
            Phase::Reads { endpoint, objects, missing } => {
                let status = vaults.status(endpoint);
                TimeoutCause::Reads {
                    host: endpoint.name().to_owned(),
                    missing: missing.iter().map(|index| objects[*index].to_string()).collect(),
                    wanted: objects.len(),
                    connect_phase: status.connect_phase,
                    throttled: status.throttled,
                    last: status.last,
                }
            }
            Phase::Memory => TimeoutCause::Memory,
            Phase::Conversion => TimeoutCause::Conversion,
        };
        (waiting, state.since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
