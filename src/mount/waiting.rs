//! What a mount was waiting for when it was given up.

use std::fmt;

use crate::{identity::TokenSource, transport::Stage};

use super::listed::listed;

/// What a mount waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// For the file that describes the cloud.
    Cloud,
    /// For a token.
    Token {
        /// For whom.
        identity: String,
        /// From whom.
        source: TokenSource,
        /// What the connection waited for, where there was none yet.
        stage: Option<Stage>,
        /// The status that was answered last.
        last: Option<u16>,
    },
    /// For objects.
    Reads {
        /// The vault's host.
        host: String,
        /// The objects that had not come.
        missing: Vec<String>,
        /// How many were wanted.
        wanted: usize,
        /// What the connection waited for, where there was none yet.
        stage: Option<Stage>,
        /// Whether the vault had asked us to wait.
        throttled: bool,
        /// The status that the vault answered last.
        last: Option<u16>,
    },
    /// For a conversion.
    Conversion,
}

impl fmt::Display for Waiting {
    /// `it waited for lab.vault.azure.net to answer`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |stage: Option<Stage>| stage.map(|stage| format!(", for {stage}")).unwrap_or_default();
        match self {
            Self::Cloud => f.write_str("it read the cloud environment file"),
            Self::Token { identity, source, stage, .. } => {
                write!(f, "it waited for a token for {identity} from {source}{}", with(*stage))
            }
            Self::Reads { host, throttled: true, .. } => {
                write!(f, "it waited for its turn at {host}, which throttles")
            }
            Self::Reads { host, stage, .. } => {
                write!(f, "it waited for answers of {host}{}", with(*stage))
            }
            Self::Conversion => f.write_str("it converted what it had read"),
        }
    }
}

impl Waiting {
    /// What differs from try to try.
    pub(super) fn details(&self) -> Vec<String> {
        let (missing, last) = match self {
            Self::Reads { missing, wanted, last, .. } => {
                let missing = format!(
                    "{} of {wanted} {} missing: {}",
                    missing.len(),
                    if *wanted == 1 { "object is" } else { "objects are" },
                    listed(missing.iter(), 10)
                );
                (Some(missing), *last)
            }
            Self::Token { last, .. } => (None, *last),
            Self::Cloud | Self::Conversion => (None, None),
        };
        missing.into_iter().chain(last.map(|status| format!("the last answer was status {status}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(stage: Option<Stage>, throttled: bool) -> Waiting {
        Waiting::Reads {
            host: "lab.vault.azure.net".to_owned(),
            missing: vec!["secret/b".to_owned()],
            wanted: 2,
            stage,
            throttled,
            last: Some(503),
        }
    }

    #[test]
    fn what_is_waited_for_is_named_down_to_the_connection() {
        let source = TokenSource::Entra { tenant: "t".parse().unwrap(), host: "login".to_owned() };
        let token = |stage| Waiting::Token {
            identity: "workload identity c".to_owned(),
            source: source.clone(),
            stage,
            last: None,
        };
        for (waiting, expected) in [
            (Waiting::Cloud, "it read the cloud environment file"),
            (token(None), "it waited for a token for workload identity c from tenant t at login"),
            (
                token(Some(Stage::Tls)),
                "it waited for a token for workload identity c from tenant t at login, for the TLS handshake",
            ),
            (reads(None, false), "it waited for answers of lab.vault.azure.net"),
            (
                reads(Some(Stage::Connect), false),
                "it waited for answers of lab.vault.azure.net, for the TCP connection",
            ),
            (reads(None, true), "it waited for its turn at lab.vault.azure.net, which throttles"),
        ] {
            assert_eq!(waiting.to_string(), expected);
        }
        assert_eq!(
            reads(None, false).details(),
            ["1 of 2 objects are missing: secret/b", "the last answer was status 503"]
        );
    }
}
