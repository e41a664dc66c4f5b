//! Tests of identity parameters.

use crate::spec::{cloud::CloudChoice, identity::IdentityMode, object::VersionSelector};

use super::*;

#[test]
fn a_mount_of_workload_identity_is_understood() {
    let spec = mount(&[]).unwrap();
    assert_eq!(spec.pod.to_string(), "shop/web-0");
    assert_eq!(spec.vault.as_str(), "lab");
    assert_eq!(spec.cloud, CloudChoice::Default);
    assert_eq!(spec.default_mode.to_string(), "0644");
    assert!(
        matches!(spec.identity, IdentityMode::WorkloadIdentity { ref assertion, .. } if assertion.expose() == "canary")
    );
    assert_eq!(spec.objects[0].to_string(), "secret/db-password");
    assert_eq!(spec.objects[0].versions, VersionSelector::Newest);
    assert_eq!(spec.objects[0].shape.as_file().unwrap().path.as_str(), "db-password");
    assert_eq!(spec.objects[0].shape.as_file().unwrap().mode, None);
}

#[test]
fn one_identity_mode_is_chosen() {
    let principal = r#"{"ClientID":"sp\n","CLIENTSECRET":" s3cr3t "}"#;
    let name = |changes: &[(&str, Option<&str>)], secrets: &str| {
        mount_with(changes, secrets).unwrap().identity.to_string()
    };
    assert_eq!(name(&[], principal), "workload identity cccccccc-0000-0000-0000-000000000002");
    assert_eq!(name(&[("clientID", None)], principal), "service principal sp");
    assert_eq!(name(&[("useVMManagedIdentity", Some("true"))], "null"), "system-assigned managed identity");
    assert_eq!(
        name(
            &[
                ("useVMManagedIdentity", Some("T")),
                ("userAssignedIdentityID", Some(" BBBBBBBB-0000-0000-0000-000000000001 "))
            ],
            "null"
        ),
        "user-assigned managed identity BBBBBBBB-0000-0000-0000-000000000001"
    );
    assert_eq!(name(&[("usePodIdentity", Some("1"))], "null"), "pod identity");

    let spec = mount_with(&[("clientID", None)], principal).unwrap();
    assert!(
        matches!(spec.identity, IdentityMode::ServicePrincipal { secret, .. } if secret.expose() == " s3cr3t ")
    );
}

#[test]
fn a_placeholder_tenant_is_accepted_if_the_node_knows_the_tenant() {
    for mode in ["useVMManagedIdentity", "usePodIdentity"] {
        let changes = [(mode, Some("true")), ("clientID", None)];
        for tenant in ["<tenant-id>", "a/b", "$TENANT"] {
            for key in ["tenantId", "tenantID"] {
                let changes = [&changes[..], &[(key, Some(tenant))]].concat();
                let spec = mount(&changes).unwrap();
                assert_eq!(spec.identity.tenant(), None, "{mode} {tenant}");
            }
        }
        let changes = [&changes[..], &[("tenantId", Some(" "))]].concat();
        assert_refused(mount(&changes), Fault::Request, &["tenantId", "tenantID"]);
    }
}

#[test]
fn an_invalid_tenant_is_reported_beside_other_identity_mistakes() {
    let wrong = ("tenantID", Some("<tenant-id>"));
    for (changes, fields) in [
        (&[wrong, ("clientID", Some("a b"))][..], &["tenantID", "clientID"][..]),
        (&[wrong, ("clientID", None)], &["tenantID", "nodePublishSecretRef"]),
        (&[wrong, ("useAzureTokenProxy", Some("true")), ("clientID", None)], &["tenantID", "clientID"]),
        (&[wrong, ("useVMManagedIdentity", Some("yes"))], &["useVMManagedIdentity", "tenantID"]),
        (
            &[wrong, ("usePodIdentity", Some("true")), ("useAzureTokenProxy", Some("true"))],
            &["usePodIdentity", "tenantID"],
        ),
        (
            &[
                ("tenantId", None),
                ("useVMManagedIdentity", Some("true")),
                ("userAssignedIdentityID", Some("a b")),
            ],
            &["tenantId", "userAssignedIdentityID"],
        ),
    ] {
        let error = mount(changes).unwrap_err();
        let reported: Vec<&str> = error.problems().iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(reported, fields);
    }
}

#[test]
fn identity_modes_do_not_mix() {
    assert_refused(
        mount(&[("usePodIdentity", Some("true")), ("useVMManagedIdentity", Some("true"))]),
        Fault::Request,
        &["usePodIdentity", "useVMManagedIdentity", "only one"],
    );
    assert_refused(
        mount(&[("useAzureTokenProxy", Some("true")), ("clientID", None)]),
        Fault::Request,
        &["clientID", "useAzureTokenProxy"],
    );
}

#[test]
fn missing_credentials_are_a_fault_of_the_cluster() {
    let tokens = |value| mount(&[("csi.storage.k8s.io/serviceAccount.tokens", value)]);
    assert_refused(tokens(None), Fault::Cluster, &["token", "api://AzureADTokenExchange", "tokenRequests"]);
    assert_refused(tokens(Some("{\"canary")), Fault::Cluster, &["token"]);
    assert_refused(tokens(Some("[\"canary\"]")), Fault::Cluster, &["token"]);
    assert_refused(
        tokens(Some(r#"{"other":{"token":"canary"}}"#)),
        Fault::Cluster,
        &["api://AzureADTokenExchange"],
    );
    assert_refused(
        tokens(Some(r#"{"api://AzureADTokenExchange":{"token":""}}"#)),
        Fault::Cluster,
        &["api://AzureADTokenExchange"],
    );
    let principal = |secrets| mount_with(&[("clientID", None)], secrets);
    assert_refused(principal("null"), Fault::Cluster, &["nodePublishSecretRef", "clientID"]);
    assert_refused(principal("{}"), Fault::Cluster, &["clientid"]);
    assert_refused(principal(r#"{"clientid":"x"}"#), Fault::Cluster, &["clientsecret"]);
    assert_refused(principal(r#"{"clientid":"x","clientsecret":""}"#), Fault::Cluster, &["clientsecret"]);
}

#[test]
fn tokens_in_secrets_take_precedence() {
    let secrets = serde_json::json!({
        "csi.storage.k8s.io/serviceAccount.tokens":
            r#"{"api://AzureADTokenExchange":{"token":"from kubelet"}}"#
    });
    let spec = mount_with(&[], &secrets.to_string()).unwrap();
    assert!(
        matches!(spec.identity, IdentityMode::WorkloadIdentity { assertion, .. } if assertion.expose() == "from kubelet")
    );
}
