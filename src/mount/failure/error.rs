//! The errors of a mount, and the objects that caused them.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    cloud::CloudError,
    content::error::ContentError,
    identity::IdentityError,
    report::Report,
    spec::{
        excerpt::Excerpt,
        file::{InvalidPath, RelativePath},
        find::FindSpec,
        identity::{IdentityMode, TenantId},
        misspelling::Misspelling,
        object::{ObjectName, ObjectSpec, ObjectType, ObjectVersion},
        output::MAX_STORES,
        vault::VaultName,
    },
    vault::{TenantError, VaultError},
};

use super::{
    super::{
        find::{MAX_FOUND, MAX_LISTED},
        largest::Largest,
    },
    message::Budget,
    timeout_cause::TimeoutCause,
};

/// An error of one mount. Operators see only its text, which `mount/failure/message.rs` makes: it has no `source`.
#[derive(Debug)]
pub enum MountError {
    /// The cloud's endpoints are unknown.
    Cloud(CloudError),
    /// No tenant is configured, and the vault's challenge does not name it.
    Tenant {
        /// The requested objects, as messages show them.
        wanted: Vec<String>,
        /// The vault of the mount.
        vault: VaultName,
        /// Why the tenant is not known.
        error: Box<TenantError>,
        /// Ignored parameters that may be the cause.
        misspellings: Vec<Misspelling>,
    },
    /// No token source issued a token, so no object could be read.
    Identity {
        /// The requested objects, as messages show them.
        wanted: Vec<String>,
        /// The vault of the mount.
        vault: VaultName,
        /// The error of the token request, shared by all mounts that waited for it.
        error: Arc<IdentityError>,
        /// Ignored parameters that may be the cause.
        misspellings: Vec<Misspelling>,
    },
    /// The SDK refused to create a client for this vault.
    Connect {
        /// The vault of the mount.
        vault: VaultName,
        /// The error of the SDK.
        error: Box<VaultError>,
    },
    /// Some objects could not be read or converted.
    Objects {
        /// The SecretProviderClass's own vault, or that of the first object if no object is in it.
        vault: VaultName,
        /// The identity that read the vault.
        caller: Box<Caller>,
        /// The failed objects, in the user's order; never empty.
        failures: Vec<ObjectFailure>,
    },
    /// The volume exceeds the driver's limit.
    TooLarge {
        /// The volume's size in bytes; approximate, and only of the objects that were read.
        size: usize,
        /// The driver's limit in bytes.
        limit: usize,
        /// The largest files, if all files are known.
        largest: Option<Largest>,
    },
    /// The mount got no permit in time.
    QueueTimeout {
        /// The vault of the mount.
        vault: VaultName,
        /// How long the mount waited.
        budget: Budget,
        /// What the mount waited for.
        queue: MountQueue,
    },
    /// The mount did not finish in time.
    Timeout {
        /// The requested objects, as messages show them.
        wanted: Vec<String>,
        /// The vault of the mount.
        vault: VaultName,
        /// How long the mount was allowed to take.
        budget: Budget,
        /// What the mount waited for when it timed out.
        waiting: Box<TimeoutCause>,
        /// How long the mount had waited for `waiting`.
        spent: Duration,
    },
}

impl From<CloudError> for MountError {
    fn from(error: CloudError) -> Self {
        Self::Cloud(error)
    }
}

/// The queue that a mount stands in before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountQueue {
    /// A permit to run.
    Permits,
    /// Memory for a large SecretProviderClass.
    LargeClasses,
}

/// The identity that read a vault, with what messages say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Mode and client id.
    pub identity: String,
    /// The tenant, if the mode names one.
    pub tenant: Option<TenantId>,
    /// The object id in the tenant, if the token names it.
    pub object_id: Option<String>,
    /// The vaults of the mount; the first stands for the others.
    pub vaults: Vec<AskedVault>,
    /// Ignored parameters, which may be why another identity than intended read the vault.
    pub misspellings: Vec<Misspelling>,
}

