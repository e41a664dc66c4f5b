//! Who is at the other end of a connection, and how a request may end it.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use crate::azure::Azure;

/// What the requests of a connection have in common.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) azure: Arc<Azure>,
    pub(super) number: u64,
    pub(super) entrance: Entrance,
    pub(super) end: End,
}

/// How a connection came in.
#[derive(Debug)]
pub(super) enum Entrance {
    /// Over TLS, for this server name.
    Https { server_name: Option<String> },
    /// At the address of IMDS.
    Imds,
    /// At the address of NMI.
    Nmi,
}

/// Lets a request end its connection.
#[derive(Debug, Default)]
pub(super) struct End {
    asked: Notify,
    reset: AtomicBool,
}

impl End {
    /// Ends the connection, by a reset or in good order, and never returns.
    pub(super) async fn now(&self, reset: bool) -> Infallible {
        self.reset.store(reset, Ordering::Release);
        self.asked.notify_one();
        std::future::pending().await
    }

    /// Completes when a request has asked for it.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Whether it is to be a reset.
    pub(super) fn by_reset(&self) -> bool {
        self.reset.load(Ordering::Acquire)
    }
}
