//! A cache of reads by principal. Equal concurrent reads share one request, and its answer can be kept for a time.

use std::{future::Future, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::time::Instant;

use crate::{
    metrics::{Metrics, VaultCall},
    singleflight::Call,
    spec::{
        mount_kind::MountKind,
        principal::{Principal, TokenGeneration},
    },
};

use super::{
    super::{
        bundle::{Bundle, VersionProperties},
        error::VaultError,
        heap,
        limiter::QueuedRequest,
        list::ObjectList,
        read::Read,
        request::Request,
    },
    access::{AccessRecord, Refusal},
    cache_policy::{CacheSettings, RepublishCheck},
    key::Key,
    revalidation::{Attributes, KnownLists, LastRead, Lists},
    store::Store,
    ttl_cache::MemorySize,
};

/// How long after it was sent a read may be joined. The answer may be as old as that, and an initial mount must not
/// join an old read: a deployment that restarts after an update of a secret needs the new value.
const MAX_SHARED_AGE: Duration = Duration::from_secs(1);

/// An answer that several mounts may wait for.
pub type Answer<T> = Call<Result<Arc<T>, Arc<VaultError>>>;

/// The identity of a mount's reads, the kind of its volume, and the namespace of its pod.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The principal; `None` shares nothing.
    pub principal: Option<Principal>,
    /// The kind of mount: whether a pod waits for the volume.
    pub kind: MountKind,
    /// The namespace of the mount's pod. In a vault's queue namespaces take turns.
    pub namespace: Arc<str>,
    /// The time at which the mount began. The answer to a read that was sent later is as new as the mount needs.
    pub began: Instant,
    /// The token that replaces one that the vault refused. Such a read does not join one with an older token.
    pub renewed: Option<TokenGeneration>,
}

/// The cache of all kinds of answers.
pub(in crate::vault) struct ReadCache {
    settings: CacheSettings,
    metrics: Metrics,
    access: AccessRecord,
    known_lists: KnownLists,
    bundles: Store<Bundle>,
    versions: Store<Vec<VersionProperties>>,
    lists: Store<ObjectList>,
}

/// An answer that can be cached.
pub(in crate::vault) trait Cacheable: MemorySize + Send + Sync + Sized + 'static {
    /// Returns the kind of call, as a metric label.
    fn kind(request: &Request) -> &'static str;
    /// Returns the store of this kind of answer.
    fn store(cache: &ReadCache) -> &Store<Self>;
    /// Returns how long the answer is kept.
    fn keep(settings: &CacheSettings, request: &Request) -> Duration {
        settings.max_age(MountKind::Republish).of_request(request)
    }
    /// Takes note of an answer of the vault, or of its failure.
    fn note(_: &ReadCache, _: &Key, _: Result<&Self, &VaultError>) {}
}

impl Reader {
    /// Returns the key of an object; `None` if the reader shares nothing.
    fn key(&self, vault: &Arc<str>, read: &Read) -> Option<Key> {
        let principal = self.principal.clone()?;
        Some(Key { vault: vault.clone(), principal, request: Request::Object(read.clone()) })
    }
}

impl ReadCache {
    pub(in crate::vault) fn new(settings: CacheSettings, metrics: Metrics) -> Self {
        Self {
            settings,
            metrics,
            access: AccessRecord::new(),
            known_lists: KnownLists::new(),
            bundles: Store::new(),
            versions: Store::new(),
            lists: Store::new(),
        }
    }

