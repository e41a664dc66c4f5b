//! Refusals of vaults and token sources, and invalid parameters.

use std::time::Duration;

use akv_emulator::{Fault, ObjectKind, Route, Service};
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

use super::{OBJECTS, WORKLOAD, answer, assert_message, failure, reads};

/// Returns Key Vault's answer with this inner error.
fn vault_says(status: u16, inner: &str, words: &str) -> Fault {
    answer(
        status,
        serde_json::json!({"error": {"code": "Forbidden", "message": words, "innererror": {"code": inner}}}),
    )
}

/// Returns Entra's answer with this error number.
fn entra_says(number: u32) -> Fault {
    let text = format!(
        "AADSTS{number}: Words of Entra.\r\nTrace ID: trace-1\r\nCorrelation ID: c\r\nTimestamp: 2026-01-01 00:00:00Z"
    );
    answer(401, serde_json::json!({"error": "invalid_client", "error_description": text}))
}

#[tokio::test]
async fn refusals_of_a_vault_have_a_code_and_an_action() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let caller = "The user, group or application 'appid=c;oid=66d10cbf-3a73-4326-9a8d-b1b082e7c3fc;iss=i' does not have \
                  secrets get permission on key vault 'lab'";
    for (fault, code, parts) in [
        (
            vault_says(403, "AccessDenied", caller),
            Code::PermissionDenied,
            &[
                "[AKV-ForbiddenByPolicy] cannot read secret/db-password from vault lab: 403 AccessDenied; add an access \
                 policy on vault lab for object id ",
                ": secret get, and list for objectVersionHistory and objectVersionPolicy; ",
                "asked lab.vault.azure.net as workload identity",
                "Key Vault says: The user",
            ][..],
        ),
        (
            vault_says(403, "ForbiddenByFirewall", "Client address is not authorized"),
            Code::PermissionDenied,
            &["[AKV-ForbiddenByFirewall] ", "outbound address", "firewall of vault lab"],
        ),
        (
            vault_says(403, "ForbiddenByConnection", "Public network access is disabled"),
            Code::PermissionDenied,
            &["[AKV-ForbiddenByConnection] ", "private endpoint"],
        ),
        (
            vault_says(
                403,
                "SecretNotYetValid",
                "Operation get is not allowed on a secret that is not yet valid",
            ),
            Code::FailedPrecondition,
            &["[AKV-NotYetValid] ", "activation date"],
        ),
        (
            vault_says(403, "Novel", "Words"),
            Code::PermissionDenied,
            &["[AKV-Forbidden] ", "403 Novel; asked ", "; Key Vault says: Words"],
        ),
        (
            answer(
                401,
                serde_json::json!({"error": {"code": "Unauthorized", "message": "AKV10032: Invalid issuer."}}),
            ),
            Code::Unauthenticated,
            &["[AKV-VaultInOtherTenant] ", "set tenantID to the tenant of vault lab"],
        ),
        (Fault::status(400), Code::InvalidArgument, &["[AKV-RequestRejected] "]),
        (
            Fault::Redirect("https://elsewhere.example/".to_owned()),
            Code::FailedPrecondition,
            &["[AKV-UnexpectedAnswer] ", "answers in its place"],
        ),
    ] {
        azure.faults().clear();
        azure.faults().inject(reads(), fault);
        let status = failure(&provider, &MountCall::of_secrets(&azure, &["db-password"])).await;
        assert_message(&status, code, parts);
    }
}

#[tokio::test]
async fn a_role_is_named_for_each_kind_of_object_and_for_the_callers_object_id() {
    let azure = Azure::with_secrets(&[("s", "x")]).await;
    azure.directory().revoke_all(WORKLOAD);
    let provider = Provider::start(&azure);
    let objects = "array:\n- |\n  objectName: s\n  objectType: secret\n- |\n  objectName: k\n  objectType: key\n- |\n  objectName: c\n  objectType: cert\n";
    let status = failure(&provider, &MountCall::of(objects).workload(&azure)).await;
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    let message = status.message();
    assert!(
        message.starts_with("[AKV-ForbiddenByRbac] cannot read 3 objects from vault lab: secret/s: "),
        "{message}"
    );
    for (object, role) in [
        ("secret/s", "Key Vault Secrets User"),
        ("key/k", "Key Vault Crypto User"),
        ("cert/c", "Key Vault Certificate User"),
    ] {
        let start =
            format!("{object}: 403 ForbiddenByRbac; grant the role {role} on vault lab to object id ");
        let at = message.find(&start).unwrap_or_else(|| panic!("no {start} in {message}"));
        // The id that Key Vault names, and to which roles are assigned.
        let id = message[at + start.len()..].split(';').next().unwrap();
        assert_eq!(id.len(), 36, "{message}");
    }
}

#[tokio::test]
async fn a_deleted_object_is_distinguished_from_one_that_never_existed() {
    let azure = Azure::with_secrets(&[("gone", "x")]).await;
    azure.vaults().delete("lab", ObjectKind::Secret, "gone").unwrap();
    let provider = Provider::start(&azure);
    let status = failure(&provider, &MountCall::of_secrets(&azure, &["gone", "never"])).await;
    assert_eq!(status.code(), Code::NotFound);
    let start = "[AKV-SoftDeleted] cannot read 2 objects from vault lab: secret/gone: ";
    assert_message(&status, Code::NotFound, &[start, "recover it", "; [AKV-NotFound] secret/never: "]);
}

