//! One attempt at a mount, step by step: the token, the reads, a second round with a renewed token where the vault
//! refused the first, and the files.

use std::{future::Future, pin::pin, sync::Arc};

use azure_core::time::OffsetDateTime;
use futures::future::{Either, select};
use tokio_util::sync::CancellationToken;

use crate::{
    cloud::{CloudEnvironment, VaultEndpoint},
    identity::{Authenticated, Authentication, TokenRequest, TokenSource},
    spec::{
        MountSpec, file::FileMode, misspelling::Misspelling, mount_kind::MountKind, object::ObjectSpec,
        principal::TokenGeneration, vault::VaultName,
    },
    transport::MountGuard,
    vault::{Reader, VaultClient},
};

use super::{
    Mounter, Volume,
    failure::{Caller, MountError, Phase, Progress},
    fetch::{self, Fetched, Stopped},
    layout::{self, Layout, NoVolume},
    memory::MountMemory,
    validity,
    volume::TooLarge,
};

/// A mount attempt: everything that one mount needs until its volume is built.
pub(super) struct MountAttempt<'a> {
    mounter: &'a Mounter,
    kind: MountKind,
    progress: &'a Progress,
    memory: &'a MountMemory<'a>,
    objects: Arc<[ObjectSpec]>,
    vault: VaultName,
    endpoint: VaultEndpoint,
    request: Arc<TokenRequest>,
    misspellings: Vec<Misspelling>,
    default_mode: FileMode,
    /// The time that decides which versions are valid: one for the whole mount.
    now: OffsetDateTime,
}

/// Read objects, with the caller that the vault saw, for messages.
struct Read {
    fetched: Vec<Fetched>,
    caller: Box<Caller>,
}

impl<'a> MountAttempt<'a> {
    /// Returns an attempt at the mount of `spec` from a vault of `cloud`. The objects of `spec` are `objects`.
    pub(super) fn new(
        mounter: &'a Mounter,
        spec: MountSpec,
        cloud: CloudEnvironment,
        objects: &Arc<[ObjectSpec]>,
        kind: MountKind,
        progress: &'a Progress,
        memory: &'a MountMemory<'a>,
    ) -> Self {
        let MountSpec { pod, cloud: _, vault, identity, objects: _, default_mode, misspellings } = spec;
        let endpoint = cloud.vault(&vault);
        let request = Arc::new(TokenRequest { identity, pod, cloud });
        let objects = objects.clone();
        Self {
            mounter,
            kind,
            progress,
            memory,
            objects,
            vault,
            endpoint,
            request,
            misspellings,
            default_mode,
            now: OffsetDateTime::now_utc(),
        }
    }

    /// Reads the objects and builds the volume.
    pub(super) async fn run(self) -> Result<Volume, MountError> {
        let vaults = &self.mounter.vaults;
        let reads = match self.kind {
            MountKind::Initial => self.objects.len(),
            // The pod's previous mount likely left a connection open.
            MountKind::Republish => 0,
        };
        let mut connections = vaults.prewarm(&self.endpoint, reads);
        // Boxed, because each function that a future passes through keeps room for it.
        let read = Box::pin(self.read());
        let read = match self.kind {
            MountKind::Initial => run_alongside(read, vaults.probe(&self.endpoint)).await,
            MountKind::Republish => read.await,
        };
        let volume = self.convert(read?).await?;
        connections.iter_mut().for_each(MountGuard::succeeded);
        Ok(volume)
    }

    async fn read(&self) -> Result<Read, MountError> {
        let identities = &self.mounter.identities;
        let token = self.token(identities.authenticate(&self.request)).await?;
        let mut caller =
            Box::new(Caller::new(&self.request.identity, self.endpoint.name(), self.misspellings.clone()));
        caller.object_id = token.principal.as_ref().map(|principal| principal.object_id().to_owned());

        let client = self.connect(&token, None)?;
        let mut fetched = self.fetch(&client, Vec::new()).await?;
        if let Some(refusal) = fetch::refusal(&fetched)
            && let Some(renewal) = identities.renew(&self.request, &token, refusal, client.shared())
        {
            let token = self.token(renewal).await?;
            let client = self.connect(&token, Some(token.generation()))?;
            fetched = self.fetch(&client, fetch::without_refused(fetched)).await?;
        }
        caller.other_authority = self.mounter.vaults.status(&self.endpoint).other_authority;
        Ok(Read { fetched, caller })
    }

