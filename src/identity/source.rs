//! The token source of each mode, and the credential that requests tokens from it.

use std::sync::{Arc, Once};

use azure_core::{
    credentials::TokenCredential,
    http::{ClientOptions, Transport},
};

use crate::{
    blocking::Computations,
    metrics::Upstream,
    spec::{identity::IdentityMode, service_principal::ClientProof},
    transport::ClientFactory,
};

use super::{
    TokenProxySettings, TokenRequest, TokenRequestInfo, TokenSource, UnverifiedClaims,
    concurrency_limit::ConcurrencyLimit, echo::EchoPolicy, entra, error_status::ErrorStatusPolicy, managed,
    more_claims::MoreClaimsPolicy, pod_identity, token_proxy::TokenProxy,
    token_response::TokenResponsePolicy,
};

/// All token sources, with their pipeline options.
#[derive(Debug)]
pub(super) struct Sources {
    entra: ClientOptions,
    imds: ClientOptions,
    nmi: ClientOptions,
    bound: ClientOptions,
    pub(super) token_proxy: Arc<TokenProxy>,
    pod_identity_retired: Once,
    computations: Computations,
}

impl Sources {
    pub(super) fn new(
        clients: &ClientFactory,
        token_proxy: TokenProxySettings,
        computations: Computations,
    ) -> Self {
        let concurrency = ConcurrencyLimit::of_entra();
        let options = |upstream, sent_to| {
            let mut options = clients.client_options(upstream);
            // Above the policy that counts requests: a request that waits is not sent yet.
            options.per_try_policies.insert(0, concurrency.policy(sent_to));
            options.per_call_policies.insert(0, Arc::new(ErrorStatusPolicy));
            options.per_call_policies.push(Arc::new(MoreClaimsPolicy));
            // Below the policy that makes an error of an answer.
            options.per_try_policies.push(Arc::new(EchoPolicy));
            options.per_call_policies.insert(0, Arc::new(TokenResponsePolicy));
            options
        };
        let nmi = clients.client_options(Upstream::Node);
        let mut imds = nmi.clone();
        imds.per_call_policies.insert(0, Arc::new(TokenResponsePolicy));
        imds.per_try_policies.insert(0, ConcurrencyLimit::of_imds().policy(None));
        let token_proxy = Arc::new(TokenProxy::new(token_proxy, &clients.transports));
        Self {
            entra: options(Upstream::Entra, None),
            imds,
            nmi,
            // The URLs of these requests name the authority, and the token proxy gets them all.
            bound: options(Upstream::TokenProxy, Some(token_proxy.url().authority().to_owned())),
            token_proxy,
            pod_identity_retired: Once::new(),
            computations,
        }
    }

    /// Returns the token source of `request`, for messages.
    pub(super) fn of(&self, request: &TokenRequest) -> TokenSource {
        match &request.identity {
            IdentityMode::ManagedIdentity { .. } => TokenSource::Imds,
            IdentityMode::PodIdentity => TokenSource::Nmi { pod: request.pod.to_string() },
            IdentityMode::IdentityBinding { tenant, .. } => TokenSource::TokenProxy {
                tenant: tenant.clone(),
                host: self.token_proxy.url().authority().to_owned(),
            },
            IdentityMode::WorkloadIdentity { tenant, .. } | IdentityMode::ServicePrincipal { tenant, .. } => {
                let host = request.cloud.authority().authority().to_owned();
                TokenSource::Entra { tenant: tenant.clone(), host }
            }
        }
    }

    /// Returns a description of `request`, for messages.
    pub(super) fn asked(&self, request: &TokenRequest) -> Box<TokenRequestInfo> {
        let identity = &request.identity;
        Box::new(TokenRequestInfo {
            identity: identity.to_string(),
            client: identity.client().map(ToString::to_string),
            source: self.of(request),
            presented: UnverifiedClaims::by(identity),
            with_certificate: matches!(
                identity,
                IdentityMode::ServicePrincipal { proof: ClientProof::Certificate(_), .. }
            ),
        })
    }

    /// Creates a credential. `bound` is the transport to the token proxy, for identity binding.
    ///
    /// # Errors
    /// The SDK rejects the parameters.
    pub(super) fn credential(
        &self,
        request: &TokenRequest,
        bound: Option<Transport>,
    ) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let TokenRequest { identity, pod, cloud } = request;
        match identity.clone() {
            IdentityMode::WorkloadIdentity { tenant, client, assertion } => {
                let options = entra::at_authority(self.entra.clone(), cloud, &tenant);
                entra::workload(&tenant, client, assertion, options)
            }
            IdentityMode::IdentityBinding { tenant, client, assertion } => {
                let options = entra::at_authority(self.bound.clone(), cloud, &tenant);
                entra::workload(&tenant, client, assertion, ClientOptions { transport: bound, ..options })
            }
            IdentityMode::ServicePrincipal { tenant, client, proof } => {
                let options = entra::at_authority(self.entra.clone(), cloud, &tenant);
                match proof {
                    ClientProof::Secret(secret) => entra::with_secret(&tenant, client, secret, options),
                    ClientProof::Certificate(certificate) => {
                        let computations = self.computations.of(&pod.namespace);
                        entra::with_certificate(cloud, &tenant, client, certificate, computations, options)
                    }
                }
            }
            IdentityMode::ManagedIdentity { user_assigned } => {
                managed::credential(user_assigned, self.imds.clone())
            }
            IdentityMode::PodIdentity => {
                self.pod_identity_retired.call_once(|| {
                    tracing::warn!("usePodIdentity: AAD pod identity is retired; move to workload identity");
                });
                pod_identity::credential(pod.clone(), self.nmi.clone())
            }
        }
    }
}
