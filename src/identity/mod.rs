//! From an identity mode to a token: the only match on modes, and one way for all of them to fail.

mod binding;
mod entra;
mod error;
mod managed;
mod pod_identity;
mod server_name;

pub use self::{
    binding::{TokenProxyError, TokenProxySettings},
    error::{IdentityError, LastAnswer},
    server_name::ServerNameError,
};

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use azure_core::{
    credentials::{TokenCredential, TokenRequestOptions},
    http::{ClientMethodOptions, ClientOptions, Context},
};

use crate::{
    cloud::CloudEnvironment,
    metrics::{Metrics, TokenResult, Upstream},
    spec::{
        identity::{IdentityMode, TenantId},
        pod::PodRef,
    },
    transport::{LastExchange, Outgoing},
};

use self::binding::TokenProxy;

/// Where credentials come from.
#[derive(Debug, Clone)]
pub struct Identities {
    entra: ClientOptions,
    node: ClientOptions,
    bound: ClientOptions,
    metrics: Metrics,
    limit: Duration,
    token_proxy: Arc<TokenProxy>,
    pod_identity_retired: Arc<Once>,
}

impl Identities {
    /// Credentials whose requests go out as `outgoing` says, and that have their token within `limit` or not at all.
    pub fn new(outgoing: &Outgoing, token_proxy: TokenProxySettings, limit: Duration) -> Self {
        Self {
            entra: outgoing.client_options(Upstream::Entra),
            node: outgoing.client_options(Upstream::Node),
            bound: outgoing.client_options(Upstream::TokenProxy),
            metrics: outgoing.metrics.clone(),
            limit,
            token_proxy: Arc::new(TokenProxy::new(token_proxy, outgoing.transports.cluster.clone())),
            pod_identity_retired: Arc::new(Once::new()),
        }
    }

    /// A credential that already holds a token for the vaults of `cloud`: an identity that is refused is refused
    /// here, once for the mount, and not again for every object.
    ///
    /// # Errors
    /// Who refused the identity, or could not be asked.
    pub async fn authenticate(
        &self,
        identity: IdentityMode,
        pod: &PodRef,
        tenant: &TenantId,
        cloud: &CloudEnvironment,
    ) -> Result<Arc<dyn TokenCredential>, IdentityError> {
        let mode = identity.name();
        let result = self.credential(identity, pod, tenant, cloud).await;
        self.metrics.token(
            mode,
            match &result {
                Ok(_) => TokenResult::Issued,
                Err(IdentityError::Refused { .. }) => TokenResult::Refused,
                Err(
                    IdentityError::Unavailable { .. } | IdentityError::Late { last: LastAnswer(Some(_)), .. },
                ) => TokenResult::Unavailable,
                Err(
                    IdentityError::Unreachable { .. }
                    | IdentityError::TokenProxy { .. }
                    | IdentityError::Late { last: LastAnswer(None), .. },
                ) => TokenResult::Unreachable,
            },
        );
        result
    }

    async fn credential(
        &self,
        identity: IdentityMode,
        pod: &PodRef,
        tenant: &TenantId,
        cloud: &CloudEnvironment,
    ) -> Result<Arc<dyn TokenCredential>, IdentityError> {
        let name = identity.to_string();
        let source = self.source(&identity, pod, tenant, cloud);
        let bound = matches!(identity, IdentityMode::IdentityBinding { .. });
        let described = |error| IdentityError::new(name.clone(), source.clone(), error);

        let credential = match identity {
            IdentityMode::WorkloadIdentity { client, assertion } => entra::workload(
                tenant,
                client,
                assertion,
                entra::at_authority(self.entra.clone(), cloud, tenant),
            ),
            IdentityMode::ServicePrincipal { client, secret } => entra::service_principal(
                tenant,
                client,
                secret,
                entra::at_authority(self.entra.clone(), cloud, tenant),
            ),
            IdentityMode::ManagedIdentity { user_assigned } => {
                managed::credential(user_assigned, self.node.clone())
            }
            IdentityMode::PodIdentity => {
                self.pod_identity_retired.call_once(|| {
                    tracing::warn!("usePodIdentity: AAD pod identity is retired; move to workload identity");
                });
                pod_identity::credential(pod.clone(), self.node.clone())
            }
            IdentityMode::IdentityBinding { client, assertion } => {
                let transport = self.token_proxy.transport().await;
                let transport = transport
                    .map_err(|source| IdentityError::TokenProxy { identity: name.clone(), source })?;
                let options = ClientOptions { transport: Some(transport), ..self.bound.clone() };
                entra::workload(tenant, client, assertion, entra::at_authority(options, cloud, tenant))
            }
        }
        .map_err(described)?;

        let last = LastExchange::default();
        let mut context = Context::new();
        context.insert(last.clone());
        let options = TokenRequestOptions { method_options: ClientMethodOptions { context } };
        let scope = cloud.vault_scope();
        let token = tokio::time::timeout(self.limit, credential.get_token(&[&scope], Some(options))).await;
        match token.map(|token| token.map_err(described)) {
            Err(_) => Err(IdentityError::Late {
                identity: name,
                source_name: source,
                limit: self.limit,
                last: LastAnswer(last.status()),
            }),
            Ok(Ok(_)) => Ok(credential),
            Ok(Err(error)) => {
                if bound && matches!(error, IdentityError::Unreachable { .. }) {
                    self.token_proxy.forget().await;
                }
                Err(error)
            }
        }
    }

    /// Who gives the token, for messages.
    fn source(
        &self,
        identity: &IdentityMode,
        pod: &PodRef,
        tenant: &TenantId,
        cloud: &CloudEnvironment,
    ) -> String {
        match identity {
            IdentityMode::ManagedIdentity { .. } => "IMDS at 169.254.169.254".to_owned(),
            IdentityMode::PodIdentity => format!("NMI on the node, for pod {pod}"),
            IdentityMode::IdentityBinding { .. } => {
                format!("tenant {tenant} at the token proxy {}", self.token_proxy.url().authority())
            }
            IdentityMode::WorkloadIdentity { .. } | IdentityMode::ServicePrincipal { .. } => {
                format!("tenant {tenant} at {}", cloud.authority().authority())
            }
        }
    }
}
