use akv_emulator::{Emulator, Identity, Route, Service};
use serde_json::Value;

use crate::harness::{ENTRA_AUDIENCE, HOUR, TENANT, WORKLOAD, emulator, http};

const USER_ASSIGNED: &str = "bbbbbbbb-0000-0000-0000-000000000001";
const SYSTEM_ASSIGNED: &str = "aaaaaaaa-0000-0000-0000-000000000000";

async fn get(url: String, headers: &[(&str, &str)]) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().expect("the client can be built");
    let request =
        headers.iter().fold(client.get(url), |request, (name, value)| request.header(*name, *value));
    let answer = request.send().await.expect("it answers");
    let status = answer.status().as_u16();
    let body = answer.bytes().await.expect("it has a body");
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn vault_accepts(azure: &Emulator, token: &Value) -> bool {
    let request = http(azure).get("https://lab.vault.azure.net/secrets/db-password?api-version=7.6");
    let answer =
        request.bearer_auth(token.as_str().expect("a token is text")).send().await.expect("it answers");
    answer.status() == 200
}

#[tokio::test]
async fn imds_issues_a_token_for_the_requested_identity() {
    let azure = emulator().await;
    let base = format!(
        "{}/metadata/identity/oauth2/token?api-version=2019-08-01&resource=https://vault.azure.net",
        azure.imds_url()
    );
    let user = Identity::new(USER_ASSIGNED);
    let resource = user.resource_id.expect("a user-assigned identity has one");
    for (label, query, client_id) in [
        ("system", String::new(), SYSTEM_ASSIGNED),
        ("client id", format!("&client_id={USER_ASSIGNED}"), USER_ASSIGNED),
        ("object id", format!("&object_id={}", user.object_id), USER_ASSIGNED),
        ("resource id", format!("&msi_res_id={resource}"), USER_ASSIGNED),
    ] {
        let (status, body) = get(format!("{base}{query}"), &[("Metadata", "true")]).await;
        assert_eq!((status, body["client_id"].as_str()), (200, Some(client_id)), "{label}");
        for field in ["expires_in", "expires_on", "not_before", "resource", "token_type"] {
            assert!(body[field].is_string(), "{label}: {field}");
        }
        assert!(vault_accepts(&azure, &body["access_token"]).await, "{label}");
    }
}

#[tokio::test]
async fn imds_refuses_the_same_requests_as_on_a_node() {
    let azure = emulator().await;
    let ask = |query: &str| format!("{}/metadata/identity/oauth2/token?{query}", azure.imds_url());
    let full = "api-version=2019-08-01&resource=https://vault.azure.net";
    let unknown = format!("{full}&client_id=99999999-0000-0000-0000-000000000009");
    for (label, url, headers, description) in [
        ("no header", ask(full), vec![], "Required metadata header not specified"),
        (
            "forwarded",
            ask(full),
            vec![("Metadata", "true"), ("X-Forwarded-For", "1.2.3.4")],
            "The request was forwarded: X-Forwarded-For is not allowed",
        ),
        (
            "no version",
            ask("resource=https://vault.azure.net"),
            vec![("Metadata", "true")],
            "Required query variable 'api-version' is missing",
        ),
        (
            "no resource",
            ask("api-version=2019-08-01"),
            vec![("Metadata", "true")],
            "Required audience parameter not specified",
        ),
        ("unknown", ask(&unknown), vec![("Metadata", "true")], "Identity not found"),
    ] {
        let (status, body) = get(url, &headers).await;
        assert_eq!((status, body["error"].as_str()), (400, Some("invalid_request")), "{label}");
        assert_eq!(body["error_description"], description, "{label}");
    }
}

#[tokio::test]
async fn nmi_answers_pods_that_name_themselves() {
    let azure = emulator().await;
    let url = format!("{}/host/token/?resource=https://vault.azure.net", azure.nmi_url());
    let pod = [("podname", "app-0"), ("podns", "default")];
    let (status, body) = get(url.clone(), &pod).await;
    assert_eq!((status, body["clientid"].as_str()), (200, Some(SYSTEM_ASSIGNED)));
    assert_eq!(body["token"]["refresh_token"], "");
    assert!(body["token"]["expires_on"].is_string());
    assert!(vault_accepts(&azure, &body["token"]["access_token"]).await);
    assert_eq!(get(url.clone(), &pod[..1]).await.0, 400);
    azure.directory().update(|directory| directory.pod_identity = None);
    assert_eq!(get(url, &pod).await.0, 403);
    assert_eq!(azure.journal().count(&Route::service(Service::Nmi)), 3);
}

#[tokio::test]
async fn the_token_proxy_takes_its_own_audience_only() {
    let azure = emulator().await;
    let http = http(&azure);
    let name = azure.token_proxy_name();
    let exchange = async |audience: &str| {
        let token = azure.service_account_token("default", "app", audience, HOUR);
        let form = format!(
            "grant_type=client_credentials&client_id={WORKLOAD}&scope=https%3A%2F%2Fvault.azure.net%2F.default&\
             client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&\
             client_assertion={token}"
        );
        let answer = http.post(format!("https://{name}/{TENANT}/oauth2/v2.0/token")).body(form).send().await;
        let answer = answer.expect("it answers");
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
        (status, body)
    };
    let (status, body) = exchange("api://AKSIdentityBinding").await;
    assert_eq!(status, 200, "{body}");
    assert!(vault_accepts(&azure, &body["access_token"]).await);
    let (status, body) = exchange(ENTRA_AUDIENCE).await;
    assert_eq!((status, &body["error_codes"][0]), (401, &Value::from(700_212)));
    assert_eq!(azure.journal().count(&Route::service(Service::TokenProxy)), 2);
}

#[tokio::test]
async fn the_drivers_tokens_cover_five_audiences() {
    let azure = emulator().await;
    let tokens: Value = serde_json::from_str(&azure.service_account_tokens("default", "app")).expect("JSON");
    let tokens = tokens.as_object().expect("a map by audience");
    assert_eq!(tokens.len(), 5);
    for audience in [ENTRA_AUDIENCE, "api://AKSIdentityBinding"] {
        assert!(tokens[audience]["token"].is_string() && tokens[audience]["expirationTimestamp"].is_string());
    }
}
