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
    mounts: usize,
    /// With their start times, the oldest first.
    waiting: VecDeque<(Instant, PendingConnection)>,
}

/// A guard that counts a mount among those that may use a host's connections. When the last of them has failed, the
/// connections are dropped.
#[must_use]
pub(crate) struct MountGuard {
    prewarmed: PrewarmedConnections,
    authority: String,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Failed,
    Succeeded,
}

impl PrewarmedConnections {
    /// Counts a mount that may use connections to this host.
    pub(in crate::transport) fn enter(&self, authority: &str, standing: VaultStanding) -> MountGuard {
        let mut state = self.lock();
        let host = state.hosts.entry(authority.to_owned()).or_insert_with(|| Host::new(standing));
        host.standing = standing;
        host.mounts += 1;
        MountGuard { prewarmed: self.clone(), authority: authority.to_owned(), outcome: Outcome::Failed }
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
        Self { standing, mounts: 0, waiting: VecDeque::new() }
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
            host.mounts -= 1;
            let is_last = host.mounts == 0;
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
    if hosts.get(authority).is_some_and(|host| host.mounts == 0 && host.waiting.is_empty()) {
        hosts.remove(authority);
    }
}

#[cfg(test)]
mod tests {
    use VaultStanding::{Authenticated, Unauthenticated};

    use super::*;

    /// Opens a connection, and returns its other end.
    fn open(
        prewarmed: &PrewarmedConnections,
        authority: &str,
    ) -> oneshot::Sender<io::Result<PooledConnection>> {
        let (promise, promised) = oneshot::channel();
        prewarmed.keep(authority, promised);
        promise
    }

    #[tokio::test(start_paused = true)]
    async fn connections_without_a_request_are_dropped() {
        let prewarmed = PrewarmedConnections::default();
        let mut mount = prewarmed.enter("lab:443", Authenticated);
        let first = open(&prewarmed, "lab:443");
        tokio::time::advance(UNCLAIMED / 2).await;
        let second = open(&prewarmed, "lab:443");
        mount.succeeded();
        drop(mount);
        tokio::time::advance(UNCLAIMED / 2).await;
        prewarmed.evict_expired("lab:443");
        assert!(first.is_closed() && !second.is_closed());
        assert!(prewarmed.take("lab:443").is_some() && prewarmed.take("lab:443").is_none());
        assert!(prewarmed.lock().hosts.is_empty(), "a host that nothing waits for is forgotten");
    }

    #[test]
    fn connections_are_dropped_with_the_last_mount_that_failed() {
        let prewarmed = PrewarmedConnections::default();
        let (one, other) = (prewarmed.enter("lab", Unauthenticated), prewarmed.enter("lab", Unauthenticated));
        let connection = open(&prewarmed, "lab");
        drop(one);
        assert!(!connection.is_closed(), "the other mount may use it");
        drop(other);
        assert!(connection.is_closed());
        assert!(prewarmed.lock().hosts.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_request_ends_before_it_is_open_is_the_next_requests() {
        let prewarmed = PrewarmedConnections::default();
        let mount = prewarmed.enter("lab", Authenticated);
        let first = open(&prewarmed, "lab");
        tokio::time::advance(UNCLAIMED / 4).await;
        let second = open(&prewarmed, "lab");
        let taken = [(); 2].map(|()| prewarmed.take("lab").unwrap());
        taken.into_iter().for_each(drop);
        assert!(!first.is_closed() && !second.is_closed());
        let failed = |name: &str| Err(io::Error::other(name.to_owned()));
        drop([first.send(failed("first")), second.send(failed("second"))]);
        for expected in ["first", "second"] {
            let error = prewarmed.take("lab").unwrap().opened().await.err().unwrap();
            assert_eq!(error.to_string(), expected);
        }
        assert!(prewarmed.take("lab").is_none());

        // It is as old as before, and takes no more room than there is.
        let old = open(&prewarmed, "lab");
        let taken = prewarmed.take("lab").unwrap();
        tokio::time::advance(UNCLAIMED).await;
        drop(taken);
        assert!(old.is_closed());
        let surplus = open(&prewarmed, "lab");
        let taken = prewarmed.take("lab").unwrap();
        let others: Vec<_> = (0..MAX_UNCLAIMED).map(|_| open(&prewarmed, "lab")).collect();
        drop(taken);
        assert!(surplus.is_closed() && others.iter().all(|other| !other.is_closed()));
        drop(mount);
    }

    #[test]
    fn all_hosts_share_the_room_for_unclaimed_connections() {
        let prewarmed = PrewarmedConnections::default();
        let mut open_ones = Vec::new();
        let mut fill = |standing, name: &str| {
            let before = open_ones.len();
            for number in 0..200 {
                let host = format!("{name}-{number}");
                let guard = prewarmed.enter(&host, standing);
                for _ in 0..64.min(prewarmed.room(standing)) {
                    open_ones.push(open(&prewarmed, &host));
                }
                std::mem::forget(guard);
            }
            open_ones.len() - before
        };
        assert_eq!(fill(Unauthenticated, "invented"), 64);
        assert_eq!(fill(Authenticated, "lab"), 64);
        assert_eq!((prewarmed.room(Authenticated), prewarmed.room(Unauthenticated)), (0, 0));
        let _lab = prewarmed.take("lab-0").unwrap();
        assert_eq!((prewarmed.room(Authenticated), prewarmed.room(Unauthenticated)), (1, 0));
        let _invented = prewarmed.take("invented-0").unwrap();
        assert_eq!((prewarmed.room(Authenticated), prewarmed.room(Unauthenticated)), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn connections_that_failed_mounts_leave_unused_take_their_room_for_ten_seconds() {
        let prewarmed = PrewarmedConnections::default();
        let mount = |standing, connections| {
            let guard = prewarmed.enter("lab", standing);
            (0..connections).for_each(|_| drop(open(&prewarmed, "lab")));
            drop(guard);
        };
        mount(Unauthenticated, 40);
        tokio::time::advance(UNCLAIMED / 2).await;
        mount(Unauthenticated, 20);
        assert_eq!((prewarmed.room(Authenticated), prewarmed.room(Unauthenticated)), (128, 4));
        tokio::time::advance(UNCLAIMED / 2).await;
        assert_eq!(prewarmed.room(Unauthenticated), 44);
        mount(Authenticated, 20);
        assert_eq!(prewarmed.room(Unauthenticated), 44);
        tokio::time::advance(UNCLAIMED / 2).await;
        assert_eq!(prewarmed.room(Unauthenticated), 64);
    }
}
