//! Reads the objects of a mount concurrently and returns the results in the user's order.

pub(super) mod size;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use azure_core::time::OffsetDateTime;
use futures::{StreamExt, stream};

use crate::{
    identity::TokenRefusal,
    spec::{
        object::{ObjectSpec, ObjectVersion, VersionSelector},
        vault::VaultName,
        version_choice::VersionChoice,
    },
    vault::{Answer, Bundle, Read, VaultError},
};

use super::{
    draft::TooLarge,
    failover,
    failure::{ObjectError, Progress},
    memory::{MountMemory, NoPermit},
    vaults::VaultClients,
    versions,
};

use self::size::Size;

pub(super) use self::size::found_bytes;

/// Concurrent reads of one mount, and of the versions of each object. The limiter decides how many requests are sent;
/// this limit bounds how many reads wait there.
const MAX_CONCURRENT_READS: usize = 64;

/// The most failed reads of one history. The log shows no more reasons, and each error is in memory until the mount ends.
const MAX_FAILED_VERSIONS: usize = 100;

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

/// Why the reads of a mount stopped before their end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// No volume within the driver's limit can hold the objects.
    TooLarge(TooLarge),
    /// The volume is large, and no permit for a large volume is free.
    NoPermit,
}

/// Reads all `objects` that `before` does not hold, each version once. `now` decides which versions are valid. Marks each
/// finished object in `progress`.
///
/// # Errors
/// The volume is larger than `largest_volume`, or than `memory` allows now. The first is known as soon as the names of
/// all files are too long together, or what was read exceeds twice `largest_volume`. Hex decoding halves a value; no
/// other conversion of a value in real use shrinks it more. A key shrinks more, but its size in memory does not. Errors
/// count as read, except for the first half MiB of them.
pub(super) async fn fetch(
    clients: &VaultClients,
    objects: &[ObjectSpec],
    before: Vec<Option<Fetched>>,
    progress: &Progress,
    memory: &MountMemory,
    largest_volume: usize,
    now: OffsetDateTime,
) -> Result<Vec<Fetched>, Stopped> {
    let reads = &Reads {
        clients,
        begun: Mutex::default(),
        size: Size::of(objects),
        memory,
        no_permit: AtomicBool::new(false),
        largest_volume,
        now,
    };
    for (object, fetched) in objects.iter().zip(&before) {
        for version in fetched.iter().flatten().flat_map(Versions::all) {
            reads.size.add(object, version, true);
        }
    }
    reads.check()?;
    if before.is_empty() {
        clients.revalidate(objects).await;
    }
    let read = |index: usize, object, before: Option<Fetched>| async move {
        let fetched = match before {
            Some(fetched) => fetched,
            None => reads.object(object).await,
        };
        if let Err(ObjectError::Vault(error)) = &fetched {
            reads.size.add_error(error);
        }
        progress.done(index, failover::stands(object, &fetched));
        (index, fetched)
    };
    let (mut remaining, mut before) = (objects.iter().enumerate(), before.into_iter());
    let begin_next = || {
        let (index, object) = remaining.next()?;
        Some(read(index, object, before.next().flatten()))
    };
    let mut begun = stream::iter(std::iter::from_fn(begin_next)).buffer_unordered(MAX_CONCURRENT_READS);
    let mut fetched = Vec::with_capacity(objects.len());
    while let Some(object) = begun.next().await {
        reads.check()?;
        fetched.push(object);
    }
    memory.hold(reads.size.whole()).map_err(|NoPermit| Stopped::NoPermit)?;
    Ok(in_order(fetched))
}

