//! The use case: from a [`MountSpec`] to the files of a volume, all of them or none.

mod code;
mod error;
mod fetch;
mod files;
mod line;
mod listed;
mod message;
mod progress;
mod served;
mod versions;
mod volume;
mod waiting;
mod way_out;

pub use self::{
    error::{Caller, MountError, ObjectError, ObjectFailure},
    listed::{Names, listed},
    message::{Budget, LogDetails},
    volume::{Largest, LeftOut, MountedVersion, Volume, VolumeFile},
    waiting::Waiting,
};

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures::future::{Either, select};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    cloud::{CloudDefaults, CloudEnvironment},
    content::secret::CertificateSettings,
    identity::{Authentication, Identities, TokenProxySettings, TokenRequest, TokenSource},
    metrics::Metrics,
    spec::{MountSpec, object::ObjectSpec},
    transport::{Client, Outgoing, Transports},
    vault::{CacheSettings, Reader, VaultClient, Vaults},
};

use self::{
    fetch::Fetched,
    files::{Layout, NoVolume},
    line::Line,
    progress::{Phase, Progress},
    served::{ServedVolumes, VolumeRef},
    volume::TooLarge,
};

/// Mounts volumes, any number at once.
#[derive(Debug, Clone)]
pub struct Mounter {
    identities: Identities,
    vaults: Vaults,
    azure: Client,
    served: ServedVolumes,
    line: Line,
    settings: MountSettings,
}

/// What the operator decides for all mounts.
#[derive(Debug, Clone)]
pub struct MountSettings {
    /// The cloud of a SecretProviderClass that names none.
    pub clouds: CloudDefaults,
    /// How secrets that back certificates become files.
    pub certificates: CertificateSettings,
    /// The token proxy of AKS identity binding.
    pub token_proxy: TokenProxySettings,
    /// `--custom-user-agent`: added to the `User-Agent` of every request to Azure.
    pub user_agent: Option<String>,
    /// How old what a volume gets may be.
    pub cache: CacheSettings,
    /// How long getting a token may take, retries included: the SDK asks IMDS for over a minute, and who gives up the
    /// mount meanwhile does not hear of IMDS.
    pub token_limit: Duration,
    /// `--mount-timeout`: how long one mount may take. Kubelet waits two minutes; whoever answers later is not heard, and
    /// the pod may then start with an empty volume.
    pub budget: Duration,
    /// `--max-call-recv-msg-size`: what the driver takes in one answer, in bytes. Beyond it the driver's own side of the
    /// call fails with `ResourceExhausted`, one of the codes that leave a pod with an empty volume.
    pub largest_volume: usize,
}

impl Mounter {
    /// A mounter whose requests go over these transports, and are counted in `metrics`.
    pub fn new(transports: Transports, metrics: Metrics, settings: MountSettings) -> Self {
        let line = Line::new(metrics.clone());
        let outgoing = Outgoing { transports, user_agent: settings.user_agent.clone(), metrics };
        Self {
            identities: Identities::new(&outgoing, settings.token_proxy.clone(), settings.token_limit),
            vaults: Vaults::new(&outgoing, settings.cache),
            azure: outgoing.transports.ahead,
            served: ServedVolumes::new(),
            line,
            settings,
        }
    }

    /// Fetches everything that `spec` asks for, within the operator's budget and the `time_left` of the caller. The
    /// volume is to be at `target_path`.
    ///
    /// # Errors
    /// Every object that could not be had, or why none could. Nothing is returned beside an error: half a volume may
    /// hold a certificate without its new key.
    pub async fn mount(
        &self,
        mut spec: MountSpec,
        target_path: &str,
        time_left: Option<Duration>,
    ) -> Result<Volume, MountError> {
        let (limit, budget) = match time_left {
            Some(left) if left < self.settings.budget => (left, Budget::Caller),
            _ => (self.settings.budget, Budget::Configured(self.settings.budget)),
        };
        let until = Instant::now() + limit;
        let volume = VolumeRef::new(&spec.pod, target_path);
        let first = !volume.is_some_and(|volume| self.served.contains(volume));
        let _place = tokio::time::timeout_at(until, self.line.place(&spec.vault, first))
            .await
            .map_err(|_| MountError::NoPlace { vault: spec.vault.clone(), budget })?;
        let progress = Progress::new();
        let vault = spec.vault.clone();
        let objects: Arc<[ObjectSpec]> = std::mem::take(&mut spec.objects).into();
        let mut work = pin!(self.mount_unhurried(spec, &objects, first, &progress));
        let mounted = tokio::time::timeout_at(until, &mut work).await.unwrap_or_else(|_| {
            // While the work is there still: what it waits for goes with it.
            let (waiting, spent) = progress.waiting(&self.vaults, &self.azure);
            Err(MountError::OutOfTime {
                wanted: names(&objects),
                vault,
                budget,
                waiting: Box::new(waiting),
                spent,
            })
        })?;
        volume.into_iter().for_each(|volume| self.served.add(volume));
        if first { Ok(mounted) } else { Ok(Volume { left_out: Vec::new(), ..mounted }) }
    }

