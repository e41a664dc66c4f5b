//! Why there is no token.

use std::{fmt, time::Duration};

use azure_core::error::{Error, ErrorKind};
use serde::Deserialize;

use crate::transport::{self, Cause};

use super::binding::TokenProxyError;

/// A token that was not had, and who did not give it.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The token source knows better: who asks is not whom they say, or may not ask.
    #[error("{source_name} refused {identity}: {answer}")]
    Refused {
        /// Mode and client id.
        identity: String,
        /// Entra's tenant and host, or IMDS.
        source_name: String,
        /// Status and the source's own words, the AADSTS code first.
        answer: TokenAnswer,
    },
    /// The token source is throttled or out of order.
    #[error("{source_name} has no token for {identity} now: {answer}")]
    Unavailable {
        /// Mode and client id.
        identity: String,
        /// Entra's tenant and host, or IMDS.
        source_name: String,
        /// Status and the source's own words.
        answer: TokenAnswer,
    },
    /// The token source did not answer, or not in its own language.
    #[error("cannot get a token for {identity} from {source_name}")]
    Unreachable {
        /// Mode and client id.
        identity: String,
        /// Entra's tenant and host, or IMDS.
        source_name: String,
        /// Why.
        source: Cause,
    },
    /// The token source was given up.
    #[error("{source_name} gave no token for {identity} within {} seconds ({last})", limit.as_secs_f32())]
    Late {
        /// Mode and client id.
        identity: String,
        /// Entra's tenant and host, or IMDS.
        source_name: String,
        /// How long it had.
        limit: Duration,
        /// What it answered last.
        last: LastAnswer,
    },
    /// There is no way to the token proxy of identity binding.
    #[error("cannot get a token for {identity}")]
    TokenProxy {
        /// Mode and client id.
        identity: String,
        /// Why.
        source: TokenProxyError,
    },
}

impl IdentityError {
    /// What a credential's error means.
    pub(super) fn new(identity: String, source_name: String, error: Error) -> Self {
        match TokenAnswer::find(&error) {
            Some(answer) if matches!(answer.status, 400 | 401 | 403) => {
                Self::Refused { identity, source_name, answer }
            }
            Some(answer) => Self::Unavailable { identity, source_name, answer },
            None => Self::Unreachable { identity, source_name, source: transport::cause(error) },
        }
    }
}

/// What a token source that was given up answered last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAnswer(pub(super) Option<u16>);

impl fmt::Display for LastAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(status) => write!(f, "its last answer was status {status}"),
            None => f.write_str("it did not answer"),
        }
    }
}

/// A token source's error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAnswer {
    status: u16,
    description: String,
    trace: String,
}

impl fmt::Display for TokenAnswer {
    /// `AADSTS70021: No matching federated identity record found … (401, Trace ID: …)`: what differs from try to try
    /// comes last, so that events of one cause stay alike as far as they are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.description.is_empty() {
            write!(f, "{} ", self.description)?;
        }
        write!(f, "(status {}", self.status)?;
        if !self.trace.is_empty() {
            write!(f, ", {}", self.trace)?;
        }
        f.write_str(")")
    }
}

impl TokenAnswer {
    /// The answer that an SDK error carries somewhere in its chain.
    fn find(error: &Error) -> Option<Self> {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<Error>()
                && let ErrorKind::HttpResponse { status, raw_response, .. } = error.kind()
            {
                let body = raw_response.as_ref().map(|response| response.body().as_ref()).unwrap_or_default();
                return Some(Self::parse(u16::from(*status), body));
            }
            next = error.source();
        }
        None
    }

    /// Reads an OAuth 2.0 error (RFC 6749 section 5.2) with Entra's additions.
    fn parse(status: u16, body: &[u8]) -> Self {
        let answer: OAuthError = serde_json::from_slice(body).unwrap_or_default();
        let text = answer.error_description.split_whitespace().collect::<Vec<_>>().join(" ");
        let (description, trace) = match text.find("Trace ID:") {
            Some(at) => (text[..at].trim_end().to_owned(), text[at..].to_owned()),
            None => (text, String::new()),
        };
        let description = if description.is_empty() { answer.error } else { description };
        Self { status, description, trace }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OAuthError {
    error: String,
    error_description: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_try_to_try_comes_last() {
        let body = br#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1\r\nCorrelation ID: 2\r\nTimestamp: 3"}"#;
        assert_eq!(
            TokenAnswer::parse(401, body).to_string(),
            "AADSTS7000215: Invalid client secret provided. (status 401, Trace ID: 1 Correlation ID: 2 Timestamp: 3)"
        );
    }

    #[test]
    fn an_answer_in_another_language_leaves_the_status() {
        for body in [&b"<html>"[..], b"", b"[]", br#"{"error":{}}"#] {
            assert_eq!(TokenAnswer::parse(502, body).to_string(), "(status 502)");
        }
        assert_eq!(
            TokenAnswer::parse(400, br#"{"error":"invalid_request"}"#).to_string(),
            "invalid_request (status 400)"
        );
    }
}
