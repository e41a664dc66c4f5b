//! Tracks how far a mount has come, so that every timeout names what the mount waited for.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use azure_core::http::Url;
use tokio::time::Instant;

use crate::{
    identity::TokenSource,
    transport::{Client, LastExchange},
    vault::Vaults,
};

use super::{
    super::{requested::Requested, vaults::MountVaults},
    timeout_cause::TimeoutCause,
};

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
        /// The vaults of the mount.
        vaults: MountVaults,
        /// What is read or listed.
        requested: Requested,
        /// Indices of the requests that have no answer yet.
        missing: BTreeSet<usize>,
        /// True if an answer fails the mount, whatever the missing requests are.
        is_decided: bool,
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

    /// Enters the phase in which all that is `requested` is read from `vaults`.
    pub(in crate::mount) fn read(&self, vaults: &MountVaults, requested: Requested) {
        let missing = (0..requested.len()).collect();
        self.enter(Phase::Reads { vaults: vaults.clone(), requested, missing, is_decided: false });
    }

    /// Returns whether the mount waits for an answer of the class's own vault, and no answer so far fails it.
    pub(in crate::mount) fn misses_own_vault(&self) -> bool {
        match &self.lock().phase {
            Phase::Reads { requested, missing, is_decided, .. } => {
                !is_decided && missing.iter().any(|index| requested.vault(*index).is_none())
            }
            Phase::Cloud | Phase::Token { .. } | Phase::Memory | Phase::Conversion => false,
        }
    }

    /// Marks a request as answered or failed. `decides` says that its failure is that of the mount.
    pub(in crate::mount) fn done(&self, index: usize, decides: bool) {
        if let Phase::Reads { missing, is_decided, .. } = &mut self.lock().phase {
            missing.remove(&index);
            *is_decided |= decides;
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
            Phase::Reads { vaults: of_mount, requested, missing, .. } => {
                let first = missing.first().map(|index| of_mount.of_vault(requested.vault(*index)));
                let endpoint = &first.unwrap_or(of_mount.first()).endpoint;
                let status = vaults.status(endpoint);
                let host = endpoint.name().to_owned();
                if status.lists_wait {
                    TimeoutCause::Lists { host }
                } else {
                    TimeoutCause::Reads {
                        host,
                        missing: missing.iter().map(|index| requested.name(*index)).collect(),
                        wanted: requested.len(),
                        connect_phase: status.connect_phase,
                        throttled: status.throttled,
                        last: status.last,
                    }
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
