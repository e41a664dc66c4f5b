use akv_emulator::{Emulator, Route, VaultAccess};
use serde_json::Value;

use crate::harness::{emulator, http, keys, secrets, workload};

const CURRENT: &str = "https://lab.vault.azure.net/secrets/db-password/c81e728d9d4c2f636f067f89cc14862c";

async fn get(azure: &Emulator, path: &str, token: Option<&str>) -> (u16, Value, bool) {
    let separator = if path.contains('?') { '&' } else { '?' };
    let request = http(azure).get(format!("https://lab.vault.azure.net{path}{separator}api-version=7.6"));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let answer = request.send().await.expect("it answers");
    let challenged = answer.headers().contains_key("www-authenticate");
    let status = answer.status().as_u16();
    let body = serde_json::from_slice(&answer.bytes().await.expect("it has a body")).expect("JSON");
    (status, body, challenged)
}

#[tokio::test]
async fn a_vault_with_anonymous_access_answers_without_a_token() {
    let azure = emulator().await;
    azure.vaults().set_access("Lab", VaultAccess::Anonymous);
    for (label, path, token, status, pointer, expected) in [
        ("a secret", "/secrets/db-password", None, 200, "/id", CURRENT),
        ("another secret", "/secrets/many", None, 200, "/value", "59"),
        ("a key", "/keys/k", None, 200, "/key/kty", "RSA"),
        ("a certificate", "/certificates/c", None, 200, "/cer", "MAMCAQA="),
        ("a list", "/secrets/db-password/versions", None, 200, "/value/1/id", CURRENT),
        ("a token that is not valid", "/secrets/db-password", Some("x.y.z"), 200, "/value", "pa55w0rd"),
        ("a missing secret", "/secrets/nope", None, 404, "/error/code", "SecretNotFound"),
        ("a disabled secret", "/secrets/off", None, 403, "/error/innererror/code", "SecretDisabled"),
    ] {
        let (found, body, challenged) = get(&azure, path, token).await;
        assert_eq!((found, challenged), (status, false), "{label}: {body}");
        assert_eq!(body.pointer(pointer).and_then(Value::as_str), Some(expected), "{label}: {body}");
    }
    assert!(azure.journal().entries().iter().all(|entry| entry.caller.is_none()));
}

#[tokio::test]
async fn the_sdk_asks_for_no_token_where_the_vault_wants_none() {
    let azure = emulator().await;
    azure.vaults().set_access("lab", VaultAccess::Anonymous);
    secrets(&azure, workload(&azure)).get_secret("db-password", None).await.expect("it is there");
    keys(&azure, workload(&azure)).get_key("k", None).await.expect("it is there");
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 0);
}

#[tokio::test]
async fn anonymous_access_is_of_one_vault_and_can_be_ended() {
    let azure = emulator().await;
    azure.vaults().set_access("other", VaultAccess::Anonymous);
    let (status, _, challenged) = get(&azure, "/secrets/db-password", None).await;
    assert_eq!((status, challenged), (401, true), "another vault is open, not this one");
    azure.vaults().set_access("lab", VaultAccess::Anonymous);
    assert_eq!(get(&azure, "/secrets/db-password", None).await.0, 200);
    azure.vaults().set_access("lab", VaultAccess::Authenticated);
    let (status, _, challenged) = get(&azure, "/secrets/db-password", None).await;
    assert_eq!((status, challenged), (401, true));
}
