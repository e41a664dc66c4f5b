//! When an initial mount reads `failoverVault` in place of the class's own vault.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::{Either, select};
use quick_cache::sync::Cache;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::{
    cloud::VaultEndpoint,
    one_shard,
    spec::object::ObjectSpec,
    transport::NetworkFailure,
    vault::{TenantError, VaultError},
};

use super::{
    failure::{Budget, MountError, ObjectError},
    fetch::Fetched,
    layout,
};

/// The class's own vault gets this part of a mount's time before it counts as unreachable.
const SHARE_OF_TIME: u32 = 3;

/// How long requests to the own vault must have had no answer before other mounts are told that it is out of reach.
/// Otherwise a mount could have waited for something else, such as its thousands of reads from other vaults.
const MIN_SILENCE: Duration = Duration::from_secs(5);

/// How long initial mounts read the second vault at once after a failover.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The most pairs of vaults that are remembered. Their names come from SecretProviderClasses.
const MAX_PAIRS: usize = 1_000;

/// The pairs of vaults of which the second was read in place of the first within the last minute. Clones share them.
///
/// A pair is of two endpoints: another cloud's vault of the same name is another vault.
#[derive(Clone)]
pub(super) struct Failovers(Arc<Recent>);

struct Recent {
    pairs: Cache<Pair, Instant>,
    /// Notified of each record.
    added: Notify,
}

/// A class's own vault, and the vault to fail over to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) own: VaultEndpoint,
    pub(super) second: VaultEndpoint,
}

impl Failovers {
    pub(super) fn new() -> Self {
        Self(Arc::new(Recent { pairs: one_shard::of_items(MAX_PAIRS), added: Notify::new() }))
    }

    /// Waits until the second vault of the pair is to be read at once.
    async fn until_recent(&self, pair: &Pair) {
        loop {
            // Made before the look-up, so that no record in between is missed.
            let added = self.0.added.notified();
            if self.is_recent(pair) {
                return;
            }
            added.await;
        }
    }

    fn is_recent(&self, pair: &Pair) -> bool {
        self.0.pairs.get(pair).is_some_and(|at| at.elapsed() < MAX_AGE)
    }

    /// Records a mount that read the second vault after the first had failed. Mounts that wait for the first one, or
    /// for a permit to read it, then read the second one too.
    pub(super) fn add(&self, pair: Pair) {
        self.0.pairs.insert(pair, Instant::now());
        self.0.added.notify_waiters();
    }
}

impl std::fmt::Debug for Failovers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Failovers")
    }
}

/// The time that the class's own vault may still take: until it is used up, or until another mount fails over. Only the
/// waits for vaults count.
#[derive(Debug)]
pub(super) struct Patience {
    failovers: Failovers,
    pair: Pair,
    share: Duration,
    left: Mutex<Duration>,
    /// Whether other mounts may be told that the vault is out of reach.
    is_vaults_fault: AtomicBool,
    /// Whether another mount found the vault out of reach.
    is_told: AtomicBool,
}

/// Why a mount waits no longer for its class's own vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndOfPatience {
    /// The vault's share of the time is used up.
    Share,
    /// Another mount has failed over.
    Failover,
}

impl Patience {
    /// Returns the share of a mount's time that the own vault of `pair` gets.
    pub(super) fn within(limit: Duration, failovers: &Failovers, pair: &Pair) -> Self {
        let share = limit / SHARE_OF_TIME;
        Self {
            failovers: failovers.clone(),
            pair: pair.clone(),
            share,
            left: Mutex::new(share),
            is_vaults_fault: AtomicBool::new(true),
            is_told: AtomicBool::new(false),
        }
    }

