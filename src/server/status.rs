//! The one table from failure codes to gRPC codes, and the answer to each failure.
//!
//! The reaction of the caller decides the gRPC code. Kubelet takes `Canceled`, `DeadlineExceeded`, `Unavailable`,
//! `ResourceExhausted` and `Aborted` to mean "perhaps still in progress", and leaves the volume's directory in place.
//! With rotation on, the driver then finds that directory fresh and answers kubelet's retry with OK. Nothing is
//! mounted, and the pod starts with an empty volume. So the provider never returns those five: throttling, outages
//! and timeouts are `FailedPrecondition`.

use tonic::{Code, Status};

use crate::{
    failure::FailureCode,
    mount::{Budget, LogDetails, MountError},
    parameters::{Fault, ParametersError},
};

/// A failed call: its answer, its metric label and its log fields.
#[derive(Debug)]
pub struct Failed {
    /// The code that operators see.
    pub code: FailureCode,
    /// The gRPC status for the caller.
    pub status: Status,
    /// The details that only the log has.
    pub details: LogDetails,
}

/// Returns the answer to a request that is invalid, or that needs credentials which the cluster does not provide.
pub fn from_parameters(error: &ParametersError) -> Failed {
    let code = match error.fault() {
        Fault::Request => FailureCode::BadParameters,
        Fault::Cluster => FailureCode::NoCredentials,
    };
    let message = error.message(code);
    let all = error.all(code);
    let all = (all != message).then_some(all);
    Failed {
        code,
        status: Status::new(answered(code), message),
        details: LogDetails { all, ..LogDetails::default() },
    }
}

/// Returns the answer to a mount that failed.
pub fn from_mount(error: &MountError) -> Failed {
    let code = error.code(|code| precedence(answered(code)));
    Failed {
        code,
        status: Status::new(answered(code), error.message(code)),
        details: error.log_details(code),
    }
}

/// Returns the answer to a mount that panicked.
pub fn panicked() -> Failed {
    let code = FailureCode::InternalError;
    let message =
        format!("[{code}] the provider failed at this mount by a bug of its own; its log says where");
    without_details(code, message)
}

/// Returns the answer to a mount that begins while the server stops.
pub fn stopping() -> Failed {
    let code = FailureCode::Stopping;
    let message = format!(
        "[{code}] the provider on the node is stopping: it takes no new mounts; kubelet tries again, and reaches the \
         provider's next pod"
    );
    without_details(code, message)
}

/// Returns the answer to a large request that was not read in time. Its vault is not known.
pub(super) fn not_received(budget: Budget) -> Failed {
    let code = FailureCode::TimeoutQueued;
    let message = format!(
        "[{code}] timed out {budget} in the queue of large requests, since other SecretProviderClasses of more than 16 \
         KiB were read all the time; kubelet tries again"
    );
    without_details(code, message)
}

/// Returns the answer to a large request that may not wait for memory, since too many others do.
pub(super) fn crowded() -> Failed {
    let code = FailureCode::TimeoutQueued;
    let message = format!(
        "[{code}] too many other large SecretProviderClasses wait for memory, those of the pod's namespace above all; \
         kubelet tries again, and the log says what kept the mounts before it"
    );
    without_details(code, message)
}

/// Returns a failure of which the log says nothing more than its message.
fn without_details(code: FailureCode, message: String) -> Failed {
    Failed { code, status: Status::new(answered(code), message), details: LogDetails::default() }
}

