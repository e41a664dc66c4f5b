//! From an identity mode to a token: the only match on modes, and one way for all of them to fail.

mod entra;
mod error;
mod managed;
mod pod_identity;

pub use self::error::IdentityError;

use std::sync::{Arc, Once};

use azure_core::{
    credentials::TokenCredential,
    http::{ClientOptions, Transport},
};

use crate::{
    cloud::CloudEnvironment,
    spec::{
        identity::{IdentityMode, TenantId},
        pod::PodRef,
    },
    transport::{self, Transports},
};

/// Where credentials come from.
#[derive(Debug, Clone)]
pub struct Identities {
    transports: Transports,
    pod_identity_retired: Arc<Once>,
}

impl Identities {
    /// Credentials whose requests go over these transports.
    pub fn new(transports: Transports) -> Self {
        Self {
            transports,
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
        let name = identity.to_string();
        let source = match identity {
            IdentityMode::ManagedIdentity { .. } => "IMDS at 169.254.169.254".to_owned(),
            IdentityMode::PodIdentity => format!("NMI on the node, for pod {pod}"),
            _ => format!("tenant {tenant} at {}", cloud.authority().authority()),
        };
        let describe = |error| IdentityError::new(name.clone(), source.clone(), error);

        let credential: Arc<dyn TokenCredential> = match identity {
            IdentityMode::WorkloadIdentity { client, assertion } => {
                entra::workload(tenant, client, assertion, self.entra_options(cloud)).map_err(describe)?
            }
            IdentityMode::ServicePrincipal { client, secret } => {
                entra::service_principal(tenant, client, secret, self.entra_options(cloud))
                    .map_err(describe)?
            }
            IdentityMode::ManagedIdentity { user_assigned } => {
                managed::credential(user_assigned, options(&self.transports.node)).map_err(describe)?
            }
            IdentityMode::PodIdentity => {
                self.pod_identity_retired.call_once(|| {
                    tracing::warn!("usePodIdentity: AAD pod identity is retired; move to workload identity");
                });
                pod_identity::credential(pod.clone(), options(&self.transports.node)).map_err(describe)?
            }
            IdentityMode::IdentityBinding { .. } => {
                return Err(IdentityError::Unsupported { identity: name });
            }
        };
        credential
            .get_token(&[&cloud.vault_scope()], None)
            .await
            .map_err(describe)?;
        Ok(credential)
    }

    fn entra_options(&self, cloud: &CloudEnvironment) -> ClientOptions {
        ClientOptions {
            cloud: Some(Arc::new(cloud.configuration())),
            ..options(&self.transports.azure)
        }
    }
}

fn options(transport: &Transport) -> ClientOptions {
    ClientOptions {
        transport: Some(transport.clone()),
        retry: transport::retries(),
        ..Default::default()
    }
}
