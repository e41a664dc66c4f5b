//! Why a volume could not be mounted, and which objects are to blame.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    cloud::CloudError,
    content::error::ContentError,
    identity::IdentityError,
    report::Report,
    spec::{
        object::{ObjectSpec, ObjectVersion},
        vault::VaultName,
    },
    vault::VaultError,
};

use super::line;

/// One failed mount.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The cloud's endpoints are not known.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// No token, so no object.
    #[error("cannot read {wanted}")]
    Identity {
        /// The objects that were wanted.
        wanted: String,
        /// Why.
        source: IdentityError,
    },
    /// The SDK will not talk to this vault.
    #[error("cannot connect to vault {vault}")]
    Connect {
        /// The vault.
        vault: VaultName,
        /// Why.
        source: VaultError,
    },
    /// Some objects could not be had.
    #[error("{}", FailedObjects { vault, failures })]
    Objects {
        /// The vault.
        vault: VaultName,
        /// The objects, in the user's order; never empty.
        failures: Vec<ObjectFailure>,
    },
    /// More than the driver takes.
    #[error(
        "the volume is too large for the driver: {size} bytes of {limit}; the largest files are {largest}; mount fewer \
         objects in one volume, or raise --max-call-recv-msg-size of the driver and of the provider"
    )]
    TooLarge {
        /// What it would be, in bytes.
        size: usize,
        /// What it may be, in bytes.
        limit: usize,
        /// The files with the most in them.
        largest: String,
    },
    /// All places are taken.
    #[error(
        "no turn within {:.1} seconds: {} mounts from vault {vault} or {} from all vaults were under way all the time, \
         and the log says of each how it ended", waited.as_secs_f32(), line::OF_ONE_VAULT, line::AT_ONCE
    )]
    NoPlace {
        /// The vault.
        vault: VaultName,
        /// How long the mount stood in line.
        waited: Duration,
    },
    /// Azure takes too long.
    #[error("the mount was given up after {:.1} seconds, before its caller's patience ended", budget.as_secs_f32())]
    OutOfTime {
        /// How long it was allowed to take.
        budget: Duration,
    },
}

impl MountError {
    pub(super) fn identity(source: IdentityError, objects: &[ObjectSpec]) -> Self {
        const SHOWN: usize = 3;
        let names: Vec<String> = objects.iter().take(SHOWN).map(ToString::to_string).collect();
        let mut wanted = names.join(", ");
        if objects.len() > SHOWN {
            wanted.push_str(&format!(" and {} more", objects.len() - SHOWN));
        }
        Self::Identity { wanted, source }
    }
}

/// An object that could not be had.
#[derive(Debug)]
pub struct ObjectFailure {
    /// Type and name, and the version where one was asked for: `secret/db-password`.
    pub object: String,
    /// Why.
    pub error: ObjectError,
}

impl ObjectFailure {
    pub(super) fn new(object: &ObjectSpec, version: Option<&ObjectVersion>, error: ObjectError) -> Self {
        let object = match version {
            Some(version) => format!("{object} version {version}"),
            None => object.to_string(),
        };
        Self { object, error }
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

/// One object on the same line, several on a line each, their count first.
struct FailedObjects<'a> {
    vault: &'a VaultName,
    failures: &'a [ObjectFailure],
}

impl fmt::Display for FailedObjects<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (vault, failures) = (self.vault, self.failures);
        if let [failure] = failures {
            return write!(
                f,
                "cannot read {} from vault {vault}: {}",
                failure.object,
                Report(&failure.error)
            );
        }
        write!(f, "cannot read {} objects from vault {vault}:", failures.len())?;
        for failure in failures {
            write!(f, "\n{}: {}", failure.object, Report(&failure.error))?;
        }
        Ok(())
    }
}