/// A vault that a caller read, with what messages say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedVault {
    /// The vault's name.
    pub name: VaultName,
    /// The vault's host.
    pub host: String,
    /// The authority that the vault's challenge named, if it differs from the cloud's.
    pub other_authority: Option<Excerpt>,
}

impl Caller {
    pub(in crate::mount) fn new(identity: &IdentityMode, misspellings: Vec<Misspelling>) -> Self {
        Self {
            identity: identity.to_string(),
            tenant: identity.tenant().cloned(),
            object_id: None,
            vaults: Vec::new(),
            misspellings,
        }
    }
}

/// An object that could not be read or converted.
#[derive(Debug)]
pub struct ObjectFailure {
    /// The object's vault, if it is not the SecretProviderClass's own.
    pub vault: Option<VaultName>,
    /// The object's type.
    pub kind: ObjectType,
    /// Type and name, with the version if one was requested: `secret/db-password`.
    pub object: String,
    /// The error of this object.
    pub error: ObjectError,
}

impl ObjectFailure {
    pub(in crate::mount) fn new(
        object: &ObjectSpec,
        version: Option<&ObjectVersion>,
        error: ObjectError,
    ) -> Self {
        let (vault, kind) = (object.vault.clone(), object.object_type());
        let object = match version {
            Some(version) => format!("{object} version {version}"),
            None => object.to_string(),
        };
        Self { vault, kind, object, error }
    }

    /// Returns the failure of a whole `find`.
    pub(in crate::mount) fn of_find(find: &FindSpec, error: ObjectError) -> Self {
        let object = format!("{find} (objects[{}])", find.entry);
        Self { vault: find.vault.clone(), kind: find.object_type(), object, error }
    }

    /// Returns the failure of an object that a `find` found.
    pub(in crate::mount) fn of_found(find: &FindSpec, name: &ObjectName, error: ObjectError) -> Self {
        let of_vault = find.vault.as_ref().map(|vault| format!("{vault}/")).unwrap_or_default();
        let kind = find.object_type();
        Self { vault: find.vault.clone(), kind, object: format!("{of_vault}{kind}/{name}"), error }
    }
}

/// An error of one object.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The vault did not return the object.
    #[error(transparent)]
    Vault(#[from] Arc<VaultError>),
    /// The object cannot be converted to the requested file.
    #[error("cannot be converted")]
    Content(#[from] ContentError),
    /// A path that is known only after reading is also the path of another file.
    #[error("its file {path:?} is also that of {owner}; set another objectAlias")]
    Clash {
        /// The file's path.
        path: String,
        /// The owner of the other file, as messages show it.
        owner: String,
    },
    /// Two keys of one value have the same file name.
    #[error("{0}; name the keys under jmesPath")]
    KeyClash(KeyClash),
    /// The value lacks keys that the entry names.
    #[error("its value has no {}", missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", no "))]
    NoSuchKey {
        /// The keys, in the order of the entry; never empty.
        missing: Vec<MissingKey>,
    },
    /// Some outputs of the object cannot be written.
    #[error("{}", failed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Outputs {
        /// The outputs, in the order of the entry; never empty.
        failed: Vec<FailedOutput>,
    },
    /// The path of a file that is known only after reading is invalid.
    #[error("its file {path:?} {reason}; set another objectAlias")]
    Path {
        /// The file's path.
        path: String,
        /// Why the driver would refuse the path.
        reason: InvalidPath,
    },
    /// The object has no versions.
    #[error("404: the vault has no such object, or no version of it")]
    NoVersions,
    /// The first version of a history does not exist.
    #[error("404: the object has no such version to start the history at")]
    NoSuchVersion,
    /// Every version of the object is disabled.
    #[error("every version is disabled; enable one or ask for another")]
    AllDisabled,
    /// The version that the entry's conditions choose is disabled.
    #[error("the version that objectNotAfter chooses is disabled; enable it or choose another")]
    ChosenDisabled,
    /// No version meets the entry's conditions.
    #[error("no version fits objectVersionPolicy and objectNotAfter")]
    NoFittingVersion,
    /// The vault of a `find` cannot be listed.
    #[error("cannot list the vault")]
    List(#[source] Arc<VaultError>),
    /// No object meets the conditions of a `find`.
    #[error("no enabled object meets the conditions of find")]
    NothingFound,
    /// The vault has more objects than are listed.
    #[error("the vault has more than {MAX_LISTED} objects of type {object_type}, or too many tags on them")]
    TooManyListed {
        /// The type.
        object_type: ObjectType,
    },
    /// The class finds more objects than one mount may have.
    #[error("the class finds more than {MAX_FOUND} objects")]
    TooManyFound,
    /// The lists of the mount's vaults are too large together.
    #[error("the lists of vaults that the class searches are too large together")]
    ListsTooLarge,
    /// The patterns of the class take too much work for the names of the vault.
    #[error(
        "its patterns, with those of the entries before, are too complex for so many names; write simpler ones"
    )]
    TooManySteps,
    /// The found objects have more stores than one mount may have.
    #[error("the class finds so many objects that there are more than {MAX_STORES} PKCS#12 stores")]
    TooManyStores,
    /// The rewritten name of a found object is not a path.
    #[error("its path {path} {reason}; change rewrite or objectAlias")]
    RewrittenPath {
        /// The rewritten name.
        path: Excerpt,
        /// Why the driver would refuse it.
        reason: InvalidPath,
    },
    /// The first version of a history is disabled.
    #[error("this version is disabled, so the history cannot start at it; enable it or start at another")]
    StartDisabled,
}

