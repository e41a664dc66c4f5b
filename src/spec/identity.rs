//! The identity that a mount uses to access Azure.

use std::{fmt, str::FromStr, sync::Arc};

use super::{
    excerpt::Excerpt, placeholder::is_guid, pod::PodRef, sensitive::Sensitive, service_principal::ClientProof,
};

/// Exactly one identity mode, with all of its parameters. `T` is the tenant of the modes that have one.
#[derive(Debug, Clone)]
pub enum IdentityMode<T = TenantId> {
    /// Entra exchanges the pod's service-account token for an Entra token.
    WorkloadIdentity {
        /// `tenantID`
        tenant: T,
        /// `clientID`
        client: ClientId,
        /// The token with audience [`ENTRA_AUDIENCE`].
        assertion: ServiceAccountToken,
    },
    /// Client id, and secret or certificate, from `nodePublishSecretRef`.
    ServicePrincipal {
        /// `tenantID`
        tenant: T,
        /// `clientid`
        client: ClientId,
        /// `clientsecret` or `clientcertificate`
        proof: ClientProof,
    },
    /// The node's own identity, through IMDS.
    ManagedIdentity {
        /// `userAssignedIdentityID`; `None` means the system-assigned one.
        user_assigned: Option<ClientId>,
    },
    /// AAD pod identity, through NMI on the node.
    PodIdentity,
    /// AKS identity binding: like workload identity, but through the cluster's token proxy.
    IdentityBinding {
        /// `tenantID`
        tenant: T,
        /// `clientID`
        client: ClientId,
        /// The token with audience [`BINDING_AUDIENCE`].
        assertion: ServiceAccountToken,
    },
}

/// An identity mode as the parameters have it. Without a tenant, the vault's challenge names it.
pub type ConfiguredIdentity = IdentityMode<Option<TenantId>>;

/// The audience of service-account tokens that Entra exchanges.
pub const ENTRA_AUDIENCE: &str = "api://AzureADTokenExchange";

/// The audience of service-account tokens that the AKS token proxy exchanges.
pub const BINDING_AUDIENCE: &str = "api://AKSIdentityBinding";

impl ConfiguredIdentity {
    /// Returns the mode with its tenant: the configured one, or otherwise the outcome of `learn`, which is polled only
    /// then.
    ///
    /// # Errors
    /// The error of `learn`.
    pub async fn with_tenant<E>(
        self,
        learn: impl Future<Output = Result<TenantId, E>>,
    ) -> Result<IdentityMode, E> {
        let known = async |tenant: Option<TenantId>| match tenant {
            Some(tenant) => Ok(tenant),
            None => learn.await,
        };
        Ok(match self {
            Self::WorkloadIdentity { tenant, client, assertion } => {
                IdentityMode::WorkloadIdentity { tenant: known(tenant).await?, client, assertion }
            }
            Self::ServicePrincipal { tenant, client, proof } => {
                IdentityMode::ServicePrincipal { tenant: known(tenant).await?, client, proof }
            }
            Self::IdentityBinding { tenant, client, assertion } => {
                IdentityMode::IdentityBinding { tenant: known(tenant).await?, client, assertion }
            }
            Self::ManagedIdentity { user_assigned } => IdentityMode::ManagedIdentity { user_assigned },
            Self::PodIdentity => IdentityMode::PodIdentity,
        })
    }

    /// Returns the name under which a mount of `pod` shares its reads, as far as is known before its token. Mounts of one
    /// principal have the same name.
    pub fn sharers(&self, pod: &PodRef) -> Arc<str> {
        match self {
            // Each pod may have another principal.
            Self::PodIdentity => format!("{self} of {pod}").into(),
            identity => identity.to_string().into(),
        }
    }
}

