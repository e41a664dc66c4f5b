//! The state that all listeners share, and the routing of requests to services.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use serde_json::json;

use crate::{
    access_token::AccessTokens,
    answer::Answer,
    clock::Clock,
    cloud::{CLOUDS, Cloud, Host},
    directory::DirectoryHandle,
    entra::{Entra, audience_for},
    faults::Faults,
    ids::RequestIds,
    imds::Imds,
    journal::{Journal, OpenConnection},
    latency::Latency,
    nmi::Nmi,
    rate::RateLimits,
    route::{RequestHead, Service},
    service_account::Issuer,
    timer::Alarms,
    trusted_issuer::TrustedIssuers,
    vault::{CLIENT_REQUEST_ID, KeyVault, VaultHeaders, VaultStore},
};

/// The state of one emulator.
#[derive(Debug)]
pub(crate) struct Azure {
    pub(crate) directory: DirectoryHandle,
    pub(crate) store: Arc<VaultStore>,
    pub(crate) tokens: AccessTokens,
    pub(crate) issuer: Issuer,
    pub(crate) trusted_issuers: TrustedIssuers,
    pub(crate) clock: Clock,
    pub(crate) limits: RateLimits,
    pub(crate) faults: Faults,
    pub(crate) latency: Latency,
    pub(crate) alarms: Alarms,
    pub(crate) journal: Journal,
    pub(crate) ids: RequestIds,
    pub(crate) connections: AtomicU64,
}

impl Azure {
    /// Counts a new connection, and returns its number and a guard of it.
    pub(crate) fn connection(&self) -> (u64, OpenConnection) {
        (self.connections.fetch_add(1, Ordering::Relaxed), self.journal.connection())
    }

    /// Returns the answer of the service that the head names, without faults.
    pub(crate) fn answer(&self, head: &RequestHead, headers: &HeaderMap, body: &Bytes) -> Answer {
        match head.service {
            Service::Entra | Service::TokenProxy => self.entra(head).answer(head, body),
            Service::Vault => self.vault(head, headers),
            Service::Imds => {
                let directory = self.directory.snapshot();
                Imds { directory: &directory, tokens: &self.tokens, clock: &self.clock }.answer(head, headers)
            }
            Service::Nmi => {
                let directory = self.directory.snapshot();
                Nmi { directory: &directory, tokens: &self.tokens, clock: &self.clock }.answer(head, headers)
            }
            Service::Issuer => {
                let trusted = self.trusted_issuers.document(&head.host, &head.path);
                trusted.unwrap_or_else(|| self.issuer.answer(head))
            }
            Service::ApiServer => Answer::json(
                StatusCode::UNAUTHORIZED,
                &json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": "Unauthorized", "reason": "Unauthorized", "code": 401,
                }),
            ),
            Service::Unknown => Answer::json(
                StatusCode::MISDIRECTED_REQUEST,
                &json!({
                    "error": {
                        "code": "UnknownHost",
                        "message": format!("The emulator does not play the host '{}'.", head.host),
                    },
                }),
            ),
        }
    }

    /// Returns the service's own body for a status that a fault injects.
    pub(crate) fn failing(service: Service, status: StatusCode) -> Answer {
        match service {
            Service::Vault => KeyVault::failing(status),
            Service::Entra | Service::TokenProxy => Answer::json(
                status,
                &json!({
                    "error": "temporarily_unavailable",
                    "error_description": "AADSTS90033: A transient error has occurred. Please try again.",
                    "error_codes": [90033],
                }),
            ),
            _ => Answer::json(status, &json!({ "error": status.canonical_reason().unwrap_or("failed") })),
        }
    }

    fn entra(&self, head: &RequestHead) -> Entra<'_> {
        Entra {
            directory: self.directory.snapshot(),
            tokens: &self.tokens,
            issuer: &self.issuer,
            trusted_issuers: &self.trusted_issuers,
            clock: &self.clock,
            cloud: cloud_of(&head.host),
            audience: audience_for(head.service),
        }
    }

    fn vault(&self, head: &RequestHead, headers: &HeaderMap) -> Answer {
        let vault_headers = VaultHeaders {
            // An access token has kilobytes, and is sent with each request.
            authorization: headers.get(AUTHORIZATION).and_then(|value| str::from_utf8(value.as_bytes()).ok()),
            client_request_id: headers.get(CLIENT_REQUEST_ID).cloned(),
        };
        KeyVault {
            store: &self.store,
            directory: self.directory.snapshot(),
            tokens: &self.tokens,
            clock: &self.clock,
            limits: &self.limits,
            ids: &self.ids,
            cloud: cloud_of(&head.host),
            vault: head.vault.as_deref().unwrap_or_default(),
        }
        .answer(head, vault_headers)
    }
}

/// Returns the cloud of a host. For a name in no cloud, it is the loopback cloud, which accepts all audiences.
fn cloud_of(host: &str) -> &'static Cloud {
    match Host::parse(host) {
        Host::Login(cloud) | Host::Vault { cloud, .. } => cloud,
        Host::Issuer | Host::ApiServer | Host::Unknown => {
            CLOUDS.iter().find(|cloud| cloud.is_loopback()).unwrap_or(&CLOUDS[0])
        }
    }
}
