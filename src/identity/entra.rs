//! Credentials for Entra: with a pod's assertion, or with a client secret.

use std::sync::Arc;

use azure_core::{
    Result,
    credentials::{Secret, TokenCredential},
    http::{
        ClientMethodOptions, ClientOptions, Context, Request,
        policies::{Policy, PolicyResult},
    },
};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions,
};

use crate::{
    cloud::CloudEnvironment,
    spec::{
        identity::{ClientId, ServiceAccountToken, TenantId},
        sensitive::Sensitive,
    },
    transport,
};

/// Returns the options of a credential of `tenant` at the cloud's authority.
///
/// An Azure Stack without Entra has AD FS as its directory, under the tenant `adfs`. AD FS knows only the older token
/// endpoint `/adfs/oauth2/token` (<https://learn.microsoft.com/azure-stack/user/authenticate-azure-stack-hub>).
pub(super) fn at_authority(
    mut options: ClientOptions,
    cloud: &CloudEnvironment,
    tenant: &TenantId,
) -> ClientOptions {
    options.cloud = Some(Arc::new(cloud.configuration()));
    if tenant.as_str().eq_ignore_ascii_case("adfs") {
        options.per_call_policies.push(Arc::new(AdfsEndpoint));
    }
    options
}

/// A policy that sends the SDK's token requests to the endpoint of AD FS.
#[derive(Debug)]
struct AdfsEndpoint;

#[async_trait::async_trait]
impl Policy for AdfsEndpoint {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.url_mut().set_path("/adfs/oauth2/token");
        transport::below(ctx, request, next).await
    }
}

/// Returns a credential for workload identity: the pod's service-account token is the client assertion
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

/// Returns a credential for a service principal with a client secret.
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
