//! Tenants, applications, managed identities and their roles.

mod denial;
mod handle;
mod roles;

use std::time::Duration;

use crate::{cloud::ISSUER, ids::derived_uuid};

pub(crate) use self::{denial::DeniedRead, roles::Action};
pub use self::{
    denial::{Denial, DeniedScope},
    handle::DirectoryHandle,
    roles::{Role, RoleAssignment, VaultScope},
};

/// The directory behind Entra, IMDS and NMI, and the role assignments of the vaults.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Tenant ids. The vaults and the node's identities belong to the first one.
    pub tenants: Vec<String>,
    /// Applications, also those behind workload identities.
    pub applications: Vec<Application>,
    /// The node's system-assigned identity.
    pub system_assigned: Option<Identity>,
    /// The node's user-assigned identities.
    pub user_assigned: Vec<Identity>,
    /// The identity for which NMI issues tokens to every pod.
    pub pod_identity: Option<Identity>,
    /// The role assignments of all vaults.
    pub roles: Vec<RoleAssignment>,
    /// What some principals may not do although a role allows it.
    pub denials: Vec<Denial>,
    /// The host that the vaults' challenges name; `None` means the cloud's own.
    pub challenge_authority: Option<String>,
    /// The lifetime of Entra's access tokens. Those of managed identities last a day.
    pub token_lifetime: Duration,
}

/// A principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Client (application) id.
    pub client_id: String,
    /// Object (principal) id.
    pub object_id: String,
    /// Azure resource id, for a user-assigned identity.
    pub resource_id: Option<String>,
}

/// An application that requests its own tokens from Entra.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The application's principal.
    pub identity: Identity,
    /// The application's tenant; `None` means the first one.
    pub tenant: Option<String>,
    /// The accepted client secrets.
    pub secrets: Vec<String>,
    /// The federated credentials.
    pub federations: Vec<Federation>,
    /// The trusted certificates.
    pub certificates: Vec<CertificateTrust>,
}

/// A certificate with which an application may sign assertions, in DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateTrust {
    /// This certificate, by its thumbprint.
    Thumbprint(Vec<u8>),
    /// Any certificate with this common name that comes along (`x5c`) with a chain to one of the roots.
    SubjectName {
        /// The common name.
        name: String,
        /// The roots.
        roots: Vec<Vec<u8>>,
    },
}

/// A federated credential: the tokens that an application may present instead of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Federation {
    /// `iss` of the token.
    pub issuer: String,
    /// `sub` of the token.
    pub subject: String,
    /// `aud` of the token.
    pub audience: String,
}

impl Directory {
    /// Returns the directory of the conformance cases, as their README lists it.
    #[must_use]
    pub fn conformance() -> Self {
        let workload = Application::new("cccccccc-0000-0000-0000-000000000002")
            .federated_to("default", "app")
            .federated_to("team-b", "app");
        let service_principal =
            Application::new("dddddddd-0000-0000-0000-000000000003").secret("s3cr3t~value");
        let without_role =
            Application::new("eeeeeeee-0000-0000-0000-000000000004").federated_to("default", "app");
        let system = Identity::new("aaaaaaaa-0000-0000-0000-000000000000");
        let user = Identity::new("bbbbbbbb-0000-0000-0000-000000000001");
        let mut roles: Vec<_> = [&system, &user, &workload.identity, &service_principal.identity]
            .map(|identity| RoleAssignment::administrator(&identity.client_id))
            .into();
        roles.push(RoleAssignment {
            vaults: VaultScope::Except(["lab".to_owned()].into()),
            ..RoleAssignment::administrator(&without_role.identity.client_id)
        });
        Self {
            tenants: vec!["11111111-2222-3333-4444-555555555555".into()],
            applications: vec![workload, service_principal, without_role],
            system_assigned: Some(system.clone()),
            user_assigned: vec![user],
            pod_identity: Some(system),
            roles,
            denials: Vec::new(),
            challenge_authority: None,
            token_lifetime: Duration::from_secs(3599),
        }
    }

    /// Returns an empty directory with one tenant.
    #[must_use]
    pub fn empty(tenant: &str) -> Self {
        Self {
            tenants: vec![tenant.to_owned()],
            applications: Vec::new(),
            system_assigned: None,
            user_assigned: Vec::new(),
            pod_identity: None,
            roles: Vec::new(),
            denials: Vec::new(),
            challenge_authority: None,
            token_lifetime: Duration::from_secs(3599),
        }
    }

