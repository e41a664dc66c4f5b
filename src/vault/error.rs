//! Errors of reads, classified by their meaning for the caller.

use azure_core::error::ErrorKind;

use crate::{
    spec::{
        excerpt::Excerpt,
        object::{ObjectName, ObjectVersion},
    },
    transport::{self, BoxError},
};

use super::{
    auth::{ChallengeError, ClaimsChallenge},
    error_response::{Reason, VaultErrorResponse},
};

/// An error of one read.
///
/// The text has the vault's status and code. The vault's message, which names callers and objects, is in the
/// [`VaultErrorResponse`].
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// 404: the vault has no such object, or no such version of it.
    #[error("{0}")]
    NotFound(VaultErrorResponse),
    /// 403 with one of the inner errors `SecretDisabled`, `KeyDisabled` or `CertificateDisabled`.
    #[error("the object is disabled: {0}")]
    Disabled(VaultErrorResponse),
    /// 403 with an inner error about the object's start date or expiry.
    #[error("the object is not valid now: {0}")]
    NotValidNow(VaultErrorResponse),
    /// 403: the identity is known, and has no permission.
    #[error("{0}")]
    Forbidden(VaultErrorResponse),
    /// 401 to a request with a token.
    #[error("the vault refused the token: {0}")]
    Unauthorized(VaultErrorResponse),
    /// 401 to a request with a token, and a demand for a token with more claims.
    #[error("the vault demands a token with more claims: {answer}")]
    MoreClaims {
        /// The response.
        answer: VaultErrorResponse,
        /// The claims that the vault demands.
        challenge: ClaimsChallenge,
    },
    /// 400: the vault rejects the request as invalid.
    #[error("{0}")]
    Rejected(VaultErrorResponse),
    /// 429, after retries.
    #[error("throttled by the vault: {0}")]
    Throttled(VaultErrorResponse),
    /// Any other status, after retries.
    #[error("the vault answered {0}")]
    Unavailable(VaultErrorResponse),
    /// An error status other than 429, from a proxy, a firewall or a gateway in place of the vault.
    #[error("{0}")]
    Foreign(VaultErrorResponse),
    /// The vault did not answer.
    #[error("the vault cannot be reached")]
    Unreachable(#[source] BoxError),
    /// There is no token for the request.
    #[error("no token for the vault")]
    Credential(#[source] BoxError),
    /// The challenge was rejected.
    #[error("rejected the vault's authentication challenge")]
    InvalidChallenge(#[source] ChallengeError),
    /// The answer is not in Key Vault's format.
    #[error("the vault's answer cannot be understood")]
    Malformed(#[source] BoxError),
    /// A required field is missing in the answer.
    #[error("the vault's answer has no {0}")]
    Incomplete(&'static str),
    /// By its identifier, the answer is about another object than the requested one.
    #[error("the vault answered for another object, {0}")]
    OtherObject(Excerpt),
    /// A list names a version twice, as happens if a page belongs to another request.
    #[error("the vault's list names version {0} twice")]
    RepeatedVersion(ObjectVersion),
    /// A list names an object twice, as happens if a page belongs to another request.
    #[error("the vault's list names {0} twice")]
    RepeatedObject(ObjectName),
    /// A list does not end: its next page may always be the same one.
    #[error(
        "the vault's list of versions does not end: it has more than {versions} entries or {pages} pages"
    )]
    Endless {
        /// The most entries that are accepted.
        versions: usize,
        /// The most pages that are requested.
        pages: usize,
    },
}

impl VaultError {
    /// Returns the vault's response, if there is one.
    pub fn answer(&self) -> Option<&VaultErrorResponse> {
        match self {
            Self::NotFound(answer)
            | Self::Disabled(answer)
            | Self::NotValidNow(answer)
            | Self::Forbidden(answer)
            | Self::Unauthorized(answer)
            | Self::MoreClaims { answer, .. }
            | Self::Rejected(answer)
            | Self::Throttled(answer)
            | Self::Unavailable(answer)
            | Self::Foreign(answer) => Some(answer),
            Self::Unreachable(_)
            | Self::Credential(_)
            | Self::InvalidChallenge(_)
            | Self::Malformed(_)
            | Self::Incomplete(_)
            | Self::OtherObject(_)
            | Self::RepeatedVersion(_)
            | Self::RepeatedObject(_)
            | Self::Endless { .. } => None,
        }
    }

    /// Returns whether the vault says that the object, or the version, does not exist or is disabled.
    pub fn is_absence(&self) -> bool {
        match self {
            // A gateway's 404 says nothing about the object.
            Self::NotFound(answer) => answer.is_about_object(),
            Self::Disabled(_) => true,
            _ => false,
        }
    }

    /// Returns the kind of error, as a metric label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Disabled(_) | Self::NotValidNow(_) => "disabled",
            Self::Forbidden(_) => "forbidden",
            Self::Unauthorized(_) | Self::MoreClaims { .. } => "unauthorized",
            Self::Rejected(_) => "rejected",
            Self::Throttled(_) => "throttled",
            Self::Unavailable(_) => "unavailable",
            Self::Foreign(_) => "foreign",
            Self::Unreachable(_) => "unreachable",
            Self::Credential(_) => "credential",
            Self::InvalidChallenge(_)
            | Self::Malformed(_)
            | Self::OtherObject(_)
            | Self::RepeatedVersion(_)
            | Self::RepeatedObject(_)
            | Self::Endless { .. } => "malformed",
            Self::Incomplete(_) => "incomplete",
        }
    }
}

impl From<azure_core::Error> for VaultError {
    fn from(error: azure_core::Error) -> Self {
        match error.kind() {
            ErrorKind::HttpResponse { status, raw_response, .. } => {
                let answer = VaultErrorResponse::read(u16::from(*status), raw_response.as_deref());
                match answer.status() {
                    _ if answer.is_foreign() => Self::Foreign(answer),
                    400 => Self::Rejected(answer),
                    401 => match transport::cause(error).downcast::<ClaimsChallenge>() {
                        Ok(challenge) => Self::MoreClaims { answer, challenge: *challenge },
                        Err(_) => Self::Unauthorized(answer),
                    },
                    403 if answer.reason() == Reason::Disabled => Self::Disabled(answer),
                    403 if matches!(answer.reason(), Reason::NotYetValid | Reason::Expired) => {
                        Self::NotValidNow(answer)
                    }
                    403 => Self::Forbidden(answer),
                    404 => Self::NotFound(answer),
                    429 => Self::Throttled(answer),
                    _ => Self::Unavailable(answer),
                }
            }
            ErrorKind::Credential => Self::Credential(transport::cause(error)),
            ErrorKind::Connection | ErrorKind::Io => Self::Unreachable(transport::cause(error)),
            _ => match transport::cause(error).downcast::<ChallengeError>() {
                Ok(error) => Self::InvalidChallenge(*error),
                Err(cause) => Self::Malformed(cause),
            },
        }
    }
}
