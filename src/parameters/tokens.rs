//! The pod's service-account tokens, one for each audience.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::spec::{identity::ServiceAccountToken, sensitive::Sensitive};

use super::{
    attributes::{Attributes, SERVICE_ACCOUNT_TOKENS},
    error::Problem,
};

/// Returns the token of an audience from the JSON that kubelet makes for the CSIDriver's `tokenRequests`:
/// `{"<audience>":{"token":"…","expirationTimestamp":"…"}}` (<https://kubernetes-csi.github.io/docs/token-requests.html>).
///
/// Kubernetes 1.35 and later can put the same JSON into the secrets, which no pod author can write. If it is there, it
/// takes precedence.
pub(super) fn for_audience(
    attributes: &Attributes,
    secrets: &Attributes,
    audience: &str,
) -> Result<ServiceAccountToken, Problem> {
    let tokens =
        secrets.optional(SERVICE_ACCOUNT_TOKENS).or_else(|| attributes.optional(SERVICE_ACCOUNT_TOKENS));
    let Some(tokens) = tokens else {
        return Err(Problem::unmet(
            SERVICE_ACCOUNT_TOKENS,
            format!("no service account token was passed; {}", add_audience(audience)),
        ));
    };
    let mut tokens: BTreeMap<String, Token> = serde_json::from_str(tokens).map_err(|error| {
        Problem::unmet(
            SERVICE_ACCOUNT_TOKENS,
            format!(
                "the service account tokens are not a JSON map of audiences, at line {} column {}",
                error.line(),
                error.column()
            ),
        )
    })?;
    match tokens.remove(audience).and_then(|token| token.token).filter(|token| !token.expose().is_empty()) {
        Some(token) if token.expose().len() > ServiceAccountToken::MAX_BYTES => Err(Problem::unmet(
            SERVICE_ACCOUNT_TOKENS,
            format!(
                "the service account token for audience {audience} is longer than {} bytes; remove \
                 {SERVICE_ACCOUNT_TOKENS} from the pod's volumeAttributes, since kubelet sets it",
                ServiceAccountToken::MAX_BYTES
            ),
        )),
        Some(token) => Ok(ServiceAccountToken::new(token)),
        None => Err(Problem::unmet(
            SERVICE_ACCOUNT_TOKENS,
            format!("no service account token for audience {audience}; {}", add_audience(audience)),
        )),
    }
}

fn add_audience(audience: &str) -> String {
    format!("add audience {audience} to tokenRequests of the CSIDriver object secrets-store.csi.k8s.io")
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: Option<Sensitive<String>>,
}
