//! The action for each failure code, in one sentence.

use crate::{
    failure::FailureCode as Code,
    identity::{TokenSource, UnverifiedClaims},
    spec::{excerpt::Excerpt, identity::TenantId, object::ObjectType, vault::VaultName},
};

/// What an action can name.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::mount) struct About<'a> {
    /// The vault of the mount.
    pub(in crate::mount) vault: Option<&'a VaultName>,
    /// The type of the failed object.
    pub(in crate::mount) kind: Option<ObjectType>,
    /// What the mount did with the object.
    pub(in crate::mount) access: Access,
    /// Mode and client id.
    pub(in crate::mount) identity: &'a str,
    /// The client id alone.
    pub(in crate::mount) client: Option<&'a str>,
    /// The tenant of the token request, if the mode names one.
    pub(in crate::mount) tenant: Option<&'a TenantId>,
    /// The caller's object id, to which roles are assigned.
    pub(in crate::mount) object_id: Option<&'a str>,
    /// The token source.
    pub(in crate::mount) source: Option<&'a TokenSource>,
    /// Claims of the pod's token.
    pub(in crate::mount) presented: Option<&'a UnverifiedClaims>,
    /// The authority that the vault's challenge named, if it differs from the cloud's.
    pub(in crate::mount) other_authority: Option<&'a Excerpt>,
}

/// What a mount does with objects.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::mount) enum Access {
    /// It reads one.
    #[default]
    Get,
    /// It lists all objects of a type.
    List,
}

impl About<'_> {
    fn vault(&self) -> String {
        self.vault.map_or_else(|| "the vault".to_owned(), |vault| format!("vault {vault}"))
    }

    /// Returns the service that failed: the token source or the vault.
    fn asked(&self) -> String {
        match self.source {
            Some(TokenSource::Entra { host, .. }) => host.clone(),
            Some(TokenSource::TokenProxy { .. }) => "the token proxy".to_owned(),
            Some(TokenSource::Imds) => "IMDS".to_owned(),
            Some(TokenSource::Nmi { .. }) => "NMI".to_owned(),
            None => self.vault(),
        }
    }

    fn client(&self) -> String {
        self.client.map_or_else(|| "the identity".to_owned(), |client| format!("client {client}"))
    }

    /// Returns the assignee of a role or access policy: the object id if it is known.
    fn grantee(&self) -> String {
        match self.object_id {
            Some(id) => format!("object id {id}"),
            None => self.identity.to_owned(),
        }
    }
}

/// Returns the name that access policies use for a type of object.
fn permission(kind: Option<ObjectType>) -> &'static str {
    match kind {
        Some(ObjectType::Key) => "key",
        Some(ObjectType::Certificate) => "certificate",
        Some(ObjectType::Secret) | None => "secret",
    }
}

