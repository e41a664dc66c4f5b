//! The stable short names of all that a mount can fail with.
//!
//! A leaf: one name for each thing that an operator does next, and no word of how it came about. Each has a section in
//! docs/codes.md, stands in brackets before its message, and is a label of `akv_failures_total`. A name that was
//! published is never given another meaning.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// Why a mount failed, as documentation and dashboards name it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FailureCode {
            $($(#[$doc])+ $name,)+
        }

        impl FailureCode {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// `AKV-NotFound`
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("AKV-", stringify!($name)),)+
                }
            }
        }
    };
}

codes! {
    /// The SecretProviderClass or the request is wrong.
    BadParameters,
    /// The cluster gives no token or Secret to ask with.
    NoCredentials,
    /// `AzureStackCloud`, and nobody says in which file it is described.
    NoCloudFile,
    /// The file that describes the cloud cannot be used.
    BadCloudFile,

    /// No federated credential of the identity fits the pod's token.
    NoFederatedCredential,
    /// The directory does not allow federation.
    FederationNotAllowed,
    /// Entra does not trust whoever signed the pod's token.
    PodTokenNotTrusted,
    /// The pod's token is expired, or not valid yet.
    PodTokenNotValidNow,
    /// The client secret is wrong.
    WrongClientSecret,
    /// The client secret was right once.
    ClientSecretExpired,
    /// There is no such directory in this cloud.
    UnknownTenant,
    /// The directory has no such application or identity.
    UnknownClient,
    /// The application is switched off.
    ClientDisabled,
    /// The directory does not know Key Vault as this cloud names it.
    UnknownVaultService,
    /// A Conditional Access policy is in the way.
    ConditionalAccess,
    /// The node does not have the identity.
    IdentityNotOnNode,
    /// The node has several identities, and none was chosen.
    IdentityNotChosen,
    /// NMI knows no identity for the pod.
    NoPodIdentity,
    /// The identity was refused for another reason.
    IdentityRefused,
    /// Whoever gives tokens is asked too often.
    TokenThrottled,
    /// Whoever gives tokens is out of order.
    TokenSourceDown,
    /// The provider does not reach IMDS.
    ImdsUnreachable,
    /// The provider does not reach NMI.
    NmiUnreachable,
    /// There is no way to the token proxy of identity binding.
    NoTokenProxy,

    /// The authority's host has no address.
    EntraDnsFailed,
    /// The vault's host has no address.
    VaultDnsFailed,
    /// The name servers do not answer.
    DnsTimeout,
    /// No connection.
    ConnectFailed,
    /// Connections end before the answer.
    ConnectionLost,
    /// A connection, and no answer on it.
    NoAnswer,
    /// The host's certificate is by somebody whom nobody trusts here.
    TlsNotTrusted,
    /// The host's certificate is not valid at this time.
    TlsNotValidNow,
    /// TLS failed for another reason.
    TlsFailed,
    /// The proxy cannot be reached.
    ProxyUnreachable,
    /// The proxy does not let us through.
    ProxyRefused,
    /// A proxy demands a user and a password.
    ProxyAuthRequired,
    /// A proxy, firewall or gateway in between answers 403 in place of Azure.
    ForbiddenByProxy,
    /// Somebody answered who is not Azure, or not in its language.
    UnexpectedAnswer,

    /// No role.
    ForbiddenByRbac,
    /// No access policy.
    ForbiddenByPolicy,
    /// The vault's firewall does not know our address.
    ForbiddenByFirewall,
    /// The vault takes private connections alone.
    ForbiddenByConnection,
    /// Forbidden for another reason.
    Forbidden,
    /// The vault does not take the token.
    VaultRefusedToken,
    /// The vault demands a token with claims that the identity does not get.
    ClaimsChallenge,
    /// The vault belongs to another tenant.
    VaultInOtherTenant,
    /// The token is for another cloud's vaults.
    WrongAudience,
    /// No such object or version.
    NotFound,
    /// The object was deleted, and can be had back.
    SoftDeleted,
    /// The object or its version is switched off.
    ObjectDisabled,
    /// The object's time has not come yet.
    NotYetValid,
    /// The object's time is over.
    Expired,
    /// The vault finds the request wrong.
    RequestRejected,
    /// The vault is asked too often.
    Throttled,
    /// The vault is out of order.
    VaultDown,

    /// The secret's value has another encoding than `objectEncoding` says.
    WrongEncoding,
    /// The certificate is not issued yet.
    CertificateNotIssued,
    /// The object's content cannot become the file that was asked for.
    CannotConvert,
    /// Two objects want the same file.
    FileClash,
    /// More than the driver takes in one answer.
    TooLarge,

    /// No time left, and the cloud's file was still being read.
    TimeoutCloudFile,
    /// No time left, and there was no token yet.
    TimeoutToken,
    /// No time left, and there was no connection yet.
    TimeoutConnect,
    /// No time left, since the vault throttles.
    TimeoutThrottled,
    /// No time left, and the vault had not answered all reads.
    TimeoutRead,
    /// No time left, and the content was still being converted.
    TimeoutConvert,
    /// It waited for a place among the mounts under way.
    TimeoutQueued,

    /// A bug of the provider.
    InternalError,
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_is_one_readable_word() {
        let names: BTreeSet<_> = FailureCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), FailureCode::ALL.len());
        for name in names {
            let word = name.strip_prefix("AKV-").unwrap();
            assert!(word.starts_with(|c: char| c.is_ascii_uppercase()), "{name}");
            assert!(word.bytes().all(|b| b.is_ascii_alphabetic()) && word.len() <= 24, "{name}");
        }
    }
}
