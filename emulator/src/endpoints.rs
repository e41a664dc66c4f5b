//! The addresses of an emulator, and the certificate that clients must trust.

use std::net::SocketAddr;

use serde_json::json;

use crate::{
    cloud::{LOOPBACK_LOGIN, LOOPBACK_VAULT, TOKEN_PROXY_SUFFIX},
    emulator::Emulator,
};

impl Emulator {
    /// Returns the certificate that clients must trust, as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Returns the address of the HTTPS listener.
    #[must_use]
    pub fn https_address(&self) -> SocketAddr {
        self.https
    }

    /// Returns the address of the HTTP proxy.
    #[must_use]
    pub fn proxy_address(&self) -> SocketAddr {
        self.proxy
    }

    /// Returns the proxy for `HTTPS_PROXY`, as in `http://127.0.0.1:3128`.
    #[must_use]
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.proxy)
    }

    /// Returns the address of IMDS.
    #[must_use]
    pub fn imds_address(&self) -> SocketAddr {
        self.imds
    }

    /// Returns the URL of IMDS, in place of `http://169.254.169.254`.
    #[must_use]
    pub fn imds_url(&self) -> String {
        format!("http://{}", self.imds)
    }

    /// Returns the address of NMI.
    #[must_use]
    pub fn nmi_address(&self) -> SocketAddr {
        self.nmi
    }

    /// Returns the URL of NMI, in place of `http://127.0.0.1:2579`.
    #[must_use]
    pub fn nmi_url(&self) -> String {
        format!("http://{}", self.nmi)
    }

    /// Returns Entra's URL under its loopback name, as in `https://login.localhost:8443/`.
    #[must_use]
    pub fn login_url(&self) -> String {
        format!("https://{LOOPBACK_LOGIN}:{}/", self.https.port())
    }

    /// Returns a vault's URL under its loopback name, as in `https://lab.vault.localhost:8443/`.
    #[must_use]
    pub fn vault_url(&self, name: &str) -> String {
        format!("https://{name}.{LOOPBACK_VAULT}:{}/", self.https.port())
    }

    /// Returns the TLS server name of the token proxy, which the API server's certificate implies.
    #[must_use]
    pub fn token_proxy_name(&self) -> String {
        format!("{}{TOKEN_PROXY_SUFFIX}", self.api_server_id)
    }

    /// Returns an environment file for `AzureStackCloud` with the loopback names.
    #[must_use]
    pub fn cloud_file_json(&self) -> String {
        let port = self.https.port();
        let file = json!({
            "name": "AzureStackCloud",
            "activeDirectoryEndpoint": self.login_url(),
            "keyVaultEndpoint": format!("https://{LOOPBACK_VAULT}/"),
            "keyVaultDNSSuffix": format!("{LOOPBACK_VAULT}:{port}"),
            "resourceIdentifiers": { "keyVault": format!("https://{LOOPBACK_VAULT}") },
        });
        format!("{file:#}\n")
    }
}
