//! The emulated Azure, and a provider that is connected to it.

use std::{error::Error, io, net::SocketAddr, ops::Deref, path::Path, sync::Arc};

use akv_emulator::{Emulator, Seed};
use akv_provider::{
    app::App,
    cli::{self, Command},
    transport::{self, Client, Proxy, Resolve, Resolver, Roots, Timeouts, Transports},
};
use azure_core::http::{AsyncRawResponse, HttpClient, Request, Transport};
use futures::future::BoxFuture;
use tokio::{sync::oneshot, task::JoinHandle};

pub(crate) struct Azure(Emulator);

impl Azure {
    pub(crate) async fn start(seed: &str) -> Result<Self, Box<dyn Error>> {
        Ok(Self(Emulator::builder().seed(Seed::parse(seed)?).start().await?))
    }

    /// Starts a provider on `socket` that reaches only the emulator: through the emulator's proxy with trust in its CA,
    /// and for IMDS at the emulator's address.
    pub(crate) fn serve(&self, socket: &Path) -> Result<Provider, Box<dyn Error>> {
        let endpoint = format!("--endpoint=unix://{}", socket.display());
        let no_ports = ["--healthz-port=0", "--prometheus-port=0"].map(str::to_owned);
        let arguments = no_ports.into_iter().chain([endpoint]);
        let Command::Serve(config) = cli::parse(arguments, Default::default())? else {
            return Err("an endpoint alone starts the provider".into());
        };
        let roots = Roots::from_pem(self.ca_pem().as_bytes())?;
        let timeouts = Timeouts::within(config.mounts.budget);
        let azure = transport::azure(roots, Proxy::all(&self.proxy_url()), timeouts);
        let transports = Transports {
            azure: Transport::new(Arc::new(azure.clone())),
            azure_client: azure,
            node: Transport::new(Arc::new(Imds {
                client: transport::node(timeouts),
                at: self.imds_address(),
            })),
            cluster: Resolver(Arc::new(NoCluster)),
            timeouts,
        };
        let app = App::bind(*config)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(app.run(transports, async { stopped.await.unwrap_or_default() }));
        Ok(Provider { stop, task })
    }
}

impl Deref for Azure {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.0
    }
}

/// A running provider.
pub(crate) struct Provider {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Provider {
    pub(crate) async fn stop(self) -> Result<(), Box<dyn Error>> {
        drop(self.stop);
        Ok(self.task.await??)
    }
}

#[derive(Debug)]
struct Imds {
    client: Client,
    at: SocketAddr,
}

#[async_trait::async_trait]
impl HttpClient for Imds {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut request = request.clone();
        if let Some(host) = request.url().host_str().map(str::to_owned) {
            request.insert_header("host", host);
        }
        let _ = request.url_mut().set_ip_host(self.at.ip());
        let _ = request.url_mut().set_port(Some(self.at.port()));
        HttpClient::execute_request(&self.client, &request).await
    }
}

struct NoCluster;

impl Resolve for NoCluster {
    fn resolve(&self, _: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
