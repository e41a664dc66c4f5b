//! The files and versions of one mount, as the driver writes them.

use std::fmt;

use crate::{
    content::secret::MissingPart,
    report::Report,
    spec::{
        file::{FileMode, RelativePath},
        object::ObjectType,
        sensitive::Sensitive,
    },
};

use super::validity::Validity;

/// A volume: the files of a mount, and the versions that the driver records.
#[derive(Debug, Default)]
pub struct Volume {
    /// The files, in the user's order.
    pub files: Vec<VolumeFile>,
    /// The versions of the objects; the driver refuses an answer without versions.
    pub versions: Vec<MountedVersion>,
    /// Optional files that the secret has no part for. Filled on an initial mount alone.
    pub left_out: Vec<LeftOut>,
    /// Optional objects that the vault does not have.
    pub absent: Vec<AbsentObject>,
    /// The expiry of the served objects.
    pub validity: Validity,
    /// How many values were taken apart for `outputs`: opening an archive takes up to a second.
    pub taken_apart: usize,
}

/// An optional object that the vault does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentObject {
    /// The object's type.
    pub object_type: ObjectType,
    /// Type and name: `secret/db-password`.
    pub id: String,
}

/// A separate certificate or key file that was not written, as the secret lacks that part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Relative to the volume's root.
    pub path: String,
    /// The missing part.
    pub reason: MissingPart,
}

impl fmt::Display for LeftOut {
    /// Writes `web.key (the secret has no private key)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path, Report(&self.reason))
    }
}

/// A file of a volume.
#[derive(Debug)]
pub struct VolumeFile {
    /// Relative to the volume's root.
    pub path: RelativePath,
    /// The permission bits.
    pub mode: FileMode,
    /// The bytes of the file.
    pub contents: Sensitive<Vec<u8>>,
}

impl VolumeFile {
    /// Returns the only file of a volume without objects: `.absent`, empty. The driver takes an answer without files to
    /// mean that nothing changed, and keeps the files of before (`secrets-store-csi-driver`,
    /// `pkg/secrets-store/provider_client.go`).
    pub(super) fn absent(mode: FileMode) -> Self {
        let path = ".absent".parse().expect("the name is a path");
        Self { path, mode, contents: Sensitive::new(Vec::new()) }
    }
}

/// A version of an object, as the SecretProviderClassPodStatus shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MountedVersion {
    /// `secret/db-password`, or `secret/db-password/0` in a history.
    pub id: String,
    /// The version that the vault returned.
    pub version: String,
}

/// The version of an object that the vault does not have, and of which no file has a default.
pub(super) const ABSENT: &str = "absent";

/// The version of an object that the vault does not have, and of which a file has its default.
pub(super) const DEFAULT: &str = "default";

/// Tags, lengths and modes of a file and a version in protobuf's encoding.
pub(super) const FILE_OVERHEAD_BYTES: usize = 128;
