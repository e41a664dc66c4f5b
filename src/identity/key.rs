//! The cache key of a credential: what the pod proved, and nothing else.

use crate::{
    cloud::CloudEnvironment,
    digest,
    spec::{
        identity::{ClientId, IdentityMode, TenantId},
        service_principal::{ClientCertificate, ClientProof, SentChain},
    },
};

use super::proof::ProvenSubject;

/// A hash of everything that decides which token a credential gets: the whole assertion, client secret or client
/// certificate with its password, the client, the tenant if the mode has one, the authority and the scope. In place of
/// the assertion, it may have the subject that the assertion proves.
///
/// The pod's name, its UID and the claims of its token are not part of the key. A pod author can write them if the
/// CSIDriver object has no `tokenRequests`. A pod that presents the same whole token has proved the same. A
/// forged token has another key, and Entra refuses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CredentialKey {
    hash: [u8; 32],
    /// The length of what the pod proved, in bytes. The credential keeps it in memory.
    proof_bytes: usize,
}

impl CredentialKey {
    /// Returns the key; `None` for a mode that only names its pod and proves nothing.
    pub(super) fn of(identity: &IdentityMode, cloud: &CloudEnvironment) -> Option<Self> {
        let proof = proof(identity)?;
        let scope = cloud.vault_scope();
        let request = [
            identity.name(),
            identity.client().map_or("", ClientId::as_str),
            identity.tenant().map_or("", TenantId::as_str),
            cloud.authority().as_str(),
            &scope,
        ];
        Some(Self {
            hash: digest::of_parts(request.into_iter().chain(proof.iter().copied())),
            proof_bytes: bytes(&proof),
        })
    }

    /// Returns the key that pods of one proven subject share, for the client and tenant of `identity`.
    pub(super) fn of_subject(
        subject: &ProvenSubject,
        identity: &IdentityMode,
        cloud: &CloudEnvironment,
    ) -> Self {
        let ProvenSubject { issuer, subject, audience } = subject;
        let parts: [&str; 8] = [
            "proven subject",
            issuer,
            subject,
            audience,
            identity.client().map_or("", ClientId::as_str),
            identity.tenant().map_or("", TenantId::as_str),
            cloud.authority().as_str(),
            &cloud.vault_scope(),
        ];
        Self { hash: digest::of_parts(parts), proof_bytes: 0 }
    }

    /// Returns the length of what the pod proved, in bytes; 0 for the key of a subject.
    pub(super) fn proof_bytes(&self) -> usize {
        self.proof_bytes
    }
}

/// Returns what the pod presents; `None` if it only names itself.
fn proof(identity: &IdentityMode) -> Option<Vec<&str>> {
    Some(match identity {
        IdentityMode::WorkloadIdentity { assertion, .. }
        | IdentityMode::IdentityBinding { assertion, .. } => vec![assertion.expose()],
        IdentityMode::ServicePrincipal { proof, .. } => match proof {
            ClientProof::Secret(secret) => vec!["secret", secret.expose()],
            ClientProof::Certificate(ClientCertificate { text, password, chain }) => {
                let chain = match chain {
                    SentChain::Omitted => "",
                    SentChain::Sent => "chain",
                };
                vec!["certificate", text.expose(), password.expose(), chain]
            }
        },
        // The node's own identities: every pod on the node may use them.
        IdentityMode::ManagedIdentity { .. } => Vec::new(),
        IdentityMode::PodIdentity => return None,
    })
}

fn bytes(proof: &[&str]) -> usize {
    proof.iter().map(|part| part.len()).sum()
}

#[cfg(test)]
mod tests {
    use crate::spec::{cloud::CloudName, identity::ServiceAccountToken, sensitive::Sensitive};

    use super::*;

    fn client(id: &str) -> ClientId {
        id.parse().unwrap()
    }

    fn token(text: &str) -> ServiceAccountToken {
        ServiceAccountToken::new(Sensitive::new(text.to_owned()))
    }

    fn workload(tenant: &str, id: &str, text: &str) -> IdentityMode {
        let tenant = tenant.parse().unwrap();
        IdentityMode::WorkloadIdentity { tenant, client: client(id), assertion: token(text) }
    }

    fn principal(id: &str, secret: &str) -> IdentityMode {
        IdentityMode::ServicePrincipal {
            tenant: "t".parse().unwrap(),
            client: client(id),
            proof: ClientProof::Secret(Sensitive::new(secret.to_owned())),
        }
    }

