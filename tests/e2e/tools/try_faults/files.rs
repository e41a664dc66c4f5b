//! Failures of the class before anything is asked, and of the files after everything was read.

use super::{
    super::{class_and_token, run_with},
    run_of,
};
use crate::{harness::Azure, tools::stdout};

#[tokio::test]
async fn wrong_parameters_fail_the_class_before_anything_is_asked() {
    let azure = Azure::with_secrets(&[("one", "x")]).await;
    let dir = tempfile::tempdir().unwrap();
    let (class, token) = class_and_token(&azure, dir.path(), &["one"]);
    let text = std::fs::read_to_string(&class).unwrap();
    std::fs::write(&class, text.replace("objectType: secret", "objectType: secrt")).unwrap();
    let output = run_with(&azure, dir.path(), &["try", "-f", &class, "--token-file", &token]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout(&output).contains("failed phase: class\n"), "{output:?}");
    assert!(stdout(&output).lines().last().unwrap().starts_with("[AKV-BadParameters] "), "{output:?}");
    assert_eq!(azure.journal().total(), 0);
}

#[tokio::test]
async fn a_secret_that_cannot_be_converted_fails_the_files() {
    let azure = Azure::with_secrets(&[("one", "not base64!")]).await;
    let dir = tempfile::tempdir().unwrap();
    let (class, token) = class_and_token(&azure, dir.path(), &["one"]);
    let text = std::fs::read_to_string(&class).unwrap();
    let encoded =
        text.replace("objectType: secret\n", "objectType: secret\n          objectEncoding: base64\n");
    std::fs::write(&class, encoded).unwrap();
    let output = run_with(&azure, dir.path(), &["try", "-f", &class, "--token-file", &token]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout(&output).contains("failed phase: files\n"), "{output:?}");
    assert!(stdout(&output).contains("  secret/one  200  "), "{output:?}");
}

#[tokio::test]
async fn a_volume_that_the_driver_would_not_take_fails_the_files() {
    let names: Vec<String> = (0..4).map(|index| format!("large-{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let large = "x".repeat(20_000);
    let secrets: Vec<(&str, &str)> = names.iter().map(|name| (*name, &large[..])).collect();
    let azure = Azure::with_secrets(&secrets).await;
    let dir = tempfile::tempdir().unwrap();
    let way = (&azure.proxy_url()[..], azure.ca_pem());
    let flags = ["--max-call-recv-msg-size=65536"];
    let output = run_of(&azure, dir.path(), &names, |class| class, way, &flags).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout(&output).contains("failed phase: files\n"), "{output:?}");
    assert!(stdout(&output).lines().last().unwrap().starts_with("[AKV-TooLarge] "), "{output:?}");
}
