//! Causes of requests without an answer, classified by what an operator can do about them.

use std::{error::Error, io, iter, sync::Arc};

use rustls::CertificateError;

use super::{
    answer::ResponseError,
    connect::{ConnectPhase, NoAddress, NoConnection, ProxyError},
};

/// The cause of a request without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkFailure {
    /// DNS has no address for the host's name.
    Name,
    /// The name servers do not answer, or fail.
    NameTimeout,
    /// The connection cannot be established.
    Connect,
    /// The connection ended before the answer did.
    Lost,
    /// The connection is open, and the host sends nothing.
    Silence,
    /// The host's certificate does not lead to a trusted root.
    NotTrusted,
    /// The host's certificate has expired, or is not valid yet.
    NotValidNow,
    /// TLS failed for another reason.
    Tls,
    /// The proxy cannot be reached.
    Proxy,
    /// The proxy refuses the connection to the host, or does not establish it in time.
    ProxyRefused,
    /// The proxy demands a user and a password.
    ProxyAuthRequired,
    /// Another cause, such as a malformed answer.
    Other,
}

/// A failure of another request, shared with the requests that waited for it.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Unanswered {
    pub(crate) why: Arc<str>,
    pub(crate) failure: NetworkFailure,
}

impl NetworkFailure {
    /// Returns the outermost cause that can be classified.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        // An error of the operating system says less than a typed error behind it.
        let found = links(error).find_map(Self::typed).or_else(|| links(error).find_map(Self::kind));
        found.unwrap_or(Self::Other)
    }

    fn typed(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(proxy) = error.downcast_ref::<ProxyError>() {
            return Some(match proxy {
                ProxyError::Unreachable { .. } => Self::Proxy,
                ProxyError::Refused { .. } | ProxyError::Late { .. } => Self::ProxyRefused,
                ProxyError::AuthRequired { .. } => Self::ProxyAuthRequired,
            });
        }
        if let Some(NoConnection { connect_phase, .. }) = error.downcast_ref::<NoConnection>() {
            return Some(match connect_phase {
                ConnectPhase::Proxy => Self::Proxy,
                ConnectPhase::Dns => Self::NameTimeout,
                ConnectPhase::Tcp | ConnectPhase::Tls => Self::Connect,
            });
        }
        if let Some(Unanswered { failure, .. }) = error.downcast_ref() {
            return Some(*failure);
        }
        if let Some(NoAddress { source, .. }) = error.downcast_ref() {
            let server_failed = source.kind() == io::ErrorKind::TimedOut;
            return Some(if server_failed { Self::NameTimeout } else { Self::Name });
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(Self::tls(error));
        }
        if let Some(error) = error.downcast_ref::<ResponseError>() {
            return Some(match error {
                ResponseError::Silence(_) | ResponseError::Stopped(_) | ResponseError::Slow(_) => {
                    Self::Silence
                }
                ResponseError::TooLong | ResponseError::Endless(_) => Self::Other,
            });
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && (error.is_incomplete_message() || error.is_closed() || error.is_canceled())
        {
            return Some(Self::Lost);
        }
        None
    }

    fn kind(error: &(dyn Error + 'static)) -> Option<Self> {
        match error.downcast_ref::<io::Error>()?.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::TimedOut => Some(Self::Connect),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof => Some(Self::Lost),
            _ => None,
        }
    }

    fn tls(error: &rustls::Error) -> Self {
        match error {
            // The second means a trusted root's name with another key.
            rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => Self::NotTrusted,
            rustls::Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => Self::NotValidNow,
            _ => Self::Tls,
        }
    }
}

/// Returns whether an error is, or has, a cause of this type.
pub(super) fn has_cause<T: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    links(error).any(|link| link.is::<T>())
}

/// Returns an error and its chain of causes. The `source` of an `io::Error` skips the error that it wraps, so this
/// function does not use it.
fn links<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn wrapped(error: impl Into<Box<dyn Error + Send + Sync>>) -> azure_core::Error {
        let error = io::Error::other(io::Error::other(error));
        azure_core::Error::with_error(azure_core::error::ErrorKind::Io, error, "the request failed")
    }

    #[test]
    fn a_cause_is_found_however_deep_it_is() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let stuck = |connect_phase| NoConnection {
            host: "h".to_owned(),
            connect_phase,
            after: Duration::from_secs(10),
        };
        for (error, expected) in [
            (wrapped(refused()), NetworkFailure::Connect),
            (wrapped(io::Error::from(io::ErrorKind::UnexpectedEof)), NetworkFailure::Lost),
            (wrapped(io::Error::new(io::ErrorKind::ConnectionReset, "words")), NetworkFailure::Lost),
            (
                wrapped(ProxyError::Unreachable { proxy: "p".to_owned(), source: refused() }),
                NetworkFailure::Proxy,
            ),
            (
                wrapped(ProxyError::Refused { proxy: "p".to_owned(), source: refused().into() }),
                NetworkFailure::ProxyRefused,
            ),
            (
                wrapped(ProxyError::Late { proxy: "p".to_owned(), after: Duration::from_secs(10) }),
                NetworkFailure::ProxyRefused,
            ),
            (wrapped(ProxyError::AuthRequired { proxy: "p".to_owned() }), NetworkFailure::ProxyAuthRequired),
            (wrapped(NoAddress { name: "n".to_owned(), source: refused() }), NetworkFailure::Name),
            (
                wrapped(NoAddress { name: "n".to_owned(), source: io::ErrorKind::TimedOut.into() }),
                NetworkFailure::NameTimeout,
            ),
            (wrapped(ResponseError::Silence(Duration::from_secs(1))), NetworkFailure::Silence),
            (wrapped(stuck(ConnectPhase::Proxy)), NetworkFailure::Proxy),
            (wrapped(stuck(ConnectPhase::Dns)), NetworkFailure::NameTimeout),
            (wrapped(stuck(ConnectPhase::Tls)), NetworkFailure::Connect),
            (
                wrapped(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)),
                NetworkFailure::NotTrusted,
            ),
            (
                wrapped(rustls::Error::InvalidCertificate(CertificateError::Expired)),
                NetworkFailure::NotValidNow,
            ),
            (wrapped(rustls::Error::DecryptError), NetworkFailure::Tls),
            (wrapped("words"), NetworkFailure::Other),
        ] {
            assert_eq!(NetworkFailure::of(&error), expected, "{error:?}");
        }
    }
}
