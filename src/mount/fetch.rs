//! Reads the objects of a mount concurrently and returns the results in the user's order.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use azure_core::time::OffsetDateTime;

use crate::{
    identity::TokenRefusal,
    spec::{
        absence::{IfAbsent, Presence},
        file::RelativePath,
        object::{ObjectSpec, ObjectVersion, VersionSelector},
        output::OutputsShape,
        shape::{KeySelection, KeysShape, Shape},
        vault::VaultName,
        version_choice::VersionChoice,
    },
    vault::{Answer, Bundle, Read, VaultError},
};

use super::{
    failover,
    failure::{ObjectError, Progress},
    in_flight::InFlight,
    memory::{MountMemory, NoPermit},
    vaults::VaultClients,
    versions,
    volume::{FILE_OVERHEAD_BYTES, TooLarge},
};

/// Concurrent reads of one mount, and of the versions of each object. The limiter decides how many requests are sent;
/// this limit bounds how many reads wait there.
const MAX_CONCURRENT_READS: usize = 64;

/// What a version takes in memory beside its content and its properties: the [`Bundle`], the shared answer, and the key
/// of its read.
const BUNDLE_OVERHEAD_BYTES: usize = 512;

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
/// other conversion of a value in real use shrinks it more. A key shrinks more, but its size in memory does not.
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
        size: Size {
            found: objects.iter().filter(|object| object.is_found()).map(found_bytes).sum(),
            names: AtomicUsize::new(objects.iter().map(names_bytes).sum()),
            read: AtomicUsize::new(0),
            volume: AtomicUsize::new(0),
        },
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
        progress.done(index, failover::stands(object, &fetched));
        (index, fetched)
    };
    let (mut remaining, mut before) = (objects.iter().enumerate(), before.into_iter());
    let begin_next = || {
        let (index, object) = remaining.next()?;
        Some(read(index, object, before.next().flatten()))
    };
    let mut begun = InFlight::new(MAX_CONCURRENT_READS, begin_next);
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

/// Returns the size of an entry's files in the driver's answer, without their contents: at least this many bytes. A file
/// that may be missing counts nothing.
fn names_bytes(object: &ObjectSpec) -> usize {
    let file = |path: &RelativePath, if_absent: &IfAbsent| match if_absent {
        IfAbsent::Fail | IfAbsent::Write(_) => path.as_str().len() + FILE_OVERHEAD_BYTES,
        IfAbsent::Omit => 0,
    };
    match &object.shape {
        // A history counts when its list has arrived.
        Shape::File(_) if matches!(object.versions, VersionSelector::History { .. }) => 0,
        Shape::File(of) => file(&of.path, &of.if_absent),
        Shape::Keys(KeysShape {
            keys: KeySelection::Listed(items), presence: Presence::Required, ..
        }) => items.iter().map(|item| file(&item.path, &item.if_absent)).sum(),
        Shape::Outputs(OutputsShape { outputs, presence: Presence::Required }) => {
            let required = outputs.files().into_iter().filter(|file| file.presence == Presence::Required);
            required.map(|required| file(required.path, &IfAbsent::Fail)).sum()
        }
        Shape::Item(item) if item.is_last() => file(&item.file.path, &IfAbsent::Fail),
        Shape::Keys(_) | Shape::Outputs(_) | Shape::Item(_) | Shape::Password => 0,
    }
}

/// Returns the size of a found object's files in the driver's answer, without their contents: at most this many bytes,
/// and about what the object takes in memory before it is read.
pub(super) fn found_bytes(object: &ObjectSpec) -> usize {
    let paths = match &object.shape {
        Shape::Keys(KeysShape { keys: KeySelection::All { directory, .. }, .. }) => {
            directory.iter().collect()
        }
        shape => shape.named_paths(),
    };
    paths.into_iter().map(|path| path.as_str().len() + FILE_OVERHEAD_BYTES).sum()
}

