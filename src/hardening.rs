//! Protection of the process's memory against other processes on the node: it holds secrets of every pod.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// An error of a protection that the kernel refused.
#[derive(Debug, thiserror::Error)]
pub enum HardeningError {
    /// Core dumps stay on: a crash may write the memory to a file.
    #[error("cannot turn core dumps off")]
    CoreDumps(#[source] io::Error),
    /// Processes of the same user may read the memory.
    #[error("cannot close the memory to other processes of the same user")]
    Memory(#[source] io::Error),
}

/// Turns core dumps off, and closes the process to debuggers and `/proc/<pid>/mem` of the same user; root remains.
///
/// Both apply to the whole process and its children. Call this function before there are secrets (setrlimit(2),
/// `RLIMIT_CORE`; prctl(2), `PR_SET_DUMPABLE`).
///
/// # Errors
/// The kernel refuses one of the two. Both are tried.
pub fn close_memory() -> Result<(), HardeningError> {
    // Both, since a core dump handler that is a pipe (core(5)) ignores the limit.
    let memory = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|error| HardeningError::CoreDumps(error.into()))?;
    memory.map_err(|error| HardeningError::Memory(error.into()))
}
