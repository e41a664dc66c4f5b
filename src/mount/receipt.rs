//! What happens once a volume has reached its caller.

use crate::spec::mount_kind::MountKind;

use super::{
    Volume,
    memory::LargeVolumePermit,
    served::{ServedVolumes, VolumeRef},
};

/// A volume, and its receipt.
#[derive(Debug)]
pub struct Mounted {
    /// The files and versions.
    pub volume: Volume,
    /// Whether the pod had the volume before.
    pub kind: MountKind,
    /// Keep it until the volume has been sent.
    pub receipt: Receipt,
}

/// A receipt for a volume. Its memory counts as used until the receipt is dropped.
#[derive(Debug)]
pub struct Receipt {
    /// The volume and the record of served ones; `None` if the pod has no UID.
    pub(super) served: Option<(ServedVolumes, VolumeRef)>,
    pub(super) _memory: Option<LargeVolumePermit>,
}

impl Receipt {
    /// Records that the volume has reached its caller: the pod's next mount of it is a republish.
    pub fn delivered(&self) {
        if let Some((served, volume)) = &self.served {
            served.add(*volume);
        }
    }
}
