use std::sync::Arc;

use akv_emulator::{Emulator, Route, Service};
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::harness::{TENANT, emulator, http};

#[tokio::test]
async fn loopback_names_work_without_the_proxy() {
    let azure = emulator().await;
    let authority = reqwest::Certificate::from_pem(azure.ca_pem().as_bytes()).expect("the authority is PEM");
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([authority])
        .resolve("lab.vault.localhost", azure.https_address())
        .build()
        .expect("the client can be built");
    let url = format!("{}secrets/db-password?api-version=7.6", azure.vault_url("lab"));
    let answer = client.get(&url).send().await.expect("it answers");
    let port = azure.https_address().port();
    assert_eq!(
        answer.headers()["www-authenticate"],
        format!(
            r#"Bearer authorization="https://login.localhost:{port}/{TENANT}", resource="https://vault.localhost""#
        )
    );
    let token = azure.access_token(
        "dddddddd-0000-0000-0000-000000000003",
        "https://vault.localhost",
        std::time::Duration::from_secs(60),
    );
    let answer = client.get(&url).bearer_auth(token).send().await.expect("it answers");
    let body: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
    let id = body["id"].as_str().expect("it has an id");
    assert!(id.starts_with(&format!("{}secrets/db-password/", azure.vault_url("lab"))), "{id}");
    assert!(azure.journal().connects().is_empty());
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_authority_cannot_connect() {
    let azure = emulator().await;
    let stranger = reqwest::Client::builder()
        .proxy(reqwest::Proxy::https(azure.proxy_url()).expect("the proxy has a URL"))
        .build()
        .expect("the client can be built");
    stranger.get("https://lab.vault.azure.net/").send().await.expect_err("the certificate is not trusted");
    assert_eq!(azure.journal().total(), 0);
    assert_eq!(azure.journal().connects(), ["lab.vault.azure.net:443"]);
}

#[tokio::test]
async fn connections_are_kept_for_further_requests() {
    let azure = emulator().await;
    let http = http(&azure);
    for _ in 0..3 {
        let answer = http.get("https://lab.vault.azure.net/secrets/a/?api-version=7.6").send().await;
        answer.expect("it answers").bytes().await.expect("a body");
    }
    assert_eq!((azure.journal().total(), azure.journal().connections()), (3, 1));
    let numbers: Vec<_> = azure.journal().entries().iter().map(|entry| entry.connection).collect();
    assert_eq!(numbers, [numbers[0]; 3]);
}

#[tokio::test]
async fn the_proxy_serves_an_operators_pages() {
    let azure = emulator().await;
    let client = reqwest::Client::builder().no_proxy().build().expect("the client can be built");
    let page = async |path: &str| {
        let answer = client.get(format!("{}{path}", azure.proxy_url())).send().await.expect("it answers");
        (answer.status().as_u16(), answer.text().await.expect("it is text"))
    };
    assert_eq!(page("/ca.pem").await, (200, azure.ca_pem().to_owned()));
    assert_eq!(page("/cloud.json").await, (200, azure.cloud_file_json()));
    let (status, tokens) = page("/tokens?namespace=default&name=app").await;
    assert_eq!(status, 200);
    assert!(tokens.contains("api://AzureADTokenExchange"));
    let (status, token) = page("/tokens?namespace=default&name=app&audience=x&lifetime=60").await;
    assert_eq!((status, token.split('.').count()), (200, 3));
    assert_eq!(page("/tokens?namespace=default").await.0, 400);
    assert_eq!(page("/tokens?namespace=a&name=b&lifetime=long").await.0, 400);
    assert_eq!(page("/").await.0, 404);
    assert_eq!(azure.journal().total(), 0, "pages are not Azure's");
}

#[tokio::test]
async fn the_api_servers_certificate_implies_the_token_proxys_name() {
    let azure = emulator().await;
    let answer =
        http(&azure).get("https://kubernetes.default.svc.cluster.local/").send().await.expect("it answers");
    assert_eq!(answer.status(), 401);
    assert_eq!(azure.journal().count(&Route::service(Service::ApiServer)), 1);
    let id = azure.token_proxy_name().replace(".ests.aks", "");
    let name = format!("hcp-kubernetes.{id}.svc.cluster.local");
    let authority = reqwest::Certificate::from_pem(azure.ca_pem().as_bytes()).expect("the authority is PEM");
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([authority])
        .tls_info(true)
        .resolve("kubernetes.default.svc.cluster.local", azure.https_address())
        .build()
        .expect("the client can be built");
    let port = azure.https_address().port();
    let url = format!("https://kubernetes.default.svc.cluster.local:{port}/");
    let answer = client.get(url).send().await.expect("it answers");
    let info = answer.extensions().get::<reqwest::tls::TlsInfo>().expect("TLS was used");
    let certificate = info.peer_certificate().expect("a certificate was shown");
    assert!(certificate.windows(name.len()).any(|part| part == name.as_bytes()));
}

/// Sends one request on a new TLS connection, and returns whether it resumed a session.
async fn resumed(azure: &Emulator, connector: &TlsConnector) -> bool {
    let name = ServerName::try_from("lab.vault.azure.net").expect("it is a name");
    let tcp = TcpStream::connect(azure.https_address()).await.expect("it listens");
    let mut tls = connector.connect(name, tcp).await.expect("its certificate is trusted");
    let request =
        b"GET /secrets/a/?api-version=7.6 HTTP/1.1\r\nhost: lab.vault.azure.net\r\nconnection: close\r\n\r\n";
    tls.write_all(request).await.expect("it reads");
    // The ticket of the next session arrives before the answer.
    tls.read_to_end(&mut Vec::new()).await.expect("it answers");
    tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
}

#[tokio::test]
async fn sessions_are_resumed_however_many_others_there_were_since() {
    let azure = emulator().await;
    let connector = || {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(azure.ca_pem().as_bytes()).expect("the authority is PEM"))
            .expect("the authority is a certificate");
        let config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("the provider has them")
                .with_root_certificates(roots)
                .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    };
    let patient = connector();
    assert!(!resumed(&azure, &patient).await, "there is no session yet");
    for _ in 0..150 {
        resumed(&azure, &connector()).await;
    }
    assert!(resumed(&azure, &patient).await);
}

#[tokio::test]
async fn a_dropped_emulator_accepts_no_connection() {
    let azure = emulator().await;
    let http = http(&azure);
    let url = "https://lab.vault.azure.net/secrets/a/?api-version=7.6";
    http.get(url).send().await.expect("it answers").bytes().await.expect("a body");
    let address = azure.https_address();
    drop::<Emulator>(azure);
    tokio::task::yield_now().await;
    http.get(url).send().await.expect_err("the connection is closed");
    tokio::net::TcpListener::bind(address).await.expect("the port is free again");
}
