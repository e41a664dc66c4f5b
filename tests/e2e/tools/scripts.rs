//! Completions and manual pages.

use super::{run, run_unread, stderr, stdout};

#[tokio::test]
async fn completions_name_each_tool() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        for tool in ["validate", "try", "compare"] {
            assert!(stdout(&output).contains(tool), "{shell} lacks {tool}");
        }
    }
    assert_eq!(run(&["completions", "tcsh"]).await.status.code(), Some(2));
}

#[tokio::test]
async fn manual_pages_are_written_into_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man/man1");
    let output = run(&["man", &pages.display().to_string()]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let page = std::fs::read_to_string(pages.join("akv-provider-validate.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("\\-\\-strict"), "{page}");
    assert!(stdout(&output).contains("akv-provider.1"), "{output:?}");
}

#[tokio::test]
async fn the_help_of_tools_and_of_the_provider_name_each_other() {
    let provider = run(&["--help"]).await;
    assert!(stdout(&provider).contains("validate"), "{provider:?}");
    let tools = run(&["help"]).await;
    assert_eq!(tools.status.code(), Some(0), "{tools:?}");
    assert!(stdout(&tools).contains("akv-provider --help"), "{tools:?}");
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure_of_a_tool() {
    let dir = tempfile::tempdir().unwrap();
    let class = dir.path().join("class.yaml");
    let text = "apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {name: web}\n\
                spec: {provider: azure, parameters: {}}\n";
    std::fs::write(&class, text).unwrap();
    let class = class.display().to_string();
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["help"], 0),
        (&["schema"], 0),
        (&["completions", "bash"], 0),
        (&["validate", &class], 1),
    ] {
        let output = run_unread(arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(!stderr(&output).contains("pipe"), "{arguments:?}: {output:?}");
    }
}
