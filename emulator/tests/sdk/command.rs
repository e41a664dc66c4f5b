//! The binary, as an operator starts it.

use std::process::Stdio;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use crate::{
    harness::{TENANT, WORKLOAD},
    trusted_issuers::{Cluster, ISSUER},
};

/// Answers each request with this text.
async fn serve(text: String) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = connection.read(&mut request).await;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len());
            let _ = connection.write_all(answer.as_bytes()).await;
        }
    });
    address
}

fn start(arguments: &[String]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_akv-emulator"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary starts")
}

/// Waits for the proxy's URL in what the binary prints.
async fn proxy(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
    while let Some(line) = lines.next_line().await.expect("it is text") {
        if let Some((_, url)) = line.split_once("HTTPS_PROXY=") {
            return url.to_owned();
        }
    }
    panic!("the binary names no proxy");
}

#[tokio::test]
async fn an_authority_and_a_cluster_are_given_on_the_command_line() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let file = |name: &str| directory.path().join(name).display().to_string();
    let key = rcgen::KeyPair::generate().expect("a key can be made");
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).expect("it can be signed").pem();
    std::fs::write(file("ca.crt"), &ca).expect("it can be written");
    std::fs::write(file("ca.key"), key.serialize_pem()).expect("it can be written");
    let cluster = Cluster::new();
    let keys = serve(cluster.key_set().to_string()).await;
    let mut child = start(&[
        format!("--ca-cert={}", file("ca.crt")),
        format!("--ca-key={}", file("ca.key")),
        format!("--trust-issuer={ISSUER}=http://{keys}/openid/v1/jwks"),
    ]);
    let proxy = proxy(&mut child).await;
    let page = reqwest::get(format!("{proxy}/ca.pem")).await.expect("it answers");
    assert_eq!(page.text().await.expect("it has a body"), ca);
    let client = reqwest::Client::builder()
        .proxy(reqwest::Proxy::https(proxy).expect("it is a URL"))
        .tls_certs_only([reqwest::Certificate::from_pem(ca.as_bytes()).expect("it is PEM")])
        .build()
        .expect("the client can be built");
    let form = format!(
        "grant_type=client_credentials&client_id={WORKLOAD}&scope=https://vault.azure.net/.default\
         &client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion={}",
        cluster.token("one", 600)
    );
    let url = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    let answer = client.post(url).body(form).send().await.expect("it answers");
    assert_eq!(answer.status(), 200);
    let body: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
    assert!(body["access_token"].is_string());
}

#[tokio::test]
async fn keys_that_cannot_be_read_end_the_start_with_their_issuer() {
    for (key_set, expected) in [
        (format!("http://{}/", serve("<html>".to_owned()).await), "its keys are not a JSON Web Key Set"),
        ("/nonexistent/jwks.json".to_owned(), "read /nonexistent/jwks.json: No such file"),
    ] {
        let child = start(&[format!("--trust-issuer={ISSUER}={key_set}")]);
        let output = child.wait_with_output().await.expect("it ends");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn every_flag_of_the_deployment_is_one_of_the_binary() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/emulator/emulator.yaml");
    let manifest = std::fs::read_to_string(manifest).expect("the manifest is there");
    let flags = manifest.lines().filter_map(|line| line.trim().strip_prefix("- --")?.split('=').next());
    let flags: Vec<_> = flags.map(|flag| format!("--{flag} ")).collect();
    assert!(flags.len() > 3, "{flags:?}");
    let output = start(&["--help".to_owned()]).wait_with_output().await.expect("it ends");
    let help = String::from_utf8(output.stdout).expect("it is text");
    for flag in flags {
        assert!(help.contains(&flag), "{flag} is not in {help}");
    }
}
