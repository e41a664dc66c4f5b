//! Why there is no token.

use std::{fmt, sync::Arc, time::Duration};

use azure_core::error::Error;

use crate::transport::{self, BoxError};

use super::{
    error_response::TokenErrorResponse, token_proxy::TokenProxyError, token_request_info::TokenRequestInfo,
};

/// A token that was not had, and who did not give it.
///
/// The text names both and says what happened. The source's own words, which differ from try to try, are in the
/// [`TokenErrorResponse`].
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The token source knows better: who asks is not whom they say, or may not ask.
    #[error("{} refused the identity: {}", asked.source.name(), answer.summary())]
    Refused {
        /// Who asked whom.
        asked: Box<TokenRequestInfo>,
        /// Status and the source's own words.
        answer: Box<TokenErrorResponse>,
    },
    /// The token source is throttled or out of order.
    #[error("{} has no token now: {}", asked.source.name(), answer.with_status())]
    Unavailable {
        /// Who asked whom.
        asked: Box<TokenRequestInfo>,
        /// Status and the source's own words.
        answer: Box<TokenErrorResponse>,
    },
    /// A proxy, a firewall or a gateway answered in the token source's place.
    #[error("something other than {} answered the request for a token: {}", asked.source.name(), answer.summary())]
    Foreign {
        /// Who asked whom.
        asked: Box<TokenRequestInfo>,
        /// Status and the words of what answered.
        answer: Box<TokenErrorResponse>,
    },
    /// The token source did not answer, or not in its own language.
    #[error("cannot get a token from {}", asked.source.name())]
    Unreachable {
        /// Who asked whom.
        asked: Box<TokenRequestInfo>,
        /// Why.
        source: BoxError,
    },
    /// The token source was given up.
    #[error("no token from {} within {}s: {last}", asked.source.name(), limit.as_secs_f32())]
    Late {
        /// Who asked whom.
        asked: Box<TokenRequestInfo>,
        /// How long it had.
        limit: Duration,
        /// What it answered last.
        last: LastAnswer,
    },
    /// There is no way to the token proxy of identity binding.
    #[error("cannot get a token")]
    TokenProxy {
        /// Who asked whom.
        asked: Box<TokenRequestInfo>,
        /// Why.
        source: Arc<TokenProxyError>,
    },
}

impl IdentityError {
    /// What a credential's error means.
    pub(super) fn new(asked: Box<TokenRequestInfo>, error: Error) -> Self {
        match TokenErrorResponse::find(&error) {
            Some(answer) if answer.is_foreign(&asked.source) => {
                Self::Foreign { asked, answer: Box::new(answer) }
            }
            Some(answer) if matches!(answer.status(), 400 | 401 | 403) => {
                Self::Refused { asked, answer: Box::new(answer) }
            }
            Some(answer) => Self::Unavailable { asked, answer: Box::new(answer) },
            None => Self::Unreachable { asked, source: transport::cause(error) },
        }
    }

    /// Who asked whom.
    pub fn asked(&self) -> &TokenRequestInfo {
        match self {
            Self::Refused { asked, .. }
            | Self::Unavailable { asked, .. }
            | Self::Foreign { asked, .. }
            | Self::Unreachable { asked, .. }
            | Self::Late { asked, .. }
            | Self::TokenProxy { asked, .. } => asked,
        }
    }

    /// What the token source answered, where it did.
    pub fn answer(&self) -> Option<&TokenErrorResponse> {
        match self {
            Self::Refused { answer, .. }
            | Self::Unavailable { answer, .. }
            | Self::Foreign { answer, .. } => Some(answer),
            _ => None,
        }
    }
}

/// What a token source that was given up answered last.
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
