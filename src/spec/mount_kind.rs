//! What a mount is for.

/// Why the driver asks for a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MountKind {
    /// The volume is new, and its pod cannot start without it.
    Initial,
    /// The driver repeats the mount at its rotation interval. The pod runs, with what it has.
    Republish,
}
