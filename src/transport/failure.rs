//! What is behind a request without an answer, by what an operator does about it.

use std::{error::Error, io, iter, sync::Arc};

use rustls::CertificateError;

use super::{
    client::ResponseError,
    connect::{ConnectPhase, NoAddress, NoConnection, ProxyError},
};

/// What failed between us and whoever was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkFailure {
    /// The host's name has no address.
    Name,
    /// The name servers do not answer.
    NameTimeout,
    /// No connection.
    Connect,
    /// The connection ended before the answer did.
    Lost,
    /// The connection stands, and nothing comes.
    Silence,
    /// The host's certificate leads to no root that is trusted.
    NotTrusted,
    /// The host's certificate is expired, or not valid yet.
    NotValidNow,
    /// TLS failed otherwise.
    Tls,
    /// The proxy cannot be reached.
    Proxy,
    /// The proxy does not let us through.
    ProxyRefused,
    /// The proxy demands a user and a password.
    ProxyAuthRequired,
    /// None of these: an answer that cannot be understood, for one.
    Other,
}

/// A failure that somebody else has met already, in the words that were found for it then.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Unanswered {
    pub(crate) why: Arc<str>,
    pub(crate) failure: NetworkFailure,
}

impl NetworkFailure {
    /// Looks for the outermost cause that says which it is.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        // An error of the system's says little where one of ours is behind it.
        let found = links(error).find_map(Self::typed).or_else(|| links(error).find_map(Self::kind));
        found.unwrap_or(Self::Other)
    }

    fn typed(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(proxy) = error.downcast_ref::<ProxyError>() {
            return Some(match proxy {
                ProxyError::Unreachable { .. } => Self::Proxy,
                ProxyError::Refused { .. } => Self::ProxyRefused,
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
        if error.is::<NoAddress>() {
            return Some(Self::Name);
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(Self::tls(error));
        }
        if let Some(error) = error.downcast_ref::<ResponseError>() {
            return Some(match error {
                ResponseError::Silence(_) | ResponseError::Stopped(_) => Self::Silence,
                ResponseError::TooLong => Self::Other,
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
            // The second is a root of the name that is trusted, but with another key.
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

/// An error and everything behind it. What an `io::Error` wraps is passed over by its own `source`.
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
            (wrapped(ProxyError::AuthRequired { proxy: "p".to_owned() }), NetworkFailure::ProxyAuthRequired),
            (wrapped(NoAddress { name: "n".to_owned(), source: refused() }), NetworkFailure::Name),
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