#[tokio::test]
async fn refusals_of_entra_have_a_code_and_an_action() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let issuer = azure.service_account_issuer();
    let credential = format!(
        "add a federated credential for subject 'system:serviceaccount:default:app', issuer '{issuer}' and audience \
         'api://AzureADTokenExchange' to client {WORKLOAD}"
    );
    for (number, code, part) in [
        (70_021, "NoFederatedCredential", credential.as_str()),
        (700_211, "NoFederatedCredential", credential.as_str()),
        (700_212, "NoFederatedCredential", "a new one takes some seconds to spread"),
        (700_213, "NoFederatedCredential", credential.as_str()),
        (700_223, "FederationNotAllowed", "administrator"),
        (700_024, "PodTokenNotValidNow", "requiresRepublish"),
        (5_000_811, "PodTokenNotTrusted", issuer),
        (7_000_215, "WrongClientSecret", "not its id"),
        (7_000_222, "ClientSecretExpired", WORKLOAD),
        (7_000_229, "UnknownClient", WORKLOAD),
        (90_002, "UnknownTenant", "tenantID"),
        (700_016, "UnknownClient", "not an object id"),
        (500_011, "UnknownVaultService", "cloudName"),
        (53_003, "ConditionalAccess", "policy"),
        (123_456, "IdentityRefused", "Words of Entra."),
    ] {
        azure.faults().clear();
        azure.faults().inject(Route::token_endpoint(), entra_says(number));
        let status = failure(&provider, &MountCall::of_secrets(&azure, &["db-password"])).await;
        let start = format!(
            "[AKV-{code}] cannot read secret/db-password from vault lab: Entra refused the identity: AADSTS{number}"
        );
        let asked = format!(
            "; asked tenant 11111111-2222-3333-4444-555555555555 at login.microsoftonline.com as workload identity \
             {WORKLOAD}; the answer was: Words of Entra."
        );
        assert_message(&status, Code::Unauthenticated, &[&start, &asked]);
        assert!(status.message().contains(part), "no {part} in {status}");
        assert!(!status.message().contains("trace-1"), "{status}");
    }
}

#[tokio::test]
async fn two_tries_have_the_same_message() {
    let azure = Azure::with_secrets(&[]).await;
    let provider = Provider::start(&azure);
    let refused = MountCall::of_secrets(&azure, &["a"])
        .with("csi.storage.k8s.io/serviceAccount.tokens", &azure.service_account_tokens("other", "app"));
    // Entra's own words contain the time.
    let expired = MountCall::of_secrets(&azure, &["a"]).with(
        "csi.storage.k8s.io/serviceAccount.tokens",
        &azure.expired_service_account_tokens("default", "app"),
    );
    for call in [MountCall::of_secrets(&azure, &["a", "b"]), refused, expired] {
        let one = provider.driver().mount(&call.of_another_pod()).await.unwrap_err();
        azure.clock().advance(Duration::from_secs(2));
        let other = provider.driver().mount(&call.of_another_pod()).await.unwrap_err();
        assert_eq!(one.message(), other.message());
    }
}

#[tokio::test]
async fn identities_of_the_node_have_codes_of_their_own() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let node = MountCall::of(OBJECTS).with("useVMManagedIdentity", "true");
    let unknown = node.clone().with("userAssignedIdentityID", "99999999-0000-0000-0000-000000000009");
    let status = failure(&provider, &unknown).await;
    assert_message(
        &status,
        Code::Unauthenticated,
        &[
            "[AKV-IdentityNotOnNode] ",
            "assign the identity 99999999-0000-0000-0000-000000000009",
            "scale set",
        ],
    );
    let several = serde_json::json!({
        "error": "invalid_request",
        "error_description": "Multiple user assigned identities exist, please specify one",
    });
    azure.faults().inject(Route::service(Service::Imds), answer(400, several));
    let status = failure(&provider, &node).await;
    assert_message(&status, Code::Unauthenticated, &["[AKV-IdentityNotChosen] ", "userAssignedIdentityID"]);
    azure.directory().update(|directory| directory.pod_identity = None);
    let status = failure(&provider, &MountCall::of(OBJECTS).with("usePodIdentity", "true")).await;
    assert_message(&status, Code::Unauthenticated, &["[AKV-NoPodIdentity] ", "AzureIdentityBinding"]);
}

#[tokio::test]
async fn mistakes_of_parameters_have_a_code_too() {
    let azure = Azure::with_secrets(&[]).await;
    let provider = Provider::start(&azure);
    for (call, code, start) in [
        (
            MountCall::of(OBJECTS).with("keyvaultName", "-!"),
            Code::InvalidArgument,
            "[AKV-BadParameters] invalid SecretProviderClass parameters: ",
        ),
        (
            MountCall::of(OBJECTS).with("clientID", WORKLOAD),
            Code::FailedPrecondition,
            "[AKV-NoCredentials] no usable credentials: ",
        ),
    ] {
        assert_message(&failure(&provider, &call).await, code, &[start]);
    }
}
