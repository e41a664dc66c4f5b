//! Mistakes of users in a SecretProviderClass, and the answers to the driver.

use akv_emulator::{Fault, Route, Service};
use serde_json::json;
use tonic::{Code, Status};

use crate::harness::{Azure, MountCall, Provider};

const OBJECTS: &str = "- objectName: db-password\n  objectType: secret\n";
const WORKLOAD: &str = "cccccccc-0000-0000-0000-000000000002";
const TOKENS: &str = "csi.storage.k8s.io/serviceAccount.tokens";

/// Mounts, and returns the error; Azure must not have received a request.
async fn refused_unasked(azure: &Azure, call: &MountCall) -> Status {
    azure.journal().clear();
    let status = Provider::start(azure).driver().mount(call).await.unwrap_err();
    assert_eq!(azure.journal().lines(), [""; 0], "{status}");
    assert!(!status.message().contains('\n'), "{status}");
    status
}

#[track_caller]
fn assert_mentions(status: &Status, code: Code, mentions: &[&str]) {
    assert_eq!(status.code(), code, "{status}");
    for mention in mentions {
        assert!(status.message().contains(mention), "{:?} does not mention {mention:?}", status.message());
    }
}

#[tokio::test]
async fn a_misspelt_client_id_is_named_where_kubelet_puts_the_tokens_into_secrets() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let tokens = azure.service_account_tokens("default", "app");
    let call = MountCall::of(OBJECTS).with_secrets(&[(TOKENS, &tokens)]);
    let status = refused_unasked(&azure, &call.clone().with("clientId", WORKLOAD)).await;
    assert_mentions(
        &status,
        Code::FailedPrecondition,
        &["[AKV-NoCredentials] ", "parameter \"clientId\" is unknown (did you mean clientID?)"],
    );
    assert!(!status.message().contains("referenced Secret has no"), "{status}");
    Provider::start(&azure).driver().mount(&call.with("clientID", WORKLOAD)).await.unwrap();
}

#[tokio::test]
async fn a_refused_node_identity_names_the_misspelt_parameter() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let call = MountCall::of(OBJECTS)
        .with("useVMManagedIdentity", "true")
        .with("userAssignedIdentityId", "bbbbbbbb-0000-0000-0000-000000000001");
    let body = json!({
        "error": "invalid_request",
        "error_description": "Multiple user assigned identities exist, please specify one",
    });
    let answer = Fault::Status { code: 400, retry_after: None, body: Some(body.to_string()) };
    azure.faults().inject(Route::service(Service::Imds), answer);
    let status = Provider::start(&azure).driver().mount(&call).await.unwrap_err();
    let hint = "parameter \"userAssignedIdentityId\" is unknown (did you mean userAssignedIdentityID?)";
    assert_mentions(&status, Code::Unauthenticated, &["[AKV-IdentityNotChosen] ", hint]);
}

#[tokio::test]
async fn a_resource_id_in_place_of_a_client_id_is_refused_before_any_call() {
    const RESOURCE: &str = "/subscriptions/00000000-0000-0000-0000-000000000009/resourcegroups/rg/providers/\
                            Microsoft.ManagedIdentity/userAssignedIdentities/app";
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let node = MountCall::of(OBJECTS).with("useVMManagedIdentity", "true");
    for (call, key) in [
        (node.with("userAssignedIdentityID", RESOURCE), "userAssignedIdentityID"),
        (MountCall::of(OBJECTS).workload(&azure).with("clientID", RESOURCE), "clientID"),
    ] {
        let status = refused_unasked(&azure, &call).await;
        assert_mentions(
            &status,
            Code::InvalidArgument,
            &["[AKV-BadParameters] ", key, "resource id", "client id"],
        );
    }
}

#[tokio::test]
async fn a_placeholder_in_place_of_a_client_id_is_quoted_before_any_call() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    for placeholder in ["<client id>", "${CLIENT_ID}", "##CLIENT_ID##"] {
        let call = MountCall::of(OBJECTS).workload(&azure).with("clientID", placeholder);
        let status = refused_unasked(&azure, &call).await;
        assert_mentions(&status, Code::InvalidArgument, &["clientID", placeholder, "placeholder"]);
    }
}

#[tokio::test]
async fn a_list_under_a_bar_is_reported_as_a_list_and_quoted() {
    let azure = Azure::with_secrets(&[("s1", "x"), ("s2", "y")]).await;
    let objects = "array:\n  - |\n    - objectName: s1\n      objectType: secret\n    - objectName: s2\n      objectType: secret\n";
    let status = refused_unasked(&azure, &MountCall::of(objects).workload(&azure)).await;
    let mentions = &["objects[0]: ", "it is a list at line 1: \"- objectName: s1\"", "an entry looks like"];
    assert_mentions(&status, Code::InvalidArgument, mentions);
}

#[tokio::test]
async fn pem_in_the_vault_is_reported_as_pem_if_an_archive_was_requested() {
    const PEM: &str = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n";
    let azure = Azure::with_secrets(&[("c", PEM)]).await;
    let provider = Provider::start(&azure);
    for (fields, mentions) in [
        ("objectFormat: pfx, objectEncoding: base64", &["[AKV-CannotConvert] ", "objectFormat", "PEM"][..]),
        ("objectEncoding: base64", &["[AKV-WrongEncoding] ", "objectEncoding", "PEM"]),
    ] {
        let objects = format!("- {{objectName: c, objectType: secret, {fields}}}\n");
        let status = provider.driver().mount(&MountCall::of(&objects).workload(&azure)).await.unwrap_err();
        assert_mentions(&status, Code::FailedPrecondition, mentions);
        assert!(!status.message().contains("hunter"), "{status}");
    }
}
