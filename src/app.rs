//! The composition root: from a [`Config`] to a running server.

use std::future::Future;

use crate::{
    cli::Config,
    mount::{MountSettings, Mounter},
    server::{
        self,
        socket::{BindError, Listener},
    },
    transport::Transports,
};

/// A provider that already has its socket: callers may connect, and wait until [`App::run`].
#[derive(Debug)]
pub struct App {
    listener: Listener,
    mounts: MountSettings,
}

impl App {
    /// Takes the socket. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Where the endpoint cannot be had.
    pub fn bind(config: Config) -> Result<Self, BindError> {
        Ok(Self { listener: Listener::bind(&config.endpoint)?, mounts: config.mounts })
    }

    /// Serves over these transports until `shutdown`, then lets running mounts finish.
    ///
    /// # Errors
    /// Where the listener breaks.
    pub async fn run(
        self,
        transports: Transports,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), tonic::transport::Error> {
        server::serve(self.listener, Mounter::new(&transports, self.mounts), shutdown).await
    }
}
