//! `validate` as a process.

use serde_json::Value;

use super::{run, run_reading, stderr, stdout};

const WRONG: &str = "\
apiVersion: v1
kind: List
items:
- apiVersion: secrets-store.csi.x-k8s.io/v1
  kind: SecretProviderClass
  metadata: {name: web, namespace: shop}
  spec:
    provider: azure
    secretObjects:
    - secretName: web
      type: Opaque
      data: [{objectName: on, key: a}]
    parameters:
      keyvaultName: lab
      clientId: cccccccc-0000-0000-0000-000000000002
      tenantID: 11111111-2222-3333-4444-555555555555
      objects: |
        array:
        - |
          objectName: one
          objectType: secrt
- apiVersion: secrets-store.csi.x-k8s.io/v1
  kind: SecretProviderClass
  metadata: {name: other}
  spec: {provider: vault, parameters: {roleName: x}}
";

fn file(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("classes.yaml");
    std::fs::write(&path, text).unwrap();
    let name = path.display().to_string();
    (dir, name)
}

#[tokio::test]
async fn mistakes_are_reported_at_their_line_and_column() {
    let (_dir, path) = file(WRONG);
    let output = run(&["validate", &path]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let lines: Vec<&str> = stdout(&output).lines().collect();
    assert_eq!(
        lines,
        [
            format!(
                "{path}:15:7: warning: shop/web: clientId: is unknown, and has no effect; did you mean clientID? [unknown-parameter]"
            ),
            format!(
                "{path}:21:23: error: shop/web: objects[0].objectType (one): \"secrt\" is unknown; use secret, key or cert [AKV-BadParameters]"
            ),
        ]
    );
    assert_eq!(stderr(&output), "1 class: 1 error, 1 warning\n");
}

#[tokio::test]
async fn warnings_fail_only_where_they_are_asked_to() {
    let (_dir, path) = file(&WRONG.replace("secrt", "secret"));
    for (arguments, code) in [(vec!["validate", &path], 0), (vec!["validate", "--strict", &path], 1)] {
        let output = run(&arguments).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(
            stdout(&output).contains(":12:27: warning: shop/web: secretObjects[0].data[0].objectName"),
            "{output:?}"
        );
        assert!(stdout(&output).contains("did you mean one? [no-such-file]"), "{output:?}");
    }
}

#[tokio::test]
async fn json_and_sarif_have_the_same_findings() {
    let (_dir, path) = file(WRONG);
    let json: Value =
        serde_json::from_str(stdout(&run(&["validate", "--format=json", &path]).await)).unwrap();
    let sarif: Value =
        serde_json::from_str(stdout(&run(&["validate", "--format=sarif", &path]).await)).unwrap();
    let findings = json.as_array().unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!((findings.len(), results.len()), (2, 2));
    for (finding, result) in findings.iter().zip(results) {
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert_eq!((&finding["line"], &finding["column"]), (&region["startLine"], &region["startColumn"]));
        assert_eq!(finding["code"], result["ruleId"]);
        let message = format!("shop/web: {}: {}", text(&finding["path"]), text(&finding["message"]));
        assert_eq!(result["message"]["text"], message.as_str());
        assert_eq!((&finding["namespace"], &finding["class"]), (&"shop".into(), &"web".into()));
        let rule =
            &sarif["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The first line of a class.
const GOOD_VERSION: &str = "apiVersion: secrets-store.csi.x-k8s.io/v1\n";

/// The other lines of a class without mistakes.
const REST: &str = "\
kind: SecretProviderClass
metadata: {name: web}
spec:
  provider: azure
  parameters:
    keyvaultName: lab
    clientID: cccccccc-0000-0000-0000-000000000002
    tenantID: 11111111-2222-3333-4444-555555555555
    objects: |
      array: [{objectName: one, objectType: secret}]
";

#[tokio::test]
async fn a_kubectl_that_failed_is_not_reported_as_green() {
    for (input, findings) in [
        ("", 0),
        ("Error from server (Forbidden)\n", 0),
        (
            "Error from server (Forbidden): secretproviderclasses.secrets-store.csi.x-k8s.io is forbidden: no\n",
            1,
        ),
        ("apiVersion: v1\nkind: List\nitems: []\n", 0),
        ("{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": []}\n", 0),
    ] {
        let output = run_reading(&["validate", "-"], input).await;
        assert_eq!(output.status.code(), Some(2), "{input:?}: {output:?}");
        assert_eq!(stdout(&output).lines().count(), findings, "{input:?}: {output:?}");
        let line = "akv-provider: nothing was checked: no SecretProviderClass of provider azure in <stdin>; ";
        assert!(stderr(&output).starts_with(line), "{input:?}: {output:?}");
        assert_eq!(stderr(&output).lines().count(), 1, "{input:?}: {output:?}");

        let output = run_reading(&["validate", "--format=json", "-"], input).await;
        assert_eq!(output.status.code(), Some(2), "{input:?}: {output:?}");
        let json: Value = serde_json::from_str(stdout(&output)).unwrap();
        assert_eq!(json.as_array().unwrap().len(), findings, "{input:?}");
        let output = run_reading(&["validate", "--format=sarif", "-"], input).await;
        assert_eq!(output.status.code(), Some(2), "{input:?}: {output:?}");
        let sarif: Value = serde_json::from_str(stdout(&output)).unwrap();
        assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), findings, "{input:?}");
    }
}

#[tokio::test]
async fn files_without_a_class_of_the_provider_are_not_reported_as_green() {
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().display().to_string();
    let (_dir, other) = file("kind: ConfigMap\n");
    let (_dir_of_group, group) =
        file("apiVersion: x/v1\nkind: SecretProviderClass\nmetadata: {name: web}\nspec: {provider: vault}\n");
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/examples");
    for (arguments, action) in [
        (&["validate", &empty][..], "directories are searched for *.yaml and *.yml"),
        (
            &["validate", &other],
            "a class has apiVersion secrets-store.csi.x-k8s.io/v1 and kind SecretProviderClass",
        ),
        (
            &["validate", &group],
            "a class has apiVersion secrets-store.csi.x-k8s.io/v1 and kind SecretProviderClass",
        ),
        (
            &["validate", "--provider-name=akv", examples, &group],
            "--provider-name selects another provider: azure",
        ),
    ] {
        let output = run(arguments).await;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stdout(&output).is_empty(), "{output:?}");
        assert_eq!(stderr(&output).lines().count(), 1, "{output:?}");
        assert!(stderr(&output).starts_with("akv-provider: nothing was checked: "), "{output:?}");
        assert!(stderr(&output).ends_with(&format!("; {action}\n")), "no {action}: {output:?}");
    }
    // One class in all inputs together is enough.
    let output = run(&["validate", &empty, &other, &format!("{examples}/secret.yaml")]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stderr(&output), "1 class: 0 errors, 0 warnings\n");
}

#[tokio::test]
async fn a_misspelt_provider_or_group_does_not_hide_a_class() {
    let good = format!("{GOOD_VERSION}{REST}");
    let group = good.replace("secrets-store", "secret-store");
    let cases = [
        (
            good.replace("provider: azure", "provider: Azure"),
            ":5:13: warning: web: spec.provider: \"Azure\" is not azure, so the class was not checked; use azure \
             [unknown-provider]\n",
        ),
        (
            good.replace("  provider: azure\n", ""),
            ":1:1: warning: web: spec.provider: is not set, so the class was not checked; use azure [unknown-provider]\n",
        ),
        (
            group,
            ":1:13: warning: web: apiVersion: \"secret-store.csi.x-k8s.io/v1\" is not a version of \
             secrets-store.csi.x-k8s.io, so the class was not checked; use secrets-store.csi.x-k8s.io/v1 \
             [unknown-group]\n",
        ),
    ];
    for (class, warning) in cases {
        let (_dir, path) = file(&class);
        let output = run(&["validate", &path]).await;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(stdout(&output), format!("{path}{warning}"));
        assert!(stderr(&output).ends_with("; the findings name the reason\n"), "{output:?}");

        // Beside a class that is checked, it is a warning.
        let (_dir, path) = file(&format!("{class}---\n{good}"));
        for (arguments, code) in [(vec!["validate", &path], 0), (vec!["validate", "--strict", &path], 1)] {
            let output = run(&arguments).await;
            assert_eq!(output.status.code(), Some(code), "{output:?}");
            assert_eq!(stdout(&output), format!("{path}{warning}"));
            assert_eq!(stderr(&output), "1 class: 0 errors, 1 warning\n");
        }
    }
}

#[tokio::test]
async fn mistakes_in_a_clusters_classes_are_reported_with_namespace_and_name() {
    let item = |namespace: &str, objects: &str| {
        format!(
            "- {GOOD_VERSION}  kind: SecretProviderClass\n  metadata: {{name: db, namespace: {namespace}}}\n  spec:\n    \
             provider: azure\n    parameters: {{keyvaultName: lab, useVMManagedIdentity: 'true', objects: '{objects}'}}\n"
        )
    };
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n{}{}",
        item("blue", "[{objectName: one, objectType: secrt}]"),
        item("green", "[{objectName: one, objectType: secret, objectAlais: two}]")
    );
    let output = run_reading(&["validate", "-"], &list).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let lines: Vec<&str> = stdout(&output).lines().collect();
    let [blue, green] = lines[..] else { panic!("{output:?}") };
    assert!(blue.contains(": error: blue/db: objects[0].objectType (one): "), "{blue}");
    assert!(green.contains(": warning: green/db: objects[0].objectAlais (one): "), "{green}");

    let output = run_reading(&["validate", "--format=json", "-"], &list).await;
    let json: Value = serde_json::from_str(stdout(&output)).unwrap();
    let named = |index: usize| (text(&json[index]["namespace"]), text(&json[index]["class"]));
    assert_eq!((named(0), named(1)), (("blue", "db"), ("green", "db")));
}