/// Returns the results in the order of their indices.
fn in_order<T>(mut results: Vec<(usize, T)>) -> Vec<T> {
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Returns the versions of a history up to its last failure that is reported. The reads behind it differ from try to try.
fn up_to_last_failure(versions: Vec<VersionRead>) -> Vec<VersionRead> {
    let mut failed = 0;
    let is_reported = |read: &VersionRead| {
        let is_reported = failed < MAX_FAILED_VERSIONS;
        failed += usize::from(read.bundle.is_err());
        is_reported
    };
    versions.into_iter().take_while(is_reported).collect()
}

/// Returns why the vault refused the token, for any of the objects. Of several refusals, the most specific wins.
///
/// A token states its own validity. If roles come from groups, it also states the caller's groups at the time of issue.
/// A newer token may therefore be accepted.
pub(super) fn refusal(fetched: &[Fetched]) -> Option<TokenRefusal> {
    most_specific(fetched.iter().filter_map(refused))
}

/// Returns the most specific refusal.
pub(super) fn most_specific(refusals: impl Iterator<Item = TokenRefusal>) -> Option<TokenRefusal> {
    refusals.max_by_key(|refusal| match refusal {
        TokenRefusal::Forbidden => 0,
        TokenRefusal::Unauthorized => 1,
        TokenRefusal::MoreClaims(_) => 2,
    })
}

/// Returns why the vault refused the token, if this error says so.
pub(super) fn token_refusal(error: &VaultError) -> Option<TokenRefusal> {
    match error {
        VaultError::Forbidden(_) => Some(TokenRefusal::Forbidden),
        VaultError::Unauthorized(_) => Some(TokenRefusal::Unauthorized),
        VaultError::MoreClaims { challenge, .. } => challenge.claims.clone().map(TokenRefusal::MoreClaims),
        _ => None,
    }
}

/// Returns the results, without those of objects for which the vault refused the token.
pub(super) fn without_refused(fetched: Vec<Fetched>) -> Vec<Option<Fetched>> {
    fetched.into_iter().map(|fetched| refused(&fetched).is_none().then_some(fetched)).collect()
}

/// Returns why the vault refused the token for one object.
fn refused(fetched: &Fetched) -> Option<TokenRefusal> {
    match fetched {
        Ok(versions) => versions
            .all()
            .iter()
            .filter_map(|version| version.bundle.as_ref().err())
            .find_map(|error| token_refusal(error)),
        Err(ObjectError::Vault(error)) => token_refusal(error),
        Err(_) => None,
    }
}

/// A read, and the vault of its object.
type VaultRead = (Option<VaultName>, Read);

/// The reads of one mount: a second request for the same version shares the first one's answer.
struct Reads<'a> {
    clients: &'a VaultClients,
    begun: Mutex<HashMap<VaultRead, Answer<Bundle>>>,
    size: Size,
    memory: &'a MountMemory,
    /// Set once no permit was free. A history may have stopped then, so the mount must stop too.
    no_permit: AtomicBool,
    largest_volume: usize,
    /// The time that decides which versions are valid.
    now: OffsetDateTime,
}

