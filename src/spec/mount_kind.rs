//! The purpose of a mount.

/// Why the driver requests a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MountKind {
    /// The volume is new, and its pod cannot start without it.
    Initial,
    /// The driver repeats the mount at its rotation interval. The pod already runs with the volume's previous files.
    Republish,
}
