//! Reads the objects of a mount concurrently and returns the results in the user's order.

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
    vault::{Answer, Bundle, Read, VaultClient, VaultError},
};

use super::{
    failure::{ObjectError, Progress},
    versions,
    volume::TooLarge,
};

/// Concurrent reads of one mount, and of the versions of each object. The limiter decides how many requests are sent;
/// this limit bounds how many reads wait there.
const MAX_CONCURRENT_READS: usize = 64;

/// The result of reading one object.
pub(super) type Fetched = Result<Versions, ObjectError>;

/// The versions of one object.
#[derive(Debug)]
pub(super) enum Versions {
    /// One version, in a file with the object's path.
    Single(VersionRead),
    /// A history: each version is a file in a directory with the object's path.
    History(Vec<VersionRead>),
}

/// The result of reading one version.
#[derive(Debug)]
pub(super) struct VersionRead {
    /// The requested version; `None` means the newest.
    pub(super) asked: Option<ObjectVersion>,
    /// The vault's answer.
    pub(super) bundle: Result<Arc<Bundle>, Arc<VaultError>>,
}

impl Versions {
    pub(super) fn all(&self) -> &[VersionRead] {
        match self {
            Self::Single(version) => std::slice::from_ref(version),
            Self::History(versions) => versions,
        }
    }

    pub(super) fn into_all(self) -> Vec<VersionRead> {
        match self {
            Self::Single(version) => vec![version],
            Self::History(versions) => versions,
        }
    }
}

/// Reads all `objects` that `before` does not hold, each version once. Marks each finished object in `progress`.
///
/// # Errors
/// The objects' size exceeds twice `largest_volume`, so no volume of that size can hold them. Hex decoding halves a
/// value; no other conversion of a value in real use shrinks it more. A key shrinks more, but its size in memory does
/// not.
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
    // Collected first: rustc finds a future with the iterator's closure not Send for every lifetime.
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
            // The objects that arrived first differ from try to try, so none is named.
            return Err(TooLarge { size: reads.bytes.load(Ordering::Relaxed), largest: None });
        }
    }
    Ok(fetched)
}

/// Returns the approximate size of an object in memory.
fn bytes(fetched: &Fetched) -> usize {
    let versions = fetched.iter().flat_map(Versions::all);
    versions.flat_map(|version| &version.bundle).map(|bundle| bundle.content_bytes()).sum()
}

/// Returns why the vault refused the token, for any of the objects. Of several refusals, the most specific wins.
///
/// A token states its own validity. If roles come from groups, it also states the caller's groups at the time of issue.
/// A newer token may therefore be accepted.
pub(super) fn refusal(fetched: &[Fetched]) -> Option<TokenRefusal> {
    let refusals = fetched.iter().filter_map(refused);
    refusals.max_by_key(|refusal| match refusal {
        TokenRefusal::Forbidden => 0,
        TokenRefusal::Unauthorized => 1,
        TokenRefusal::MoreClaims(_) => 2,
    })
}

/// Returns the results, without those of objects for which the vault refused the token.
pub(super) fn without_refused(fetched: Vec<Fetched>) -> Vec<Option<Fetched>> {
    fetched.into_iter().map(|fetched| refused(&fetched).is_none().then_some(fetched)).collect()
}

/// Returns why the vault refused the token for one object.
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

/// The reads of one mount: a second request for the same version shares the first one's answer.
struct Reads<'a> {
    client: &'a VaultClient,
    begun: Mutex<HashMap<Read, Answer<Bundle>>>,
    /// Approximate size of all answers so far.
    bytes: AtomicUsize,
    /// The largest useful size: a volume cannot hold more.
    most: usize,
}

impl Reads<'_> {
    /// Reads one object. The versions of a history are read as soon as that object's list has arrived.
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
            self.bytes.fetch_add(bundle.content_bytes(), Ordering::Relaxed);
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
