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

use super::{attributes::Attributes, error::Problem};

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

/// Returns the identity.
pub(super) fn identity(secrets: &Attributes) -> Result<SecretIdentity, Problem> {
    if !secrets.has_keys_of_a_secret() {
        return Err(unmet(
            "no identity to ask Azure with; set clientID for workload identity, useVMManagedIdentity for the node's \
             identity, or nodePublishSecretRef (a Secret with clientid and clientsecret) for a service principal",
        ));
    }
    let client = secrets.any_case("clientid").map(str::trim);
    let client = client.ok_or_else(|| {
        unmet("the referenced Secret has no clientid; a service principal needs clientid and clientsecret")
    })?;
    match proof(secrets)? {
        Some(proof) => {
            let wrong = |error| unmet(&format!("clientid of the referenced Secret {error}"));
            Ok(SecretIdentity::ServicePrincipal { client: client.parse().map_err(wrong)?, proof })
        }
        None => {
            let client = ClientId::from_guid(client).map_err(|_| {
                unmet(&format!(
                    "clientid of the referenced Secret is not a client id; set the GUID alone for workload identity, \
                     {OTHER_WAY}"
                ))
            })?;
            Ok(SecretIdentity::Workload { client })
        }
    }
}

/// Returns the tenant, if the Secret has one.
pub(super) fn tenant(secrets: &Attributes) -> Result<Option<TenantId>, Problem> {
    let tenant = secrets.any_case("tenantid").map(str::trim).filter(|tenant| !tenant.is_empty());
    let wrong = |_| unmet("tenantid of the referenced Secret must be a tenant's GUID or domain name");
    tenant.map(|tenant| tenant.parse().map_err(wrong)).transpose()
}

/// Returns the client secret or the certificate; `None` if there is neither.
fn proof(secrets: &Attributes) -> Result<Option<ClientProof>, Problem> {
    let value = |key: &str| match secrets.any_case(key) {
        None if secrets.has_in_any_case(key) => {
            Err(unmet(&format!("{key} of the referenced Secret is empty; store it, or remove the key")))
        }
        value => Ok(value),
    };
    match (value("clientsecret")?, value("clientcertificate")?) {
        (Some(_), Some(_)) => {
            Err(unmet("the referenced Secret has clientsecret and clientcertificate; remove one of them"))
        }
        (Some(secret), None) => Ok(Some(ClientProof::Secret(short("clientsecret", secret)?))),
        (None, Some(text)) => {
            // The credential stays in the cache, so an overlong text is refused before there is one.
            if text.len() > client_key::MAX_BYTES {
                let reason = ClientKeyError::TooLong;
                return Err(unmet(&format!("clientcertificate of the Secret cannot be used: {reason}")));
            }
            let password = secrets.any_case("clientcertificatepassword").unwrap_or_default();
            Ok(Some(ClientProof::Certificate(ClientCertificate {
                text: Sensitive::new(text.to_owned()),
                password: short("clientcertificatepassword", password)?,
                chain: chain(secrets)?,
            })))
        }
        (None, None) => {
            let options = ["clientcertificatepassword", "sendcertificatechain"];
            match options.into_iter().find(|option| secrets.has_in_any_case(option)) {
                Some(option) => Err(unmet(&format!(
                    "the referenced Secret has {option}, but no clientcertificate; add it, or remove {option}"
                ))),
                None => Ok(None),
            }
        }
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