impl<T> IdentityMode<T> {
    /// Returns the mode's name, for messages, logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::WorkloadIdentity { .. } => "workload identity",
            Self::ServicePrincipal { .. } => "service principal",
            Self::ManagedIdentity { user_assigned: Some(_) } => "user-assigned managed identity",
            Self::ManagedIdentity { user_assigned: None } => "system-assigned managed identity",
            Self::PodIdentity => "pod identity",
            Self::IdentityBinding { .. } => "identity binding",
        }
    }

    /// Returns the configured client id, if the mode has one.
    pub fn client(&self) -> Option<&ClientId> {
        match self {
            Self::WorkloadIdentity { client, .. }
            | Self::ServicePrincipal { client, .. }
            | Self::IdentityBinding { client, .. } => Some(client),
            Self::ManagedIdentity { user_assigned } => user_assigned.as_ref(),
            Self::PodIdentity => None,
        }
    }

    /// Returns the tenant, if the mode has one: in other modes the node knows its identities' tenant.
    pub fn tenant(&self) -> Option<&T> {
        match self {
            Self::WorkloadIdentity { tenant, .. }
            | Self::ServicePrincipal { tenant, .. }
            | Self::IdentityBinding { tenant, .. } => Some(tenant),
            Self::ManagedIdentity { .. } | Self::PodIdentity => None,
        }
    }
}

impl<T> fmt::Display for IdentityMode<T> {
    /// Writes `workload identity cccccccc-0000-0000-0000-000000000002`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self.client() {
            Some(client) => write!(f, " {client}"),
            None => Ok(()),
        }
    }
}

/// The id of an application or a managed identity. It goes into form fields, and never into a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId(String);

impl ClientId {
    /// Parses the client id of a SecretProviderClass. Entra and IMDS accept only the GUID for managed identities and
    /// for the applications of workload identity.
    ///
    /// # Errors
    /// The text is not a GUID in its usual form.
    pub fn from_guid(text: &str) -> Result<Self, InvalidClientGuid> {
        if is_guid(text) {
            return Ok(Self(text.to_owned()));
        }
        let excerpt = Excerpt::of(text);
        // <https://learn.microsoft.com/rest/api/resources/resources/get-by-id>, also in the URL of a portal's page.
        let start = text[..text.floor_char_boundary(512)].to_ascii_lowercase();
        let is_resource = start.contains("subscriptions/")
            || start.contains("/providers/")
            || start.contains("resourcegroups/");
        Err(if is_resource {
            InvalidClientGuid::ResourceId(excerpt)
        } else {
            InvalidClientGuid::Other(excerpt)
        })
    }

    /// Returns the id as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 1024 printable characters without spaces")]
pub struct InvalidClientId;

/// A text is not the GUID of a client id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClientGuid {
    /// The path of an identity in Azure Resource Manager.
    #[error("{0} is a resource id; set the client id of the identity, a GUID")]
    ResourceId(Excerpt),
    /// A name, or any other text.
    #[error("{0} is not a client id; set the GUID alone, as in 00000000-0000-0000-0000-000000000000")]
    Other(Excerpt),
}

impl FromStr for ClientId {
    type Err = InvalidClientId;

    fn from_str(id: &str) -> Result<Self, InvalidClientId> {
        if (1..=1024).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(id.to_owned()))
        } else {
            Err(InvalidClientId)
        }
    }
}

/// A tenant, by id or by domain name. It becomes a part of the authority's URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TenantId(String);

impl TenantId {
    /// Returns the tenant as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid tenant {0}: must be a tenant's GUID or domain name")]
pub struct InvalidTenant(Excerpt);

impl FromStr for TenantId {
    type Err = InvalidTenant;

    fn from_str(id: &str) -> Result<Self, InvalidTenant> {
        let clean = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
        if (1..=253).contains(&id.len()) && clean && !id.contains("..") && id != "." {
            Ok(Self(id.to_owned()))
        } else {
            Err(InvalidTenant(Excerpt::of(id)))
        }
    }
}

/// A pod's service-account token for one audience, as the driver passed it. Entra verifies it, not the provider.
#[derive(Debug, Clone)]
pub struct ServiceAccountToken(Sensitive<String>);

impl ServiceAccountToken {
    /// The longest token that is used, in bytes. Kubernetes' tokens have about 1,200.
    pub const MAX_BYTES: usize = 16 << 10;

