//! One attempt at a mount, step by step: the token, the reads, a second round with a renewed token where the vault
//! refused the first, and the files.

mod find;

use std::{future::Future, pin::pin, sync::Arc};

use azure_core::time::OffsetDateTime;
use futures::future::{Either, join_all, select};
use tokio_util::sync::CancellationToken;

use crate::{
    cloud::CloudEnvironment,
    identity::{Authenticated, Authentication, TokenRefusal, TokenRequest, TokenSource},
    spec::{
        MountSpec, file::FileMode, identity::ConfiguredIdentity, misspelling::Misspelling,
        mount_kind::MountKind, object::ObjectSpec, pod::PodRef, principal::TokenGeneration,
    },
    transport::MountGuard,
    vault::Reader,
};

use super::{
    Mounter, Volume,
    attempts::Attempts,
    draft::TooLarge,
    failover::Patience,
    failure::{AskedVault, Budget, Caller, MountError, Phase, Progress},
    fetch::{self, Fetched, Stopped},
    layout::{self, Layout, NoVolume},
    memory::MountMemory,
    requested::Requested,
    validity,
    vaults::{MountVault, MountVaults, VaultClients},
};

/// A mount attempt: everything that one mount needs until its volume is built.
pub(super) struct MountAttempt<'a> {
    mounter: &'a Mounter,
    kind: MountKind,
    progress: &'a Progress,
    memory: &'a MountMemory,
    requested: Requested,
    vaults: MountVaults,
    /// The time of the class's own vault, if another one can be read in its place.
    patience: Option<&'a Patience>,
    cloud: CloudEnvironment,
    identity: ConfiguredIdentity,
    pod: PodRef,
    misspellings: Vec<Misspelling>,
    default_mode: FileMode,
    /// The time that decides which versions are valid: one for the whole mount.
    now: OffsetDateTime,
}

/// Read objects, with the caller that the vault saw, for messages.
struct Read {
    objects: Arc<[ObjectSpec]>,
    fetched: Vec<Fetched>,
    caller: Box<Caller>,
}

/// The clients of an attempt, and its token until it was renewed: an attempt renews it once.
struct Session {
    request: Arc<TokenRequest>,
    token: Option<Authenticated>,
    clients: VaultClients,
}

impl<'a> MountAttempt<'a> {
    /// Returns one of `attempts`, which reads what is `requested` from `vaults`.
    pub(super) fn new(
        attempts: &Attempts<'a>,
        vaults: MountVaults,
        requested: &Requested,
        patience: Option<&'a Patience>,
        progress: &'a Progress,
    ) -> Self {
        let MountSpec { pod, identity, default_mode, misspellings, .. } = attempts.spec.clone();
        Self {
            mounter: attempts.mounter,
            kind: attempts.kind,
            progress,
            memory: attempts.memory,
            requested: requested.clone(),
            vaults,
            patience,
            cloud: attempts.cloud.clone(),
            identity,
            pod,
            misspellings,
            default_mode,
            now: OffsetDateTime::now_utc(),
        }
    }

    /// Reads the objects and builds the volume. If the files need a permit for their memory and none is free, drops
    /// everything, waits, and reads again.
    pub(super) async fn run(self) -> Result<Volume, MountError> {
        let mut connections = self.prewarm();
        loop {
            // Boxed, because each function that a future passes through keeps room for it.
            let read = Box::pin(self.read());
            let read = match self.kind {
                MountKind::Initial => run_alongside(read, self.probe()).await,
                MountKind::Republish => read.await,
            };
            if let Some(volume) = self.convert(read?).await? {
                connections.iter_mut().for_each(MountGuard::succeeded);
                return Ok(volume);
            }
            self.wait_for_memory().await;
        }
    }

    /// Opens connections for the reads, while their token is still being requested.
    fn prewarm(&self) -> Vec<MountGuard> {
        let reads = |vault: &MountVault| match self.kind {
            MountKind::Initial => vault.objects,
            // The pod's previous mount likely left a connection open.
            MountKind::Republish => 0,
        };
        let (vaults, sharers) = (&self.mounter.vaults, self.identity.sharers(&self.pod));
        let prewarm = |vault: &MountVault| vaults.prewarm(&vault.endpoint, &sharers, reads(vault));
        self.vaults.iter().filter_map(prewarm).collect()
    }

