//! The one table from errors to gRPC codes.
//!
//! What the caller does with a code decides which one it is. Kubelet takes `Canceled`, `DeadlineExceeded`,
//! `Unavailable`, `ResourceExhausted` and `Aborted` for "perhaps still under way" and leaves the volume's directory in
//! place; with rotation on, the driver then finds that directory fresh and answers kubelet's retry with OK, with
//! nothing mounted, and the pod starts with an empty volume. So those five are never said here: throttling, outages
//! and running out of time are `FailedPrecondition`.

use tonic::{Code, Status};

use crate::{
    cloud::CloudError,
    identity::IdentityError,
    mount::{MountError, ObjectError},
    parameters::{Fault, ParametersError},
    report::Report,
    vault::VaultError,
};

/// The longest message, in bytes. An event shows about the first thousand characters.
const LONGEST_MESSAGE: usize = 32 * 1024;

/// The status of a request that cannot be understood, or that asks for what the cluster does not give.
pub fn from_parameters(error: &ParametersError) -> Status {
    let code = match error.fault() {
        Fault::Request => Code::InvalidArgument,
        Fault::Cluster => Code::FailedPrecondition,
    };
    status(code, error)
}

/// The status of a mount that failed.
pub fn from_mount(error: &MountError) -> Status {
    status(mount_code(error), error)
}

/// The status of a mount that ran into a bug of ours.
pub fn panicked() -> Status {
    Status::new(Code::Internal, "the provider failed at this mount by a bug of its own; its log says where")
}

fn mount_code(error: &MountError) -> Code {
    match error {
        MountError::Cloud(CloudError::NoFile) => Code::InvalidArgument,
        MountError::Cloud(_) => Code::FailedPrecondition,
        MountError::Identity { source, .. } => identity_code(source),
        MountError::Connect { source, .. } => vault_code(source),
        MountError::Objects { failures, .. } => {
            let codes = failures.iter().map(|failure| object_code(&failure.error));
            codes.min_by_key(|code| precedence(*code)).unwrap_or(Code::Internal)
        }
        MountError::OutOfTime { .. } => Code::FailedPrecondition,
    }
}

fn identity_code(error: &IdentityError) -> Code {
    match error {
        IdentityError::Refused { .. } => Code::Unauthenticated,
        IdentityError::Unavailable { .. }
        | IdentityError::Unreachable { .. }
        | IdentityError::TokenProxy { .. } => Code::FailedPrecondition,
    }
}

fn object_code(error: &ObjectError) -> Code {
    match error {
        ObjectError::Vault(error) => vault_code(error),
        ObjectError::NoVersions | ObjectError::NoSuchVersion => Code::NotFound,
        ObjectError::Content(_) | ObjectError::AllDisabled | ObjectError::StartDisabled => {
            Code::FailedPrecondition
        }
    }
}

fn vault_code(error: &VaultError) -> Code {
    match error {
        VaultError::NotFound(_) => Code::NotFound,
        VaultError::Forbidden(_) => Code::PermissionDenied,
        VaultError::Unauthorized(_) => Code::Unauthenticated,
        VaultError::Rejected(_) => Code::InvalidArgument,
        VaultError::Disabled(_)
        | VaultError::Throttled(_)
        | VaultError::Unavailable(_)
        | VaultError::Unreachable(_)
        | VaultError::Credential(_)
        | VaultError::Malformed(_)
        | VaultError::Incomplete(_) => Code::FailedPrecondition,
    }
}

/// Of several objects' codes the lowest wins: what will stay wrong until someone changes it goes before what may pass.
fn precedence(code: Code) -> u8 {
    match code {
        Code::InvalidArgument => 0,
        Code::Unauthenticated => 1,
        Code::PermissionDenied => 2,
        Code::NotFound => 3,
        _ => 4,
    }
}

fn status(code: Code, error: &dyn std::error::Error) -> Status {
    let mut message = Report(error).to_string();
    if message.len() > LONGEST_MESSAGE {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        message.push('…');
    }
    Status::new(code, message)
}
