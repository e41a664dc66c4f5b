//! The TLS versions that the provider offers.

use std::time::Duration;

use akv_provider::transport::{self, Proxy, Roots, Timeouts};
use azure_core::http::{HttpClient, Method, Request};
use tokio::{io::AsyncReadExt, net::TcpListener};

/// RFC 8446, section 4.2.1: `supported_versions` lists the versions of a client.
#[tokio::test]
async fn nothing_older_than_tls_1_2_is_offered() {
    const TLS_1_2: u16 = 0x0303;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let timeouts = Timeouts::within(Duration::from_secs(90));
    let client = transport::azure(Roots::system().unwrap(), Proxy::none(), timeouts);
    let request =
        tokio::spawn(async move { client.execute_request(&Request::new(url, Method::Get)).await.map(drop) });

    let (mut connection, _) = listener.accept().await.unwrap();
    let mut record = [0; 5];
    connection.read_exact(&mut record).await.unwrap();
    let mut hello = vec![0; usize::from(u16::from_be_bytes([record[3], record[4]]))];
    connection.read_exact(&mut hello).await.unwrap();
    drop(connection);
    assert!(request.await.unwrap().is_err(), "the server does not answer");

    let versions = supported_versions(&hello).expect("a client of TLS 1.3 says what it speaks");
    assert!(
        versions.contains(&TLS_1_2) && versions.iter().all(|version| *version >= TLS_1_2),
        "{versions:x?}"
    );
}

fn supported_versions(hello: &[u8]) -> Option<Vec<u16>> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    // The handshake's header, the version, the random bytes.
    let mut rest = hello.get(4 + 2 + 32..)?;
    // Session id, cipher suites and compression methods, each with its length before it.
    for width in [1, 2, 1] {
        let length = number(rest.get(..width)?);
        rest = rest.get(width + length..)?;
    }
    let mut extensions = rest.get(2..)?;
    while let [kind_high, kind_low, length_high, length_low, after @ ..] = extensions {
        let (body, others) = after.split_at_checked(number(&[*length_high, *length_low]))?;
        if [*kind_high, *kind_low] == [0x00, 0x2b] {
            return Some(
                body.get(1..)?.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect(),
            );
        }
        extensions = others;
    }
    None
}