#[tokio::test]
async fn an_unquoted_value_hides_no_other_mistake() {
    let class = format!("{GOOD_VERSION}{REST}");
    let unquoted = "clientID: cccccccc-0000-0000-0000-000000000002";
    let wrong = class
        .replace(unquoted, "useVMManagedIdentity: true")
        .replace("keyvaultName: lab", "keyvaultName: no_vault")
        .replace("objectType: secret", "objectType: secrt");
    // Without the | behind objects, which makes the lines below it a text.
    let list = class.replace("objects: |\n", "objects:\n").replace("objectType: secret", "objectType: secrt");
    for (class, expected) in [
        (
            wrong,
            &[
                ":7:5: error: web: keyvaultName: invalid vault name",
                ":8:27: error: web: useVMManagedIdentity: is not a text, so the API server refuses the class; put it in \
                 quotes [not-text]",
                ":11:45: error: web: objects[0].objectType (one): \"secrt\" is unknown",
            ][..],
        ),
        (
            list,
            &[
                ":11:7: error: web: objects: is not a text, so the API server refuses the class; write its YAML as a text",
                ":11:45: error: web: objects[0].objectType (one): \"secrt\" is unknown",
            ],
        ),
    ] {
        let (_dir, path) = file(&class);
        let output = run(&["validate", &path]).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let lines: Vec<&str> = stdout(&output).lines().collect();
        assert_eq!(lines.len(), expected.len(), "{output:?}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(&format!("{path}{expected}")), "no {expected} in {line}");
        }
    }
    // Nothing else is wrong: the value alone is reported, and what a reviewer would ask about.
    let synced = "  secretObjects: [{secretName: s, data: [{objectName: on, key: a}]}]\n";
    let (_dir, path) = file(&(class.replace(unquoted, "useVMManagedIdentity: true") + synced));
    let output = run(&["validate", &path]).await;
    assert!(stdout(&output).contains("[not-text]"), "{output:?}");
    assert!(stdout(&output).contains("did you mean one? [no-such-file]"), "{output:?}");
    assert_eq!(stderr(&output), "1 class: 1 error, 1 warning\n");
}

