//! What vaults and token sources refuse, and what is wrong with parameters.

use std::time::Duration;

use akv_emulator::{Fault, ObjectKind, Route, Service};
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

use super::{OBJECTS, WORKLOAD, answer, assert_told, reads};

/// What Key Vault answers with this inner error.
fn vault_says(status: u16, inner: &str, words: &str) -> Fault {
    answer(
        status,
        serde_json::json!({"error": {"code": "Forbidden", "message": words, "innererror": {"code": inner}}}),
    )
}

/// What Entra answers with this number.
fn entra_says(number: u32) -> Fault {
    let text = format!(
        "AADSTS{number}: Words of Entra.\r\nTrace ID: trace-1\r\nCorrelation ID: c\r\nTimestamp: 2026-01-01 00:00:00Z"
    );
    answer(401, serde_json::json!({"error": "invalid_client", "error_description": text}))
}

#[tokio::test]
async fn what_a_vault_refuses_has_a_code_and_a_way_out() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let caller = "The user, group or application 'appid=c;oid=66d10cbf-3a73-4326-9a8d-b1b082e7c3fc;iss=i' does not have \
                  secrets get permission on key vault 'lab'";
    for (fault, code, parts) in [
        (
            vault_says(403, "AccessDenied", caller),
            Code::PermissionDenied,
            &[
                "[AKV-ForbiddenByPolicy] cannot read secret/db-password from vault lab: 403 AccessDenied; give workload \
                 identity cccccccc-0000-0000-0000-000000000002 (object id ",
                ") the secret permission get, and list with objectVersionHistory, in the access policies of vault lab",
                "Key Vault says: The user",
                "(asked lab.vault.azure.net as workload identity",
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
            &["[AKV-Forbidden] ", "403 Novel. Key Vault says: Words"],
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
            &["[AKV-UnexpectedAnswer] ", "something answers in its place"],
        ),
    ] {
        azure.faults().clear();
        azure.faults().inject(reads(), fault);
        let status =
            provider.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap_err();
        assert_told(&status, code, parts);
    }
}

#[tokio::test]
async fn a_role_is_named_for_each_kind_of_object_and_for_the_callers_object_id() {
    let azure = Azure::with_secrets(&[("s", "x")]).await;
    azure.directory().revoke_all(WORKLOAD);
    let provider = Provider::start(&azure);
    let objects = "array:\n- |\n  objectName: s\n  objectType: secret\n- |\n  objectName: k\n  objectType: key\n- |\n  objectName: c\n  objectType: cert\n";
    let status = provider.driver().mount(&MountCall::of(objects).workload(&azure)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    let lines: Vec<&str> = status.message().lines().collect();
    assert_eq!(lines[0], "[AKV-ForbiddenByRbac] cannot read 3 objects from vault lab:");
    for (line, object, role) in [
        (lines[1], "secret/s", "Key Vault Secrets User"),
        (lines[2], "key/k", "Key Vault Crypto User"),
        (lines[3], "cert/c", "Key Vault Certificate User"),
    ] {
        let start = format!(
            "[AKV-ForbiddenByRbac] {object}: 403 ForbiddenByRbac; grant workload identity {WORKLOAD} (object id "
        );
        assert!(line.starts_with(&start), "{line}");
        assert!(line.contains(&format!(") the role {role} on vault lab")), "{line}");
        // The one that Key Vault names, and that roles are given to.
        let id = line[start.len()..].split(')').next().unwrap();
        assert!(status.message().contains(&format!("oid={id};")), "{status}");
    }
}

#[tokio::test]
async fn an_object_that_was_deleted_is_told_from_one_that_never_was() {
    let azure = Azure::with_secrets(&[("gone", "x")]).await;
    azure.vaults().delete("lab", ObjectKind::Secret, "gone").unwrap();
    let provider = Provider::start(&azure);
    let status =
        provider.driver().mount(&MountCall::of_secrets(&azure, &["gone", "never"])).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let lines: Vec<&str> = status.message().lines().collect();
    assert!(
        lines[1].starts_with("[AKV-SoftDeleted] secret/gone: ") && lines[1].contains("recover it"),
        "{status}"
    );
    assert!(lines[2].starts_with("[AKV-NotFound] secret/never: "), "{status}");
}

#[tokio::test]
async fn what_entra_refuses_has_a_code_and_a_way_out_and_its_trace_comes_last() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let issuer = azure.service_account_issuer();
    let credential = format!(
        "add a federated credential to client {WORKLOAD} with issuer '{issuer}', subject \
         'system:serviceaccount:default:app' and audience 'api://AzureADTokenExchange'"
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
        let status =
            provider.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap_err();
        let start = format!(
            "[AKV-{code}] cannot read secret/db-password from vault lab: tenant 11111111-2222-3333-4444-555555555555 at \
             login.microsoftonline.com refused workload identity {WORKLOAD}: AADSTS{number}"
        );
        assert_told(&status, Code::Unauthenticated, &[&start, part, "(status 401; Trace ID: trace-1 "]);
        assert!(status.message().ends_with("Timestamp: 2026-01-01 00:00:00Z)"), "{status}");
    }
}

