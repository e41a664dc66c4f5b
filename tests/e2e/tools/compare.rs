//! `compare` as a process, beside a provider that runs.

use serde_json::{Value, json};

use crate::{harness::Azure, process::Process};

use super::{class_and_token, run, run_with, stderr, stdout};

#[tokio::test]
async fn two_providers_with_the_same_files_are_the_same() {
    let azure = Azure::with_secrets(&[("one", "canary-1"), ("two", "canary-2")]).await;
    let other = Process::start(&azure, &[("HTTPS_PROXY", &azure.proxy_url())]).await;
    let (class, token) = class_and_token(&azure, other.dir.path(), &["one", "two"]);
    let with = format!("--with=unix://{}", other.socket().display());
    let output =
        run_with(&azure, other.dir.path(), &["compare", "-f", &class, "--token-file", &token, &with]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout(&output).contains("= one         0644  8 bytes"), "{output:?}");
    assert!(stdout(&output).ends_with("the same: 2 files\n"), "{output:?}");
    assert!(!stdout(&output).contains("canary"), "{output:?}");
}

#[tokio::test]
async fn files_that_differ_are_named_and_not_shown() {
    let pem = format!("{}/tests/data/pkcs12/p256.pem", env!("CARGO_MANIFEST_DIR"));
    let pem = std::fs::read_to_string(pem).unwrap();
    let secret = |body: Value| json!([{ "version": "1", "created": 1_700_000_000, "body": body }]);
    let web = json!({ "value": pem, "contentType": "application/x-pem-file", "kid": "https://lab.vault.azure.net/keys/web/1" });
    let vaults = json!({ "lab": { "secrets": { "one": secret(json!({ "value": "canary-1" })), "web": secret(web) } } });
    let azure = Azure::with_vaults(serde_json::from_value(vaults).unwrap()).await;
    let flags = ["--write-cert-and-key-in-separate-files=true"];
    let other = Process::start_with(&azure, &flags).await;
    let (class, token) = class_and_token(&azure, other.dir.path(), &["one", "web"]);
    let with = format!("--with=unix://{}", other.socket().display());
    let arguments = ["compare", "-f", &class, "--token-file", &token, &with, "--format=json"];
    let output = run_with(&azure, other.dir.path(), &arguments).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let result: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(result["same"], false);
    assert_eq!(result["files"]["one"]["here"], result["files"]["one"]["there"]);
    assert!(result["files"]["web.key"]["here"].is_null() && result["files"]["web.key"]["there"].is_object());
    assert!(!stdout(&output).contains("canary"), "{output:?}");

    // With the same flags, both write the same files.
    let arguments = [&arguments[..6], &["--"], &flags[..]].concat();
    let output = run_with(&azure, other.dir.path(), &arguments).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test]
async fn failures_of_both_are_shown_with_their_messages() {
    let azure = Azure::with_secrets(&[]).await;
    let other = Process::start(&azure, &[("HTTPS_PROXY", &azure.proxy_url())]).await;
    let (class, token) = class_and_token(&azure, other.dir.path(), &["nope"]);
    let with = format!("--with=unix://{}", other.socket().display());
    let output =
        run_with(&azure, other.dir.path(), &["compare", "-f", &class, "--token-file", &token, &with]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(stdout(&output).matches("[AKV-NotFound]").count(), 2, "{output:?}");
    assert!(stdout(&output).contains("both providers fail"), "{output:?}");
}

#[tokio::test]
async fn the_help_shows_a_socket_that_a_node_has() {
    let help = run(&["compare", "--help"]).await;
    assert!(stdout(&help).contains("unix:///var/run/secrets-store-csi-providers/azure.sock"), "{help:?}");
    assert!(!stdout(&help).contains("unix:///provider/"), "{help:?}");
}

#[tokio::test]
async fn a_socket_where_nobody_listens_ends_with_one_sentence() {
    let azure = Azure::with_secrets(&[("one", "x")]).await;
    let dir = tempfile::tempdir().unwrap();
    let (class, token) = class_and_token(&azure, dir.path(), &["one"]);
    for (with, message) in [
        ("unix:///no/such/socket", "no provider answers at unix:///no/such/socket"),
        ("azure.sock", "--with: invalid endpoint"),
    ] {
        let output =
            run_with(&azure, dir.path(), &["compare", "-f", &class, "--token-file", &token, "--with", with])
                .await;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(stderr(&output).lines().count(), 1, "{output:?}");
        assert!(stderr(&output).contains(message), "{output:?}");
    }
    assert_eq!(azure.journal().total(), 0, "nothing is asked of Azure");
}
