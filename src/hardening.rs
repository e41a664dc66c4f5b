//! The process's memory, closed to everyone else on the node: it holds secrets of every pod.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// What could not be closed.
#[derive(Debug, thiserror::Error)]
pub enum HardeningError {
    /// A crash may leave the memory in a file.
    #[error("cannot turn core dumps off")]
    CoreDumps(#[source] io::Error),
    /// Processes of the same user may read the memory.
    #[error("cannot close the memory to other processes of the same user")]
    Memory(#[source] io::Error),
}

/// Turns core dumps off, and closes the process to debuggers and `/proc/<pid>/mem` of the same user; root remains.
///
/// For all of the process and whatever it starts; to be called first of all, before there are secrets
/// (setrlimit(2), `RLIMIT_CORE`; prctl(2), `PR_SET_DUMPABLE`).
///
/// # Errors
/// Where the kernel refuses one of the two. Both are tried.
pub fn close_memory() -> Result<(), HardeningError> {
    // Both, since a handler of core dumps that is a pipe (core(5)) takes no notice of the limit.
    let memory = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|error| HardeningError::CoreDumps(error.into()))?;
    memory.map_err(|error| HardeningError::Memory(error.into()))
}
