//! What a client does on the network, for a caller that watches it. The provider watches nothing.

use std::{
    error::Error,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use azure_core::error::ErrorKind;
use bytes::Bytes;

use crate::{report::Report, text::one_line};

use super::connect::ConnectPhase;

/// A watcher of connections and HTTP exchanges. Its method is called in the order of the events, and must not block.
pub trait Observe: Send + Sync {
    /// Receives an event. It has no token, no value and no query of a URL.
    fn observe(&self, event: NetworkEvent);
}

/// Something that a client did, with the host and port that it was for, and the time that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkEvent {
    /// The host, with its port if the URL names one.
    pub host: String,
    /// What happened.
    pub outcome: NetworkOutcome,
    /// Since the step began.
    pub elapsed: Duration,
}

/// The outcome of one step towards an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkOutcome {
    /// DNS has these addresses.
    Resolved(Vec<IpAddr>),
    /// The proxy, as host and port, has opened a tunnel to the host.
    Tunnelled {
        /// The proxy's host and port, without user and password.
        proxy: String,
    },
    /// The TCP connection to this address is established.
    Connected(Option<SocketAddr>),
    /// The TLS handshake has succeeded.
    Secured {
        /// The host's certificate in DER.
        certificate: Vec<u8>,
    },
    /// There is no connection.
    NotConnected {
        /// The phase that failed or timed out.
        phase: ConnectPhase,
        /// The cause, on one line.
        error: String,
        /// The certificate in DER that the host showed before the TLS handshake failed, if it did.
        certificate: Option<Vec<u8>>,
    },
    /// The host answered a request.
    Answered {
        /// The request.
        request: RequestLine,
        /// The HTTP status.
        status: u16,
        /// The length of the body, in bytes.
        bytes: usize,
    },
    /// The connection was there, and the answer did not come, or not to its end.
    Unanswered {
        /// The request.
        request: RequestLine,
        /// The cause, on one line.
        error: String,
    },
}

impl NetworkOutcome {
    pub(super) fn not_connected(
        phase: ConnectPhase,
        error: &io::Error,
        certificate: Option<Vec<u8>>,
    ) -> Self {
        let error = one_line(&Report(error).to_string(), MAX_ERROR);
        Self::NotConnected { phase, error, certificate }
    }

    pub(super) fn unanswered(request: RequestLine, error: &azure_core::Error) -> Self {
        // The SDK's messages around the cause name its own types.
        let cause: &dyn Error = error.source().unwrap_or(error);
        Self::Unanswered { request, error: one_line(&Report(cause).to_string(), MAX_ERROR) }
    }
}

/// The longest cause that is shown, in characters.
const MAX_ERROR: usize = 500;

/// What an event shows of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// True if the request carried a token.
    pub authorized: bool,
}

impl RequestLine {
    pub(super) fn of<B>(request: &http::Request<B>) -> Self {
        Self {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            authorized: request.headers().contains_key(http::header::AUTHORIZATION),
        }
    }
}

/// A shared watcher, or none.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<dyn Observe>>);

impl Observer {
    /// Returns an observer that ignores every event, at no cost.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Returns an observer that passes every event on.
    pub fn new(observe: Arc<dyn Observe>) -> Self {
        Self(Some(observe))
    }

    /// Returns whether there is a watcher.
    pub(super) fn watches(&self) -> bool {
        self.0.is_some()
    }

    /// Starts a step. Without a watcher this reads no clock.
    pub(super) fn begin(&self) -> Step<'_> {
        Step(self.0.as_deref().map(|observe| (observe, Instant::now())))
    }
}

impl Observer {
    /// Starts an exchange. Without a watcher `what` is not called.
    pub(super) fn begin_exchange(&self, what: impl FnOnce() -> (String, RequestLine)) -> Exchange<'_> {
        Exchange { step: self.begin(), what: self.0.is_some().then(what) }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer" } else { "no Observer" })
    }
}

/// A step that a client has begun.
#[must_use]
pub(super) struct Step<'a>(Option<(&'a dyn Observe, Instant)>);

impl Step<'_> {
    /// Reports the outcome. Without a watcher `outcome` is not called.
    pub(super) fn end(&self, host: impl FnOnce() -> String, outcome: impl FnOnce() -> NetworkOutcome) {
        if let Some((observe, since)) = self.0 {
            observe.observe(NetworkEvent { host: host(), outcome: outcome(), elapsed: since.elapsed() });
        }
    }
}

/// An exchange that a client has begun.
#[must_use]
pub(super) struct Exchange<'a> {
    step: Step<'a>,
    /// The host and the request, if there is a watcher.
    what: Option<(String, RequestLine)>,
}

impl Exchange<'_> {
    /// Reports the answer, or its absence. A connection that failed has reported itself.
    pub(super) fn end(self, exchanged: &azure_core::Result<(http::response::Parts, Bytes)>) {
        let Some((host, request)) = self.what else { return };
        let outcome = match exchanged {
            Ok((head, body)) => {
                NetworkOutcome::Answered { request, status: head.status.as_u16(), bytes: body.len() }
            }
            Err(error) if *error.kind() == ErrorKind::Connection => return,
            Err(error) => NetworkOutcome::unanswered(request, error),
        };
        self.step.end(|| host, || outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_watcher_nothing_is_formatted() {
        let none = Observer::none();
        none.begin().end(|| unreachable!(), || unreachable!());
        assert!(none.begin_exchange(|| unreachable!()).what.is_none());
    }
}
