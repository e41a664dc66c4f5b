//! Authentication challenges: a vault's response to a request without a token, with the audience and the authority it
//! wants.
//!
//! Tokens are requested as the cloud configures, whatever a vault names. A challenge for another service comes from
//! something between provider and vault, or from a vault of another cloud. It is rejected, and no token is sent. A
//! challenge that names another authority is accepted: the provider sends nothing to that authority, and a vault that
//! does not trust the cloud's authority says so itself. Its tenant is not believed.

use std::{fmt, sync::Arc};

use azure_core::http::Url;
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use http_auth::ChallengeRef;

use crate::{
    cloud::VaultEndpoint,
    spec::{excerpt::Excerpt, identity::TenantId},
};

/// A challenge of the vault that received the request
/// (<https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The audience that the cloud configures, whatever the vault says.
    audience: String,
    authority: NamedAuthority,
}

/// The authority that a challenge names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedAuthority {
    /// The cloud's own, under any of its names, and the tenant in it.
    Own(TenantId),
    /// None, or the cloud's own without a tenant.
    NoTenant,
    /// Another one.
    Other(Excerpt),
}

/// An error of a rejected challenge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// The header is not a challenge that Key Vault would send.
    #[error("{0} is not a Key Vault challenge")]
    Strange(Excerpt),
    /// The challenge demands a token for another service.
    #[error("it asks for a token for {0}, which is another service")]
    OtherService(Excerpt),
}

impl Challenge {
    /// Parses the `WWW-Authenticate` of a response of `vault` (RFC 9110 section 11.6.1). Schemes other than `Bearer`
    /// are skipped.
    ///
    /// # Errors
    /// The header is not a challenge, or the challenge is for another service than the vault's.
    pub fn for_vault(text: &str, vault: &VaultEndpoint) -> Result<Self, ChallengeError> {
        let strange = || ChallengeError::Strange(Excerpt::of(text));
        let repaired = repaired(text);
        let bearer = bearer(text, &repaired).ok_or_else(strange)?;
        let audience =
            bearer.parameter("scope").or_else(|| bearer.parameter("resource")).ok_or_else(strange)?;
        let url = |text: &str| Url::parse(text).ok().filter(|url| url.scheme() == "https");
        if !url(&audience)
            // Key Vault names nothing but a host, and at times a path.
            .filter(|url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty())
            .is_some_and(|url| url.host_str().is_some_and(|domain| vault.is_of(domain)))
        {
            return Err(ChallengeError::OtherService(Excerpt::of(&audience)));
        }
        let authority = match bearer.parameter("authorization") {
            None => NamedAuthority::NoTenant,
            Some(named) => match url(&named).filter(|named| vault.has_authority(named)) {
                Some(own) => tenant(&own).map_or(NamedAuthority::NoTenant, NamedAuthority::Own),
                None => NamedAuthority::Other(Excerpt::of(&named)),
            },
        };
        Ok(Self { audience: vault.audience.clone(), authority })
    }

    /// Returns the authority that the vault names.
    pub fn authority(&self) -> &NamedAuthority {
        &self.authority
    }
}

/// Returns the tenant in an authority's URL: the first part of its path. The names of endpoints for several tenants are
/// no tenants, since an application authenticates in one
/// (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).
fn tenant(authority: &Url) -> Option<TenantId> {
    let first = authority.path_segments()?.next()?;
    let several = ["common", "organizations", "consumers"];
    let is_one = !several.iter().any(|several| first.eq_ignore_ascii_case(several));
    is_one.then(|| first.parse().ok()).flatten()
}

impl fmt::Display for Challenge {
    /// Formats the challenge as `Bearer resource="https://vault.azure.net"`, rewritten, with all that the SDK reads
    /// of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"Bearer resource="{}""#, self.audience)
    }
}

/// A demand for a token with more claims, from continuous access evaluation or authentication contexts
/// (<https://learn.microsoft.com/entra/identity-platform/claims-challenge>).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the vault wants a token with more claims")]
pub struct ClaimsChallenge {
    /// The JSON object of the claims; `None` if the vault's text is not one.
    pub claims: Option<Arc<str>>,
}

/// The longest claims that are passed on, in bytes of JSON. Real claims have a few hundred.
const MAX_CLAIMS_BYTES: usize = 4 << 10;

impl ClaimsChallenge {
    /// Parses the `WWW-Authenticate` of a 401 to a request with a token; `None` if it demands no claims.
    pub fn read(text: &str) -> Option<Self> {
        let repaired = repaired(text);
        let bearer = bearer(text, &repaired)?;
        if bearer.parameter("error")? != "insufficient_claims" {
            return None;
        }
        let claims = bearer.parameter("claims").and_then(|claims| {
            let claims = claims.trim_end_matches('=').as_bytes();
            let json = BASE64URL_NOPAD.decode(claims).or_else(|_| BASE64_NOPAD.decode(claims)).ok()?;
            let json = String::from_utf8(json).ok().filter(|json| json.len() <= MAX_CLAIMS_BYTES)?;
            serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&json).ok()?;
            Some(json.into())
        });
        Some(Self { claims })
    }
}

/// Returns the challenge of scheme `Bearer` in a header's text, or else in the repaired text.
fn bearer<'a>(text: &'a str, repaired: &'a str) -> Option<Bearer<'a>> {
    let challenges =
        http_auth::parse_challenges(text).or_else(|_| http_auth::parse_challenges(repaired)).ok()?;
    challenges.into_iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case("Bearer")).map(Bearer)
}

struct Bearer<'a>(ChallengeRef<'a>);

impl Bearer<'_> {
    fn parameter(&self, name: &str) -> Option<String> {
        let mut all = self.0.params.iter();
        all.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_unescaped())
    }
}

/// Returns the header's text in the form of RFC 9110: quotes around each value, and commas between parameters.
///
/// Compat: provider-azure and the SDK require neither.
fn repaired(text: &str) -> String {
    let mut repaired = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let (before, value) = rest.split_at(at + 1);
        repaired.push_str(before);
        let end = match value.strip_prefix('"') {
            Some(quoted) => end_of_quoted(quoted).map_or(value.len(), |end| end + 2),
            None => value.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(value.len()),
        };
        let (value, after) = value.split_at(end);
        match value.starts_with('"') {
            true => repaired.push_str(value),
            false => {
                repaired.push('"');
                repaired.extend(
                    value
                        .chars()
                        .flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c])),
                );
                repaired.push('"');
            }
        }
        let next = after.trim_start();
        if next.len() < after.len() && !next.is_empty() && !next.starts_with(',') {
            repaired.push(',');
        }
        rest = after;
    }
    repaired.push_str(rest);
    repaired
}

/// Returns the position of the quote that closes a quoted string.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

#[cfg(test)]
mod tests;
