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
    /// The issuer of the cluster's service-account tokens.
    Issuer,
}

impl Upstream {
    /// Returns the label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::KeyVault => "keyvault",
            Self::Node => "node",
            Self::TokenProxy => "token_proxy",
            Self::Issuer => "issuer",
        }
    }
}

/// Returns the label value of an HTTP status; `None` is a request without an answer.
///
/// A vault of a pod author's own can answer with any number. Those that Azure's services and the proxies before them
/// document have values of their own, and the others share the value of their class.
pub(super) fn status(status: Option<u16>) -> &'static str {
    match status {
        None => "",
        Some(200) => "200",
        Some(400) => "400",
        Some(401) => "401",
        Some(403) => "403",
        Some(404) => "404",
        Some(405) => "405",
        Some(407) => "407",
        Some(408) => "408",
        Some(409) => "409",
        Some(410) => "410",
        Some(429) => "429",
        Some(500) => "500",
        Some(502) => "502",
        Some(503) => "503",
        Some(504) => "504",
        Some(200..300) => "2xx",
        Some(300..400) => "3xx",
        Some(400..500) => "4xx",
        Some(500..600) => "5xx",
        Some(_) => "other",
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

/// A result of the attempt to prove a pod's identity with its issuer's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofResult {
    /// The token is proved.
    Proven,
    /// The token is not one of Kubernetes.
    Malformed,
    /// The token's issuer is not configured.
    OtherIssuer,
    /// The issuer's keys are not fetched.
    NoKeys,
    /// The issuer does not publish the token's key.
    UnknownKey,
    /// The token's key did not sign it, or not with the algorithm that it is for.
    BadSignature,
    /// The token is not for Entra alone.
    OtherAudience,
    /// The token is expired, or not valid yet.
    OutsideItsTime,
}

impl ProofResult {
    /// Returns the label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Malformed => "malformed",
            Self::OtherIssuer => "other_issuer",
            Self::NoKeys => "no_keys",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::OtherAudience => "other_audience",
            Self::OutsideItsTime => "outside_its_time",
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
    /// The answer was kept, and the vault's list shows that it is unchanged.
    Unchanged,
}

impl VaultCall {
    /// Returns the label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Miss => "miss",
            Self::Shared => "shared",
            Self::Hit => "hit",
            Self::Unchanged => "unchanged",
        }
    }
}
