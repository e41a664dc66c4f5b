//! Under what a credential is shared between pods: what was proved, and nothing else.

use aws_lc_rs::digest::{Context, SHA256};

use crate::{
    cloud::CloudEnvironment,
    spec::identity::{IdentityMode, TenantId},
};

/// A hash of everything that decides which token a credential gets: the whole assertion or client secret, the client,
/// the tenant, the authority and the scope.
///
/// The pod's name, its UID and the claims of its token are no part of it. A pod author can write them where the
/// CSIDriver object has no `tokenRequests`; whoever presents the same whole token, though, has proved the same, and a
/// forged one is another key and goes to Entra to be refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CredentialKey([u8; 32]);

impl CredentialKey {
    /// The key; `None` for a mode whose caller is only named, not proved.
    pub(super) fn of(identity: &IdentityMode, tenant: &TenantId, cloud: &CloudEnvironment) -> Option<Self> {
        let (client, proof) = match identity {
            IdentityMode::WorkloadIdentity { client, assertion }
            | IdentityMode::IdentityBinding { client, assertion } => (client.as_str(), assertion.expose()),
            IdentityMode::ServicePrincipal { client, secret } => (client.as_str(), secret.expose().as_str()),
            // The node's own: every pod on it may use them.
            IdentityMode::ManagedIdentity { user_assigned } => {
                (user_assigned.as_ref().map_or("", |client| client.as_str()), "")
            }
            IdentityMode::PodIdentity => return None,
        };
        let mut hash = Context::new(&SHA256);
        for part in [
            identity.name(),
            client,
            proof,
            tenant.as_str(),
            cloud.authority().as_str(),
            &cloud.vault_scope(),
        ] {
            // With its length before it, so that no part can run into the next.
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut key = [0; 32];
        key.copy_from_slice(hash.finish().as_ref());
        Some(Self(key))
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::{
        cloud::CloudName,
        identity::{ClientId, ServiceAccountToken},
        sensitive::Sensitive,
    };

    use super::*;

    fn client(id: &str) -> ClientId {
        id.parse().unwrap()
    }

    fn workload(id: &str, token: &str) -> IdentityMode {
        let assertion = ServiceAccountToken::new(Sensitive::new(token.to_owned()));
        IdentityMode::WorkloadIdentity { client: client(id), assertion }
    }

    fn principal(id: &str, secret: &str) -> IdentityMode {
        IdentityMode::ServicePrincipal { client: client(id), secret: Sensitive::new(secret.to_owned()) }
    }

    fn key(identity: &IdentityMode, tenant: &str, cloud: CloudName) -> Option<CredentialKey> {
        CredentialKey::of(identity, &tenant.parse().unwrap(), &CloudEnvironment::named(cloud))
    }

    #[test]
    fn whatever_decides_on_the_token_changes_the_key() {
        let own = key(&workload("a", "token"), "t", CloudName::Public).unwrap();
        assert_eq!(key(&workload("a", "token"), "t", CloudName::Public), Some(own.clone()));
        let bound = IdentityMode::IdentityBinding {
            client: client("a"),
            assertion: ServiceAccountToken::new(Sensitive::new("token".to_owned())),
        };
        for (what, other) in [
            ("the token", key(&workload("a", "token."), "t", CloudName::Public)),
            ("the client", key(&workload("b", "token"), "t", CloudName::Public)),
            ("the tenant", key(&workload("a", "token"), "u", CloudName::Public)),
            ("the cloud", key(&workload("a", "token"), "t", CloudName::China)),
            ("the mode", key(&bound, "t", CloudName::Public)),
            ("a secret of the same text", key(&principal("a", "token"), "t", CloudName::Public)),
            ("where client ends and token begins", key(&workload("at", "oken"), "t", CloudName::Public)),
            (
                "the node's identity",
                key(&IdentityMode::ManagedIdentity { user_assigned: None }, "t", CloudName::Public),
            ),
        ] {
            assert_ne!(other, Some(own.clone()), "{what}");
            assert!(other.is_some(), "{what}");
        }
    }

    #[test]
    fn a_pod_that_is_only_named_shares_nothing() {
        assert_eq!(key(&IdentityMode::PodIdentity, "t", CloudName::Public), None);
    }

    #[test]
    fn a_key_does_not_hold_the_secret() {
        let shown = format!("{:?}", key(&principal("a", "canary"), "t", CloudName::Public));
        assert!(!shown.contains("canary"), "{shown}");
    }
}
