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
mod tests {
    use super::*;

    fn read(challenge: &str) -> Result<Challenge, ChallengeError> {
        let vault = VaultEndpoint {
            url: "https://lab.vault.azure.net/".parse().unwrap(),
            authority: "https://login.microsoftonline.com/".parse().unwrap(),
            audience: "https://vault.azure.net".to_owned(),
        };
        Challenge::for_vault(challenge, &vault)
    }

    #[test]
    fn a_challenge_is_for_the_vaults_own_service() {
        for (challenge, good) in [
            (
                r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net""#,
                true,
            ),
            (
                r#"Bearer authorization="https://login.windows.net/t", scope="https://vault.azure.net/.default""#,
                true,
            ),
            (
                r#"Bearer resource="https://vault.azure.net",authorization="https://login.windows.net/t""#,
                true,
            ),
            (r#"bearer RESOURCE="https://vault.azure.net""#, true),
            (
                r#"Bearer authorization="https://login.windows.net/t" resource="https://vault.azure.net""#,
                true,
            ),
            (r#"PoP a="b", Bearer resource="https://vault.azure.net", Basic realm="x""#, true),
            (r#"Bearer resource="https://vault.evil.net""#, false),
            (r#"Bearer resource="https://azure.net.evil""#, false),
            (r#"Bearer resource="https://azure.net""#, false),
            (r#"Bearer resource="https://net""#, false),
            (r#"Bearer resource="https://lab.vault.azure.net""#, false),
            (r#"Bearer resource="vault.azure.net""#, false),
            (r#"Bearer resource="https://vault.azure.net/?\\""#, false),
            (r#"Bearer resource="https://vault.azure.net/#a""#, false),
            (r#"Bearer resource="https://a@vault.azure.net""#, false),
            (r#"Bearer resource="http://vault.azure.net""#, false),
            (r#"PoP resource="https://vault.azure.net""#, false),
            (r#"Bearer authorization="https://login.microsoftonline.com/t""#, false),
            // Without quotes, and without commas.
            (
                "Bearer authorization=https://login.microsoftonline.com/t, resource=https://vault.azure.net",
                true,
            ),
            (
                "Bearer authorization=https://login.microsoftonline.com/t resource=https://vault.azure.net",
                true,
            ),
            (
                r#"Bearer authorization=https://login.microsoftonline.com/t,resource="https://vault.azure.net""#,
                true,
            ),
            ("Bearer resource=https://vault.evil.net", false),
            ("Bearer resource=", false),
            ("Bearer =", false),
            ("=", false),
            (r#"Bearer resource="https://vault.azure.net"#, false),
            ("Basic realm=x", false),
            ("Bearer", false),
            ("", false),
        ] {
            assert_eq!(read(challenge).is_ok(), good, "{challenge}");
        }
    }

    #[test]
    fn a_challenge_that_names_another_authority_is_taken_and_the_name_kept_as_a_hint() {
        for named in ["https://login.evil.example/t", "http://login.microsoftonline.com/t", "login", ""] {
            let text = format!(r#"Bearer authorization="{named}", resource="https://vault.azure.net""#);
            let challenge = read(&text).unwrap();
            assert_eq!(*challenge.authority(), NamedAuthority::Other(Excerpt::of(named)));
            assert_eq!(challenge.to_string(), r#"Bearer resource="https://vault.azure.net""#);
        }
    }

    #[test]
    fn the_tenant_of_a_challenge_is_believed_at_the_clouds_own_authority_alone() {
        const TENANT: &str = "11111111-2222-3333-4444-555555555555";
        let named = |authority: &str| {
            let text = format!(r#"Bearer authorization="{authority}", resource="https://vault.azure.net""#);
            read(&text).unwrap().authority().clone()
        };
        let own = NamedAuthority::Own(TENANT.parse().unwrap());
        for host in [
            "login.microsoftonline.com",
            "LOGIN.MicrosoftOnline.com",
            "login.windows.net",
            "sts.windows.net",
            "westus2.login.microsoft.com",
        ] {
            for end in ["", "/", "/oauth2/authorize"] {
                assert_eq!(named(&format!("https://{host}/{TENANT}{end}")), own, "{host}{end}");
            }
        }
        for path in ["", "/", "/common", "/Organizations", "/consumers/", "/a%2fb", "//"] {
            let authority = format!("https://login.microsoftonline.com{path}");
            assert_eq!(named(&authority), NamedAuthority::NoTenant, "{authority}");
        }
        for other in [
            format!("https://login.microsoftonline.us/{TENANT}"),
            format!("https://login.microsoftonline.com.evil.test/{TENANT}"),
            format!("https://login.microsoftonline.com@evil.test/{TENANT}"),
            format!("http://login.microsoftonline.com/{TENANT}"),
        ] {
            assert_eq!(named(&other), NamedAuthority::Other(Excerpt::of(&other)), "{other}");
        }
        let silent = read(r#"Bearer resource="https://vault.azure.net""#).unwrap();
        assert_eq!(*silent.authority(), NamedAuthority::NoTenant);
    }

    #[test]
    fn a_demand_for_claims_is_read_whatever_its_base64_is() {
        let json = r#"{"access_token":{"nbf":{"essential":true,"value":"1604106651"},"x":"~~~???>>>"}}"#;
        let bytes = json.as_bytes();
        for claims in [
            data_encoding::BASE64.encode(bytes),
            BASE64_NOPAD.encode(bytes),
            data_encoding::BASE64URL.encode(bytes),
            BASE64URL_NOPAD.encode(bytes),
        ] {
            for quote in ["\"", ""] {
                let text = format!(
                    "Bearer authorization=\"https://login.microsoftonline.com/t\", error={quote}insufficient_claims{quote}, \
                     claims={quote}{claims}{quote}"
                );
                let challenge = ClaimsChallenge::read(&text).unwrap();
                assert_eq!(challenge.claims.as_deref(), Some(json), "{text}");
            }
        }
    }

    #[test]
    fn claims_that_are_no_json_object_are_not_passed_on() {
        let read = |claims: &str| {
            ClaimsChallenge::read(&format!(r#"Bearer error="insufficient_claims", claims="{claims}""#))
        };
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_CLAIMS_BYTES));
        for json in ["[]", "no", "1", &long] {
            assert_eq!(
                read(&BASE64_NOPAD.encode(json.as_bytes())),
                Some(ClaimsChallenge { claims: None }),
                "{json}"
            );
        }
        assert_eq!(read("%"), Some(ClaimsChallenge { claims: None }));
        for text in
            ["", "Bearer", r#"Bearer error="invalid_token", claims="e30""#, "Basic error=insufficient_claims"]
        {
            assert_eq!(ClaimsChallenge::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_token_is_for_what_the_cloud_says_whatever_the_vault_names() {
        for text in [
            r#"Bearer resource="https://vault.azure.net""#,
            r#"Bearer resource="https://vault.azure.net/somebody/else""#,
            r#"Bearer x="resource=\"https://evil\"", resource="https://vault.azure.net""#,
            r#"Bearer scope="https://vault.azure.net/.default", resource="https://evil""#,
            r#"Bearer resource="https://vault.azure.net/\"b""#,
        ] {
            let challenge = read(text).unwrap();
            assert_eq!(challenge.to_string(), r#"Bearer resource="https://vault.azure.net""#, "{text}");
            assert_eq!(read(&challenge.to_string()), Ok(challenge));
        }
    }
}
