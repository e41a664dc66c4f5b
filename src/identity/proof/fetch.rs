//! The way to an issuer's keys: its discovery document, and the key set that the document names.

use std::time::Duration;

use azure_core::{
    error::ErrorKind,
    http::{Context, Method, Pipeline, Request, Url},
};
use bytes::Bytes;
use serde::Deserialize;

use crate::{
    metrics::Upstream,
    spec::excerpt::Excerpt,
    transport::{self, BoxError, ClientFactory},
};

use super::{IssuerUrl, KeySet, KeySetError, MAX_DOCUMENT_BYTES};

/// The time for both documents, retries included.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

/// A client for the documents of issuers, over the transport to Azure with its proxy and roots. It follows no redirect.
#[derive(Debug, Clone)]
pub(super) struct KeyFetcher(Pipeline);

/// An error of fetching an issuer's keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no answer within {}s", FETCH_TIMEOUT.as_secs())]
    Timeout,
    #[error("cannot read {url}")]
    Unreachable { url: Url, source: BoxError },
    #[error("cannot read {url}: status {status}")]
    Status { url: Url, status: u16 },
    #[error("cannot read {url}: the answer is longer than {MAX_DOCUMENT_BYTES} bytes")]
    TooLong { url: Url },
    #[error("{url} is not a discovery document")]
    NotADiscoveryDocument { url: Url },
    #[error("{url} is of issuer {named}; set --service-account-issuer to that issuer, letter by letter")]
    OtherIssuer { url: Url, named: Excerpt },
    #[error("{url} names keys at {keys}; they must be at the issuer's own host and port, over https")]
    OtherOrigin { url: Url, keys: Excerpt },
    #[error("cannot use the keys at {url}")]
    KeySet { url: Url, source: KeySetError },
}

/// The fields of a discovery document that matter here (OpenID Connect Discovery 1.0, section 3).
#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
}

impl KeyFetcher {
    pub(super) fn new(clients: &ClientFactory) -> Self {
        let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        let options = clients.client_options(Upstream::Issuer);
        Self(Pipeline::new(Some(name), Some(version), options, Vec::new(), Vec::new(), None))
    }

    /// Returns the keys that `issuer` publishes now.
    ///
    /// # Errors
    /// One of the two documents cannot be read, or the issuer does not publish its keys at its own origin.
    pub(super) async fn keys(&self, issuer: &IssuerUrl) -> Result<KeySet, FetchError> {
        match tokio::time::timeout(FETCH_TIMEOUT, self.both(issuer)).await {
            Ok(keys) => keys,
            Err(_) => Err(FetchError::Timeout),
        }
    }

    async fn both(&self, issuer: &IssuerUrl) -> Result<KeySet, FetchError> {
        let url = issuer.discovery();
        let keys = key_set_url(issuer, &url, &self.document(&url).await?)?;
        let document = self.document(&keys).await?;
        KeySet::parse(&document).map_err(|source| FetchError::KeySet { url: keys, source })
    }

    async fn document(&self, url: &Url) -> Result<Bytes, FetchError> {
        let mut request = Request::new(url.clone(), Method::Get);
        request.insert_header("accept", "application/json, application/jwk-set+json");
        let url = || url.clone();
        match self.0.send(&Context::new(), &mut request, None).await {
            Ok(response) if response.body().len() > MAX_DOCUMENT_BYTES => {
                Err(FetchError::TooLong { url: url() })
            }
            Ok(response) => Ok(response.into_body().into()),
            Err(error) => Err(match error.kind() {
                ErrorKind::HttpResponse { status, .. } => {
                    FetchError::Status { url: url(), status: (*status).into() }
                }
                _ => FetchError::Unreachable { url: url(), source: transport::cause(error) },
            }),
        }
    }
}

/// Returns the URL of the key set that the discovery document at `url` names.
fn key_set_url(issuer: &IssuerUrl, url: &Url, document: &[u8]) -> Result<Url, FetchError> {
    let url = || url.clone();
    let DiscoveryDocument { issuer: named, jwks_uri } =
        serde_json::from_slice(document).map_err(|_| FetchError::NotADiscoveryDocument { url: url() })?;
    if named != issuer.as_str() {
        return Err(FetchError::OtherIssuer { url: url(), named: Excerpt::of(&named) });
    }
    let keys = Url::parse(&jwks_uri).ok().filter(|keys| issuer.is_same_origin(keys));
    keys.ok_or_else(|| FetchError::OtherOrigin { url: url(), keys: Excerpt::of(&jwks_uri) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(issuer: &str, document: &serde_json::Value) -> Result<String, FetchError> {
        let issuer: IssuerUrl = issuer.parse().unwrap();
        let url = key_set_url(&issuer, &issuer.discovery(), document.to_string().as_bytes());
        url.map(|url| url.to_string())
    }

    #[test]
    fn the_discovery_document_is_of_the_issuer_letter_by_letter() {
        let document = |issuer: &str| json!({ "issuer": issuer, "jwks_uri": "https://oidc.example/keys" });
        let named = "https://oidc.example/t/";
        assert_eq!(found(named, &document(named)).unwrap(), "https://oidc.example/keys");
        for other in ["https://oidc.example/t", "https://oidc.example/T/", "https://other.example/t/", ""] {
            let error = found(named, &document(other)).unwrap_err();
            assert!(matches!(error, FetchError::OtherIssuer { .. }), "{other}: {error}");
        }
        let error = found("https://oidc.example/t", &document(named)).unwrap_err().to_string();
        assert!(
            error.contains(r#"of issuer "https://oidc.example/t/"; set --service-account-issuer"#),
            "{error}"
        );
    }

    #[test]
    fn keys_at_another_origin_are_not_fetched() {
        let document = |keys: &str| json!({ "issuer": "https://oidc.example", "jwks_uri": keys });
        for keys in ["https://evil.example/keys", "http://oidc.example/keys", "/keys", ""] {
            let error = found("https://oidc.example", &document(keys)).unwrap_err();
            assert!(matches!(error, FetchError::OtherOrigin { .. }), "{keys}: {error}");
        }
        for other in [json!([]), json!({ "issuer": "https://oidc.example" }), json!("text")] {
            let error = found("https://oidc.example", &other).unwrap_err();
            assert!(matches!(error, FetchError::NotADiscoveryDocument { .. }), "{error}");
        }
    }
}