    /// Drops, now and then, what is kept and of no use any more. Never completes.
    pub async fn tidy(&self) {
        let mut interval = tokio::time::interval(TIDY);
        loop {
            interval.tick().await;
            self.vaults.tidy();
            self.identities.tidy();
        }
    }

    async fn mount_unhurried(
        &self,
        spec: MountSpec,
        objects: &Arc<[ObjectSpec]>,
        first: bool,
        progress: &Progress,
    ) -> Result<Volume, MountError> {
        let MountSpec { pod, cloud, vault, identity, objects: _, default_mode, misspellings } = spec;
        let cloud = CloudEnvironment::resolve(&cloud, &self.settings.clouds).await?;
        let endpoint = cloud.vault(&vault);
        let request = Arc::new(TokenRequest { identity, pod, cloud });
        let authenticate = async |token: Authentication| {
            let source = self.identities.source(&request);
            let authority =
                matches!(source, TokenSource::Entra { .. }).then(|| request.cloud.authority().clone());
            progress.enter(Phase::Token {
                identity: request.identity.to_string(),
                source,
                authority,
                last: token.last(),
            });
            token.outcome().await.map_err(|error| MountError::Identity {
                wanted: names(objects),
                vault: vault.clone(),
                error,
                misspellings: misspellings.clone(),
            })
        };
        let connect = |credential, reader| self.vaults.connect(&endpoint, credential, reader);
        let refused = |error| MountError::Connect { vault: vault.clone(), error: Box::new(error) };
        let limit = self.settings.largest_volume;
        let too_large = |TooLarge { size, largest }| MountError::TooLarge { size, limit, largest };
        let fetch = async |client: &VaultClient, before| {
            progress.read(&endpoint, objects);
            fetch::fetch(client, objects, before, progress, limit).await.map_err(too_large)
        };
        let mut caller = Box::new(Caller::new(&request.identity, endpoint.name(), misspellings.clone()));

        let work = async {
            let token = authenticate(self.identities.authenticate(&request)).await?;
            caller.object_id = token.principal.as_ref().map(|principal| principal.object_id().to_owned());
            let reader = Reader { principal: token.principal.clone(), first, renewed: None };
            let client = connect(token.credential.clone(), reader).map_err(refused)?;
            let fetched = fetch(&client, Vec::new()).await?;
            let Some(refusal) = fetch::refusal(&fetched) else { return Ok(fetched) };
            let renewal = self.identities.renew(&request, &token, refusal, client.shared());
            let Some(renewal) = renewal else { return Ok(fetched) };
            let token = authenticate(renewal).await?;
            let renewed = Some(token.generation());
            let reader = Reader { principal: token.principal.clone(), first, renewed };
            let client = connect(token.credential, reader).map_err(refused)?;
            fetch(&client, fetch::without_refused(fetched)).await
        };
        // A republish likely needs no vault.
        let fetched: Result<Vec<Fetched>, MountError> = match first {
            true => beside(work, self.vaults.warm(&endpoint, objects.len())).await,
            false => work.await,
        };
        let fetched = fetched?;
        caller.other_authority = self.vaults.standing(&endpoint).other_authority;
        progress.enter(Phase::Conversion);

        let layout = Layout { default_mode, certificates: self.settings.certificates, largest_volume: limit };
        let slow = files::is_slow(&fetched);
        // Dropped with this mount: a thread of its own goes on without it.
        let abandoned = CancellationToken::new();
        let _with_the_mount = abandoned.clone().drop_guard();
        let objects = objects.clone();
        let lay_out = move || files::lay_out(&objects, fetched, layout, || abandoned.is_cancelled());
        let volume = if slow { off_thread(lay_out).await } else { lay_out() };
        match volume {
            Ok(volume) => Ok(volume),
            Err(NoVolume::Failures(failures)) => Err(MountError::Objects { vault, caller, failures }),
            Err(NoVolume::TooLarge(error)) => Err(too_large(error)),
            // This mount is what it would be abandoned with.
            Err(NoVolume::Abandoned) => std::future::pending().await,
        }
    }
}

/// Objects as messages name them.
fn names(objects: &[ObjectSpec]) -> Vec<String> {
    objects.iter().map(ToString::to_string).collect()
}

/// How often what is of no use any more is dropped.
const TIDY: Duration = Duration::from_secs(15);

/// Does `work`, and while it waits for something, what may be of use to it later. What that comes to does not matter.
async fn beside<T>(work: impl Future<Output = T>, ahead: impl Future<Output = ()>) -> T {
    match select(pin!(work), pin!(ahead)).await {
        Either::Left((result, _)) => result,
        Either::Right(((), work)) => work.await,
    }
}

/// Runs what computes rather than waits beside the threads that serve all other mounts. A panic comes through.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that shuts down drops blocking work that has not begun, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}
