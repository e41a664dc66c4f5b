//! Errors of token requests.

use std::{fmt, sync::Arc, time::Duration};

use azure_core::error::Error;

use crate::{
    content::client_key::ClientKeyError,
    transport::{self, BoxError},
};

use super::{
    error_response::TokenErrorResponse, token_proxy::TokenProxyError, token_request_info::TokenRequestInfo,
};

/// An error of a token request, with the identity and the token source.
///
/// Its text names both and the cause. The source's message, which differs from try to try, is in the
/// [`TokenErrorResponse`].
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The token source rejects the identity, or does not let it have a token.
    #[error("{} refused the identity: {}", asked.source.name(), answer.summary())]
    Refused {
        /// The request: identity and source.
        asked: Box<TokenRequestInfo>,
        /// The status and the message of the source.
        answer: Box<TokenErrorResponse>,
    },
    /// The token source throttles or fails with a server error.
    #[error("{} has no token now: {}", asked.source.name(), answer.with_status())]
    Unavailable {
        /// The request: identity and source.
        asked: Box<TokenRequestInfo>,
        /// The status and the message of the source.
        answer: Box<TokenErrorResponse>,
    },
    /// A proxy, a firewall or a gateway answered in place of the token source.
    #[error("something other than {} answered the request for a token: {}", asked.source.name(), answer.summary())]
    Foreign {
        /// The request: identity and source.
        asked: Box<TokenRequestInfo>,
        /// The status and the text of the answer.
        answer: Box<TokenErrorResponse>,
    },
    /// The token source did not answer, or not in its own format.
    #[error("cannot get a token from {}", asked.source.name())]
    Unreachable {
        /// The request: identity and source.
        asked: Box<TokenRequestInfo>,
        /// The error of the transport.
        source: BoxError,
    },
    /// The service principal's certificate cannot sign a request.
    #[error("clientcertificate of the Secret cannot be used: {source}")]
    Certificate {
        /// The request: identity and source.
        asked: Box<TokenRequestInfo>,
        /// The fault of the certificate.
        source: ClientKeyError,
    },
    /// The request timed out.
    #[error("no token from {} within {}s: {last}", asked.source.name(), limit.as_secs_f32())]
    Timeout {
        /// The request: identity and source.
        asked: Box<TokenRequestInfo>,
        /// The timeout.
        limit: Duration,
        /// The last answer within the timeout.
        last: LastAnswer,
    },
    /// The token proxy of identity binding is not available.
    #[error("cannot get a token")]
    TokenProxy {
        /// The request: identity and source.
        asked: Box<TokenRequestInfo>,
        /// The error of the token proxy's configuration.
        source: Arc<TokenProxyError>,
    },
}

impl IdentityError {
    /// Classifies a credential's error.
    pub(super) fn new(asked: Box<TokenRequestInfo>, error: Error) -> Self {
        match TokenErrorResponse::find(&error) {
            Some(answer) if answer.is_foreign(&asked.source) => {
                Self::Foreign { asked, answer: Box::new(answer) }
            }
            Some(answer) if matches!(answer.status(), 400 | 401 | 403) => {
                Self::Refused { asked, answer: Box::new(answer) }
            }
            Some(answer) => Self::Unavailable { asked, answer: Box::new(answer) },
            None => match transport::cause(error).downcast::<ClientKeyError>() {
                Ok(fault) => Self::Certificate { asked, source: *fault },
                Err(source) => Self::Unreachable { asked, source },
            },
        }
    }

    /// Returns the request: identity and source.
    pub fn asked(&self) -> &TokenRequestInfo {
        match self {
            Self::Refused { asked, .. }
            | Self::Unavailable { asked, .. }
            | Self::Foreign { asked, .. }
            | Self::Unreachable { asked, .. }
            | Self::Certificate { asked, .. }
            | Self::Timeout { asked, .. }
            | Self::TokenProxy { asked, .. } => asked,
        }
    }

    /// Returns the token source's answer, if there was one.
    pub fn answer(&self) -> Option<&TokenErrorResponse> {
        match self {
            Self::Refused { answer, .. }
            | Self::Unavailable { answer, .. }
            | Self::Foreign { answer, .. } => Some(answer),
            _ => None,
        }
    }
}

/// The status of the last answer before a timeout; `None` if there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAnswer(pub Option<u16>);

impl fmt::Display for LastAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(status) => write!(f, "its last answer was status {status}"),
            None => f.write_str("it did not answer"),
        }
    }
}
