//! The provider's transports, led to an emulated Azure under production's own names.

use std::{net::SocketAddr, sync::Arc};

use akv_emulator::Emulator;
use akv_provider::transport::{
    self, Client, Observer, Proxy, Resolver, Roots, RootsError, Timeouts, Transports,
};
use azure_core::{
    error::{Error, ErrorKind},
    http::{AsyncRawResponse, HttpClient, Request, Transport},
};

/// Returns production's transports, with trust in the emulator's CA, through the emulator's proxy, and with IMDS and NMI at
/// the emulator's addresses. `cluster` resolves the names of the cluster.
///
/// # Errors
/// The emulator's CA cannot be read.
pub fn transports(azure: &Emulator, cluster: Resolver, timeouts: Timeouts) -> Result<Transports, RootsError> {
    let roots = Roots::from_pem(azure.ca_pem().as_bytes())?;
    let node = NodeServices {
        client: transport::node(timeouts),
        imds: azure.imds_address(),
        nmi: azure.nmi_address(),
    };
    let client = transport::azure(roots, Proxy::all(&azure.proxy_url()), timeouts);
    Ok(Transports::over(client, Transport::new(Arc::new(node)), cluster, timeouts, Observer::none()))
}

/// A client that redirects requests for the node's fixed addresses to the emulator.
#[derive(Debug)]
struct NodeServices {
    client: Client,
    imds: SocketAddr,
    nmi: SocketAddr,
}

#[async_trait::async_trait]
impl HttpClient for NodeServices {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let unknown = || Error::with_message(ErrorKind::Other, format!("no service is at {}", request.url()));
        let to = match (request.url().host_str(), request.url().port_or_known_default()) {
            (Some("169.254.169.254"), Some(80)) => self.imds,
            (Some("localhost"), Some(2579)) => self.nmi,
            _ => return Err(unknown()),
        };
        let mut redirected = request.clone();
        redirected.insert_header("host", request.url().authority().to_owned());
        redirected.url_mut().set_ip_host(to.ip()).map_err(|()| unknown())?;
        redirected.url_mut().set_port(Some(to.port())).map_err(|()| unknown())?;
        HttpClient::execute_request(&self.client, &redirected).await
    }
}
