use akv_emulator::{ObjectKind, Role, RoleAssignment, Route, Service};

use crate::harness::{
    HOUR, SERVICE_PRINCIPAL, TENANT, WITHOUT_ROLE, certificates, emulator, http, keys, secrets,
    status_and_code, with_token, workload,
};

#[tokio::test]
async fn refusals_carry_the_codes_of_key_vault() {
    let azure = emulator().await;
    azure.vaults().put_secret("lab", "gone", "x");
    azure.vaults().delete("lab", ObjectKind::Secret, "gone").expect("it was there");
    let client = secrets(&azure, workload(&azure));
    for (label, name, expected, mentions) in [
        ("unknown", "nope", (404, "SecretNotFound"), "A secret with (name/id) nope was not found"),
        ("disabled", "off", (403, "Forbidden"), "Operation get is not allowed on a disabled secret."),
        ("deleted", "gone", (404, "SecretNotFound"), "deleted but recoverable state"),
        ("bad name", "a_b", (400, "BadParameter"), "invalid name: a_b"),
    ] {
        let error = client.get_secret(name, None).await.expect_err(label);
        let (status, code) = status_and_code(&error);
        assert_eq!((status, code.as_str()), expected, "{label}");
        assert!(error.to_string().contains(mentions), "{label}: {error}");
    }
    let error = keys(&azure, workload(&azure)).get_key("nope", None).await.expect_err("there is no such key");
    assert_eq!(status_and_code(&error), (404, "KeyNotFound".to_owned()));
    let error =
        certificates(&azure, workload(&azure)).get_certificate("nope", None).await.expect_err("nor this");
    assert_eq!(status_and_code(&error), (404, "CertificateNotFound".to_owned()));
}

#[tokio::test]
async fn a_disabled_secret_has_its_own_inner_error() {
    let azure = emulator().await;
    let token = azure.access_token(SERVICE_PRINCIPAL, "https://vault.azure.net", HOUR);
    let answer = http(&azure)
        .get("https://lab.vault.azure.net/secrets/off?api-version=7.6")
        .bearer_auth(token)
        .header("x-ms-client-request-id", "mine")
        .send()
        .await
        .expect("it answers");
    let headers = answer.headers().clone();
    assert_eq!(headers["x-ms-client-request-id"], "mine");
    assert_eq!(headers["cache-control"], "no-cache");
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    assert!(headers.contains_key("x-ms-request-id") && headers.contains_key("x-ms-keyvault-region"));
    let body: serde_json::Value =
        serde_json::from_slice(&answer.bytes().await.expect("it has a body")).expect("JSON");
    assert_eq!(body["error"]["innererror"]["code"], "SecretDisabled");
}