    async fn probe(&self) {
        let vaults = &self.mounter.vaults;
        join_all(self.vaults.iter().map(|vault| vaults.probe(&vault.endpoint))).await;
    }

    async fn read(&self) -> Result<Read, MountError> {
        let identities = &self.mounter.identities;
        let request = self.token_request().await?;
        let token = self.token(&request, identities.authenticate(&request)).await?;
        let mut caller = Box::new(Caller::new(&request.identity, self.misspellings.clone()));
        caller.object_id = token.principal.as_ref().map(|principal| principal.object_id().to_owned());

        let clients = self.connect(&token, None)?;
        let mut session = Session { request, token: Some(token), clients };
        let objects = match self.find(&mut session).await? {
            Ok(objects) => objects,
            Err(failures) => {
                caller.vaults = self.asked();
                let vault = self.vaults.first().name.clone();
                return Err(MountError::Objects { vault, caller, failures });
            }
        };
        let mut fetched = self.fetch(&session.clients, &objects, Vec::new()).await?;
        if let Some(refusal) = fetch::refusal(&fetched)
            && self.renew(&mut session, refusal).await?
        {
            fetched = self.fetch(&session.clients, &objects, fetch::without_refused(fetched)).await?;
        }
        caller.vaults = self.asked();
        Ok(Read { objects, fetched, caller })
    }