#[tokio::test]
async fn a_parameter_that_is_null_counts_as_absent() {
    let class = format!("{GOOD_VERSION}{REST}");
    let tenant = "tenantID: 11111111-2222-3333-4444-555555555555";
    // As an empty value of a Helm chart leaves it.
    let (_dir, path) = file(&class.replace(tenant, "tenantID:\n    cloudName: null\n    unheardOf: ~"));
    let output = run(&["validate", "--strict", &path]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stderr(&output), "1 class: 0 errors, 0 warnings\n");

    let (_dir, path) = file(&class.replace("keyvaultName: lab", "keyvaultName:"));
    let output = run(&["validate", &path]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        stdout(&output).starts_with(&format!("{path}:6:3: error: web: keyvaultName: is not set")),
        "{output:?}"
    );
    assert_eq!(stdout(&output).lines().count(), 1, "{output:?}");
}

#[tokio::test]
async fn a_client_id_that_begins_like_a_number_is_a_text() {
    let class = format!("{GOOD_VERSION}{REST}");
    for id in ["0b1c2d3e-0000-4000-8000-000000000002", "0x1c2d3e-0000-4000-8000-000000000002"] {
        let class =
            class.replace("clientID: cccccccc-0000-0000-0000-000000000002", &format!("clientID: {id}"));
        let (_dir, path) = file(&class);
        let output = run(&["validate", &path]).await;
        assert!(!stdout(&output).contains("[not-text]"), "{output:?}");
    }
    let (_dir, path) = file(&class.replace("keyvaultName: lab", "keyvaultName: 1_000"));
    let output = run(&["validate", &path]).await;
    assert!(stdout(&output).contains("keyvaultName: is not a text"), "{output:?}");
}

