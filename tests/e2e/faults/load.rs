//! Many mounts, large requests, and volumes at the driver's limit.

use akv_emulator::Route;
use akv_provider::proto::MountRequest;
use tonic::Code::{FailedPrecondition, OutOfRange};

use super::rig::{At, Rig};
use crate::harness::{Azure, MountCall, Provider};

#[tokio::test]
async fn a_request_over_the_limit_of_grpc_disturbs_no_other() {
    let rig = Rig::new().await;
    let driver = rig.driver();
    let good = rig.call();
    let large = MountRequest { attributes: "x".repeat((4 << 20) + 1), ..good.request() };
    rig.azure.latency().set_for(At::Vault.route(), std::time::Duration::from_millis(100));
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
            Err(told) => {
                assert!(!well, "{told}");
                assert_eq!(told.code(), FailedPrecondition, "{told}");
                for part in ["secret-3", "21000", "--max-call-recv-msg-size"] {
                    assert!(told.message().contains(part), "no {part} in {told}");
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
