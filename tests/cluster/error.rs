//! Why a step did not pass.

use thiserror::Error;

use crate::command::CommandError;

#[derive(Debug, Error)]
pub(crate) enum StepError {
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The condition did not hold in time; `reason` is the last one for which it did not.
    #[error("waited {seconds} s for {what}: {reason}")]
    Timeout { what: String, seconds: u64, reason: String },
    /// The cluster shows something else than the step asserts.
    #[error("{0}")]
    Unexpected(String),
    /// The cluster lacks what the step needs.
    #[error("{0}")]
    Skipped(String),
}
