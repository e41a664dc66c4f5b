//! Tests of identity parameters.

use crate::spec::{
    cloud::CloudChoice,
    identity::{IdentityMode, TenantId},
    object::VersionSelector,
    service_principal::{ClientCertificate, ClientProof, SentChain},
};

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
        matches!(spec.identity, IdentityMode::ServicePrincipal { proof: ClientProof::Secret(secret), .. } if secret.expose() == " s3cr3t ")
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
        mount(&[&changes[..], &[("tenantId", Some(" "))]].concat()).unwrap();
    }
}

#[test]
fn a_tenant_may_be_absent() {
    let principal = r#"{"clientid":"sp","clientsecret":"x"}"#;
    for (changes, secrets) in [(&[][..], "null"), (&[("clientID", None)], principal)] {
        let spec = mount_with(changes, secrets).unwrap();
        let tenant = spec.identity.tenant().unwrap().as_ref().map(TenantId::as_str);
        assert_eq!(tenant, Some("11111111-2222-3333-4444-555555555555"));
        for tenant in [None, Some(""), Some(" ")] {
            let changes = [&[("tenantId", tenant)], changes].concat();
            let spec = mount_with(&changes, secrets).unwrap();
            assert_eq!(spec.identity.tenant(), Some(&None));
        }
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
    ] {
        let error = mount(changes).unwrap_err();
        let reported: Vec<&str> = error.problems().iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(reported, fields);
    }
}

