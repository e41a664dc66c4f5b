//! Answers that say "not now".

use std::time::Duration;

use akv_emulator::Fault;
use tonic::Code::{FailedPrecondition, Unauthenticated};

use super::rig::{At, ONCE, Rig, TRIES};
use crate::harness::{Azure, MountCall};

fn status(code: u16, retry_after: Option<u64>) -> Fault {
    Fault::Status { code, retry_after, body: None }
}

#[tokio::test]
async fn a_vault_that_is_out_of_order() {
    let rig = Rig::new().await;
    for code in [500, 502, 503, 504] {
        rig.heals(At::Vault, Fault::status(code), 2).await;
        let told = rig.fails(At::Vault, Fault::status(code), FailedPrecondition, TRIES).await;
        assert!(told.message().contains(&code.to_string()), "{told}");
    }
}

#[tokio::test]
async fn a_vault_that_throttles() {
    let rig = Rig::new().await;
    for retry_after in [Some(0), None] {
        rig.heals(At::Vault, status(429, retry_after), 2).await;
        let told = rig.fails(At::Vault, status(429, retry_after), FailedPrecondition, TRIES).await;
        assert!(told.message().contains("429"), "{told}");
    }
}

#[tokio::test]
async fn a_vault_that_wants_to_be_left_alone_for_longer_than_a_mount_may_take() {
    // A line of its own for each, since a vault that throttles keeps all others waiting.
    for code in [429, 503] {
        let rig = Rig::new().await;
        rig.azure.faults().inject(At::Vault.route(), status(code, Some(300)));
        let told = rig.mount().await.unwrap_err();
        assert_eq!(told.code(), FailedPrecondition, "{told}");
        assert!(told.message().contains(&code.to_string()), "{told}");
        rig.saw(At::Vault, ONCE, "it is told of at once");
    }
}

#[tokio::test]
async fn a_vault_that_is_out_of_order_before_it_knows_who_asks() {
    for code in [500, 503] {
        let rig = Rig::new().await;
        rig.azure.faults().inject_times(1, At::Probe.route(), Fault::status(code));
        rig.mount().await.unwrap();
        rig.saw(At::Probe, 2..=2, "once");
        let rig = Rig::new().await;
        let id = rig.azure.faults().inject(At::Probe.route(), Fault::status(code));
        let told = rig.mount().await.unwrap_err();
        // The probe that goes ahead of the token, and that of the first read, each with its repetitions.
        rig.saw(At::Probe, *TRIES.start()..=2 * TRIES.end(), "for good");
        assert_eq!(told.code(), FailedPrecondition, "{told}");
        assert!(told.message().contains(&code.to_string()) && told.message().contains("lab"), "{told}");
        rig.azure.faults().remove(id);
        rig.mount().await.unwrap();
    }
}

/// What became of one probe is told to all who waited for it: one after the other they would ask for longer than a mount
/// may take.
#[tokio::test]
async fn a_vault_that_throttles_before_it_knows_who_asks() {
    for (fault, code, most) in [
        (status(429, Some(0)), "AKV-Throttled", 2 * TRIES.end()),
        (status(429, Some(300)), "AKV-Throttled", 2),
        (status(503, Some(300)), "AKV-VaultDown", 2),
    ] {
        let (azure, names) = Azure::with_numbered_secrets(20).await;
        let rig = Rig::over(azure, |_| {}, |_| {});
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        rig.azure.faults().inject(At::Probe.route(), fault.clone());
        let told = rig.driver().mount(&MountCall::of_secrets(&rig.azure, &names)).await.unwrap_err();
        assert_eq!(told.code(), FailedPrecondition, "{told}");
        assert!(told.message().contains(code), "{told}");
        rig.saw(
            At::Probe,
            1..=most,
            &format!("{fault:?}: one probe ahead of the reads, and one for them all"),
        );
        rig.saw(At::Vault, 0..=0, "nothing is read");
    }
}

#[tokio::test]
async fn entra_out_of_order() {
    let rig = Rig::new().await;
    for code in [500, 502, 503, 504] {
        rig.heals(At::Entra, Fault::status(code), 2).await;
        let told = rig.fails(At::Entra, Fault::status(code), FailedPrecondition, TRIES).await;
        assert!(told.message().contains(&code.to_string()), "{told}");
    }
}

