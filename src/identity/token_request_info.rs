//! Descriptions of token requests, for messages.

use std::fmt;

use serde::Deserialize;

use crate::{
    spec::identity::{IdentityMode, ServiceAccountToken, TenantId},
    text::one_line,
};

use super::jwt;

/// A description of a token request, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequestInfo {
    /// Mode and client id: `workload identity cccccccc-0000-0000-0000-000000000002`.
    pub identity: String,
    /// The client id alone, if the mode names one.
    pub client: Option<String>,
    /// The token source that receives the request.
    pub source: TokenSource,
    /// The claims of the pod's token, for modes that present one.
    pub presented: Option<UnverifiedClaims>,
    /// True if a client certificate signs the request.
    pub with_certificate: bool,
}

/// A service that issues tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// Entra, or the AD FS of an Azure Stack.
    Entra {
        /// The directory.
        tenant: TenantId,
        /// The authority's host.
        host: String,
    },
    /// The token proxy of AKS identity binding.
    TokenProxy {
        /// The directory.
        tenant: TenantId,
        /// The proxy's host.
        host: String,
    },
    /// The node's metadata service.
    Imds,
    /// The agent of AAD pod identity on the node.
    Nmi {
        /// The pod that the token is for, as `namespace/name`.
        pod: String,
    },
}

impl TokenSource {
    /// Returns the short name, such as `Entra`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Entra { .. } => "Entra",
            Self::TokenProxy { .. } => "the token proxy",
            Self::Imds => "IMDS",
            Self::Nmi { .. } => "NMI",
        }
    }
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entra { tenant, host } => write!(f, "tenant {tenant} at {host}"),
            Self::TokenProxy { tenant, host } => write!(f, "tenant {tenant} at the token proxy {host}"),
            Self::Imds => f.write_str("IMDS at 169.254.169.254"),
            Self::Nmi { pod } => write!(f, "NMI on the node, for pod {pod}"),
        }
    }
}

/// The claims of a service-account token that a federated credential must match. They are not verified: messages show
/// them for comparison with the credential, and nothing trusts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedClaims {
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `aud`, the first of several.
    pub audience: String,
}

impl UnverifiedClaims {
    /// Returns the claims of the identity's assertion; `None` if the mode has none, or it cannot be parsed.
    pub(super) fn by(identity: &IdentityMode) -> Option<Self> {
        match identity {
            IdentityMode::WorkloadIdentity { assertion, .. }
            | IdentityMode::IdentityBinding { assertion, .. } => Self::of(assertion),
            _ => None,
        }
    }

    /// Parses a token's claims; `None` if the token is not readable.
    pub fn of(token: &ServiceAccountToken) -> Option<Self> {
        let claims: Claims = jwt::decode_unverified(token.expose())?;
        let audience = match claims.aud {
            Audience::One(audience) => audience,
            Audience::Several(several) => several.into_iter().next()?,
        };
        Some(Self {
            issuer: one_line(&claims.iss, MAX_CLAIM),
            subject: one_line(&claims.sub, MAX_CLAIM),
            audience: one_line(&audience, MAX_CLAIM),
        })
    }
}

impl UnverifiedClaims {
    /// Returns `exp` of a token (RFC 7519 section 4.1.4), in seconds since 1970. It is not among the claims, since a
    /// message is the same for each try.
    pub fn expiry_of(token: &ServiceAccountToken) -> Option<i64> {
        jwt::decode_unverified::<Expiry>(token.expose())?.exp
    }
}

/// The longest claim that is shown, in characters: a pod author may have written it.
const MAX_CLAIM: usize = 256;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
}

#[derive(Deserialize)]
struct Expiry {
    exp: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use crate::spec::sensitive::Sensitive;

    use super::*;

    fn presented(claims: &str) -> Option<UnverifiedClaims> {
        let token = format!("h.{}.s", BASE64URL_NOPAD.encode(claims.as_bytes()));
        UnverifiedClaims::of(&ServiceAccountToken::new(Sensitive::new(token)))
    }

    #[test]
    fn issuer_subject_and_audience_are_read() {
        let own =
            presented(r#"{"iss":"https://i/","sub":"system:serviceaccount:a:b","aud":["api://x"],"exp":1}"#);
        let own = own.unwrap();
        assert_eq!(
            (own.issuer.as_str(), own.subject.as_str(), own.audience.as_str()),
            ("https://i/", "system:serviceaccount:a:b", "api://x")
        );
        assert_eq!(presented(r#"{"iss":"i","sub":"s","aud":"a"}"#).unwrap().audience, "a");
        for other in ["", "[]", r#"{"iss":"i","sub":"s"}"#, r#"{"iss":"i","sub":"s","aud":[]}"#] {
            assert_eq!(presented(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_pod_author_writes_into_a_token_is_shown_briefly_and_does_nothing() {
        let own = presented(&format!(r#"{{"iss":"{}","sub":"a\u001b[2J\nb","aud":"ä"}}"#, "i".repeat(9_000)));
        let own = own.unwrap();
        assert_eq!(own.issuer.chars().count(), 257);
        assert_eq!((own.subject.as_str(), own.audience.as_str()), ("a [2J b", "ä"));
    }
}
