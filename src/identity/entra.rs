//! Credentials for Entra: with a pod's assertion, a client secret or a client certificate.

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
    blocking::NamespaceComputations,
    cloud::CloudEnvironment,
    spec::{
        identity::{ClientId, ServiceAccountToken, TenantId},
        sensitive::Sensitive,
        service_principal::ClientCertificate,
    },
    transport,
};

use super::client_assertion::{CertificateAssertion, Scheme};

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
    if is_adfs(tenant) {
        options.per_call_policies.push(Arc::new(AdfsEndpoint));
    }
    options
}

fn is_adfs(tenant: &TenantId) -> bool {
    tenant.as_str().eq_ignore_ascii_case("adfs")
}

/// A policy that sends the SDK's token requests to the endpoint of AD FS.
#[derive(Debug)]
struct AdfsEndpoint;

#[async_trait::async_trait]
impl Policy for AdfsEndpoint {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.url_mut().set_path(ADFS_PATH);
        transport::below(ctx, request, next).await
    }
}

const ADFS_PATH: &str = "/adfs/oauth2/token";

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
pub(super) fn with_secret(
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

/// Returns a credential for a service principal with a certificate.
pub(super) fn with_certificate(
    cloud: &CloudEnvironment,
    tenant: &TenantId,
    client: ClientId,
    certificate: ClientCertificate,
    computations: NamespaceComputations,
    client_options: ClientOptions,
) -> Result<Arc<dyn TokenCredential>> {
    let (path, scheme) = match is_adfs(tenant) {
        true => (ADFS_PATH.to_owned(), Scheme::Adfs),
        // The endpoint of the SDK's credential.
        false => (format!("/{tenant}/oauth2/v2.0/token"), Scheme::Entra),
    };
    let mut audience = cloud.authority().clone();
    audience.set_path(&path);
    let assertion = CertificateAssertion::new(certificate, client.clone(), audience, scheme, computations);
    Ok(ClientAssertionCredential::new(
        tenant.to_string(),
        client.to_string(),
        assertion,
        Some(ClientAssertionCredentialOptions { client_options }),
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
