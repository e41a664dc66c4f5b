//! Vaults that answer without a token, and answers for another object than the requested one.

use akv_emulator::{Fault, Route, Service, VaultAccess};
use serde_json::json;
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

/// Starts a vault `lab` that needs no token, with secrets whose values are their names.
async fn open_vault(count: usize) -> (Azure, Vec<String>) {
    let names: Vec<String> = (0..count).map(|index| format!("secret-{index}")).collect();
    let secrets: Vec<_> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    let azure = Azure::with_secrets(&secrets).await;
    azure.vaults().set_access("lab", VaultAccess::Anonymous);
    (azure, names)
}

fn reads() -> Route {
    Route::service(Service::Vault).matching(|head| head.path != "/secrets")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_file_has_its_own_secret_where_the_vault_needs_no_token() {
    let (azure, names) = open_vault(10).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for round in 0..100 {
        // A new provider each time, so that nothing is cached about the vault.
        let provider = Provider::start(&azure);
        let call = MountCall::of_secrets(&azure, &names);
        let other = call.of_another_pod();
        let (driver, beside) = (provider.driver(), provider.driver());
        azure.journal().clear();
        let (first, second) = tokio::join!(driver.mount(&call), beside.mount(&other));
        for mounted in [first.unwrap(), second.unwrap()] {
            for name in &names {
                assert_eq!(mounted.text(name), *name, "round {round}");
            }
        }
        let sent = azure.journal().count(&reads());
        assert!((10..=20).contains(&sent), "round {round}: {:?}", azure.journal().lines());
    }
}

#[tokio::test]
async fn a_missing_secret_does_not_get_another_value_where_the_vault_needs_no_token() {
    let (azure, _) = open_vault(5).await;
    for _ in 0..20 {
        let provider = Provider::start(&azure);
        let call = MountCall::of_secrets(&azure, &["missing", "secret-0", "secret-1", "gone", "secret-2"]);
        let status = provider.driver().mount(&call).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{status}");
        let message = status.message();
        assert!(message.contains("secret/missing") && message.contains("secret/gone"), "{message}");
        assert!(!message.contains("secret/secret-"), "{message}");
    }
}

#[tokio::test]
async fn a_history_has_its_own_values_where_the_vault_needs_no_token() {
    let (azure, _) = open_vault(0).await;
    for version in 0..30 {
        azure.vaults().put_secret("lab", "db-password", &format!("value-{version}"));
    }
    let objects = "- objectName: db-password\n  objectType: secret\n  objectVersionHistory: 30\n";
    for _ in 0..10 {
        let provider = Provider::start(&azure);
        let mounted = provider.driver().mount(&MountCall::of(objects).workload(&azure)).await.unwrap();
        for version in 0..30 {
            assert_eq!(mounted.text(&format!("db-password/{version}")), format!("value-{}", 29 - version));
        }
    }
}

#[tokio::test]
async fn a_vault_that_begins_to_require_tokens_is_read_with_a_token() {
    let (azure, _) = open_vault(1).await;
    let provider = Provider::start(&azure);
    let call = MountCall::of_secrets(&azure, &["secret-0"]);
    provider.driver().mount(&call).await.unwrap();
    for access in [VaultAccess::Authenticated, VaultAccess::Anonymous] {
        azure.vaults().set_access("lab", access);
        let mounted = provider.driver().mount(&call.of_another_pod()).await.unwrap();
        assert_eq!(mounted.text("secret-0"), "secret-0");
    }
}

/// Whatever the vault answers, and whether or not it requires a token.
#[tokio::test]
async fn another_objects_body_is_never_mounted() {
    let id = |path: &str| format!("https://lab.vault.azure.net/{path}/c81e728d9d4c2f636f067f89cc14862c");
    let key = json!({"kid": id("keys/other"), "kty": "RSA", "n": "AQAB", "e": "AQAB"});
    for (object_type, body) in [
        ("secret", json!({"id": id("secrets/other"), "value": "canary"})),
        ("secret", json!({"id": id("keys/db-password"), "value": "canary"})),
        ("secret", json!({"id": "https://lab.vault.azure.net/secrets/db-password", "value": "canary"})),
        ("secret", json!({"value": "canary"})),
        ("key", json!({ "key": key })),
        ("cert", json!({"id": id("certificates/other"), "cer": "MAMCAQA="})),
        ("cert", json!({"id": id("secrets/db-password"), "cer": "MAMCAQA="})),
    ] {
        for access in [VaultAccess::Authenticated, VaultAccess::Anonymous] {
            let (azure, _) = open_vault(1).await;
            azure.vaults().set_access("lab", access);
            let authorized = access == VaultAccess::Authenticated;
            let route = Route::service(Service::Vault).credentials(authorized);
            let answer = Fault::InvalidBody {
                content_type: "application/json".to_owned(),
                body: body.to_string().into(),
            };
            azure.faults().inject(route, answer);
            let provider = Provider::start(&azure);
            let objects = format!("- objectName: db-password\n  objectType: {object_type}\n");
            let call = MountCall::of(&objects).workload(&azure);
            let status = provider.driver().mount(&call).await.unwrap_err();
            assert_eq!(status.code(), Code::FailedPrecondition, "{body}: {status}");
            assert!(status.message().contains("AKV-UnexpectedAnswer"), "{body}: {status}");
            assert!(!status.message().contains("canary"), "{body}: {status}");
        }
    }
}

#[tokio::test]
async fn another_version_than_the_requested_one_is_never_mounted() {
    let (azure, _) = open_vault(0).await;
    let older = azure.vaults().put_secret("lab", "db-password", "old");
    azure.vaults().put_secret("lab", "db-password", "new");
    azure.vaults().set_access("lab", VaultAccess::Authenticated);
    let newest = "https://lab.vault.azure.net/secrets/db-password/c81e728d9d4c2f636f067f89cc14862c";
    let body = json!({"id": newest, "value": "new"}).to_string();
    let answer = Fault::InvalidBody { content_type: "application/json".to_owned(), body: body.into() };
    azure.faults().inject(Route::service(Service::Vault).credentials(true), answer);
    let objects = format!("- {{objectName: db-password, objectType: secret, objectVersion: {older}}}\n");
    let provider = Provider::start(&azure);
    let status = provider.driver().mount(&MountCall::of(&objects).workload(&azure)).await.unwrap_err();
    assert!(status.message().contains("AKV-UnexpectedAnswer"), "{status}");
    azure.faults().clear();
    let mounted = provider.driver().mount(&MountCall::of(&objects).workload(&azure)).await.unwrap();
    assert_eq!(mounted.text("db-password"), "old");
}
