//! The identity in the Secret of `nodePublishSecretRef`. Its values are secret, so no problem quotes one.

use crate::{
    content::client_key::{self, ClientKeyError},
    spec::{
        boolean,
        identity::{ClientId, TenantId},
        sensitive::Sensitive,
        service_principal::{ClientCertificate, ClientProof, MAX_SECRET_BYTES, SentChain},
    },
};

use super::{
    attributes::Attributes,
    error::{Problem, Problems},
};

/// The field that problems name.
const FIELD: &str = "nodePublishSecretRef";

/// The action if there is a token for neither way to use a client id.
pub(super) const OTHER_WAY: &str =
    "or add clientsecret or clientcertificate to the referenced Secret, for a service principal";

/// An identity that a Secret describes.
pub(super) enum SecretIdentity {
    /// A client id, and its secret or certificate.
    ServicePrincipal { client: ClientId, proof: ClientProof },
    /// A client id alone: workload identity.
    Workload { client: ClientId },
}

/// Returns the identity. On failure, returns `None` and adds all problems.
pub(super) fn identity(secrets: &Attributes, problems: &mut Problems) -> Option<SecretIdentity> {
    if !secrets.has_keys_of_a_secret() {
        problems.push(unmet(
            "no identity to ask Azure with; set clientID for workload identity, useVMManagedIdentity for the node's \
             identity, or nodePublishSecretRef (a Secret with clientid and clientsecret) for a service principal",
        ));
        return None;
    }
    let client = secrets.any_case("clientid").map(str::trim);
    let client = problems.catch(client.ok_or_else(|| {
        unmet("the referenced Secret has no clientid; a service principal needs clientid and clientsecret")
    }));
    let proof = proof(secrets, problems);
    let client = client?;
    if let Some(None) = proof {
        let client = ClientId::from_guid(client).map_err(|_| {
            unmet(&format!(
                "clientid of the referenced Secret is not a client id; set the GUID alone for workload identity, \
                 {OTHER_WAY}"
            ))
        });
        return problems.catch(client).map(|client| SecretIdentity::Workload { client });
    }
    let wrong = |error| unmet(&format!("clientid of the referenced Secret {error}"));
    let client = problems.catch(client.parse().map_err(wrong));
    Some(SecretIdentity::ServicePrincipal { client: client?, proof: proof?? })
}

/// Returns the tenant, if the Secret has one.
pub(super) fn tenant(secrets: &Attributes) -> Result<Option<TenantId>, Problem> {
    let tenant = secrets.any_case("tenantid").map(str::trim).filter(|tenant| !tenant.is_empty());
    let wrong = |_| unmet("tenantid of the referenced Secret must be a tenant's GUID or domain name");
    tenant.map(|tenant| tenant.parse().map_err(wrong)).transpose()
}

/// Returns the client secret or the certificate; `Some(None)` if there is neither. On failure, returns `None` and adds all
/// problems.
fn proof(secrets: &Attributes, problems: &mut Problems) -> Option<Option<ClientProof>> {
    // Compat: provider-azure does not know clientcertificate, so beside a client secret an empty one counts as absent.
    if let (Some(secret), None) = (secrets.any_case("clientsecret"), secrets.any_case("clientcertificate")) {
        return problems.catch(short("clientsecret", secret)).map(|secret| Some(ClientProof::Secret(secret)));
    }
    let mut value = |key: &str| match secrets.any_case(key) {
        None if secrets.has_in_any_case(key) => {
            problems.push(unmet(&format!(
                "{key} of the referenced Secret is empty; store it, or remove the key"
            )));
            None
        }
        value => Some(value),
    };
    match (value("clientsecret"), value("clientcertificate")) {
        (Some(Some(_)), _) => {
            let reason = "the referenced Secret has clientsecret and clientcertificate; remove one of them";
            problems.push(unmet(reason));
            None
        }
        (Some(None), certificate @ (None | Some(Some(_)))) => {
            let text = certificate.flatten().map(|text| problems.catch(certificate_text(text)));
            let password = secrets.any_case("clientcertificatepassword").unwrap_or_default();
            let password = problems.catch(short("clientcertificatepassword", password));
            let chain = problems.catch(chain(secrets));
            let certificate = ClientCertificate { text: text??, password: password?, chain: chain? };
            Some(Some(ClientProof::Certificate(certificate)))
        }
        (Some(None), Some(None)) => {
            let options = ["clientcertificatepassword", "sendcertificatechain"];
            let Some(option) = options.into_iter().find(|option| secrets.has_in_any_case(option)) else {
                return Some(None);
            };
            problems.push(unmet(&format!(
                "the referenced Secret has {option}, but no clientcertificate; add it, or remove {option}"
            )));
            None
        }
        (None, _) => None,
    }
}

/// Returns the value of `key`, unless it is longer than any that Entra issues.
fn short(key: &str, value: &str) -> Result<Sensitive<String>, Problem> {
    if value.len() > MAX_SECRET_BYTES {
        return Err(unmet(&format!(
            "{key} of the referenced Secret is longer than {MAX_SECRET_BYTES} bytes; store the value alone"
        )));
    }
    Ok(Sensitive::new(value.to_owned()))
}

/// Returns the certificate's text. The credential stays in the cache, so an overlong text is refused before there is one.
fn certificate_text(text: &str) -> Result<Sensitive<String>, Problem> {
    if text.len() > client_key::MAX_BYTES {
        let reason = ClientKeyError::TooLong;
        return Err(unmet(&format!("clientcertificate of the Secret cannot be used: {reason}")));
    }
    Ok(Sensitive::new(text.to_owned()))
}

fn chain(secrets: &Attributes) -> Result<SentChain, Problem> {
    let text = secrets.any_case("sendcertificatechain").map(str::trim).filter(|text| !text.is_empty());
    match text.map_or(Ok(false), boolean::parse) {
        Ok(true) => Ok(SentChain::Sent),
        Ok(false) => Ok(SentChain::Omitted),
        Err(error) => Err(unmet(&format!("sendcertificatechain of the referenced Secret {error}"))),
    }
}

fn unmet(reason: &str) -> Problem {
    Problem::unmet(FIELD, reason)
}
