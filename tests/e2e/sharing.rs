//! Tokens, challenges and connections that mounts share, and the limits of sharing.

use std::time::Duration;

use akv_emulator::{Fault, Route, Service};
use akv_provider::transport::Timeouts;
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

const OBJECTS: &str = "- objectName: db-password\n  objectType: secret\n";

fn probes() -> Route {
    Route::service(Service::Vault).credentials(false)
}

fn service_principal() -> MountCall {
    MountCall::of(OBJECTS).with_secrets(&[
        ("clientid", "dddddddd-0000-0000-0000-000000000003"),
        ("clientsecret", "s3cr3t~value"),
    ])
}

#[tokio::test]
async fn a_cached_token_and_a_cached_challenge_cost_no_request() {
    let (azure, names) = Azure::with_numbered_secrets(20).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let provider = Provider::start(&azure);
    let call = MountCall::of_secrets(&azure, &names);
    provider.driver().mount(&call).await.unwrap();
    azure.journal().clear();

    provider.driver().mount(&call.of_another_pod()).await.unwrap();

    assert_eq!(azure.journal().total(), 20, "{:?}", azure.journal().lines());
    assert_eq!(azure.journal().count(&Route::service(Service::Vault).credentials(true)), 20);
}

#[tokio::test]
async fn connections_and_the_challenge_are_prewarmed_during_the_token_request() {
    let (azure, names) = Azure::with_numbered_secrets(20).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let provider = Provider::start(&azure);
    // Entra issues no token until the test has seen enough.
    let hang = azure.faults().inject(Route::token_endpoint(), Fault::Hang);
    let (driver, call) = (provider.driver(), MountCall::of_secrets(&azure, &names));
    let mount = tokio::spawn(async move { driver.mount(&call).await });

    // One connection to Entra, and one for each read.
    let prepared = async {
        azure.journal().wait_until(|journal| journal.connections() >= 21).await;
        azure.journal().wait_for_route(1, &probes()).await;
    };
    tokio::time::timeout(Duration::from_secs(30), prepared).await.expect("they do not wait for the token");
    assert_eq!(azure.journal().count(&Route::service(Service::Vault).credentials(true)), 0);
    azure.faults().remove(hang);
    mount.abort();
}

#[tokio::test]
async fn pods_that_start_together_get_connections_for_the_reads_of_each_identity() {
    let (azure, names) = Azure::with_numbered_secrets(20).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (provider, _) = Provider::start_with_ports(&azure, |admin| admin.metrics_port = Some(0));
    // No read begins before the test has seen enough.
    azure.faults().inject(Route::token_endpoint(), Fault::Hang);
    let first = MountCall::of_secrets(&azure, &names);
    let second = first.clone().with("clientID", "eeeeeeee-0000-0000-0000-000000000004");
    let mounts = [&first, &second, &second].map(|call| {
        let (driver, call) = (provider.driver(), call.of_another_pod());
        tokio::spawn(async move { driver.mount(&call).await.map(drop) })
    });

    // Two to Entra, and one for each read of the two identities.
    let prepared = azure.journal().wait_until(|journal| journal.connections() >= 42);
    tokio::time::timeout(Duration::from_secs(30), prepared).await.expect("they do not wait for the tokens");
    provider.wait_for_metric("akv_mounts_in_flight 3").await;
    assert_eq!(azure.journal().connections(), 42);
    mounts.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn ten_pods_at_once_cost_one_token_and_one_challenge() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.latency().set(Duration::from_millis(30));
    let provider = Provider::start(&azure);
    let call = MountCall::of(OBJECTS).workload(&azure);
    let mounts: Vec<_> = (0..10)
        .map(|pod| {
            let call = call.clone().with("csi.storage.k8s.io/pod.name", &format!("web-{pod}"));
            let driver = provider.driver();
            tokio::spawn(async move { driver.mount(&call).await })
        })
        .collect();
    for mount in mounts {
        mount.await.unwrap().unwrap();
    }
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 1);
    assert_eq!(azure.journal().count(&probes()), 1);
}

#[tokio::test]
async fn a_vault_gets_a_bounded_number_of_requests_at_once() {
    let (azure, names) = Azure::with_numbered_secrets(144).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // Longer than it takes to open the connections on a busy machine.
    azure.latency().set_for(Route::service(Service::Vault), Duration::from_millis(800));
    let provider = Provider::start(&azure);
    let mounts = provider.mounts_of_pods(&azure, names.chunks(16));
    for mount in mounts {
        mount.await.unwrap().unwrap();
    }
    let at_once = azure.journal().max_in_flight();
    assert!((33..=64).contains(&at_once), "{at_once} requests ran at once");
}

