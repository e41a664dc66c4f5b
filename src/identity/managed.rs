//! Credentials for the node's own identities, from IMDS at 169.254.169.254.

use std::sync::Arc;

use azure_core::{Result, credentials::TokenCredential, http::ClientOptions};
use azure_identity::{ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId};

use crate::spec::identity::ClientId;

/// Returns a credential for the system-assigned identity, or for a user-assigned one by its client id.
pub(super) fn credential(
    user_assigned: Option<ClientId>,
    client_options: ClientOptions,
) -> Result<Arc<dyn TokenCredential>> {
    let user_assigned_id = user_assigned.map(|client| UserAssignedId::ClientId(client.to_string()));
    Ok(ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
        user_assigned_id,
        client_options,
    }))?)
}
