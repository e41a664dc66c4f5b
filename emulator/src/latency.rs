//! How long the emulator waits before it accepts a connection or answers a request.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use crate::route::{RequestHead, Route};

/// Waiting times. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    delays: Arc<RwLock<Delays>>,
}

#[derive(Debug, Default)]
struct Delays {
    accept: Duration,
    all: Duration,
    routes: Vec<(Route, Duration)>,
}

impl Latency {
    /// Delays every request that no route of its own was given for.
    pub fn set(&self, delay: Duration) {
        self.write().all = delay;
    }

    /// Delays matching requests by this much instead; the route given last wins.
    pub fn set_for(&self, route: Route, delay: Duration) {
        self.write().routes.push((route, delay));
    }

    /// Delays the start of TLS on each new connection.
    pub fn set_accept(&self, delay: Duration) {
        self.write().accept = delay;
    }

    /// Takes every delay away.
    pub fn clear(&self) {
        *self.write() = Delays::default();
    }

    pub(crate) async fn before_accept(&self) {
        let delay = self.delays.read().unwrap_or_else(PoisonError::into_inner).accept;
        pause(delay).await;
    }

    pub(crate) async fn before_answer(&self, head: &RequestHead) {
        let delay = {
            let delays = self.delays.read().unwrap_or_else(PoisonError::into_inner);
            let own = delays.routes.iter().rev().find(|(route, _)| route.matches(head));
            own.map_or(delays.all, |(_, delay)| *delay)
        };
        pause(delay).await;
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Delays> {
        self.delays.write().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}
