//! Optional objects: what counts as absent, what never does, and what operators see of it.

use akv_emulator::{Fault, ObjectKind, Route, Service};
use serde_json::json;
use tonic::Code;

use crate::{
    harness::{Azure, MountCall, Provider},
    process::{self, Process},
};

fn read(name: &str) -> Route {
    Route::service(Service::Vault).credentials(true).path_prefix(&format!("/secrets/{name}"))
}

const OPTIONAL: &str = "- {objectName: db-password, objectType: secret, optional: true}";

#[tokio::test]
async fn an_object_that_comes_and_goes_has_a_file_only_while_it_is_there() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider =
        Provider::start_changed(&azure, |config| config.mounts.cache.republish_max_age = Default::default());
    let driver = provider.driver();
    let call = MountCall::of(OPTIONAL).workload(&azure);
    let version = |mounted: &crate::harness::Mounted| mounted.versions[0].1.clone();

    let there = driver.mount(&call).await.unwrap();
    assert_eq!(there.paths(), ["db-password"]);
    azure.vaults().delete("lab", ObjectKind::Secret, "db-password").unwrap();
    let deleted = driver.mount(&call).await.unwrap();
    assert_eq!((deleted.paths(), version(&deleted).as_str()), (vec![".absent"], "absent"));
    assert_eq!(deleted.files[0].2, b"");
    azure.vaults().recover("lab", ObjectKind::Secret, "db-password").unwrap();
    let again = driver.mount(&call).await.unwrap();
    assert_eq!((again.paths(), version(&again)), (vec!["db-password"], version(&there)));
    azure.vaults().purge("lab", ObjectKind::Secret, "db-password");
    assert_eq!(driver.mount(&call).await.unwrap().paths(), [".absent"]);
}

#[tokio::test]
async fn a_fault_of_permission_or_network_is_never_taken_for_absence() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let body = |status, body: serde_json::Value| Fault::Status {
        code: status,
        retry_after: None,
        body: Some(body.to_string()),
    };
    let inner =
        |inner: &str| json!({"error": {"code": "Forbidden", "message": "m", "innererror": {"code": inner}}});
    for (label, fault, code) in [
        ("no role", body(403, inner("ForbiddenByRbac")), Code::PermissionDenied),
        ("no policy", body(403, inner("AccessDenied")), Code::PermissionDenied),
        ("a firewall", body(403, inner("ForbiddenByFirewall")), Code::PermissionDenied),
        ("not valid yet", body(403, inner("SecretNotYetValid")), Code::FailedPrecondition),
        ("a refused token", Fault::status(401), Code::Unauthenticated),
        ("a rejected request", Fault::status(400), Code::InvalidArgument),
        ("no vault", body(404, json!({"error": {"code": "VaultNotFound", "message": "m"}})), Code::NotFound),
        ("a gateway's 404", body(404, json!({"message": "no route"})), Code::NotFound),
        (
            "a 404 without words",
            Fault::Answer { code: 404, headers: Vec::new(), body: String::new() },
            Code::NotFound,
        ),
        ("a page", Fault::page(404, "<title>Not here</title>"), Code::FailedPrecondition),
        ("throttling", Fault::throttled(0), Code::FailedPrecondition),
        ("an outage", Fault::status(503), Code::FailedPrecondition),
        ("a lost connection", Fault::Drop, Code::FailedPrecondition),
    ] {
        let provider = Provider::start_over_changed(
            &azure,
            azure.transports_with(akv_provider::transport::Timeouts::within(std::time::Duration::from_secs(
                4,
            ))),
            |config| config.mounts.budget = std::time::Duration::from_secs(4),
        );
        azure.faults().inject(read("db-password"), fault);
        for objects in [OPTIONAL, "- {objectName: db-password, objectType: secret, default: canary}"] {
            let status = provider.driver().mount(&MountCall::of(objects).workload(&azure)).await.unwrap_err();
            assert_eq!(status.code(), code, "{label}: {}", status.message());
            assert!(!status.message().contains("canary"), "{label}: {}", status.message());
        }
        azure.faults().clear();
    }
}

