//! The phases of pending connections, so that a timeout can report what it waited for.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// The phase of a connection that is being established.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectPhase {
    /// The connection to the proxy, and its tunnel.
    Proxy,
    /// The look-up of the host's addresses.
    Dns,
    /// The TCP connection to the host.
    Tcp,
    /// The TLS handshake.
    Tls,
}

impl fmt::Display for ConnectPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proxy => "the proxy",
            Self::Dns => "an answer of DNS",
            Self::Tcp => "the TCP connection",
            Self::Tls => "the TLS handshake",
        })
    }
}

/// A map of pending connections by authority. Clones share it.
#[derive(Clone, Default)]
pub(in crate::transport) struct PendingDials(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    next: u64,
    hosts: HashMap<String, Vec<(u64, ConnectPhase)>>,
}

/// A pending connection. It is removed from the map when this value is dropped.
pub(in crate::transport) struct Dial {
    dials: PendingDials,
    authority: String,
    number: u64,
    /// True once the proxy is connected. For others its tunnel is a part of the phase of the proxy.
    asked_for_tunnel: AtomicBool,
}

impl PendingDials {
    pub(in crate::transport) fn begin(&self, authority: String) -> Dial {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.hosts.entry(authority.clone()).or_default().push((number, ConnectPhase::Dns));
        drop(state);
        Dial { dials: self.clone(), authority, number, asked_for_tunnel: AtomicBool::new(false) }
    }

    /// Returns the number of pending connections to a host, and the phase of the oldest one.
    pub(in crate::transport) fn to(&self, authority: &str) -> Option<(usize, ConnectPhase)> {
        let state = self.lock();
        let dials = state.hosts.get(authority)?;
        Some((dials.len(), dials.first()?.1))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dial {
    pub(in crate::transport) fn enter(&self, connect_phase: ConnectPhase) {
        let mut state = self.dials.lock();
        let dials = state.hosts.get_mut(&self.authority);
        if let Some(dial) = dials.and_then(|dials| dials.iter_mut().find(|dial| dial.0 == self.number)) {
            dial.1 = connect_phase;
        }
    }

    pub(in crate::transport) fn connect_phase(&self) -> ConnectPhase {
        let state = self.dials.lock();
        let dials = state.hosts.get(&self.authority);
        let dial = dials.and_then(|dials| dials.iter().find(|dial| dial.0 == self.number));
        dial.map_or(ConnectPhase::Dns, |dial| dial.1)
    }

    /// Records that the proxy is connected, and is asked for a tunnel to the host.
    pub(in crate::transport) fn ask_for_tunnel(&self) {
        self.asked_for_tunnel.store(true, Ordering::Relaxed);
    }

    /// Returns whether the proxy is connected, and has not opened its tunnel yet.
    pub(in crate::transport) fn waits_for_tunnel(&self) -> bool {
        self.asked_for_tunnel.load(Ordering::Relaxed) && self.connect_phase() == ConnectPhase::Proxy
    }
}

impl Drop for Dial {
    fn drop(&mut self) {
        let mut state = self.dials.lock();
        if let Some(dials) = state.hosts.get_mut(&self.authority) {
            dials.retain(|dial| dial.0 != self.number);
            if dials.is_empty() {
                state.hosts.remove(&self.authority);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_waits_for_its_tunnel_from_the_proxys_connection_to_the_handshake() {
        let dial = PendingDials::default().begin("lab".to_owned());
        dial.enter(ConnectPhase::Proxy);
        assert!(!dial.waits_for_tunnel());
        dial.ask_for_tunnel();
        assert!(dial.waits_for_tunnel());
        dial.enter(ConnectPhase::Tls);
        assert!(!dial.waits_for_tunnel());
    }

    #[test]
    fn the_oldest_connection_to_a_host_says_how_far_it_is() {
        let dials = PendingDials::default();
        let (first, second) = (dials.begin("lab".to_owned()), dials.begin("lab".to_owned()));
        assert_eq!(dials.to("lab"), Some((2, ConnectPhase::Dns)));
        first.enter(ConnectPhase::Tls);
        assert_eq!((first.connect_phase(), second.connect_phase()), (ConnectPhase::Tls, ConnectPhase::Dns));
        assert_eq!(dials.to("lab"), Some((2, ConnectPhase::Tls)));
        drop(first);
        assert_eq!(dials.to("lab"), Some((1, ConnectPhase::Dns)));
        drop(second);
        assert!(dials.lock().hosts.is_empty(), "a host without connections leaves no entry");
    }
}
