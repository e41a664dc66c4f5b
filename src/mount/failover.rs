//! When an initial mount reads `failoverVault` in place of the class's own vault.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use quick_cache::sync::Cache;
use tokio::time::Instant;

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
pub(super) struct Failovers(Arc<Cache<Pair, Instant>>);

/// A class's own vault, and the vault to fail over to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) own: VaultEndpoint,
    pub(super) second: VaultEndpoint,
}

impl Failovers {
    pub(super) fn new() -> Self {
        Self(Arc::new(one_shard::of_items(MAX_PAIRS)))
    }

    /// Returns whether the second vault of the pair is read at once.
    pub(super) fn is_recent(&self, pair: &Pair) -> bool {
        self.0.get(pair).is_some_and(|at| at.elapsed() < MAX_AGE)
    }

    /// Records a mount that read the second vault after the first had failed.
    pub(super) fn add(&self, pair: Pair) {
        self.0.insert(pair, Instant::now());
    }
}

impl std::fmt::Debug for Failovers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Failovers")
    }
}

/// The time that the class's own vault may still take. Only the waits for vaults count.
#[derive(Debug)]
pub(super) struct Patience {
    share: Duration,
    left: Mutex<Duration>,
    /// Whether other mounts may be told that the vault is out of reach.
    is_vaults_fault: AtomicBool,
}

impl Patience {
    /// Returns the vault's share of a mount's time.
    pub(super) fn within(limit: Duration) -> Self {
        let share = limit / SHARE_OF_TIME;
        Self { share, left: Mutex::new(share), is_vaults_fault: AtomicBool::new(true) }
    }

    /// Waits for answers of vaults; `None` if the time is used up before.
    pub(super) async fn wait<T>(&self, answers: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        let (begun, left) = (Instant::now(), *self.left());
        let answers = tokio::time::timeout(left, answers).await.ok();
        *self.left() = left.saturating_sub(begun.elapsed());
        answers
    }

    /// Records that the time is used up, and how long the vault has owed an answer to any request; `None` if no request is
    /// in flight.
    pub(super) fn end(&self, silent_for: Option<Duration>) {
        let is_silent = silent_for.is_some_and(|silent| silent >= MIN_SILENCE.min(self.share / 6));
        self.is_vaults_fault.store(is_silent, Ordering::Relaxed);
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
mod tests {
    use crate::{cloud::CloudEnvironment, spec::cloud::CloudName};

    use super::*;

    fn pair(own: &str, cloud: CloudName) -> Pair {
        let cloud = CloudEnvironment::named(cloud);
        let [own, second] = [own, "spare"].map(|name| cloud.vault(&name.parse().unwrap()));
        Pair { own, second }
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_vault_is_read_at_once_for_a_minute() {
        let failovers = Failovers::new();
        let lab = || pair("lab", CloudName::Public);
        assert!(!failovers.is_recent(&lab()));
        failovers.add(lab());
        tokio::time::advance(MAX_AGE - Duration::from_millis(1)).await;
        assert!(failovers.is_recent(&lab()) && failovers.is_recent(&pair("LAB", CloudName::Public)));
        assert!(!failovers.is_recent(&pair("lab", CloudName::China)));
        assert!(!failovers.is_recent(&pair("lab-2", CloudName::Public)));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!failovers.is_recent(&lab()));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_lasts_for_all_waits_together() {
        let patience = Patience::within(Duration::from_secs(90));
        let wait = async |seconds| {
            let answer = std::pin::pin!(tokio::time::sleep(Duration::from_secs(seconds)));
            patience.wait(answer).await
        };
        assert_eq!(wait(20).await, Some(()));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(wait(9).await, Some(()), "what passes between the waits does not count");
        assert_eq!(wait(2).await, None);
        assert_eq!(wait(1).await, None);
    }

    #[test]
    fn the_number_of_remembered_pairs_is_bounded() {
        let failovers = Failovers::new();
        for number in 0..10 * MAX_PAIRS {
            failovers.add(pair(&format!("lab-{number}"), CloudName::Public));
        }
        assert!(failovers.0.len() <= MAX_PAIRS, "{}", failovers.0.len());
    }
}
