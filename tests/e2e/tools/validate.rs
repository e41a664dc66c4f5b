//! `validate` as a process.

use serde_json::Value;

use super::{run, stderr, stdout};

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
                "{path}:15:7: warning: clientId: is unknown, and has no effect; did you mean clientID? [unknown-parameter]"
            ),
            format!(
                "{path}:21:23: error: objects[0].objectType (one): \"secrt\" is unknown; use secret, key or cert [AKV-BadParameters]"
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
            stdout(&output).contains(":12:27: warning: secretObjects[0].data[0].objectName"),
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
        let rule =
            &sarif["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
    }
    assert_eq!(findings[1]["class"], "web");
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
    let (_dir, path) = file(&"kind: ConfigMap\n---\n".repeat(100_000));
    let output = run(&["validate", &path]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stderr(&output), "0 classes: 0 errors, 0 warnings\n");
}
