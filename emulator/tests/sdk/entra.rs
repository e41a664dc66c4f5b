use akv_emulator::{Directory, Route, Service};
use serde_json::Value;

use crate::harness::{
    ENTRA_AUDIENCE, HOUR, SERVICE_PRINCIPAL, TENANT, WORKLOAD, emulator, http, secrets, status_and_code,
    with_secret, with_token, workload,
};

const SCOPE: &[&str] = &["https://vault.azure.net/.default"];

#[tokio::test]
async fn a_client_secret_gets_a_token_that_the_vault_accepts() {
    let azure = emulator().await;
    let client = secrets(&azure, with_secret(&azure, SERVICE_PRINCIPAL, "s3cr3t~value"));
    client.get_secret("db-password", None).await.expect("the token is accepted");
    let asked = azure.journal().filter(&Route::vault("lab").credentials(true));
    assert_eq!(asked[0].caller.as_deref(), Some(SERVICE_PRINCIPAL));
}

#[tokio::test]
async fn an_access_token_lasts_as_long_as_the_directory_says() {
    let azure = emulator().await;
    azure.directory().update(|directory| directory.token_lifetime = std::time::Duration::from_secs(60));
    let token = workload(&azure).get_token(SCOPE, None).await.expect("it is issued");
    let left = token.expires_on - azure_core::time::OffsetDateTime::now_utc();
    assert!((50..=60).contains(&left.whole_seconds()), "{left}");
}

#[tokio::test]
async fn refusals_carry_the_codes_of_entra() {
    let azure = emulator().await;
    let other = emulator().await;
    let token =
        |namespace: &str, audience: &str| azure.service_account_token(namespace, "app", audience, HOUR);
    let valid = token("default", ENTRA_AUDIENCE);
    let tampered = {
        let (signed, _) = valid.rsplit_once('.').expect("a token has three parts");
        let (_, signature) = token("team-b", ENTRA_AUDIENCE)
            .rsplit_once('.')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .expect("so has this");
        format!("{signed}.{signature}")
    };
    let unknown = "12345678-0000-0000-0000-000000000000";
    let expired: Value =
        serde_json::from_str(&other.expired_service_account_tokens("default", "app")).expect("JSON");
    let expired = expired[ENTRA_AUDIENCE]["token"].as_str().expect("a token").to_owned();
    for (label, tenant, client, assertion, expected) in [
        ("tenant", "99999999-0000-0000-0000-000000000000", WORKLOAD, valid.as_str(), (400, "90002")),
        ("application", TENANT, unknown, valid.as_str(), (400, "700016")),
        ("subject", TENANT, WORKLOAD, &token("other", ENTRA_AUDIENCE), (401, "70021")),
        ("audience", TENANT, WORKLOAD, &token("default", "vault"), (401, "700212")),
        ("malformed", TENANT, WORKLOAD, "x.y.z", (401, "50027")),
        ("signature", TENANT, WORKLOAD, &tampered, (401, "700027")),
        ("expired", TENANT, WORKLOAD, &expired, (401, "700024")),
    ] {
        let credential = with_token(&azure, tenant, client, assertion);
        let error = credential.get_token(SCOPE, None).await.expect_err(label);
        let (status, code) = status_and_code(&error);
        assert_eq!((status, code.as_str()), expected, "{label}: {error}");
        assert!(error.to_string().contains(&format!("AADSTS{code}: ")), "{label}: {error}");
        assert!(error.to_string().contains("Trace ID: "), "{label}: {error}");
    }
    let error =
        with_secret(&azure, SERVICE_PRINCIPAL, "bad").get_token(SCOPE, None).await.expect_err("wrong secret");
    assert_eq!(status_and_code(&error), (401, "7000215".to_owned()));
}

