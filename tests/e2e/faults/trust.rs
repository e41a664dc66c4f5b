//! Services that name another host, to which the provider must not send a token.

use akv_emulator::{Fault, Route};
use tonic::Code::{FailedPrecondition, Unauthenticated};

use super::fixture::{At, FaultFixture, ONCE};
use crate::harness::MountCall;

fn elsewhere() -> Route {
    Route::any().matching(|head| head.host.contains("evil"))
}

async fn is_refused(challenge: &str, because: &str) {
    let fixture = FaultFixture::new().await;
    let fault = Fault::Challenge(challenge.to_owned());
    let status = fixture.fails(At::Probe, fault.clone(), FailedPrecondition, 1..=2).await;
    assert!(
        status.message().contains("AKV-UnexpectedAnswer") && status.message().contains(because),
        "{status}"
    );

    fixture.azure.journal().clear();
    fixture.azure.faults().inject(At::Vault.route(), fault.clone());
    fixture.azure.faults().inject(At::Probe.route(), fault);
    // The first refusal drops the challenge that the fixture's last mount cached. The new challenge is not followed:
    // the provider gets one more token for the cloud's own audience, and does not send it.
    fixture.mount().await.unwrap_err();
    fixture.saw(At::Entra, 2..=2, "the pod's own token, and one more");
    fixture.saw(At::Vault, ONCE, "the read with it");
    assert_eq!(fixture.azure.journal().count(&elsewhere()), 0, "{status}");
    fixture.azure.journal().clear();
    fixture.mount().await.unwrap_err();
    assert_eq!(fixture.azure.journal().count(&At::Vault.route()), 0, "{:?}", fixture.azure.journal().lines());
    assert_eq!(fixture.azure.journal().count(&elsewhere()), 0, "{status}");
}

#[tokio::test]
async fn a_challenge_for_another_resource_is_refused() {
    for (challenge, because) in [
        (
            r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://evil.example""#,
            r#"asks for a token for "https://evil.example", which is another service"#,
        ),
        (r#"Bearer authorization="https://login.microsoftonline.com/t""#, "is not a Key Vault challenge"),
        ("Basic realm=x", r#""Basic realm=x" is not a Key Vault challenge"#),
    ] {
        is_refused(challenge, because).await;
    }
}

/// A client that has read before must not request a token for the resource that a refusal names.
#[tokio::test]
async fn a_vault_that_refuses_a_token_does_not_choose_the_next() {
    let objects = "- objectName: db-password\n  objectType: secret\n  objectVersionHistory: 2\n";
    for resource in ["https://azure.net", "https://vault.azure.net", "https://evil.example"] {
        let named = format!(r#"Bearer resource="{resource}""#);
        // The list succeeds, and the read of a version behind it is refused.
        let read = At::Vault.route().matching(|head| !head.path.ends_with("/versions"));
        let fixture = FaultFixture::new().await;
        let call = MountCall::of(objects).workload(&fixture.azure);
        fixture.azure.faults().inject(read.clone(), Fault::Challenge(named));
        let status = fixture.driver().mount(&call).await.unwrap_err();
        assert_eq!(status.code(), Unauthenticated, "{status}");
        assert!(status.message().contains("AKV-VaultRefusedToken"), "{status}");
        fixture.saw(At::Entra, 2..=2, resource);
        assert_eq!(
            fixture.azure.journal().count(&read),
            2,
            "{resource}: {:?}",
            fixture.azure.journal().lines()
        );
    }
}

/// Emulators and private clouds name arbitrary authorities: the provider sends nothing to them.
#[tokio::test]
async fn a_challenge_that_names_another_authority_gets_the_clouds_own_token() {
    let resource = r#"resource="https://vault.azure.net""#;
    for challenge in [
        format!(r#"Bearer authorization="https://login.evil.example/t", {resource}"#),
        format!(r#"Bearer authorization="http://localhost:8080/t", {resource}"#),
        "Bearer authorization=https://login.microsoftonline.com/t, resource=https://vault.azure.net"
            .to_owned(),
    ] {
        let fixture = FaultFixture::new().await;
        fixture.recovers_from(At::Probe, Fault::Challenge(challenge), 1).await;
        let elsewhere = akv_emulator::Route::any().matching(|head| {
            !head.host.starts_with("lab.vault.azure.net")
                && !head.host.starts_with("login.microsoftonline.com")
        });
        assert_eq!(fixture.azure.journal().count(&elsewhere), 0, "{:?}", fixture.azure.journal().lines());
    }
}

#[tokio::test]
async fn a_vault_that_refuses_the_token_and_names_another_authority_gives_a_hint() {
    let fixture = FaultFixture::new().await;
    let named =
        r#"Bearer authorization="https://login.microsoftonline.us/t", resource="https://vault.azure.net""#;
    fixture.azure.faults().inject(At::Vault.route(), Fault::Challenge(named.to_owned()));
    let status = fixture.mount().await.unwrap_err();
    assert_eq!(status.code(), Unauthenticated, "{status}");
    let hint = "names the authority \"https://login.microsoftonline.us/t\", so check cloudName";
    assert!(status.message().contains(hint), "{status}");
}

#[tokio::test]
async fn a_challenge_with_an_older_name_of_the_authority_is_accepted() {
    let fixture = FaultFixture::new().await;
    let challenge =
        r#"Bearer authorization="https://login.windows.net/t", resource="https://vault.azure.net""#;
    fixture.recovers_from(At::Probe, Fault::Challenge(challenge.to_owned()), 1).await;
}

/// On Azure Stack the audience may have another host than the vaults.
#[tokio::test]
async fn a_vault_with_another_host_than_its_clouds_audience_is_read() {
    let fixture = FaultFixture::new().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let cloud = serde_json::json!({
        "activeDirectoryEndpoint": "https://login.localhost/",
        "keyVaultEndpoint": "https://vault.azure.cn/",
        "keyVaultDNSSuffix": "vault.localhost",
    });
    std::fs::write(file.path(), cloud.to_string()).unwrap();
    // The emulator's vault accepts only tokens for its own host.
    let secret = r#"{"id":"https://lab.vault.localhost/secrets/db-password/v","value":"x"}"#;
    let answer = Fault::InvalidBody { content_type: "application/json".to_owned(), body: secret.into() };
    fixture.azure.faults().inject(At::Vault.route(), answer);
    let call = fixture.call().with("cloudName", "AzureStackCloud");
    let call = call.with("cloudEnvFileName", file.path().to_str().unwrap());
    fixture.driver().mount(&call).await.unwrap();
    fixture.saw(At::Entra, ONCE, "one token, for what the file says");
    fixture.saw(At::Vault, ONCE, "the read with it");
}
