//! The structure of a case.

use akv_emulator::{
    Application, CertificateTrust, Denial, DeniedScope, Directory, Federation, Identity, ObjectKind,
    RoleAssignment, VaultSet,
};
use data_encoding::BASE64;
use serde::Deserialize;

use crate::{conformance::faults::CaseFault, harness::CaseRequest};

use super::check::Expectation;

#[derive(Deserialize)]
pub(super) struct Case {
    pub(super) name: String,
    #[serde(default)]
    pub(super) flags: Vec<String>,
    pub(super) vaults: VaultSet,
    /// More of the directory's identities.
    #[serde(default)]
    principals: Vec<Principal>,
    /// The host that the vaults' challenges name.
    authority: Option<String>,
    #[serde(default)]
    pub(super) faults: Vec<CaseFault>,
    /// The deadline of the call, in seconds.
    #[serde(default = "default_timeout")]
    pub(super) timeout: u64,
    pub(super) request: CaseRequest,
    pub(super) expect: Expectation,
}

fn default_timeout() -> u64 {
    60
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Principal {
    client_id: String,
    object_id: Option<String>,
    #[serde(default)]
    federated: Vec<Trust>,
    /// Certificates in PEM: what it proves itself with, or with `subject_name` the roots of such certificates.
    #[serde(default)]
    certificates: Vec<String>,
    subject_name: Option<String>,
    /// What it may not do: `vault`, `vault/list` or `vault/secrets/name`.
    #[serde(default)]
    deny: Vec<String>,
}

/// A federated credential. Its issuer is the cluster's, which is the emulator's own here.
#[derive(Deserialize)]
struct Trust {
    subject: String,
}

impl Case {
    /// Returns the directory of the conformance cases, with the identities of this case.
    pub(super) fn directory(&self) -> Result<Directory, String> {
        let mut directory = Directory::conformance();
        directory.challenge_authority.clone_from(&self.authority);
        for principal in &self.principals {
            let client_id = &principal.client_id;
            let mut identity = Identity::new(client_id);
            if let Some(object_id) = &principal.object_id {
                identity.object_id.clone_from(object_id);
            }
            let federations = principal.federated.iter().map(|Trust { subject }| Federation {
                subject: subject.clone(),
                ..Federation::service_account("default", "app")
            });
            let application = Application {
                identity,
                federations: federations.collect(),
                certificates: principal.trust(),
                ..Application::new(client_id)
            };
            directory.applications.retain(|known| known.identity.client_id != *client_id);
            directory.applications.push(application);
            directory.roles.push(RoleAssignment::administrator(client_id));
            for denied in &principal.deny {
                let (vault, scope) = denial(denied)?;
                directory.denials.push(Denial { principal: client_id.clone(), vault, scope });
            }
        }
        Ok(directory)
    }
}

impl Principal {
    fn trust(&self) -> Vec<CertificateTrust> {
        let certificates = self.certificates.iter().map(|pem| der(pem));
        match &self.subject_name {
            Some(name) => {
                vec![CertificateTrust::SubjectName { name: name.clone(), roots: certificates.collect() }]
            }
            None => certificates.map(CertificateTrust::Thumbprint).collect(),
        }
    }
}

/// Returns the one certificate of a PEM text.
fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    BASE64.decode(lines.collect::<String>().as_bytes()).expect("a certificate in PEM")
}

fn denial(text: &str) -> Result<(String, DeniedScope), String> {
    let parts: Vec<&str> = text.split('/').collect();
    let (vault, scope) = match parts.as_slice() {
        [vault] => (vault, DeniedScope::Vault),
        [vault, "list"] => (vault, DeniedScope::Lists),
        [vault, collection, name] => {
            let kind = ObjectKind::ALL.into_iter().find(|kind| kind.collection() == *collection);
            let kind = kind.ok_or_else(|| format!("cannot deny {text}"))?;
            (vault, DeniedScope::Object(kind, (*name).to_owned()))
        }
        _ => return Err(format!("cannot deny {text}")),
    };
    Ok(((*vault).to_owned(), scope))
}
