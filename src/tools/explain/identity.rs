//! The identity of a class.

use std::io::{self, Write};

use crate::spec::{
    MountSpec,
    identity::{BINDING_AUDIENCE, ENTRA_AUDIENCE, IdentityMode},
};

pub(super) fn write(spec: &MountSpec, namespace: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  {}", spec.identity)?;
    let subject = format!(
        "system:serviceaccount:{}:<the pod's service account>",
        namespace.unwrap_or("<the pod's namespace>")
    );
    match &spec.identity {
        IdentityMode::WorkloadIdentity { .. } => {
            writeln!(out, "  It needs a federated credential for the cluster's issuer,")?;
            writeln!(out, "  subject {subject},")?;
            writeln!(out, "  audience {ENTRA_AUDIENCE}; the CSIDriver object requests such tokens.")
        }
        IdentityMode::IdentityBinding { .. } => {
            writeln!(out, "  It needs an identity binding of the cluster, and RBAC for subject {subject}.")?;
            writeln!(out, "  The CSIDriver object requests tokens for audience {BINDING_AUDIENCE}.")
        }
        IdentityMode::ServicePrincipal { .. } => {
            writeln!(
                out,
                "  Its client id and credential are in the Secret that the pod names in nodePublishSecretRef."
            )
        }
        IdentityMode::ManagedIdentity { user_assigned: Some(_) } => {
            writeln!(
                out,
                "  Each node's scale set needs this user-assigned identity. Every pod of the node can use it."
            )
        }
        IdentityMode::ManagedIdentity { user_assigned: None } => {
            writeln!(out, "  It is the node's system-assigned identity. Every pod of the node can use it.")
        }
        IdentityMode::PodIdentity => {
            writeln!(out, "  Azure has retired this mode; use workload identity instead.")
        }
    }
}
