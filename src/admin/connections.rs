//! Which connections to a port stay open: a value without clock or I/O.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

/// The most open connections to a port.
pub(super) const MAX_CONNECTIONS: usize = 64;

/// The most open connections from one address to a port.
pub(super) const MAX_CONNECTIONS_OF_SOURCE: usize = 8;

/// How many connections kubelet may have at once: a liveness and a readiness probe. While they are answered, they do not
/// make its address the one with the most.
const PROBES_AT_ONCE: usize = 2;

/// The number of a connection in order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ConnectionId(u64);

/// The open connections of a port.
///
/// Every host that reaches the node can connect, and so can every pod. A new connection always gets in, and an old one is
/// closed for it. So kubelet's probe finds no port that is full.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: BTreeMap<ConnectionId, Connection>,
    next: u64,
}

#[derive(Debug)]
struct Connection {
    source: IpAddr,
    phase: Phase,
}

/// The phase of a connection. One whose request has arrived is closed last: kubelet sends its request at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Waiting,
    Answering,
}

impl Connections {
    /// Adds a connection. Returns it with the one that has to be closed for it, if there are too many: of its own
    /// address, or of the addresses with the most connections. Of these it is the one that has waited longest.
    pub(super) fn add(&mut self, source: IpAddr) -> (ConnectionId, Option<ConnectionId>) {
        let source = source.to_canonical();
        let of_source = self.open.values().filter(|connection| connection.source == source).count();
        let closed = if of_source >= MAX_CONNECTIONS_OF_SOURCE {
            self.longest_waiting(|other| other == source)
        } else if self.open.len() >= MAX_CONNECTIONS {
            let counts = self.counts();
            let most = counts.values().max().copied();
            // Of all of them, since no address says whether it is kubelet's.
            let closed = self.longest_waiting(|source| counts.get(&source).copied() == most);
            let is_answering = |id| self.open.get(&id).is_some_and(|open| open.phase == Phase::Answering);
            if most <= Some(PROBES_AT_ONCE) && closed.is_some_and(is_answering) {
                self.longest_waiting(|_| true)
            } else {
                closed
            }
        } else {
            None
        };
        closed.iter().for_each(|id| self.remove(*id));
        let id = ConnectionId(self.next);
        self.next += 1;
        self.open.insert(id, Connection { source, phase: Phase::Waiting });
        (id, closed)
    }

    /// Records that a connection's request has arrived.
    pub(super) fn answering(&mut self, id: ConnectionId) {
        if let Some(connection) = self.open.get_mut(&id) {
            connection.phase = Phase::Answering;
        }
    }

    /// Removes a connection that has ended.
    pub(super) fn remove(&mut self, id: ConnectionId) {
        self.open.remove(&id);
    }

    /// Returns the connection that has waited longest, of those whose address `is_concerned` accepts.
    fn longest_waiting(&self, is_concerned: impl Fn(IpAddr) -> bool) -> Option<ConnectionId> {
        let concerned = self.open.iter().filter(|(_, connection)| is_concerned(connection.source));
        concerned.min_by_key(|(id, connection)| (connection.phase, **id)).map(|(id, _)| *id)
    }

    /// Returns the number of connections of each address.
    fn counts(&self) -> HashMap<IpAddr, usize> {
        let mut counts = HashMap::new();
        for connection in self.open.values() {
            *counts.entry(connection.source).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn an_address_has_eight_connections_and_the_one_that_waited_longest_is_closed() {
        let mut connections = Connections::default();
        let first: Vec<_> = (0..8).map(|_| connections.add(address(1))).collect();
        assert!(first.iter().all(|(_, closed)| closed.is_none()));
        assert_eq!(connections.add(address(1)).1, Some(first[0].0));
        assert_eq!(connections.add("::ffff:10.0.0.1".parse().unwrap()).1, Some(first[1].0));
        assert_eq!(connections.add(address(2)).1, None, "another address has its own eight");
        connections.remove(first[2].0);
        assert_eq!(connections.add(address(1)).1, None);
    }

    #[test]
    fn a_full_port_closes_a_connection_of_the_address_with_the_most() {
        let mut connections = Connections::default();
        let probe = connections.add(address(0)).0;
        for source in 1..=8 {
            for _ in 0..if source == 8 { 7 } else { 8 } {
                assert_eq!(connections.add(address(source)).1, None);
            }
        }
        assert_eq!(connections.open.len(), MAX_CONNECTIONS);
        // As long as an address has more than one.
        for source in 9..60 {
            let (_, closed) = connections.add(address(source));
            assert!(closed.is_some_and(|closed| closed != probe));
            assert_eq!(connections.open.len(), MAX_CONNECTIONS);
        }
        assert!(connections.open.contains_key(&probe), "the only connection of its address");
    }

    #[test]
    fn a_probe_from_any_address_outlasts_pods_that_have_a_connection_each() {
        for node in ["0.0.0.1", "10.0.0.255", "255.255.255.255", "::1", "ffff::1"] {
            let mut connections = Connections::default();
            for pod in 0..63 {
                assert_eq!(connections.add(address(pod)).1, None);
            }
            let probe = connections.add(node.parse().unwrap()).0;
            for pod in 63..120 {
                let closed = connections.add(address(pod)).1;
                assert!(closed.is_some_and(|closed| closed < probe), "{node}: {closed:?} before its request");
            }
            connections.answering(probe);
            for pod in 120..250 {
                let closed = connections.add(address(pod)).1;
                assert!(closed.is_some_and(|closed| closed != probe), "{node}: {closed:?}");
            }
            assert_eq!(connections.open.len(), MAX_CONNECTIONS);
        }
    }

    #[test]
    fn two_probes_at_once_outlast_pods_that_have_a_connection_each() {
        let mut connections = Connections::default();
        let node = "10.0.0.255".parse().unwrap();
        for pod in 0..62 {
            assert_eq!(connections.add(address(pod)).1, None);
        }
        let probes = [0; 2].map(|_| connections.add(node).0);
        probes.into_iter().for_each(|probe| connections.answering(probe));
        for pod in 62..250 {
            let closed = connections.add(address(pod)).1;
            assert!(closed.is_some_and(|closed| !probes.contains(&closed)), "{closed:?}");
        }
    }

    #[test]
    fn a_connection_that_is_being_answered_is_closed_last() {
        let mut connections = Connections::default();
        let probe = connections.add(address(1)).0;
        connections.answering(probe);
        for _ in 0..100 {
            assert_ne!(connections.add(address(1)).1, Some(probe));
        }
        assert!(connections.open.contains_key(&probe));
    }
}
