//! The address of the gRPC server, as `--endpoint` gives it.

use std::{fmt, path::PathBuf, str::FromStr};

/// An address that is a Unix socket or a TCP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `unix:///path`
    Unix(PathBuf),
    /// `tcp://host:port`
    Tcp(String),
}

/// An error for an invalid endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid endpoint {0:?}: use unix:///path/to/azure.sock or tcp://host:port")]
pub struct InvalidEndpoint(String);

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    /// Parses `unix://` or `tcp://`, in upper or lower case, and the address.
    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let invalid = || InvalidEndpoint(text.to_owned());
        let (scheme, address) = text.split_once("://").ok_or_else(invalid)?;
        if address.is_empty() {
            return Err(invalid());
        }
        match scheme.to_ascii_lowercase().as_str() {
            "unix" => Ok(Self::Unix(address.into())),
            "tcp" if address.contains(':') => Ok(Self::Tcp(address.to_owned())),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_parse_and_show_themselves_again() {
        for text in ["unix:///tmp/azure.sock", "unix://azure.sock", "tcp://127.0.0.1:8080", "tcp://[::1]:0"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        assert_eq!("UNIX:///a".parse(), Ok(Endpoint::Unix("/a".into())));
        for text in ["", "/tmp/azure.sock", "unix://", "tcp://", "tcp://host", "http://host:1", "unix:/tmp/a"]
        {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