    async fn token(&self, token: Authentication) -> Result<Authenticated, MountError> {
        let source = self.mounter.identities.source(&self.request);
        let is_entra = matches!(source, TokenSource::Entra { .. });
        self.progress.enter(Phase::Token {
            identity: self.request.identity.to_string(),
            source,
            authority: is_entra.then(|| self.request.cloud.authority().clone()),
            last: token.last(),
        });
        token.outcome().await.map_err(|error| MountError::Identity {
            wanted: names(&self.objects),
            vault: self.vault.clone(),
            error,
            misspellings: self.misspellings.clone(),
        })
    }

    fn connect(
        &self,
        token: &Authenticated,
        renewed: Option<TokenGeneration>,
    ) -> Result<VaultClient, MountError> {
        let reader = Reader {
            principal: token.principal.clone(),
            kind: self.kind,
            began: self.progress.began(),
            renewed,
        };
        self.mounter
            .vaults
            .connect(&self.endpoint, token.credential.clone(), reader)
            .map_err(|error| MountError::Connect { vault: self.vault.clone(), error: Box::new(error) })
    }

    /// Reads the objects that `before` does not hold. If the volume needs a permit for its memory and none is free,
    /// drops everything, waits, and reads all objects.
    async fn fetch(
        &self,
        client: &VaultClient,
        before: Vec<Option<Fetched>>,
    ) -> Result<Vec<Fetched>, MountError> {
        let mut before = before;
        loop {
            self.progress.read(&self.endpoint, &self.objects);
            let limit = self.mounter.settings.largest_volume;
            match fetch::fetch(client, &self.objects, before, self.progress, self.memory, limit, self.now)
                .await
            {
                Ok(fetched) => return Ok(fetched),
                Err(Stopped::TooLarge(error)) => return Err(self.too_large(error)),
                Err(Stopped::NoPermit) => {
                    before = Vec::new();
                    self.progress.enter(Phase::Memory);
                    self.memory.wait().await;
                }
            }
        }
    }

    async fn convert(self, Read { fetched, caller }: Read) -> Result<Volume, MountError> {
        self.progress.enter(Phase::Conversion);
        let layout = Layout {
            default_mode: self.default_mode,
            certificates: self.mounter.settings.certificates,
            largest_volume: self.mounter.settings.largest_volume,
        };
        let validity = validity::of(self.endpoint.name(), &self.objects, &fetched, self.now);
        let is_slow = layout::is_slow(&self.objects, &fetched);
        // Canceled when this attempt is dropped: otherwise the blocking thread would finish all conversions.
        let canceled = CancellationToken::new();
        let _cancel_on_drop = canceled.clone().drop_guard();
        let objects = self.objects.clone();
        let build = move || layout::build_volume(&objects, fetched, layout, || canceled.is_cancelled());
        match if is_slow { run_blocking(build).await } else { build() } {
            Ok(volume) => Ok(Volume { validity, ..volume }),
            Err(NoVolume::Failures(failures)) => {
                Err(MountError::Objects { vault: self.vault, caller, failures })
            }
            Err(NoVolume::TooLarge(error)) => Err(self.too_large(error)),
            // Only a dropped attempt cancels its conversion.
            Err(NoVolume::Abandoned) => std::future::pending().await,
        }
    }

    fn too_large(&self, TooLarge { size, largest }: TooLarge) -> MountError {
        MountError::TooLarge { size, limit: self.mounter.settings.largest_volume, largest }
    }
}

/// Returns the objects' names as messages show them.
pub(super) fn names(objects: &[ObjectSpec]) -> Vec<String> {
    objects.iter().map(ToString::to_string).collect()
}

/// Runs `work`, and `other` beside it until `work` has ended.
async fn run_alongside<T>(work: impl Future<Output = T>, other: impl Future<Output = ()>) -> T {
    match select(pin!(work), pin!(other)).await {
        Either::Left((result, _)) => result,
        Either::Right(((), work)) => work.await,
    }
}

/// Runs a computation on a blocking thread, so that it does not delay the threads that serve other mounts. A panic in
/// `work` panics here.
async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a shutdown of the runtime drops blocking work that has not begun, and it drops this task as well.
            Err(_) => std::future::pending().await,
        },
    }
}
