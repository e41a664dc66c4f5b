//! Network paths to Azure that fail.

use std::{net::SocketAddr, sync::Arc};

use akv_provider::transport::{
    Client, Observer, Proxy, Resolve, Resolver, Roots, Route as WayOut, Transports,
};
use futures::future::BoxFuture;
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider, refused_address, refusing_proxy, short_backoffs};

use super::{assert_message, failure};

/// A resolver that returns the emulator for every name but a vault's, for which a test sets the address.
struct VaultsAt {
    others: SocketAddr,
    vaults: Option<SocketAddr>,
}

impl Resolve for VaultsAt {
    fn resolve(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        let address = if name.ends_with("vault.azure.net") { self.vaults } else { Some(self.others) };
        let address = address.ok_or_else(|| std::io::Error::other("Name or service not known"));
        Box::pin(async { Ok(vec![address?]) })
    }
}

pub(super) fn over(azure: &Azure, ca: &str, proxy: Proxy, vaults: Option<SocketAddr>) -> Transports {
    let client = Client::new(WayOut {
        roots: Some(Roots::from_pem(ca.as_bytes()).unwrap()),
        proxy,
        names: Resolver(Arc::new(VaultsAt { others: azure.https_address(), vaults })),
        timeouts: short_backoffs(),
        observer: Observer::none(),
    });
    let mut transports = azure.transports();
    transports.set_azure(client);
    transports
}

#[tokio::test]
async fn a_network_failure_is_reported_by_where_it_happened() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let stranger = Azure::with_own_authority().await;
    let (own, strange) = (azure.ca_pem().to_owned(), stranger.ca_pem().to_owned());
    let everything = Some(azure.https_address());
    let proxy = |address: SocketAddr| Proxy::all(&format!("http://{address}"));
    let unreachable = refused_address();
    let ways = [
        (
            over(&azure, &own, Proxy::none(), None),
            vec![
                "[AKV-VaultDnsFailed] cannot read secret/db-password from vault lab: the vault cannot be reached: ".to_owned(),
                "no address for lab.vault.azure.net".to_owned(),
                "check the name of vault lab, cloudName, and the private DNS zone".to_owned(),
            ],
        ),
        (
            over(&azure, &own, Proxy::none(), Some(refused_address())),
            vec!["[AKV-ConnectFailed] ".to_owned(), "Connection refused".to_owned(), "egress".to_owned()],
        ),
        (
            over(&azure, &strange, Proxy::none(), everything),
            vec!["[AKV-TlsNotTrusted] ".to_owned(), "invalid peer certificate".to_owned(), "SSL_CERT_FILE".to_owned()],
        ),
        (
            over(&azure, &own, proxy(unreachable), everything),
            vec![
                "[AKV-ProxyUnreachable] ".to_owned(),
                format!("cannot connect to the proxy {unreachable}"),
                "HTTPS_PROXY".to_owned(),
            ],
        ),
        (
            over(&azure, &own, proxy(refusing_proxy("403 Forbidden")), everything),
            vec!["[AKV-ProxyRefused] ".to_owned(), "opens no tunnel".to_owned(), "NO_PROXY".to_owned()],
        ),
        (
            over(&azure, &own, proxy(refusing_proxy("407 Proxy Authentication Required")), everything),
            vec![
                "[AKV-ProxyAuthRequired] ".to_owned(),
                "answered 407 Proxy Authentication Required".to_owned(),
                "user and password into HTTPS_PROXY".to_owned(),
            ],
        ),
    ];
    let status = ways.map(|(transports, parts)| {
        let provider = Provider::start_over(&azure, transports);
        let call = MountCall::of_secrets(&azure, &["db-password"]);
        async move { (failure(&provider, &call).await, parts) }
    });
    for (status, parts) in futures::future::join_all(status).await {
        assert_message(
            &status,
            Code::FailedPrecondition,
            &parts.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }
}
