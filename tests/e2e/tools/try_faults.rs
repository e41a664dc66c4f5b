//! `try` names the phase that failed, for each fault of docs/faults.md that one mount can meet.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Output,
};

use akv_emulator::{Fault, ObjectKind, Route, Service};
use futures::future::join_all;
use tokio::process::Command;

use super::{class_and_token, stdout, try_mount::without_proxy};
use crate::harness::Azure;

/// A mount timeout whose parts are long enough for a busy machine: a silent host fails after three seconds.
const TIMEOUT: &str = "--mount-timeout=20s";

const ENTRA: &str = "login.microsoftonline.com";
const VAULT: &str = "lab.vault.azure.net";

/// Runs `try` for secret `one` through this proxy, with trust in this CA.
async fn run(azure: &Azure, dir: &Path, proxy: &str, ca: &str) -> Output {
    let (class, token) = class_and_token(azure, dir, &["one"]);
    let path = dir.join("ca.pem");
    std::fs::write(&path, ca).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_akv-provider"));
    command.args(["try", "-f", &class, "--token-file", &token, "--", TIMEOUT]);
    command.env_clear().env("SSL_CERT_FILE", path).env("HTTPS_PROXY", proxy).kill_on_drop(true);
    command.output().await.unwrap()
}

/// Asserts that the mount fails in this phase, with this code, and that the failed step is marked.
fn assert_phase(output: &Output, phase: &str, host: &str, code: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = stdout(output);
    assert!(text.contains(&format!("failed phase: {phase} of {host}")), "no {phase} of {host}: {text}");
    let message = text.lines().last().unwrap();
    assert!(message.starts_with(&format!("[AKV-{code}] ")), "no {code}: {text}");
    let marked = text.lines().any(|line| line.starts_with(&format!("! {phase} ")) && line.contains(host));
    assert!(marked || code == "UnexpectedAnswer" || code == "VaultRefusedToken", "no step is marked: {text}");
}

/// Runs a mount of an Azure with this fault in each request of the route.
async fn injected(route: Route, fault: Fault) -> Output {
    let azure = Azure::with_secrets(&[("one", "x")]).await;
    azure.faults().inject(route, fault);
    let dir = tempfile::tempdir().unwrap();
    run(&azure, dir.path(), &azure.proxy_url(), azure.ca_pem()).await
}

fn entra() -> Route {
    Route::token_endpoint()
}

fn probe() -> Route {
    Route::service(Service::Vault).credentials(false)
}

fn read() -> Route {
    Route::service(Service::Vault).credentials(true)
}

/// Asserts one row for each fault.
async fn rows(route: impl Fn() -> Route, phase: &str, host: &str, faults: Vec<(Fault, &str)>) {
    let rows = faults.into_iter().map(|(fault, code)| {
        let route = route();
        async move {
            let output = injected(route, fault).await;
            assert_phase(&output, phase, host, code);
        }
    });
    join_all(rows).await;
}

#[tokio::test]
async fn server_errors_and_throttling_name_who_answered() {
    let status = |code| Fault::status(code);
    tokio::join!(
        rows(
            entra,
            "token",
            ENTRA,
            vec![
                (status(500), "TokenSourceDown"),
                (status(503), "TokenSourceDown"),
                (Fault::throttled(120), "TokenThrottled"),
            ]
        ),
        rows(
            probe,
            "challenge",
            VAULT,
            vec![(status(503), "VaultDown"), (Fault::throttled(120), "Throttled")]
        ),
        rows(
            read,
            "read",
            VAULT,
            vec![
                (status(500), "VaultDown"),
                (status(504), "VaultDown"),
                (Fault::throttled(120), "Throttled"),
            ]
        ),
    );
}

#[tokio::test]
async fn broken_connections_name_the_request_that_they_broke() {
    let cut = || Fault::CutBody { after: 5 };
    tokio::join!(
        rows(
            entra,
            "token",
            ENTRA,
            vec![
                (Fault::Drop, "ConnectionLost"),
                (Fault::Reset, "ConnectionLost"),
                (cut(), "ConnectionLost"),
            ]
        ),
        rows(probe, "challenge", VAULT, vec![(Fault::Drop, "ConnectionLost")]),
        rows(read, "read", VAULT, vec![(Fault::Reset, "ConnectionLost"), (cut(), "ConnectionLost")]),
    );
}

#[tokio::test]
async fn silent_hosts_name_the_request_that_waits() {
    tokio::join!(
        rows(entra, "token", ENTRA, vec![(Fault::Hang, "NoAnswer")]),
        rows(probe, "challenge", VAULT, vec![(Fault::Hang, "NoAnswer")]),
        rows(read, "read", VAULT, vec![(Fault::Hang, "NoAnswer"), (Fault::HangInBody, "NoAnswer")]),
    );
}

#[tokio::test]
async fn answers_of_something_else_name_the_request_that_got_them() {
    let invalid = || Fault::InvalidBody { content_type: "application/json".to_owned(), body: "[]".into() };
    let page = || Fault::page(403, "<html><title>Blocked</title></html>");
    tokio::join!(
        rows(entra, "token", ENTRA, vec![(invalid(), "UnexpectedAnswer"), (page(), "ForbiddenByProxy")]),
        rows(
            read,
            "read",
            VAULT,
            vec![
                (invalid(), "UnexpectedAnswer"),
                (page(), "ForbiddenByProxy"),
                (Fault::Redirect("https://elsewhere.example/".to_owned()), "UnexpectedAnswer"),
                (Fault::HugeBody(200_000_000), "UnexpectedAnswer"),
            ]
        ),
    );
}

