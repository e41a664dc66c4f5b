//! The emulator's distance, and its time to answer a request.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::route::{RequestHead, Route};

/// A handle for delays. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    delays: Arc<RwLock<Delays>>,
    round_trip: RoundTrip,
}

/// A connection's round-trip time. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoundTrip {
    nanoseconds: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Delays {
    all: Duration,
    routes: Vec<(Route, Duration)>,
}

impl Latency {
    /// Delays every request that no route of its own was set for.
    pub fn set(&self, delay: Duration) {
        self.write().all = delay;
    }

    /// Delays matching requests by this duration instead; the route that was set last wins.
    pub fn set_for(&self, route: Route, delay: Duration) {
        self.write().routes.push((route, delay));
    }

    /// Sets the round-trip time between the emulator and the clients of its HTTPS listener and its proxy.
    ///
    /// The delay is in the connection, below TLS. All bytes of the emulator arrive a round trip later, in order, at any
    /// bandwidth, and those of the client at once: a server only reacts, so that its client sees the same times as if
    /// both ways took half of it. A TLS handshake therefore costs its usual round trips, resumed or not, and a request
    /// on an open connection costs one. Opening a connection costs one more, as TCP's handshake does. For a tunnel, the
    /// proxy's answer is delayed; for a direct connection, the first answer is. The connection to the proxy itself has
    /// no delay. Nor do IMDS and NMI, which are on the node.
    ///
    /// The setting takes effect at once, for open connections too. The timers are finer than tokio's, which count in
    /// milliseconds. On two idle processors a request takes 0.1 to 0.2 ms more than its round trip and its time without
    /// one.
    pub fn set_round_trip(&self, round_trip: Duration) {
        self.round_trip.set(round_trip);
    }

    /// Removes all delays.
    pub fn clear(&self) {
        *self.write() = Delays::default();
        self.round_trip.set(Duration::ZERO);
    }

    pub(crate) fn round_trip(&self) -> RoundTrip {
        self.round_trip.clone()
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

impl RoundTrip {
    pub(crate) fn get(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, round_trip: Duration) {
        let nanoseconds = u64::try_from(round_trip.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.store(nanoseconds, Ordering::Relaxed);
    }
}

async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}
