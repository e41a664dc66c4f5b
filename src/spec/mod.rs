//! The vocabulary of a mount: plain values that are valid by construction, without I/O, SDK or protocol types.

pub mod boolean;
pub mod cloud;
pub mod excerpt;
pub mod file;
pub mod identity;
pub mod misspelling;
pub mod mount_kind;
pub mod object;
pub mod overlap;
pub mod placeholder;
pub mod pod;
pub mod principal;
pub mod rendering;
pub mod sensitive;
pub mod vault;

use self::{
    cloud::CloudChoice, file::FileMode, identity::IdentityMode, misspelling::Misspelling, object::ObjectSpec,
    pod::PodRef, vault::VaultName,
};

/// One `Mount` call, understood: what to fetch, from where, as whom, and for which pod.
#[derive(Debug)]
pub struct MountSpec {
    /// The pod that the volume belongs to, as the driver names it. Named, not proved: for messages only.
    pub pod: PodRef,
    /// Which Azure cloud the identity and the vault are in.
    pub cloud: CloudChoice,
    /// The vault that holds every object of this mount.
    pub vault: VaultName,
    /// As whom to ask.
    pub identity: IdentityMode,
    /// What to fetch, in the user's order; never empty.
    pub objects: Vec<ObjectSpec>,
    /// The mode of every file whose object does not name one.
    pub default_mode: FileMode,
    /// Parameters without effect, as their names are misspelt: for messages only.
    pub misspellings: Vec<Misspelling>,
}