#[tokio::test]
async fn absent_objects_are_counted_by_type() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let (provider, _) = Provider::start_with_ports(&azure, |admin| admin.metrics_port = Some(0));
    let objects = "- {objectName: nope, objectType: secret, optional: true}\n\
                   - {objectName: nokey, objectType: key, optional: true}\n\
                   - {objectName: nada, objectType: secret, default: d}\n\
                   - {objectName: db-password, objectType: secret, optional: true}\n";
    let mounted = provider.driver().mount(&MountCall::of(objects).workload(&azure)).await.unwrap();
    assert_eq!(mounted.paths(), ["nada", "db-password"]);
    for line in [
        "akv_objects_absent_total{object_type=\"secret\"} 2",
        "akv_objects_absent_total{object_type=\"key\"} 1",
        "akv_objects_absent_total{object_type=\"cert\"} 0",
    ] {
        assert!(provider.metrics().await.lines().any(|found| found == line), "no {line}");
    }
}

#[tokio::test]
async fn a_history_without_an_enabled_version_is_absent() {
    let azure = Azure::with_secrets(&[("off", "x")]).await;
    azure.vaults().change("lab", ObjectKind::Secret, "off", None, |version| version.enabled = false).unwrap();
    let provider = Provider::start(&azure);
    let objects = "- {objectName: off, objectType: secret, objectVersionHistory: 3, optional: true}\n\
                   - {objectName: nope, objectType: secret, objectVersionHistory: 3, optional: true}\n";
    let mounted = provider.driver().mount(&MountCall::of(objects).workload(&azure)).await.unwrap();
    assert_eq!(mounted.paths(), [".absent"]);
    let absent = |id: &str| (id.to_owned(), "absent".to_owned());
    assert_eq!(mounted.versions, [absent("secret/off"), absent("secret/nope")]);
}

#[tokio::test]
async fn a_history_that_finds_no_version_fails_beside_other_files_unless_it_is_optional() {
    let azure = Azure::with_secrets(&[("db-password", "x"), ("off", "x")]).await;
    azure.vaults().change("lab", ObjectKind::Secret, "off", None, |version| version.enabled = false).unwrap();
    let provider = Provider::start(&azure);
    let driver = provider.driver();
    let other = "- {objectName: db-password, objectType: secret}\n";
    let mounted = driver.mount(&MountCall::of(other).workload(&azure)).await.unwrap();
    let in_upper_case = mounted.versions[0].1.to_ascii_uppercase();
    assert_ne!(in_upper_case, mounted.versions[0].1);
    for (history, code) in [
        ("objectName: nope".to_owned(), Code::NotFound),
        ("objectName: off".to_owned(), Code::FailedPrecondition),
        ("objectName: db-password, objectAlias: h, objectVersion: \"0\"".to_owned(), Code::NotFound),
        (format!("objectName: db-password, objectAlias: h, objectVersion: {in_upper_case}"), Code::NotFound),
    ] {
        let call = |optional: &str| {
            let history = format!("- {{{history}, objectType: secret, objectVersionHistory: 3{optional}}}\n");
            MountCall::of(&(history + other)).workload(&azure)
        };
        assert_eq!(driver.mount(&call("")).await.unwrap_err().code(), code, "{history}");
        let mounted = driver.mount(&call(", optional: true")).await.unwrap();
        assert_eq!(mounted.paths(), ["db-password"], "{history}");
    }
}

#[tokio::test]
async fn the_log_has_one_line_for_absent_objects_and_one_for_objects_outside_their_validity() {
    let azure = Azure::with_secrets(&[("old", "x"), ("new", "x")]).await;
    let change = |version: &mut akv_emulator::ObjectVersion| version.expires = Some(1_000);
    azure.vaults().change("lab", ObjectKind::Secret, "old", None, change).unwrap();
    let process = Process::start_with(&azure, &[]).await;
    let objects = "- {objectName: nope, objectType: secret, optional: true}\n\
                   - {objectName: nada, objectType: secret, default: canary}\n\
                   - {objectName: old, objectType: secret}\n\
                   - {objectName: new, objectType: secret}\n";
    process.driver().mount(&MountCall::of(objects).workload(&azure)).await.unwrap();
    let log = process::log(&process.signal("-TERM").await);
    for (message, names) in [
        ("optional objects are absent", "secret/nope, secret/nada"),
        ("mounted objects that are not valid at this time", "secret/old"),
    ] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(message)).collect();
        assert!(lines.len() == 1 && lines[0].contains(names), "{message}: {log}");
    }
    assert!(!log.contains("canary") && !log.contains("secret/new"), "{log}");
}
