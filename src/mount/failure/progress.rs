//! How far a mount has come, so that a timeout never arrives without what was waited for.

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

/// Where a mount is. Whoever gives it up asks [`Progress::waiting`] before it is dropped.
#[derive(Debug)]
pub(in crate::mount) struct Progress(Mutex<State>);

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
}

/// What a mount does at the moment.
#[derive(Debug)]
pub(in crate::mount) enum Phase {
    /// It reads the file that describes the cloud.
    Cloud,
    /// It asks for a token.
    Token {
        /// For whom.
        identity: String,
        /// Whom it asks.
        source: TokenSource,
        /// The authority, where that is whom it asks.
        authority: Option<Url>,
        /// What was answered so far.
        last: LastExchange,
    },
    /// It reads objects.
    Reads {
        /// The vault.
        endpoint: VaultEndpoint,
        /// What is read.
        objects: Arc<[ObjectSpec]>,
        /// Those that are not there yet.
        missing: BTreeSet<usize>,
    },
    /// It makes files of what was read.
    Conversion,
}

impl Progress {
    pub(in crate::mount) fn new() -> Self {
        Self(Mutex::new(State { phase: Phase::Cloud, since: Instant::now() }))
    }

    pub(in crate::mount) fn enter(&self, phase: Phase) {
        *self.lock() = State { phase, since: Instant::now() };
    }

    /// All of `objects` are read from the vault at `endpoint`.
    pub(in crate::mount) fn read(&self, endpoint: &VaultEndpoint, objects: &Arc<[ObjectSpec]>) {
        let missing = (0..objects.len()).collect();
        self.enter(Phase::Reads { endpoint: endpoint.clone(), objects: objects.clone(), missing });
    }

    /// An object is there, or will not be.
    pub(in crate::mount) fn done(&self, index: usize) {
        if let Phase::Reads { missing, .. } = &mut self.lock().phase {
            missing.remove(&index);
        }
    }

    /// What is waited for, and since how long.
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
            Phase::Conversion => TimeoutCause::Conversion,
        };
        (waiting, state.since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
