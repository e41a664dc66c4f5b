//! Exactly one identity mode out of the parameters present.

use crate::spec::{
    identity::{BINDING_AUDIENCE, ClientId, ENTRA_AUDIENCE, IdentityMode},
    sensitive::Sensitive,
};

use super::{
    attributes::{self, Attributes},
    error::{Problem, Problems},
    tokens,
};

/// The identity mode, or `None` with a problem added.
pub(super) fn parse(
    attributes: &Attributes,
    secrets: &Attributes,
    problems: &mut Problems,
) -> Option<IdentityMode> {
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

    let result = if pod_identity {
        Ok(IdentityMode::PodIdentity)
    } else if managed_identity {
        client(attributes, attributes::USER_ASSIGNED_IDENTITY_ID)
            .map(|user_assigned| IdentityMode::ManagedIdentity { user_assigned })
    } else if token_proxy {
        identity_binding(attributes, secrets)
    } else {
        match client(attributes, attributes::CLIENT_ID) {
            Ok(Some(client)) => tokens::for_audience(attributes, secrets, ENTRA_AUDIENCE)
                .map(|assertion| IdentityMode::WorkloadIdentity { client, assertion }),
            Ok(None) => service_principal(secrets),
            Err(problem) => Err(problem),
        }
    };
    problems.catch(result)
}

fn client(attributes: &Attributes, key: &str) -> Result<Option<ClientId>, Problem> {
    attributes.optional(key).map(|id| id.parse().map_err(|error| Problem::wrong(key, error))).transpose()
}

fn identity_binding(attributes: &Attributes, secrets: &Attributes) -> Result<IdentityMode, Problem> {
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
    Ok(IdentityMode::IdentityBinding { client, assertion })
}

fn service_principal(secrets: &Attributes) -> Result<IdentityMode, Problem> {
    const FIELD: &str = "nodePublishSecretRef";
    if secrets.is_null() {
        return Err(Problem::unmet(
            FIELD,
            "no identity to ask Azure with; set clientID for workload identity, useVMManagedIdentity for the node's \
             identity, or nodePublishSecretRef for a service principal",
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
    Ok(IdentityMode::ServicePrincipal {
        client: client
            .trim()
            .parse()
            .map_err(|error| Problem::unmet(FIELD, format!("clientid of the referenced Secret {error}")))?,
        secret: Sensitive::new(secret.to_owned()),
    })
}
