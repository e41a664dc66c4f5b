//! Reads that are shared or cached, and how old a volume's values may be.

use std::{collections::BTreeSet, time::Duration};

use akv_emulator::{Fault, ObjectKind, Role, RoleAssignment, Route, Service, VaultScope};
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

const OBJECTS: &str = "- objectName: db-password\n  objectType: secret\n";

const WORKLOAD: &str = "cccccccc-0000-0000-0000-000000000002";

fn reads() -> Route {
    Route::service(Service::Vault).credentials(true)
}

/// Ten pods of a deployment: each has its own token, and all have the same identity.
fn deployment(azure: &Azure) -> Vec<MountCall> {
    let audience = "api://AzureADTokenExchange";
    (0..10)
        .map(|pod| {
            let hour = Duration::from_secs(3600 + pod);
            let token = azure.service_account_token("default", "app", audience, hour);
            let tokens = serde_json::json!({ audience: { "token": token } }).to_string();
            let call = MountCall::of(OBJECTS).workload(azure).of_another_pod();
            call.with("csi.storage.k8s.io/serviceAccount.tokens", &tokens)
        })
        .collect()
}

#[tokio::test]
async fn a_new_pod_gets_the_new_value_and_a_republish_a_cached_one() {
    let azure = Azure::with_secrets(&[("db-password", "old")]).await;
    let provider = Provider::start(&azure);
    let driver = provider.driver();
    let old = MountCall::of_secrets(&azure, &["db-password"]);
    assert_eq!(driver.mount(&old).await.unwrap().text("db-password"), "old");
    azure.clock().advance(Duration::from_secs(1));
    let version = azure.vaults().put_secret("lab", "db-password", "new");

    azure.journal().clear();
    assert_eq!(driver.mount(&old).await.unwrap().text("db-password"), "old");
    assert_eq!(azure.journal().total(), 0, "{:?}", azure.journal().lines());

    let mounted = driver.mount(&old.of_another_pod()).await.unwrap();
    assert_eq!(mounted.text("db-password"), "new");
    assert_eq!(mounted.versions, [("secret/db-password".to_owned(), version)]);
    // The value that was read for the new pod also serves the old one.
    assert_eq!(driver.mount(&old).await.unwrap().text("db-password"), "new");
    assert_eq!(azure.journal().count(&reads()), 1);
}

#[tokio::test]
async fn without_a_max_age_each_republish_reads_again() {
    let azure = Azure::with_secrets(&[("db-password", "old")]).await;
    let provider = Provider::start_with(&azure, &["--republish-max-age=0".to_owned()]);
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    provider.driver().mount(&call).await.unwrap();
    azure.clock().advance(Duration::from_secs(1));
    azure.vaults().put_secret("lab", "db-password", "new");
    assert_eq!(provider.driver().mount(&call).await.unwrap().text("db-password"), "new");
}

#[tokio::test]
async fn a_value_older_than_the_max_age_is_read_again() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start_with(&azure, &["--republish-max-age=1ns".to_owned()]);
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    for mounts in 1..=2 {
        provider.driver().mount(&call).await.unwrap();
        assert_eq!(azure.journal().count(&reads()), mounts);
    }
}

#[tokio::test]
async fn republishes_of_ten_replicas_share_cached_values() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let pods = deployment(&azure);
    for pod in &pods {
        provider.driver().mount(pod).await.unwrap();
    }
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 10, "each has proved itself");
    assert_eq!(azure.journal().count(&reads()), 10, "each new pod reads afresh");
    azure.journal().clear();
    for pod in &pods {
        provider.driver().mount(pod).await.unwrap();
    }
    assert_eq!(azure.journal().total(), 0, "{:?}", azure.journal().lines());
}

#[tokio::test]
async fn a_cache_for_objects_serves_new_pods_too() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start_with(&azure, &["--object-cache-ttl=5m".to_owned()]);
    for pod in deployment(&azure) {
        provider.driver().mount(&pod).await.unwrap();
    }
    assert_eq!(azure.journal().count(&reads()), 1);
}

