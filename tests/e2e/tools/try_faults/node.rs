//! Other token sources than Entra, and clocks that differ from Entra's: IMDS and NMI on the node, and the token proxy of
//! identity binding.

use std::{path::Path, process::Output};

use akv_emulator::{Fault, Route, Service};
use futures::future::{join, join_all};
use tokio::process::Command;

use super::{
    super::{class_and_token, run_with},
    ENTRA, assert_phase,
};
use crate::{
    harness::{Azure, in_network_namespace},
    tools::{stdout, try_mount::without_proxy},
};

const IMDS: &str = "169.254.169.254";
const NMI: &str = "localhost:2579";

/// Runs `try` with these parameters in place of `clientID`.
async fn run_as(azure: &Azure, dir: &Path, parameters: &str, options: &[&str], flags: &[&str]) -> Output {
    let (class, _) = class_and_token(azure, dir, &["one"]);
    let text = std::fs::read_to_string(&class).unwrap();
    let text = text.replace("clientID: cccccccc-0000-0000-0000-000000000002", parameters);
    std::fs::write(&class, text).unwrap();
    let ca = dir.join("ca.pem");
    std::fs::write(&ca, azure.ca_pem()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_akv-provider"));
    command.args(["try", "-f", &class]).args(options).args(["--", "--mount-timeout=12s"]).args(flags);
    command.env_clear().env("SSL_CERT_FILE", ca).env("HTTPS_PROXY", azure.proxy_url()).kill_on_drop(true);
    command.output().await.unwrap()
}

/// Asserts that the mount succeeds with a token of this source.
fn assert_token_of(output: &Output, request: &str) {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let token = stdout(output).lines().find(|line| line.starts_with("  token ")).unwrap_or_default();
    assert!(token.contains(request) && token.contains(": 200 (token issued), "), "{output:?}");
    assert!(stdout(output).contains("the pod would start with 1 file\n"), "{output:?}");
}

#[tokio::test]
async fn imds_and_nmi_are_asked_at_their_real_addresses() {
    if !in_network_namespace("tools::try_faults::node::imds_and_nmi_are_asked_at_their_real_addresses").await
    {
        return;
    }
    let azure = Azure::around_a_node().await;
    azure.vaults().put_secret("lab", "one", "x");
    for (parameters, request) in [
        ("useVMManagedIdentity: \"true\"", "GET 169.254.169.254/metadata/identity/oauth2/token"),
        ("usePodIdentity: \"true\"", "GET localhost:2579/host/token/"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        assert_token_of(&run_as(&azure, dir.path(), parameters, &[], &[]).await, request);
    }
}

#[tokio::test]
async fn faults_of_imds_and_nmi_fail_the_token() {
    const NAME: &str = "tools::try_faults::node::faults_of_imds_and_nmi_fail_the_token";
    if !in_network_namespace(NAME).await {
        return;
    }
    let azure = Azure::around_a_node().await;
    azure.vaults().put_secret("lab", "one", "x");
    let faults = [
        (None, "IdentityNotOnNode"),
        (Some(Fault::status(400)), "IdentityRefused"),
        (Some(Fault::status(404)), "TokenSourceDown"),
        (Some(Fault::status(410)), "TokenSourceDown"),
        (Some(Fault::status(429)), "TokenThrottled"),
        (Some(Fault::status(500)), "TokenSourceDown"),
        (Some(Fault::status(503)), "TokenSourceDown"),
        (Some(Fault::Hang), "ImdsUnreachable"),
        (Some(Fault::Drop), "ImdsUnreachable"),
    ];
    // Each mount asks as an identity of its own, so that one IMDS has a fault for each.
    let imds = faults.into_iter().zip(1..).map(|((fault, code), number)| {
        let client = format!("bbbbbbbb-0000-0000-0000-00000000010{number}");
        if let Some(fault) = fault {
            let of_client = client.clone();
            let route = Route::service(Service::Imds)
                .matching(move |head| head.query_value("client_id").as_ref() == Some(&of_client));
            azure.faults().inject(route, fault);
        }
        let parameters = format!("useVMManagedIdentity: \"true\"\n    userAssignedIdentityID: {client}");
        let azure = &azure;
        async move {
            let dir = tempfile::tempdir().unwrap();
            let output = run_as(azure, dir.path(), &parameters, &[], &[]).await;
            assert_phase(&output, "token", IMDS, code);
        }
    });
    azure.directory().update(|directory| directory.pod_identity = None);
    let nmi = async {
        let dir = tempfile::tempdir().unwrap();
        let output = run_as(&azure, dir.path(), "usePodIdentity: \"true\"", &[], &[]).await;
        assert_phase(&output, "token", NMI, "NoPodIdentity");
    };
    join(join_all(imds), nmi).await;
}

#[tokio::test]
async fn services_of_a_node_that_are_not_there_are_named() {
    const NAME: &str = "tools::try_faults::node::services_of_a_node_that_are_not_there_are_named";
    if !in_network_namespace(NAME).await {
        return;
    }
    let azure = Azure::with_secrets(&[("one", "x")]).await;
    let refused = [
        ("useVMManagedIdentity: \"true\"", IMDS, "ImdsUnreachable"),
        ("usePodIdentity: \"true\"", NMI, "NmiUnreachable"),
    ];
    let refused = refused.into_iter().map(|(parameters, host, code)| {
        let azure = &azure;
        async move {
            let dir = tempfile::tempdir().unwrap();
            let output = run_as(azure, dir.path(), parameters, &[], &[]).await;
            assert_phase(&output, "tcp", host, code);
        }
    });
    // No name server is in reach of this network.
    let dns = async {
        let dir = tempfile::tempdir().unwrap();
        let (class, token) = class_and_token(&azure, dir.path(), &["one"]);
        let mut cloud: serde_json::Value = serde_json::from_str(&azure.cloud_file_json()).unwrap();
        cloud["activeDirectoryEndpoint"] = "https://login.example/".into();
        let output = without_proxy(&azure, dir.path(), &class, &token, &cloud.to_string()).await;
        assert_phase(&output, "dns", "login.example", "DnsTimeout");
    };
    join(join_all(refused), dns).await;
}

#[tokio::test]
async fn the_token_proxy_of_identity_binding_is_asked_and_its_faults_are_named() {
    let port = |azure: &Azure| azure.https_address().port();
    let bound = |azure: Azure, url: String| async move {
        let dir = tempfile::tempdir().unwrap();
        let token = azure.service_account_token(
            "default",
            "app",
            "api://AKSIdentityBinding",
            std::time::Duration::from_secs(3_600),
        );
        let file = dir.path().join("bound-token");
        std::fs::write(&file, token).unwrap();
        let file = file.display().to_string();
        let options = ["--token-file", &file, "--audience", "api://AKSIdentityBinding"];
        let (url, name) =
            (format!("--token-proxy-url={url}"), format!("--sni-name={}", azure.token_proxy_name()));
        let parameters = "clientID: cccccccc-0000-0000-0000-000000000002\n    useAzureTokenProxy: \"true\"";
        run_as(&azure, dir.path(), parameters, &options, &[&url, &name]).await
    };
    let works = async {
        let azure = Azure::with_secrets(&[("one", "x")]).await;
        let url = format!("https://tokens.localhost:{}", port(&azure));
        let name = azure.token_proxy_name();
        assert_token_of(&bound(azure, url).await, &format!("POST {name}"));
    };
    let fails = async {
        let azure = Azure::with_secrets(&[("one", "x")]).await;
        azure.faults().inject(Route::service(Service::TokenProxy), Fault::status(503));
        let url = format!("https://tokens.localhost:{}", port(&azure));
        let name = azure.token_proxy_name();
        assert_phase(&bound(azure, url).await, "token", &name, "TokenSourceDown");
    };
    let refuses = async {
        let azure = Azure::with_secrets(&[("one", "x")]).await;
        let name = azure.token_proxy_name();
        let url = format!("https://tokens.localhost:{}", crate::harness::refused_address().port());
        assert_phase(&bound(azure, url).await, "tcp", &name, "NoTokenProxy");
    };
    tokio::join!(works, fails, refuses);
}

#[tokio::test]
async fn clocks_that_differ_by_hours_fail_the_token() {
    for hours in [-2, 2] {
        let azure = Azure::with_secrets(&[("one", "x")]).await;
        let dir = tempfile::tempdir().unwrap();
        // The pod's token follows this machine's clock, and Entra its own.
        let (class, token) = class_and_token(&azure, dir.path(), &["one"]);
        azure.clock().set_offset(hours * 3_600);
        let output = run_with(&azure, dir.path(), &["try", "-f", &class, "--token-file", &token]).await;
        assert_phase(&output, "token", ENTRA, "PodTokenNotValidNow");
    }
}
