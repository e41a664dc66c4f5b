//! Why a volume could not be mounted, and which objects are to blame.

use std::{sync::Arc, time::Duration};

use crate::{
    cloud::CloudError,
    content::error::ContentError,
    identity::IdentityError,
    spec::{
        excerpt::Excerpt,
        file::InvalidPath,
        identity::{IdentityMode, TenantId},
        misspelling::Misspelling,
        object::{ObjectSpec, ObjectType, ObjectVersion},
        vault::VaultName,
    },
    vault::VaultError,
};

use super::{super::volume::Largest, message::Budget, timeout_cause::TimeoutCause};

/// One failed mount. Its text, in `mount/message.rs`, is all that an operator is told: it has no source besides.
#[derive(Debug)]
pub enum MountError {
    /// The cloud's endpoints are not known.
    Cloud(CloudError),
    /// No token, so no object.
    Identity {
        /// The objects that were wanted.
        wanted: Vec<String>,
        /// The vault.
        vault: VaultName,
        /// Why.
        error: Arc<IdentityError>,
        /// Parameters without effect, which may be why.
        misspellings: Vec<Misspelling>,
    },
    /// The SDK will not talk to this vault.
    Connect {
        /// The vault.
        vault: VaultName,
        /// Why.
        error: Box<VaultError>,
    },
    /// Some objects could not be had.
    Objects {
        /// The vault.
        vault: VaultName,
        /// Who asked it.
        caller: Box<Caller>,
        /// The objects, in the user's order; never empty.
        failures: Vec<ObjectFailure>,
    },
    /// More than the driver takes.
    TooLarge {
        /// What it would be, in bytes: of as much as was read, about.
        size: usize,
        /// What it may be, in bytes.
        limit: usize,
        /// The files with the most in them, where all of them are known.
        largest: Option<Largest>,
    },
    /// All places are taken.
    QueueTimeout {
        /// The vault.
        vault: VaultName,
        /// How long the mount waited.
        budget: Budget,
    },
    /// Azure takes too long.
    Timeout {
        /// The objects that were wanted.
        wanted: Vec<String>,
        /// The vault.
        vault: VaultName,
        /// How long it was allowed to take.
        budget: Budget,
        /// What it waited for.
        waiting: Box<TimeoutCause>,
        /// How long it had waited for that.
        spent: Duration,
    },
}

impl From<CloudError> for MountError {
    fn from(error: CloudError) -> Self {
        Self::Cloud(error)
    }
}

/// Who asked a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Mode and client id.
    pub identity: String,
    /// The directory, where the mode names one.
    pub tenant: Option<TenantId>,
    /// The object id in the directory, where the token says it.
    pub object_id: Option<String>,
    /// The vault's host.
    pub host: String,
    /// The authority that the vault's challenge names, where it is another than the cloud's.
    pub other_authority: Option<Excerpt>,
    /// Parameters without effect, which may be why it is not another identity that asked.
    pub misspellings: Vec<Misspelling>,
}

impl Caller {
    pub(in crate::mount) fn new(identity: &IdentityMode, host: &str, misspellings: Vec<Misspelling>) -> Self {
        Self {
            identity: identity.to_string(),
            tenant: identity.tenant().cloned(),
            object_id: None,
            host: host.to_owned(),
            other_authority: None,
            misspellings,
        }
    }
}

/// An object that could not be had.
#[derive(Debug)]
pub struct ObjectFailure {
    /// Its kind.
    pub kind: ObjectType,
    /// Type and name, and the version where one was asked for: `secret/db-password`.
    pub object: String,
    /// Why.
    pub error: ObjectError,
}

impl ObjectFailure {
    pub(in crate::mount) fn new(
        object: &ObjectSpec,
        version: Option<&ObjectVersion>,
        error: ObjectError,
    ) -> Self {
        let kind = object.object_type();
        let object = match version {
            Some(version) => format!("{object} version {version}"),
            None => object.to_string(),
        };
        Self { kind, object, error }
    }
}

/// Why one object could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The vault did not give it.
    #[error(transparent)]
    Vault(#[from] Arc<VaultError>),
    /// The vault gave what cannot become the file that was asked for.
    #[error("cannot be converted")]
    Content(#[from] ContentError),
    /// Another object's file is where this one's `.crt` or `.key` would be.
    #[error("its file {0:?} is also that of another object; set another objectAlias")]
    Clash(String),
    /// The file of a certificate or a key, beside the object's own, cannot be in a volume.
    #[error("its file {path:?} {reason}; set another objectAlias")]
    Path {
        /// The file.
        path: String,
        /// Why not.
        reason: InvalidPath,
    },
    /// The object has no version at all.
    #[error("404: the vault has no such object, or no version of it")]
    NoVersions,
    /// The version that a history starts at does not exist.
    #[error("404: the object has no such version to start the history at")]
    NoSuchVersion,
    /// There are versions, but none that may be read.
    #[error("every version is disabled; enable one or ask for another")]
    AllDisabled,
    /// The version that a history starts at may not be read.
    #[error("this version is disabled, so the history cannot start at it; enable it or start at another")]
    StartDisabled,
}

impl ObjectError {
    /// What the vault said, where it is to blame.
    pub(in crate::mount) fn vault(&self) -> Option<&VaultError> {
        match self {
            Self::Vault(error) => Some(error),
            _ => None,
        }
    }
}
