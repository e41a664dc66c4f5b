//! Chooses exactly one identity mode from the parameters.

use crate::spec::{
    identity::{BINDING_AUDIENCE, ClientId, ENTRA_AUDIENCE, IdentityMode, ServiceAccountToken, TenantId},
    sensitive::Sensitive,
};

use super::{
    attributes::{self, Attributes},
    error::{Problem, Problems},
    tokens,
};

/// Returns the identity mode. On failure, returns `None` and adds a problem.
pub(super) fn parse(
    attributes: &Attributes,
    secrets: &Attributes,
    problems: &mut Problems,
) -> Option<IdentityMode> {
    let choice = choose(attributes, problems);
    // Compat: every mode requires a tenant. Modes in which the node knows the tenant do not parse it, since examples
    // for them leave a placeholder there.
    let tenant = problems.catch(Tenant::written(attributes));
    let understand = |problems: &mut Problems| tenant.and_then(|tenant| problems.catch(tenant.parse()));
    let Some(choice) = choice else {
        understand(problems);
        return None;
    };
    match choice {
        Choice::PodIdentity => tenant.map(|_| IdentityMode::PodIdentity),
        Choice::ManagedIdentity => {
            let user_assigned = problems.catch(client(attributes, attributes::USER_ASSIGNED_IDENTITY_ID))?;
            tenant.map(|_| IdentityMode::ManagedIdentity { user_assigned })
        }
        Choice::IdentityBinding => {
            let tenant = understand(problems);
            let (client, assertion) = problems.catch(identity_binding(attributes, secrets))?;
            Some(IdentityMode::IdentityBinding { tenant: tenant?, client, assertion })
        }
        Choice::Credentials => {
            let tenant = understand(problems);
            if let Some(client) = problems.catch(client(attributes, attributes::CLIENT_ID))? {
                let assertion = problems.catch(tokens::for_audience(attributes, secrets, ENTRA_AUDIENCE))?;
                return Some(IdentityMode::WorkloadIdentity { tenant: tenant?, client, assertion });
            }
            let (client, secret) = problems.catch(service_principal(secrets))?;
            Some(IdentityMode::ServicePrincipal { tenant: tenant?, client, secret })
        }
    }
}

/// The mode that the booleans choose.
enum Choice {
    PodIdentity,
    ManagedIdentity,
    IdentityBinding,
    /// No boolean is true: the mode follows from a client id, or otherwise a Secret.
    Credentials,
}

fn choose(attributes: &Attributes, problems: &mut Problems) -> Option<Choice> {
    let mut flag = |key| problems.catch(attributes.flag(key));
    let pod_identity = flag(attributes::USE_POD_IDENTITY);
    let managed_identity = flag(attributes::USE_VM_MANAGED_IDENTITY);
    let token_proxy = flag(attributes::USE_AZURE_TOKEN_PROXY);
    let (pod_identity, managed_identity, token_proxy) = (pod_identity?, managed_identity?, token_proxy?);

    let chosen: Vec<&str> = [
        (pod_identity, attributes::USE_POD_IDENTITY),
        (managed_identity, attributes::USE_VM_MANAGED_IDENTITY),
        (token_proxy, attributes::USE_AZURE_TOKEN_PROXY),
    ]
    .into_iter()
    .filter_map(|(chosen, key)| chosen.then_some(key))
    .collect();
    if let [first, others @ ..] = chosen.as_slice()
        && !others.is_empty()
    {
        problems.push(Problem::wrong(
            *first,
            format!("only one identity mode can be used, but {} are set", chosen.join(" and ")),
        ));
        return None;
    }
    Some(match (pod_identity, managed_identity, token_proxy) {
        (true, ..) => Choice::PodIdentity,
        (_, true, _) => Choice::ManagedIdentity,
        (.., true) => Choice::IdentityBinding,
        _ => Choice::Credentials,
    })
}

/// A tenant as written, not yet parsed.
#[derive(Clone, Copy)]
struct Tenant<'a> {
    key: &'static str,
    text: &'a str,
}

impl<'a> Tenant<'a> {
    fn written(attributes: &'a Attributes) -> Result<Self, Problem> {
        // Compat: the newer spelling wins, and the older one is still accepted.
        [attributes::TENANT_ID_NEW, attributes::TENANT_ID]
            .into_iter()
            .find_map(|key| attributes.optional(key).map(|text| Self { key, text }))
            .ok_or_else(|| Problem::wrong(attributes::TENANT_ID, "is not set, and neither is tenantID"))
    }

    fn parse(self) -> Result<TenantId, Problem> {
        self.text.parse().map_err(|error| Problem::of_text(self.key, self.text, error))
    }
}

fn client(attributes: &Attributes, key: &str) -> Result<Option<ClientId>, Problem> {
    let parse = |id| ClientId::from_guid(id).map_err(|error| Problem::of_text(key, id, error));
    attributes.optional(key).map(parse).transpose()
}

fn identity_binding(
    attributes: &Attributes,
    secrets: &Attributes,
) -> Result<(ClientId, ServiceAccountToken), Problem> {
    let Some(client) = client(attributes, attributes::CLIENT_ID)? else {
        return Err(Problem::wrong(
            attributes::CLIENT_ID,
            format!(
                "is not set; {} needs the client id of the bound identity",
                attributes::USE_AZURE_TOKEN_PROXY
            ),
        ));
    };
    let assertion = tokens::for_audience(attributes, secrets, BINDING_AUDIENCE)?;
    Ok((client, assertion))
}

fn service_principal(secrets: &Attributes) -> Result<(ClientId, Sensitive<String>), Problem> {
    const FIELD: &str = "nodePublishSecretRef";
    if !secrets.has_keys_of_a_secret() {
        return Err(Problem::unmet(
            FIELD,
            "no identity to ask Azure with; set clientID for workload identity, useVMManagedIdentity for the node's \
             identity, or nodePublishSecretRef (a Secret with clientid and clientsecret) for a service principal",
        ));
    }
    let read = |key: &str| {
        secrets.any_case(key).ok_or_else(|| {
            Problem::unmet(
                FIELD,
                format!(
                    "the referenced Secret has no {key}; a service principal needs clientid and clientsecret"
                ),
            )
        })
    };
    let client = read("clientid")?;
    let secret = read("clientsecret")?;
    let client = client
        .trim()
        .parse()
        .map_err(|error| Problem::unmet(FIELD, format!("clientid of the referenced Secret {error}")))?;
    Ok((client, Sensitive::new(secret.to_owned())))
}
