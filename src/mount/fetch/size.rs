//! The size of a volume while it is read, in the mount's memory and in the driver's answer.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{
    spec::{
        absence::{IfAbsent, Presence},
        file::RelativePath,
        object::{ObjectSpec, ObjectVersion, VersionSelector},
        output::OutputsShape,
        shape::{KeySelection, KeysShape, Shape},
    },
    vault::{VaultError, VaultErrorResponse},
};

use super::{super::volume::FILE_OVERHEAD_BYTES, VersionRead};

/// What a version takes in memory beside its content and its properties: the bundle, the shared answer, and the key
/// of its read.
const BUNDLE_OVERHEAD_BYTES: usize = 512;

/// What a failed read takes in memory beside the vault's texts: the error, the shared answer, and the key of the read.
const ERROR_OVERHEAD_BYTES: usize = 512;

/// The memory of errors that counts nothing, in bytes: a mount of hundreds of objects without a permission must not wait
/// for the memory of large volumes.
const FREE_ERROR_BYTES: usize = 512 << 10;

/// The size of a volume, as far as it is known, in bytes.
pub(super) struct Size {
    /// The names of the objects that finds chose: they are in memory before anything is read.
    found: usize,
    /// The names and versions of its files in the driver's answer.
    names: AtomicUsize,
    /// What was read from the vault, in memory.
    read: AtomicUsize,
    /// What the errors of reads take in memory.
    errors: AtomicUsize,
    /// What its files hold, at most; more than was read if several files have the same content.
    volume: AtomicUsize,
}

impl Size {
    /// Returns the size of a volume of these objects before anything is read.
    pub(super) fn of(objects: &[ObjectSpec]) -> Self {
        Self {
            found: objects.iter().filter(|object| object.is_found()).map(found_bytes).sum(),
            names: AtomicUsize::new(objects.iter().map(names_bytes).sum()),
            read: AtomicUsize::new(0),
            errors: AtomicUsize::new(0),
            volume: AtomicUsize::new(0),
        }
    }

    /// Adds the names of a history's files, once its list has arrived.
    pub(super) fn add_history(&self, object: &ObjectSpec, versions: &[ObjectVersion]) {
        self.names.fetch_add(history_bytes(object, versions), Ordering::Relaxed);
    }

