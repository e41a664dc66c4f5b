//! Reads that principals share with themselves: under way at the same moment, or a moment ago.

use std::{future::Future, sync::Arc};

use futures::FutureExt;
use tokio::time::Instant;

use crate::{
    metrics::{Metrics, VaultCall},
    spec::{
        mount_kind::MountKind,
        principal::{Principal, TokenGeneration},
    },
};

use super::{
    bundle::{Bundle, VersionProperties},
    error::VaultError,
    flight::{Flight, Flights},
    freshness::{CacheSettings, Freshness},
    limiter::QueuedRequest,
    memory::{Footprint, Memory},
    read::Read,
};

/// An answer that several may wait for.
pub type Answer<T> = Flight<Result<Arc<T>, Arc<VaultError>>>;

/// As whom a mount reads, and for what volume.
#[derive(Debug, Clone)]
pub struct Reader {
    /// Who asks; `None` shares nothing.
    pub principal: Option<Principal>,
    /// Whether the volume is new, so that a pod waits for it.
    pub first: bool,
    /// The token that is used in place of one that the vault refused. Such a read joins none with an older token.
    pub renewed: Option<TokenGeneration>,
}

impl Reader {
    fn kind(&self) -> MountKind {
        if self.first { MountKind::Initial } else { MountKind::Republish }
    }
}

/// What was asked, of which vault, and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    vault: Arc<str>,
    principal: Principal,
    read: Read,
}

/// What is asked, and with which renewed token.
type FlightKey = (Key, Option<TokenGeneration>);

/// All that is shared.
pub(super) struct Sharing {
    settings: CacheSettings,
    metrics: Metrics,
    bundles: Shelf<Bundle>,
    lists: Shelf<Vec<VersionProperties>>,
}

/// Answers of one kind.
pub(super) struct Shelf<V> {
    flights: Flights<FlightKey, Result<Arc<V>, Arc<VaultError>>>,
    memory: Memory<Key, V>,
}

/// An answer that has a shelf.
pub(super) trait Shelved: Footprint + Send + Sync + Sized + 'static {
    /// Its name among the kinds of calls, as metrics have it.
    fn kind(read: &Read) -> &'static str;
    /// Its shelf.
    fn shelf(sharing: &Sharing) -> &Shelf<Self>;
}

impl Sharing {
    pub(super) fn new(settings: CacheSettings, metrics: Metrics) -> Self {
        Self { settings, metrics, bundles: Shelf::new(), lists: Shelf::new() }
    }

    /// The answer to `read`, and where it is from: one that is young enough for `reader`, one that is under way, or the
    /// one that `ask` gets.
    pub(super) fn answer<V: Shelved, F>(
        self: &Arc<Self>,
        vault: &Arc<str>,
        reader: &Reader,
        read: &Read,
        ask: impl FnOnce(Arc<QueuedRequest>) -> F,
    ) -> (Answer<V>, VaultCall)
    where
        F: Future<Output = Result<V, VaultError>> + Send + 'static,
    {
        let counted = |answer, call| {
            self.metrics.vault_call(vault, V::kind(read), call);
            (answer, call)
        };
        let Some(principal) = reader.principal.clone() else {
            let answer = ask(Arc::new(QueuedRequest::new(reader.kind())));
            let answer = async { answer.await.map(Arc::new).map_err(Arc::new) };
            return counted(answer.boxed().shared(), VaultCall::Made);
        };
        let key = Key { vault: vault.clone(), principal, read: read.clone() };
        let shelf = V::shelf(self);
        let max_age = self.freshness(reader).max_age(read);
        if let Some(value) = shelf.memory.recall(&key, max_age, Instant::now()) {
            return counted(std::future::ready(Ok(value)).boxed().shared(), VaultCall::Remembered);
        }
        let (answer, joined) = shelf.flights.join(&(key.clone(), reader.renewed), reader.kind(), |handle| {
            let (sharing, key, begin) = (self.clone(), key.clone(), Instant::now());
            let answer = ask(handle.clone());
            Box::pin(async move {
                let answer = answer.await.map(Arc::new).map_err(Arc::new);
                match &answer {
                    Ok(value) => {
                        let keep = sharing.settings.republish().max_age(&key.read);
                        let asked = handle.sent_at().unwrap_or(begin);
                        V::shelf(&sharing).memory.remember(key, value.clone(), asked, keep);
                    }
                    Err(error) => sharing.forget(&key, error),
                }
                answer
            })
        });
        counted(answer, if joined { VaultCall::Joined } else { VaultCall::Made })
    }

    /// Drops what nobody may be given any more.
    pub(super) fn tidy(&self) {
        let now = Instant::now();
        self.bundles.memory.tidy(now);
        self.lists.memory.tidy(now);
    }

    fn freshness(&self, reader: &Reader) -> Freshness {
        if reader.first { self.settings.first_mount() } else { self.settings.republish() }
    }

    /// Forgets what an error shows to be no longer so: a refused principal all that it read in the vault, a missing or
    /// disabled object all that anybody read of it.
    fn forget(&self, failed: &Key, error: &VaultError) {
        match error {
            VaultError::Unauthorized(_) | VaultError::Forbidden(_) => {
                self.forget_all(|key| key.vault == failed.vault && key.principal == failed.principal);
            }
            VaultError::NotFound(_) | VaultError::Disabled(_) | VaultError::NotValidNow(_) => self
                .forget_all(|key| {
                    let (this, that) = (&key.read, &failed.read);
                    key.vault == failed.vault
                        && (this.object_type, &this.name) == (that.object_type, &that.name)
                        && (that.version.is_none() || this.version.is_none() || this.version == that.version)
                }),
            _ => {}
        }
    }

    fn forget_all(&self, concerned: impl Fn(&Key) -> bool) {
        self.bundles.memory.forget(&concerned);
        self.lists.memory.forget(&concerned);
    }
}

impl<V: Footprint + Send + Sync + 'static> Shelf<V> {
    fn new() -> Self {
        Self { flights: Flights::new(), memory: Memory::new() }
    }
}

impl Shelved for Bundle {
    fn kind(read: &Read) -> &'static str {
        read.object_type.as_str()
    }

    fn shelf(sharing: &Sharing) -> &Shelf<Self> {
        &sharing.bundles
    }
}

impl Footprint for Bundle {
    fn bytes(&self) -> usize {
        match self {
            Self::Secret(secret) => secret.value.expose().len(),
            // No part of a key is longer than a few hundred bytes.
            Self::Key(_) => 1024,
            Self::Certificate(certificate) => certificate.der.len(),
        }
    }
}

impl Shelved for Vec<VersionProperties> {
    fn kind(_: &Read) -> &'static str {
        "versions"
    }

    fn shelf(sharing: &Sharing) -> &Shelf<Self> {
        &sharing.lists
    }
}

impl Footprint for Vec<VersionProperties> {
    fn bytes(&self) -> usize {
        // A version is 32 digits.
        self.len() * (size_of::<VersionProperties>() + 32)
    }
}
