//! The errors of a mount, their codes, and their messages.

mod classify;
mod error;
mod listed;
mod message;
mod progress;
mod remediation;
mod timeout_cause;

pub use self::{
    error::{
        AskedVault, Caller, FailedOutput, MissingKey, MountError, MountQueue, ObjectError, ObjectFailure,
    },
    listed::{Names, listed},
    message::{Budget, LogDetails},
    timeout_cause::TimeoutCause,
};

pub(super) use self::progress::{Phase, Progress};
