//! Who is told where to go, and does not go there.

use akv_emulator::{Fault, Route};
use tonic::Code::FailedPrecondition;

use super::rig::{At, ONCE, Rig};

fn elsewhere() -> Route {
    Route::any().matching(|head| head.host.contains("evil"))
}

#[tokio::test]
async fn a_challenge_for_another_resource_is_refused() {
    for challenge in [
        r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://evil.example""#,
        r#"Bearer authorization="https://login.microsoftonline.com/t""#,
        "Basic realm=x",
    ] {
        let rig = Rig::new().await;
        let told =
            rig.fails(At::Probe, Fault::Challenge(challenge.to_owned()), FailedPrecondition, 1..=2).await;
        assert_eq!(rig.azure.journal().count(&elsewhere()), 0, "{told}");
    }
}

/// Tokens come from the authority of the cloud, whoever a challenge says they come from.
#[tokio::test]
async fn a_challenge_that_names_another_authority_leads_nowhere() {
    let rig = Rig::new().await;
    let challenge =
        r#"Bearer authorization="https://login.evil.example/t", resource="https://vault.azure.net""#;
    rig.azure.faults().inject(At::Probe.route(), Fault::Challenge(challenge.to_owned()));
    rig.mount().await.unwrap();
    rig.saw(At::Entra, ONCE, "the cloud's own");
    assert_eq!(rig.azure.journal().count(&elsewhere()), 0);
}
