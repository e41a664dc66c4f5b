//! An emulator, and SDK clients that reach it through its proxy.

use std::sync::{Arc, LazyLock};

use akv_emulator::{Emulator, Keys, VaultSet};
use azure_core::{
    credentials::{Secret, TokenCredential},
    error::{Error, ErrorKind},
    http::{
        AsyncRawResponse, Body, ClientOptions, HttpClient, Request, RetryOptions, Transport, headers::Headers,
    },
};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions,
};
use azure_security_keyvault_certificates::{CertificateClient, CertificateClientOptions};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use serde_json::{Value, json};

pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const WORKLOAD: &str = "cccccccc-0000-0000-0000-000000000002";
pub(crate) const SERVICE_PRINCIPAL: &str = "dddddddd-0000-0000-0000-000000000003";
pub(crate) const WITHOUT_ROLE: &str = "eeeeeeee-0000-0000-0000-000000000004";
pub(crate) const ENTRA_AUDIENCE: &str = "api://AzureADTokenExchange";
pub(crate) const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
pub(crate) const VAULT: &str = "https://lab.vault.azure.net";

/// Generating RSA keys takes longer than most tests.
static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::generate().expect("keys can be made"));

/// Returns the keys that all emulators of these tests share.
pub(crate) fn keys_made_once() -> Keys {
    KEYS.clone()
}

pub(crate) async fn emulator() -> Emulator {
    let vaults: VaultSet = serde_json::from_value(lab()).expect("the content has the stored form");
    Emulator::builder().keys(keys_made_once()).vaults(vaults).start().await.expect("loopback has free ports")
}

fn lab() -> Value {
    let many: Vec<_> = (0..60)
        .map(|number| {
            json!({ "version": format!("{number:032x}"), "created": 1_700_000_000 + number, "body": { "value": number.to_string() } })
        })
        .collect();
    json!({ "lab": {
        "secrets": {
            "db-password": [
                { "version": "c4ca4238a0b923820dcc509a6f75849b", "created": 1_700_000_001, "body": { "value": "old", "contentType": "text/plain" } },
                { "version": "c81e728d9d4c2f636f067f89cc14862c", "created": 1_700_000_002, "body": { "value": "pa55w0rd" } },
            ],
            "off": [
                { "version": "0a", "created": 1, "body": { "value": "on" } },
                { "version": "0b", "created": 2, "enabled": false, "body": { "value": "off" } },
            ],
            "many": many,
        },
        "keys": {
            "k": [{ "version": "0c", "created": 1, "body": { "key": { "kty": "RSA", "n": "AQAB", "e": "AQAB" } } }],
        },
        "certificates": {
            "c": [{ "version": "0d", "created": 1, "body": { "cer": "MAMCAQA=" } }],
        },
    } })
}

/// Returns a client that reaches the emulator under every production name.
pub(crate) fn http(emulator: &Emulator) -> reqwest::Client {
    let authority =
        reqwest::Certificate::from_pem(emulator.ca_pem().as_bytes()).expect("the authority is PEM");
    reqwest::Client::builder()
        .proxy(reqwest::Proxy::https(emulator.proxy_url()).expect("the proxy has a URL"))
        .tls_certs_only([authority])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("the client can be built")
}

/// An HTTP client of the tests, behind the SDK's trait.
#[derive(Debug)]
struct OverReqwest(reqwest::Client);

#[async_trait::async_trait]
impl HttpClient for OverReqwest {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let failed = |error| Error::with_error(ErrorKind::Io, error, "the request failed");
        let Body::Bytes(body) = request.body().clone() else { panic!("only bodies in memory are sent") };
        let method = request.method().as_ref().parse().expect("the SDK's methods are HTTP's");
        let mut outgoing = self.0.request(method, request.url().as_str()).body(body);
        for (name, value) in request.headers().iter() {
            outgoing = outgoing.header(name.as_str(), value.as_str());
        }
        let response = outgoing.send().await.map_err(failed)?;
        let (status, mut headers) = (response.status().as_u16(), Headers::new());
        for (name, value) in response.headers() {
            headers.insert(name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned());
        }
        let body = response.bytes().await.map_err(failed)?;
        Ok(AsyncRawResponse::from_bytes(status.into(), headers, body))
    }
}

pub(crate) fn options(emulator: &Emulator) -> ClientOptions {
    ClientOptions {
        transport: Some(Transport::new(Arc::new(OverReqwest(http(emulator))))),
        retry: RetryOptions::none(),
        ..ClientOptions::default()
    }
}

pub(crate) fn with_secret(emulator: &Emulator, client_id: &str, secret: &str) -> Arc<dyn TokenCredential> {
    let options = ClientSecretCredentialOptions { client_options: options(emulator) };
    ClientSecretCredential::new(TENANT, client_id.into(), Secret::new(secret.to_owned()), Some(options))
        .expect("ids are well formed")
}

pub(crate) fn with_token(
    emulator: &Emulator,
    tenant: &str,
    client_id: &str,
    token: &str,
) -> Arc<dyn TokenCredential> {
    let options = ClientAssertionCredentialOptions { client_options: options(emulator) };
    let assertion = Fixed(token.to_owned());
    ClientAssertionCredential::new(tenant.into(), client_id.into(), assertion, Some(options))
        .expect("ids are well formed")
}

/// Returns the workload identity of `default/app`.
pub(crate) fn workload(emulator: &Emulator) -> Arc<dyn TokenCredential> {
    let token = emulator.service_account_token("default", "app", ENTRA_AUDIENCE, HOUR);
    with_token(emulator, TENANT, WORKLOAD, &token)
}

pub(crate) fn secrets(emulator: &Emulator, credential: Arc<dyn TokenCredential>) -> SecretClient {
    let options = SecretClientOptions { client_options: options(emulator), ..Default::default() };
    SecretClient::new(VAULT, credential, Some(options)).expect("the vault has a URL")
}

pub(crate) fn keys(emulator: &Emulator, credential: Arc<dyn TokenCredential>) -> KeyClient {
    let options = KeyClientOptions { client_options: options(emulator), ..Default::default() };
    KeyClient::new(VAULT, credential, Some(options)).expect("the vault has a URL")
}

pub(crate) fn certificates(emulator: &Emulator, credential: Arc<dyn TokenCredential>) -> CertificateClient {
    let options = CertificateClientOptions { client_options: options(emulator), ..Default::default() };
    CertificateClient::new(VAULT, credential, Some(options)).expect("the vault has a URL")
}

/// Returns HTTP status and service code of an SDK error, from anywhere in its chain.
pub(crate) fn status_and_code(error: &azure_core::Error) -> (u16, String) {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<azure_core::Error>()
            && let azure_core::error::ErrorKind::HttpResponse { status, error_code, .. } = error.kind()
        {
            return (u16::from(*status), error_code.clone().unwrap_or_default());
        }
        next = error.source();
    }
    panic!("no HTTP status in {error:?}");
}

#[derive(Debug)]
struct Fixed(String);

#[async_trait::async_trait]
impl ClientAssertion for Fixed {
    async fn secret(
        &self,
        _: Option<azure_core::http::ClientMethodOptions<'_>>,
    ) -> azure_core::Result<String> {
        Ok(self.0.clone())
    }
}