#[tokio::test]
async fn a_version_that_does_not_exist_leaves_the_newest_cached() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start_with(&azure, &["--object-cache-ttl=5m".to_owned()]);
    let call = MountCall::of(OBJECTS).workload(&azure);
    provider.driver().mount(&call).await.unwrap();
    let objects = format!("{OBJECTS}  objectVersion: \"00000000000000000000000000000000\"\n");
    let another = MountCall::of(&objects).with("useVMManagedIdentity", "true").of_another_pod();
    let status = provider.driver().mount(&another).await.unwrap_err();
    assert!(status.message().starts_with("[AKV-NotFound] "), "{status}");
    assert_eq!(azure.journal().count(&reads()), 2);
    provider.driver().mount(&call.of_another_pod()).await.unwrap();
    assert_eq!(azure.journal().count(&reads()), 2, "the newest is still kept");
}

#[tokio::test]
async fn a_history_is_cached_with_its_list() {
    let azure = Azure::with_secrets(&[("db-password", "1")]).await;
    for value in ["2", "3"] {
        azure.clock().advance(Duration::from_secs(1));
        azure.vaults().put_secret("lab", "db-password", value);
    }
    let provider = Provider::start(&azure);
    let objects = "- objectName: db-password\n  objectType: secret\n  objectVersionHistory: 2\n";
    let call = MountCall::of(objects).workload(&azure);
    let first = provider.driver().mount(&call).await.unwrap();
    assert_eq!(azure.journal().count(&reads()), 4, "a list and three versions");
    assert_eq!(provider.driver().mount(&call).await.unwrap(), first);
    assert_eq!(azure.journal().count(&reads()), 4);
}

#[tokio::test]
async fn pods_that_start_together_share_reads_in_flight() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let pods = deployment(&azure);
    // The mounts need tokens first, so that the reads begin together.
    for pod in &pods {
        provider.driver().mount(&pod.of_another_pod()).await.unwrap();
    }
    azure.journal().clear();
    azure.latency().set_for(reads(), Duration::from_millis(600));
    let mounts: Vec<_> = pods
        .into_iter()
        .map(|pod| {
            let driver = provider.driver();
            tokio::spawn(async move { driver.mount(&pod).await })
        })
        .collect();
    for mount in mounts {
        assert_eq!(mount.await.unwrap().unwrap().text("db-password"), "x");
    }
    assert_eq!(azure.journal().total(), 1, "{:?}", azure.journal().lines());
}

#[tokio::test]
async fn a_pod_gets_a_read_that_another_one_sent_and_finished_since_it_began() {
    let azure = Azure::with_secrets(&[("db-password", "old")]).await;
    let provider = Provider::start(&azure);
    let pods = deployment(&azure);
    provider.driver().mount(&pods[0].of_another_pod()).await.unwrap();
    azure.vaults().put_secret("lab", "db-password", "x");
    azure.journal().clear();
    // The second pod has a token of its own, which it waits for.
    azure.latency().set_for(Route::token_endpoint(), Duration::from_secs(2));
    let (driver, slow) = (provider.driver(), pods[1].of_another_pod());
    let slow = tokio::spawn(async move { driver.mount(&slow).await });
    azure.journal().wait_for_route(1, &Route::token_endpoint()).await;
    let first = provider.driver().mount(&pods[0].of_another_pod()).await.unwrap();
    assert_eq!(first.text("db-password"), "x", "its own read, since it began after the last one");
    assert!(!slow.is_finished());
    assert_eq!(slow.await.unwrap().unwrap().text("db-password"), "x");
    assert_eq!(azure.journal().count(&reads()), 1, "{:?}", azure.journal().lines());
}

