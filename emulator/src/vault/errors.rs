//! Key Vault's errors: status, code and text as the service words them
//! (<https://learn.microsoft.com/azure/key-vault/general/rest-error-codes>).

use http::{Method, StatusCode};
use serde_json::json;
use thiserror::Error;

use super::content::ObjectKind;
use crate::answer::Answer;

/// Why a vault refused a request.
#[derive(Debug, Error)]
pub(crate) enum VaultError {
    #[error("{0}")]
    Unauthorized(#[from] Unauthorized),
    #[error(
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role \
         definitions were changed recently, please observe propagation time.\r\nCaller: {caller}\r\nAction: \
         '{action}'\r\nResource: '{resource}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\n\
         DecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: {vault};location={location}\r\n",
        location = super::LOCATION
    )]
    ForbiddenByRbac { caller: String, action: &'static str, resource: String, vault: String },
    #[error("Operation get is not allowed on a disabled {}.", kind.noun())]
    Disabled { kind: ObjectKind },
    #[error(
        "A {0} with (name/id) {id} was not found in this key vault. If you recently deleted this {0} you may be able \
         to recover it using the correct recovery command. For help resolving this issue, please see \
         https://go.microsoft.com/fwlink/?linkid=2125182", kind.noun()
    )]
    NotFound { kind: ObjectKind, id: String },
    #[error(
        "{} {name} is currently in a deleted but recoverable state. If you recently deleted this {} you may be able \
         to recover it using the correct recovery command. For help resolving this issue, please see \
         https://go.microsoft.com/fwlink/?linkid=2125182", kind.title(), kind.noun()
    )]
    Deleted { kind: ObjectKind, name: String },
    #[error(
        "{} {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the \
         {} can only be recovered or purged.", kind.title(), kind.noun()
    )]
    DeletedButRecoverable { kind: ObjectKind, name: String },
    #[error("The request URI contains an invalid name: {name}")]
    BadName { name: String },
    #[error("The request URI does not contain an api-version, or the api-version is not supported.")]
    NoApiVersion,
    #[error("Invalid value for maxresults: it must be between 1 and 25.")]
    BadMaxResults,
    #[error("The $skiptoken of the request URI is not valid.")]
    BadSkipToken,
    #[error("Method {method} does not allow this operation on this URI.")]
    MethodNotAllowed { method: Method },
    #[error("The request URI names no resource of a key vault.")]
    NoSuchPath,
    #[error("The emulator has no key vault named '{vault}': with Azure its host name would not resolve.")]
    UnknownVault { vault: String },
    #[error(
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"
    )]
    Throttled,
    #[error("{}", status.canonical_reason().unwrap_or("Request failed."))]
    Status { status: StatusCode },
}

/// Why a vault refused a token.
#[derive(Debug, Error)]
pub(crate) enum Unauthorized {
    #[error("AKV10000: Request is missing a Bearer or PoP token.")]
    NoToken,
    #[error(
        "AKV10001: [BearerReadAccessTokenFailed] Error validating token: the token cannot be read or its signature is not valid."
    )]
    NotGenuine,
    #[error("AKV10002: [TokenExpired] Error validating token: the token is not valid at this time.")]
    NotNow,
    #[error("AKV10022: Invalid audience. Expected {expected}, found: {found}.")]
    WrongAudience { expected: String, found: String },
    #[error("AKV10032: Invalid issuer. Expected one of {expected}, found {found}.")]
    WrongTenant { expected: String, found: String },
}

impl VaultError {
    /// Returns Key Vault's error for a status.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::TOO_MANY_REQUESTS => Self::Throttled,
            StatusCode::UNAUTHORIZED => Self::Unauthorized(Unauthorized::NoToken),
            status => Self::Status { status },
        }
    }

    pub(super) fn answer(&self) -> Answer {
        let (status, code, inner) = self.kind();
        let mut error = json!({ "code": code, "message": self.to_string() });
        if let Some(inner) = inner {
            error["innererror"] = json!({ "code": inner });
        }
        let answer = Answer::json(status, &json!({ "error": error }));
        answer.retry_after(matches!(self, Self::Throttled).then_some(1))
    }

    fn kind(&self) -> (StatusCode, String, Option<String>) {
        let plain = |status, code: &str| (status, code.to_owned(), None);
        match self {
            Self::Unauthorized(_) => plain(StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::ForbiddenByRbac { .. } => {
                (StatusCode::FORBIDDEN, "Forbidden".to_owned(), Some("ForbiddenByRbac".to_owned()))
            }
            Self::Disabled { kind } => {
                (StatusCode::FORBIDDEN, "Forbidden".to_owned(), Some(format!("{}Disabled", kind.title())))
            }
            Self::NotFound { kind, .. } | Self::Deleted { kind, .. } => {
                (StatusCode::NOT_FOUND, format!("{}NotFound", kind.title()), None)
            }
            Self::DeletedButRecoverable { .. } => (
                StatusCode::CONFLICT,
                "Conflict".to_owned(),
                Some("ObjectIsDeletedButRecoverable".to_owned()),
            ),
            Self::BadName { .. } | Self::NoApiVersion | Self::BadMaxResults | Self::BadSkipToken => {
                plain(StatusCode::BAD_REQUEST, "BadParameter")
            }
            Self::MethodNotAllowed { .. } => plain(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
            Self::NoSuchPath => plain(StatusCode::NOT_FOUND, "NotFound"),
            Self::UnknownVault { .. } => plain(StatusCode::NOT_FOUND, "VaultNotFound"),
            Self::Throttled => plain(StatusCode::TOO_MANY_REQUESTS, "Throttled"),
            Self::Status { status } => {
                let reason = status.canonical_reason().unwrap_or("InternalServerError").replace(' ', "");
                (*status, reason, None)
            }
        }
    }
}
