//! Connections that are opened before a request needs them.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

use crate::spec::vault::VaultStanding;

use super::connection::PooledConnection;

/// How long a prewarmed connection waits for a request.
pub(in crate::transport) const UNCLAIMED: Duration = Duration::from_secs(10);

/// The most prewarmed connections to all hosts: those of two mounts with as many reads as may be in flight. Beyond it, a
/// request opens its connection itself.
const MAX_UNCLAIMED: usize = 128;

/// The most of them to all vaults that accepted no token yet, those included that were dropped unused and are younger
/// than [`UNCLAIMED`].
const MAX_UNCLAIMED_UNAUTHENTICATED: usize = MAX_UNCLAIMED / 2;

/// A connection that is being opened.
pub(in crate::transport) type PendingConnection = oneshot::Receiver<io::Result<PooledConnection>>;

/// A connection that a request has taken and waits for. If the request ends before, the next one gets it.
pub(in crate::transport) struct TakenConnection {
    prewarmed: PrewarmedConnections,
    authority: String,
    since: Instant,
    pending: Option<PendingConnection>,
}

/// A map of unused prewarmed connections by authority. Clones share it.
#[derive(Clone, Default)]
pub(in crate::transport) struct PrewarmedConnections(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    hosts: HashMap<String, Host>,
    /// The start times of connections to vaults that accepted no token yet, which were dropped without a request. They
    /// keep their room as if they still waited: a handshake costs more than the connection that it makes.
    wasted: Vec<Instant>,
}

impl State {
    fn room(&mut self, standing: VaultStanding) -> usize {
        self.wasted.retain(|since| since.elapsed() < UNCLAIMED);
        let waiting = |of: fn(&Host) -> bool| -> usize {
            self.hosts.values().filter(|host| of(host)).map(|host| host.waiting.len()).sum()
        };
        let room = MAX_UNCLAIMED.saturating_sub(waiting(|_| true));
        match standing {
            VaultStanding::Authenticated => room,
            VaultStanding::Unauthenticated => {
                let waiting = waiting(|host| host.standing == VaultStanding::Unauthenticated);
                let taken = waiting + self.wasted.len();
                room.min(MAX_UNCLAIMED_UNAUTHENTICATED.saturating_sub(taken))
            }
        }
    }
}

/// The unused connections to a host, and the mounts that may use them.
struct Host {
    standing: VaultStanding,
    /// The mounts under way, by who shares their reads.
    mounts: HashMap<Arc<str>, Vec<Demand>>,
    /// With their start times, the oldest first.
    waiting: VecDeque<(Instant, PendingConnection)>,
}

/// A mount's reads from a host.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Demand {
    since: Instant,
    reads: usize,
}

/// A guard that counts a mount among those that may use a host's connections. When the last of them has failed, the
/// connections are dropped.
#[must_use]
pub(crate) struct MountGuard {
    prewarmed: PrewarmedConnections,
    authority: String,
    sharers: Arc<str>,
    demand: Demand,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Failed,
    Succeeded,
}

impl PrewarmedConnections {
    /// Counts a mount that may use connections to this host for a number of reads. Mounts with the same `sharers` share
    /// their reads.
    pub(in crate::transport) fn enter(
        &self,
        authority: &str,
        standing: VaultStanding,
        sharers: &Arc<str>,
        reads: usize,
    ) -> MountGuard {
        let demand = Demand { since: Instant::now(), reads };
        let mut state = self.lock();
        let host = state.hosts.entry(authority.to_owned()).or_insert_with(|| Host::new(standing));
        host.standing = standing;
        host.mounts.entry(sharers.clone()).or_default().push(demand);
        let (prewarmed, authority, sharers) = (self.clone(), authority.to_owned(), sharers.clone());
        MountGuard { prewarmed, authority, sharers, demand, outcome: Outcome::Failed }
    }

    /// Returns how many connections the mounts of a host need together: for each group that shares reads, the most reads of
    /// one mount. A mount older than [`UNCLAIMED`] does not count. Its connections were used or dropped by now.
    pub(in crate::transport) fn needed(&self, authority: &str) -> usize {
        let state = self.lock();
        let groups = state.hosts.get(authority).into_iter().flat_map(|host| host.mounts.values());
        let young = |demand: &&Demand| demand.since.elapsed() < UNCLAIMED;
        groups.filter_map(|group| group.iter().filter(young).map(|demand| demand.reads).max()).sum()
    }

    /// Returns how many connections to a host of this standing may be opened now.
    pub(in crate::transport) fn room(&self, standing: VaultStanding) -> usize {
        self.lock().room(standing)
    }

