//! A vault that throttles: all mounts wait until the same time, and then read no faster than the vault answers.

use std::time::Duration;

use akv_emulator::{Fault, Route, Service};

use crate::harness::{Azure, MountCall, Provider};

fn reads() -> Route {
    Route::service(Service::Vault).credentials(true)
}

fn throttled(azure: &Azure) -> usize {
    azure.journal().filter(&reads()).iter().filter(|entry| entry.status == Some(429)).count()
}

#[tokio::test]
async fn a_vault_with_a_limit_refuses_few_requests_and_no_mount_fails() {
    let (azure, names) = Azure::with_numbered_secrets(120).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let provider = Provider::start(&azure);
    provider.driver().mount(&MountCall::of_secrets(&azure, &names[..1])).await.unwrap();
    azure.journal().clear();
    azure.limits().set("lab", 50);
    let mounts = provider.mounts_of_pods(&azure, names.chunks(20));
    for mount in mounts {
        mount.await.unwrap().unwrap();
    }
    // These requests were in flight when the vault began to throttle. Without the limiter, each request would retry by
    // itself and many more would be refused.
    let refused = throttled(&azure);
    assert!((1..=80).contains(&refused), "{refused} requests were refused");
    assert_eq!(azure.journal().count(&reads()), 120 + refused);
}

#[tokio::test]
async fn no_request_is_sent_before_retry_after_has_passed() {
    let azure = Azure::with_secrets(&[("a", "x"), ("b", "x")]).await;
    let provider = Provider::start_over(&azure, azure.transports());
    provider.driver().mount(&MountCall::of_secrets(&azure, &["a"])).await.unwrap();
    azure.journal().clear();
    azure.faults().inject_times(1, reads().path_prefix("/secrets/a"), Fault::throttled(1));
    let mount = |name: &'static str| {
        let (driver, call) = (provider.driver(), MountCall::of_secrets(&azure, &[name]).of_another_pod());
        tokio::spawn(async move { driver.mount(&call).await })
    };
    let first = mount("a");
    provider.wait_for_metric(r#"akv_vault_throttled_total{vault="lab.vault.azure.net"} 1"#).await;
    // Another pod and another object of the same vault.
    let second = mount("b");
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    let asked: Vec<Duration> = azure.journal().filter(&reads()).iter().map(|entry| entry.at).collect();
    assert_eq!(asked.len(), 3, "{:?}", azure.journal().lines());
    assert!(asked[1..].iter().all(|at| *at - asked[0] >= Duration::from_secs(1)), "{asked:?}");
}

#[tokio::test]
async fn mounts_fail_at_once_if_retry_after_exceeds_their_budget() {
    let azure = Azure::with_secrets(&[("a", "x"), ("b", "x")]).await;
    let provider = Provider::start(&azure);
    provider.driver().mount(&MountCall::of_secrets(&azure, &["a"])).await.unwrap();
    azure.journal().clear();
    azure.faults().inject_times(1, reads(), Fault::throttled(60));
    // The vault throttles the first mount. The limiter then fails the other mount, of another pod and object.
    for name in ["a", "b"] {
        let call = MountCall::of_secrets(&azure, &[name]).of_another_pod();
        let status = provider.driver().mount(&call).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::FailedPrecondition, "{status}");
        assert!(status.message().contains("AKV-Throttled") && status.message().contains("429"), "{status}");
    }
    assert_eq!(azure.journal().count(&reads()), 1, "{:?}", azure.journal().lines());
}

/// A republish once failed after eleven seconds, while 27 new pods got their secrets.
#[tokio::test]
async fn a_republish_is_served_while_new_pods_wait_for_a_vault_that_throttles() {
    let (azure, names) = Azure::with_numbered_secrets(121).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let provider = Provider::start_with(&azure, &["--republish-max-age=0".to_owned()]);
    let (new, old) = names.split_at(120);
    let volume = MountCall::of_secrets(&azure, old);
    provider.driver().mount(&volume).await.unwrap();
    azure.journal().clear();
    azure.limits().set("lab", 25);
    let mounts = provider.mounts_of_pods(&azure, new.chunks(20));
    azure
        .journal()
        .wait_until(|journal| journal.filter(&reads()).iter().any(|entry| entry.status == Some(429)))
        .await;
    provider.driver().mount(&volume).await.unwrap();
    for mount in mounts {
        mount.await.unwrap().unwrap();
    }
    let reads = azure.journal().filter(&reads());
    let answered = reads.iter().filter(|entry| entry.status == Some(200));
    let before =
        answered.take_while(|entry| !entry.head.path.starts_with(&format!("/secrets/{}", old[0]))).count();
    assert!(before < 110, "it waited for {before} reads of 120");
}

/// Its reads once waited for all 120 of the other namespace.
#[tokio::test]
async fn a_mount_is_served_while_another_namespace_fills_the_queue_of_a_vault_that_throttles() {
    let (azure, names) = Azure::with_numbered_secrets(125).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let provider = Provider::start(&azure);
    let (many, few) = names.split_at(120);
    let call = MountCall::of_secrets(&azure, few).with("csi.storage.k8s.io/pod.namespace", "bank");
    provider.driver().mount(&call).await.unwrap();
    azure.journal().clear();
    azure.limits().set("lab", 25);
    let mounts = provider.mounts_of_pods(&azure, many.chunks(20));
    azure
        .journal()
        .wait_until(|journal| journal.filter(&reads()).iter().any(|entry| entry.status == Some(429)))
        .await;
    provider.driver().mount(&call.of_another_pod()).await.unwrap();
    let reads = azure.journal().filter(&reads());
    let answered = reads.iter().filter(|entry| entry.status == Some(200)).count();
    assert!(answered < 115, "{answered} reads of 125 were answered before its last");
    for mount in mounts {
        mount.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn waiting_reads_of_an_objects_versions_are_bounded() {
    let azure = Azure::with_secrets(&[]).await;
    for version in 0..100 {
        azure.vaults().put_secret("lab", "a", &format!("x{version}"));
    }
    let provider = Provider::start_over(&azure, azure.transports());
    let objects = "- objectName: a\n  objectType: secret\n  objectVersionHistory: 100\n";
    let call = MountCall::of(objects).workload(&azure);
    let read = reads().matching(|head| !head.path.ends_with("/versions"));
    let hangs = azure.faults().inject(read.clone(), Fault::Hang);
    let (driver, hung) = (provider.driver(), call.clone());
    let mount = tokio::spawn(async move { driver.mount(&hung).await });
    azure.journal().wait_for_route(64, &read).await;
    let asked = r#"akv_vault_calls_total{kind="secret",result="miss",vault="lab.vault.azure.net"} 64"#;
    let metrics = provider.metrics().await;
    assert!(metrics.lines().any(|line| line == asked), "{metrics}");
    mount.abort();
    provider.wait_for_metric("akv_mounts_in_flight 0").await;
    azure.faults().remove(hangs);
    let mounted = provider.driver().mount(&call.of_another_pod()).await.unwrap();
    assert_eq!(mounted.files.len(), 100);
}
