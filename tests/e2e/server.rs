//! The server itself: its other services, its shutdown, and the isolation of mounts from each other.

use std::{sync::Arc, time::Duration};

use akv_emulator::{Fault, Route, Service};
use akv_provider::{
    proto::{MountRequest, MountResponse},
    transport::{Timeouts, Transports},
};
use azure_core::http::Transport;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::harness::{Azure, MountCall, Panics, Provider};

#[tokio::test]
async fn version_names_the_protocol_and_the_build() {
    let azure = Azure::with_secrets(&[]).await;
    let version = Provider::start(&azure).driver().version().await.unwrap();
    assert_eq!(version.version, "v1alpha1");
    assert_eq!(version.runtime_name, "akv-provider");
    assert_eq!(version.runtime_version, env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn health_is_served_beside_the_provider() {
    let azure = Azure::with_secrets(&[]).await;
    let provider = Provider::start(&azure);
    let mut health = HealthClient::new(provider.driver().channel());
    for service in ["", "v1alpha1.CSIDriverProvider"] {
        let answer = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving, "{service:?}");
    }
}

/// Waits until the server says that it stops.
async fn stops(provider: &Provider) {
    let request = HealthCheckRequest { service: String::new() };
    let mut health = HealthClient::new(provider.driver().channel());
    let mut changes = health.watch(request).await.unwrap().into_inner();
    while changes.message().await.unwrap().unwrap().status() != ServingStatus::NotServing {}
}

#[tokio::test]
async fn a_stopping_server_finishes_its_mounts_and_refuses_new_ones() {
    let azure = Azure::with_secrets(&[("slow", "x"), ("fast", "y")]).await;
    let timeouts =
        Timeouts { read_idle: Duration::from_secs(4), ..Timeouts::within(Duration::from_secs(90)) };
    let mut provider = Provider::start_over(&azure, azure.transports_with(timeouts));
    let (old, call) = (provider.driver(), MountCall::of_secrets(&azure, &["fast"]));
    old.mount(&call).await.unwrap();
    let slow = Route::service(Service::Vault).path_prefix("/secrets/slow");
    let reset = azure.faults().inject(slow.clone(), Fault::Hang);
    let (driver, running) = (provider.driver(), MountCall::of_secrets(&azure, &["slow"]));
    let mount = tokio::spawn(async move { driver.mount(&running).await });
    azure.journal().wait_for_route(1, &slow).await;
    azure.faults().remove(reset);

    provider.begin_to_stop();
    stops(&provider).await;
    azure.journal().clear();
    // Over the driver's open connection, and over a new one.
    for driver in [&old, &provider.driver()] {
        let status = driver.mount(&call).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        assert!(status.message().starts_with("[AKV-Stopping] "), "{status}");
    }
    assert_eq!(azure.journal().total(), 0);
    assert!(!mount.is_finished() && provider.socket().exists());

    // The hanging read is repeated after its timeout.
    assert_eq!(mount.await.unwrap().unwrap().text("slow"), "x");
    provider.stopped().await;
}

#[tokio::test]
async fn an_answer_that_its_caller_does_not_read_leaves_the_next_mount_an_initial_one() {
    let azure = Azure::with_secrets(&[("large", &"x".repeat(20_000))]).await;
    let provider = Provider::start(&azure);
    let call = MountCall::of_secrets(&azure, &["large"]);
    // This caller takes no more than a thousand bytes of an answer before it reads.
    let endpoint = tonic::transport::Endpoint::try_from(format!("unix://{}", provider.socket().display()));
    let channel = endpoint.unwrap().initial_stream_window_size(1_000).connect_lazy();
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<MountRequest, MountResponse>::default();
    let path = "/v1alpha1.CSIDriverProvider/Mount".parse().unwrap();
    let answer = grpc.server_streaming(tonic::Request::new(call.request()), path, codec).await.unwrap();
    drop(answer);

    let reads = Route::service(Service::Vault).credentials(true);
    assert_eq!(azure.journal().count(&reads), 1);
    provider.driver().mount(&call).await.unwrap();
    assert_eq!(azure.journal().count(&reads), 2, "an initial mount reads the vault");
    provider.driver().mount(&call).await.unwrap();
    assert_eq!(azure.journal().count(&reads), 2, "a republish gets the cached value");
}

#[tokio::test]
async fn a_mount_over_its_budget_fails_with_a_final_code() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.faults().inject(Route::service(Service::Vault).credentials(true), Fault::Hang);
    let provider = Provider::start_changed(&azure, |config| {
        config.mounts.budget = Duration::from_millis(300);
    });
    let status = provider.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("timed out after 0.3s while waiting for answers"), "{status}");
}