#[tokio::test]
async fn two_tries_are_told_alike_but_for_what_is_at_the_end() {
    let azure = Azure::with_secrets(&[]).await;
    let provider = Provider::start(&azure);
    let refused = MountCall::of_secrets(&azure, &["a"])
        .with("csi.storage.k8s.io/serviceAccount.tokens", &azure.service_account_tokens("other", "app"));
    let expired = MountCall::of_secrets(&azure, &["a"]).with(
        "csi.storage.k8s.io/serviceAccount.tokens",
        &azure.expired_service_account_tokens("default", "app"),
    );
    for (call, differs_from) in [
        (MountCall::of_secrets(&azure, &["a", "b"]), "request ids of Azure: "),
        (refused, "Trace ID: "),
        // Entra tells the time in its words.
        (expired, "The answer was: "),
    ] {
        let one = provider.driver().mount(&call.of_another_pod()).await.unwrap_err();
        azure.clock().advance(Duration::from_secs(2));
        let other = provider.driver().mount(&call.of_another_pod()).await.unwrap_err();
        let (one, other) = (one.message(), other.message());
        let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
        assert_ne!(one, other);
        assert!(same >= one.find(differs_from).unwrap() + differs_from.len(), "{one}\n{other}");
    }
}

#[tokio::test]
async fn identities_of_the_node_have_codes_of_their_own() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let node = MountCall::of(OBJECTS).with("useVMManagedIdentity", "true");
    let unknown = node.clone().with("userAssignedIdentityID", "99999999-0000-0000-0000-000000000009");
    let status = provider.driver().mount(&unknown).await.unwrap_err();
    assert_told(
        &status,
        Code::Unauthenticated,
        &[
            "[AKV-IdentityNotOnNode] ",
            "assign the identity of client 99999999-0000-0000-0000-000000000009",
            "scale set",
        ],
    );
    let several = serde_json::json!({
        "error": "invalid_request",
        "error_description": "Multiple user assigned identities exist, please specify one",
    });
    azure.faults().inject(Route::service(Service::Imds), answer(400, several));
    let status = provider.driver().mount(&node).await.unwrap_err();
    assert_told(&status, Code::Unauthenticated, &["[AKV-IdentityNotChosen] ", "userAssignedIdentityID"]);
    azure.directory().update(|directory| directory.pod_identity = None);
    let status =
        provider.driver().mount(&MountCall::of(OBJECTS).with("usePodIdentity", "true")).await.unwrap_err();
    assert_told(&status, Code::Unauthenticated, &["[AKV-NoPodIdentity] ", "AzureIdentityBinding"]);
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
        assert_told(&provider.driver().mount(&call).await.unwrap_err(), code, &[start]);
    }
}
