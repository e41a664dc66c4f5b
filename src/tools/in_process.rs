//! This provider, within the tool's process and without a socket.

use tonic::{Request, Response, Status};

use crate::{
    cli::{self, Command, UsageError},
    metrics::Metrics,
    mount::Mounter,
    proto::{MountRequest, MountResponse, csi_driver_provider_server::CsiDriverProvider},
    server::{drain::Drain, provider::Provider},
    transport::{Observer, RootsError, Timeouts, Transports},
};

use super::Environment;

/// A provider that cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The provider's flags are wrong.
    #[error("flags of the provider, behind \"--\": {0}")]
    Flags(#[from] UsageError),
    /// The flags ask for something else than a provider.
    #[error("flags of the provider, behind \"--\": --help and --version do not mount")]
    NoMount,
    /// There are no roots of TLS.
    #[error(transparent)]
    Roots(#[from] RootsError),
}

/// A provider that mounts as it would on a node.
#[derive(Debug)]
pub(crate) struct InProcess(Provider);

impl InProcess {
    /// Starts a provider with these flags. The observer sees what it does on the network.
    ///
    /// # Errors
    /// The flags are wrong, or the machine has no TLS roots.
    pub(crate) fn start(
        flags: &[String],
        environment: Environment,
        observer: Observer,
    ) -> Result<Self, StartError> {
        let Command::Serve(config) = cli::parse(flags.iter().cloned(), environment.cli)? else {
            return Err(StartError::NoMount);
        };
        let metrics = Metrics::new(config.object_names_in_metrics);
        let timeouts = Timeouts::within(config.mounts.budget);
        let transports = Transports::observed(environment.proxy, timeouts, observer)?;
        let mounter = Mounter::new(transports, metrics.clone(), config.mounts);
        Ok(Self(Provider::new(mounter, metrics, Drain::default())))
    }

    /// Mounts, with the answer and the messages that a driver would get.
    ///
    /// # Errors
    /// The provider's status.
    pub(crate) async fn mount(&self, request: MountRequest) -> Result<MountResponse, Status> {
        self.0.mount(Request::new(request)).await.map(Response::into_inner)
    }
}
