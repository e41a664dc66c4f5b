//! The directory of a seed.

use std::collections::BTreeMap;

use super::{
    SeedError,
    document::{ApplicationSeed, Document, FederationSeed, IdentitySeed, RoleSeed, VaultSeed},
};
use crate::{
    cloud::ISSUER,
    directory::{Application, Directory, ENTRA_AUDIENCE, Federation, Identity, RoleAssignment, VaultScope},
};

impl Document {
    /// Builds the directory, and returns the vaults unchanged.
    pub(super) fn split(self) -> Result<(Directory, BTreeMap<String, VaultSeed>), SeedError> {
        let default = Directory::conformance();
        let named = self.applications.is_some() || self.node.is_some() || self.pod_identity.is_some();
        let tenant = self.tenant.unwrap_or_else(|| default.home_tenant().to_owned());
        let mut directory =
            if named { Directory::empty(&tenant) } else { Directory { tenants: vec![tenant], ..default } };
        if named {
            directory.applications = self
                .applications
                .into_iter()
                .flatten()
                .map(Application::try_from)
                .collect::<Result<_, _>>()?;
            let node = self.node.unwrap_or_default();
            directory.system_assigned = node.system_assigned.map(Identity::from);
            directory.user_assigned = node.user_assigned.into_iter().map(Identity::from).collect();
            directory.pod_identity = self.pod_identity.map(Identity::from);
        }
        match self.roles {
            Some(roles) => {
                directory.roles =
                    roles.into_iter().map(RoleAssignment::try_from).collect::<Result<_, _>>()?;
            }
            None if named => directory.roles = all_roles(&directory),
            None => {}
        }
        Ok((directory, self.vaults))
    }
}

impl TryFrom<ApplicationSeed> for Application {
    type Error = SeedError;

    fn try_from(seed: ApplicationSeed) -> Result<Self, SeedError> {
        let federations = seed.federations.into_iter().map(|federation| trusted(federation, &seed.client_id));
        let identity =
            IdentitySeed { client_id: seed.client_id.clone(), object_id: seed.object_id, resource_id: None };
        Ok(Self {
            federations: federations.collect::<Result<_, _>>()?,
            identity: identity.into(),
            tenant: None,
            secrets: seed.secrets,
            certificates: Vec::new(),
        })
    }
}

fn trusted(seed: FederationSeed, client_id: &str) -> Result<Federation, SeedError> {
    let subject = match (seed.subject, seed.service_account) {
        (Some(subject), None) if seed.namespace.is_none() => subject,
        (None, Some(name)) => {
            let namespace = seed.namespace.as_deref().unwrap_or("default");
            Federation::service_account(namespace, &name).subject
        }
        _ => {
            return Err(SeedError::Identity {
                client_id: client_id.to_owned(),
                problem: "a federation needs either `subject` or `serviceAccount` with its `namespace`",
            });
        }
    };
    Ok(Federation {
        issuer: seed.issuer.unwrap_or_else(|| ISSUER.to_owned()),
        subject,
        audience: seed.audience.unwrap_or_else(|| ENTRA_AUDIENCE.to_owned()),
    })
}

impl From<IdentitySeed> for Identity {
    fn from(seed: IdentitySeed) -> Self {
        let derived = Self::new(&seed.client_id);
        Self {
            object_id: seed.object_id.unwrap_or(derived.object_id),
            resource_id: seed.resource_id.or(derived.resource_id),
            client_id: derived.client_id,
        }
    }
}

impl TryFrom<RoleSeed> for RoleAssignment {
    type Error = SeedError;

    fn try_from(seed: RoleSeed) -> Result<Self, SeedError> {
        let names = |names: Vec<String>| names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let vaults = match (seed.vaults, seed.except) {
            (Some(vaults), None) => VaultScope::Only(names(vaults)),
            (None, Some(except)) => VaultScope::Except(names(except)),
            (None, None) => VaultScope::All,
            (Some(_), Some(_)) => {
                return Err(SeedError::Identity {
                    client_id: seed.principal,
                    problem: "a role has either `vaults` or `except`",
                });
            }
        };
        Ok(Self { principal: seed.principal, vaults, role: seed.role })
    }
}

fn all_roles(directory: &Directory) -> Vec<RoleAssignment> {
    let applications = directory.applications.iter().map(|application| &application.identity);
    applications
        .chain(&directory.system_assigned)
        .chain(&directory.user_assigned)
        .chain(&directory.pod_identity)
        .map(|identity| RoleAssignment::administrator(&identity.client_id))
        .collect()
}