#[tokio::test]
async fn a_hanging_vault_does_not_delay_other_vaults() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.vaults().put_secret("other", "db-password", "y");
    let provider = Provider::start(&azure);
    let call = MountCall::of(OBJECTS).workload(&azure);
    // A vault that accepted a token may have half of the permits.
    provider.driver().mount(&call).await.unwrap();
    azure.faults().inject(Route::vault("lab").credentials(true), Fault::Hang);
    azure.journal().clear();
    let hanging: Vec<_> = (0..70)
        .map(|pod| {
            let object = format!("- objectName: secret-{pod}\n  objectType: secret\n");
            let (driver, call) = (provider.driver(), call.of_another_pod().with("objects", &object));
            tokio::spawn(async move { driver.mount(&call).await.map(drop) })
        })
        .collect();
    azure.journal().wait_for_route(50, &Route::vault("lab").credentials(true)).await;
    // If it waited behind the hanging reads, it would also succeed, but only after the transport's timeout of a quarter
    // of a minute.
    let (driver, other) = (provider.driver(), call.with("keyvaultName", "other"));
    let mounted = tokio::time::timeout(Duration::from_secs(10), driver.mount(&other)).await;
    assert_eq!(mounted.expect("it does not wait for the other vault").unwrap().text("db-password"), "y");
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_dead_connection_leaves_those_of_other_hosts_open() {
    let azure = Azure::with_secrets(&[("a", "x")]).await;
    azure.vaults().put_secret("other", "a", "y");
    let provider = Provider::start(&azure);
    let lab = MountCall::of_secrets(&azure, &["a"]);
    let other = lab.clone().with("keyvaultName", "other");
    for call in [&lab, &other] {
        provider.driver().mount(&call.of_another_pod()).await.unwrap();
    }
    azure.faults().inject_times(1, Route::vault("lab").credentials(true), Fault::Reset);
    provider.driver().mount(&lab.of_another_pod()).await.unwrap();
    let connections = azure.journal().connections();
    provider.driver().mount(&other.of_another_pod()).await.unwrap();
    assert_eq!(azure.journal().connections(), connections);
}

#[tokio::test]
async fn two_identities_never_share_an_answer() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let good = MountCall::of(OBJECTS).workload(&azure);
    // The same pod's token, for an identity that may not read this vault.
    let other = good.clone().with("clientID", "eeeeeeee-0000-0000-0000-000000000004");
    for _ in 0..2 {
        provider.driver().mount(&good).await.unwrap();
        let status = provider.driver().mount(&other).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    }
    // One token for each identity: the refused one is so young that a renewal would not help.
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 2);
}

#[tokio::test]
async fn a_role_that_is_newer_than_the_token_takes_effect() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    provider.driver().mount(&service_principal()).await.unwrap();

    // As with roles that come from groups: the vault refuses the old token, and accepts a new one.
    let denied = Fault::Status { code: 403, retry_after: None, body: None };
    azure.faults().inject_times(1, Route::service(Service::Vault).credentials(true), denied);
    provider.driver().mount(&service_principal().of_another_pod()).await.unwrap();
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 2);

    // The newest token is as good as one that would be issued now.
    azure.directory().revoke_all("dddddddd-0000-0000-0000-000000000003");
    let status = provider.driver().mount(&service_principal().of_another_pod()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 2);
}

#[tokio::test]
async fn a_forged_token_does_not_get_a_genuine_ones_cached_credential() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let genuine = azure.service_account_tokens("default", "app");
    let call =
        MountCall::of(OBJECTS).workload(&azure).with("csi.storage.k8s.io/serviceAccount.tokens", &genuine);
    provider.driver().mount(&call).await.unwrap();

    // Header and claims are equal, and so is every name that a pod author can write; the signature differs.
    let mut forged: serde_json::Value = serde_json::from_str(&genuine).unwrap();
    let token = &mut forged["api://AzureADTokenExchange"]["token"];
    let (claims, signature) =
        token.as_str().unwrap().rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    *token = format!("{claims}.{}", signature.chars().rev().collect::<String>()).into();
    let call = call.with("csi.storage.k8s.io/serviceAccount.tokens", &forged.to_string());
    let status = provider.driver().mount(&call).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");

    // Nor does a pod that only claims another's names.
    let call = call.with("csi.storage.k8s.io/serviceAccount.tokens", "{}");
    let status = provider.driver().mount(&call).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
}

#[tokio::test]
async fn a_refusal_is_not_cached() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let known = azure.directory().snapshot();
    azure.directory().update(|directory| directory.applications.clear());
    let status = provider.driver().mount(&service_principal()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    azure.directory().replace((*known).clone());
    provider.driver().mount(&service_principal()).await.unwrap();
}