/// Two keys of one value that become one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyClash {
    /// The path of the file.
    pub file: RelativePath,
    /// Their places among the keys of the value, the first one's 1. No message has a part of a value.
    pub keys: [usize; 2],
}

impl fmt::Display for KeyClash {
    /// Writes `two of its keys become the file "db/a_b": keys 1 and 3 of the value`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = &self.keys;
        write!(
            f,
            "two of its keys become the file {:?}: keys {first} and {second} of the value",
            self.file.as_str()
        )
    }
}

/// A key that a value lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingKey {
    /// The key's path, as the SecretProviderClass names it.
    pub key: Excerpt,
    /// The path of the key's file.
    pub file: RelativePath,
}

impl fmt::Display for MissingKey {
    /// Writes `key "db.user" for file user`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {} for file {}", self.key, self.file)
    }
}

/// An output that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedOutput {
    /// The path of the file.
    pub file: RelativePath,
    /// The error.
    pub error: ContentError,
}

impl fmt::Display for FailedOutput {
    /// Writes `cannot write its file ca.crt: the secret has no certificate above the leaf`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write its file {}: {}", self.file, Report(&self.error))
    }
}

impl ObjectError {
    /// Returns the error of two keys of one value, by their places in it, that become one file.
    pub(in crate::mount) fn key_clash(file: &RelativePath, keys: [usize; 2]) -> Self {
        Self::KeyClash(KeyClash { file: file.clone(), keys })
    }

    /// Returns whether the vault says that the object does not exist, or that it is disabled. Nothing else counts as
    /// absence: a fault of permission or network must never remove a file.
    pub(in crate::mount) fn is_absence(&self) -> bool {
        match self {
            Self::Vault(error) => error.is_absence(),
            Self::NoVersions
            | Self::NoSuchVersion
            | Self::AllDisabled
            | Self::StartDisabled
            | Self::ChosenDisabled
            | Self::NoFittingVersion => true,
            Self::Content(_)
            | Self::Clash { .. }
            | Self::KeyClash(_)
            | Self::NoSuchKey { .. }
            | Self::Outputs { .. }
            | Self::Path { .. }
            | Self::List(_)
            | Self::NothingFound
            | Self::TooManyListed { .. }
            | Self::TooManyFound
            | Self::ListsTooLarge
            | Self::TooManySteps
            | Self::TooManyStores
            | Self::RewrittenPath { .. } => false,
        }
    }

    /// Returns the vault's error, if the vault caused the failure.
    pub(in crate::mount) fn vault(&self) -> Option<&VaultError> {
        match self {
            Self::Vault(error) | Self::List(error) => Some(error),
            _ => None,
        }
    }
}
