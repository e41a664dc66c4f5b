//! A SecretProviderClass at a time.

use std::collections::BTreeMap;

use crate::spec::{
    cloud::CloudName,
    identity::IdentityMode,
    object::VersionSelector,
    rendering::{Rendering, SecretEncoding, SecretFormat},
};

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

fn objects(yaml: &str) -> Result<Vec<crate::spec::object::ObjectSpec>, ParametersError> {
    mount(&[("objects", Some(yaml))]).map(|spec| spec.objects)
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
    assert_eq!(spec.objects[0].path.as_str(), "db-password");
    assert_eq!(spec.objects[0].mode, None);
}

#[test]
fn the_newer_spelling_of_the_tenant_wins() {
    let spec = mount(&[("tenantID", Some("newer")), ("tenantId", Some("older"))]).unwrap();
    assert_eq!(spec.tenant.as_str(), "newer");
    let spec = mount(&[("tenantID", Some("  ")), ("tenantId", Some("older"))]).unwrap();
    assert_eq!(spec.tenant.as_str(), "older");
}

#[test]
fn a_parameter_that_is_wrong_is_named() {
    for (key, value, mentions) in [
        ("csi.storage.k8s.io/pod.name", None, &["pod name"][..]),
        ("csi.storage.k8s.io/pod.namespace", Some(" "), &["pod namespace"]),
        ("keyvaultName", None, &["keyvaultName", "not set"]),
        ("keyvaultName", Some("https://lab.vault.azure.net"), &["keyvaultName", "name alone"]),
        ("tenantId", None, &["tenantId", "tenantID"]),
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
fn texts_that_are_no_json_are_refused_without_being_quoted() {
    let texts = |attributes, secrets, permission| parse(MountTexts { attributes, secrets, permission });
    assert_refused(texts("{canary", "null", "420"), Fault::Request, &["attributes", "JSON"]);
    assert_refused(texts(r#"{"a":{"canary":1}}"#, "null", "420"), Fault::Request, &["attributes"]);
    assert_refused(
        texts("null", "null", "420"),
        Fault::Request,
        &["pod name", "keyvaultName", "tenantId", "objects"],
    );
    assert_refused(texts("{}", r#"{"clientsecret":"canary""#, "420"), Fault::Request, &["secrets"]);
    assert_refused(texts("{}", "", "420"), Fault::Request, &["secrets"]);
    for permission in ["", "rw-r--r--", "\"420\"", "-1", "4.5", "512", "null"] {
        assert_refused(texts("{}", "null", permission), Fault::Request, &["permission"]);
    }
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
        name(&[("useVMManagedIdentity", Some("T")), ("userAssignedIdentityID", Some(" ua "))], "null"),
        "user-assigned managed identity ua"
    );
    assert_eq!(name(&[("usePodIdentity", Some("1"))], "null"), "pod identity");

    let spec = mount_with(&[("clientID", None)], principal).unwrap();
    assert!(
        matches!(spec.identity, IdentityMode::ServicePrincipal { secret, .. } if secret.expose() == " s3cr3t ")
    );
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
fn what_the_cluster_does_not_give_is_no_fault_of_the_request() {
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
fn tokens_that_kubelet_put_into_secrets_are_taken_first() {
    let secrets = serde_json::json!({
        "csi.storage.k8s.io/serviceAccount.tokens":
            r#"{"api://AzureADTokenExchange":{"token":"from kubelet"}}"#
    });
    let spec = mount_with(&[], &secrets.to_string()).unwrap();
    assert!(
        matches!(spec.identity, IdentityMode::WorkloadIdentity { assertion, .. } if assertion.expose() == "from kubelet")
    );
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
    // Compat: without AzureStackCloud the file is not looked at.
    assert_eq!(cloud(&[("cloudEnvFileName", Some("/nonexistent"))]), CloudChoice::Default);
}

#[test]
fn objects_are_written_in_many_ways() {
    for (label, yaml) in [
        ("text items", ONE_SECRET),
        ("maps", "array:\n  - objectName: db-password\n    objectType: secret\n"),
        ("a bare list", "- objectName: db-password\n  objectType: secret\n"),
        ("a bare list of texts", "- |\n  objectName: db-password\n  objectType: secret\n"),
        ("JSON items", "array:\n  - '{\"objectName\":\"db-password\",\"objectType\":\"secret\"}'\n"),
        ("JSON", r#"{"array":[{"objectName":"db-password","objectType":"secret"}]}"#),
        ("CRLF", "array:\r\n  - |\r\n    objectName: db-password\r\n    objectType: secret\r\n"),
        (
            "comments",
            "array: # the list\n  - |- # one\n    objectName: db-password # name\n    objectType: secret\n",
        ),
        (
            "nulls",
            "array:\n- |\n  objectName: db-password\n  objectType: secret\n  objectVersion:\n  objectAlias: ~\n",
        ),
        (
            "unknown fields",
            "other: 1\narray:\n- |\n  objectName: db-password\n  objectType: secret\n  colour: blue\n",
        ),
        (
            "spaces",
            "array:\n- |\n  objectName: '  db-password '\n  objectType: ' secret '\n  objectAlias: '  '\n",
        ),
        ("a document marker", "---\narray:\n- |\n  ---\n  objectName: db-password\n  objectType: secret\n"),
    ] {
        let objects = objects(yaml).unwrap_or_else(|error| panic!("{label}: {error}"));
        assert_eq!(objects, mount(&[]).unwrap().objects, "{label}");
    }
}

#[test]
fn scalars_of_any_kind_keep_their_text() {
    for item in [
        "array:\n- |\n  objectName: 12345\n  objectType: secret\n  objectVersion: 1e3\n  filePermission: 0600\n",
        "- objectName: 12345\n  objectType: secret\n  objectVersion: 1e3\n  filePermission: 0600\n",
    ] {
        let objects = objects(item).unwrap();
        assert_eq!(objects[0].name.as_str(), "12345");
        assert_eq!(objects[0].versions, VersionSelector::Pinned("1e3".parse().unwrap()));
        assert_eq!(objects[0].mode.unwrap().bits(), 0o600);
    }
}

#[test]
fn fields_of_an_object_are_understood() {
    let fields = |extra: &str| {
        objects(&format!("array:\n- |\n  objectName: a\n  objectType: secret\n  {extra}\n"))
            .unwrap()
            .remove(0)
    };
    let rendering = |format, encoding| Rendering::Secret { format, encoding };
    assert_eq!(fields("objectAlias: tls/server.pem").path.as_str(), "tls/server.pem");
    assert_eq!(fields("objectFormat: PFX").rendering, rendering(SecretFormat::Pfx, SecretEncoding::Utf8));
    assert_eq!(fields("objectEncoding: Hex").rendering, rendering(SecretFormat::Pem, SecretEncoding::Hex));
    assert_eq!(fields("filePermission: '0440'").mode.unwrap().bits(), 0o440);
    assert_eq!(fields("objectVersion: latest").versions, VersionSelector::Newest);
    assert_eq!(fields("objectVersion: Latest").versions, VersionSelector::Newest);
    assert_eq!(fields("objectVersionHistory: 1").versions, VersionSelector::Newest);
    assert_eq!(fields("objectVersionHistory: -3").versions, VersionSelector::Newest);
    assert_eq!(fields("objectVersionHistory: 2").versions, VersionSelector::History { from: None, depth: 2 });
    assert_eq!(
        fields(
            "{objectVersionHistory: 5, objectVersion: v1}"
                .trim_matches(['{', '}'])
                .replace(", ", "\n  ")
                .as_str()
        )
        .versions,
        VersionSelector::History { from: Some("v1".parse().unwrap()), depth: 5 }
    );
}

#[test]
fn a_field_that_is_wrong_is_named_with_its_object() {
    for (fields, mentions) in [
        ("objectType: secret", &["objects[0].objectName", "not set"][..]),
        ("objectName: api-key", &["objects[0].objectType", "api-key"]),
        (
            "objectName: api-key\n  objectType: password",
            &["objectType", "api-key", "\"password\" is unknown; use secret, key or cert"],
        ),
        ("objectName: my_key\n  objectType: secret", &["objectName", "my_key"]),
        ("objectName: a/b\n  objectType: secret\n  objectAlias: c", &["objectName", "a/b"]),
        (
            "objectName: api-key\n  objectType: secret\n  objectAlias: /etc/passwd",
            &["objectAlias", "api-key", "/etc/passwd"],
        ),
        (
            "objectName: api-key\n  objectType: secret\n  filePermission: rw",
            &["filePermission", "api-key", "octal"],
        ),
        ("objectName: api-key\n  objectType: secret\n  objectVersion: a/b", &["objectVersion", "api-key"]),
        (
            "objectName: api-key\n  objectType: secret\n  objectVersionHistory: many",
            &["objectVersionHistory", "many"],
        ),
        ("objectName: api-key\n  objectType: secret\n  objectFormat: der", &["objectFormat", "der", "pfx"]),
        (
            "objectName: api-key\n  objectType: secret\n  objectEncoding: utf-16",
            &["objectEncoding", "utf-16"],
        ),
        ("objectName: api-key\n  objectType: key\n  objectEncoding: hex", &["objectEncoding", "objectType"]),
        ("objectName: api-key\n  objectType: cert\n  objectFormat: PFX", &["objectFormat", "objectType"]),
        ("objectName: a\n  objectName: b\n  objectType: secret", &["objects[0]", "objectName", "duplicate"]),
        ("objectName: [a", &["objects[0]", "YAML"]),
        ("- a", &["objects[0]", "YAML"]),
        ("objectName: {a: b}", &["objects[0]"]),
    ] {
        assert_refused(objects(&format!("array:\n- |\n  {fields}\n")), Fault::Request, mentions);
    }
}

#[test]
fn two_objects_cannot_share_a_place() {
    let list = |entries: &[(&str, &str, u32)]| -> String {
        entries.iter().fold("array:\n".to_owned(), |yaml, (name, alias, history)| {
            yaml + &format!("- |\n  objectName: {name}\n  objectType: secret\n  objectAlias: {alias}\n  objectVersionHistory: {history}\n")
        })
    };
    for (entries, clash) in [
        (&[("a", "x", 0), ("b", "x", 0)][..], true),
        (&[("a", "x", 0), ("a", "x", 0)], false),
        (&[("a", "x", 0), ("a", "y", 0)], false),
        (&[("a", "x", 0), ("b", "x/y", 0)], true),
        (&[("b", "x/y/z", 0), ("a", "x", 0)], true),
        (&[("a", "x", 3), ("b", "x", 0)], true),
        (&[("a", "x", 3), ("b", "x/0", 0)], true),
        (&[("a", "x", 3), ("b", "x/0/y", 0)], true),
        (&[("a", "x", 3), ("b", "x/y", 0)], false),
        (&[("a", "x", 0), ("b", "xy", 0)], false),
        (&[("a", "d/x", 0), ("b", "d/y", 0)], false),
    ] {
        match objects(&list(entries)) {
            Ok(_) => assert!(!clash, "{entries:?}"),
            error => {
                assert!(clash, "{entries:?} {error:?}");
                assert_refused(error, Fault::Request, &["objects[", "objectAlias"]);
            }
        }
    }
}

#[test]
fn every_mistake_is_told_at_once_in_order() {
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

#[test]
fn hostile_yaml_is_refused_in_bounded_time() {
    let deep = format!("array: {}", "[".repeat(100_000));
    let bomb = format!(
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n{}array: *a9\n",
        (1..10)
            .map(|i| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(",")))
            .collect::<String>()
    );
    for yaml in [deep, bomb] {
        assert!(objects(&yaml).is_err());
    }
}