/// Only the first mount asks IMDS, and the others wait for the answer.
#[tokio::test]
async fn pods_that_start_together_all_report_what_imds_answered() {
    for (answered, code) in [(429, "[AKV-TokenThrottled] "), (503, "[AKV-TokenSourceDown] ")] {
        let azure = Azure::with_secrets(&[("db-password", "x")]).await;
        let provider = Provider::start_changed(&azure, |config| {
            config.mounts.token_limit = Duration::from_secs(2);
        });
        azure.faults().inject(Route::service(Service::Imds), Fault::status(answered));
        let managed = MountCall::of(OBJECTS).with("useVMManagedIdentity", "true");
        let (driver, pods) = (provider.driver(), [(); 5].map(|()| managed.of_another_pod()));
        let mounts = pods.iter().map(|pod| driver.mount(pod));
        let results = futures::future::join_all(mounts).await;
        let messages: Vec<_> =
            results.into_iter().map(|mounted| mounted.unwrap_err().message().to_owned()).collect();
        assert!(messages[0].starts_with(code), "{answered}: {messages:#?}");
        assert!(messages.iter().all(|message| *message == messages[0]), "{answered}: {messages:#?}");
        let asked = azure.journal().count(&Route::service(Service::Imds));
        assert_eq!(asked, 1, "{answered}: the pause that IMDS wants is longer than two seconds");

        azure.faults().clear();
        driver.mount(&pods[0]).await.expect("a failure is not remembered");
    }
}

#[tokio::test]
async fn pods_that_start_together_share_a_failure_of_entra_and_report_it() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let timeouts =
        Timeouts { initial_backoff: Duration::from_millis(1), ..Timeouts::within(Duration::from_secs(90)) };
    let provider = Provider::start_over(&azure, azure.transports_with(timeouts));
    azure.faults().inject(Route::token_endpoint(), Fault::status(503));
    // Slow, so that all mounts join before the first attempt ends.
    azure.latency().set_for(Route::token_endpoint(), Duration::from_millis(500));
    let (driver, pods) = (provider.driver(), [(); 10].map(|()| service_principal().of_another_pod()));
    let mounts = pods.iter().map(|pod| driver.mount(pod));
    let status = futures::future::join_all(mounts).await;
    for mounted in status {
        let status = mounted.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        assert!(status.message().starts_with("[AKV-TokenSourceDown] "), "{status}");
    }
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 5, "the tries of one attempt");
    let counted = r#"akv_token_requests_total{identity_mode="service principal",result="unavailable"} 10"#;
    provider.wait_for_metric(counted).await;

    azure.faults().clear();
    driver.mount(&pods[0]).await.expect("a failure is not remembered");
}

#[tokio::test]
async fn a_dropped_mount_does_not_cancel_a_shared_token_request() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start_over(&azure, azure.transports());
    azure.latency().set_for(Route::token_endpoint(), Duration::from_secs(3));
    let mount = || {
        let (driver, call) = (provider.driver(), service_principal().of_another_pod());
        tokio::spawn(async move { driver.mount(&call).await })
    };
    let first = mount();
    azure.journal().wait_for_route(1, &Route::token_endpoint()).await;
    let second = mount();
    // The second mount has joined the first one's request.
    provider.wait_for_metric("akv_mounts_in_flight 2").await;
    first.abort();
    provider.wait_for_metric("akv_mounts_in_flight 1").await;
    second.await.unwrap().unwrap();
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 1);
}

#[tokio::test]
async fn a_token_about_to_expire_is_not_used_again() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.directory().update(|directory| directory.token_lifetime = Duration::from_secs(200));
    let provider = Provider::start(&azure);
    provider.driver().mount(&service_principal()).await.unwrap();
    let asked = azure.journal().count(&Route::token_endpoint());
    provider.driver().mount(&service_principal()).await.unwrap();
    // A mount may request more than one token: the SDK, too, does not read with a token that is about to expire.
    assert!(azure.journal().count(&Route::token_endpoint()) > asked);
}

#[tokio::test]
async fn a_token_that_the_vault_no_longer_accepts_is_renewed_within_the_mount() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    provider.driver().mount(&service_principal()).await.unwrap();
    // For the vault the token has long expired, for the provider it has not.
    azure.clock().advance(Duration::from_secs(7_200));
    provider.driver().mount(&service_principal().of_another_pod()).await.unwrap();
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 2);
}

#[tokio::test]
async fn pod_identity_requests_a_token_for_each_mount() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let call = MountCall::of(OBJECTS).with("usePodIdentity", "true");
    for mounts in 1..=2 {
        provider.driver().mount(&call).await.unwrap();
        assert_eq!(azure.journal().count(&Route::service(Service::Nmi)), mounts);
    }
}