    /// Waits for answers of vaults.
    ///
    /// # Errors
    /// The time is used up before, or another mount has failed over.
    pub(super) async fn wait<T>(
        &self,
        answers: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, EndOfPatience> {
        let (begun, left) = (Instant::now(), *self.left());
        let end = timeout(left, self.failovers.until_recent(&self.pair));
        let waited = match select(answers, pin!(end)).await {
            Either::Left((answers, _)) => Ok(answers),
            Either::Right((Ok(()), _)) => Err(EndOfPatience::Failover),
            Either::Right((Err(_), _)) => Err(EndOfPatience::Share),
        };
        *self.left() = left.saturating_sub(begun.elapsed());
        waited
    }

    /// Waits for a permit to read the own vault; `None` if another mount has failed over, or does so before.
    pub(super) async fn wait_for_permit<T>(&self, permit: impl Future<Output = T>) -> Option<T> {
        match select(pin!(self.failovers.until_recent(&self.pair)), pin!(permit)).await {
            Either::Left(_) => {
                self.end(EndOfPatience::Failover, None);
                None
            }
            Either::Right((permit, _)) => Some(permit),
        }
    }

    /// Records why the mount waits no longer, and how long the vault has owed an answer to any request; `None` if no
    /// request is in flight.
    pub(super) fn end(&self, end: EndOfPatience, silent_for: Option<Duration>) {
        let is_silent = silent_for.is_some_and(|silent| silent >= MIN_SILENCE.min(self.share / 6));
        self.is_vaults_fault.store(end == EndOfPatience::Share && is_silent, Ordering::Relaxed);
        self.is_told.store(end == EndOfPatience::Failover, Ordering::Relaxed);
    }

    /// Returns whether the mount reads the second vault because another mount has failed over.
    pub(super) fn is_told(&self) -> bool {
        self.is_told.load(Ordering::Relaxed)
    }

    /// Returns whether other mounts may be told that the vault is out of reach: this one did not only wait for something
    /// else.
    pub(super) fn is_vaults_fault(&self) -> bool {
        self.is_vaults_fault.load(Ordering::Relaxed)
    }

    fn left(&self) -> MutexGuard<'_, Duration> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether a mount failed because its class's own vault cannot be reached, and for no other reason.
///
/// Any answer about an object or a permission stands, whatever other objects met: the second vault must not hide it.
pub(super) fn is_due(error: &MountError) -> bool {
    match error {
        MountError::Objects { failures, .. } => failures.iter().all(|failure| {
            let of_vault = failure.error.vault();
            failure.vault.is_none() && of_vault.is_some_and(is_out_of_reach)
        }),
        MountError::Tenant { error, .. } => {
            matches!(&**error, TenantError::Vault(error) if is_out_of_reach(error))
        }
        MountError::Timeout { budget, .. } => *budget == Budget::Share,
        MountError::Cloud(_)
        | MountError::Identity { .. }
        | MountError::Connect { .. }
        | MountError::TooLarge { .. }
        | MountError::QueueTimeout { .. } => false,
    }
}

/// Returns whether the vault's answer about an object fails the mount, whatever other objects meet.
pub(super) fn stands(object: &ObjectSpec, fetched: &Fetched) -> bool {
    let of_vault = |error: &VaultError| {
        let is_no_failure = error.is_absence() && layout::may_be_absent(object);
        !(is_out_of_reach(error) || is_no_failure)
    };
    match fetched {
        Ok(versions) => {
            versions.all().iter().any(|read| read.bundle.as_ref().is_err_and(|error| of_vault(error)))
        }
        Err(ObjectError::Vault(error)) => of_vault(error),
        Err(error) => !(error.is_absence() && layout::may_be_absent(object)),
    }
}

/// Returns whether a vault gave no answer, or answered 5xx or 429. A name that does not exist is a mistake of the class.
pub(super) fn is_out_of_reach(error: &VaultError) -> bool {
    match error {
        VaultError::Throttled(_) => true,
        VaultError::Unavailable(answer) => answer.status() >= 500,
        // A gateway answers in place of a vault that is down.
        VaultError::Foreign(answer) => answer.status() >= 500 || answer.status() == 408,
        VaultError::Unreachable(cause) => NetworkFailure::of(cause.as_ref()) != NetworkFailure::Name,
        VaultError::NotFound(_)
        | VaultError::Disabled(_)
        | VaultError::NotValidNow(_)
        | VaultError::Forbidden(_)
        | VaultError::Unauthorized(_)
        | VaultError::MoreClaims { .. }
        | VaultError::Rejected(_)
        | VaultError::Credential(_)
        | VaultError::InvalidChallenge(_)
        | VaultError::Malformed(_)
        | VaultError::Incomplete(_)
        | VaultError::OtherObject(_)
        | VaultError::RepeatedVersion(_)
        | VaultError::RepeatedObject(_)
        | VaultError::Endless { .. } => false,
    }
}

#[cfg(test)]
mod tests;
