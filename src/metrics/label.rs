//! The closed sets that labels are from.

/// Who is asked.
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
    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::KeyVault => "keyvault",
            Self::Node => "node",
            Self::TokenProxy => "token_proxy",
        }
    }
}

/// How a request for a token ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenResult {
    /// With a token that was there.
    Reused,
    /// With a new token.
    Issued,
    /// The identity was refused.
    Refused,
    /// Whoever gives tokens is throttled or out of order.
    Unavailable,
    /// There was no answer.
    Unreachable,
}

impl TokenResult {
    /// The label.
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

/// Where the answer to a call of a vault is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultCall {
    /// From the vault.
    Miss,
    /// From a call that another mount was making at the moment.
    Shared,
    /// From a call that was made a moment ago.
    Hit,
}

impl VaultCall {
    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Miss => "miss",
            Self::Shared => "shared",
            Self::Hit => "hit",
        }
    }
}
