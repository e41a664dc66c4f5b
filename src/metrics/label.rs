//! Closed sets of label values.

/// A destination of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    /// Microsoft Entra.
    Entra,
    /// Key Vault.
    KeyVault,
    /// IMDS and NMI.
    Node,
    /// The token proxy of AKS identity binding.
    TokenProxy,
}

impl Upstream {
    /// Returns the label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::KeyVault => "keyvault",
            Self::Node => "node",
            Self::TokenProxy => "token_proxy",
        }
    }
}

/// A result of a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenResult {
    /// A cached token was used.
    Reused,
    /// A new token was issued.
    Issued,
    /// The identity was refused.
    Refused,
    /// The token source throttles or fails with a server error.
    Unavailable,
    /// There was no answer.
    Unreachable,
}

impl TokenResult {
    /// Returns the label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reused => "reused",
            Self::Issued => "issued",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Unreachable => "unreachable",
        }
    }
}

/// A source of the answer to a call of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultCall {
    /// The call was sent to the vault.
    Miss,
    /// The call joined one in flight for another mount.
    Shared,
    /// The answer came from the cache.
    Hit,
}

impl VaultCall {
    /// Returns the label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Miss => "miss",
            Self::Shared => "shared",
            Self::Hit => "hit",
        }
    }
}