#[test]
fn every_mistake_of_an_identity_is_reported() {
    let token = "csi.storage.k8s.io/serviceAccount.tokens";
    for (changes, fields) in [
        (&[("clientID", Some("a b")), (token, None)][..], &["clientID", token][..]),
        (&[("clientID", Some("a b")), ("useAzureTokenProxy", Some("true"))], &["clientID", token]),
        (
            &[
                ("usePodIdentity", Some("yes")),
                ("useVMManagedIdentity", Some("true")),
                ("useAzureTokenProxy", Some("true")),
            ],
            &["usePodIdentity", "useVMManagedIdentity"],
        ),
    ] {
        let error = mount(changes).unwrap_err();
        let reported: Vec<&str> = error.problems().iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(reported, fields);
    }
    for (secrets, mentions) in [
        (
            r#"{"clientsecret":"","clientcertificate":""}"#,
            &["3 problems", "no clientid", "clientsecret of", "clientcertificate of"][..],
        ),
        (
            r#"{"clientid":"a b","clientcertificate":"","sendcertificatechain":"x"}"#,
            &["3 problems", "clientid of", "clientcertificate of", "sendcertificatechain of"],
        ),
        (r#"{"clientid":"a b","clientcertificatepassword":"canary"}"#, &["2 problems", "clientid of"]),
    ] {
        assert_refused(mount_with(&[("clientID", None)], secrets), Fault::Cluster, mentions);
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

const GUID: &str = "dddddddd-0000-0000-0000-000000000003";

#[test]
fn a_client_id_alone_in_the_secret_is_workload_identity() {
    let secrets = format!(r#"{{"ClientID":" {GUID}\n"}}"#);
    let spec = mount_with(&[("clientID", None)], &secrets).unwrap();
    assert_eq!(spec.identity.to_string(), format!("workload identity {GUID}"));
    let spec = mount_with(&[], &secrets).unwrap();
    let class = "workload identity cccccccc-0000-0000-0000-000000000002";
    assert_eq!(spec.identity.to_string(), class, "clientID of the class wins");

    // Without a token, both ways are named.
    let without =
        &[("clientID", None), ("csi.storage.k8s.io/serviceAccount.tokens", None), ("tenantId", None)];
    assert_refused(mount_with(without, &secrets), Fault::Cluster, &["tokenRequests", "clientsecret"]);
}

#[test]
fn a_tenant_of_the_class_wins_over_that_of_the_secret() {
    let tenant = |changes: &[(&str, Option<&str>)], others: &str| {
        let secrets = format!(r#"{{"clientid":"{GUID}","TenantID":" of-the-secret "{others}}}"#);
        let spec = mount_with(&[&[("clientID", None)], changes].concat(), &secrets).unwrap();
        spec.identity.tenant().unwrap().as_ref().unwrap().to_string()
    };
    for others in ["", r#","clientsecret":"x""#, r#","clientcertificate":"x""#] {
        assert_eq!(tenant(&[("tenantId", None)], others), "of-the-secret");
        assert_eq!(tenant(&[("tenantId", Some("of-the-class"))], others), "of-the-class");
    }
    assert_eq!(tenant(&[("tenantId", None), ("clientID", Some(GUID))], ""), "of-the-secret");
    let secrets = format!(r#"{{"clientid":"{GUID}","tenantid":"canary/"}}"#);
    let changes = [("clientID", None), ("tenantId", None)];
    assert_refused(mount_with(&changes, &secrets), Fault::Cluster, &["tenantid of the referenced Secret"]);
}

#[test]
fn a_certificate_in_the_secret_is_a_service_principal() {
    let spec = |others: &str| {
        let secrets = format!(r#"{{"clientid":"sp","ClientCertificate":" pem\n"{others}}}"#);
        match mount_with(&[("clientID", None)], &secrets).unwrap().identity {
            IdentityMode::ServicePrincipal { proof: ClientProof::Certificate(certificate), .. } => {
                certificate
            }
            other => panic!("{other:?}"),
        }
    };
    let ClientCertificate { text, password, chain } = spec("");
    assert_eq!((text.expose().as_str(), password.expose().as_str()), (" pem\n", ""));
    assert_eq!(chain, SentChain::Omitted);
    let with = spec(r#","ClientCertificatePassword":" p ","sendCertificateChain":"TRUE""#);
    assert_eq!((with.password.expose().as_str(), with.chain), (" p ", SentChain::Sent));
    assert_eq!(spec(r#","sendcertificatechain":"0""#).chain, SentChain::Omitted);
}

#[test]
fn an_empty_certificate_beside_a_client_secret_is_absent() {
    for certificate in
        [r#""clientcertificate":"""#, r#""ClientCertificate":"","clientcertificatepassword":"""#]
    {
        let secrets = format!(r#"{{"clientid":"sp","clientsecret":" s\n",{certificate}}}"#);
        match mount_with(&[("clientID", None)], &secrets).unwrap().identity {
            IdentityMode::ServicePrincipal { proof: ClientProof::Secret(secret), .. } => {
                assert_eq!(secret.expose(), " s\n");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_wrong_combination_of_keys_in_the_secret_is_refused() {
    for (keys, mentions) in [
        (
            r#""clientsecret":"canary","clientcertificate":"canary""#,
            &["clientsecret and clientcertificate", "remove one"][..],
        ),
        (r#""clientsecret":"""#, &["clientsecret of the referenced Secret is empty"]),
        (r#""clientcertificate":"""#, &["clientcertificate of the referenced Secret is empty"]),
        (
            r#""clientcertificatepassword":"canary""#,
            &["has clientcertificatepassword, but no clientcertificate"],
        ),
        (r#""sendcertificatechain":"true""#, &["has sendcertificatechain, but no clientcertificate"]),
        (
            r#""clientcertificate":"canary","sendcertificatechain":"canary""#,
            &["sendcertificatechain of the referenced Secret is not a boolean; use true or false"],
        ),
    ] {
        let secrets = format!(r#"{{"clientid":"{GUID}",{keys}}}"#);
        assert_refused(mount_with(&[("clientID", None)], &secrets), Fault::Cluster, mentions);
    }
    let name = r#"{"clientid":"canary"}"#;
    let mentions = &["set the GUID alone for workload identity", "clientsecret"];
    assert_refused(mount_with(&[("clientID", None)], name), Fault::Cluster, mentions);
}

#[test]
fn a_secret_of_hundreds_of_kilobytes_is_refused_before_it_is_kept() {
    for (fields, key, longest) in [
        ("", "clientsecret", 4 << 10),
        ("", "clientcertificate", 32 << 10),
        (r#""clientcertificate":"canary","#, "clientcertificatepassword", 4 << 10),
    ] {
        let with = |length: usize| {
            let value = "canary".repeat(length / 6 + 1);
            let secrets = format!(r#"{{"clientid":"{GUID}",{fields}"{key}":"{}"}}"#, &value[..length]);
            mount_with(&[("clientID", None)], &secrets)
        };
        with(longest).unwrap();
        let bytes = format!("longer than {longest} bytes");
        for length in [longest + 1, 400 << 10] {
            assert_refused(with(length), Fault::Cluster, &["nodePublishSecretRef", key, &bytes]);
        }
    }
}

#[test]
fn a_token_of_hundreds_of_kilobytes_is_refused_before_it_is_kept() {
    let with = |length: usize| {
        let token = "canary".repeat(length / 6 + 1);
        let tokens = serde_json::json!({ "api://AzureADTokenExchange": { "token": &token[..length] } });
        mount(&[("csi.storage.k8s.io/serviceAccount.tokens", Some(&tokens.to_string()))])
    };
    with(16 << 10).unwrap();
    for length in [(16 << 10) + 1, 400 << 10] {
        let mentions = ["api://AzureADTokenExchange is longer than 16384 bytes", "volumeAttributes"];
        assert_refused(with(length), Fault::Cluster, &mentions);
    }
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
