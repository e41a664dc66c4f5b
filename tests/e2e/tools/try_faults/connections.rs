//! Connections that are not established.

use futures::future::join_all;

use super::{
    super::{class_and_token, try_mount::without_proxy},
    ENTRA, assert_phase, run,
};
use crate::{
    harness::{Azure, refused_address, refusing_proxy},
    tools::stdout,
};

#[tokio::test]
async fn an_untrusted_certificate_fails_tls_and_is_shown() {
    let azure = Azure::with_secrets(&[("one", "x")]).await;
    let stranger = Azure::with_own_authority().await;
    let dir = tempfile::tempdir().unwrap();
    let output = run(&azure, dir.path(), &azure.proxy_url(), stranger.ca_pem()).await;
    assert_phase(&output, "tls", ENTRA, "TlsNotTrusted");
    let shown = "; certificate of CN=login.microsoftonline.com, issued by CN=akv-emulator CA, expires 20";
    let failed = stdout(&output).lines().find(|line| line.starts_with("! tls ") && line.contains(ENTRA));
    assert!(failed.is_some_and(|line| line.contains(shown)), "{output:?}");
    assert_eq!(azure.journal().total(), 0, "nothing is sent to an untrusted host");
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
