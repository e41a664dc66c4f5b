//! What can go wrong when a vault is asked, by what it means for the one who asked.

use azure_core::error::ErrorKind;

use crate::{
    spec::{excerpt::Excerpt, object::ObjectVersion},
    transport::{self, BoxError},
};

use super::{
    auth::{ChallengeError, ClaimsChallenge},
    error_response::{Reason, VaultErrorResponse},
};

/// One failed read.
///
/// The text says what was answered, in Key Vault's own codes. Its words, which name callers and objects, are in the
/// [`VaultErrorResponse`].
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// 404: no such vault object, or no such version of it.
    #[error("{0}")]
    NotFound(VaultErrorResponse),
    /// 403 with one of the inner errors `SecretDisabled`, `KeyDisabled` or `CertificateDisabled`.
    #[error("the object is disabled: {0}")]
    Disabled(VaultErrorResponse),
    /// 403 with an inner error that is about the object's time.
    #[error("the object is not valid now: {0}")]
    NotValidNow(VaultErrorResponse),
    /// 403: the identity is known, and may not do this.
    #[error("{0}")]
    Forbidden(VaultErrorResponse),
    /// 401 to a request that carried a token.
    #[error("the vault refused the token: {0}")]
    Unauthorized(VaultErrorResponse),
    /// 401 to a request that carried a token, and a demand for a token with more claims.
    #[error("the vault demands a token with more claims: {answer}")]
    MoreClaims {
        /// What it answered.
        answer: VaultErrorResponse,
        /// What it demands.
        challenge: ClaimsChallenge,
    },
    /// 400: the vault finds the request itself wrong.
    #[error("{0}")]
    Rejected(VaultErrorResponse),
    /// 429, after retries.
    #[error("throttled by the vault: {0}")]
    Throttled(VaultErrorResponse),
    /// Any other status, after retries.
    #[error("the vault answered {0}")]
    Unavailable(VaultErrorResponse),
    /// A refusal, or another answer but 429, from a proxy, a firewall or a gateway in the vault's place.
    #[error("{0}")]
    Foreign(VaultErrorResponse),
    /// No answer.
    #[error("the vault cannot be reached")]
    Unreachable(#[source] BoxError),
    /// No token to ask with.
    #[error("no token for the vault")]
    Credential(#[source] BoxError),
    /// A challenge that leads elsewhere.
    #[error("rejected the vault's authentication challenge")]
    NotBelieved(#[source] ChallengeError),
    /// An answer that is none of Key Vault's.
    #[error("the vault's answer cannot be understood")]
    Malformed(#[source] BoxError),
    /// An answer without something that it must have.
    #[error("the vault's answer has no {0}")]
    Incomplete(&'static str),
    /// An answer about another object than the one that was asked for, by the identifier in it.
    #[error("the vault answered for another object, {0}")]
    OtherObject(Excerpt),
    /// A list in which a version stands twice, as where a page is another request's.
    #[error("the vault's list names version {0} twice")]
    RepeatedVersion(ObjectVersion),
    /// A list that goes on and on: perhaps with a next page that is the same again.
    #[error(
        "the vault's list of versions does not end: it has more than {versions} entries or {pages} pages"
    )]
    Endless {
        /// The most that are taken.
        versions: usize,
        /// The most that are asked for.
        pages: usize,
    },
}

impl VaultError {
    /// The vault's answer, where there is one.
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
            | Self::NotBelieved(_)
            | Self::Malformed(_)
            | Self::Incomplete(_)
            | Self::OtherObject(_)
            | Self::RepeatedVersion(_)
            | Self::Endless { .. } => None,
        }
    }

    /// The error's kind, as metrics name it.
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
            Self::NotBelieved(_)
            | Self::Malformed(_)
            | Self::OtherObject(_)
            | Self::RepeatedVersion(_)
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
                Ok(error) => Self::NotBelieved(*error),
                Err(cause) => Self::Malformed(cause),
            },
        }
    }
}