#[tokio::test]
async fn a_refusal_names_the_missing_permission() {
    let azure = emulator().await;
    let token = azure.service_account_token("default", "app", "api://AzureADTokenExchange", HOUR);
    let client = secrets(&azure, with_token(&azure, TENANT, WITHOUT_ROLE, &token));
    let error = client.get_secret("db-password", None).await.expect_err("it has no role");
    // The SDK borrows code and message from the body, which fails if the message holds line ends, as this one does. The
    // code is then the status, and the message the whole body.
    assert_eq!(status_and_code(&error), (403, "403".to_owned()));
    let text = error.to_string();
    assert!(text.contains(r#""innererror":{"code":"ForbiddenByRbac"}"#), "{text}");
    for part in
        [WITHOUT_ROLE, "Microsoft.KeyVault/vaults/secrets/getSecret/action", "vaults/lab/secrets/db-password"]
    {
        assert!(text.contains(part), "{text}");
    }
    azure
        .directory()
        .grant(RoleAssignment { role: Role::SecretsUser, ..RoleAssignment::administrator(WITHOUT_ROLE) });
    client.get_secret("db-password", None).await.expect("now it has");
}

#[tokio::test]
async fn unusable_tokens_are_challenged() {
    let azure = emulator().await;
    let http = http(&azure);
    let other_cloud = azure.access_token(SERVICE_PRINCIPAL, "https://vault.azure.cn", HOUR);
    let fresh = azure.access_token(SERVICE_PRINCIPAL, "https://vault.azure.net", HOUR);
    let ask = async |token: Option<&str>| {
        let request = http.get("https://lab.vault.azure.net/secrets/db-password?api-version=7.6");
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.expect("it answers")
    };
    assert_eq!(ask(Some(&fresh)).await.status(), 200);
    let hour = i64::try_from(HOUR.as_secs()).expect("it fits");
    for (label, token, clock, code) in [
        ("none", None, 0, "AKV10000:"),
        ("not a token", Some("x.y.z"), 0, "AKV10001:"),
        ("expired", Some(fresh.as_str()), hour, "AKV10002:"),
        ("wrong audience", Some(other_cloud.as_str()), 0, "AKV10022:"),
    ] {
        azure.clock().set_offset(clock);
        let answer = ask(token).await;
        assert_eq!(answer.status(), 401, "{label}");
        assert_eq!(
            answer.headers()["www-authenticate"],
            format!(
                r#"Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="https://vault.azure.net""#
            ),
            "{label}"
        );
        let body = answer.text().await.expect("it has a body");
        assert!(body.contains(code) && body.contains("Unauthorized"), "{label}: {body}");
    }
}

#[tokio::test]
async fn requests_that_key_vault_does_not_know_are_refused() {
    let azure = emulator().await;
    let http = http(&azure);
    let token = azure.access_token(SERVICE_PRINCIPAL, "https://vault.azure.net", HOUR);
    azure.vaults().delete("lab", ObjectKind::Secret, "off").expect("it is there");
    for (label, method, url, status) in [
        ("no api-version", "GET", "https://lab.vault.azure.net/secrets/db-password", 400),
        ("another method", "POST", "https://lab.vault.azure.net/secrets/db-password?api-version=7.6", 405),
        ("a write", "PUT", "https://lab.vault.azure.net/secrets/db-password?api-version=7.6", 405),
        (
            "a write to a deleted secret",
            "PUT",
            "https://lab.vault.azure.net/secrets/off?api-version=7.6",
            409,
        ),
        ("too large a page", "GET", "https://lab.vault.azure.net/secrets?api-version=7.6&maxresults=26", 400),
        ("another path", "GET", "https://lab.vault.azure.net/storage?api-version=7.6", 404),
        ("another vault", "GET", "https://nope.vault.azure.net/secrets?api-version=7.6", 404),
        ("another host", "GET", "https://example.com/", 421),
    ] {
        let method = method.parse().expect("a method");
        let answer = http.request(method, url).bearer_auth(&token).send().await.expect("it answers");
        assert_eq!(answer.status(), status, "{label}");
    }
}

#[tokio::test]
async fn a_limited_vault_throttles() {
    let azure = emulator().await;
    let client = secrets(&azure, workload(&azure));
    client.get_secret("db-password", None).await.expect("there is no limit yet");
    azure.limits().set("lab", 0);
    let error = client.get_secret("db-password", None).await.expect_err("none is allowed");
    assert_eq!(status_and_code(&error), (429, "Throttled".to_owned()));
}

#[tokio::test]
async fn every_cloud_has_its_own_challenge() {
    let azure = emulator().await;
    let http = http(&azure);
    for (vault, login) in [
        ("vault.azure.net", "login.microsoftonline.com"),
        ("vault.usgovcloudapi.net", "login.microsoftonline.us"),
        ("vault.azure.cn", "login.chinacloudapi.cn"),
        ("vault.microsoftazure.de", "login.microsoftonline.de"),
        ("vault.localhost", "login.localhost"),
    ] {
        let answer = http
            .get(format!("https://lab.{vault}/secrets/a/?api-version=7.6"))
            .send()
            .await
            .expect("it answers");
        let challenge = answer.headers()["www-authenticate"].to_str().expect("it is text").to_owned();
        assert_eq!(
            challenge,
            format!(r#"Bearer authorization="https://{login}/{TENANT}", resource="https://{vault}""#)
        );
    }
    assert_eq!(azure.journal().count(&Route::service(Service::Vault)), 5);
}
