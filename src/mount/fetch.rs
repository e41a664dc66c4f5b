//! The reads of a mount, many at once, their results in the user's order.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::{StreamExt, stream};

use crate::{
    identity::TokenRefusal,
    spec::object::{ObjectSpec, ObjectVersion, VersionSelector},
    vault::{Answer, Bundle, MemorySize, Read, VaultClient, VaultError},
};

use super::{
    failure::{ObjectError, Progress},
    versions,
    volume::TooLarge,
};

/// How many objects of one mount are under way at once, and how many versions of each. How many requests go out is the
/// limiter's to say; this bounds what waits there.
const MAX_CONCURRENT_READS: usize = 64;

/// What was read for one object.
pub(super) type Fetched = Result<Versions, ObjectError>;

/// The versions of one object.
#[derive(Debug)]
pub(super) enum Versions {
    /// One, in a file of the object's own name.
    Single(VersionRead),
    /// A history, each in a file of its own in a directory of that name.
    History(Vec<VersionRead>),
}

/// One version.
#[derive(Debug)]
pub(super) struct VersionRead {
    /// Which was asked for; `None` for the newest.
    pub(super) asked: Option<ObjectVersion>,
    /// What the vault answered.
    pub(super) bundle: Result<Arc<Bundle>, Arc<VaultError>>,
}

impl Versions {
    pub(super) fn all(&self) -> &[VersionRead] {
        match self {
            Self::Single(version) => std::slice::from_ref(version),
            Self::History(versions) => versions,
        }
    }
}

/// Reads all `objects` that are not among those `read` before, each version once, and tells `progress` of each that is
/// there.
///
/// # Errors
/// There is more to read than goes into a volume of `largest_volume` bytes, whatever becomes of it: what is written in hex
/// is half of that, and no other value that anybody keeps becomes less. A key is less, but not in memory.
pub(super) async fn fetch(
    client: &VaultClient,
    objects: &[ObjectSpec],
    before: Vec<Option<Fetched>>,
    progress: &Progress,
    largest_volume: usize,
) -> Result<Vec<Fetched>, TooLarge> {
    let reads = &Reads {
        client,
        begun: Mutex::default(),
        bytes: AtomicUsize::new(before.iter().flatten().map(bytes).sum()),
        most: largest_volume.saturating_mul(2),
    };
    // Collected first: a future that holds the iterator's closure is not Send for every lifetime, says rustc.
    let read = |(index, (object, before))| async move {
        let fetched = match before {
            Some(fetched) => fetched,
            None => reads.object(object).await,
        };
        progress.done(index);
        fetched
    };
    let before = before.into_iter().chain(std::iter::repeat_with(|| None));
    let begun: Vec<_> = objects.iter().zip(before).enumerate().map(read).collect();
    let mut begun = stream::iter(begun).buffered(MAX_CONCURRENT_READS);
    let mut fetched = Vec::with_capacity(objects.len());
    while let Some(object) = begun.next().await {
        fetched.push(object);
        if reads.are_too_much() {
            // Which objects came first differs from try to try.
            return Err(TooLarge { size: reads.bytes.load(Ordering::Relaxed), largest: None });
        }
    }
    Ok(fetched)
}

/// Of what was read for an object, about.
fn bytes(fetched: &Fetched) -> usize {
    let versions = fetched.iter().flat_map(Versions::all);
    versions.flat_map(|version| &version.bundle).map(|bundle| bundle.bytes()).sum()
}

/// What the vault refused the token with, in any of these; of several refusals the one that says most.
///
/// A token says that it is valid, and where roles come by way of groups, to which of them its bearer belonged when it
/// was issued.
pub(super) fn refusal(fetched: &[Fetched]) -> Option<TokenRefusal> {
    let refusals = fetched.iter().filter_map(refused);
    refusals.max_by_key(|refusal| match refusal {
        TokenRefusal::Forbidden => 0,
        TokenRefusal::Unauthorized => 1,
        TokenRefusal::MoreClaims(_) => 2,
    })
}

/// What was read, without the objects that the vault refused the token for.
pub(super) fn without_refused(fetched: Vec<Fetched>) -> Vec<Option<Fetched>> {
    fetched.into_iter().map(|fetched| refused(&fetched).is_none().then_some(fetched)).collect()
}

/// What the vault refused the token with, for one object.
fn refused(fetched: &Fetched) -> Option<TokenRefusal> {
    let by_token = |error: &VaultError| match error {
        VaultError::Forbidden(_) => Some(TokenRefusal::Forbidden),
        VaultError::Unauthorized(_) => Some(TokenRefusal::Unauthorized),
        VaultError::MoreClaims { challenge, .. } => challenge.claims.clone().map(TokenRefusal::MoreClaims),
        _ => None,
    };
    match fetched {
        Ok(versions) => versions
            .all()
            .iter()
            .filter_map(|version| version.bundle.as_ref().err())
            .find_map(|error| by_token(error)),
        Err(ObjectError::Vault(error)) => by_token(error),
        Err(_) => None,
    }
}

/// The reads that have begun: who wants one again gets its answer.
struct Reads<'a> {
    client: &'a VaultClient,
    begun: Mutex<HashMap<Read, Answer<Bundle>>>,
    /// Of all that came so far, about.
    bytes: AtomicUsize,
    /// Beyond which nothing more is of use.
    most: usize,
}

impl Reads<'_> {
    /// One object. Its versions are read as soon as its own list is there.
    async fn object(&self, object: &ObjectSpec) -> Fetched {
        match &object.versions {
            VersionSelector::Newest => Ok(Versions::Single(self.version(object, None).await)),
            VersionSelector::Pinned(version) => {
                Ok(Versions::Single(self.version(object, Some(version.clone())).await))
            }
            VersionSelector::History { from, depth } => {
                let listed = self.client.versions(&read(object, None)).await?;
                let selected = versions::select(&listed, from.as_ref(), *depth)?;
                let read = |version| self.version(object, Some(version));
                let reads: Vec<_> = selected.into_iter().map(read).collect();
                let mut reads = stream::iter(reads).buffered(MAX_CONCURRENT_READS);
                let mut versions = Vec::new();
                while let Some(version) = reads.next().await {
                    versions.push(version);
                    if self.are_too_much() {
                        break;
                    }
                }
                Ok(Versions::History(versions))
            }
        }
    }

    async fn version(&self, object: &ObjectSpec, version: Option<ObjectVersion>) -> VersionRead {
        let mut is_new = false;
        let answer = {
            let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = |read: &Read| {
                is_new = true;
                self.client.get(read)
            };
            begun.entry(read(object, version.clone())).or_insert_with_key(begin).clone()
        };
        let bundle = answer.await;
        if let Ok(bundle) = &bundle
            && is_new
        {
            self.bytes.fetch_add(bundle.bytes(), Ordering::Relaxed);
        }
        VersionRead { asked: version, bundle }
    }

    fn are_too_much(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.most
    }
}

fn read(object: &ObjectSpec, version: Option<ObjectVersion>) -> Read {
    Read { object_type: object.object_type(), name: object.name.clone(), version }
}
