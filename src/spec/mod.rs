//! The vocabulary of a mount: plain values that are valid by construction, without I/O, SDK or protocol types.

pub mod absence;
pub mod boolean;
pub mod cloud;
pub mod combine;
pub mod excerpt;
pub mod file;
pub mod find;
pub mod identity;
pub mod key_path;
pub mod match_steps;
pub mod misspelling;
pub mod mount_kind;
pub mod object;
pub mod output;
pub mod overlap;
pub mod pattern;
pub mod placeholder;
pub mod pod;
pub mod principal;
pub mod rendering;
pub mod rewrite;
pub mod sensitive;
pub mod service_principal;
pub mod shape;
pub(crate) mod size;
pub mod syntax;
pub mod vault;
pub mod version_choice;

use std::sync::Arc;

use self::{
    cloud::CloudChoice, file::FileMode, find::FindSpec, identity::ConfiguredIdentity,
    misspelling::Misspelling, object::ObjectSpec, pod::PodRef, vault::VaultName,
};

/// A parsed `Mount` call: the objects, the vault, the identity and the pod.
#[derive(Debug, Clone)]
pub struct MountSpec {
    /// The pod of the volume, as the driver names it. It is not verified, so it must not decide access.
    pub pod: PodRef,
    /// The Azure cloud of the identity and the vault.
    pub cloud: CloudChoice,
    /// The vault of the SecretProviderClass: that of each object that names no other.
    pub vault: VaultName,
    /// The vault to read in its place on an initial mount, if it cannot be reached.
    pub failover: Option<VaultName>,
    /// The identity that reads the vault.
    pub identity: ConfiguredIdentity,
    /// The objects that the SecretProviderClass names, in the user's order. Mounts of one class may share them.
    pub objects: Arc<[ObjectSpec]>,
    /// The entries that find objects, in the user's order. If there is none, `objects` is not empty.
    pub finds: Arc<[FindSpec]>,
    /// The mode of files whose object names none.
    pub default_mode: FileMode,
    /// Ignored parameters with misspelt names: for messages only.
    pub misspellings: Vec<Misspelling>,
}