    /// Returns the first tenant.
    #[must_use]
    pub fn home_tenant(&self) -> &str {
        self.tenants.first().map_or("", String::as_str)
    }

    pub(crate) fn has_tenant(&self, tenant: &str) -> bool {
        self.tenants.iter().any(|known| known.eq_ignore_ascii_case(tenant))
    }

    pub(crate) fn application(&self, tenant: &str, client_id: &str) -> Option<&Application> {
        self.applications.iter().find(|application| {
            let home = application.tenant.as_deref().unwrap_or(self.home_tenant());
            application.identity.client_id.eq_ignore_ascii_case(client_id)
                && home.eq_ignore_ascii_case(tenant)
        })
    }

    pub(crate) fn permits(&self, client_id: &str, vault: &str, action: Action) -> bool {
        self.roles.iter().any(|assignment| {
            assignment.principal.eq_ignore_ascii_case(client_id)
                && assignment.vaults.includes(vault)
                && assignment.role.grants(action)
        })
    }

    pub(crate) fn denies(&self, client_id: &str, vault: &str, read: DeniedRead<'_>) -> bool {
        self.denials.iter().any(|denial| denial.covers(client_id, vault, read))
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::conformance()
    }
}

impl Identity {
    /// Creates a principal whose object id and resource id are derived from its client id.
    #[must_use]
    pub fn new(client_id: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            object_id: derived_uuid(&format!("object id of {client_id}")),
            resource_id: Some(format!(
                "/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/\
                 Microsoft.ManagedIdentity/userAssignedIdentities/{client_id}"
            )),
        }
    }
}

impl Application {
    /// Creates an application without credentials.
    #[must_use]
    pub fn new(client_id: &str) -> Self {
        Self {
            identity: Identity::new(client_id),
            tenant: None,
            secrets: Vec::new(),
            federations: Vec::new(),
            certificates: Vec::new(),
        }
    }

    /// Adds a client secret.
    #[must_use]
    pub fn secret(mut self, secret: &str) -> Self {
        self.secrets.push(secret.to_owned());
        self
    }

    /// Adds a trusted certificate.
    #[must_use]
    pub fn certificate(mut self, trust: CertificateTrust) -> Self {
        self.certificates.push(trust);
        self
    }

    /// Adds a federated credential for a service account of the emulated cluster, for workload identity.
    #[must_use]
    pub fn federated_to(mut self, namespace: &str, service_account: &str) -> Self {
        self.federations.push(Federation::service_account(namespace, service_account));
        self
    }
}

impl Federation {
    /// Creates a credential for a service account of the emulated cluster, with Entra's own audience.
    #[must_use]
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self {
            issuer: ISSUER.to_owned(),
            subject: format!("system:serviceaccount:{namespace}:{name}"),
            audience: ENTRA_AUDIENCE.to_owned(),
        }
    }
}

/// The audience of tokens for workload identity.
pub(crate) const ENTRA_AUDIENCE: &str = "api://AzureADTokenExchange";
/// The audience of tokens for AKS identity binding.
pub(crate) const BINDING_AUDIENCE: &str = "api://AKSIdentityBinding";
pub(crate) const SUBSCRIPTION: &str = "5ab5c21b-0000-4000-8000-0123456789ab";
pub(crate) const RESOURCE_GROUP: &str = "emulated";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conformance_identities_have_all_roles_but_one() {
        let directory = Directory::conformance();
        let last = "eeeeeeee-0000-0000-0000-000000000004";
        assert!(directory.permits("AAAAAAAA-0000-0000-0000-000000000000", "lab", Action::GetSecret));
        assert!(!directory.permits(last, "lab", Action::GetSecret));
        assert!(directory.permits(last, "other", Action::ReadKey));
        assert!(!directory.permits("ffffffff-0000-0000-0000-000000000000", "lab", Action::ReadKey));
    }

    #[test]
    fn an_application_is_found_in_its_own_tenant_only() {
        let mut directory = Directory::conformance();
        directory.tenants.push("second".into());
        let id = "dddddddd-0000-0000-0000-000000000003";
        assert!(directory.application("11111111-2222-3333-4444-555555555555", id).is_some());
        assert!(directory.application("second", id).is_none());
    }
}
