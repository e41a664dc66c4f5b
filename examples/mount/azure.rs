//! The emulated Azure, and a provider that is connected to it.

use std::{error::Error, io, net::SocketAddr, ops::Deref, path::Path, sync::Arc};

use akv_emulator::{Emulator, Seed};
use akv_provider::{
    app::App,
    cli::{self, Command},
    transport::{Resolve, Resolver, Timeouts},
};
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
        let timeouts = Timeouts::within(config.mounts.budget);
        let transports = test_support::transports(self, Resolver(Arc::new(NoCluster)), timeouts)?;
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

struct NoCluster;

impl Resolve for NoCluster {
    fn resolve(&self, _: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
