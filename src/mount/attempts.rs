//! The attempts at one mount: one, or a second one that reads `failoverVault`.

use std::{pin::pin, time::Duration};

use tokio::time::{Instant, timeout_at};

use crate::{
    cloud::CloudEnvironment,
    spec::{MountSpec, mount_kind::MountKind, vault::VaultName},
};

use super::{
    Budget, MountError, Mounter, Volume,
    attempt::MountAttempt,
    concurrency::MountPermit,
    failover::{self, Pair, Patience},
    failure::{MountQueue, Progress},
    memory::MountMemory,
    requested::Requested,
    vaults::MountVaults,
};

/// The end of a mount's time.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// The moment at which the mount times out.
    pub until: Instant,
    /// What sets the moment.
    pub budget: Budget,
}

impl Deadline {
    /// Returns the deadline of a call that began to arrive at `received`, with `timeout` as the limit of a mount and a
    /// caller that waits for `time_left`. The wait for the request and for memory counts.
    pub fn new(received: Instant, timeout: Duration, time_left: Option<Duration>) -> Self {
        let (limit, budget) = match time_left {
            Some(left) if left < timeout => (left, Budget::Caller),
            _ => (timeout, Budget::Configured(timeout)),
        };
        Self { until: received + limit, budget }
    }
}

/// The attempts at one mount.
pub(super) struct Attempts<'a> {
    pub(super) mounter: &'a Mounter,
    /// Without its objects and finds.
    pub(super) spec: MountSpec,
    pub(super) cloud: CloudEnvironment,
    pub(super) kind: MountKind,
    /// The time that is left for all attempts.
    pub(super) limit: Duration,
    /// The moment of the call.
    pub(super) began: Instant,
    pub(super) deadline: Deadline,
    pub(super) memory: &'a MountMemory,
}

impl Attempts<'_> {
    /// Reads what is `requested` once, with `permit`, or with one that it waits for.
    pub(super) async fn once(
        &self,
        requested: Requested,
        permit: Option<MountPermit>,
    ) -> Result<Volume, MountError> {
        let vaults = self.vaults(&requested);
        let _permit = match permit {
            Some(permit) => permit,
            None => self.permit(&vaults).await?,
        };
        self.attempt(requested, vaults, None).await
    }

    /// Reads what is `requested`, of the class's own vault from `second` if the own one cannot be reached.
    pub(super) async fn with_failover(
        &self,
        requested: Requested,
        second: &VaultName,
    ) -> Result<Volume, MountError> {
        let Mounter { failovers, metrics, .. } = self.mounter;
        let pair = Pair { own: self.cloud.vault(&self.spec.vault), second: self.cloud.vault(second) };
        let moved = requested.moved(second);
        let (vault, failover) = (pair.own.name(), pair.second.name());
        let patience = Patience::within(self.limit, failovers, &pair);
        let vaults = self.vaults(&requested);
        let permit = patience.wait_for_permit(self.permit(&vaults)).await.transpose()?;
        if permit.is_some() {
            match self.attempt(requested, vaults, Some(&patience)).await {
                Err(error) if failover::is_due(&error) => {
                    if !patience.is_told() {
                        let (code, cause) = (error.code(|_| 0), error.to_string());
                        tracing::warn!(
                            vault,
                            failover,
                            %code,
                            cause,
                            "reading failoverVault in place of the vault"
                        );
                    }
                }
                mounted => return mounted,
            }
        }
        if patience.is_told() {
            tracing::info!(
                vault,
                failover,
                "reading failoverVault, since the vault failed within the last minute"
            );
        }
        // Mounts that have a permit to run may wait for it.
        drop(self.memory.take());
        // With the same permit: in the queue the mount would be behind those that wait to read the own vault.
        let mounted = self.once(moved, permit).await?;
        metrics.failover(vault);
        // Also if the pair is known: its minute begins anew while mounts find the vault silent.
        if patience.is_vaults_fault() {
            failovers.add(pair);
        }
        Ok(mounted)
    }

    fn vaults(&self, requested: &Requested) -> MountVaults {
        MountVaults::of(requested, &self.spec.vault, &self.cloud)
    }

    /// Waits for a permit to read these vaults.
    async fn permit(&self, vaults: &MountVaults) -> Result<MountPermit, MountError> {
        let Self { mounter, spec, kind, deadline: Deadline { until, budget }, .. } = self;
        let hosts = vaults.iter().map(|vault| vault.endpoint.name());
        let permit = timeout_at(*until, mounter.limiter.acquire(hosts, &spec.pod.namespace, *kind)).await;
        permit.map_err(|_| MountError::QueueTimeout {
            vault: vaults.first().name.clone(),
            budget: *budget,
            queue: MountQueue::Permits,
        })
    }

    /// Reads what is `requested` from `vaults`. `patience` is the time of the class's own vault, if another one can be
    /// read in its place.
    async fn attempt(
        &self,
        requested: Requested,
        vaults: MountVaults,
        patience: Option<&Patience>,
    ) -> Result<Volume, MountError> {
        let Self { mounter, began, deadline: Deadline { until, budget }, .. } = self;
        let vault = vaults.first().name.clone();
        let progress = Progress::new(*began);
        let attempt = MountAttempt::new(self, vaults, &requested, patience, &progress);
        let mut attempt = pin!(attempt.run());
        timeout_at(*until, &mut attempt).await.unwrap_or_else(|_| {
            // Asked before the attempt is dropped: its connection phases vanish with it.
            let (waiting, spent) = progress.waiting(&mounter.vaults, &mounter.azure);
            Err(MountError::Timeout {
                wanted: requested.names(),
                vault,
                budget: *budget,
                waiting: Box::new(waiting),
                spent,
            })
        })
    }
}
