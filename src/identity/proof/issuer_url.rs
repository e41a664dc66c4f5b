//! The URL of a service-account issuer.

use std::{fmt, str::FromStr, sync::Arc};

use azure_core::http::Url;

/// The issuer of a cluster's service-account tokens, as the operator wrote it.
///
/// A token names its issuer letter by letter (OpenID Connect Core 1.0, section 3.1.3.7). So the text is kept, and no
/// form of the URL replaces it: a last slash makes another issuer.
#[derive(Debug, Clone)]
pub struct IssuerUrl {
    text: Arc<str>,
    url: Url,
}

/// The longest URL of an issuer, in bytes.
const MAX_URL_BYTES: usize = 1_024;

/// A text is not the URL of an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not the https URL of an issuer, without user, query and fragment")]
pub struct NotAnIssuer;

impl FromStr for IssuerUrl {
    type Err = NotAnIssuer;

    fn from_str(text: &str) -> Result<Self, NotAnIssuer> {
        let url = Url::parse(text).map_err(|_| NotAnIssuer)?;
        let is_plain = url.scheme() == "https"
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if is_plain && text.len() <= MAX_URL_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self { text: text.into(), url })
        } else {
            Err(NotAnIssuer)
        }
    }
}

impl IssuerUrl {
    /// Returns the issuer as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the URL of the discovery document (OpenID Connect Discovery 1.0, section 4): a last slash of the issuer
    /// is removed first.
    pub(super) fn discovery(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/.well-known/openid-configuration", url.path().trim_end_matches('/')));
        url
    }

    /// Returns whether `url` has the issuer's scheme, host and port.
    pub(super) fn is_same_origin(&self, url: &Url) -> bool {
        url.origin() == self.url.origin() && url.username().is_empty() && url.password().is_none()
    }
}

impl PartialEq for IssuerUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for IssuerUrl {}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(text: &str) -> IssuerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn the_discovery_document_is_below_the_issuer() {
        for (text, document) in [
            ("https://oidc.example", "https://oidc.example/.well-known/openid-configuration"),
            ("https://oidc.example/", "https://oidc.example/.well-known/openid-configuration"),
            ("https://oidc.example/t/c", "https://oidc.example/t/c/.well-known/openid-configuration"),
            ("https://oidc.example/t/c/", "https://oidc.example/t/c/.well-known/openid-configuration"),
        ] {
            assert_eq!(issuer(text).discovery().as_str(), document);
            assert_eq!(issuer(text).as_str(), text, "as written");
        }
        assert_ne!(issuer("https://oidc.example"), issuer("https://oidc.example/"));
    }

    #[test]
    fn keys_are_at_the_issuers_own_origin() {
        let issuer = issuer("https://oidc.example/t/");
        for (keys, is_own) in [
            ("https://oidc.example/keys", true),
            ("https://oidc.example:443/t/keys?a=b", true),
            ("https://oidc.example:8443/keys", false),
            ("http://oidc.example/keys", false),
            ("https://oidc.example.evil.example/keys", false),
            ("https://user@oidc.example/keys", false),
            ("data:text/plain,keys", false),
        ] {
            assert_eq!(issuer.is_same_origin(&Url::parse(keys).unwrap()), is_own, "{keys}");
        }
    }

    #[test]
    fn an_issuer_is_an_https_url_without_more() {
        for text in [
            "",
            "oidc.example",
            "http://oidc.example",
            "https://user@oidc.example",
            "https://:p@oidc.example",
            "https://oidc.example?a",
            "https://oidc.example/#a",
            "https://oidc.example/a b",
            "https://",
        ] {
            assert_eq!(text.parse::<IssuerUrl>(), Err(NotAnIssuer), "{text}");
        }
        let longest = format!("https://oidc.example/{}", "a".repeat(MAX_URL_BYTES - 21));
        assert!(longest.parse::<IssuerUrl>().is_ok());
        assert!(format!("{longest}a").parse::<IssuerUrl>().is_err());
    }
}