    /// Returns the answer to `request`, and where it comes from: a cached one that is young enough for `reader`, or to a
    /// read that was sent after its mount began; one that another mount waits for; or a new one from `ask`.
    pub(in crate::vault) fn answer<V: Cacheable, F>(
        self: &Arc<Self>,
        vault: &Arc<str>,
        reader: &Reader,
        request: &Request,
        ask: impl FnOnce(Arc<QueuedRequest>) -> F,
    ) -> (Answer<V>, VaultCall)
    where
        F: Future<Output = Result<V, VaultError>> + Send + 'static,
    {
        let counted = |answer, call| {
            self.metrics.vault_call(vault, V::kind(request), call);
            (answer, call)
        };
        let Some(principal) = reader.principal.clone() else {
            let answer = ask(Arc::new(QueuedRequest::new(reader.kind, reader.namespace.clone())));
            let answer = async { answer.await.map(Arc::new).map_err(Arc::new) };
            return counted(answer.boxed().shared(), VaultCall::Miss);
        };
        let key = Key { vault: vault.clone(), principal, request: request.clone() };
        let store = V::store(self);
        let max_age = self.settings.max_age(reader.kind).of_request(request);
        let kept = match reader.kind {
            // A new pod gets no value because of a list. A read that was sent since its mount began is as new as its own.
            MountKind::Initial => store.kept.get(&key, max_age.max(reader.began.elapsed()), Instant::now()),
            MountKind::Republish => store.kept.get_confirmed(&key, max_age, Instant::now()),
        };
        if let Some(value) = kept {
            return counted(std::future::ready(Ok(value)).boxed().shared(), VaultCall::Hit);
        }
        let read_key = (key, reader.renewed);
        if let Some(error) = store.refused.get(&read_key, reader.began) {
            return counted(std::future::ready(Err(error)).boxed().shared(), VaultCall::Shared);
        }
        let may_join = |queued: &Arc<QueuedRequest>| {
            let is_new = |sent: Instant| sent >= reader.began || sent.elapsed() < MAX_SHARED_AGE;
            queued.sent_at().is_none_or(is_new)
        };
        let joined = store.reads.join(&read_key, may_join, || {
            let (cache, read_key, begin) = (self.clone(), read_key.clone(), Instant::now());
            let queued = Arc::new(QueuedRequest::new(reader.kind, reader.namespace.clone()));
            let (answer, sent) = (ask(queued.clone()), queued.clone());
            let answer = async move {
                let answer = answer.await.map(Arc::new).map_err(Arc::new);
                let asked = sent.sent_at().unwrap_or(begin);
                V::note(&cache, &read_key.0, answer.as_deref().map_err(|error| &**error));
                match &answer {
                    Ok(value) => cache.store(read_key.0, value, asked),
                    Err(error) => {
                        cache.invalidate(&read_key.0, error);
                        V::store(&cache).refused.insert(read_key, error, asked);
                    }
                }
                answer
            };
            (queued, answer)
        });
        if !joined.is_shared {
            return counted(joined.call, VaultCall::Miss);
        }
        joined.progress.join(reader.kind, &reader.namespace);
        counted(joined.call, VaultCall::Shared)
    }

    /// Returns whether lists show what `reader` must read.
    pub(super) fn revalidates(&self, reader: &Reader) -> bool {
        reader.kind == MountKind::Republish && self.settings.republish_check == RepublishCheck::List
    }

    /// Returns what is known of vaults' lists.
    pub(super) fn known_lists(&self) -> &KnownLists {
        &self.known_lists
    }

    /// Returns the last read of the newest version of an object, if its value is kept and no mount may get it at `now`.
    pub(super) fn last_read(
        &self,
        vault: &Arc<str>,
        reader: &Reader,
        read: &Read,
        now: Instant,
    ) -> Option<LastRead> {
        let key = reader.key(vault, read)?;
        let max_age = self.settings.max_age(reader.kind).of(read);
        if self.bundles.kept.get_confirmed(&key, max_age, now).is_some() {
            return None;
        }
        let (bundle, asked) = self.bundles.kept.last(&key)?;
        let properties = bundle.properties();
        let attributes = Attributes::of(read.object_type, properties);
        Some(LastRead { asked, answered: properties.answered, attributes })
    }

    /// Records that the vault still had the value of a read at `listed`, and returns the value. The read was sent at
    /// `asked`. `None` means that the value was dropped or replaced since.
    pub(super) fn confirm(
        &self,
        vault: &Arc<str>,
        reader: &Reader,
        read: &Read,
        asked: Instant,
        listed: Instant,
    ) -> Option<Arc<Bundle>> {
        let key = reader.key(vault, read)?;
        let bundle = self.bundles.kept.confirm(&key, asked, listed)?;
        self.metrics.vault_call(vault, Bundle::kind(&key.request), VaultCall::Unchanged);
        Some(bundle)
    }

    /// Drops answers that no mount may get any more.
    pub(in crate::vault) fn evict_expired(&self) {
        let now = Instant::now();
        self.bundles.evict_expired(now);
        self.versions.evict_expired(now);
        self.lists.evict_expired(now);
    }

