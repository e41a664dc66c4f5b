//! Tokens from Entra itself: for a pod's assertion, or for a client secret.

use std::sync::Arc;

use azure_core::{
    Result,
    credentials::{Secret, TokenCredential},
    http::{ClientMethodOptions, ClientOptions},
};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions,
};

use crate::spec::{
    identity::{ClientId, ServiceAccountToken, TenantId},
    sensitive::Sensitive,
};

/// Workload identity: the pod's service-account token is the client assertion
/// (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation>).
pub(super) fn workload(
    tenant: &TenantId,
    client: ClientId,
    assertion: ServiceAccountToken,
    client_options: ClientOptions,
) -> Result<Arc<dyn TokenCredential>> {
    Ok(ClientAssertionCredential::new(
        tenant.to_string(),
        client.to_string(),
        PodAssertion(assertion),
        Some(ClientAssertionCredentialOptions { client_options }),
    )?)
}

/// Service principal: an application's own secret.
pub(super) fn service_principal(
    tenant: &TenantId,
    client: ClientId,
    secret: Sensitive<String>,
    client_options: ClientOptions,
) -> Result<Arc<dyn TokenCredential>> {
    Ok(ClientSecretCredential::new(
        tenant.as_str(),
        client.to_string(),
        Secret::new(secret.into_exposed()),
        Some(ClientSecretCredentialOptions { client_options }),
    )?)
}

#[derive(Debug)]
struct PodAssertion(ServiceAccountToken);

#[async_trait::async_trait]
impl ClientAssertion for PodAssertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> Result<String> {
        Ok(self.0.expose().to_owned())
    }
}