#[tokio::test]
async fn two_identities_at_the_same_moment_read_each_for_itself() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let workload = MountCall::of(OBJECTS).workload(&azure);
    let principal = MountCall::of(OBJECTS).with_secrets(&[
        ("clientid", "dddddddd-0000-0000-0000-000000000003"),
        ("clientsecret", "s3cr3t~value"),
    ]);
    for call in [&workload, &principal] {
        provider.driver().mount(&call.of_another_pod()).await.unwrap();
    }
    azure.journal().clear();
    azure.latency().set_for(reads(), Duration::from_millis(600));
    let (driver, other) = (provider.driver(), provider.driver());
    // The same pod, UID and path, as two identities that may both read.
    let (first, second) = tokio::join!(driver.mount(&workload), other.mount(&principal));
    assert_eq!((first.unwrap().text("db-password"), second.unwrap().text("db-password")), ("x", "x"));
    let callers: BTreeSet<_> =
        azure.journal().filter(&reads()).into_iter().filter_map(|entry| entry.caller).collect();
    assert_eq!(callers.len(), 2, "{callers:?}");
}

#[tokio::test]
async fn a_shared_read_continues_when_its_first_caller_is_dropped() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start_over(&azure, azure.transports());
    let mut pods = deployment(&azure).into_iter();
    let (first, second) = (pods.next().unwrap(), pods.next().unwrap());
    for pod in [&first, &second] {
        provider.driver().mount(&pod.of_another_pod()).await.unwrap();
    }
    azure.journal().clear();
    azure.latency().set_for(reads(), Duration::from_millis(600));
    let mount = |pod: MountCall| {
        let driver = provider.driver();
        tokio::spawn(async move { driver.mount(&pod).await })
    };
    let leaves = mount(first);
    azure.journal().wait_for(1).await;
    let stays = mount(second);
    let joined = r#"akv_vault_calls_total{kind="secret",result="shared",vault="lab.vault.azure.net"} 1"#;
    provider.wait_for_metric(joined).await;
    leaves.abort();
    assert_eq!(stays.await.unwrap().unwrap().text("db-password"), "x");
    assert_eq!(azure.journal().total(), 1, "{:?}", azure.journal().lines());
}

#[tokio::test]
async fn a_denied_principal_gets_no_cached_value() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    provider.driver().mount(&call).await.unwrap();
    azure.directory().revoke_all(WORKLOAD);
    let new = provider.driver().mount(&call.of_another_pod()).await.unwrap_err();
    let again = provider.driver().mount(&call).await.unwrap_err();
    assert_eq!((new.code(), again.code()), (Code::PermissionDenied, Code::PermissionDenied));

    azure.directory().grant(RoleAssignment {
        principal: WORKLOAD.to_owned(),
        vaults: VaultScope::All,
        role: Role::SecretsUser,
    });
    provider.driver().mount(&call).await.unwrap();
    azure.vaults().delete("lab", ObjectKind::Secret, "db-password").unwrap();
    let new = provider.driver().mount(&call.of_another_pod()).await.unwrap_err();
    let again = provider.driver().mount(&call).await.unwrap_err();
    assert_eq!((new.code(), again.code()), (Code::NotFound, Code::NotFound));
}

#[tokio::test]
async fn a_refusal_of_an_object_that_was_never_read_leaves_cached_values() {
    let azure = Azure::with_secrets(&[("db-password", "x"), ("api-key", "y"), ("denied", "z")]).await;
    let provider = Provider::start(&azure);
    let good = MountCall::of_secrets(&azure, &["db-password", "api-key"]);
    let denied = MountCall::of_secrets(&azure, &["denied"]).of_another_pod();
    let route = reads().path_prefix("/secrets/denied");
    azure.faults().inject(route, Fault::status(403));
    provider.driver().mount(&good).await.unwrap();

    azure.journal().clear();
    provider.driver().mount(&denied).await.unwrap_err();
    provider.driver().mount(&good).await.unwrap();
    let others = reads().matching(|head| !head.path.contains("denied"));
    assert_eq!(azure.journal().count(&others), 0, "{:?}", azure.journal().lines());

    // A refusal of an object that was read says that permissions have shrunk.
    azure.faults().clear();
    azure.faults().inject(reads().path_prefix("/secrets/api-key"), Fault::status(403));
    provider.driver().mount(&MountCall::of_secrets(&azure, &["api-key"]).of_another_pod()).await.unwrap_err();
    azure.faults().clear();
    azure.journal().clear();
    provider.driver().mount(&good).await.unwrap();
    assert_eq!(azure.journal().count(&reads()), 2, "{:?}", azure.journal().lines());
}

