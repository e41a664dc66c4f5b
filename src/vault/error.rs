//! What can go wrong when a vault is asked, by what it means for the one who asked.

use azure_core::error::ErrorKind;
use serde::Deserialize;

use crate::transport::{self, Cause};

/// One failed read.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// 404: no such vault object, or no such version of it.
    #[error("{0}")]
    NotFound(ServiceAnswer),
    /// 403 with one of the inner errors `SecretDisabled`, `KeyDisabled` or `CertificateDisabled`.
    #[error("the object is disabled: {0}")]
    Disabled(ServiceAnswer),
    /// 403: the identity is known, and may not do this.
    #[error("{0}")]
    Forbidden(ServiceAnswer),
    /// 401 to a request that carried a token.
    #[error("the vault refused the token: {0}")]
    Unauthorized(ServiceAnswer),
    /// 400: the vault finds the request itself wrong.
    #[error("{0}")]
    Rejected(ServiceAnswer),
    /// 429, after retries.
    #[error("the vault is throttled: {0}")]
    Throttled(ServiceAnswer),
    /// Any other status, after retries.
    #[error("the vault answered {0}")]
    Unavailable(ServiceAnswer),
    /// No answer.
    #[error("the vault cannot be reached")]
    Unreachable(#[source] Cause),
    /// No token to ask with.
    #[error("no token for the vault")]
    Credential(#[source] Cause),
    /// An answer that is none of Key Vault's.
    #[error("the vault's answer cannot be understood")]
    Malformed(#[source] Cause),
    /// An answer without something that it must have.
    #[error("the vault's answer has no {0}")]
    Incomplete(&'static str),
}

impl VaultError {
    /// The error's kind, as metrics name it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Disabled(_) => "disabled",
            Self::Forbidden(_) => "forbidden",
            Self::Unauthorized(_) => "unauthorized",
            Self::Rejected(_) => "rejected",
            Self::Throttled(_) => "throttled",
            Self::Unavailable(_) => "unavailable",
            Self::Unreachable(_) => "unreachable",
            Self::Credential(_) => "credential",
            Self::Malformed(_) => "malformed",
            Self::Incomplete(_) => "incomplete",
        }
    }
}

/// An error answer: status, the code that says most, and the service's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAnswer {
    status: u16,
    code: String,
    message: String,
}

impl std::fmt::Display for ServiceAnswer {
    /// `404 SecretNotFound: A secret with (name/id) nope was not found in this key vault.`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl ServiceAnswer {
    /// Reads Key Vault's error body, `{"error":{"code","message","innererror":{"code"}}}`
    /// (<https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses#error-responses>).
    /// The inner error's code says more than the outer one. A body of another shape leaves the status alone.
    fn parse(status: u16, body: &[u8]) -> Self {
        let error = serde_json::from_slice::<ErrorBody>(body).map(|body| body.error).unwrap_or_default();
        let code =
            error.inner_error.map(|inner| inner.code).filter(|code| !code.is_empty()).unwrap_or(error.code);
        // The text goes on with advice, one sentence a line; the caller's ids are in the first lines.
        let mut message = error.message.split_whitespace().collect::<Vec<_>>().join(" ");
        if (300..400).contains(&status) && message.is_empty() {
            message = "redirects are not followed, since a token would go along".to_owned();
        }
        Self { status, code, message: shorten(message) }
    }
}

/// At most 600 characters: what an event shows, with room for the other objects.
fn shorten(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(600) {
        message.truncate(end);
        message.push('…');
    }
    message
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorDetail {
    code: String,
    message: String,
    #[serde(rename = "innererror")]
    inner_error: Option<InnerError>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InnerError {
    code: String,
}

impl From<azure_core::Error> for VaultError {
    fn from(error: azure_core::Error) -> Self {
        match error.kind() {
            ErrorKind::HttpResponse { status, raw_response, .. } => {
                let body = raw_response.as_ref().map(|response| response.body().as_ref()).unwrap_or_default();
                let answer = ServiceAnswer::parse(u16::from(*status), body);
                match answer.status {
                    400 => Self::Rejected(answer),
                    401 => Self::Unauthorized(answer),
                    403 if answer.code.ends_with("Disabled") => Self::Disabled(answer),
                    403 => Self::Forbidden(answer),
                    404 => Self::NotFound(answer),
                    429 => Self::Throttled(answer),
                    _ => Self::Unavailable(answer),
                }
            }
            ErrorKind::Credential => Self::Credential(transport::cause(error)),
            ErrorKind::Connection | ErrorKind::Io => Self::Unreachable(transport::cause(error)),
            _ => Self::Malformed(transport::cause(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_error_is_the_one_that_is_named() {
        let body = br#"{"error":{"code":"Forbidden","message":"Operation get is not allowed\r\non a disabled secret.","innererror":{"code":"SecretDisabled"}}}"#;
        let answer = ServiceAnswer::parse(403, body);
        assert_eq!(
            answer.to_string(),
            "403 SecretDisabled: Operation get is not allowed on a disabled secret."
        );
    }

    #[test]
    fn a_body_of_another_shape_leaves_the_status() {
        for body in [&b""[..], b"<html>", b"{}", br#"{"error":"x"}"#, br#"{"error":{"code":5}}"#] {
            assert_eq!(ServiceAnswer::parse(502, body).to_string(), "502");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let message = "ä".repeat(700);
        let body = serde_json::json!({"error": {"code": "X", "message": message}}).to_string();
        let shown = ServiceAnswer::parse(500, body.as_bytes()).to_string();
        assert_eq!(shown.chars().count(), "500 X: ".len() + 601);
    }
}
