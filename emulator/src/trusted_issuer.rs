//! Issuers of service-account tokens beside the emulated cluster's own, as Entra trusts the issuer of any cluster.

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use thiserror::Error;

use crate::{
    answer::Answer,
    cloud::{ISSUER, without_port},
    jws::PublicKeys,
};

/// An issuer of service-account tokens, with the public keys that it signs with.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    url: String,
    keys: PublicKeys,
    key_set: String,
}

/// The issuer or its key set is invalid.
#[derive(Debug, Error)]
pub enum TrustedIssuerError {
    /// Entra trusts issuers with `https` only.
    #[error("trust issuer '{url}': it does not begin with https://")]
    Url {
        /// The issuer.
        url: String,
    },
    /// The keys of the emulated cluster are its own.
    #[error("trust issuer '{url}': it is the issuer of the emulated cluster")]
    Own {
        /// The issuer.
        url: String,
    },
    /// The key set is not a JSON Web Key Set, or none of its keys is an RSA key.
    #[error("trust issuer '{url}': its keys are not a JSON Web Key Set with an RSA key")]
    Keys {
        /// The issuer.
        url: String,
    },
}

impl TrustedIssuer {
    /// Parses an issuer from `iss` of its tokens and its JSON Web Key Set (RFC 7517), which a cluster serves at
    /// `/openid/v1/jwks`. Only RS256 signatures are verified. The emulator also publishes the keys under the issuer's own
    /// URL, for clients that reach it through the proxy.
    ///
    /// # Errors
    /// [`TrustedIssuerError`], which names the issuer.
    pub fn parse(url: &str, key_set: &str) -> Result<Self, TrustedIssuerError> {
        let url = url.to_owned();
        if !url.starts_with("https://") {
            return Err(TrustedIssuerError::Url { url });
        }
        if url == ISSUER {
            return Err(TrustedIssuerError::Own { url });
        }
        match PublicKeys::parse(key_set) {
            Some(keys) => Ok(Self { url, keys, key_set: key_set.to_owned() }),
            None => Err(TrustedIssuerError::Keys { url }),
        }
    }
}

/// The trusted issuers of an emulator, by `iss` of their tokens.
#[derive(Debug)]
pub(crate) struct TrustedIssuers(HashMap<String, TrustedIssuer>);

impl TrustedIssuers {
    pub(crate) fn keys(&self, issuer: &str) -> Option<&PublicKeys> {
        self.0.get(issuer).map(|issuer| &issuer.keys)
    }

    /// Returns the discovery document or the key set that an issuer publishes at this address (OpenID Connect Discovery
    /// 1.0, section 4).
    pub(crate) fn document(&self, host: &str, path: &str) -> Option<Answer> {
        let address = format!("https://{}{path}", without_port(host));
        self.0.values().find_map(|issuer| {
            let base = issuer.url.trim_end_matches('/');
            match address.strip_prefix(base)? {
                DISCOVERY => Some(Answer::json(
                    StatusCode::OK,
                    &json!({
                        "issuer": issuer.url,
                        "jwks_uri": format!("{base}{KEY_SET}"),
                        "response_types_supported": ["id_token"],
                        "subject_types_supported": ["public"],
                        "id_token_signing_alg_values_supported": ["RS256"],
                    }),
                )),
                KEY_SET => Some(Answer::raw(
                    StatusCode::OK,
                    HeaderValue::from_static("application/jwk-set+json"),
                    Bytes::from(issuer.key_set.clone()),
                )),
                _ => None,
            }
        })
    }

    /// Returns whether a federated credential for `federated` accepts a token of `presented`.
    ///
    /// A credential for the emulated cluster also accepts the tokens of a trusted one. So one seed fits every cluster.
    pub(crate) fn accepts(&self, federated: &str, presented: &str) -> bool {
        federated == presented || (federated == ISSUER && self.0.contains_key(presented))
    }
}

impl From<Vec<TrustedIssuer>> for TrustedIssuers {
    fn from(issuers: Vec<TrustedIssuer>) -> Self {
        Self(issuers.into_iter().map(|issuer| (issuer.url.clone(), issuer)).collect())
    }
}

const DISCOVERY: &str = "/.well-known/openid-configuration";
const KEY_SET: &str = "/openid/v1/jwks";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jws::SigningKey;

    #[test]
    fn mistakes_name_the_issuer() {
        let keys = SigningKey::generate().key_set().to_string();
        for (url, keys, message) in [
            ("http://a.test", keys.as_str(), "trust issuer 'http://a.test': it does not begin with https://"),
            (
                ISSUER,
                &keys,
                "trust issuer 'https://oidc.localhost': it is the issuer of the emulated cluster",
            ),
            (
                "https://a.test",
                "<html>",
                "trust issuer 'https://a.test': its keys are not a JSON Web Key Set with an RSA key",
            ),
        ] {
            assert_eq!(TrustedIssuer::parse(url, keys).expect_err(message).to_string(), message);
        }
        TrustedIssuer::parse("https://a.test", &keys).expect("it is valid");
    }

    #[test]
    fn a_trusted_issuer_publishes_its_keys_at_its_own_url_only() {
        let keys = SigningKey::generate().key_set().to_string();
        let issuer = TrustedIssuer::parse("https://a.test/tenant/", &keys).expect("it is valid");
        let trusted = TrustedIssuers::from(vec![issuer]);
        let document = |host: &str, path: &str| {
            trusted.document(host, path).map(|answer| String::from_utf8_lossy(&answer.body).into_owned())
        };
        let discovery = document("a.test", "/tenant/.well-known/openid-configuration").expect("it is there");
        assert!(discovery.contains(r#""issuer":"https://a.test/tenant/""#), "{discovery}");
        assert!(discovery.contains(r#""jwks_uri":"https://a.test/tenant/openid/v1/jwks""#), "{discovery}");
        assert_eq!(document("a.test:443", "/tenant/openid/v1/jwks"), Some(keys));
        for (host, path) in [("b.test", "/tenant/openid/v1/jwks"), ("a.test", "/openid/v1/jwks")] {
            assert_eq!(document(host, path), None, "{host}{path}");
        }
    }

    #[test]
    fn a_credential_for_the_emulated_cluster_accepts_trusted_issuers_only() {
        let keys = SigningKey::generate().key_set().to_string();
        let issuer = TrustedIssuer::parse("https://a.test", &keys).expect("it is valid");
        let trusted = TrustedIssuers::from(vec![issuer]);
        for (federated, presented, accepted) in [
            (ISSUER, ISSUER, true),
            (ISSUER, "https://a.test", true),
            (ISSUER, "https://b.test", false),
            ("https://a.test", "https://a.test", true),
            ("https://b.test", "https://a.test", false),
        ] {
            assert_eq!(trusted.accepts(federated, presented), accepted, "{federated} {presented}");
        }
    }
}