#[tokio::test]
async fn entra_that_throttles() {
    let rig = Rig::new().await;
    for retry_after in [Some(0), None] {
        rig.heals(At::Entra, status(429, retry_after), 2).await;
        rig.fails(At::Entra, status(429, retry_after), FailedPrecondition, TRIES).await;
    }
    for code in [429, 503] {
        let told = rig.fails(At::Entra, status(code, Some(300)), FailedPrecondition, ONCE).await;
        assert!(told.message().contains(&code.to_string()), "{told}");
    }
}

#[tokio::test]
async fn a_token_that_was_revoked() {
    let rig = Rig::new().await;
    let call = rig.call();
    let mount = async || rig.driver().mount(&call.of_another_pod()).await;
    mount().await.unwrap();
    // For the vault alone, the token is no more. One new token, and with it the mount goes well.
    rig.azure.journal().clear();
    rig.azure.faults().inject_times(1, At::Vault.route(), Fault::status(401));
    mount().await.unwrap();
    rig.saw(At::Entra, ONCE, "one new token");
    rig.saw(At::Vault, 2..=2, "one read with each");
    // A new one that is refused too is refused for good.
    rig.azure.journal().clear();
    rig.azure.faults().inject(At::Vault.route(), Fault::status(401));
    let told = mount().await.unwrap_err();
    assert_eq!(told.code(), Unauthenticated, "{told}");
    assert!(told.message().contains("secret/db-password") && told.message().contains("401"), "{told}");
    rig.saw(At::Entra, ONCE, "one new token");
    rig.saw(At::Vault, 2..=2, "one read with each");
}

#[tokio::test]
async fn a_vault_that_is_behind_with_tokens() {
    let rig = Rig::new().await;
    rig.azure.faults().inject_times(1, At::Vault.route(), Fault::status(401));
    rig.mount().await.unwrap();
    rig.saw(At::Entra, 2..=2, "the mount's token, and one more");
    rig.saw(At::Vault, 2..=2, "one read with each");
}

#[tokio::test]
async fn twenty_objects_of_a_vault_that_is_out_of_order_fail_together() {
    let rig = Rig::new().await;
    let names: Vec<String> = (0..20).map(|index| format!("secret-{index}")).collect();
    for name in &names {
        rig.azure.vaults().put_secret("lab", name, "x");
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    rig.azure.faults().inject(At::Vault.route(), Fault::status(503));
    let call = MountCall::of_secrets(&rig.azure, &names);
    let told = rig.driver().mount(&call).await.unwrap_err();
    assert_eq!(told.code(), FailedPrecondition);
    assert!(
        told.message().contains("secret/secret-0, secret/secret-1, secret/secret-2 and 17 more"),
        "{told}"
    );
    rig.saw(At::Vault, 100..=100, "each object has its tries");
}

#[tokio::test]
async fn one_slow_object_among_twenty() {
    let rig = Rig::new().await;
    let names: Vec<String> = (0..20).map(|index| format!("secret-{index:02}")).collect();
    for name in &names {
        rig.azure.vaults().put_secret("lab", name, "x");
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let slow = At::Vault.route().path_prefix("/secrets/secret-07");
    // Slow, and within what an answer may take.
    rig.azure.latency().set_for(slow.clone(), Duration::from_millis(120));
    let call = MountCall::of_secrets(&rig.azure, &names);
    let mounted = rig.driver().mount(&call).await.unwrap();
    assert_eq!(mounted.paths(), names);
    rig.saw(At::Vault, 20..=20, "nothing is asked twice");

    rig.azure.faults().inject(slow, Fault::Hang);
    rig.azure.journal().clear();
    let told = rig.driver().mount(&call.of_another_pod()).await.unwrap_err();
    assert_eq!(told.code(), FailedPrecondition, "{told}");
    assert!(told.message().contains("secret/secret-07") && !told.message().contains("secret-08"), "{told}");
    rig.saw(At::Vault, 24..=24, "only the one is asked again");
}
