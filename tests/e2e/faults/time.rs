//! Clocks that disagree, and mounts that time out.

use std::time::Duration;

use akv_emulator::{Fault, Route};
use akv_provider::{cli::Config, transport::Timeouts};
use tonic::Code::{FailedPrecondition, Unauthenticated};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::fixture::{At, FaultFixture};
use crate::harness::{Azure, MountCall};

#[tokio::test]
async fn clocks_that_disagree_do_not_fail_a_mount() {
    let hour = 3_600;
    for (offset, well) in [(-2 * hour, false), (-200, true), (200, true), (1_800, true), (2 * hour, false)] {
        let fixture = FaultFixture::new().await;
        let managed = MountCall::of("- objectName: db-password\n  objectType: secret\n")
            .with("useVMManagedIdentity", "true");
        // The pod's token follows this machine's clock, and Entra its own.
        let call = fixture.call();
        fixture.azure.clock().set_offset(offset);
        let mounted = fixture.driver().mount(&managed).await;
        mounted.unwrap_or_else(|status| panic!("managed identity, {offset} s: {status}"));
        match fixture.driver().mount(&call).await {
            Ok(_) => assert!(well, "{offset} s"),
            Err(status) => {
                assert!(!well, "{offset} s: {status}");
                assert_eq!(status.code(), Unauthenticated, "{status}");
                assert!(status.message().contains("AADSTS"), "{status}");
            }
        }
    }
}

/// Creates a fixture with the timeouts of this `--mount-timeout`.
fn within(azure: Azure, seconds: u64) -> FaultFixture {
    let budget = Duration::from_secs(seconds);
    let transports = azure.transports_with(Timeouts::within(budget));
    let limits = |config: &mut Config| {
        config.mounts.budget = budget;
        config.mounts.token_limit = budget / 2;
    };
    FaultFixture::over(azure, limits, |ways| *ways = transports)
}

#[tokio::test]
async fn hanging_host_is_reported_before_mount_timeout() {
    let rows = [At::Vault, At::Probe, At::Entra].map(|at| async move {
        let fixture = within(Azure::with_secrets(&[("db-password", "x")]).await, 6);
        // The message comes from the hanging request, and not from the mount's timeout, which names no object.
        let tries = if at == At::Probe { 0..=9 } else { 2..=5 };
        fixture.azure.faults().inject(at.route(), Fault::Hang);
        let status = fixture.mount().await.unwrap_err();
        assert_eq!(status.code(), FailedPrecondition, "{status}");
        let host = if at == At::Entra { "login.microsoftonline.com" } else { "lab" };
        for part in ["secret/db-password", host] {
            assert!(status.message().contains(part), "{at:?}: no {part} in {status}");
        }
        let asked = fixture.azure.journal().count(&at.route());
        assert!(tries.contains(&asked), "{at:?}: {asked} requests");
    });
    futures::future::join_all(rows).await;
}

#[tokio::test]
async fn a_mount_without_a_permit_is_reported_and_others_go_on() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.vaults().put_secret("other", "db-password", "y");
    let transports = azure.transports();
    let fixture =
        FaultFixture::over(azure, |config| config.admin.metrics_port = Some(0), |ways| *ways = transports);
    // The vault has then accepted a token, so that as many mounts run as one vault may have.
    fixture.driver().mount(&fixture.call().of_another_pod()).await.unwrap();
    fixture.azure.faults().inject(Route::vault("lab").credentials(true), Fault::Hang);
    let mount = |call: MountCall, seconds| {
        let driver = fixture.driver();
        tokio::spawn(async move {
            let mut request = tonic::Request::new(call.of_another_pod().request());
            request.set_timeout(Duration::from_secs(seconds));
            driver.client().mount(request).await.map(drop)
        })
    };
    let places: Vec<_> = (0..50).map(|_| mount(fixture.call(), 60)).collect();
    fixture.provider.wait_for_metric("akv_mounts_in_flight 50").await;
    fixture.provider.wait_for_metric("akv_mounts_waiting 0").await;
    // Long enough to be seen in the queue on a busy machine.
    let waits = mount(fixture.call(), 5);
    fixture.provider.wait_for_metric("akv_mounts_waiting 1").await;
    // Neither a probe nor another vault's mount waits in the queue.
    let mut health = HealthClient::new(fixture.driver().channel());
    health.check(HealthCheckRequest { service: String::new() }).await.unwrap();
    fixture.driver().mount(&fixture.call().with("keyvaultName", "other")).await.unwrap();
    let status = waits.await.unwrap().unwrap_err();
    assert_eq!(status.code(), FailedPrecondition, "{status}");
    assert!(
        status.message().contains("in the mount queue: vault lab, or the node, is at its limit of mounts"),
        "{status}"
    );
    places.iter().for_each(tokio::task::JoinHandle::abort);
    fixture.provider.wait_for_metric("akv_mounts_in_flight 0").await;
}
