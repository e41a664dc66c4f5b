//! Who is told where to go, and does not go there.

use akv_emulator::{Fault, Route};
use tonic::Code::FailedPrecondition;

use super::rig::{At, Rig};

fn elsewhere() -> Route {
    Route::any().matching(|head| head.host.contains("evil"))
}

async fn is_refused(challenge: &str, because: &str) {
    let rig = Rig::new().await;
    let fault = Fault::Challenge(challenge.to_owned());
    let told = rig.fails(At::Probe, fault.clone(), FailedPrecondition, 1..=2).await;
    assert!(told.message().contains("AKV-UnexpectedAnswer") && told.message().contains(because), "{told}");

    rig.azure.journal().clear();
    rig.azure.faults().inject(At::Vault.route(), fault.clone());
    rig.azure.faults().inject(At::Probe.route(), fault);
    // What the rig's last mount learned of the vault is forgotten with the first refusal.
    rig.mount().await.unwrap_err();
    rig.azure.journal().clear();
    rig.mount().await.unwrap_err();
    assert_eq!(rig.azure.journal().count(&At::Vault.route()), 0, "{:?}", rig.azure.journal().lines());
    assert_eq!(rig.azure.journal().count(&elsewhere()), 0, "{told}");
}

#[tokio::test]
async fn a_challenge_for_another_resource_is_refused() {
    for (challenge, because) in [
        (
            r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://evil.example""#,
            r#"wants a token for "https://evil.example", which is not its own service"#,
        ),
        (r#"Bearer authorization="https://login.microsoftonline.com/t""#, "is none of Key Vault's"),
        ("Basic realm=x", r#"its challenge "Basic realm=x" is none of Key Vault's"#),
    ] {
        is_refused(challenge, because).await;
    }
}

#[tokio::test]
async fn a_challenge_that_names_another_authority_is_refused() {
    let resource = r#"resource="https://vault.azure.net""#;
    is_refused(
        &format!(r#"Bearer authorization="https://login.evil.example/t", {resource}"#),
        r#"wants a token from "https://login.evil.example/t", and this cloud's are from login.microsoftonline.com"#,
    )
    .await;
}

#[tokio::test]
async fn a_challenge_that_names_an_older_name_of_the_authority_is_met() {
    let rig = Rig::new().await;
    let challenge =
        r#"Bearer authorization="https://login.windows.net/t", resource="https://vault.azure.net""#;
    rig.heals(At::Probe, Fault::Challenge(challenge.to_owned()), 1).await;
}
