//! Access control by user: root, which runs the driver, and the provider's own user, which runs its probes.

use std::{collections::BTreeSet, io};

use tokio::net::UnixStream;
use tokio_stream::{Stream, StreamExt};

/// The most users that are logged. A user namespace has thousands, and none of them may fill the log.
const MAX_LOGGED_USERS: usize = 16;

/// A filter of connections by the user that the kernel reports for their other end.
///
/// The socket's mode already keeps other users out. The filter still holds if someone opens the mode or the
/// directory, or if a process gets the socket's file in another way.
#[derive(Debug)]
pub(super) struct PeerFilter {
    own: u32,
    logged: BTreeSet<u32>,
}

impl PeerFilter {
    /// Returns a filter that admits root and the user of this process.
    pub(super) fn of_this_process() -> Self {
        Self::of(rustix::process::geteuid().as_raw())
    }

    fn of(own: u32) -> Self {
        Self { own, logged: BTreeSet::new() }
    }

    /// Returns the admitted connections. Connections of other users are closed, and each such user is logged once.
    pub(super) fn filter(
        mut self,
        incoming: impl Stream<Item = io::Result<UnixStream>>,
    ) -> impl Stream<Item = io::Result<UnixStream>> {
        incoming.filter(move |connection| match connection {
            Ok(connection) => self.admits_peer(connection),
            Err(_) => true,
        })
    }

    fn admits_peer(&mut self, connection: &UnixStream) -> bool {
        match connection.peer_cred() {
            Ok(peer) if self.admits(peer.uid()) => true,
            Ok(peer) => {
                if self.is_news(peer.uid()) {
                    tracing::warn!(
                        uid = peer.uid(),
                        gid = peer.gid(),
                        pid = peer.pid(),
                        "a connection was closed: only root and the provider's own user may call"
                    );
                }
                false
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was closed: the kernel does not say whose it is");
                false
            }
        }
    }

    fn admits(&self, uid: u32) -> bool {
        uid == ROOT || uid == self.own
    }

    fn is_news(&mut self, uid: u32) -> bool {
        self.logged.len() < MAX_LOGGED_USERS && self.logged.insert(uid)
    }
}

const ROOT: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_own_user_may_call_and_nobody_else() {
        for (own, uid, admitted) in
            [(0, 0, true), (0, 1, false), (1000, 1000, true), (1000, 0, true), (1000, 1001, false)]
        {
            assert_eq!(PeerFilter::of(own).admits(uid), admitted, "{uid} at a provider of {own}");
        }
        assert!(!PeerFilter::of(1000).admits(u32::MAX), "a user outside of the namespace");
    }

    #[test]
    fn a_stranger_is_told_of_once_and_strangers_not_without_end() {
        let mut admission = PeerFilter::of(0);
        assert!(admission.is_news(1000));
        assert!(!admission.is_news(1000));
        assert_eq!((2000..3000).filter(|uid| admission.is_news(*uid)).count(), MAX_LOGGED_USERS - 1);
    }
}