    /// Adds a version for the files of one object. An answer counts as read where it `is_new`.
    pub(super) fn add(&self, object: &ObjectSpec, version: &VersionRead, is_new: bool) {
        let bundle = match &version.bundle {
            Ok(bundle) => bundle,
            Err(error) if is_new => return self.add_error(error),
            Err(_) => return,
        };
        self.volume.fetch_add(bundle.content_bytes() * copies(object), Ordering::Relaxed);
        if is_new {
            let bytes = bundle.content_bytes() + bundle.properties().heap_bytes() + BUNDLE_OVERHEAD_BYTES;
            self.read.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Adds the error of a read. It is in memory until the mount ends.
    pub(super) fn add_error(&self, error: &VaultError) {
        self.errors.fetch_add(error_bytes(error), Ordering::Relaxed);
    }

    /// Returns the size of the names so far.
    pub(super) fn names(&self) -> usize {
        self.names.load(Ordering::Relaxed)
    }

    /// Returns the size of what was read so far, with the errors beyond [`FREE_ERROR_BYTES`].
    pub(super) fn read(&self) -> usize {
        let errors = self.errors.load(Ordering::Relaxed).saturating_sub(FREE_ERROR_BYTES);
        self.read.load(Ordering::Relaxed) + errors
    }

    /// Returns what the mount has in memory while it reads. Names that the class has cost nothing yet: a vault that
    /// hangs must not keep a permit for them.
    pub(super) fn in_hand(&self) -> usize {
        self.found + self.read()
    }

    /// Returns the size of the volume once all is read. What was read may be larger than its files: passwords are in no
    /// file.
    pub(super) fn whole(&self) -> usize {
        self.names().max(self.found) + self.volume.load(Ordering::Relaxed).max(self.read())
    }
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
pub(in crate::mount) fn found_bytes(object: &ObjectSpec) -> usize {
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

/// Returns about what the error of a read takes in memory.
fn error_bytes(error: &VaultError) -> usize {
    // A text grows to twice its length, and that of a foreign answer is there twice.
    let of_texts =
        |answer: &VaultErrorResponse| 2 * (answer.words().len() + answer.request_id().map_or(0, str::len));
    let of_claims = match error {
        VaultError::MoreClaims { challenge, .. } => {
            challenge.claims.as_ref().map_or(0, |claims| claims.len())
        }
        _ => 0,
    };
    ERROR_OVERHEAD_BYTES + error.answer().map_or(0, of_texts) + of_claims
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

#[cfg(test)]
pub(in crate::mount) mod tests {
    use std::sync::Arc;

    use crate::{
        mount::memory::MAX_SMALL_VOLUME_BYTES,
        spec::{
            object::Origin,
            rendering::{Rendering, SecretEncoding, SecretFormat},
            sensitive::Sensitive,
            shape::FileShape,
        },
        vault::{Bundle, ClaimsChallenge, Properties, SecretBundle},
    };

    use super::*;

    /// Returns a named secret in a file of its name.
    pub(in crate::mount) fn object(name: &str, if_absent: IfAbsent) -> ObjectSpec {
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

    /// Returns the read of a secret with this value.
    pub(in crate::mount) fn read(value: &str, properties: Properties) -> VersionRead {
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
        let size = Size::of(&objects);
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
        let size = Size::of(std::slice::from_ref(&optional));
        size.add(&optional, &read("x", Properties { tags, ..Properties::default() }), true);
        let once = size.in_hand();
        assert!(once > 15 << 10 && size.whole() > 15 << 10, "{once}");
        size.add(&optional, &read("x", Properties::default()), false);
        assert_eq!(size.in_hand(), once, "an answer counts once");
    }

    /// Returns a read that the vault refused with this message.
    fn refused(message: &str, error: impl FnOnce(VaultErrorResponse) -> VaultError) -> VersionRead {
        let body = format!(r#"{{"error":{{"code":"Forbidden","message":"{message}"}}}}"#);
        let answer = VaultErrorResponse::parse(403, body.as_bytes());
        VersionRead { asked: None, bundle: Err(Arc::new(error(answer))) }
    }

    #[test]
    fn refused_reads_count_while_a_mount_reads() {
        let optional = object("a", IfAbsent::Omit);
        let size = Size::of(std::slice::from_ref(&optional));
        let forbidden = refused(&"x".repeat(400), VaultError::Forbidden);
        for _ in 0..370 {
            size.add(&optional, &forbidden, true);
        }
        assert_eq!(size.in_hand(), 0, "those of an ordinary mount");
        for _ in 0..1_000 {
            size.add(&optional, &forbidden, true);
        }
        let once = size.in_hand();
        assert!(once > 900_000 && size.whole() == once, "{once}");
        size.add(&optional, &forbidden, false);
        assert_eq!(size.in_hand(), once, "an error counts once");
        let challenge = ClaimsChallenge { claims: Some("x".repeat(4_096).into()) };
        size.add(&optional, &refused("x", |answer| VaultError::MoreClaims { answer, challenge }), true);
        assert!(size.in_hand() > once + 4_096, "{}", size.in_hand());
    }

    /// Such a mount reports why the objects are refused.
    #[test]
    fn four_thousand_refused_objects_are_not_too_large() {
        let required = object("a", IfAbsent::Fail);
        let size = Size::of(std::slice::from_ref(&required));
        let forbidden = refused(&"x".repeat(450), VaultError::Forbidden);
        (0..4_000).for_each(|_| size.add(&required, &forbidden, true));
        assert!(size.read() < 2 * (4 << 20), "{}", size.read());
    }

    #[test]
    fn passwords_of_stores_count_while_a_mount_reads() {
        let password = ObjectSpec::password(None, "p".parse().unwrap());
        let size = Size::of(std::slice::from_ref(&password));
        size.add(&password, &read(&"x".repeat(25_000), Properties::default()), true);
        assert!(size.in_hand() > 25_000 && size.whole() > 25_000, "{}", size.whole());
    }

    #[test]
    fn names_need_no_permit_before_content_arrives() {
        let objects: Vec<_> = (0..4_000).map(|index| object(&format!("n-{index}"), IfAbsent::Fail)).collect();
        let size = Size::of(&objects);
        assert_eq!(size.in_hand(), 0);
        assert!(size.whole() > MAX_SMALL_VOLUME_BYTES, "{}", size.whole());
    }
}
