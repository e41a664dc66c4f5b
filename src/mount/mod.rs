//! The use case: from a [`MountSpec`] to the files of a volume, all of them or none.

mod attempt;
mod attempts;
mod concurrency;
mod draft;
mod failover;
mod failure;
mod fetch;
mod find;
mod largest;
mod layout;
mod memory;
mod receipt;
mod requested;
mod served;
mod validity;
mod vaults;
mod versions;
mod volume;

pub use self::{
    attempts::Deadline,
    failure::{
        AskedVault, Budget, Caller, FailedOutput, LogDetails, MissingKey, MountError, MountQueue, Names,
        ObjectError, ObjectFailure, TimeoutCause, listed,
    },
    find::{MAX_FOUND, MAX_LISTED},
    largest::Largest,
    receipt::{Mounted, Receipt},
    validity::{Expiry, Validity},
    volume::{AbsentObject, LeftOut, MountedVersion, Volume, VolumeFile},
};

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};

use crate::{
    blocking::Computations,
    cloud::{CloudDefaults, CloudEnvironment, CloudError, CloudFiles},
    content::secret::CertificateSettings,
    identity::{Identities, IdentityProofSettings, TokenProxySettings},
    metrics::Metrics,
    spec::{MountSpec, cloud::CloudChoice, mount_kind::MountKind},
    transport::{Client, ClientFactory, Transports},
    vault::{CacheSettings, Vaults},
};

use self::{
    attempts::Attempts,
    concurrency::MountLimiter,
    failover::Failovers,
    memory::VolumeMemory,
    requested::Requested,
    served::{ServedVolumes, VolumeRef},
};

/// A service that mounts volumes, any number at once.
#[derive(Debug, Clone)]
pub struct Mounter {
    identities: Identities,
    vaults: Vaults,
    azure: Client,
    served: ServedVolumes,
    limiter: MountLimiter,
    memory: VolumeMemory,
    computations: Computations,
    cloud_files: Arc<CloudFiles>,
    failovers: Failovers,
    metrics: Metrics,
    settings: MountSettings,
}

/// The operator's settings for all mounts.
#[derive(Debug, Clone)]
pub struct MountSettings {
    /// The cloud of a SecretProviderClass that names none.
    pub clouds: CloudDefaults,
    /// How secrets that back certificates become files.
    pub certificates: CertificateSettings,
    /// The token proxy of AKS identity binding.
    pub token_proxy: TokenProxySettings,
    /// How a pod's identity is proved without a request to Entra.
    pub identity_proofs: IdentityProofSettings,
    /// `--custom-user-agent`: added to the `User-Agent` of every request to Azure.
    pub user_agent: Option<String>,
    /// How old cached values may be when a volume gets them.
    pub cache: CacheSettings,
    /// The time limit of a token request, retries included. The SDK retries IMDS for over a minute, and a mount that
    /// times out earlier could not name IMDS as the cause.
    pub token_limit: Duration,
    /// `--mount-timeout`: the time limit of one mount. Kubelet waits two minutes and ignores a later answer; the pod
    /// may then start with an empty volume.
    pub budget: Duration,
    /// `--max-call-recv-msg-size`: the driver's limit for one answer, in bytes. A larger answer fails on the driver's
    /// side with `ResourceExhausted`, one of the codes that leave a pod with an empty volume.
    pub largest_volume: usize,
    /// `--large-volume-memory`: the memory of large volumes over all mounts, in bytes. There is always enough for one.
    pub large_volume_memory: usize,
}

impl Mounter {
    /// Creates a mounter that sends its requests over these transports and counts them in `metrics`.
    pub fn new(transports: Transports, metrics: Metrics, settings: MountSettings) -> Self {
        let clients =
            ClientFactory { transports, user_agent: settings.user_agent.clone(), metrics: metrics.clone() };
        let vaults = Vaults::new(&clients, settings.cache);
        let memory =
            VolumeMemory::new(settings.large_volume_memory, settings.largest_volume, metrics.clone());
        let computations = Computations::of_machine();
        let limiter = MountLimiter::new(vaults.authenticated().clone(), metrics.clone());
        Self {
            identities: Identities::new(
                &clients,
                settings.token_proxy.clone(),
                settings.identity_proofs.clone(),
                settings.token_limit,
                computations.clone(),
            ),
            vaults,
            azure: clients.transports.azure_client,
            served: ServedVolumes::new(),
            limiter,
            memory,
            computations,
            cloud_files: Arc::default(),
            failovers: Failovers::new(),
            metrics,
            settings,
        }
    }

    /// Fetches everything that `spec` requests, until the deadline of its call. The volume's mount point is `target_path`.
    /// The call came at `began`, so answers to reads that were sent later are new enough.
    ///
    /// # Errors
    /// Every object that could not be read, or why no object could. An error comes without files: half a volume may
    /// hold a certificate without its new key.
    pub async fn mount(
        &self,
        mut spec: MountSpec,
        target_path: &str,
        began: Instant,
        deadline: Deadline,
    ) -> Result<Mounted, MountError> {
        let Deadline { until, budget } = deadline;
        let limit = until.saturating_duration_since(Instant::now());
        let volume = VolumeRef::new(&spec.pod, target_path);
        let kind = match volume {
            Some(volume) if self.served.contains(volume) => MountKind::Republish,
            _ => MountKind::Initial,
        };
        let late =
            |_| MountError::QueueTimeout { vault: spec.vault.clone(), budget, queue: MountQueue::Permits };
        let cloud = timeout_at(until, self.cloud(&spec.cloud)).await.map_err(late)??;
        let requested = Requested::new(std::mem::take(&mut spec.objects), std::mem::take(&mut spec.finds));
        let in_own_vault = requested.vaults().any(|vault| vault.is_none());
        let second = spec.failover.take().filter(|_| in_own_vault && kind == MountKind::Initial);
        let memory = self.memory.of_mount(&spec.pod.namespace);
        let attempts = Attempts { mounter: self, spec, cloud, kind, limit, began, deadline, memory: &memory };
        let mut mounted = match second {
            None => attempts.once(requested, None).await,
            Some(second) => attempts.with_failover(requested, &second).await,
        }?;
        if kind == MountKind::Republish {
            mounted.left_out.clear();
        }
        let served = volume.map(|volume| (self.served.clone(), volume));
        Ok(Mounted { volume: mounted, kind, receipt: Receipt { served, _memory: memory.take() } })
    }

    /// Returns the time limit of one mount.
    pub(crate) fn timeout(&self) -> Duration {
        self.settings.budget
    }

    /// Returns the endpoints of a cloud. They are known before the mount gets its permit, since they make the host that
    /// the permit is for.
    async fn cloud(&self, choice: &CloudChoice) -> Result<CloudEnvironment, CloudError> {
        self.cloud_files.resolve(choice, &self.settings.clouds).await
    }

    /// Fetches the keys of the service-account issuers at once, and again at intervals. Never completes.
    pub async fn refresh_issuer_keys(&self) -> Infallible {
        self.identities.refresh_issuer_keys().await
    }

    /// Drops expired tokens and cached values at intervals. Never completes.
    pub async fn evict_expired(&self) {
        let mut interval = tokio::time::interval(EVICTION_INTERVAL);
        loop {
            interval.tick().await;
            self.vaults.evict_expired();
            self.identities.evict_expired();
        }
    }
}

/// The interval between evictions.
const EVICTION_INTERVAL: Duration = Duration::from_secs(15);
