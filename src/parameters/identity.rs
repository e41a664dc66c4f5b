//! Chooses exactly one identity mode from the parameters.

use crate::spec::identity::{
    BINDING_AUDIENCE, ClientId, ConfiguredIdentity, ENTRA_AUDIENCE, IdentityMode, TenantId,
};

use super::{
    attributes::{self, Attributes},
    error::{Problem, Problems},
    secret_identity::{self, OTHER_WAY, SecretIdentity},
    tokens,
};

/// Returns the identity mode. On failure, returns `None` and adds a problem.
pub(super) fn parse(
    attributes: &Attributes,
    secrets: &Attributes,
    problems: &mut Problems,
) -> Option<ConfiguredIdentity> {
    let choice = choose(attributes, problems);
    let mut tenant = || problems.catch(tenant(attributes));
    let Some(choice) = choice else {
        tenant();
        return None;
    };
    match choice {
        // The node knows the tenant, and examples for these modes leave a placeholder in its place.
        Choice::PodIdentity => Some(IdentityMode::PodIdentity),
        Choice::ManagedIdentity => {
            let user_assigned = problems.catch(client(attributes, attributes::USER_ASSIGNED_IDENTITY_ID))?;
            Some(IdentityMode::ManagedIdentity { user_assigned })
        }
        Choice::IdentityBinding => {
            let tenant = tenant();
            // If there is no client id, the mode itself may be the mistake, so its token is not missed.
            let Some(client) = client(attributes, attributes::CLIENT_ID).transpose() else {
                problems.push(Problem::wrong(
                    attributes::CLIENT_ID,
                    format!(
                        "is not set; {} needs the client id of the bound identity",
                        attributes::USE_AZURE_TOKEN_PROXY
                    ),
                ));
                return None;
            };
            let client = problems.catch(client);
            let assertion = problems.catch(tokens::for_audience(attributes, secrets, BINDING_AUDIENCE));
            Some(IdentityMode::IdentityBinding { tenant: tenant?, client: client?, assertion: assertion? })
        }
        Choice::Credentials => {
            // The SecretProviderClass wins over the Secret.
            let tenant = match tenant() {
                Some(None) => problems.catch(secret_identity::tenant(secrets)),
                tenant => tenant,
            };
            if let Some(client) = client(attributes, attributes::CLIENT_ID).transpose() {
                let client = problems.catch(client);
                let assertion = problems.catch(tokens::for_audience(attributes, secrets, ENTRA_AUDIENCE));
                return Some(IdentityMode::WorkloadIdentity {
                    tenant: tenant?,
                    client: client?,
                    assertion: assertion?,
                });
            }
            match secret_identity::identity(secrets, problems)? {
                SecretIdentity::ServicePrincipal { client, proof } => {
                    Some(IdentityMode::ServicePrincipal { tenant: tenant?, client, proof })
                }
                SecretIdentity::Workload { client } => {
                    let token = tokens::for_audience(attributes, secrets, ENTRA_AUDIENCE);
                    let assertion = problems.catch(token.map_err(|problem| problem.with(OTHER_WAY)))?;
                    Some(IdentityMode::WorkloadIdentity { tenant: tenant?, client, assertion })
                }
            }
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
    let chosen: Vec<&str> = [
        (pod_identity, attributes::USE_POD_IDENTITY),
        (managed_identity, attributes::USE_VM_MANAGED_IDENTITY),
        (token_proxy, attributes::USE_AZURE_TOKEN_PROXY),
    ]
    .into_iter()
    .filter_map(|(chosen, key)| chosen.filter(|chosen| *chosen).map(|_| key))
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
    Some(match (pod_identity?, managed_identity?, token_proxy?) {
        (true, ..) => Choice::PodIdentity,
        (_, true, _) => Choice::ManagedIdentity,
        (.., true) => Choice::IdentityBinding,
        _ => Choice::Credentials,
    })
}

/// Parses the tenant, if there is one.
fn tenant(attributes: &Attributes) -> Result<Option<TenantId>, Problem> {
    // Compat: the newer spelling wins, and the older one is still accepted.
    let keys = [attributes::TENANT_ID_NEW, attributes::TENANT_ID];
    let written = keys.into_iter().find_map(|key| attributes.optional(key).map(|text| (key, text)));
    let parse = |(key, text): (&str, &str)| text.parse().map_err(|error| Problem::of_text(key, text, error));
    written.map(parse).transpose()
}

fn client(attributes: &Attributes, key: &str) -> Result<Option<ClientId>, Problem> {
    let parse = |id| ClientId::from_guid(id).map_err(|error| Problem::of_text(key, id, error));
    attributes.optional(key).map(parse).transpose()
}
