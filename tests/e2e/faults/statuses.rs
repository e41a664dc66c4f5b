//! HTTP statuses of a service that is unavailable or throttles.

use std::time::Duration;

use akv_emulator::Fault;
use tonic::Code::{FailedPrecondition, PermissionDenied, Unauthenticated};

use super::fixture::{At, FaultFixture, ONCE, TRIES};
use crate::harness::{Azure, MountCall};

fn status(code: u16, retry_after: Option<u64>) -> Fault {
    Fault::Status { code, retry_after, body: None }
}

#[tokio::test]
async fn a_vault_that_fails_is_asked_again_and_then_reported() {
    let fixture = FaultFixture::new().await;
    for code in [500, 502, 503, 504] {
        fixture.recovers_from(At::Vault, Fault::status(code), 2).await;
        let status = fixture.fails(At::Vault, Fault::status(code), FailedPrecondition, TRIES).await;
        assert!(status.message().contains(&code.to_string()), "{status}");
    }
}

#[tokio::test]
async fn a_vault_that_throttles_is_asked_again_and_then_reported() {
    let fixture = FaultFixture::new().await;
    for retry_after in [Some(0), None] {
        fixture.recovers_from(At::Vault, status(429, retry_after), 2).await;
        let status = fixture.fails(At::Vault, status(429, retry_after), FailedPrecondition, TRIES).await;
        assert!(status.message().contains("429"), "{status}");
    }
}

#[tokio::test]
async fn a_retry_after_beyond_the_mount_timeout_fails_at_once() {
    // A provider of its own for each status, since a vault that throttles delays all mounts of a provider.
    for code in [429, 503] {
        let fixture = FaultFixture::new().await;
        fixture.azure.faults().inject(At::Vault.route(), status(code, Some(300)));
        let status = fixture.mount().await.unwrap_err();
        assert_eq!(status.code(), FailedPrecondition, "{status}");
        assert!(status.message().contains(&code.to_string()), "{status}");
        fixture.saw(At::Vault, ONCE, "it is reported at once");
    }
}

#[tokio::test]
async fn a_probe_that_fails_is_repeated_and_then_reported() {
    for code in [500, 503] {
        let fixture = FaultFixture::new().await;
        fixture.azure.faults().inject_times(1, At::Probe.route(), Fault::status(code));
        fixture.mount().await.unwrap();
        fixture.saw(At::Probe, 2..=2, "once");
        let fixture = FaultFixture::new().await;
        let id = fixture.azure.faults().inject(At::Probe.route(), Fault::status(code));
        let status = fixture.mount().await.unwrap_err();
        // The probe of the prewarm, and that of the first read, each with its retries.
        fixture.saw(At::Probe, *TRIES.start()..=2 * TRIES.end(), "permanently");
        assert_eq!(status.code(), FailedPrecondition, "{status}");
        assert!(status.message().contains(&code.to_string()) && status.message().contains("lab"), "{status}");
        fixture.azure.faults().remove(id);
        fixture.mount().await.unwrap();
    }
}

/// All waiting reads share the result of one probe. If each sent its own, they would take longer than a mount may take.
#[tokio::test]
async fn a_throttled_probe_fails_all_waiting_reads_together() {
    for (fault, code, most) in [
        (status(429, Some(0)), "AKV-Throttled", 2 * TRIES.end()),
        (status(429, Some(300)), "AKV-Throttled", 2),
        (status(503, Some(300)), "AKV-VaultDown", 2),
    ] {
        let (azure, names) = Azure::with_numbered_secrets(20).await;
        let fixture = FaultFixture::over(azure, |_| {}, |_| {});
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        fixture.azure.faults().inject(At::Probe.route(), fault.clone());
        let status =
            fixture.driver().mount(&MountCall::of_secrets(&fixture.azure, &names)).await.unwrap_err();
        assert_eq!(status.code(), FailedPrecondition, "{status}");
        assert!(status.message().contains(code), "{status}");
        fixture.saw(
            At::Probe,
            1..=most,
            &format!("{fault:?}: one probe ahead of the reads, and one for them all"),
        );
        fixture.saw(At::Vault, 0..=0, "nothing is read");
    }
}