/// Returns the action for `code`; empty if the error text names the action.
pub(in crate::mount) fn of(code: Code, about: &About) -> String {
    let said = |text: &str| text.to_owned();
    match code {
        Code::TenantNotKnown => said("set tenantID to the vault's tenant, and check cloudName"),
        Code::NoFederatedCredential => federate(about),
        Code::FederationNotAllowed => said("the tenant's administrator must allow federated credentials"),
        Code::PodTokenNotTrusted => {
            let issuer = about.presented.map_or("the cluster's issuer URL", |token| token.issuer.as_str());
            format!(
                "Entra must be able to read the signing keys of {issuer}; the pod must not bring its own token"
            )
        }
        Code::PodTokenNotValidNow => said(
            "check the clocks of node and API server; a running pod gets fresh tokens only with requiresRepublish: true \
             in the CSIDriver object",
        ),
        Code::WrongClientSecret => {
            said("the Secret must hold the client secret's value, not its id, without a line end")
        }
        Code::ClientSecretExpired => {
            format!("create a new client secret for {} and store it in the Secret", about.client())
        }
        Code::WrongClientCertificate => format!(
            "register the certificate for {}, or set sendcertificatechain where a subject name is trusted; check the \
             node's clock",
            about.client()
        ),
        Code::UnknownTenant => said("check tenantID and cloudName"),
        Code::UnknownClient => {
            format!("check that {} is a client id, not an object id, and belongs to tenantID", about.client())
        }
        Code::ClientDisabled => format!("enable the application of {}", about.client()),
        Code::UnknownVaultService => {
            said("check cloudName, and that the tenant in tenantID is the subscription's")
        }
        Code::ConditionalAccess => {
            format!("the Conditional Access policy must allow {} from the cluster's address", about.client())
        }
        Code::IdentityNotOnNode => match about.client {
            Some(client) => format!(
                "assign the identity {client} to the node's scale set, or correct userAssignedIdentityID"
            ),
            None => said(
                "enable the system-assigned identity of the node's scale set, or set userAssignedIdentityID",
            ),
        },
        Code::IdentityNotChosen => said("set userAssignedIdentityID to the client id of one of them"),
        Code::NoPodIdentity => said("check the pod's aadpodidbinding label and its AzureIdentityBinding"),
        Code::TokenThrottled | Code::TokenSourceDown => said("kubelet tries again"),
        Code::ImdsUnreachable => {
            said("run the provider with hostNetwork on an Azure node, and allow it 169.254.169.254")
        }
        Code::NmiUnreachable => said("run NMI on the pod's node, and the provider with hostNetwork"),
        Code::NoTokenProxy => {
            said("check that the cluster has identity binding, and that the provider reaches the API server")
        }
        Code::EntraDnsFailed => said("check cloudName and the DNS of the node"),
        Code::VaultDnsFailed => format!(
            "check the name of {}, cloudName, and the private DNS zone of a private endpoint",
            about.vault()
        ),
        Code::DnsTimeout => said("check the DNS servers of the node and the way to them"),
        Code::ConnectFailed => said("check egress rules, firewalls and routes from the node"),
        Code::ConnectionLost => {
            said("check for a firewall or proxy between node and Azure that ends connections")
        }
        Code::NoAnswer => {
            said("kubelet tries again; check for a firewall between node and Azure that drops packets")
        }
        Code::TlsNotTrusted => said(
            "if TLS is intercepted, or the cloud has its own CA, add that CA by SSL_CERT_FILE or SSL_CERT_DIR",
        ),
        Code::TlsNotValidNow => said("check the node's clock"),
        Code::TlsFailed => said("check for a proxy between node and Azure, and the host's certificate"),
        Code::ProxyUnreachable => said("check HTTPS_PROXY of the provider, and that the proxy is reachable"),
        Code::ProxyRefused => said(
            "allow the host in the proxy, or name it in NO_PROXY; check that the proxy resolves and reaches the host",
        ),
        Code::ProxyAuthRequired => said(
            "put the proxy's user and password into HTTPS_PROXY of the provider, or have the proxy let the provider pass \
             without",
        ),
        Code::ForbiddenByProxy => format!(
            "check the proxies, firewalls and gateways between node and Azure: one answers in place of {}, and must let \
             the provider pass",
            about.asked()
        ),
        Code::UnexpectedAnswer => {
            said("check for a proxy or gateway between node and Azure that answers in its place")
        }
        Code::ForbiddenByRbac if about.access == Access::List => format!(
            "find lists the vault: grant the role {} on {} to {}; a new assignment takes up to ten minutes",
            about.kind.unwrap_or(ObjectType::Secret).reader_role(),
            about.vault(),
            about.grantee()
        ),
        Code::ForbiddenByRbac => format!(
            "grant the role {} on {} to {}; a new assignment takes up to ten minutes",
            about.kind.unwrap_or(ObjectType::Secret).reader_role(),
            about.vault(),
            about.grantee()
        ),
        Code::ForbiddenByPolicy if about.access == Access::List => format!(
            "add an access policy on {} for {}: {} list, which find needs, and get",
            about.vault(),
            about.grantee(),
            permission(about.kind)
        ),
        Code::ForbiddenByPolicy => format!(
            "add an access policy on {} for {}: {} get, and list for objectVersionHistory and objectVersionPolicy",
            about.vault(),
            about.grantee(),
            permission(about.kind)
        ),
        Code::ForbiddenByFirewall => format!(
            "allow the cluster's outbound address or the nodes' subnet in the firewall of {}",
            about.vault()
        ),
        Code::ForbiddenByConnection => format!(
            "{} takes private connections only; its name must resolve to its private endpoint on the node",
            about.vault()
        ),
        Code::VaultRefusedToken | Code::VaultInOtherTenant | Code::WrongAudience
            if let Some(named) = about.other_authority =>
        {
            format!(
                "its challenge names the authority {named}, so check cloudName and the cloud environment file"
            )
        }
        Code::VaultRefusedToken => {
            said("kubelet tries again; if it lasts, check cloudName and the vault's tenant")
        }
        Code::ClaimsChallenge => format!(
            "a Conditional Access policy (continuous access evaluation) is in the way: let {} in from the cluster's \
             address, or exclude it",
            about.identity
        ),
        Code::VaultInOtherTenant => match about.tenant {
            Some(_) => format!("set tenantID to the tenant of {}", about.vault()),
            None => format!("use an identity of the tenant of {}", about.vault()),
        },
        Code::WrongAudience => said("check cloudName, or keyVaultEndpoint of the cloud environment file"),
        Code::NotFound if about.access == Access::List => said("check keyvaultName"),
        Code::NotFound => said("check objectName, objectType and objectVersion"),
        Code::SoftDeleted => said("recover it, or create it again"),
        Code::ObjectDisabled => said("enable it in the vault"),
        Code::NoFittingVersion => {
            said("create or enable a version that fits, or change objectVersionPolicy or objectNotAfter")
        }
        Code::NothingFound => {
            said("correct find, or set optional: true; managed: true finds those of certificates too")
        }
        Code::TooManyFound => said("narrow find, or use several volumes and vaults"),
        Code::NotYetValid => said("wait for its activation date, or change the date"),
        Code::Expired => said("create a new version, or change the expiry date"),
        Code::Throttled => {
            said("kubelet tries again; if this is frequent, spread the objects over several vaults")
        }
        Code::VaultDown => said("kubelet tries again"),
        Code::CertificateNotIssued => said("wait until it is issued"),
        Code::NoSuchKey => said("correct path in jmesPath, or set optional or default for it"),
        Code::TimeoutCloudFile => said("check the volume that the file is on"),
        Code::TimeoutToken | Code::TimeoutRead => {
            said("kubelet tries again; check what is slow between node and Azure")
        }
        Code::TimeoutConnect => said("check egress rules, firewalls and routes from the node"),
        Code::TimeoutThrottled => said("kubelet tries again; the vault gets more requests than it allows"),
        Code::TimeoutConvert => said("raise the CPU limit of the provider"),
        Code::TimeoutQueued => said("kubelet tries again; the log says what kept the mounts before it"),
        Code::BadParameters
        | Code::NoCredentials
        | Code::NoCloudFile
        | Code::BadCloudFile
        | Code::IdentityRefused
        | Code::Forbidden
        | Code::RequestRejected
        | Code::WrongEncoding
        | Code::CannotConvert
        | Code::FileClash
        | Code::TooLarge
        | Code::Stopping
        | Code::InternalError => String::new(),
    }
}

