//! Instance discovery and OpenID configuration, as MSAL requests them before its first token.

use http::StatusCode;
use serde_json::json;

use crate::{
    answer::Answer,
    cloud::{CLOUDS, Cloud},
    route::RequestHead,
};

/// Answers `GET /common/discovery/instance`: the login hosts of one cloud.
pub(super) fn instance(head: &RequestHead) -> Answer {
    let asked = head.query_value("authorization_endpoint").unwrap_or_default();
    let tenant = asked.strip_prefix("https://").and_then(|rest| rest.split('/').nth(1)).unwrap_or("common");
    let metadata: Vec<_> = CLOUDS
        .iter()
        .map(|cloud| {
            json!({
                "preferred_network": cloud.login(),
                "preferred_cache": cloud.login_hosts().get(1).unwrap_or(&cloud.login()),
                "aliases": cloud.login_hosts(),
            })
        })
        .collect();
    Answer::json(
        StatusCode::OK,
        &json!({
            "tenant_discovery_endpoint": format!("https://{}/{tenant}/v2.0/.well-known/openid-configuration", head.host),
            "api-version": "1.1",
            "metadata": metadata,
        }),
    )
}

/// Answers `GET /{tenant}/v2.0/.well-known/openid-configuration`.
///
/// An unknown tenant gets a document too, and is refused only at the token endpoint: the conformance cases record it
/// so.
pub(super) fn openid_configuration(head: &RequestHead, cloud: &Cloud, tenant: &str) -> Answer {
    let base = format!("https://{}/{tenant}", head.host);
    Answer::json(
        StatusCode::OK,
        &json!({
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": format!("{base}/discovery/v2.0/keys"),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": format!("https://{}/{tenant}/v2.0", cloud.login()),
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
        }),
    )
}
