//! The node's instance metadata service: tokens of managed identities
//! (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>).

use http::{HeaderMap, Method, StatusCode};
use serde_json::json;

use crate::{
    access_token::{AccessTokens, Grant},
    answer::Answer,
    clock::Clock,
    cloud::CLOUDS,
    directory::{Directory, Identity},
    route::RequestHead,
};

/// The state that IMDS answers from.
#[derive(Debug)]
pub(crate) struct Imds<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) tokens: &'a AccessTokens,
    pub(crate) clock: &'a Clock,
}

impl Imds<'_> {
    pub(crate) fn answer(&self, head: &RequestHead, headers: &HeaderMap) -> Answer {
        self.respond(head, headers).unwrap_or_else(|(error, description)| {
            let status = if error == "not_found" { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
            Answer::json(status, &json!({ "error": error, "error_description": description }))
        })
    }

    fn respond(&self, head: &RequestHead, headers: &HeaderMap) -> Result<Answer, Refusal> {
        if !headers.get("metadata").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true")) {
            return Err(("invalid_request", "Required metadata header not specified"));
        }
        if headers.contains_key("x-forwarded-for") {
            return Err(("invalid_request", "The request was forwarded: X-Forwarded-For is not allowed"));
        }
        if head.path.trim_end_matches('/') != "/metadata/identity/oauth2/token" || head.method != Method::GET
        {
            return Err(("not_found", "IMDS has no such endpoint"));
        }
        if head.query_value("api-version").is_none_or(|version| version.is_empty()) {
            return Err(("invalid_request", "Required query variable 'api-version' is missing"));
        }
        let resource = head.query_value("resource").filter(|resource| !resource.is_empty());
        let resource = resource.ok_or(("invalid_request", "Required audience parameter not specified"))?;
        let identity = self.identity(head)?;
        if !known_resource(&resource) {
            return Err((
                "invalid_resource",
                "AADSTS500011: The resource principal was not found in the tenant.",
            ));
        }
        let issued = Issued::new(self.directory, self.tokens, self.clock.unix(), identity, &resource);
        let answer = Answer::json(
            StatusCode::OK,
            &json!({
                "access_token": issued.token,
                "client_id": identity.client_id,
                "expires_in": issued.expires_in.to_string(),
                "expires_on": issued.expires_on.to_string(),
                "ext_expires_in": issued.expires_in.to_string(),
                "not_before": issued.not_before.to_string(),
                "resource": resource,
                "token_type": "Bearer",
            }),
        );
        Ok(answer.caller(&identity.client_id))
    }

    fn identity(&self, head: &RequestHead) -> Result<&Identity, Refusal> {
        let all = || self.directory.system_assigned.iter().chain(&self.directory.user_assigned);
        let unknown = ("invalid_request", "Identity not found");
        let asked = |names: [&str; 2]| names.into_iter().find_map(|name| head.query_value(name));
        if let Some(id) = asked(["client_id", "clientid"]) {
            return all().find(|known| known.client_id.eq_ignore_ascii_case(&id)).ok_or(unknown);
        }
        if let Some(id) = asked(["object_id", "principal_id"]) {
            return all().find(|known| known.object_id.eq_ignore_ascii_case(&id)).ok_or(unknown);
        }
        if let Some(id) = asked(["msi_res_id", "mi_res_id"]) {
            let same = |known: &&Identity| {
                known.resource_id.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(&id))
            };
            return all().find(same).ok_or(unknown);
        }
        match (&self.directory.system_assigned, self.directory.user_assigned.as_slice()) {
            (Some(system), _) => Ok(system),
            (None, [only]) => Ok(only),
            (None, []) => Err(unknown),
            (None, _) => Err((
                "invalid_request",
                "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in \
                 the token request",
            )),
        }
    }
}

/// A token of a managed identity.
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) expires_in: i64,
    pub(crate) expires_on: i64,
    pub(crate) not_before: i64,
}

impl Issued {
    pub(crate) fn new(
        directory: &Directory,
        tokens: &AccessTokens,
        now: i64,
        identity: &Identity,
        resource: &str,
    ) -> Self {
        let grant = Grant {
            tenant: directory.home_tenant(),
            identity,
            resource,
            managed: true,
            now,
            lifetime: MANAGED_LIFETIME,
        };
        Self {
            token: tokens.issue(&grant),
            expires_in: MANAGED_LIFETIME,
            expires_on: now + MANAGED_LIFETIME,
            not_before: now,
        }
    }
}

/// Returns whether any cloud has this audience: a node does not reveal its cloud.
pub(crate) fn known_resource(resource: &str) -> bool {
    CLOUDS.iter().any(|cloud| cloud.knows(resource.trim_end_matches('/')))
}

type Refusal = (&'static str, &'static str);

/// A day, as for every managed identity.
const MANAGED_LIFETIME: i64 = 86_399;