/// Returns the size of a history's files in the driver's answer, without their contents.
fn history_bytes(object: &ObjectSpec, versions: &[ObjectVersion]) -> usize {
    let path = object.shape.as_file().map_or(0, |file| file.path.as_str().len());
    let id = object.object_type().as_str().len() + 1 + object.name.as_str().len();
    versions.iter().map(|version| path + id + version.as_str().len() + FILE_OVERHEAD_BYTES).sum()
}

/// Returns how many files may each hold as much as the object.
fn copies(object: &ObjectSpec) -> usize {
    match &object.shape {
        Shape::Keys(KeysShape { keys: KeySelection::Listed(items), .. }) => items.len(),
        Shape::Outputs(shape) => shape.outputs.files().len(),
        Shape::File(_) | Shape::Keys(_) | Shape::Item(_) => 1,
        Shape::Password => 0,
    }
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

/// The size of a volume, as far as it is known, in bytes.
struct Size {
    /// The names of the objects that finds chose: they are in memory before anything is read.
    found: usize,
    /// The names and versions of its files in the driver's answer.
    names: AtomicUsize,
    /// What was read from the vault, in memory.
    read: AtomicUsize,
    /// What its files hold, at most; more than was read if several files have the same content.
    volume: AtomicUsize,
}

impl Size {
    fn add(&self, object: &ObjectSpec, version: &VersionRead, is_new: bool) {
        let Ok(bundle) = &version.bundle else { return };
        self.volume.fetch_add(bundle.content_bytes() * copies(object), Ordering::Relaxed);
        if is_new {
            let bytes = bundle.content_bytes() + bundle.properties().heap_bytes() + BUNDLE_OVERHEAD_BYTES;
            self.read.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Returns what the mount has in memory while it reads. Names that the class has cost nothing yet: a vault that
    /// hangs must not keep a permit for them.
    fn in_hand(&self) -> usize {
        self.found + self.read.load(Ordering::Relaxed)
    }

    /// Returns the size of the volume once all is read. What was read may be larger than its files: passwords are in no
    /// file.
    fn whole(&self) -> usize {
        let [names, read, volume] =
            [&self.names, &self.read, &self.volume].map(|size| size.load(Ordering::Relaxed));
        names.max(self.found) + volume.max(read)
    }
}

impl Reads<'_> {
    /// Reads one object. The versions of a history are read as soon as that object's list has arrived.
    async fn object(&self, object: &ObjectSpec) -> Fetched {
        match &object.versions {
            VersionSelector::Newest => Ok(Versions::Single(self.version(object, None).await)),
            VersionSelector::Pinned(version) => {
                Ok(Versions::Single(self.version(object, Some(version.clone())).await))
            }
            VersionSelector::Chosen(choice) => self.chosen(object, *choice).await,
            VersionSelector::History { from, depth } => {
                let listed = self.clients.of(object).versions(&read(object, None)).await?;
                let selected = versions::select(&listed, from.as_ref(), *depth)?;
                self.size.names.fetch_add(history_bytes(object, &selected), Ordering::Relaxed);
                let mut remaining = selected.into_iter().enumerate();
                let begin_next = || {
                    let (index, version) = remaining.next()?;
                    Some(async move { (index, self.version(object, Some(version)).await) })
                };
                let mut reads = InFlight::new(MAX_CONCURRENT_READS, begin_next);
                let mut versions = Vec::new();
                // The mount checks again, and stops with the error.
                while self.check().is_ok()
                    && let Some(version) = reads.next().await
                {
                    versions.push(version);
                }
                Ok(Versions::History(in_order(versions)))
            }
        }
    }

    /// Reads the newest version, and lists all versions only if the newest does not fit.
    async fn chosen(&self, object: &ObjectSpec, choice: VersionChoice) -> Fetched {
        let newest = self.version(object, None).await;
        match &newest.bundle {
            Ok(bundle) if versions::admits(choice, &bundle.properties().lifecycle, self.now) => {
                return Ok(Versions::Single(newest));
            }
            Ok(_) => {}
            Err(error) if versions::passes_over(choice, error) => {}
            Err(_) => return Ok(Versions::Single(newest)),
        }
        let listed = self.clients.of(object).versions(&read(object, None)).await?;
        let version = versions::choose(&listed, choice, self.now)?.clone();
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
        let [names, read] = [&self.size.names, &self.size.read].map(|size| size.load(Ordering::Relaxed));
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
    use crate::{
        mount::memory::MAX_SMALL_VOLUME_BYTES,
        spec::{
            object::Origin,
            rendering::{Rendering, SecretEncoding, SecretFormat},
            sensitive::Sensitive,
            shape::FileShape,
        },
        vault::{Properties, SecretBundle},
    };

    use super::*;

    #[test]
    fn results_keep_the_users_order() {
        assert_eq!(in_order(vec![(2, 'c'), (0, 'a'), (1, 'b')]), ['a', 'b', 'c']);
    }

    fn object(name: &str, if_absent: IfAbsent) -> ObjectSpec {
        let rendering = Rendering::Secret { format: SecretFormat::Pem, encoding: SecretEncoding::Utf8 };
        let file = FileShape { rendering, path: name.parse().unwrap(), mode: None, if_absent };
        ObjectSpec {
            vault: None,
            name: name.parse().unwrap(),
            versions: VersionSelector::Newest,
            shape: Shape::File(file),
            origin: Origin::Named,
        }
    }

    fn size(objects: &[ObjectSpec]) -> Size {
        Size {
            found: 0,
            names: AtomicUsize::new(objects.iter().map(names_bytes).sum()),
            read: AtomicUsize::new(0),
            volume: AtomicUsize::new(0),
        }
    }

    fn read(value: &str, properties: Properties) -> VersionRead {
        let bundle = SecretBundle {
            version: "0".repeat(32).parse().unwrap(),
            properties,
            value: Sensitive::new(value.to_owned()),
            backs_certificate: None,
        };
        VersionRead { asked: None, bundle: Ok(Arc::new(Bundle::Secret(bundle))) }
    }

    #[test]
    fn a_volume_of_250_passwords_needs_no_permit() {
        let objects: Vec<_> = (0..250)
            .map(|index| object(&format!("password-of-application-{index}"), IfAbsent::Fail))
            .collect();
        let size = size(&objects);
        let id =
            "https://kubernetes-production.vault.azure.net/secrets/password-of-application-100".to_owned();
        for object in &objects {
            let properties = Properties { id: id.clone(), ..Properties::default() };
            size.add(object, &read(&"x".repeat(32), properties), true);
        }
        assert!(size.whole() <= MAX_SMALL_VOLUME_BYTES, "{}", size.whole());
    }

    #[test]
    fn tags_count_while_a_mount_reads() {
        let tags = (0..15).map(|tag| (format!("{tag:0512}"), "x".repeat(512))).collect();
        let optional = object("a", IfAbsent::Omit);
        let size = size(std::slice::from_ref(&optional));
        size.add(&optional, &read("x", Properties { tags, ..Properties::default() }), true);
        let once = size.in_hand();
        assert!(once > 15 << 10 && size.whole() > 15 << 10, "{once}");
        size.add(&optional, &read("x", Properties::default()), false);
        assert_eq!(size.in_hand(), once, "an answer counts once");
    }

    #[test]
    fn passwords_of_stores_count_while_a_mount_reads() {
        let password = ObjectSpec::password(None, "p".parse().unwrap());
        let size = size(std::slice::from_ref(&password));
        size.add(&password, &read(&"x".repeat(25_000), Properties::default()), true);
        assert!(size.in_hand() > 25_000 && size.whole() > 25_000, "{}", size.whole());
    }

    #[test]
    fn names_need_no_permit_before_content_arrives() {
        let objects: Vec<_> = (0..4_000).map(|index| object(&format!("n-{index}"), IfAbsent::Fail)).collect();
        let size = size(&objects);
        assert_eq!(size.in_hand(), 0);
        assert!(size.whole() > MAX_SMALL_VOLUME_BYTES, "{}", size.whole());
    }
}
