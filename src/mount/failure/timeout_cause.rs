//! What a mount waited for when it timed out.

use std::fmt;

use crate::{identity::TokenSource, transport::ConnectPhase};

use super::listed::{Names, listed};

/// What a mount waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeoutCause {
    /// The file that describes the cloud.
    Cloud,
    /// A token.
    Token {
        /// Mode and client id.
        identity: String,
        /// The token source.
        source: TokenSource,
        /// The phase of the connection, if it was not open yet.
        connect_phase: Option<ConnectPhase>,
        /// The status of the last answer.
        last: Option<u16>,
    },
    /// Objects.
    Reads {
        /// The vault's host.
        host: String,
        /// The objects that had not been read.
        missing: Vec<String>,
        /// The number of requested objects.
        wanted: usize,
        /// The phase of the connection, if it was not open yet.
        connect_phase: Option<ConnectPhase>,
        /// Whether the vault throttled the provider.
        throttled: bool,
        /// The status of the vault's last answer.
        last: Option<u16>,
    },
    /// The end of other vaults' long lists.
    Lists {
        /// The host of the vault that is to be listed.
        host: String,
    },
    /// Memory for a large volume.
    Memory,
    /// A conversion.
    Conversion,
}

impl fmt::Display for TimeoutCause {
    /// Writes `waiting for answers from lab.vault.azure.net`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |connect_phase: Option<ConnectPhase>| {
            connect_phase.map(|connect_phase| format!(" ({connect_phase})")).unwrap_or_default()
        };
        match self {
            Self::Cloud => f.write_str("reading the cloud environment file"),
            Self::Token { source, connect_phase, .. } => {
                write!(f, "waiting for a token from {}{}", source.name(), with(*connect_phase))
            }
            Self::Reads { host, throttled: true, .. } => {
                write!(f, "waiting in the queue of {host}, which throttles")
            }
            Self::Reads { host, connect_phase, .. } => {
                write!(f, "waiting for answers from {host}{}", with(*connect_phase))
            }
            Self::Lists { host } => {
                write!(f, "waiting to list {host} after the long lists of other vaults")
            }
            Self::Memory => f.write_str("waiting for memory that other large volumes use"),
            Self::Conversion => f.write_str("converting the objects that were read"),
        }
    }
}

impl TimeoutCause {
    /// Returns the token source and the identity; empty in other phases.
    pub(in crate::mount) fn asked(&self) -> String {
        match self {
            Self::Token { identity, source, .. } => format!("asked {source} as {identity}"),
            Self::Cloud | Self::Reads { .. } | Self::Lists { .. } | Self::Memory | Self::Conversion => {
                String::new()
            }
        }
    }

    /// Returns what differs from try to try, for the log.
    pub(in crate::mount) fn details(&self) -> String {
        let last = |last: &Option<u16>| match last {
            Some(status) => format!("the last answer was status {status}"),
            None => "there was no answer".to_owned(),
        };
        match self {
            Self::Reads { missing, wanted, last: status, .. } => {
                let names = listed(missing.iter().map(String::as_str), Names::All);
                format!("{} of {wanted} objects are missing: {names}; {}", missing.len(), last(status))
            }
            Self::Token { last: status, .. } => last(status),
            Self::Cloud | Self::Lists { .. } | Self::Memory | Self::Conversion => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(connect_phase: Option<ConnectPhase>, throttled: bool) -> TimeoutCause {
        TimeoutCause::Reads {
            host: "lab.vault.azure.net".to_owned(),
            missing: vec!["secret/b".to_owned()],
            wanted: 2,
            connect_phase,
            throttled,
            last: Some(503),
        }
    }

    #[test]
    fn a_timeout_names_its_phase_down_to_the_connection() {
        let source = TokenSource::Entra { tenant: "t".parse().unwrap(), host: "login".to_owned() };
        let token = |connect_phase| TimeoutCause::Token {
            identity: "workload identity c".to_owned(),
            source: source.clone(),
            connect_phase,
            last: None,
        };
        for (waiting, expected) in [
            (TimeoutCause::Cloud, "reading the cloud environment file"),
            (TimeoutCause::Memory, "waiting for memory that other large volumes use"),
            (
                TimeoutCause::Lists { host: "lab.vault.azure.net".to_owned() },
                "waiting to list lab.vault.azure.net after the long lists of other vaults",
            ),
            (token(None), "waiting for a token from Entra"),
            (token(Some(ConnectPhase::Tls)), "waiting for a token from Entra (the TLS handshake)"),
            (reads(None, false), "waiting for answers from lab.vault.azure.net"),
            (
                reads(Some(ConnectPhase::Tcp), false),
                "waiting for answers from lab.vault.azure.net (the TCP connection)",
            ),
            (reads(None, true), "waiting in the queue of lab.vault.azure.net, which throttles"),
        ] {
            assert_eq!(waiting.to_string(), expected);
        }
        assert_eq!(
            reads(None, false).details(),
            "1 of 2 objects are missing: secret/b; the last answer was status 503"
        );
    }
}
