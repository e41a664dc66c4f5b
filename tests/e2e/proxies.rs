//! Proxies on the way to Azure.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use akv_provider::transport::{self, Proxy, Roots, Timeouts};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::{
    harness::{Azure, MountCall, Provider},
    process::{Process, log},
};

/// A SOCKS5 proxy (RFC 1928) that requires user and password (RFC 1929), and connects every name to the emulator.
struct Socks {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Socks {
    async fn start(leads_to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let all = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Self::serve(stream, leads_to, all.clone()));
            }
        });
        Self { address, asked }
    }

    async fn serve(mut stream: TcpStream, leads_to: SocketAddr, asked: Arc<Mutex<Vec<String>>>) {
        let greeting = read(&mut stream, 2).await;
        let methods = read(&mut stream, greeting[1].into()).await;
        assert!(greeting[0] == 5 && methods.contains(&2), "the client must offer a password");
        stream.write_all(&[5, 2]).await.unwrap();

        let user = read(&mut stream, 2).await[1];
        let user = read(&mut stream, user.into()).await;
        let password = read(&mut stream, 1).await[0];
        let password = read(&mut stream, password.into()).await;
        let welcome = (user, password) == (b"node".to_vec(), b"s3cr3t".to_vec());
        stream.write_all(&[1, u8::from(!welcome)]).await.unwrap();
        if !welcome {
            return;
        }

        let head = read(&mut stream, 5).await;
        assert_eq!(head[..4], [5, 1, 0, 3], "a connection to a name");
        let name = read(&mut stream, head[4].into()).await;
        let port = read(&mut stream, 2).await;
        let port = u16::from_be_bytes([port[0], port[1]]);
        asked.lock().unwrap().push(format!("{}:{port}", String::from_utf8(name).unwrap()));
        let mut there = TcpStream::connect(leads_to).await.unwrap();
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut there).await;
    }
}

async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn mounts_succeed_through_a_socks_proxy() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let socks = Socks::start(azure.https_address()).await;
    let url = format!("socks5://node:s3cr3t@{}", socks.address);
    let process = Process::start(&azure, &[("HTTPS_PROXY", &url)]).await;
    let mounted = process.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap();
    assert_eq!(mounted.text("db-password"), "x");
    let asked = socks.asked.lock().unwrap().clone();
    for host in ["login.microsoftonline.com:443", "lab.vault.azure.net:443"] {
        assert!(asked.contains(&host.to_owned()), "no {host} in {asked:?}");
    }
}

#[tokio::test]
async fn a_socks_proxy_that_refuses_is_reported_without_its_password() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let socks = Socks::start(azure.https_address()).await;
    let url = format!("socks5://node:wr0ng@{}", socks.address);
    let process = Process::start(&azure, &[("HTTPS_PROXY", &url)]).await;
    let status = process.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap_err();
    let log = log(&process.signal("-TERM").await);
    for text in [status.message(), &log] {
        assert!(text.contains("AKV-ProxyRefused") && !text.contains("wr0ng"), "{text}");
    }
    assert!(status.message().contains(&socks.address.to_string()), "{status}");
}

#[tokio::test]
async fn a_proxy_that_never_opens_its_tunnel_is_reported_as_such() {
    // The system accepts connections to it, and nothing reads them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let (connect, initial_backoff) = (Duration::from_millis(200), Duration::from_millis(1));
    let timeouts = Timeouts { connect, initial_backoff, ..Timeouts::within(Duration::from_secs(90)) };
    let roots = Roots::from_pem(azure.ca_pem().as_bytes()).unwrap();
    let mut transports = azure.transports_with(timeouts);
    transports.set_azure(transport::azure(roots, Proxy::all(&format!("http://{address}")), timeouts));
    let provider = Provider::start_over(&azure, transports);
    let status = provider.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap_err();
    let cause = format!("the proxy {address} did not open the tunnel in time");
    for part in ["[AKV-ProxyRefused] ", &cause, "check that the proxy resolves and reaches the host"] {
        assert!(status.message().contains(part), "no {part} in {status}");
    }
    assert_eq!(azure.journal().total(), 0);
}

#[tokio::test]
async fn no_proxy_is_interpreted_as_in_go() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let port = azure.https_address().port();
    for (no_proxy, past) in [
        ("*.localhost".to_owned(), true),
        (format!("localhost:{port}"), true),
        ("*".to_owned(), true),
        ("localhost:443".to_owned(), false),
    ] {
        let before = azure.journal().connects().len();
        let environment = [("HTTPS_PROXY", &*azure.proxy_url()), ("no_proxy", &no_proxy), ("NO_PROXY", "")];
        let process = Process::start(&azure, &environment).await;
        let call = MountCall::of_secrets(&azure, &["db-password"]).with("cloudName", "AzureStackCloud");
        process.driver().mount(&call).await.unwrap();
        assert_eq!(azure.journal().connects().len() == before, past, "{no_proxy}");
    }
}

#[tokio::test]
async fn an_invalid_proxy_is_logged_at_start_and_ignored() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let process = Process::start(&azure, &[("HTTPS_PROXY", "ftp://node:s3cr3t@proxy")]).await;
    let call = MountCall::of_secrets(&azure, &["db-password"]).with("cloudName", "AzureStackCloud");
    process.driver().mount(&call).await.unwrap();
    let log = log(&process.signal("-TERM").await);
    assert!(log.contains("WARN") && log.contains("HTTPS_PROXY") && !log.contains("s3cr3t"), "{log}");
}