    /// Stores a connection for the next request to a host with a mount.
    pub(in crate::transport) fn keep(&self, authority: &str, promised: PendingConnection) {
        if let Some(host) = self.lock().hosts.get_mut(authority) {
            host.waiting.push_back((Instant::now(), promised));
        }
    }

    /// Takes the oldest connection.
    pub(in crate::transport) fn take(&self, authority: &str) -> Option<TakenConnection> {
        let mut state = self.lock();
        let first = state.hosts.get_mut(authority)?.waiting.pop_front();
        forget_unused(&mut state.hosts, authority);
        let (since, pending) = first?;
        let authority = authority.to_owned();
        Some(TakenConnection { prewarmed: self.clone(), authority, since, pending: Some(pending) })
    }

    /// Stores a connection that was taken and not used, if it is young enough, and there still is room for it.
    fn put_back(&self, authority: &str, since: Instant, pending: PendingConnection) {
        let mut state = self.lock();
        let Some(standing) = state.hosts.get(authority).map(|host| host.standing) else { return };
        if since.elapsed() < UNCLAIMED && state.room(standing) > 0 {
            let Some(Host { waiting, .. }) = state.hosts.get_mut(authority) else { return };
            let place = waiting.partition_point(|(other, _)| *other <= since);
            waiting.insert(place, (since, pending));
        } else if standing == VaultStanding::Unauthenticated {
            state.wasted.push(since);
        }
    }

    /// Drops the connections to a host.
    pub(in crate::transport) fn give_up(&self, authority: &str) {
        self.drop_oldest(authority, |_| true);
    }

    /// Drops the connections to a host that no request has taken in time.
    pub(in crate::transport) fn evict_expired(&self, authority: &str) {
        self.drop_oldest(authority, |since| since.elapsed() >= UNCLAIMED);
    }

    /// Drops connections from the oldest one on, up to the first one whose start time is not `too_old`.
    fn drop_oldest(&self, authority: &str, too_old: impl Fn(Instant) -> bool) {
        let dropped: Vec<_> = {
            let mut state = self.lock();
            let State { hosts, wasted } = &mut *state;
            let Some(Host { waiting, standing, .. }) = hosts.get_mut(authority) else { return };
            let kept = waiting.iter().position(|(since, _)| !too_old(*since));
            let dropped: Vec<_> = waiting.drain(..kept.unwrap_or(waiting.len())).collect();
            if *standing == VaultStanding::Unauthenticated {
                wasted.extend(dropped.iter().map(|(since, _)| *since));
            }
            forget_unused(hosts, authority);
            dropped
        };
        // Outside the lock, since closing connections takes time.
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TakenConnection {
    /// Waits until the connection is open.
    pub(in crate::transport) async fn opened(mut self) -> io::Result<PooledConnection> {
        let aborted = || Err(io::ErrorKind::ConnectionAborted.into());
        let Some(pending) = &mut self.pending else { return aborted() };
        let opened = pending.await;
        self.pending = None;
        opened.unwrap_or_else(|_| aborted())
    }
}

impl Drop for TakenConnection {
    fn drop(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.prewarmed.put_back(&self.authority, self.since, pending);
        }
    }
}

impl Host {
    fn new(standing: VaultStanding) -> Self {
        Self { standing, mounts: HashMap::new(), waiting: VecDeque::new() }
    }

    fn leave(&mut self, sharers: &str, demand: Demand) {
        let Some(group) = self.mounts.get_mut(sharers) else { return };
        if let Some(place) = group.iter().position(|other| *other == demand) {
            group.swap_remove(place);
        }
        if group.is_empty() {
            self.mounts.remove(sharers);
        }
    }
}

impl MountGuard {
    /// Leaves unused connections to later mounts.
    pub(crate) fn succeeded(&mut self) {
        self.outcome = Outcome::Succeeded;
    }
}

impl Drop for MountGuard {
    fn drop(&mut self) {
        let is_last = {
            let mut state = self.prewarmed.lock();
            let Some(host) = state.hosts.get_mut(&self.authority) else { return };
            host.leave(&self.sharers, self.demand);
            let is_last = host.mounts.is_empty();
            forget_unused(&mut state.hosts, &self.authority);
            is_last
        };
        if is_last && self.outcome == Outcome::Failed {
            self.prewarmed.give_up(&self.authority);
        }
    }
}

/// Removes a host without mounts and connections.
fn forget_unused(hosts: &mut HashMap<String, Host>, authority: &str) {
    if hosts.get(authority).is_some_and(|host| host.mounts.is_empty() && host.waiting.is_empty()) {
        hosts.remove(authority);
    }
}

#[cfg(test)]
mod tests;
