//! The peer of a connection, and how a request can end the connection.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use crate::azure::Azure;

/// The state that all requests of a connection share.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) azure: Arc<Azure>,
    pub(super) number: u64,
    pub(super) entrance: Entrance,
    pub(super) end: End,
}

impl Peer {
    /// Waits as long as an answer is on its way.
    pub(super) async fn way_back(&self) {
        if matches!(self.entrance, Entrance::Https { .. }) {
            self.azure.alarms.pass(self.azure.latency.round_trip().get()).await;
        }
    }
}

/// The listener that accepted a connection.
#[derive(Debug)]
pub(super) enum Entrance {
    /// The HTTPS listener, for this server name.
    Https { server_name: Option<String> },
    /// The listener of IMDS.
    Imds,
    /// The listener of NMI.
    Nmi,
}

/// A signal with which a request ends its connection.
#[derive(Debug, Default)]
pub(super) struct End {
    asked: Notify,
    reset: AtomicBool,
}

impl End {
    /// Ends the connection, with a reset or a normal close, and never returns.
    pub(super) async fn now(&self, reset: bool) -> Infallible {
        self.reset.store(reset, Ordering::Release);
        self.asked.notify_one();
        std::future::pending().await
    }

    /// Completes when a request ends the connection.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Returns whether the connection ends with a reset.
    pub(super) fn by_reset(&self) -> bool {
        self.reset.load(Ordering::Acquire)
    }
}