/// Returns the gRPC code of a failure code.
pub fn answered(code: FailureCode) -> Code {
    match code {
        FailureCode::BadParameters
        | FailureCode::NoCloudFile
        | FailureCode::RequestRejected
        | FailureCode::FileClash => Code::InvalidArgument,
        FailureCode::NoFederatedCredential
        | FailureCode::FederationNotAllowed
        | FailureCode::PodTokenNotTrusted
        | FailureCode::PodTokenNotValidNow
        | FailureCode::WrongClientSecret
        | FailureCode::ClientSecretExpired
        | FailureCode::WrongClientCertificate
        | FailureCode::UnknownTenant
        | FailureCode::UnknownClient
        | FailureCode::ClientDisabled
        | FailureCode::UnknownVaultService
        | FailureCode::ConditionalAccess
        | FailureCode::IdentityNotOnNode
        | FailureCode::IdentityNotChosen
        | FailureCode::NoPodIdentity
        | FailureCode::IdentityRefused
        | FailureCode::VaultRefusedToken
        | FailureCode::ClaimsChallenge
        | FailureCode::VaultInOtherTenant
        | FailureCode::WrongAudience => Code::Unauthenticated,
        FailureCode::ForbiddenByRbac
        | FailureCode::ForbiddenByPolicy
        | FailureCode::ForbiddenByFirewall
        | FailureCode::ForbiddenByConnection
        | FailureCode::ForbiddenByProxy
        | FailureCode::Forbidden => Code::PermissionDenied,
        FailureCode::NotFound | FailureCode::SoftDeleted => Code::NotFound,
        FailureCode::NoCredentials
        | FailureCode::TenantNotKnown
        | FailureCode::BadCloudFile
        | FailureCode::TokenThrottled
        | FailureCode::TokenSourceDown
        | FailureCode::ImdsUnreachable
        | FailureCode::NmiUnreachable
        | FailureCode::NoTokenProxy
        | FailureCode::EntraDnsFailed
        | FailureCode::VaultDnsFailed
        | FailureCode::DnsTimeout
        | FailureCode::ConnectFailed
        | FailureCode::ConnectionLost
        | FailureCode::NoAnswer
        | FailureCode::TlsNotTrusted
        | FailureCode::TlsNotValidNow
        | FailureCode::TlsFailed
        | FailureCode::ProxyUnreachable
        | FailureCode::ProxyRefused
        | FailureCode::ProxyAuthRequired
        | FailureCode::UnexpectedAnswer
        | FailureCode::ObjectDisabled
        | FailureCode::NoFittingVersion
        | FailureCode::NothingFound
        | FailureCode::TooManyFound
        | FailureCode::NotYetValid
        | FailureCode::Expired
        | FailureCode::Throttled
        | FailureCode::VaultDown
        | FailureCode::WrongEncoding
        | FailureCode::CertificateNotIssued
        | FailureCode::CannotConvert
        | FailureCode::NoSuchKey
        | FailureCode::TooLarge
        | FailureCode::TimeoutCloudFile
        | FailureCode::TimeoutToken
        | FailureCode::TimeoutConnect
        | FailureCode::TimeoutThrottled
        | FailureCode::TimeoutRead
        | FailureCode::TimeoutConvert
        | FailureCode::TimeoutQueued
        | FailureCode::Stopping => Code::FailedPrecondition,
        FailureCode::InternalError => Code::Internal,
    }
}

