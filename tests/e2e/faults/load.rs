//! Many mounts, large requests, and volumes at the driver's limit.

use akv_emulator::{Fault, Route};
use akv_provider::proto::MountRequest;
use tonic::Code::{FailedPrecondition, OutOfRange};

use super::fixture::{At, FaultFixture};
use crate::{
    harness::{Azure, MountCall, Provider},
    process::Process,
};

#[tokio::test]
async fn a_request_over_the_limit_of_grpc_fails_alone() {
    let fixture = FaultFixture::new().await;
    let driver = fixture.driver();
    let good = fixture.call();
    let large = MountRequest { attributes: "x".repeat((4 << 20) + 1), ..good.request() };
    fixture.azure.latency().set_for(At::Vault.route(), std::time::Duration::from_millis(100));
    let (mounted, refused) = tokio::join!(driver.mount(&good), driver.send(large));
    mounted.unwrap();
    assert_eq!(refused.unwrap_err().code(), OutOfRange);
    driver.mount(&good.of_another_pod()).await.unwrap();
}

#[tokio::test]
async fn the_largest_volume_follows_the_drivers_flag() {
    let azure = Azure::with_secrets(&[]).await;
    let names: Vec<String> = (0..5).map(|index| format!("secret-{index}")).collect();
    for name in &names {
        azure.vaults().put_secret("lab", name, &"x".repeat(20_000));
    }
    azure.vaults().put_secret("lab", "secret-3", &"x".repeat(21_000));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (limit, well) in [(100_000, false), (102_000, true)] {
        let provider = Provider::start_with(&azure, &[format!("--max-call-recv-msg-size={limit}")]);
        match provider.driver().mount(&MountCall::of_secrets(&azure, &names)).await {
            Ok(mounted) => assert!(well && mounted.files.len() == 5),
            Err(status) => {
                assert!(!well, "{status}");
                assert_eq!(status.code(), FailedPrecondition, "{status}");
                for part in ["secret-3", "21000", "--max-call-recv-msg-size"] {
                    assert!(status.message().contains(part), "no {part} in {status}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_volume_above_the_drivers_default_reaches_a_driver_that_takes_it() {
    let azure = Azure::with_secrets(&[]).await;
    let names: Vec<String> = (0..200).map(|index| format!("secret-{index}")).collect();
    for name in &names {
        azure.vaults().put_secret("lab", name, &"x".repeat(25_000));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let provider = Provider::start_with(&azure, &["--max-call-recv-msg-size=8388608".to_owned()]);
    let mut client = provider.driver().client().max_decoding_message_size(8 << 20);
    let mounted = client.mount(MountCall::of_secrets(&azure, &names).request()).await.unwrap().into_inner();
    assert_eq!(mounted.files.len(), 200);
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 1);
}

async fn process(azure: &Azure) -> Process {
    Process::start(azure, &[("HTTPS_PROXY", &azure.proxy_url())]).await
}

#[tokio::test]
async fn a_body_of_200_megabytes_does_not_grow_memory() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let process = process(&azure).await;
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    process.driver().mount(&call).await.unwrap();
    let before = process.memory("VmHWM");
    for at in [At::Vault, At::Entra] {
        for fault in [Fault::HugeBody(200_000_000), Fault::UnannouncedBody(200_000_000)] {
            let id = azure.faults().inject(at.route(), fault);
            // A new token, so that the provider must ask Entra.
            let call = MountCall::of_secrets(&azure, &["db-password"]).with_secrets(&[
                ("clientid", "dddddddd-0000-0000-0000-000000000003"),
                ("clientsecret", "s3cr3t~value"),
            ]);
            let call = if at == At::Entra { call.with("clientID", "") } else { call };
            process.driver().mount(&call.of_another_pod()).await.unwrap_err();
            assert_eq!(azure.faults().hits(id), 1, "{at:?}");
            azure.faults().clear();
        }
    }
    let after = process.memory("VmHWM");
    // Answers hold at most one MiB, one after the other, and twice that while they grow: two to four. If four MiB of
    // each were read, it would be ten.
    assert!(after - before <= 7, "from {before} to {after} MiB");
}

/// Five hundred pods at once, and five thousand republishes one after the other: docs/limits.md has the figures of the
/// release binary.
#[tokio::test]
async fn five_hundred_mounts_at_once_and_five_thousand_in_a_row_succeed() {
    let azure = Azure::with_secrets(&[("db-password", "x"), ("api-key", "y")]).await;
    let process = process(&azure).await;
    let call = MountCall::of_secrets(&azure, &["db-password", "api-key"]);
    process.driver().mount(&call).await.unwrap();
    let before = process.memory("VmRSS");
    let driver = process.driver();
    let mounts: Vec<_> = (0..500)
        .map(|_| {
            let (driver, call) = (driver.clone(), call.of_another_pod());
            tokio::spawn(async move { driver.mount(&call).await.map(drop) })
        })
        .collect();
    for mount in mounts {
        mount.await.unwrap().unwrap();
    }
    let peak = process.memory("VmHWM");
    for _ in 0..5_000 {
        driver.mount(&call).await.unwrap();
    }
    let after = process.memory("VmRSS");
    println!("{before} MiB before, {peak} MiB at the most, {after} MiB after");
    assert!(peak - before <= 48, "from {before} to {peak} MiB");
    assert!(after <= before + 24, "from {before} to {after} MiB");
}