    /// Stores the answer to a read that was sent at `asked`, unless the principal was refused, or the
    /// object was absent, since.
    fn store<V: Cacheable>(&self, key: Key, value: &Arc<V>, asked: Instant) {
        let keep = V::keep(&self.settings, &key.request);
        self.access.read(key.object(), asked, || {
            V::store(self).kept.insert(key, value.clone(), asked, keep);
        });
    }

    /// Removes the entries that an error disproves. If the vault refuses the token, or an object that the principal had
    /// read, all that the principal read in the vault. If an object is missing or disabled, all answers about it,
    /// whatever principal read them; if a named version is missing, those about that version: anybody can name one.
    fn invalidate(&self, failed: &Key, error: &VaultError) {
        match error {
            VaultError::Unauthorized(_) | VaultError::MoreClaims { .. } => {
                self.drop_refused(failed, Refusal::Token);
            }
            // The record of what was read forgets the oldest.
            VaultError::Forbidden(_) if self.bundles.kept.last(failed).is_some() => {
                self.drop_refused(failed, Refusal::KeptObject);
            }
            VaultError::Forbidden(_) => self.drop_refused(failed, Refusal::Object),
            VaultError::NotFound(_) | VaultError::Disabled(_) | VaultError::NotValidNow(_) => {
                self.drop_absent(failed, matches!(error, VaultError::NotFound(_)));
            }
            _ => {}
        }
    }

    fn drop_absent(&self, failed: &Key, is_missing: bool) {
        let Request::Object(that) = &failed.request else { return };
        let is_concerned = |key: &Key| {
            let Request::Object(this) = &key.request else { return false };
            key.vault == failed.vault
                && this.object_type == that.object_type
                && this.name.is_same(&that.name)
                && (that.version.is_none()
                    || this.version == that.version
                    || this.version.is_none() && !is_missing)
        };
        // A named version says nothing of the others.
        let gone = that.version.is_none().then(|| failed.object());
        self.access.absent(gone.as_ref(), Instant::now(), || self.invalidate_where(is_concerned));
    }

    fn drop_refused(&self, failed: &Key, refusal: Refusal) {
        self.access.refused(&failed.object(), refusal, Instant::now(), || {
            self.invalidate_where(|key| key.vault == failed.vault && key.principal == failed.principal);
        });
    }

    fn invalidate_where(&self, concerned: impl Fn(&Key) -> bool) {
        self.bundles.kept.invalidate(&concerned);
        self.versions.kept.invalidate(&concerned);
        self.lists.kept.invalidate(&concerned);
    }
}

impl Cacheable for Bundle {
    fn kind(request: &Request) -> &'static str {
        request.object_type().as_str()
    }

    fn store(cache: &ReadCache) -> &Store<Self> {
        &cache.bundles
    }

    fn keep(settings: &CacheSettings, request: &Request) -> Duration {
        match request {
            Request::Object(read) => settings.keep(read),
            Request::List(_) => Duration::ZERO,
        }
    }
}

impl MemorySize for Bundle {
    fn bytes(&self) -> usize {
        self.bytes()
    }
}

impl Cacheable for Vec<VersionProperties> {
    fn kind(_: &Request) -> &'static str {
        "versions"
    }

    fn store(cache: &ReadCache) -> &Store<Self> {
        &cache.versions
    }
}

impl MemorySize for Vec<VersionProperties> {
    fn bytes(&self) -> usize {
        self.capacity() * size_of::<VersionProperties>()
            + self.iter().map(|listed| heap::shared_text(listed.version.as_str())).sum::<usize>()
    }
}

impl Cacheable for ObjectList {
    fn kind(_: &Request) -> &'static str {
        "list"
    }

    fn store(cache: &ReadCache) -> &Store<Self> {
        &cache.lists
    }

    fn note(cache: &ReadCache, key: &Key, answer: Result<&Self, &VaultError>) {
        if let Request::List(list) = key.request {
            let lists = Lists {
                vault: key.vault.clone(),
                principal: key.principal.clone(),
                object_type: list.object_type,
            };
            cache.known_lists.record(&lists, list, answer, Instant::now());
        }
    }
}

impl MemorySize for ObjectList {
    fn bytes(&self) -> usize {
        self.bytes()
    }
}