impl Reads<'_> {
    /// Reads one object. The versions of a history are read as soon as that object's list has arrived, in their order,
    /// and no more of them after [`MAX_FAILED_VERSIONS`] have failed.
    async fn object(&self, object: &ObjectSpec) -> Fetched {
        match &object.versions {
            VersionSelector::Newest => Ok(Versions::Single(self.version(object, None).await)),
            VersionSelector::Pinned(version) => {
                Ok(Versions::Single(self.version(object, Some(version.clone())).await))
            }
            VersionSelector::Chosen(choice) => self.chosen(object, *choice).await,
            VersionSelector::History { from, depth } => {
                // The list is dropped here: a vault that hangs must not keep the lists of all histories in memory.
                let selected = {
                    let listed = self.clients.of(object).versions(&read(object, None)).await?;
                    versions::select(&listed, from.as_ref(), *depth)?
                };
                self.size.add_history(object, &selected);
                let mut remaining = selected.into_iter().enumerate();
                let failed = &AtomicUsize::new(0);
                let begin_next = || {
                    if failed.load(Ordering::Relaxed) >= MAX_FAILED_VERSIONS {
                        return None;
                    }
                    let (index, version) = remaining.next()?;
                    Some(async move {
                        let read = self.version(object, Some(version)).await;
                        failed.fetch_add(usize::from(read.bundle.is_err()), Ordering::Relaxed);
                        (index, read)
                    })
                };
                let mut reads =
                    stream::iter(std::iter::from_fn(begin_next)).buffer_unordered(MAX_CONCURRENT_READS);
                let mut versions = Vec::new();
                // The mount checks again, and stops with the error.
                while self.check().is_ok()
                    && let Some(version) = reads.next().await
                {
                    versions.push(version);
                }
                Ok(Versions::History(up_to_last_failure(in_order(versions))))
            }
        }
    }

    /// Reads the newest version, and lists all versions only if the newest does not fit.
    async fn chosen(&self, object: &ObjectSpec, choice: VersionChoice) -> Fetched {
        let newest = self.version(object, None).await;
        match &newest.bundle {
            Ok(bundle) if versions::chooses_disabled(choice, &bundle.properties().lifecycle, self.now) => {
                return Err(ObjectError::ChosenDisabled);
            }
            Ok(bundle) if versions::admits(choice, &bundle.properties().lifecycle, self.now) => {
                return Ok(Versions::Single(newest));
            }
            Ok(_) => {}
            Err(error) if versions::passes_over(choice, error) => {}
            Err(_) => return Ok(Versions::Single(newest)),
        }
        let version = {
            let listed = self.clients.of(object).versions(&read(object, None)).await?;
            versions::choose(&listed, choice, self.now)?.clone()
        };
        match &newest.bundle {
            Ok(bundle) if *bundle.version() == version => Ok(Versions::Single(newest)),
            _ => Ok(Versions::Single(self.version(object, Some(version)).await)),
        }
    }

    async fn version(&self, object: &ObjectSpec, version: Option<ObjectVersion>) -> VersionRead {
        let mut is_new = false;
        let answer = {
            let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = |(_, read): &VaultRead| {
                is_new = true;
                self.clients.of(object).get(read)
            };
            let key = (object.vault.clone(), read(object, version.clone()));
            begun.entry(key).or_insert_with_key(begin).clone()
        };
        let read = VersionRead { asked: version, bundle: answer.await };
        self.size.add(object, &read, is_new);
        read
    }

    /// Checks the size so far.
    fn check(&self) -> Result<(), Stopped> {
        let (names, read) = (self.size.names(), self.size.read());
        if names > self.largest_volume || read > self.largest_volume.saturating_mul(2) {
            // The objects that arrived first differ from try to try, so none is named.
            return Err(Stopped::TooLarge(TooLarge { size: names + read, largest: None }));
        }
        if self.memory.hold(self.size.in_hand()).is_err() {
            self.no_permit.store(true, Ordering::Relaxed);
        }
        if self.no_permit.load(Ordering::Relaxed) { Err(Stopped::NoPermit) } else { Ok(()) }
    }
}

fn read(object: &ObjectSpec, version: Option<ObjectVersion>) -> Read {
    Read { object_type: object.object_type(), name: object.name.clone(), version }
}

#[cfg(test)]
mod tests {
    use crate::vault::Properties;

    use super::*;

    #[test]
    fn results_keep_the_users_order() {
        assert_eq!(in_order(vec![(2, 'c'), (0, 'a'), (1, 'b')]), ['a', 'b', 'c']);
    }

    #[test]
    fn a_history_reports_the_same_hundred_failures_however_many_reads_have_ended() {
        fn every_second_fails(index: usize) -> VersionRead {
            match index % 2 {
                0 => size::tests::read("x", Properties::default()),
                _ => VersionRead { asked: None, bundle: Err(Arc::new(VaultError::Incomplete("id"))) },
            }
        }
        for ended in [200, 201, 263] {
            let reported = up_to_last_failure((0..ended).map(every_second_fails).collect());
            assert_eq!(reported.len(), 200, "{ended} reads");
            assert!(reported.last().is_some_and(|read| read.bundle.is_err()));
        }
        let fewer = up_to_last_failure((0..199).map(every_second_fails).collect());
        assert_eq!(fewer.len(), 199, "fewer failures end no history");
    }
}
