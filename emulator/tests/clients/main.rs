//! Azure's SDKs for Python and Go against the emulator: independent clients get tokens and read a vault.
//!
//! Without them the emulator and the provider could agree on behaviour that Azure does not have. Each test prints
//! `skipped: …` if its language or its packages are not installed; `.ci/run` installs both.

mod expected;
mod go;
mod harness;
mod python;

use akv_emulator::{Route, Service};
use serde_json::{Value, json};

use self::{
    expected::everything,
    harness::{Client, Credential, Lab},
};

macro_rules! reads {
    ($($name:ident: $client:path, $credential:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
        async fn $name() {
            if let Some(client) = $client() {
                reads_everything(client, $credential).await;
            }
        }
    )*};
}

reads! {
    python_reads_a_vault_by_client_secret: python::client, Credential::ClientSecret;
    python_reads_a_vault_by_federated_token: python::client, Credential::WorkloadIdentity;
    python_reads_a_vault_by_managed_identity: python::client, Credential::ManagedIdentity;
    go_reads_a_vault_by_client_secret: go::client, Credential::ClientSecret;
    go_reads_a_vault_by_federated_token: go::client, Credential::WorkloadIdentity;
    go_reads_a_vault_by_managed_identity: go::client, Credential::ManagedIdentity;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn python_reports_the_refusals_of_entra_and_imds() {
    if let Some(client) = python::client() {
        reports_refusals(client).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn go_reports_the_refusals_of_entra_and_imds() {
    if let Some(client) = go::client() {
        reports_refusals(client).await;
    }
}

/// Reads secrets, keys, certificates, their versions and their lists.
async fn reads_everything(client: &'static Client, credential: Credential) {
    let lab = Lab::start().await;
    let found = lab.read(client, credential, credential.client_id()).await;
    assert_eq!(found, everything(&lab), "{credential:?}");

    let journal = lab.azure.journal();
    let answered = journal.filter(&Route::vault("lab").credentials(true));
    assert!(answered.iter().all(|entry| entry.caller.as_deref() == Some(credential.client_id())
        || entry.status.is_some_and(|status| status >= 400)));
    assert!(
        answered.iter().all(|entry| entry.user_agent.contains(client.user_agent)),
        "another client sent the request: {:?}",
        answered.first().map(|entry| &entry.user_agent)
    );
    let (entra, imds) =
        (journal.count(&Route::token_endpoint()), journal.count(&Route::service(Service::Imds)));
    match credential {
        Credential::ManagedIdentity => assert!(entra == 0 && imds > 0, "Entra {entra}, IMDS {imds}"),
        _ => assert!(entra > 0 && imds == 0, "Entra {entra}, IMDS {imds}"),
    }
}

/// Reads as an application without the credential, and as an identity that the node lacks.
async fn reports_refusals(client: &'static Client) {
    let lab = Lab::start().await;
    for (credential, client_id, expected) in [
        (Credential::ClientSecret, harness::WORKLOAD, "AADSTS7000215"),
        (Credential::WorkloadIdentity, harness::SERVICE_PRINCIPAL, "AADSTS70021"),
        (Credential::ClientSecret, harness::UNKNOWN, "AADSTS700016"),
        (Credential::ManagedIdentity, harness::UNKNOWN, "Identity not found"),
    ] {
        let found = lab.read(client, credential, client_id).await;
        let error = found["error"].as_str().unwrap_or_default();
        assert!(error.contains(expected), "{credential:?} as {client_id}: {found}");
    }
    assert_eq!(json!(lab.azure.journal().count(&Route::vault("lab").credentials(true))), Value::from(0));
}
