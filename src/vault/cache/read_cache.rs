//! A cache of reads by principal. Equal concurrent reads share one request, and its answer can be kept for a time.

use std::{future::Future, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::time::Instant;

use crate::{
    metrics::{Metrics, VaultCall},
    singleflight::{Call, Singleflight},
    spec::{
        mount_kind::MountKind,
        principal::{Principal, TokenGeneration},
    },
};

use super::{
    super::{
        bundle::{Bundle, VersionProperties},
        error::VaultError,
        limiter::QueuedRequest,
        read::Read,
    },
    cache_policy::CacheSettings,
    ttl_cache::{MemorySize, TtlCache},
};

/// How long after it was sent a read may be joined. The answer may be as old as that, and an initial mount must not
/// join an old read: a deployment that restarts after an update of a secret needs the new value.
const MAX_SHARED_AGE: Duration = Duration::from_secs(1);

/// An answer that several mounts may wait for.
pub type Answer<T> = Call<Result<Arc<T>, Arc<VaultError>>>;

/// The identity of a mount's reads, and the kind of its volume.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The principal; `None` shares nothing.
    pub principal: Option<Principal>,
    /// The kind of mount: whether a pod waits for the volume.
    pub kind: MountKind,
    /// The token that replaces one that the vault refused. Such a read does not join one with an older token.
    pub renewed: Option<TokenGeneration>,
}

/// The vault, the principal and the read of a cached answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::vault) struct Key {
    vault: Arc<str>,
    principal: Principal,
    read: Read,
}

/// The key of a read in flight, with its renewed token.
type ReadKey = (Key, Option<TokenGeneration>);

/// The cache of both kinds of answers.
pub(in crate::vault) struct ReadCache {
    settings: CacheSettings,
    metrics: Metrics,
    bundles: Store<Bundle>,
    lists: Store<Vec<VersionProperties>>,
}

/// The reads in flight and the cached answers of one kind.
pub(in crate::vault) struct Store<V> {
    reads: Singleflight<ReadKey, Result<Arc<V>, Arc<VaultError>>, Arc<QueuedRequest>>,
    kept: TtlCache<Key, V>,
}

/// An answer that can be cached.
pub(in crate::vault) trait Cacheable: MemorySize + Send + Sync + Sized + 'static {
    /// Returns the kind of call, as a metric label.
    fn kind(read: &Read) -> &'static str;
    /// Returns the store of this kind of answer.
    fn store(cache: &ReadCache) -> &Store<Self>;
}

impl ReadCache {
    pub(in crate::vault) fn new(settings: CacheSettings, metrics: Metrics) -> Self {
        Self { settings, metrics, bundles: Store::new(), lists: Store::new() }
    }

    /// Returns the answer to `read`, and where it comes from: a cached one that is young enough for `reader`, one in
    /// flight, or a new one from `ask`.
    pub(in crate::vault) fn answer<V: Cacheable, F>(
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
            let answer = ask(Arc::new(QueuedRequest::new(reader.kind)));
            let answer = async { answer.await.map(Arc::new).map_err(Arc::new) };
            return counted(answer.boxed().shared(), VaultCall::Miss);
        };
        let key = Key { vault: vault.clone(), principal, read: read.clone() };
        let store = V::store(self);
        let max_age = self.settings.max_age(reader.kind).of(read);
        if let Some(value) = store.kept.get(&key, max_age, Instant::now()) {
            return counted(std::future::ready(Ok(value)).boxed().shared(), VaultCall::Hit);
        }
        let may_join = |request: &Arc<QueuedRequest>| {
            request.sent_at().is_none_or(|sent| sent.elapsed() < MAX_SHARED_AGE)
        };
        let joined = store.reads.join(&(key.clone(), reader.renewed), may_join, || {
            let (cache, key, begin) = (self.clone(), key.clone(), Instant::now());
            let request = Arc::new(QueuedRequest::new(reader.kind));
            let (answer, sent) = (ask(request.clone()), request.clone());
            let answer = async move {
                let answer = answer.await.map(Arc::new).map_err(Arc::new);
                match &answer {
                    Ok(value) => {
                        let keep = cache.settings.max_age(MountKind::Republish).of(&key.read);
                        let asked = sent.sent_at().unwrap_or(begin);
                        V::store(&cache).kept.insert(key, value.clone(), asked, keep);
                    }
                    Err(error) => cache.invalidate(&key, error),
                }
                answer
            };
            (request, answer)
        });
        if !joined.is_shared {
            return counted(joined.call, VaultCall::Miss);
        }
        if reader.kind == MountKind::Initial {
            joined.progress.promote();
        }
        counted(joined.call, VaultCall::Shared)
    }

    /// Drops answers that no mount may get any more.
    pub(in crate::vault) fn evict_expired(&self) {
        let now = Instant::now();
        self.bundles.kept.evict_expired(now);
        self.lists.kept.evict_expired(now);
    }

    /// Removes the entries that an error disproves. If the principal is refused, all that it read in the vault; if an
    /// object is missing or disabled, all answers about it, whatever principal read them.
    fn invalidate(&self, failed: &Key, error: &VaultError) {
        match error {
            VaultError::Unauthorized(_) | VaultError::Forbidden(_) => {
                self.invalidate_where(|key| key.vault == failed.vault && key.principal == failed.principal);
            }
            VaultError::NotFound(_) | VaultError::Disabled(_) | VaultError::NotValidNow(_) => self
                .invalidate_where(|key| {
                    let (this, that) = (&key.read, &failed.read);
                    key.vault == failed.vault
                        && (this.object_type, &this.name) == (that.object_type, &that.name)
                        && (that.version.is_none() || this.version.is_none() || this.version == that.version)
                }),
            _ => {}
        }
    }

    fn invalidate_where(&self, concerned: impl Fn(&Key) -> bool) {
        self.bundles.kept.invalidate(&concerned);
        self.lists.kept.invalidate(&concerned);
    }
}

impl<V: MemorySize + Send + Sync + 'static> Store<V> {
    fn new() -> Self {
        Self { reads: Singleflight::new(), kept: TtlCache::new() }
    }
}

impl Cacheable for Bundle {
    fn kind(read: &Read) -> &'static str {
        read.object_type.as_str()
    }

    fn store(cache: &ReadCache) -> &Store<Self> {
        &cache.bundles
    }
}

impl MemorySize for Bundle {
    fn bytes(&self) -> usize {
        self.content_bytes() + self.properties().bytes()
    }
}

impl Cacheable for Vec<VersionProperties> {
    fn kind(_: &Read) -> &'static str {
        "versions"
    }

    fn store(cache: &ReadCache) -> &Store<Self> {
        &cache.lists
    }
}

impl MemorySize for Vec<VersionProperties> {
    fn bytes(&self) -> usize {
        // A version is 32 digits.
        self.len() * (size_of::<VersionProperties>() + 32)
    }
}
