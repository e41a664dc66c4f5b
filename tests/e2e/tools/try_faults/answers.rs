//! Answers of Key Vault and Entra that fail a mount.

use akv_emulator::{Fault, ObjectKind};
use futures::future::join_all;

use super::{
    super::{class_and_token, run_with},
    ENTRA, VAULT, assert_phase, entra, injected, probe, read, rows, run, run_of,
};
use crate::{harness::Azure, tools::stdout};

#[tokio::test]
async fn server_errors_and_throttling_name_the_request_that_got_them() {
    let status = |code| Fault::status(code);
    let fails = |code| [500, 502, 503, 504].map(|answer| (status(answer), code)).to_vec();
    let throttles = |code| vec![(Fault::throttled(120), code), (status(429), code)];
    tokio::join!(
        rows(entra, "token", ENTRA, fails("TokenSourceDown")),
        rows(entra, "token", ENTRA, throttles("TokenThrottled")),
        rows(probe, "challenge", VAULT, vec![(status(503), "VaultDown")]),
        rows(probe, "challenge", VAULT, throttles("Throttled")),
        rows(read, "read", VAULT, fails("VaultDown")),
        rows(read, "read", VAULT, throttles("Throttled")),
    );
}

#[tokio::test]
async fn broken_connections_name_the_request_that_they_broke() {
    let breaks = || {
        let cut = Fault::CutBody { after: 5 };
        [Fault::Drop, Fault::Reset, cut].map(|fault| (fault, "ConnectionLost")).to_vec()
    };
    tokio::join!(
        rows(entra, "token", ENTRA, breaks()),
        rows(probe, "challenge", VAULT, vec![(Fault::Drop, "ConnectionLost")]),
        rows(read, "read", VAULT, breaks()),
    );
}

#[tokio::test]
async fn silent_hosts_name_the_request_that_waits() {
    let silent = || [Fault::Hang, Fault::HangInBody].map(|fault| (fault, "NoAnswer")).to_vec();
    tokio::join!(
        rows(entra, "token", ENTRA, silent()),
        rows(probe, "challenge", VAULT, vec![(Fault::Hang, "NoAnswer")]),
        rows(read, "read", VAULT, silent()),
    );
}

#[tokio::test]
async fn answers_of_something_else_name_the_request_that_got_them() {
    let invalid = || Fault::InvalidBody { content_type: "application/json".to_owned(), body: "[]".into() };
    let page = |status| Fault::page(status, "<html><title>Blocked</title></html>");
    let others = || {
        vec![
            (invalid(), "UnexpectedAnswer"),
            (page(403), "ForbiddenByProxy"),
            (Fault::Redirect("https://elsewhere.example/".to_owned()), "UnexpectedAnswer"),
            (Fault::HugeBody(200_000_000), "UnexpectedAnswer"),
        ]
    };
    tokio::join!(rows(entra, "token", ENTRA, others()), rows(read, "read", VAULT, others()));
}

