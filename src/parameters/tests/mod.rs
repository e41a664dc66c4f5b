//! Tests that parse one SecretProviderClass at a time.

mod combine;
mod find;
mod hostile;
mod identity;
mod identity_mistakes;
mod keys;
mod objects;
mod outputs;
mod yaml_mistakes;

use std::collections::BTreeMap;

use crate::spec::cloud::CloudName;

use super::*;

const ONE_SECRET: &str = "array:\n- |\n  objectName: db-password\n  objectType: secret\n";
const TOKENS: &str =
    r#"{"api://AzureADTokenExchange":{"token":"canary","expirationTimestamp":"2030-01-01T00:00:00Z"}}"#;

fn mount(changes: &[(&str, Option<&str>)]) -> Result<MountSpec, ParametersError> {
    mount_with(changes, "null")
}

fn mount_with(changes: &[(&str, Option<&str>)], secrets: &str) -> Result<MountSpec, ParametersError> {
    let mut attributes = BTreeMap::from([
        ("csi.storage.k8s.io/pod.name", "web-0"),
        ("csi.storage.k8s.io/pod.namespace", "shop"),
        ("csi.storage.k8s.io/serviceAccount.tokens", TOKENS),
        ("keyvaultName", "lab"),
        ("tenantId", "11111111-2222-3333-4444-555555555555"),
        ("clientID", "cccccccc-0000-0000-0000-000000000002"),
        ("objects", ONE_SECRET),
    ]);
    for (key, value) in changes {
        match value {
            Some(value) => attributes.insert(key, value),
            None => attributes.remove(key),
        };
    }
    let attributes = serde_json::to_string(&attributes).unwrap();
    parse(MountTexts { attributes: &attributes, secrets, permission: "420" })
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T, ParametersError>, fault: Fault, mentions: &[&str]) {
    let error = result.expect_err("should be refused");
    let message = error.to_string();
    assert_eq!(error.fault(), fault, "{message}");
    for mention in mentions {
        assert!(message.contains(mention), "{message:?} does not mention {mention:?}");
    }
    assert!(!message.contains("canary"), "{message}");
    assert!(!message.contains('\n'), "{message}");
}

#[test]
fn the_newer_spelling_of_the_tenant_wins() {
    for (newer, expected) in [("newer", "newer"), ("  ", "older")] {
        let spec = mount(&[("tenantID", Some(newer)), ("tenantId", Some("older"))]).unwrap();
        assert_eq!(spec.identity.tenant().unwrap().as_ref().unwrap().as_str(), expected);
    }
}

#[test]
fn a_parameter_that_is_wrong_is_named() {
    for (key, value, mentions) in [
        ("csi.storage.k8s.io/pod.name", None, &["pod name"][..]),
        ("csi.storage.k8s.io/pod.namespace", Some(" "), &["pod namespace"]),
        ("keyvaultName", None, &["keyvaultName", "not set"]),
        ("keyvaultName", Some("https://lab.vault.azure.net"), &["keyvaultName", "name alone"]),
        ("tenantId", Some("a/b"), &["tenantId", "a/b"]),
        ("cloudName", Some("MoonCloud"), &["cloudName", "MoonCloud"]),
        ("useVMManagedIdentity", Some("yes"), &["useVMManagedIdentity", "yes"]),
        ("usePodIdentity", Some("tRuE"), &["usePodIdentity"]),
        ("clientID", Some("a b"), &["clientID"]),
        ("objects", None, &["objects"]),
        ("objects", Some("  "), &["objects"]),
        ("objects", Some("array: []"), &["objects", "no object"]),
        ("objects", Some("array:"), &["objects", "no object"]),
        ("objects", Some("array: text"), &["objects", "list of objects under \"array\""]),
        ("objects", Some("list: [a]"), &["objects"]),
        ("objects", Some("array: ["), &["objects", "YAML"]),
        ("objects", Some("just text"), &["objects"]),
        ("objects", Some("array:\n- 5"), &["objects"]),
    ] {
        assert_refused(mount(&[(key, value)]), Fault::Request, mentions);
    }
}

#[test]
fn texts_that_are_not_json_are_refused_without_being_quoted() {
    let texts = |attributes, secrets, permission| parse(MountTexts { attributes, secrets, permission });
    assert_refused(texts("{canary", "null", "420"), Fault::Request, &["attributes", "JSON"]);
    assert_refused(texts(r#"{"a":{"canary":1}}"#, "null", "420"), Fault::Request, &["attributes"]);
    assert_refused(
        texts("null", "null", "420"),
        Fault::Request,
        &["pod name", "keyvaultName", "nodePublishSecretRef", "objects"],
    );
    assert_refused(texts("{}", r#"{"clientsecret":"canary""#, "420"), Fault::Request, &["secrets"]);
    assert_refused(texts("{}", "", "420"), Fault::Request, &["secrets"]);
    for permission in ["", "rw-r--r--", "\"420\"", "-1", "4.5", "512", "null"] {
        assert_refused(texts("{}", "null", permission), Fault::Request, &["permission"]);
    }
}

#[test]
fn clouds_are_named_or_described_by_a_file() {
    let cloud = |changes: &[(&str, Option<&str>)]| mount(changes).unwrap().cloud;
    assert_eq!(cloud(&[("cloudName", Some(" azurechinacloud "))]), CloudChoice::Named(CloudName::China));
    assert_eq!(
        cloud(&[
            ("cloudName", Some("AzureStackCloud")),
            ("cloudEnvFileName", Some("/etc/kubernetes/cloud.json"))
        ]),
        CloudChoice::File(Some("/etc/kubernetes/cloud.json".into()))
    );
    assert_eq!(cloud(&[("cloudName", Some("AzureStackCloud"))]), CloudChoice::File(None));
    // Compat: without AzureStackCloud the file is ignored.
    assert_eq!(cloud(&[("cloudEnvFileName", Some("/nonexistent"))]), CloudChoice::Default);
}

#[test]
fn every_mistake_is_reported_at_once_in_order() {
    let error = mount(&[
        ("keyvaultName", Some("a_b")),
        ("cloudName", Some("MoonCloud")),
        ("csi.storage.k8s.io/serviceAccount.tokens", None),
        ("objects", Some("array:\n- |\n  objectName: x\n  objectType: password\n- |\n  objectName: y\n  objectType: key\n  objectAlias: ../b\n  objectEncoding: hex\n")),
    ])
    .unwrap_err();
    let fields: Vec<&str> = error.problems().iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "keyvaultName",
            "cloudName",
            "csi.storage.k8s.io/serviceAccount.tokens",
            "objects[0].objectType (x)",
            "objects[1].objectAlias (y)",
            "objects[1].objectEncoding (y)",
        ]
    );
    assert_eq!(error.fault(), Fault::Request);
    assert!(error.to_string().contains("6 problems"), "{error}");
}
