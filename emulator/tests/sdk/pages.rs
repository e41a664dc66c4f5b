//! The pages at the proxy's own address.

use crate::harness::{emulator, secrets, workload};

#[tokio::test]
async fn an_operator_adds_a_version_of_a_secret() {
    let azure = emulator().await;
    let page = format!("{}/vaults/lab/secrets/db-password", azure.proxy_url());
    let answer = reqwest::Client::new().post(page).body("rotated").send().await.expect("it answers");
    assert_eq!(answer.status(), 200);
    let version = answer.text().await.expect("it has a body");
    let secret =
        secrets(&azure, workload(&azure)).get_secret("db-password", None).await.expect("it is there");
    let secret = secret.into_model().expect("it is a secret");
    assert_eq!(secret.value.as_deref(), Some("rotated"));
    assert!(secret.id.is_some_and(|id| id.ends_with(version.trim())), "{version}");
}

#[tokio::test]
async fn a_page_that_is_no_secret_of_a_vault_changes_nothing() {
    let azure = emulator().await;
    let client = reqwest::Client::new();
    for (path, body, status) in [
        ("/vaults/nope/secrets/x", "v".to_owned(), 404),
        ("/vaults/lab/secrets/", "v".to_owned(), 404),
        ("/vaults/lab/keys/k", "v".to_owned(), 400),
        ("/vaults/lab/secrets/x", "v".repeat(25_001), 413),
    ] {
        let url = format!("{}{path}", azure.proxy_url());
        let answer = client.post(url).body(body).send().await.expect("it answers");
        assert_eq!(answer.status(), status, "{path}");
    }
    assert_eq!(azure.vaults().names(), ["lab"]);
    secrets(&azure, workload(&azure)).get_secret("x", None).await.expect_err("it was not written");
}
