//! The look-up of host names.

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

/// A look-up of addresses by name. An address with a port other than 0 replaces the URL's default port.
pub trait Resolve: Send + Sync {
    /// Returns the addresses of `name`.
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// A shared resolver.
#[derive(Clone)]
pub struct Resolver(pub Arc<dyn Resolve>);

impl Resolver {
    /// Returns the system's resolver, except that names under `.localhost` are loopback, as RFC 6761 section 6.3
    /// requires. Glibc leaves those names to the network.
    pub fn system() -> Self {
        Self(Arc::new(System))
    }

    /// Returns a resolver with these addresses for any name.
    pub(crate) fn fixed(addresses: Vec<SocketAddr>) -> Self {
        Self(Arc::new(Fixed(addresses)))
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let addresses = self.0.resolve(name.as_str().to_owned());
        Box::pin(async move {
            let addresses = addresses.await.map_err(|source| {
                io::Error::new(source.kind(), NoAddress { name: name.as_str().to_owned(), source })
            });
            Ok(addresses?.into_iter())
        })
    }
}

/// An error of a host name without an address.
#[derive(Debug, thiserror::Error)]
#[error("no address for {name}")]
pub(in crate::transport) struct NoAddress {
    pub(in crate::transport) name: String,
    pub(in crate::transport) source: io::Error,
}

struct System;

impl Resolve for System {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            if is_localhost(&name) {
                return Ok(vec![
                    SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                    SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
                ]);
            }
            let addresses: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await.map_err(classified)?.collect();
            if addresses.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
            }
            Ok(addresses)
        })
    }
}

/// Returns the error of a look-up with the kind `TimedOut` if the name servers failed, and the name may exist.
///
/// `getaddrinfo` has a code for that, `EAI_AGAIN`, of which the standard library keeps the text alone: that of glibc or
/// of musl.
fn classified(error: io::Error) -> io::Error {
    let text = error.to_string();
    let failed = ["Temporary failure in name resolution", "Try again"];
    match failed.iter().any(|failed| text.ends_with(failed)) {
        true => io::Error::new(io::ErrorKind::TimedOut, error),
        false => error,
    }
}

struct Fixed(Vec<SocketAddr>);

impl Resolve for Fixed {
    fn resolve(&self, _: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let addresses = self.0.clone();
        Box::pin(async { Ok(addresses) })
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_that_fails_is_no_missing_name() {
        for (text, kind) in [
            ("Temporary failure in name resolution", io::ErrorKind::TimedOut),
            ("Try again", io::ErrorKind::TimedOut),
            ("Name or service not known", io::ErrorKind::Other),
            ("Name does not resolve", io::ErrorKind::Other),
        ] {
            let error = io::Error::other(format!("failed to lookup address information: {text}"));
            assert_eq!(classified(error).kind(), kind, "{text}");
        }
    }

    #[tokio::test]
    async fn names_under_localhost_are_loopback() {
        for name in ["localhost", "lab.vault.localhost", "LAB.Vault.LocalHost"] {
            let addresses = System.resolve(name.to_owned()).await.unwrap();
            assert!(!addresses.is_empty(), "{name}");
            assert!(addresses.iter().all(|address| address.ip().is_loopback()), "{name}");
        }
        assert!(is_localhost("localhost."));
        assert!(!is_localhost("notlocalhost"));
        assert!(!is_localhost("localhost.example"));
    }
}