#[tokio::test]
async fn a_caller_gets_an_answer_before_its_own_deadline() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.faults().inject(Route::service(Service::Vault).credentials(true), Fault::Hang);
    let provider = Provider::start(&azure);
    let mut request = tonic::Request::new(MountCall::of_secrets(&azure, &["db-password"]).request());
    request.set_timeout(Duration::from_secs(1));
    let status = provider.driver().client().mount(request).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(
        status.message().contains("timed out at the caller's deadline while waiting for answers"),
        "{status}"
    );
}

#[tokio::test]
async fn work_for_a_canceled_call_stops() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.faults().inject(Route::service(Service::Vault), Fault::Hang);
    let mut provider = Provider::start(&azure);
    let (driver, call) = (provider.driver(), MountCall::of_secrets(&azure, &["db-password"]));
    let mount = tokio::spawn(async move { driver.mount(&call).await.map(drop) });
    azure.journal().wait_for_route(1, &Route::service(Service::Vault)).await;
    mount.abort();
    // Without cancellation, the request would also end, but only after the transport's timeout of a quarter of a
    // minute.
    let stopped = azure.journal().wait_until(|journal| journal.in_flight() == 0);
    tokio::time::timeout(Duration::from_secs(10), stopped).await.expect("the work stops");
    provider.begin_to_stop();
    provider.stopped().await;
}

#[tokio::test]
async fn a_panic_in_one_mount_is_internal_for_that_mount_alone() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.latency().set_for(Route::vault("lab"), Duration::from_millis(50));
    let transports = azure.transports();
    let panics =
        Transport::new(Arc::new(Panics { vault: "boom", words: "canary", below: transports.azure.clone() }));
    let transports = Transports { azure: panics, ..transports };
    let provider = Provider::start_over(&azure, transports);
    let driver = provider.driver();

    let good = MountCall::of_secrets(&azure, &["db-password"]);
    let bad = good.clone().with("keyvaultName", "boom");
    let (good, bad) = tokio::join!(driver.mount(&good), driver.mount(&bad));

    assert_eq!(good.unwrap().text("db-password"), "x");
    let status = bad.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("canary"), "{status}");
    let metrics = provider.metrics().await;
    assert!(
        metrics.contains("akv_panics_total 1") && metrics.contains("akv_mounts_in_flight 0"),
        "{metrics}"
    );
    assert!(status.message().starts_with("[AKV-InternalError] "), "{status}");
    assert!(metrics.contains("akv_failures_total{code=\"AKV-InternalError\"} 1"), "{metrics}");
}

#[tokio::test]
async fn every_malformed_request_gets_an_answer() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let driver = provider.driver();
    // Without a UID, each mount of the pod is an initial one.
    let good =
        MountCall::of_secrets(&azure, &["db-password"]).with("csi.storage.k8s.io/pod.uid", "").request();
    let deep = "[".repeat(10_000);
    let strange =
        ["", " ", "null", "{}", "[]", "0", "\"\"", "{\"\":\"\"}", "\0", "{\"objects\":null}", deep.as_str()];
    for text in strange {
        let text = text.to_owned();
        for request in [
            MountRequest { attributes: text.clone(), ..good.clone() },
            MountRequest { permission: text.clone(), ..good.clone() },
            MountRequest { secrets: text.clone(), ..good.clone() },
        ] {
            if let Err(status) = driver.send(request).await {
                assert_eq!(status.code(), Code::InvalidArgument, "{text:.20?}: {status}");
            }
        }
        let call = MountCall::of(&text).workload(&azure);
        let status = driver.mount(&call).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{text:.20?}: {status}");
        assert!(status.message().contains("objects"), "{status}");
    }
    assert_eq!(
        azure.journal().count(&Route::service(Service::Vault).credentials(true)),
        5,
        "one mode and four secrets are sound"
    );
}
