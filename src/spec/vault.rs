//! The vaults of a SecretProviderClass, by name.

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use super::excerpt::Excerpt;

/// A vault name that Azure accepts in a host name: 3 to 24 letters, digits and dashes, without a dash at either end.
/// Host names ignore case, so names that differ in case alone are equal.
///
/// <https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#vault-name-and-object-name>
#[derive(Debug, Clone, Eq)]
pub struct VaultName(String);

impl VaultName {
    /// Returns the name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for VaultName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Hash for VaultName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_ascii_lowercase().hash(state);
    }
}

impl fmt::Display for VaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a vault name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVaultName {
    /// The text is too short or too long.
    #[error("invalid vault name {0}: must be between 3 and 24 characters")]
    Length(Excerpt),
    /// A character would end the host name's first label, or worse.
    #[error("invalid vault name {0}: only letters, digits and dashes; the name alone, not the vault's URL")]
    Characters(Excerpt),
    /// The text is an encoded label: `xn--`, with which host names represent other scripts.
    #[error("invalid vault name {0}: must not begin with xn--")]
    Encoded(Excerpt),
    /// A dash is the first or the last character, which no host label has (RFC 1123, section 2.1).
    #[error("invalid vault name {0}: must begin and end with a letter or digit")]
    Dash(Excerpt),
}

impl FromStr for VaultName {
    type Err = InvalidVaultName;

    fn from_str(name: &str) -> Result<Self, InvalidVaultName> {
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(InvalidVaultName::Characters(Excerpt::of(name)));
        }
        if !(3..=24).contains(&name.len()) {
            return Err(InvalidVaultName::Length(Excerpt::of(name)));
        }
        // RFC 5891, section 4.2.3.1. Not every such label is a host name, and no vault has one.
        if name.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--")) {
            return Err(InvalidVaultName::Encoded(Excerpt::of(name)));
        }
        // DNS would be asked for it until the retries end.
        if name.starts_with('-') || name.ends_with('-') {
            return Err(InvalidVaultName::Dash(Excerpt::of(name)));
        }
        Ok(Self(name.to_owned()))
    }
}

/// Whether a vault accepted a token of this process. It decides what a vault gets of what all vaults share, and never
/// which principal may read what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VaultStanding {
    /// The vault answered a request with a token that it accepted.
    Authenticated,
    /// No request shows more than the vault's name.
    Unauthenticated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_name_is_one_label_of_a_host() {
        for (name, good) in [
            ("lab", true),
            ("My-Vault-01", true),
            ("abcdefghijklmnopqrstuvwx", true),
            ("ab", false),
            ("abcdefghijklmnopqrstuvwxy", false),
            ("my_vault", false),
            ("lab.evil", false),
            ("evil.test/x#", false),
            ("https://lab.vault.azure.net/", false),
            ("löb", false),
            ("", false),
            ("-ab", false),
            ("ab-", false),
            ("---", false),
            ("a-b", true),
            ("1--1", true),
        ] {
            assert_eq!(name.parse::<VaultName>().is_ok(), good, "{name:?}");
        }
    }

    #[test]
    fn names_of_one_vault_are_equal_in_any_case() {
        let name = |text: &str| text.parse::<VaultName>().unwrap();
        assert_eq!(name("Lab-1"), name("lAB-1"));
        assert_ne!(name("lab-1"), name("lab-2"));
        let both: std::collections::HashSet<_> = [name("LAB"), name("lab")].into();
        assert_eq!(both.len(), 1);
    }
}