#[tokio::test]
async fn a_lasting_403_of_one_object_empties_the_cache_once() {
    let azure = Azure::with_secrets(&[("db-password", "x"), ("api-key", "y")]).await;
    let provider = Provider::start(&azure);
    let [password, key] = ["db-password", "api-key"].map(|name| MountCall::of_secrets(&azure, &[name]));
    for call in [&password, &key] {
        provider.driver().mount(&call.of_another_pod()).await.unwrap();
    }
    provider.driver().mount(&password).await.unwrap();
    azure.faults().inject(reads().path_prefix("/secrets/api-key"), Fault::status(403));
    let of_password = reads().path_prefix("/secrets/db-password");
    for (refusal, expected) in [(1, 1), (2, 0), (3, 0)] {
        provider.driver().mount(&key.of_another_pod()).await.unwrap_err();
        azure.journal().clear();
        assert_eq!(provider.driver().mount(&password).await.unwrap().text("db-password"), "x");
        assert_eq!(azure.journal().count(&of_password), expected, "after refusal {refusal}");
    }
}

#[tokio::test]
async fn a_read_that_was_under_way_at_a_refusal_is_not_cached() {
    let azure = Azure::with_secrets(&[("db-password", "x"), ("api-key", "y")]).await;
    let provider = Provider::start(&azure);
    let [password, key] = ["db-password", "api-key"].map(|name| MountCall::of_secrets(&azure, &[name]));
    provider.driver().mount(&password).await.unwrap();
    let slow = reads().path_prefix("/secrets/api-key");
    azure.latency().set_for(slow.clone(), Duration::from_secs(3));
    let (driver, under_way) = (provider.driver(), key.clone());
    let mount = tokio::spawn(async move { driver.mount(&under_way).await });
    azure.journal().wait_for_route(1, &slow).await;
    let refused = azure.faults().inject(reads().path_prefix("/secrets/db-password"), Fault::status(403));
    provider.driver().mount(&password.of_another_pod()).await.unwrap_err();
    assert!(azure.faults().hits(refused) > 0 && !mount.is_finished());
    mount.await.unwrap().unwrap();
    azure.latency().clear();
    provider.driver().mount(&key).await.unwrap();
    assert_eq!(azure.journal().count(&slow), 2, "the republish reads again");
}

#[tokio::test]
async fn a_pod_with_another_pods_names_does_not_get_its_values() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    // With the longest caching.
    let provider = Provider::start_with(&azure, &["--object-cache-ttl=5m".to_owned()]);
    let owner = MountCall::of(OBJECTS).workload(&azure);
    provider.driver().mount(&owner).await.unwrap();
    // The same pod, UID and path, as an identity that may not read this vault.
    let stranger = owner.clone().with("clientID", "eeeeeeee-0000-0000-0000-000000000004");
    let status = provider.driver().mount(&stranger).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    // The same names, with a token that claims the owner's identity and lacks Entra's signature.
    let forged = serde_json::json!({ "api://AzureADTokenExchange": { "token": "e30.e30.c2ln" } }).to_string();
    let forger = owner.clone().with("csi.storage.k8s.io/serviceAccount.tokens", &forged);
    let status = provider.driver().mount(&forger).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    provider.driver().mount(&owner).await.unwrap();
}
