//! The stable short names of every way in which a mount can fail.
//!
//! The names depend on no other module. There is one for each action that an operator takes next, and it says nothing
//! of how the failure came about. Each name has a section in docs/codes.md, stands in brackets before its message,
//! and is a label of `akv_failures_total`. A published name never gets another meaning.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// A reason why a mount failed, as documentation and dashboards name it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FailureCode {
            $($(#[$doc])+ $name,)+
        }

        impl FailureCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Returns the name with its prefix: `AKV-NotFound`.
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
    /// The cluster provides no token or Secret to authenticate with.
    NoCredentials,
    /// The SecretProviderClass names no tenant, and neither does the vault in a way that can be trusted.
    TenantNotKnown,
    /// The cloud is `AzureStackCloud`, and no file describes it.
    NoCloudFile,
    /// The file that describes the cloud is missing or invalid.
    BadCloudFile,

    /// No federated credential of the identity fits the pod's token.
    NoFederatedCredential,
    /// The directory does not allow federation.
    FederationNotAllowed,
    /// Entra does not trust the issuer of the pod's token.
    PodTokenNotTrusted,
    /// The pod's token has expired, or is not valid yet.
    PodTokenNotValidNow,
    /// The client secret is wrong.
    WrongClientSecret,
    /// The client secret has expired.
    ClientSecretExpired,
    /// The application does not trust the client certificate, or not any more.
    WrongClientCertificate,
    /// This cloud has no such directory.
    UnknownTenant,
    /// The directory has no such application or identity.
    UnknownClient,
    /// The application is disabled.
    ClientDisabled,
    /// The directory does not know Key Vault under the name that this cloud uses.
    UnknownVaultService,
    /// A Conditional Access policy blocks the identity.
    ConditionalAccess,
    /// The node does not have the identity.
    IdentityNotOnNode,
    /// The node has several identities, and the SecretProviderClass chooses none.
    IdentityNotChosen,
    /// NMI has no identity for the pod.
    NoPodIdentity,
    /// The identity was refused for another reason.
    IdentityRefused,
    /// The token source throttles.
    TokenThrottled,
    /// The token source fails with a server error.
    TokenSourceDown,
    /// The provider cannot reach IMDS.
    ImdsUnreachable,
    /// The provider cannot reach NMI.
    NmiUnreachable,
    /// The token proxy of identity binding is not available.
    NoTokenProxy,

    /// DNS has no address for the authority's host.
    EntraDnsFailed,
    /// DNS has no address for the vault's host.
    VaultDnsFailed,
    /// The name servers do not answer, or fail.
    DnsTimeout,
    /// The connection cannot be established.
    ConnectFailed,
    /// The connection ends before the answer.
    ConnectionLost,
    /// The host accepts the connection and does not answer.
    NoAnswer,
    /// The issuer of the host's certificate is not trusted.
    TlsNotTrusted,
    /// The host's certificate has expired, or is not valid yet.
    TlsNotValidNow,
    /// TLS failed for another reason.
    TlsFailed,
    /// The proxy cannot be reached.
    ProxyUnreachable,
    /// The proxy refuses the connection to the host.
    ProxyRefused,
    /// The proxy demands a user and a password.
    ProxyAuthRequired,
    /// A proxy, firewall or gateway on the way answers 403 in place of Azure.
    ForbiddenByProxy,
    /// Something other than Azure answered, or the answer is not in Azure's format.
    UnexpectedAnswer,

    /// The identity has no role on the vault.
    ForbiddenByRbac,
    /// The identity has no access policy on the vault.
    ForbiddenByPolicy,
    /// The vault's firewall does not allow the node's address.
    ForbiddenByFirewall,
    /// The vault accepts private connections only.
    ForbiddenByConnection,
    /// The vault forbids the read for another reason.
    Forbidden,
    /// The vault does not accept the token.
    VaultRefusedToken,
    /// The vault demands a token with claims that the identity does not get.
    ClaimsChallenge,
    /// The vault belongs to another tenant.
    VaultInOtherTenant,
    /// The token is for another cloud's vaults.
    WrongAudience,
    /// The vault has no such object or version.
    NotFound,
    /// The object was deleted, and can be recovered.
    SoftDeleted,
    /// The object or its version is disabled.
    ObjectDisabled,
    /// No version of the object meets `objectVersionPolicy` and `objectNotAfter`.
    NoFittingVersion,
    /// No object meets the conditions of a `find`.
    NothingFound,
    /// A `find` lists or finds more objects than a mount may have.
    TooManyFound,
    /// The object's start date has not come yet.
    NotYetValid,
    /// The object has expired.
    Expired,
    /// The vault rejects the request as invalid.
    RequestRejected,
    /// The vault throttles.
    Throttled,
    /// The vault fails with a server error.
    VaultDown,

    /// The secret's value is not in the encoding that `objectEncoding` names.
    WrongEncoding,
    /// The certificate is not issued yet.
    CertificateNotIssued,
    /// The object's content cannot be converted to the requested file.
    CannotConvert,
    /// The secret's value lacks a key that `jmesPath` names.
    NoSuchKey,
    /// Two objects write the same file.
    FileClash,
    /// The volume is larger than the driver accepts in one answer.
    TooLarge,

    /// The mount timed out while it read the cloud's file.
    TimeoutCloudFile,
    /// The mount timed out while it waited for a token.
    TimeoutToken,
    /// The mount timed out while it connected.
    TimeoutConnect,
    /// The mount timed out while the vault throttled.
    TimeoutThrottled,
    /// The mount timed out while it waited for the vault to answer all reads.
    TimeoutRead,
    /// The mount timed out while it converted the content.
    TimeoutConvert,
    /// The mount timed out in the queue of mounts.
    TimeoutQueued,

    /// The provider stops, and takes no new mounts.
    Stopping,
    /// The provider has a bug.
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
