//! What a vault says to whoever shows no token: for what, and from whom, there would be one.
//!
//! Tokens are asked for as the cloud says, whatever a vault names. A challenge that names something else comes from
//! somebody in between, or from a vault of another cloud, and no token is sent there.

use std::fmt;

use azure_core::http::Url;

use crate::{cloud::VaultEndpoint, spec::excerpt::Excerpt};

/// A challenge for the vault that was asked, from its cloud's own authority
/// (<https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// What the cloud says that a token must be for; nothing of what the vault says is kept.
    audience: String,
}

/// Why a challenge leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// No challenge that Key Vault would send.
    #[error("its challenge {0} is none of Key Vault's")]
    Strange(Excerpt),
    /// A token for somebody else is wanted.
    #[error("its challenge wants a token for {0}, which is not its own service")]
    OtherService(Excerpt),
    /// A token from somebody else is wanted.
    #[error("its challenge wants a token from {named}, and this cloud's are from {authority}")]
    OtherAuthority {
        /// Whom it names.
        named: Excerpt,
        /// The cloud's host.
        authority: String,
    },
}

impl Challenge {
    /// Reads the `WWW-Authenticate` that `vault` answered (RFC 9110 section 11.6.1). Schemes beside `Bearer` are passed
    /// over.
    ///
    /// # Errors
    /// It is none, or it names what is not of the vault's cloud.
    pub fn for_vault(text: &str, vault: &VaultEndpoint) -> Result<Self, ChallengeError> {
        let strange = || ChallengeError::Strange(Excerpt::of(text));
        // Compat: the incumbent and the SDK need no commas between parameters.
        let with_commas = text.replace("\" ", "\", ");
        let challenges = http_auth::parse_challenges(text)
            .or_else(|_| http_auth::parse_challenges(&with_commas))
            .map_err(|_| strange())?;
        let bearer = challenges.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case("Bearer"));
        let parameter = |name: &str| {
            let all = &bearer?.params;
            all.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_unescaped())
        };
        let audience = parameter("scope").or_else(|| parameter("resource")).ok_or_else(strange)?;
        let url = |text: &str| Url::parse(text).ok().filter(|url| url.scheme() == "https");
        if !url(&audience)
            // Key Vault names nothing else than a host, and a path of some.
            .filter(|url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty())
            .is_some_and(|url| url.host_str().is_some_and(|domain| vault.is_of(domain)))
        {
            return Err(ChallengeError::OtherService(Excerpt::of(&audience)));
        }
        if let Some(named) = parameter("authorization")
            && !url(&named).is_some_and(|named| vault.has_authority(&named))
        {
            let authority = vault.authority.authority().to_owned();
            return Err(ChallengeError::OtherAuthority { named: Excerpt::of(&named), authority });
        }
        Ok(Self { audience: vault.audience.clone() })
    }
}

impl fmt::Display for Challenge {
    /// `Bearer resource="https://vault.azure.net"`: all that the SDK reads of one, in our own words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"Bearer resource="{}""#, self.audience)
    }
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
            ("Basic realm=x", false),
            ("Bearer", false),
            ("", false),
        ] {
            assert_eq!(read(challenge).is_ok(), good, "{challenge}");
        }
    }

    #[test]
    fn a_challenge_is_from_the_clouds_own_authority() {
        for named in ["https://login.evil.example/t", "http://login.microsoftonline.com/t", "login", ""] {
            let text = format!(r#"Bearer authorization="{named}", resource="https://vault.azure.net""#);
            let error = read(&text).unwrap_err();
            assert!(matches!(error, ChallengeError::OtherAuthority { .. }), "{named}: {error}");
            assert!(
                error.to_string().ends_with("and this cloud's are from login.microsoftonline.com"),
                "{error}"
            );
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