fn federate(about: &About) -> String {
    let client = about.client();
    match (about.source, about.presented) {
        (Some(TokenSource::TokenProxy { .. }), Some(token)) => format!(
            "check that the cluster has an identity binding for {client}, and that {} may use it",
            token.subject
        ),
        (_, Some(UnverifiedClaims { issuer, subject, audience })) => format!(
            "add a federated credential for subject '{subject}', issuer '{issuer}' and audience '{audience}' to \
             {client} (a new one takes some seconds to spread)"
        ),
        (_, None) => format!("add a federated credential to {client} that fits the pod's token"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_action_names_the_role_and_its_assignee() {
        let vault = "lab".parse().unwrap();
        for (kind, role, permission) in [
            (ObjectType::Secret, "the role Key Vault Secrets User on vault lab", ": secret get,"),
            (ObjectType::Key, "the role Key Vault Crypto User on vault lab", ": key get,"),
            (
                ObjectType::Certificate,
                "the role Key Vault Certificate User on vault lab",
                ": certificate get,",
            ),
        ] {
            let about = About {
                vault: Some(&vault),
                kind: Some(kind),
                identity: "workload identity c",
                object_id: Some("o"),
                ..About::default()
            };
            let text = of(Code::ForbiddenByRbac, &about);
            assert!(text.contains(role) && text.contains(" to object id o;"), "{text}");
            let text = of(Code::ForbiddenByPolicy, &about);
            assert!(text.contains(permission), "{text}");
        }
    }

    #[test]
    fn the_action_names_tenantid_only_if_the_mode_uses_it() {
        let (vault, tenant) = ("lab".parse().unwrap(), "t".parse().unwrap());
        let about = |tenant| About { vault: Some(&vault), tenant, ..About::default() };
        for (tenant, expected) in [
            (Some(&tenant), "set tenantID to the tenant of vault lab"),
            (None, "use an identity of the tenant of vault lab"),
        ] {
            assert_eq!(of(Code::VaultInOtherTenant, &about(tenant)), expected);
        }
    }

    #[test]
    fn every_action_is_short_enough_for_an_event() {
        for code in Code::ALL {
            let text = of(*code, &About { identity: "workload identity c", ..About::default() });
            assert!(text.len() <= 200, "{code}: {text}");
            assert!(!text.ends_with('.'), "{code}: {text}");
        }
    }
}