#[tokio::test]
async fn one_failure_among_twenty_objects_names_its_read() {
    let names: Vec<String> = (0..20).map(|index| format!("secret-{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let secrets: Vec<(&str, &str)> = names.iter().map(|name| (*name, "x")).collect();
    let one = read().matching(|head| head.path.starts_with("/secrets/secret-7/"));
    let rows = [
        (read(), Fault::status(503), "VaultDown", 0),
        (one.clone(), Fault::Hang, "NoAnswer", 19),
        (one, Fault::status(503), "VaultDown", 19),
    ];
    let rows = rows.into_iter().map(|(route, fault, code, read)| {
        let (secrets, names) = (&secrets, &names);
        async move {
            let azure = Azure::with_secrets(secrets).await;
            azure.faults().inject(route, fault);
            let dir = tempfile::tempdir().unwrap();
            let way = (&azure.proxy_url()[..], azure.ca_pem());
            let output = run_of(&azure, dir.path(), names, |class| class, way, &[]).await;
            assert_phase(&output, "read", VAULT, code);
            let answered = stdout(&output).lines().filter(|line| line.contains("  200  no version"));
            assert_eq!(answered.count(), read, "{output:?}");
        }
    });
    join_all(rows).await;
}

#[tokio::test]
async fn a_broken_list_of_versions_fails_the_read() {
    let lists = || read().path_suffix("/versions");
    let again = "https://lab.vault.azure.net/secrets/one/versions?x=y";
    let endless = Fault::InvalidBody {
        content_type: "application/json".to_owned(),
        body: format!(r#"{{"value":[],"nextLink":"{again}"}}"#).into(),
    };
    let rows = [(Fault::CutBody { after: 10 }, "ConnectionLost"), (endless, "UnexpectedAnswer")];
    let rows = rows.into_iter().map(|(fault, code)| async move {
        let azure = Azure::with_secrets(&[("one", "x")]).await;
        azure.faults().inject(lists(), fault);
        let dir = tempfile::tempdir().unwrap();
        let way = (&azure.proxy_url()[..], azure.ca_pem());
        let history = |class: String| {
            class.replace("objectType: secret\n", "objectType: secret\n          objectVersionHistory: 2\n")
        };
        let output = run_of(&azure, dir.path(), &["one"], history, way, &[]).await;
        assert_phase(&output, "read", VAULT, code);
        assert!(stdout(&output).contains("/secrets/one/versions"), "{output:?}");
    });
    join_all(rows).await;
}

#[tokio::test]
async fn a_token_that_the_vault_refuses_fails_the_read() {
    let other_resource = r#"Bearer resource="https://evil.example""#;
    let other_authority =
        r#"Bearer authorization="https://login.microsoftonline.us/t", resource="https://vault.azure.net""#;
    let challenge = |named: &str| (Fault::Challenge(named.to_owned()), "VaultRefusedToken");
    let faults = vec![
        (Fault::status(401), "VaultRefusedToken"),
        challenge(other_resource),
        challenge(other_authority),
    ];
    rows(read, "read", VAULT, faults).await;
}

#[tokio::test]
async fn a_challenge_for_another_resource_fails_the_challenge() {
    let named =
        r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://evil.example""#;
    for challenge in [named, "Basic realm=x"] {
        let output = injected(probe(), Fault::Challenge(challenge.to_owned())).await;
        assert_phase(&output, "challenge", VAULT, "UnexpectedAnswer");
    }
}

/// Returns the answer of a vault whose firewall does not allow the caller's address.
fn firewall() -> Fault {
    let error = serde_json::json!({
        "code": "Forbidden",
        "message": "Client address is not authorized",
        "innererror": { "code": "ForbiddenByFirewall" },
    });
    let body = serde_json::json!({ "error": error }).to_string();
    Fault::Status { code: 403, retry_after: None, body: Some(body) }
}

#[tokio::test]
async fn refusals_of_the_vault_fail_the_read() {
    let row = |change: fn(&Azure), code: &'static str| async move {
        let azure = Azure::with_secrets(&[("one", "x")]).await;
        change(&azure);
        let dir = tempfile::tempdir().unwrap();
        let output = run(&azure, dir.path(), &azure.proxy_url(), azure.ca_pem()).await;
        assert_phase(&output, "read", VAULT, code);
        assert!(stdout(&output).contains("oauth2/v2.0/token: 200 (token issued)"), "{output:?}");
    };
    tokio::join!(
        row(|azure| azure.directory().revoke_all("cccccccc-0000-0000-0000-000000000002"), "ForbiddenByRbac"),
        row(
            |azure| {
                azure.faults().inject(read(), firewall());
            },
            "ForbiddenByFirewall"
        ),
        row(|azure| azure.vaults().purge("lab", ObjectKind::Secret, "one"), "NotFound"),
        row(
            |azure| azure.vaults().set_enabled("lab", ObjectKind::Secret, "one", None, false).unwrap(),
            "ObjectDisabled"
        ),
    );
}

#[tokio::test]
async fn a_refusal_of_entra_fails_the_token() {
    let azure = Azure::with_secrets(&[("one", "x")]).await;
    let dir = tempfile::tempdir().unwrap();
    let (class, token) = class_and_token(&azure, dir.path(), &["one"]);
    let tokens: serde_json::Value =
        serde_json::from_str(&azure.service_account_tokens("default", "another")).unwrap();
    std::fs::write(&token, tokens["api://AzureADTokenExchange"]["token"].as_str().unwrap()).unwrap();
    let arguments = ["try", "-f", &class, "--token-file", &token];
    let output = run_with(&azure, dir.path(), &arguments).await;
    assert_phase(&output, "token", ENTRA, "NoFederatedCredential");
    for part in ["system:serviceaccount:default:another", ": 401 (token refused), "] {
        assert!(stdout(&output).contains(part), "no {part} in {output:?}");
    }
}