#[tokio::test]
async fn entra_that_fails_is_asked_again_and_then_reported() {
    let fixture = FaultFixture::new().await;
    for code in [500, 502, 503, 504] {
        fixture.recovers_from(At::Entra, Fault::status(code), 2).await;
        let status = fixture.fails(At::Entra, Fault::status(code), FailedPrecondition, TRIES).await;
        assert!(status.message().contains(&code.to_string()), "{status}");
    }
}

#[tokio::test]
async fn entra_that_throttles_is_asked_again_and_then_reported() {
    let fixture = FaultFixture::new().await;
    for retry_after in [Some(0), None] {
        fixture.recovers_from(At::Entra, status(429, retry_after), 2).await;
        fixture.fails(At::Entra, status(429, retry_after), FailedPrecondition, TRIES).await;
    }
    for code in [429, 503] {
        let status = fixture.fails(At::Entra, status(code, Some(300)), FailedPrecondition, ONCE).await;
        assert!(status.message().contains(&code.to_string()), "{status}");
    }
}

#[tokio::test]
async fn an_outage_of_entra_after_a_403_fails_the_refused_object_alone() {
    let fixture = FaultFixture::new().await;
    fixture.azure.vaults().put_secret("lab", "denied", "x");
    let call = fixture.call();
    let denied = call.clone().with("objects", "- {objectName: denied, objectType: secret}");
    let mount = async |call: &MountCall| fixture.driver().mount(&call.of_another_pod()).await;
    mount(&call).await.unwrap();
    fixture.azure.faults().inject(At::Vault.route().path_prefix("/secrets/denied"), Fault::status(403));
    let outage = fixture.azure.faults().inject(At::Entra.route(), Fault::status(503));
    fixture.azure.journal().clear();
    let status = mount(&denied).await.unwrap_err();
    assert_eq!(status.code(), PermissionDenied, "{status}");
    assert!(status.message().contains("secret/denied from vault lab: 403"), "{status}");
    fixture.saw(At::Entra, TRIES, "the request for a new token");
    // The token of the credential stays in use.
    mount(&call).await.unwrap();
    fixture.saw(At::Entra, TRIES, "no further request");

    fixture.azure.faults().remove(outage);
    fixture.azure.journal().clear();
    assert_eq!(mount(&denied).await.unwrap_err().message(), status.message());
    mount(&call).await.unwrap();
    fixture.saw(At::Entra, ONCE, "one new token, which all pods get");
}

