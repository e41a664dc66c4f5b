//! How far away the emulator is, and how long it thinks about a request.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::route::{RequestHead, Route};

/// Waiting times. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    delays: Arc<RwLock<Delays>>,
    round_trip: RoundTrip,
}

/// The time from one end of a connection to the other and back. Clones share it.
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
    /// Delays every request that no route of its own was given for.
    pub fn set(&self, delay: Duration) {
        self.write().all = delay;
    }

    /// Delays matching requests by this much instead; the route given last wins.
    pub fn set_for(&self, route: Route, delay: Duration) {
        self.write().routes.push((route, delay));
    }

    /// Puts this much between the emulator and the clients of its HTTPS listener and its proxy, there and back.
    ///
    /// The delay is in the connection, below TLS: whatever is sent arrives half a round trip later, in order, at any
    /// bandwidth. So a TLS handshake costs the round trips that it takes, a resumed one too, and a request on an open
    /// connection costs one. Opening the connection costs one more, as TCP's handshake does: a tunnel is answered for
    /// that much later, and what a direct connection sends first arrives that much later. The way from the client to
    /// the proxy costs nothing, nor does the way to IMDS and NMI, which are on the node.
    ///
    /// It holds from now on, for open connections too. The timers behind it do not count in milliseconds, as tokio's do,
    /// and what waking up costs on the way in is made up for on the way out: on two idle processors a request takes
    /// 0.1 to 0.2 ms more than its round trip and what it takes without one.
    pub fn set_round_trip(&self, round_trip: Duration) {
        self.round_trip.set(round_trip);
    }

    /// Takes every delay away.
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