/// Returns the precedence of a code among the codes of several objects: the lowest wins. A failure that lasts until
/// someone changes something goes before one that may pass.
fn precedence(code: Code) -> u8 {
    match code {
        Code::InvalidArgument => 0,
        Code::Unauthenticated => 1,
        Code::PermissionDenied => 2,
        Code::NotFound => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{
        cloud::CloudError,
        identity::{IdentityError, TokenRequestInfo, TokenSource},
        mount::{Caller, MissingKey, MountQueue, ObjectError, ObjectFailure, TimeoutCause},
        parameters::{self, MountTexts},
        spec::{excerpt::Excerpt, object::ObjectType},
        vault::VaultError,
    };

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
        let failure = |error| ObjectFailure {
            vault: None,
            kind: ObjectType::Secret,
            object: "secret/s".to_owned(),
            error,
        };
        let caller = Caller {
            identity: "workload identity c".to_owned(),
            tenant: None,
            object_id: None,
            vaults: Vec::new(),
            misspellings: Vec::new(),
        };
        MountError::Objects {
            vault: "lab".parse().unwrap(),
            caller: Box::new(caller),
            failures: errors.into_iter().map(failure).collect(),
        }
    }

    fn vault(status: u16, body: &'static str) -> MountError {
        objects(vec![ObjectError::Vault(http(status, body).into())])
    }

    #[test]
    fn each_failure_has_its_code_and_none_is_one_that_is_never_answered() {
        use azure_core::error::{Error, ErrorKind};
        let unanswered =
            |kind| objects(vec![ObjectError::Vault(VaultError::from(Error::with_message(kind, "x")).into())]);
        let asked = TokenRequestInfo {
            identity: "workload identity c".to_owned(),
            client: Some("c".to_owned()),
            source: TokenSource::Imds,
            presented: None,
            with_certificate: false,
        };
        let unreachable = IdentityError::Unreachable { asked: Box::new(asked), source: "x".into() };
        for (error, code) in [
            (MountError::Cloud(CloudError::NoFile), Code::InvalidArgument),
            (
                MountError::Identity {
                    wanted: vec!["secret/s".to_owned()],
                    vault: "lab".parse().unwrap(),
                    error: unreachable.into(),
                    misspellings: Vec::new(),
                },
                Code::FailedPrecondition,
            ),
            (
                MountError::Timeout {
                    wanted: vec!["secret/s".to_owned()],
                    vault: "lab".parse().unwrap(),
                    budget: Budget::Configured(Duration::from_secs(90)),
                    waiting: Box::new(TimeoutCause::Cloud),
                    spent: Duration::from_secs(90),
                },
                Code::FailedPrecondition,
            ),
            (
                MountError::QueueTimeout {
                    vault: "lab".parse().unwrap(),
                    budget: Budget::Caller,
                    queue: MountQueue::Permits,
                },
                Code::FailedPrecondition,
            ),
            (vault(400, ""), Code::InvalidArgument),
            (vault(401, ""), Code::Unauthenticated),
            (vault(403, ""), Code::PermissionDenied),
            (
                vault(403, r#"{"error":{"code":"Forbidden","innererror":{"code":"SecretDisabled"}}}"#),
                Code::FailedPrecondition,
            ),
            (
                vault(403, r#"{"error":{"code":"Forbidden","innererror":{"code":"SecretNotYetValid"}}}"#),
                Code::FailedPrecondition,
            ),
            (vault(403, "<title>Access Denied</title>"), Code::PermissionDenied),
            (vault(401, "<title>Sign in</title>"), Code::FailedPrecondition),
            (vault(404, "<title>Not here</title>"), Code::FailedPrecondition),
            (vault(404, ""), Code::NotFound),
            (vault(407, ""), Code::FailedPrecondition),
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
            let failed = from_mount(&error);
            assert_eq!(failed.status.code(), code, "{error}");
            assert!(failed.status.message().starts_with(&format!("[{}] ", failed.code)), "{error}");
        }
        assert_eq!(panicked().status.code(), Code::Internal);
        for failed in [not_received(Budget::Caller), crowded()] {
            assert_eq!(failed.status.code(), Code::FailedPrecondition);
            assert!(failed.status.message().starts_with("[AKV-TimeoutQueued] "), "{}", failed.status);
        }
        for code in FailureCode::ALL {
            assert!(!FORBIDDEN.contains(&answered(*code)), "{code}");
        }
    }

    #[test]
    fn of_several_codes_the_one_that_lasts_is_told() {
        let status = |codes: &[u16]| {
            let errors = codes.iter().map(|status| ObjectError::Vault(http(*status, "").into())).collect();
            from_mount(&objects(errors)).status.code()
        };
        assert_eq!(status(&[503, 404]), Code::NotFound);
        assert_eq!(status(&[404, 403, 503]), Code::PermissionDenied);
        assert_eq!(status(&[403, 401]), Code::Unauthenticated);
        assert_eq!(status(&[401, 400]), Code::InvalidArgument);
    }

    #[test]
    fn a_message_for_thousands_of_objects_is_cut() {
        let many = objects((0..5_000).map(|_| ObjectError::NoVersions).collect());
        let message = from_mount(&many).status.message().to_owned();
        let start =
            "[AKV-NotFound] cannot read secret/s, secret/s, secret/s and 4997 more from vault lab: 404";
        assert!(message.len() <= 1_000 && message.starts_with(start), "{message}");
    }

    #[test]
    fn a_log_line_of_thousands_of_failures_is_cut() {
        let keys = (0..4_000).map(no_such_key);
        let failed = from_mount(&objects(keys.collect()));
        let all = failed.details.all.unwrap();
        assert!(all.len() <= 16 << 10, "{} bytes", all.len());
        assert!(all.contains("key-0-") && all.contains("key-50-") && all.contains("; and 3"), "{all}");

        let texts = MountTexts { attributes: &entries(4_000), secrets: "null", permission: "420" };
        let failed = from_parameters(&parameters::parse(texts).unwrap_err());
        let all = failed.details.all.unwrap();
        assert!((8 << 10..=16 << 10).contains(&all.len()), "{} bytes", all.len());
        assert!(all.contains("objects[10].") && all.contains(" more") && !all.contains("log names"), "{all}");
    }

    #[test]
    fn the_code_of_a_message_has_its_group_though_hundreds_come_before_it() {
        let denied = || ObjectError::Vault(http(403, "").into());
        let keys = (0..300).map(no_such_key);
        let failed = from_mount(&objects(keys.chain([denied(), denied()]).collect()));
        let message = failed.status.message();
        assert!(
            message
                .starts_with("[AKV-Forbidden] cannot read 302 objects from vault lab: secret/s, secret/s: "),
            "{message}"
        );
        assert!(message.contains(" more, which the provider's log names"), "{message}");
    }

    fn no_such_key(key: usize) -> ObjectError {
        let key = Excerpt::of(&format!("key-{key}-"));
        ObjectError::NoSuchKey { missing: vec![MissingKey { key, file: "file".parse().unwrap() }] }
    }

    /// Returns the attributes of a class with this many entries, of which each has two mistakes.
    fn entries(count: usize) -> String {
        serde_json::json!({ "objects": "- {}\n".repeat(count) }).to_string()
    }
}
