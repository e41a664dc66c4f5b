//! Versions that an entry chooses, and objects outside their validity.

use akv_emulator::{Fault, ObjectKind, Route, Service};
use serde_json::{Map, json};
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

fn reads() -> Route {
    Route::service(Service::Vault).credentials(true)
}

const VALID: &str = "- {objectName: sig, objectType: secret, objectVersionPolicy: latestValid}";

#[tokio::test]
async fn versions_are_listed_only_where_the_newest_does_not_fit() {
    let azure = Azure::with_secrets(&[("sig", "one")]).await;
    let provider = Provider::start(&azure);
    let call = MountCall::of(VALID).workload(&azure);
    assert_eq!(provider.driver().mount(&call).await.unwrap().text("sig"), "one");
    assert_eq!(azure.journal().count(&reads()), 1);

    azure.vaults().put_secret("lab", "sig", "two");
    azure
        .vaults()
        .change("lab", ObjectKind::Secret, "sig", None, |version| version.expires = Some(1))
        .unwrap();
    azure.journal().clear();
    assert_eq!(provider.driver().mount(&call.of_another_pod()).await.unwrap().text("sig"), "one");
    assert_eq!(azure.journal().count(&reads()), 3, "{:?}", azure.journal().lines());
}

#[tokio::test]
async fn a_fitting_version_is_found_beyond_a_page_of_others() {
    let azure = Azure::with_secrets(&[("sig", "good")]).await;
    for _ in 0..60 {
        azure.vaults().put_secret("lab", "sig", "off");
        azure
            .vaults()
            .change("lab", ObjectKind::Secret, "sig", None, |version| version.enabled = false)
            .unwrap();
    }
    let provider = Provider::start(&azure);
    let objects = "- {objectName: sig, objectType: secret, objectVersionPolicy: latestEnabled}";
    let mounted = provider.driver().mount(&MountCall::of(objects).workload(&azure)).await.unwrap();
    assert_eq!(mounted.text("sig"), "good");
    assert_eq!(azure.journal().count(&reads()), 5, "the newest, three pages and the one that fits");
}

#[tokio::test]
async fn a_fault_is_not_passed_over() {
    let azure = Azure::with_secrets(&[("sig", "one")]).await;
    for (fault, code) in [
        (Fault::status(403), Code::PermissionDenied),
        (Fault::status(404), Code::NotFound),
        (Fault::status(400), Code::InvalidArgument),
    ] {
        let provider = Provider::start(&azure);
        azure.faults().inject(reads(), fault);
        let status = provider.driver().mount(&MountCall::of(VALID).workload(&azure)).await.unwrap_err();
        assert_eq!(status.code(), code, "{}", status.message());
        azure.faults().clear();
        let lists = Route::service(Service::Vault).path_suffix("/versions");
        assert_eq!(azure.journal().count(&lists), 0);
    }
}

#[tokio::test]
async fn a_version_chosen_by_time_alone_fails_as_disabled() {
    let azure = Azure::with_secrets(&[]).await;
    let vault = json!({"lab": {"secrets": {"sig": [
        {"version": "aa", "created": 1_700_000_000, "enabled": false, "body": {"value": "one"}},
        {"version": "bb", "created": 1_700_007_200, "body": {"value": "two"}},
    ]}}});
    azure.vaults().replace(serde_json::from_value(vault).unwrap());
    let provider = Provider::start(&azure);
    let objects = "- {objectName: sig, objectType: secret, objectNotAfter: '2023-11-14T23:00Z'}";
    let status = provider.driver().mount(&MountCall::of(objects).workload(&azure)).await.unwrap_err();
    assert!(status.message().starts_with("[AKV-ObjectDisabled] "), "{}", status.message());
    let optional = objects.replace('}', ", optional: true}");
    let mounted = provider.driver().mount(&MountCall::of(&optional).workload(&azure)).await.unwrap();
    assert_eq!(mounted.paths(), [".absent"]);
}

#[tokio::test]
async fn the_earliest_expiry_is_a_metric() {
    let azure = Azure::with_secrets(&[("a", "x"), ("b", "x"), ("c", "x")]).await;
    for (name, expires) in [("a", 4_000_000_000), ("b", 1_000)] {
        let change = |version: &mut akv_emulator::ObjectVersion| version.expires = Some(expires);
        azure.vaults().change("lab", ObjectKind::Secret, name, None, change).unwrap();
    }
    let (provider, _) = Provider::start_with_ports(&azure, |admin| admin.metrics_port = Some(0));
    let mounted = provider.driver().mount(&MountCall::of_secrets(&azure, &["a", "b", "c"])).await.unwrap();
    assert_eq!(mounted.paths(), ["a", "b", "c"], "an expired version is served");
    let gauge = "akv_object_expires_timestamp_seconds{object_type=\"secret\",vault=\"lab.vault.azure.net\"}";
    provider.wait_for_metric(&format!("{gauge} 1000")).await;
    azure.vaults().put("lab", ObjectKind::Secret, "b", Map::from_iter([("value".to_owned(), json!("new"))]));
    provider.driver().mount(&MountCall::of_secrets(&azure, &["a", "b", "c"]).of_another_pod()).await.unwrap();
    provider.wait_for_metric(&format!("{gauge} 4000000000")).await;
}
