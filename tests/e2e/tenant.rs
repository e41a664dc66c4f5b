//! The tenant of a class that names none: the vault's challenge names it.

use akv_emulator::{Fault, Route, Service};
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

const OBJECTS: &str = "- {objectName: db-password, objectType: secret}";

const RESOURCE: &str = r#"resource="https://vault.azure.net""#;

/// Returns calls of all modes that need a tenant, without one.
fn calls(azure: &Azure) -> [MountCall; 3] {
    let principal = [("clientid", "dddddddd-0000-0000-0000-000000000003"), ("clientsecret", "s3cr3t~value")];
    let workload = MountCall::of(OBJECTS).workload(azure);
    let binding = workload.clone().with("useAzureTokenProxy", "true");
    [workload, binding, MountCall::of(OBJECTS).with_secrets(&principal)].map(|call| call.with("tenantId", ""))
}

#[tokio::test]
async fn a_class_without_a_tenant_mounts_in_the_vaults_tenant() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    for call in calls(&azure) {
        let provider = Provider::start(&azure);
        azure.journal().clear();
        for _ in 0..2 {
            let mounted = provider.driver().mount(&call.of_another_pod()).await.unwrap();
            assert_eq!(mounted.text("db-password"), "x");
        }
        let probes = azure.journal().count(&Route::service(Service::Vault).credentials(false));
        assert_eq!(probes, 1, "one challenge a vault: {:?}", azure.journal().lines());
    }
}

#[tokio::test]
async fn a_tenant_is_believed_under_each_name_of_the_authority() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let [call, ..] = calls(&azure);
    for host in ["login.windows.net", "sts.windows.net", "westeurope.login.microsoft.com"] {
        let named = format!(
            r#"Bearer authorization="https://{host}/11111111-2222-3333-4444-555555555555", {RESOURCE}"#
        );
        azure.faults().clear();
        let probe = Route::service(Service::Vault).credentials(false);
        azure.faults().inject(probe, Fault::Challenge(named));
        azure.journal().clear();
        Provider::start(&azure).driver().mount(&call).await.unwrap();
        let hosts: Vec<_> =
            azure.journal().filter(&Route::token_endpoint()).iter().map(|entry| entry.host.clone()).collect();
        assert_eq!(hosts, ["login.microsoftonline.com"], "the cloud's own authority is asked");
    }
}

#[tokio::test]
async fn a_tenant_of_another_authority_is_not_believed() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let probe = Route::service(Service::Vault).credentials(false);
    for (authority, cause) in [
        (
            r#"authorization="https://login.evil.test/11111111-2222-3333-4444-555555555555", "#,
            r#"names the authority "https://login.evil.test/11111111-2222-3333-4444-555555555555", which is not the cloud's"#,
        ),
        (
            r#"authorization="https://login.microsoftonline.us/11111111-2222-3333-4444-555555555555", "#,
            "which is not the cloud's",
        ),
        (r#"authorization="https://login.microsoftonline.com/common", "#, "names no tenant"),
        ("", "names no tenant"),
    ] {
        azure.faults().clear();
        azure.faults().inject(probe.clone(), Fault::Challenge(format!("Bearer {authority}{RESOURCE}")));
        for call in calls(&azure) {
            azure.journal().clear();
            let status = Provider::start(&azure).driver().mount(&call).await.unwrap_err();
            assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
            let message = status.message();
            let head = "[AKV-TenantNotKnown] cannot read secret/db-password from vault lab: tenantID is not set, and \
                        the vault's challenge ";
            assert!(message.starts_with(head) && message.contains(cause), "{message}");
            assert!(message.contains("; set tenantID to the vault's tenant"), "{message}");
            assert_eq!(azure.journal().count(&Route::token_endpoint()), 0, "no token is requested");
        }
    }
}

#[tokio::test]
async fn a_vault_that_gives_no_challenge_leaves_the_tenant_unknown() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let [call, ..] = calls(&azure);
    let call = call.with("tenantid", "11111111-2222-3333-4444-555555555555");
    let probe = || Route::service(Service::Vault).credentials(false);
    for (fault, code, cause) in [
        (Fault::status(404), "TenantNotKnown", "answers without a challenge"),
        (Fault::status(503), "VaultDown", "the vault answered 503"),
        (
            Fault::Challenge("Bearer".to_owned()),
            "UnexpectedAnswer",
            "rejected the vault's authentication challenge",
        ),
    ] {
        azure.faults().clear();
        azure.faults().inject(probe(), fault);
        let status = Provider::start(&azure).driver().mount(&call).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        let message = status.message();
        assert!(message.starts_with(&format!("[AKV-{code}] ")) && message.contains(cause), "{message}");
        assert!(message.contains("(did you mean tenantID?)"), "{message}");
    }
}

#[tokio::test]
async fn a_nodes_identity_needs_no_tenant() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    for mode in ["useVMManagedIdentity", "usePodIdentity"] {
        let call = MountCall::of(OBJECTS).with("tenantId", "").with(mode, "true");
        provider.driver().mount(&call).await.unwrap();
    }
}
