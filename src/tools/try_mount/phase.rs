//! The phases of a mount, as `try` prints them, and the phase that a failure code belongs to.

use std::fmt;

use serde::Serialize;

use crate::{failure::FailureCode, transport::ConnectPhase};

/// A phase of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    /// The parameters, the credentials that they need, and the cloud's file.
    Class,
    /// The look-up of a host's addresses.
    Dns,
    /// The proxy to a host.
    Proxy,
    /// The TCP connection to a host.
    Tcp,
    /// The TLS handshake with a host.
    Tls,
    /// The request for a token: Entra's verdict, or that of IMDS, NMI or the token proxy.
    Token,
    /// The anonymous request for the vault's challenge.
    Challenge,
    /// A read of an object.
    Read,
    /// The conversion of objects to files.
    Files,
    /// The wait for other mounts.
    Queue,
    /// The provider itself.
    Provider,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Class => "class",
            Self::Dns => "dns",
            Self::Proxy => "proxy",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Token => "token",
            Self::Challenge => "challenge",
            Self::Read => "read",
            Self::Files => "files",
            Self::Queue => "queue",
            Self::Provider => "provider",
        })
    }
}

impl From<ConnectPhase> for Phase {
    fn from(phase: ConnectPhase) -> Self {
        match phase {
            ConnectPhase::Dns => Self::Dns,
            ConnectPhase::Proxy => Self::Proxy,
            ConnectPhase::Tcp => Self::Tcp,
            ConnectPhase::Tls => Self::Tls,
        }
    }
}

/// How the failed phase is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The code has one phase.
    Phase(Phase),
    /// The code has several phases. The newest failed step tells which; this one is for a mount without steps.
    Seen(Phase),
}

impl Blame {
    /// Returns how the phase of a failure with this code is found.
    pub(super) fn of(code: FailureCode) -> Self {
        use FailureCode as Code;
        match code {
            Code::BadParameters
            | Code::NoCredentials
            | Code::NoCloudFile
            | Code::BadCloudFile
            | Code::TenantNotKnown
            | Code::TimeoutCloudFile => Self::Phase(Phase::Class),
            Code::NoFederatedCredential
            | Code::FederationNotAllowed
            | Code::PodTokenNotTrusted
            | Code::PodTokenNotValidNow
            | Code::WrongClientSecret
            | Code::WrongClientCertificate
            | Code::ClientSecretExpired
            | Code::UnknownTenant
            | Code::UnknownClient
            | Code::ClientDisabled
            | Code::UnknownVaultService
            | Code::ConditionalAccess
            | Code::IdentityNotOnNode
            | Code::IdentityNotChosen
            | Code::NoPodIdentity
            | Code::IdentityRefused
            | Code::TokenThrottled
            | Code::TokenSourceDown => Self::Phase(Phase::Token),
            Code::ImdsUnreachable | Code::NmiUnreachable | Code::NoTokenProxy | Code::TimeoutToken => {
                Self::Seen(Phase::Token)
            }
            Code::EntraDnsFailed | Code::VaultDnsFailed | Code::DnsTimeout => Self::Phase(Phase::Dns),
            Code::ConnectFailed | Code::TimeoutConnect => Self::Seen(Phase::Tcp),
            Code::TlsNotTrusted | Code::TlsNotValidNow | Code::TlsFailed => Self::Phase(Phase::Tls),
            Code::ProxyUnreachable | Code::ProxyRefused | Code::ProxyAuthRequired => {
                Self::Phase(Phase::Proxy)
            }
            Code::ConnectionLost
            | Code::NoAnswer
            | Code::UnexpectedAnswer
            | Code::ForbiddenByProxy
            | Code::VaultRefusedToken
            | Code::ClaimsChallenge
            | Code::VaultInOtherTenant
            | Code::WrongAudience
            | Code::Throttled
            | Code::VaultDown
            | Code::TimeoutThrottled
            | Code::TimeoutRead => Self::Seen(Phase::Read),
            Code::ForbiddenByRbac
            | Code::ForbiddenByPolicy
            | Code::ForbiddenByFirewall
            | Code::ForbiddenByConnection
            | Code::Forbidden
            | Code::NotFound
            | Code::SoftDeleted
            | Code::ObjectDisabled
            | Code::NoFittingVersion
            | Code::NothingFound
            | Code::TooManyFound
            | Code::NotYetValid
            | Code::Expired
            | Code::RequestRejected => Self::Phase(Phase::Read),
            Code::WrongEncoding
            | Code::CertificateNotIssued
            | Code::CannotConvert
            | Code::NoSuchKey
            | Code::FileClash
            | Code::TooLarge
            | Code::TimeoutConvert => Self::Phase(Phase::Files),
            Code::TimeoutQueued => Self::Phase(Phase::Queue),
            Code::Stopping | Code::InternalError => Self::Phase(Phase::Provider),
        }
    }
}
