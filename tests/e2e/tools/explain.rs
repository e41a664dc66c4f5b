//! `explain` as a process.

use super::{run, stderr, stdout};

#[tokio::test]
async fn a_class_is_explained_with_files_roles_and_calls() {
    let class = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/examples/workload-identity.yaml");
    let output = run(&["explain", class, "--pods=10"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for mention in [
        "SecretProviderClass workload-identity in namespace default",
        "secret/db-password  the newest version",
        "from vault demo",
        "workload identity cccccccc-0000-0000-0000-000000000002",
        "subject system:serviceaccount:default:<the pod's service account>",
        "web.pem          0440  of secret/web",
        "az role assignment create --role \"Key Vault Secrets User\" --assignee \"cccccccc-0000-0000-0000-000000000002\"",
        "az role assignment create --role \"Key Vault Crypto User\"",
        "at most 5 requests to Key Vault, and one for a token",
        "rotation of 10 pods every 120s: at most 36000 requests a day",
    ] {
        assert!(stdout(&output).contains(mention), "no {mention} in {}", stdout(&output));
    }
}

#[tokio::test]
async fn a_find_is_explained_with_its_conditions_its_list_and_its_role() {
    let class = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/examples/find.yaml");
    let output = run(&["explain", class]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for line in [
        "  secret/*  the newest version of each that is found: name shop-*\n",
        "  shop/…  0440  of secret/*; may be absent\n",
        "--role \"Key Vault Secrets User\"",
        "  find lists its vault: these roles can; an access policy needs list beside get\n",
        "  each find adds a request for each 25 objects that its vault lists, which finds share,\n  and one for each object \
         found: at most 250 of the class\n",
    ] {
        assert!(stdout(&output).contains(line), "no {line} in {}", stdout(&output));
    }
}

#[tokio::test]
async fn every_example_can_be_explained() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/examples");
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path().display().to_string();
        let output = run(&["explain", &path]).await;
        assert_eq!(output.status.code(), Some(0), "{path}: {output:?}");
    }
}

#[tokio::test]
async fn a_class_with_mistakes_is_not_explained() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("class.yaml");
    let class = "apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {name: web}\n\
                 spec: {provider: azure, parameters: {keyvaultName: no_vault, objects: x}}\n";
    std::fs::write(&path, class).unwrap();
    let path = path.display().to_string();
    let output = run(&["explain", &path]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout(&output).contains("error: keyvaultName: invalid vault name"), "{output:?}");
    let output = run(&["explain", &path, "--provider-name=other"]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).ends_with("has no SecretProviderClass of provider other\n"), "{output:?}");
}