    /// Wraps the token's text.
    pub fn new(token: Sensitive<String>) -> Self {
        Self(token)
    }

    /// Returns the token's text.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_cannot_leave_its_place_in_the_authority() {
        for (tenant, good) in [
            ("11111111-2222-3333-4444-555555555555", true),
            ("contoso.onmicrosoft.com", true),
            ("adfs", true),
            ("", false),
            ("a/b", false),
            ("../common", false),
            ("..", false),
            ("a?b", false),
            ("a b", false),
        ] {
            assert_eq!(tenant.parse::<TenantId>().is_ok(), good, "{tenant:?}");
        }
    }

    #[test]
    fn a_client_id_of_a_class_is_a_guid() {
        for guid in ["cccccccc-0000-0000-0000-000000000002", "CCCCCCCC-0000-0000-0000-00000000000f"] {
            assert_eq!(ClientId::from_guid(guid).unwrap().as_str(), guid);
        }
        for name in [
            "",
            "my-identity",
            "api://app",
            "{cccccccc-0000-0000-0000-000000000002}",
            "urn:uuid:cccccccc-0000-0000-0000-000000000002",
            "cccccccc000000000000000000000002",
            "cccccccc-0000-0000-0000-00000000000g",
            "cccccccc-0000-0000-0000-0000000000022",
            "cccccccc_0000_0000_0000_000000000002",
            "ccccccc-c0000-0000-0000-000000000002",
        ] {
            assert_eq!(ClientId::from_guid(name), Err(InvalidClientGuid::Other(Excerpt::of(name))));
        }
        for resource in [
            "/subscriptions/1/resourcegroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app",
            "subscriptions/1/resourceGroups/rg",
            "/SUBSCRIPTIONS/1/RESOURCEGROUPS/rg",
            "https://portal.azure.com/#@t/resource/subscriptions/1/resourceGroups/rg/overview",
            "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app",
        ] {
            let expected = InvalidClientGuid::ResourceId(Excerpt::of(resource));
            assert_eq!(ClientId::from_guid(resource), Err(expected));
        }
    }

    #[test]
    fn pods_of_one_client_share_reads_and_those_of_pod_identity_do_not() {
        let pod = |name: &str| PodRef { namespace: "apps".to_owned(), name: name.to_owned(), uid: None };
        let workload = |client: &str| ConfiguredIdentity::WorkloadIdentity {
            tenant: None,
            client: client.parse().unwrap(),
            assertion: ServiceAccountToken::new(Sensitive::new("canary".to_owned())),
        };
        let node = |user_assigned| ConfiguredIdentity::ManagedIdentity { user_assigned };
        for (one, other, shared) in [
            (workload("a"), workload("a"), true),
            (workload("a"), workload("b"), false),
            (workload("a"), node(Some("a".parse().unwrap())), false),
            (node(None), node(None), true),
            (node(None), node(Some("a".parse().unwrap())), false),
            (IdentityMode::PodIdentity, IdentityMode::PodIdentity, false),
        ] {
            let names = (one.sharers(&pod("web-0")), other.sharers(&pod("web-1")));
            assert_eq!(names.0 == names.1, shared, "{names:?}");
            assert_eq!(one.sharers(&pod("web-0")), names.0, "the same pod again");
        }
    }

    #[test]
    fn no_credential_shows_in_debug_output() {
        let tenant: TenantId = "t".parse().unwrap();
        let modes = [
            IdentityMode::WorkloadIdentity {
                tenant: tenant.clone(),
                client: "client".parse().unwrap(),
                assertion: ServiceAccountToken::new(Sensitive::new("canary".to_owned())),
            },
            IdentityMode::ServicePrincipal {
                tenant,
                client: "client".parse().unwrap(),
                proof: ClientProof::Secret(Sensitive::new("canary".to_owned())),
            },
        ];
        for mode in modes {
            let shown = format!("{mode:?} {mode}");
            assert!(shown.contains("client") && !shown.contains("canary"), "{shown}");
        }
    }
}
