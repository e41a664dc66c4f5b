//! The pages at the proxy's own address, with which an operator reads and changes the emulator.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use url::form_urlencoded;

use crate::{answer::Answer, azure::Azure, service_account::Validity, vault::Vaults};

/// The pages whose content is made at start.
pub(crate) struct Pages {
    pub(crate) ca_pem: String,
    pub(crate) cloud_file: String,
}

impl Pages {
    pub(crate) async fn answer(&self, azure: &Azure, request: Request<Incoming>) -> Answer {
        let path = request.uri().path();
        match (request.method(), path) {
            (&Method::POST, path) if path.starts_with(VAULTS) => {
                let path = path.to_owned();
                match Limited::new(request.into_body(), MAX_SECRET).collect().await {
                    Ok(value) => add_version(azure, &path, &value.to_bytes()),
                    Err(_) => {
                        Answer::text(StatusCode::PAYLOAD_TOO_LARGE, "a secret has 25,000 bytes at most\n")
                    }
                }
            }
            (_, "/tokens") => tokens(azure, request.uri().query().unwrap_or_default()),
            (_, "/ca.pem") => Answer::text(StatusCode::OK, &self.ca_pem),
            (_, "/cloud.json") => Answer::raw(
                StatusCode::OK,
                HeaderValue::from_static("application/json"),
                Bytes::from(self.cloud_file.clone()),
            ),
            (_, "/journal") => {
                let lines = azure.journal.entries();
                let text: String =
                    lines.iter().map(|entry| format!("{} {}\n", entry.host, entry.line())).collect();
                Answer::text(StatusCode::OK, &text)
            }
            _ => Answer::text(
                StatusCode::NOT_FOUND,
                "this is a CONNECT proxy; it also serves /tokens?namespace=NS&name=NAME[&audience=AUD][&lifetime=SECONDS], \
                 /ca.pem, /cloud.json and /journal, and takes POST /vaults/VAULT/secrets/NAME with a new value\n",
            ),
        }
    }
}

/// Adds a version to a secret, as its owner does in Azure, and returns the version.
fn add_version(azure: &Azure, path: &str, value: &[u8]) -> Answer {
    let names: Vec<_> = path[VAULTS.len()..].split('/').collect();
    let (&[vault, "secrets", name], Ok(value)) = (names.as_slice(), str::from_utf8(value)) else {
        return Answer::text(
            StatusCode::BAD_REQUEST,
            "the path is /vaults/VAULT/secrets/NAME, and the body a text in UTF-8\n",
        );
    };
    let vaults = Vaults::new(Arc::clone(&azure.store), azure.clock.clone());
    if vault.is_empty() || name.is_empty() || !vaults.names().iter().any(|known| known == vault) {
        return Answer::text(StatusCode::NOT_FOUND, "no such vault\n");
    }
    Answer::text(StatusCode::OK, &format!("{}\n", vaults.put_secret(vault, name, value)))
}

/// Returns service-account tokens: the driver's JSON, or a single token's text if the query names an audience.
fn tokens(azure: &Azure, query: &str) -> Answer {
    let value = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    let (Some(namespace), Some(name)) = (value("namespace"), value("name")) else {
        return Answer::text(StatusCode::BAD_REQUEST, "namespace and name are required\n");
    };
    let lifetime = match value("lifetime").map(|text| text.parse()) {
        None => 3600,
        Some(Ok(seconds)) => seconds,
        Some(Err(_)) => {
            return Answer::text(StatusCode::BAD_REQUEST, "lifetime is a number of seconds\n");
        }
    };
    let validity = Validity::For(Duration::from_secs(lifetime));
    match value("audience") {
        Some(audience) => {
            Answer::text(StatusCode::OK, &azure.issuer.token(&namespace, &name, &audience, validity))
        }
        None => {
            let tokens = azure.issuer.tokens(&namespace, &name, validity);
            Answer::raw(StatusCode::OK, HeaderValue::from_static("application/json"), Bytes::from(tokens))
        }
    }
}

const VAULTS: &str = "/vaults/";
/// Key Vault's limit (<https://learn.microsoft.com/azure/key-vault/secrets/about-secrets>).
const MAX_SECRET: usize = 25_000;