    fn key(identity: &IdentityMode, cloud: CloudName) -> Option<CredentialKey> {
        CredentialKey::of(identity, &CloudEnvironment::named(cloud))
    }

    #[test]
    fn whatever_decides_on_the_token_changes_the_key() {
        let own = key(&workload("t", "a", "token"), CloudName::Public).unwrap();
        assert_eq!(key(&workload("t", "a", "token"), CloudName::Public), Some(own.clone()));
        let bound = IdentityMode::IdentityBinding {
            tenant: "t".parse().unwrap(),
            client: client("a"),
            assertion: token("token"),
        };
        let node = IdentityMode::ManagedIdentity { user_assigned: None };
        let certificate = |text: &str, password: &str, chain| IdentityMode::ServicePrincipal {
            tenant: "t".parse().unwrap(),
            client: client("a"),
            proof: ClientProof::Certificate(ClientCertificate {
                text: Sensitive::new(text.to_owned()),
                password: Sensitive::new(password.to_owned()),
                chain,
            }),
        };
        let keys: Vec<_> = [
            principal("a", "text"),
            certificate("text", "", SentChain::Omitted),
            certificate("text", "p", SentChain::Omitted),
            certificate("textp", "", SentChain::Omitted),
            certificate("text", "", SentChain::Sent),
        ]
        .iter()
        .map(|identity| key(identity, CloudName::Public).unwrap())
        .collect();
        for (index, one) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(one), "{index}");
        }
        for (what, other, cloud) in [
            ("the token", workload("t", "a", "token."), CloudName::Public),
            ("the client", workload("t", "b", "token"), CloudName::Public),
            ("the tenant", workload("u", "a", "token"), CloudName::Public),
            ("the cloud", workload("t", "a", "token"), CloudName::China),
            ("the mode", bound, CloudName::Public),
            ("a secret of the same text", principal("a", "token"), CloudName::Public),
            ("where client ends and token begins", workload("t", "at", "oken"), CloudName::Public),
            ("the node's identity", node, CloudName::Public),
        ] {
            let other = key(&other, cloud);
            assert_ne!(other, Some(own.clone()), "{what}");
            assert!(other.is_some(), "{what}");
        }
    }

    #[test]
    fn whatever_a_proof_consists_of_changes_the_key_of_its_subject() {
        let subject = |issuer: &str, subject: &str, audience| ProvenSubject {
            issuer: issuer.into(),
            subject: subject.to_owned(),
            audience,
        };
        let web = "system:serviceaccount:shop:web";
        let key = |subject: &ProvenSubject, identity: &IdentityMode, cloud| {
            CredentialKey::of_subject(subject, identity, &CloudEnvironment::named(cloud))
        };
        let pod = workload("t", "a", "token");
        let own = key(&subject("https://i", web, "api"), &pod, CloudName::Public);
        let other_pod = workload("t", "a", "other token");
        assert_eq!(key(&subject("https://i", web, "api"), &other_pod, CloudName::Public), own);
        for (what, subject, identity, cloud) in [
            ("the issuer", subject("https://i/", web, "api"), workload("t", "a", "token"), CloudName::Public),
            (
                "the subject",
                subject("https://i", &web.to_uppercase(), "api"),
                workload("t", "a", "token"),
                CloudName::Public,
            ),
            (
                "the audience",
                subject("https://i", web, "API"),
                workload("t", "a", "token"),
                CloudName::Public,
            ),
            ("the client", subject("https://i", web, "api"), workload("t", "b", "token"), CloudName::Public),
            ("the tenant", subject("https://i", web, "api"), workload("u", "a", "token"), CloudName::Public),
            ("the cloud", subject("https://i", web, "api"), workload("t", "a", "token"), CloudName::China),
        ] {
            assert_ne!(key(&subject, &identity, cloud), own, "{what}");
        }
    }

    #[test]
    fn a_pod_that_is_only_named_shares_nothing() {
        assert_eq!(key(&IdentityMode::PodIdentity, CloudName::Public), None);
    }

    #[test]
    fn a_key_does_not_hold_the_secret() {
        let shown = format!("{:?}", key(&principal("a", "canary"), CloudName::Public));
        assert!(!shown.contains("canary"), "{shown}");
    }
}
