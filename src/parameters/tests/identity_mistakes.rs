//! Mistakes of users in identity parameters, and their messages.

use super::*;

/// Returns what Kubernetes 1.35 and later puts beside the keys of a Secret, or alone.
fn tokens_in_secrets(others: &[(&str, &str)]) -> String {
    let mut secrets: BTreeMap<&str, &str> = others.iter().copied().collect();
    secrets.insert("csi.storage.k8s.io/serviceAccount.tokens", TOKENS);
    serde_json::to_string(&secrets).unwrap()
}

#[test]
fn a_misspelt_client_id_is_reported_instead_of_a_missing_secret() {
    let changes = [
        ("clientID", None),
        ("clientId", Some("cccccccc-0000-0000-0000-000000000002")),
        ("csi.storage.k8s.io/serviceAccount.tokens", None),
    ];
    for secrets in [tokens_in_secrets(&[]), "null".to_owned(), "{}".to_owned()] {
        let error = mount_with(&changes, &secrets).unwrap_err().to_string();
        assert!(!error.contains("referenced Secret has no"), "{error}");
        let hint = "for a service principal; parameter \"clientId\" is unknown (did you mean clientID?)";
        assert!(error.ends_with(hint), "{error}");
        assert_refused(mount_with(&changes, &secrets), Fault::Cluster, &["set clientID"]);
    }
    // A Secret is referenced, but incomplete.
    let secrets = tokens_in_secrets(&[("clientsecret", "x")]);
    let mentions = &["the referenced Secret has no clientid", "did you mean clientID?"];
    assert_refused(mount_with(&changes, &secrets), Fault::Cluster, mentions);
}

#[test]
fn a_service_principal_works_beside_tokens_in_secrets() {
    let secrets = tokens_in_secrets(&[("clientid", "sp"), ("clientsecret", "x")]);
    let spec = mount_with(&[("clientID", None)], &secrets).unwrap();
    assert_eq!(spec.identity.to_string(), "service principal sp");
}

#[test]
fn misspelt_parameters_are_named_in_every_message_about_identity() {
    let clients = ("clientID", None);
    for (changes, fault, field, hint) in [
        (&[clients, ("clientid", Some("x"))][..], Fault::Cluster, "no identity", "clientID"),
        (
            &[clients, ("useVmManagedIdentity", Some("true"))],
            Fault::Cluster,
            "no identity",
            "useVMManagedIdentity",
        ),
        (
            &[clients, ("useAzureTokenproxy", Some("true"))],
            Fault::Cluster,
            "no identity",
            "useAzureTokenProxy",
        ),
        (
            &[clients, ("client_id", Some("x")), ("useAzureTokenProxy", Some("true"))],
            Fault::Request,
            "clientID: is not set",
            "clientID",
        ),
        (
            &[("clientID", Some("app")), ("cloudname", Some("AzureChinaCloud"))],
            Fault::Request,
            "clientID: \"app\"",
            "cloudName",
        ),
        (
            &[("csi.storage.k8s.io/serviceAccount.tokens", None), ("usePodidentity", Some("true"))],
            Fault::Cluster,
            "no service account token",
            "usePodIdentity",
        ),
    ] {
        let hint = format!("(did you mean {hint}?)");
        assert_refused(mount(changes), fault, &[field, &hint]);
    }
    // A missing parameter that does not belong to identity has a message of its own.
    let vault = mount(&[("keyvaultName", None), ("keyVaultName", Some("lab")), ("clientId", Some("x"))]);
    let error = vault.unwrap_err().to_string();
    let expected =
        "keyvaultName: is not set; parameter \"keyVaultName\" is unknown (did you mean keyvaultName?)";
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn misspelt_parameters_are_kept_with_a_valid_mount() {
    let changes = [
        ("useVMManagedIdentity", Some("true")),
        ("userAssignedIdentityId", Some("bbbbbbbb-0000-0000-0000-000000000001")),
    ];
    let spec = mount(&changes).unwrap();
    assert_eq!(spec.misspellings.len(), 1);
    assert_eq!(spec.misspellings[0].meant, "userAssignedIdentityID");
    assert!(mount(&[]).unwrap().misspellings.is_empty());
}

#[test]
fn a_resource_id_or_a_name_instead_of_a_client_id_is_refused_with_an_action() {
    const RESOURCE: &str = "/subscriptions/00000000-0000-0000-0000-000000000009/resourcegroups/rg/providers/Microsoft.ManagedIdentity/\
         userAssignedIdentities/app";
    let node = ("useVMManagedIdentity", Some("true"));
    let binding = ("useAzureTokenProxy", Some("true"));
    for (changes, key) in
        [(&[][..], "clientID"), (&[binding], "clientID"), (&[node], "userAssignedIdentityID")]
    {
        let with = |value| mount(&[changes, &[(key, Some(value))]].concat());
        assert_refused(with(RESOURCE), Fault::Request, &[key, "/subscriptions/", "resource id", "client id"]);
        assert_refused(with("app"), Fault::Request, &[key, "\"app\" is not a client id", "GUID"]);
        assert_refused(with("{cccccccc-0000-0000-0000-000000000002}"), Fault::Request, &[key, "GUID alone"]);
        let placeholders = [
            "<client id>",
            "${CLIENT_ID}",
            "$(CLIENT_ID)",
            "##CLIENT_ID##",
            "{{ x }}",
            "__X__",
            "YOUR_CLIENT_ID",
        ];
        for placeholder in placeholders {
            let quoted = format!("{placeholder:?} is not a client id");
            assert_refused(
                with(placeholder),
                Fault::Request,
                &[key, &quoted, "the placeholder was not replaced"],
            );
        }
    }
}

#[test]
fn an_unused_client_id_is_ignored() {
    let node = ("useVMManagedIdentity", Some("true"));
    let pod = ("usePodIdentity", Some("true"));
    for changes in [
        &[node, ("clientID", Some("<client id>"))][..],
        &[pod, ("clientID", Some("app")), ("userAssignedIdentityID", Some("app"))],
        &[("userAssignedIdentityID", Some("/subscriptions/1"))],
    ] {
        mount(changes).unwrap();
    }
    // Entra accepts names other than the GUID for a service principal's application.
    let secrets = r#"{"clientid":"api://app","clientsecret":"x"}"#;
    assert_eq!(
        mount_with(&[("clientID", None)], secrets).unwrap().identity.to_string(),
        "service principal api://app"
    );
}

#[test]
fn a_placeholder_is_named_wherever_a_value_is_refused() {
    for (key, placeholder) in [
        ("tenantId", "<tenant-id>"),
        ("tenantID", "${TENANT_ID}"),
        ("keyvaultName", "<vault>"),
        ("keyvaultName", "shop-{{ .Values.environment }}"),
        ("cloudName", "##CLOUD##"),
        ("useVMManagedIdentity", "$(USE_VM)"),
    ] {
        let quoted = format!("{placeholder:?}");
        let mentions = &[key, &quoted, "the placeholder was not replaced"];
        assert_refused(mount(&[(key, Some(placeholder))]), Fault::Request, mentions);
    }
    let objects = "- objectName: ${NAME}\n  objectType: secret\n  objectVersion: <version>\n";
    let error = mount(&[("objects", Some(objects))]).unwrap_err().to_string();
    assert_eq!(error.matches("the placeholder was not replaced").count(), 2, "{error}");
}