    /// Replaces the token and the clients, unless they were replaced before. Returns whether there is a new token.
    async fn renew(&self, session: &mut Session, refusal: TokenRefusal) -> Result<bool, MountError> {
        let Session { request, token, clients } = session;
        let Some(token) = token.take() else { return Ok(false) };
        let is_forbidden = refusal == TokenRefusal::Forbidden;
        let Some(renewal) = self.mounter.identities.renew(request, &token, refusal, clients.shared()) else {
            return Ok(false);
        };
        let token = match self.token(request, renewal).await {
            Ok(token) => token,
            // The vault accepted the token, and its 403 is what the operator can act on.
            Err(error) if is_forbidden => {
                let (code, cause) = (error.code(|_| 0), error.to_string());
                tracing::warn!(%code, cause, "no new token after a vault's 403, which is reported");
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        *clients = self.connect(&token, Some(token.generation()))?;
        Ok(true)
    }

    /// Returns the token request, whose tenant the vault's challenge names if the parameters do not.
    async fn token_request(&self) -> Result<Arc<TokenRequest>, MountError> {
        let learn = async {
            let first = self.vaults.first();
            self.progress.read(&self.vaults, self.requested.clone());
            let learned = self.within_patience(self.mounter.vaults.tenant(&first.endpoint)).await?;
            learned.map_err(|error| MountError::Tenant {
                wanted: self.requested.names(),
                vault: first.name.clone(),
                error: Box::new(error),
                misspellings: self.misspellings.clone(),
            })
        };
        let identity = self.identity.clone().with_tenant(learn).await?;
        Ok(Arc::new(TokenRequest { identity, pod: self.pod.clone(), cloud: self.cloud.clone() }))
    }

    async fn token(
        &self,
        request: &TokenRequest,
        token: Authentication,
    ) -> Result<Authenticated, MountError> {
        let source = self.mounter.identities.source(request);
        let is_entra = matches!(source, TokenSource::Entra { .. });
        self.progress.enter(Phase::Token {
            identity: request.identity.to_string(),
            source,
            authority: is_entra.then(|| request.cloud.authority().clone()),
            last: token.last(),
        });
        token.outcome().await.map_err(|error| MountError::Identity {
            wanted: self.requested.names(),
            vault: self.vaults.first().name.clone(),
            error,
            misspellings: self.misspellings.clone(),
        })
    }

    fn connect(
        &self,
        token: &Authenticated,
        renewed: Option<TokenGeneration>,
    ) -> Result<VaultClients, MountError> {
        let reader = || Reader {
            principal: token.principal.clone(),
            kind: self.kind,
            namespace: self.pod.namespace.as_str().into(),
            began: self.progress.began(),
            renewed,
        };
        let connect =
            |endpoint: &_| self.mounter.vaults.connect(endpoint, token.credential.clone(), reader());
        VaultClients::connect(&self.vaults, connect).map_err(|(vault, error)| MountError::Connect {
            vault: vault.name.clone(),
            error: Box::new(error),
        })
    }

    /// Reads the objects that `before` does not hold. If the volume needs a permit for its memory and none is free,
    /// drops everything, waits, and reads all objects.
    async fn fetch(
        &self,
        clients: &VaultClients,
        objects: &Arc<[ObjectSpec]>,
        before: Vec<Option<Fetched>>,
    ) -> Result<Vec<Fetched>, MountError> {
        let mut before = before;
        loop {
            self.progress.read(&self.vaults, Requested::of_objects(objects));
            let limit = self.mounter.settings.largest_volume;
            let reads = fetch::fetch(clients, objects, before, self.progress, self.memory, limit, self.now);
            match self.within_patience(reads).await? {
                Ok(fetched) => return Ok(fetched),
                Err(Stopped::TooLarge(error)) => return Err(self.too_large(error)),
                Err(Stopped::NoPermit) => {
                    before = Vec::new();
                    // Ends the round. The clients would keep its read, which nobody drives while the mount waits, and
                    // with it a place in the vault's queue.
                    clients.revalidate(&[]).await;
                    self.wait_for_memory().await;
                }
            }
        }
    }

    /// Waits for a permit for a large volume, while the mount holds nothing.
    async fn wait_for_memory(&self) {
        self.progress.enter(Phase::Memory);
        self.memory.wait().await;
    }

    /// Waits for answers of vaults. If another vault can be read in place of the class's own one, that one gets its share
    /// of the time, or less if another mount fails over.
    ///
    /// # Errors
    /// Objects of the class's own vault are missing after that.
    async fn within_patience<T>(&self, answers: impl Future<Output = T>) -> Result<T, MountError> {
        let Some(patience) = self.patience else { return Ok(answers.await) };
        let mut answers = pin!(answers);
        let end = match patience.wait(answers.as_mut()).await {
            Ok(answers) => return Ok(answers),
            Err(end) => end,
        };
        if !self.progress.misses_own_vault() {
            return Ok(answers.await);
        }
        let own = self.vaults.first();
        patience.end(end, self.mounter.vaults.status(&own.endpoint).silent_for);
        let (waiting, spent) = self.progress.waiting(&self.mounter.vaults, &self.mounter.azure);
        Err(MountError::Timeout {
            wanted: self.requested.names(),
            vault: own.name.clone(),
            budget: Budget::Share,
            waiting: Box::new(waiting),
            spent,
        })
    }

    /// Returns what messages say of the vaults.
    fn asked(&self) -> Vec<AskedVault> {
        let asked = |vault: &MountVault| AskedVault {
            name: vault.name.clone(),
            host: vault.endpoint.name().to_owned(),
            other_authority: self.mounter.vaults.status(&vault.endpoint).other_authority,
        };
        self.vaults.iter().map(asked).collect()
    }

    /// Returns the volume; `None` if its files need a permit for their memory, and none is free.
    async fn convert(&self, Read { objects, fetched, caller }: Read) -> Result<Option<Volume>, MountError> {
        self.progress.enter(Phase::Conversion);
        let layout = Layout {
            default_mode: self.default_mode,
            certificates: self.mounter.settings.certificates,
            largest_volume: self.mounter.settings.largest_volume,
        };
        let validity = validity::of(&self.vaults, &objects, &fetched, self.now);
        let is_slow = layout::is_slow(&objects, &fetched);
        // Canceled when this attempt is dropped: otherwise the blocking thread would finish all conversions.
        let canceled = CancellationToken::new();
        let _cancel_on_drop = canceled.clone().drop_guard();
        let finds = self.requested.finds.clone();
        let memory = self.memory.clone();
        let build = move || {
            layout::build_volume(&objects, &finds, fetched, layout, memory, || canceled.is_cancelled())
        };
        let computed = match is_slow {
            true => self.mounter.computations.of(&self.pod.namespace).run(build).await,
            false => build(),
        };
        match computed {
            Ok(volume) => Ok(Some(Volume { validity, ..volume })),
            Err(NoVolume::NoPermit) => Ok(None),
            Err(NoVolume::Failures(failures)) => {
                let vault = self.vaults.first().name.clone();
                Err(MountError::Objects { vault, caller, failures })
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

/// Runs `work`, and `other` beside it until `work` has ended.
async fn run_alongside<T>(work: impl Future<Output = T>, other: impl Future<Output = ()>) -> T {
    match select(pin!(work), pin!(other)).await {
        Either::Left((result, _)) => result,
        Either::Right(((), work)) => work.await,
    }
}