#[tokio::test]
async fn the_message_on_a_missing_federation_names_the_presented_claims() {
    let azure = emulator().await;
    let token = azure.service_account_token("other", "app", ENTRA_AUDIENCE, HOUR);
    let credential = with_token(&azure, TENANT, WORKLOAD, &token);
    let text = credential.get_token(SCOPE, None).await.expect_err("no federation").to_string();
    for part in [azure.service_account_issuer(), "system:serviceaccount:other:app", ENTRA_AUDIENCE] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn scopes_are_checked() {
    let azure = emulator().await;
    for (label, scope, code) in [
        ("no default", "https://vault.azure.net", "1002012"),
        ("two", "https://vault.azure.net/.default https://vault.azure.net/.default", "70011"),
        ("unknown resource", "https://graph.example/.default", "500011"),
        ("another cloud", "https://vault.azure.cn/.default", "500011"),
        ("reserved ones alone", "openid offline_access profile", "1002012"),
        ("no default beside reserved ones", "openid https://vault.azure.net profile", "1002012"),
        (
            "two beside reserved ones",
            "openid https://vault.azure.net/.default https://management.azure.com/.default",
            "70011",
        ),
    ] {
        let error = workload(&azure).get_token(&[scope], None).await.expect_err(label);
        assert_eq!(status_and_code(&error).1, code, "{label}");
    }
}

#[tokio::test]
async fn the_reserved_scopes_that_msal_sends_are_accepted_in_any_order() {
    let azure = emulator().await;
    for scope in [
        "https://vault.azure.net/.default openid offline_access profile",
        "openid profile offline_access https://vault.azure.net/.default",
        "email https://vault.azure.net//.default openid",
        "OpenID https://vault.azure.net/.default",
    ] {
        workload(&azure).get_token(&[scope], None).await.expect(scope);
    }
}

#[tokio::test]
async fn a_malformed_form_is_refused() {
    let azure = emulator().await;
    let http = http(&azure);
    for (label, body, status, code) in [
        ("nothing", String::new(), 400, 900_144),
        ("another grant", "grant_type=password".into(), 400, 70003),
        ("no client", "grant_type=client_credentials".into(), 400, 900_144),
        (
            "no credential",
            format!(
                "grant_type=client_credentials&client_id={WORKLOAD}&scope=https://vault.azure.net/.default"
            ),
            401,
            7_000_216,
        ),
    ] {
        let url = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
        let request = http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = request.send().await.expect("it answers");
        assert_eq!(answer.status(), status, "{label}");
        let body: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
        assert_eq!(body["error_codes"], serde_json::json!([code]), "{label}");
        for field in ["error", "error_description", "timestamp", "trace_id", "correlation_id", "error_uri"] {
            assert!(body[field].is_string(), "{label}: {field}");
        }
    }
}

#[tokio::test]
async fn discovery_leads_to_the_token_endpoint() {
    let azure = emulator().await;
    let http = http(&azure);
    let fetch = async |url: &str| -> Value {
        let answer = http.get(url).send().await.expect("it answers");
        assert_eq!(answer.status(), 200, "{url}");
        serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
    };
    let asked = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/authorize");
    let instance = fetch(&format!(
        "https://login.microsoftonline.com/common/discovery/instance?api-version=1.1&authorization_endpoint={asked}"
    ))
    .await;
    let configuration = fetch(instance["tenant_discovery_endpoint"].as_str().expect("an address")).await;
    let endpoint = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    assert_eq!(configuration["token_endpoint"], endpoint);
    let keys = fetch(configuration["jwks_uri"].as_str().expect("an address")).await;
    assert_eq!(keys["keys"][0]["kty"], "RSA");
    let issuer = fetch("https://oidc.localhost/.well-known/openid-configuration").await;
    assert_eq!(issuer["issuer"], azure.service_account_issuer());
    let keys = fetch(issuer["jwks_uri"].as_str().expect("an address")).await;
    assert_eq!(keys["keys"][0]["alg"], "RS256");
    assert_eq!(azure.journal().count(&Route::service(Service::Issuer)), 2);
}

#[tokio::test]
async fn emulators_do_not_share_directories() {
    let azure = emulator().await;
    azure.directory().replace(Directory::empty("elsewhere"));
    let error = workload(&azure).get_token(SCOPE, None).await.expect_err("the tenant is gone");
    assert_eq!(status_and_code(&error), (400, "90002".to_owned()));
    let untouched = emulator().await;
    workload(&untouched).get_token(SCOPE, None).await.expect("this one has it");
}
