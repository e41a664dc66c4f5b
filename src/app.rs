//! The composition root: builds the servers from a [`Config`] and runs them under one shutdown.

use std::future::Future;

use crate::{
    admin::Admin,
    cli::Config,
    cloud::CloudError,
    metrics::Metrics,
    mount::{MountSettings, Mounter},
    server::{
        self,
        socket::{BindError, Listener},
    },
    transport::Transports,
};

/// A provider that already has its socket and ports. Callers may connect; their calls wait until [`App::run`].
#[derive(Debug)]
pub struct App {
    listener: Listener,
    admin: Admin,
    metrics: Metrics,
    mounts: MountSettings,
}

/// An error of a provider that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `--cloud-name` is `AzureStackCloud`, and no file describes it.
    #[error(
        "flag --cloud-name: AzureStackCloud needs a cloud environment file; set AZURE_ENVIRONMENT_FILEPATH"
    )]
    NoCloudFile,
    /// `--cloud-name` is `AzureStackCloud`, and its file cannot be used.
    #[error("flag --cloud-name: AzureStackCloud cannot be used")]
    Cloud(#[source] CloudError),
    /// The socket cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
}

impl App {
    /// Checks the default cloud, and binds the socket, then the ports. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The default cloud has no endpoints, or the socket cannot be bound. A port that cannot be bound is logged, and
    /// tried again while serving.
    pub fn bind(config: Config) -> Result<Self, StartError> {
        // Before the socket, which would replace that of a provider that serves.
        config.mounts.clouds.check().map_err(|error| match error {
            CloudError::NoFile => StartError::NoCloudFile,
            error => StartError::Cloud(error),
        })?;
        let metrics = Metrics::new(config.object_names_in_metrics);
        Ok(Self {
            listener: Listener::bind(&config.endpoint)?,
            admin: Admin::bind(&config.admin, &config.endpoint, &metrics),
            metrics,
            mounts: config.mounts,
        })
    }

    /// Returns the HTTP server of probes, metrics and profiles.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Serves over these transports until `shutdown`, then lets running mounts finish.
    ///
    /// # Errors
    /// The listener breaks.
    pub async fn run(
        self,
        transports: Transports,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), tonic::transport::Error> {
        let mounter = Mounter::new(transports, self.metrics.clone(), self.mounts);
        tokio::select! {
            result = server::serve(self.listener, mounter.clone(), self.metrics, shutdown) => result,
            () = self.admin.serve() => Ok(()),
            () = mounter.evict_expired() => Ok(()),
            never = mounter.refresh_issuer_keys() => match never {},
        }
    }
}
