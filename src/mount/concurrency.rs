//! Limits concurrent mounts. No vault can hold every permit, and no namespace every permit of a vault.

mod permits;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::{
    metrics::Metrics,
    spec::{mount_kind::MountKind, vault::VaultStanding},
    vault::AuthenticatedVaults,
};

use self::permits::{Permits, QueueKey, Ticket};

/// A limiter of concurrent mounts. Clones share its permits.
#[derive(Clone)]
pub(super) struct MountLimiter {
    state: Arc<Mutex<State>>,
    authenticated: AuthenticatedVaults,
    metrics: Metrics,
}

#[derive(Default)]
struct State {
    permits: Permits,
    /// The mounts that wait.
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
    /// The number of vaults that had accepted a token when the permits were given last.
    accepted: u64,
}

/// A permit for one mount, or its place in the queue. It is given back when it is dropped.
pub(super) struct MountPermit {
    limiter: MountLimiter,
    key: Arc<QueueKey>,
    kind: MountKind,
    ticket: Ticket,
}

impl MountLimiter {
    /// Creates a limiter that gives more permits to the vaults of `authenticated` than to others.
    pub(super) fn new(authenticated: AuthenticatedVaults, metrics: Metrics) -> Self {
        Self { state: Arc::default(), authenticated, metrics }
    }

    /// Waits for a permit for a mount from the vaults at these hosts, for a pod of this namespace.
    ///
    /// Mounts of the same vaults and namespace share a queue. A mount of several vaults counts for each of them.
    pub(super) async fn acquire<'a>(
        &self,
        hosts: impl Iterator<Item = &'a str>,
        namespace: &str,
        kind: MountKind,
    ) -> MountPermit {
        let _waiting = self.metrics.waiting();
        let key = Arc::new(QueueKey::new(hosts, namespace));
        let (permit, granted) = {
            let mut state = self.lock();
            let ticket = state.permits.enter(&key, kind, self.standing(&key));
            let (grant, granted) = oneshot::channel();
            state.waiting.insert(ticket, grant);
            self.grant(&mut state);
            (MountPermit { limiter: self.clone(), key, kind, ticket }, granted)
        };
        // Only a dropped permit drops its sender, and this permit is not dropped.
        let _ = granted.await;
        permit
    }

    /// Returns the standing of vaults: that of the one with the least.
    fn standing(&self, key: &QueueKey) -> VaultStanding {
        let is_authenticated = |host: &str| self.authenticated.standing(host) == VaultStanding::Authenticated;
        match key.vaults().all(is_authenticated) {
            true => VaultStanding::Authenticated,
            false => VaultStanding::Unauthenticated,
        }
    }

    /// Grants each permit that may be granted now.
    fn grant(&self, state: &mut State) {
        let accepted = self.authenticated.accepted();
        // A mount of one namespace shows it for those of all others.
        if std::mem::replace(&mut state.accepted, accepted) != accepted {
            state.permits.update_all(|key| self.standing(key));
        }
        while let Some(ticket) = state.permits.start() {
            if let Some(waiting) = state.waiting.remove(&ticket) {
                // If the mount is ending, its permit gives back what it gets here.
                let _ = waiting.send(());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for MountPermit {
    fn drop(&mut self) {
        let standing = self.limiter.standing(&self.key);
        let mut state = self.limiter.lock();
        state.waiting.remove(&self.ticket);
        state.permits.leave(&self.key, self.kind, self.ticket, standing);
        self.limiter.grant(&mut state);
    }
}

impl std::fmt::Debug for MountLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MountLimiter")
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn limiter() -> MountLimiter {
        let metrics = Metrics::new(false);
        MountLimiter::new(AuthenticatedVaults::new(metrics.clone()), metrics)
    }

    #[test]
    fn several_vaults_have_the_standing_of_the_least() {
        let limiter = limiter();
        limiter.authenticated.add(&"lab".into());
        let standing = |hosts: &[&str]| limiter.standing(&QueueKey::new(hosts.iter().copied(), "default"));
        assert_eq!(standing(&["lab"]), VaultStanding::Authenticated);
        assert_eq!(standing(&["lab", "other"]), VaultStanding::Unauthenticated);
        limiter.authenticated.add(&"other".into());
        assert_eq!(standing(&["lab", "other"]), VaultStanding::Authenticated);
    }

    #[test]
    fn a_permit_that_is_dropped_goes_to_the_mount_that_waits_longest() {
        let limiter = limiter();
        limiter.authenticated.add(&"lab".into());
        let wait = || Box::pin(limiter.acquire(["lab"].into_iter(), "default", MountKind::Initial));
        let mut held: Vec<MountPermit> = std::iter::from_fn(|| wait().now_or_never()).collect();
        let (mut first, mut given_up, mut second) = (wait(), wait(), wait());
        for waiting in [&mut first, &mut given_up, &mut second] {
            assert!(waiting.now_or_never().is_none());
        }
        drop(given_up);
        held.pop();
        assert!((&mut second).now_or_never().is_none(), "it came later");
        let permit = (&mut first).now_or_never();
        assert!(permit.is_some());
        held.pop();
        assert!((&mut second).now_or_never().is_some());
    }

    #[test]
    fn a_permit_that_its_mount_does_not_take_is_given_back() {
        let limiter = limiter();
        let wait = || Box::pin(limiter.acquire(["lab"].into_iter(), "default", MountKind::Initial));
        let mut held: Vec<MountPermit> = std::iter::from_fn(|| wait().now_or_never()).collect();
        let mut granted = wait();
        assert!((&mut granted).now_or_never().is_none());
        held.pop();
        drop(granted);
        assert!(wait().now_or_never().is_some());
        drop(held);
        let state = limiter.lock();
        assert!(state.waiting.is_empty() && state.permits.is_empty(), "nothing is left behind");
    }

    #[test]
    fn a_vault_that_accepts_a_token_gets_more_permits() {
        let limiter = limiter();
        let wait = || Box::pin(limiter.acquire(["lab"].into_iter(), "default", MountKind::Initial));
        let mut held: Vec<MountPermit> = std::iter::from_fn(|| wait().now_or_never()).collect();
        let before = held.len();
        let mut waiting = wait();
        assert!((&mut waiting).now_or_never().is_none());
        limiter.authenticated.add(&"lab".into());
        held.pop();
        held.extend(std::iter::from_fn(|| wait().now_or_never()));
        assert!((&mut waiting).now_or_never().is_some());
        assert!(held.len() > 3 * before, "{} after {before}", held.len());
    }

    #[test]
    fn a_vault_that_accepts_a_token_of_one_namespace_gets_more_permits_for_all() {
        let limiter = limiter();
        let wait = |namespace| Box::pin(limiter.acquire(["lab"].into_iter(), namespace, MountKind::Initial));
        let mut held: Vec<MountPermit> = std::iter::from_fn(|| wait("one").now_or_never()).collect();
        let mut waiting: Vec<_> = (0..40).map(|_| wait("other")).collect();
        assert!(waiting.iter_mut().all(|waiting| waiting.now_or_never().is_none()));
        limiter.authenticated.add(&"lab".into());
        held.pop();
        let granted = waiting.iter_mut().filter_map(|waiting| waiting.now_or_never()).collect::<Vec<_>>();
        assert!(granted.len() > 3 * held.len(), "{} beside {}", granted.len(), held.len());
    }
}
