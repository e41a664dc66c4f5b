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
        MountError::TooLarge { .. } | MountError::NoPlace { .. } | MountError::OutOfTime { .. } => {
            Code::FailedPrecondition
        }
    }
}

fn identity_code(error: &IdentityError) -> Code {
    match error {
        IdentityError::Refused { .. } => Code::Unauthenticated,
        IdentityError::Unavailable { .. }
        | IdentityError::Unreachable { .. }
        | IdentityError::Late { .. }
        | IdentityError::TokenProxy { .. } => Code::FailedPrecondition,
    }
}

fn object_code(error: &ObjectError) -> Code {
    match error {
        ObjectError::Vault(error) => vault_code(error),
        ObjectError::Clash(_) => Code::InvalidArgument,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{identity::IdentityError, mount::ObjectFailure};

    use super::*;

    /// The codes that leave a pod with an empty volume.
    const FORBIDDEN: [Code; 5] =
        [Code::Cancelled, Code::DeadlineExceeded, Code::Unavailable, Code::ResourceExhausted, Code::Aborted];

    fn http(status: u16, body: &'static str) -> VaultError {
        use azure_core::{
            error::{Error, ErrorKind},
            http::{RawResponse, headers::Headers},
        };
        let raw = RawResponse::from_bytes(status.into(), Headers::new(), body);
        let kind = ErrorKind::HttpResponse {
            status: status.into(),
            error_code: None,
            raw_response: Some(Box::new(raw)),
        };
        Error::with_message(kind, "refused").into()
    }

    fn objects(errors: Vec<ObjectError>) -> MountError {
        let failures =
            errors.into_iter().map(|error| ObjectFailure { object: "secret/s".to_owned(), error }).collect();
        MountError::Objects { vault: "lab".parse().unwrap(), failures }
    }

    fn vault(status: u16, body: &'static str) -> MountError {
        objects(vec![ObjectError::Vault(http(status, body).into())])
    }

    #[test]
    fn each_failure_has_its_code_and_none_is_one_that_is_never_answered() {
        use azure_core::error::{Error, ErrorKind};
        let unanswered =
            |kind| objects(vec![ObjectError::Vault(VaultError::from(Error::with_message(kind, "x")).into())]);
        let unreachable = IdentityError::Unreachable {
            identity: "workload identity".to_owned(),
            source_name: "Entra".to_owned(),
            source: "x".into(),
        };
        for (error, code) in [
            (MountError::Cloud(CloudError::NoFile), Code::InvalidArgument),
            (
                MountError::Identity { wanted: "secret/s".to_owned(), source: unreachable },
                Code::FailedPrecondition,
            ),
            (
                MountError::NoPlace { vault: "lab".parse().unwrap(), waited: Duration::from_secs(90) },
                Code::FailedPrecondition,
            ),
            (MountError::OutOfTime { budget: Duration::from_secs(90) }, Code::FailedPrecondition),
            (vault(400, ""), Code::InvalidArgument),
            (vault(401, ""), Code::Unauthenticated),
            (vault(403, ""), Code::PermissionDenied),
            (
                vault(403, r#"{"error":{"code":"Forbidden","innererror":{"code":"SecretDisabled"}}}"#),
                Code::FailedPrecondition,
            ),
            (vault(404, ""), Code::NotFound),
            (vault(408, ""), Code::FailedPrecondition),
            (vault(429, ""), Code::FailedPrecondition),
            (vault(500, ""), Code::FailedPrecondition),
            (vault(503, ""), Code::FailedPrecondition),
            (unanswered(ErrorKind::Connection), Code::FailedPrecondition),
            (unanswered(ErrorKind::Io), Code::FailedPrecondition),
            (unanswered(ErrorKind::Credential), Code::FailedPrecondition),
            (unanswered(ErrorKind::DataConversion), Code::FailedPrecondition),
            (objects(vec![ObjectError::NoVersions]), Code::NotFound),
            (objects(vec![ObjectError::NoSuchVersion]), Code::NotFound),
            (objects(vec![ObjectError::AllDisabled]), Code::FailedPrecondition),
            (objects(vec![ObjectError::StartDisabled]), Code::FailedPrecondition),
        ] {
            let status = from_mount(&error);
            assert_eq!(status.code(), code, "{error}");
            assert!(!FORBIDDEN.contains(&status.code()), "{error}");
        }
        assert_eq!(panicked().code(), Code::Internal);
    }

    #[test]
    fn of_several_codes_the_one_that_lasts_is_told() {
        let status = |codes: &[u16]| {
            let errors = codes.iter().map(|status| ObjectError::Vault(http(*status, "").into())).collect();
            from_mount(&objects(errors)).code()
        };
        assert_eq!(status(&[503, 404]), Code::NotFound);
        assert_eq!(status(&[404, 403, 503]), Code::PermissionDenied);
        assert_eq!(status(&[403, 401]), Code::Unauthenticated);
        assert_eq!(status(&[401, 400]), Code::InvalidArgument);
    }

    #[test]
    fn a_message_for_thousands_of_objects_is_cut() {
        let many = objects((0..5_000).map(|_| ObjectError::NoVersions).collect());
        let message = from_mount(&many).message().to_owned();
        assert!(message.len() <= LONGEST_MESSAGE + '…'.len_utf8());
        assert!(message.starts_with("cannot read 5000 objects from vault lab:"), "{message:.80}");
    }
}