#[tokio::test]
async fn parameters_of_a_merge_key_belong_to_the_class() {
    let class = "\
common: &common
  keyvaultName: lab
  clientID: cccccccc-0000-0000-0000-000000000002
  clouName: AzureCloud
  objects: '[{objectName: one, objectType: secrt}]'
kind: SecretProviderClass
metadata: {name: web}
spec:
  provider: azure
  parameters:
    <<: *common
";
    let class = format!("{GOOD_VERSION}{class}");
    let (_dir, path) = file(&class);
    let output = run(&["validate", &path]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let lines: Vec<&str> = stdout(&output).lines().collect();
    let [warning, error] = lines[..] else { panic!("{output:?}") };
    assert!(warning.starts_with(&format!("{path}:5:3: warning: web: clouName: is unknown")), "{warning}");
    assert!(error.starts_with(&format!("{path}:6:44: error: web: objects[0].objectType (one): ")), "{error}");

    let own = "\n    clouName:\n    objects: '[{objectName: one, objectType: secret}]'\n";
    let (_dir, path) = file(&class.replace("*common\n", &format!("*common{own}")));
    let output = run(&["validate", "--strict", &path]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test]
async fn all_examples_are_without_errors() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/examples");
    let output = run(&["validate", examples]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let warnings: Vec<&str> = stdout(&output).lines().collect();
    assert!(warnings.iter().all(|line| line.contains("[deprecated-identity]")), "{output:?}");
}

#[tokio::test]
async fn unreadable_inputs_end_with_one_sentence_and_exit_code_2() {
    let (dir, path) = file("x");
    std::fs::write(dir.path().join("binary.yaml"), [0, 159, 146, 150]).unwrap();
    let binary = dir.path().join("binary.yaml").display().to_string();
    for (arguments, message) in [
        (
            vec!["validate", "/no/such/file"],
            "akv-provider: cannot read /no/such/file: No such file or directory",
        ),
        (vec!["validate", &binary], "it is not UTF-8 text"),
        (vec!["validate", "--interval=often", &path], "--interval is not a duration such as 5s or 1m30s"),
        (vec!["validate", "--interval=0s", "--pods=3", &path], "--interval must not be zero"),
    ] {
        let output = run(&arguments).await;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stdout(&output).is_empty(), "{output:?}");
        assert_eq!(stderr(&output).lines().count(), 1, "{output:?}");
        assert!(stderr(&output).contains(message), "{message}: {output:?}");
    }
}

#[tokio::test]
async fn a_hundred_thousand_documents_are_read_one_after_the_other() {
    let others = "kind: ConfigMap\n---\n".repeat(100_000);
    let (_dir, path) = file(&format!("{others}{GOOD_VERSION}{REST}"));
    let output = run(&["validate", &path]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stderr(&output), "1 class: 0 errors, 0 warnings\n");
}