#[tokio::test]
async fn an_outage_of_entra_in_the_last_minutes_of_a_token_fails_no_mount() {
    let fixture = FaultFixture::new().await;
    fixture.azure.directory().update(|directory| directory.token_lifetime = Duration::from_secs(240));
    let call = fixture.call();
    let mount = async || fixture.driver().mount(&call.of_another_pod()).await;
    mount().await.unwrap();
    for fault in [Fault::status(503), Fault::Drop, Fault::page(403, "<html>a firewall</html>")] {
        let id = fixture.azure.faults().inject(At::Entra.route(), fault.clone());
        fixture.azure.journal().clear();
        assert_eq!(mount().await.unwrap().text("db-password"), "x", "{fault:?}");
        assert!(fixture.azure.faults().hits(id) > 0, "{fault:?}: the token is renewed first");
        fixture.saw(At::Vault, ONCE, "with the last token");
        fixture.azure.faults().remove(id);
    }
    // The vault refuses the token, so it is not used again.
    fixture.azure.faults().inject(At::Entra.route(), Fault::status(503));
    let refused = fixture.azure.faults().inject_times(1, At::Vault.route(), Fault::status(401));
    for _ in 0..2 {
        let status = mount().await.unwrap_err();
        assert_eq!(status.code(), FailedPrecondition, "{status}");
        assert!(status.message().contains("login.microsoftonline.com"), "{status}");
    }
    assert_eq!(fixture.azure.faults().hits(refused), 1);
    fixture.saw(At::Vault, 2..=2, "the read of the last mount that succeeded, and the refused one");
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once() {
    let fixture = FaultFixture::new().await;
    let call = fixture.call();
    let mount = async || fixture.driver().mount(&call.of_another_pod()).await;
    mount().await.unwrap();
    // Only the vault rejects the token. The provider gets one new token, and the mount succeeds.
    fixture.azure.journal().clear();
    fixture.azure.faults().inject_times(1, At::Vault.route(), Fault::status(401));
    mount().await.unwrap();
    fixture.saw(At::Entra, ONCE, "one new token");
    fixture.saw(At::Vault, 2..=2, "one read with each");
    // If the vault rejects the new token too, the mount fails.
    fixture.azure.journal().clear();
    fixture.azure.faults().inject(At::Vault.route(), Fault::status(401));
    let status = mount().await.unwrap_err();
    assert_eq!(status.code(), Unauthenticated, "{status}");
    assert!(status.message().contains("secret/db-password") && status.message().contains("401"), "{status}");
    fixture.saw(At::Entra, ONCE, "one new token");
    fixture.saw(At::Vault, 2..=2, "one read with each");
}

#[tokio::test]
async fn a_new_token_that_is_refused_once_is_renewed() {
    let fixture = FaultFixture::new().await;
    fixture.azure.faults().inject_times(1, At::Vault.route(), Fault::status(401));
    fixture.mount().await.unwrap();
    fixture.saw(At::Entra, 2..=2, "the mount's token, and one more");
    fixture.saw(At::Vault, 2..=2, "one read with each");
}

#[tokio::test]
async fn twenty_objects_of_a_failing_vault_are_one_failure() {
    let fixture = FaultFixture::new().await;
    let names: Vec<String> = (0..20).map(|index| format!("secret-{index}")).collect();
    for name in &names {
        fixture.azure.vaults().put_secret("lab", name, "x");
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    fixture.azure.faults().inject(At::Vault.route(), Fault::status(503));
    let call = MountCall::of_secrets(&fixture.azure, &names);
    let status = fixture.driver().mount(&call).await.unwrap_err();
    assert_eq!(status.code(), FailedPrecondition);
    assert!(
        status.message().contains("secret/secret-0, secret/secret-1, secret/secret-2 and 17 more"),
        "{status}"
    );
    fixture.saw(At::Vault, 100..=100, "each object has its tries");
}

#[tokio::test]
async fn one_slow_object_among_twenty_fails_alone() {
    let fixture = FaultFixture::new().await;
    let names: Vec<String> = (0..20).map(|index| format!("secret-{index:02}")).collect();
    for name in &names {
        fixture.azure.vaults().put_secret("lab", name, "x");
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let slow = At::Vault.route().path_prefix("/secrets/secret-07");
    // Slow, but within the timeout of an answer.
    fixture.azure.latency().set_for(slow.clone(), Duration::from_millis(120));
    let call = MountCall::of_secrets(&fixture.azure, &names);
    let mounted = fixture.driver().mount(&call).await.unwrap();
    assert_eq!(mounted.paths(), names);
    fixture.saw(At::Vault, 20..=20, "nothing is asked twice");

    fixture.azure.faults().inject(slow, Fault::Hang);
    fixture.azure.journal().clear();
    let status = fixture.driver().mount(&call.of_another_pod()).await.unwrap_err();
    assert_eq!(status.code(), FailedPrecondition, "{status}");
    assert!(
        status.message().contains("secret/secret-07") && !status.message().contains("secret-08"),
        "{status}"
    );
    fixture.saw(At::Vault, 24..=24, "only the one is asked again");
}
