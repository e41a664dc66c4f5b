//! Role assignments of Azure RBAC at a vault.

use std::collections::BTreeSet;

use serde::Deserialize;

/// A role of one principal at some vaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAssignment {
    /// The principal's client id.
    pub principal: String,
    /// The vaults that the role applies to.
    pub vaults: VaultScope,
    /// The assigned role.
    pub role: Role,
}

impl RoleAssignment {
    /// Creates an assignment of every role at every vault.
    #[must_use]
    pub fn administrator(principal: &str) -> Self {
        Self { principal: principal.to_owned(), vaults: VaultScope::All, role: Role::Administrator }
    }
}

/// A set of vaults; names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultScope {
    /// All vaults, also those that are added later.
    All,
    /// The named vaults.
    Only(BTreeSet<String>),
    /// All vaults but the named ones.
    Except(BTreeSet<String>),
}

impl VaultScope {
    pub(crate) fn includes(&self, vault: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(vault),
            Self::Except(names) => !names.contains(vault),
        }
    }
}

/// A built-in role that matters to readers of a vault
/// (<https://learn.microsoft.com/azure/key-vault/general/rbac-guide>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Key Vault Administrator.
    Administrator,
    /// Key Vault Secrets User: values and lists of secrets.
    SecretsUser,
    /// Key Vault Crypto User: public keys.
    CryptoUser,
    /// Key Vault Certificate User: a certificate with its secret and key.
    CertificateUser,
    /// Key Vault Reader: everything but the values of secrets.
    Reader,
}

impl Role {
    pub(crate) fn grants(self, action: Action) -> bool {
        match self {
            Self::Administrator | Self::CertificateUser => true,
            Self::SecretsUser => matches!(action, Action::GetSecret | Action::ListSecrets),
            Self::CryptoUser => action == Action::ReadKey,
            Self::Reader => action != Action::GetSecret,
        }
    }
}

/// A data action of Key Vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    GetSecret,
    ListSecrets,
    ReadKey,
    ReadCertificate,
}

impl Action {
    /// Returns the name that refusals use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GetSecret => "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            Self::ListSecrets => "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
            Self::ReadKey => "Microsoft.KeyVault/vaults/keys/read",
            Self::ReadCertificate => "Microsoft.KeyVault/vaults/certificates/read",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_no_secret_values() {
        assert!(!Role::Reader.grants(Action::GetSecret));
        assert!(Role::Reader.grants(Action::ListSecrets));
        assert!(Role::SecretsUser.grants(Action::GetSecret));
        assert!(!Role::SecretsUser.grants(Action::ReadKey));
        assert!(!Role::CryptoUser.grants(Action::ReadCertificate));
    }
}
