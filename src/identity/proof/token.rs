//! Service-account tokens: from a token that a pod presents to the subject that its issuer's key proves.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, de::DeserializeOwned};

use crate::spec::identity::{ENTRA_AUDIENCE, ServiceAccountToken};

use super::{KeySet, signature::SignatureAlgorithm};

/// The longest token that is verified, in bytes.
pub const MAX_TOKEN_BYTES: usize = ServiceAccountToken::MAX_BYTES;

/// The difference of clocks that is tolerated. The API server allows the same for its own tokens (`go-jose`,
/// `DefaultLeeway`).
pub const LEEWAY: Duration = Duration::from_secs(60);

/// The longest subject, in bytes: a namespace of 63 and a name of 253, with what is around them.
const MAX_SUBJECT_BYTES: usize = 512;

/// The subject of a token whose signature and claims were verified. Tokens with equal subjects prove the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProvenSubject {
    /// `iss`, one of the operator's issuers.
    pub issuer: Arc<str>,
    /// `sub`, such as `system:serviceaccount:shop:web`.
    pub subject: String,
    /// `aud`, the only one.
    pub audience: &'static str,
}

/// The reason why a token proves nothing here. Entra decides what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotProven {
    /// It is not a token, is too long, or lacks a claim.
    Malformed,
    /// Its issuer is none of the operator's.
    OtherIssuer,
    /// There are no keys of its issuer.
    NoKeys,
    /// Its key is not among the issuer's.
    UnknownKey,
    /// It is signed with another algorithm than its key is for.
    OtherAlgorithm,
    /// Its key did not sign it.
    BadSignature,
    /// It is not for Entra, or for another audience as well.
    OtherAudience,
    /// It is expired, or not valid yet.
    OutsideItsTime,
    /// Its subject is not a service account.
    OtherSubject,
}

/// A token in its parts. Nothing of it is verified.
#[derive(Debug)]
pub struct UnverifiedToken<'a> {
    header: Header,
    claims: Claims,
    signed: &'a str,
    signature: &'a str,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: String,
    /// Extensions that a reader must know (RFC 7515, section 4.1.11). This one knows none.
    crit: Option<serde::de::IgnoredAny>,
}

/// The claims that Kubernetes writes into each token
/// (<https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens>).
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    nbf: i64,
    iat: i64,
}

/// One text, or a list (RFC 7519, section 4.1.3).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    List(Vec<String>),
}

impl<'a> UnverifiedToken<'a> {
    /// Parses a token in compact form (RFC 7515, section 7.1).
    ///
    /// # Errors
    /// It is not a token, is too long, or lacks a claim.
    pub fn parse(token: &'a str) -> Result<Self, NotProven> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(NotProven::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(NotProven::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(NotProven::Malformed)?;
        let header: Header = decoded(header)?;
        if header.crit.is_some() {
            return Err(NotProven::Malformed);
        }
        Ok(Self { header, claims: decoded(claims)?, signed, signature })
    }

    /// Returns the issuer that the token names.
    pub fn issuer(&self) -> &str {
        &self.claims.iss
    }

    /// Verifies the token with the keys of `issuer`, at the time `now`.
    ///
    /// # Errors
    /// The token proves nothing.
    pub fn verify(
        self,
        issuer: &Arc<str>,
        keys: &KeySet,
        now: SystemTime,
    ) -> Result<ProvenSubject, NotProven> {
        let Self { header, claims, signed, signature } = self;
        if claims.iss != **issuer {
            return Err(NotProven::OtherIssuer);
        }
        let key = keys.get(&header.kid).ok_or(NotProven::UnknownKey)?;
        if SignatureAlgorithm::named(&header.alg) != Some(key.algorithm) {
            return Err(NotProven::OtherAlgorithm);
        }
        if !key.verifies(signed, signature) {
            return Err(NotProven::BadSignature);
        }
        if !claims.is_current(now) {
            return Err(NotProven::OutsideItsTime);
        }
        let only = match &claims.aud {
            Audience::One(one) => Some(one),
            Audience::List(list) => list.first().filter(|_| list.len() == 1),
        };
        if only.is_none_or(|only| only != ENTRA_AUDIENCE) {
            return Err(NotProven::OtherAudience);
        }
        if !is_service_account(&claims.sub) {
            return Err(NotProven::OtherSubject);
        }
        Ok(ProvenSubject { issuer: issuer.clone(), subject: claims.sub, audience: ENTRA_AUDIENCE })
    }
}

impl Claims {
    /// Returns whether `now` is within the token's time, with [`LEEWAY`] at both ends.
    fn is_current(&self, now: SystemTime) -> bool {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let Ok(now) = now.duration_since(UNIX_EPOCH).map(seconds) else { return false };
        let leeway = seconds(LEEWAY);
        let latest_start = now.saturating_add(leeway);
        now < self.exp.saturating_add(leeway) && self.nbf <= latest_start && self.iat <= latest_start
    }
}

/// Returns whether a subject is `system:serviceaccount:<namespace>:<name>`.
fn is_service_account(subject: &str) -> bool {
    let names = subject.strip_prefix("system:serviceaccount:").and_then(|names| names.split_once(':'));
    subject.len() <= MAX_SUBJECT_BYTES
        && names
            .is_some_and(|(namespace, name)| !namespace.is_empty() && !name.is_empty() && !name.contains(':'))
}

fn decoded<T: DeserializeOwned>(part: &str) -> Result<T, NotProven> {
    let json = BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| NotProven::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| NotProven::Malformed)
}

#[cfg(test)]
mod tests;
