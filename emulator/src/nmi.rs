//! The node-managed identity of AAD Pod Identity: `GET /host/token/`
//! (<https://azure.github.io/aad-pod-identity/docs/concepts/components/>).

use http::{HeaderMap, Method, StatusCode};
use serde_json::json;

use crate::{
    access_token::AccessTokens,
    answer::Answer,
    clock::Clock,
    directory::Directory,
    imds::{Issued, known_resource},
    route::RequestHead,
};

/// The state that NMI answers from.
#[derive(Debug)]
pub(crate) struct Nmi<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) tokens: &'a AccessTokens,
    pub(crate) clock: &'a Clock,
}

impl Nmi<'_> {
    pub(crate) fn answer(&self, head: &RequestHead, headers: &HeaderMap) -> Answer {
        if head.path.trim_end_matches('/') != "/host/token" || head.method != Method::GET {
            return Answer::text(StatusCode::NOT_FOUND, "404 page not found\n");
        }
        let named = |name| headers.get(name).is_some_and(|value| !value.is_empty());
        if !named("podname") || !named("podns") {
            return Answer::text(StatusCode::BAD_REQUEST, "missing 'podname' or 'podns' header in request\n");
        }
        let Some(resource) = head.query_value("resource").filter(|resource| known_resource(resource)) else {
            return Answer::text(StatusCode::BAD_REQUEST, "missing or unknown 'resource' in query\n");
        };
        let Some(identity) = &self.directory.pod_identity else {
            return Answer::text(StatusCode::FORBIDDEN, "no AzureIdentity found for the pod\n");
        };
        let issued = Issued::new(self.directory, self.tokens, self.clock.unix(), identity, &resource);
        let answer = Answer::json(
            StatusCode::OK,
            &json!({
                "token": {
                    "access_token": issued.token,
                    "refresh_token": "",
                    "expires_in": issued.expires_in.to_string(),
                    "expires_on": issued.expires_on.to_string(),
                    "not_before": issued.not_before.to_string(),
                    "resource": resource,
                    "token_type": "Bearer",
                },
                "clientid": identity.client_id,
            }),
        );
        answer.caller(&identity.client_id)
    }
}