#[tokio::test]
async fn a_token_that_the_vault_refuses_fails_the_read() {
    rows(read, "read", VAULT, vec![(Fault::status(401), "VaultRefusedToken")]).await;
}

#[tokio::test]
async fn a_challenge_for_another_resource_fails_the_challenge() {
    let named =
        r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://evil.example""#;
    let output = injected(probe(), Fault::Challenge(named.to_owned())).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout(&output).contains("failed phase: challenge of lab.vault.azure.net"), "{output:?}");
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
    let output = super::run_with(&azure, dir.path(), &arguments).await;
    assert_phase(&output, "token", ENTRA, "NoFederatedCredential");
    for part in ["system:serviceaccount:default:another", ": 401 (token refused), "] {
        assert!(stdout(&output).contains(part), "no {part} in {output:?}");
    }
}

#[tokio::test]
async fn an_untrusted_certificate_fails_tls() {
    let azure = Azure::with_secrets(&[("one", "x")]).await;
    let stranger = Azure::with_own_authority().await;
    let dir = tempfile::tempdir().unwrap();
    let output = run(&azure, dir.path(), &azure.proxy_url(), stranger.ca_pem()).await;
    assert_phase(&output, "tls", ENTRA, "TlsNotTrusted");
    assert_eq!(azure.journal().total(), 0, "nothing is sent to an untrusted host");
}

/// Returns an address that refuses connections.
fn refused_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Starts a proxy that refuses each tunnel with this status.
fn refusing_proxy(status: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 1024]);
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        }
    });
    address
}

#[tokio::test]
async fn a_proxy_that_is_down_or_refuses_fails_the_proxy() {
    let azure = Azure::with_secrets(&[("one", "x")]).await;
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let rows = [
        (refused_address(), "ProxyUnreachable"),
        (refusing_proxy("403 Forbidden"), "ProxyRefused"),
        (refusing_proxy("407 Proxy Authentication Required"), "ProxyAuthRequired"),
    ];
    let rows = rows.into_iter().zip(&dirs).map(|((address, code), dir)| {
        let azure = &azure;
        async move {
            let proxy = format!("http://node:s3cr3t@{address}");
            let output = run(azure, dir.path(), &proxy, azure.ca_pem()).await;
            assert_phase(&output, "proxy", ENTRA, code);
            assert!(stdout(&output).contains(&address.to_string()), "{output:?}");
            assert!(!stdout(&output).contains("s3cr3t"), "{output:?}");
        }
    });
    join_all(rows).await;
}

/// Returns the emulator's cloud file with another authority and another suffix of vaults.
fn cloud(azure: &Azure, authority: Option<&str>, suffix: Option<&str>) -> String {
    let mut cloud: serde_json::Value = serde_json::from_str(&azure.cloud_file_json()).unwrap();
    if let Some(authority) = authority {
        cloud["activeDirectoryEndpoint"] = authority.into();
    }
    if let Some(suffix) = suffix {
        cloud["keyVaultDNSSuffix"] = suffix.into();
    }
    cloud.to_string()
}

#[tokio::test]
async fn unknown_names_fail_dns_and_refused_connections_fail_tcp() {
    let azure = Azure::with_secrets(&[("one", "x")]).await;
    let port = refused_address().port();
    let (login, suffix) = (format!("https://login.localhost:{port}/"), format!("vault.localhost:{port}"));
    for (cloud, phase, host, code) in [
        (cloud(&azure, Some("https://login.invalid/"), None), "dns", "login.invalid", "EntraDnsFailed"),
        (cloud(&azure, None, Some("vault.invalid")), "dns", "lab.vault.invalid", "VaultDnsFailed"),
        (cloud(&azure, Some(&login), None), "tcp", "login.localhost", "ConnectFailed"),
        (cloud(&azure, None, Some(&suffix)), "tcp", "lab.vault.localhost", "ConnectFailed"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (class, token) = class_and_token(&azure, dir.path(), &["one"]);
        let output = without_proxy(&azure, dir.path(), &class, &token, &cloud).await;
        assert_phase(&output, phase, host, code);
    }
}

#[tokio::test]
async fn wrong_parameters_fail_the_class_before_anything_is_asked() {
    let azure = Azure::with_secrets(&[("one", "x")]).await;
    let dir = tempfile::tempdir().unwrap();
    let (class, token) = class_and_token(&azure, dir.path(), &["one"]);
    let text = std::fs::read_to_string(&class).unwrap();
    std::fs::write(&class, text.replace("objectType: secret", "objectType: secrt")).unwrap();
    let output = super::run_with(&azure, dir.path(), &["try", "-f", &class, "--token-file", &token]).await;
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
    let output = super::run_with(&azure, dir.path(), &["try", "-f", &class, "--token-file", &token]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout(&output).contains("failed phase: files\n"), "{output:?}");
    assert!(stdout(&output).contains("  secret/one  200  "), "{output:?}");
}
