//! A stand-in for the driver.

use std::{path::Path, time::Duration};

use akv_provider::proto::{
    MountRequest, MountResponse, VersionRequest, VersionResponse,
    csi_driver_provider_client::CsiDriverProviderClient,
};
use tonic::{
    Request, Status,
    transport::{Channel, Endpoint, Error},
};

/// The driver's own default of `--max-call-recv-msg-size`, in bytes.
const MAX_RESPONSE_BYTES: usize = 4 << 20;

/// A driver with one connection to the provider, as the real driver has. Clones share it.
#[derive(Debug, Clone)]
pub struct Driver {
    channel: Channel,
}

impl Driver {
    /// Returns a driver that connects to this URI with its first call.
    ///
    /// # Errors
    /// The text is not a URI.
    pub fn at(uri: String) -> Result<Self, Error> {
        Ok(Self { channel: Endpoint::try_from(uri)?.connect_lazy() })
    }

    /// Returns a driver that connects to this Unix socket with its first call.
    ///
    /// # Errors
    /// The path cannot be part of a URI.
    pub fn on(socket: &Path) -> Result<Self, Error> {
        Self::at(format!("unix://{}", socket.display()))
    }

    /// Returns the connection.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Returns a gRPC client with the driver's limit of a response.
    pub fn client(&self) -> CsiDriverProviderClient<Channel> {
        CsiDriverProviderClient::new(self.channel()).max_decoding_message_size(MAX_RESPONSE_BYTES)
    }

    /// Calls `Version`.
    ///
    /// # Errors
    /// The provider's status, or that of a failed connection.
    pub async fn version(&self) -> Result<VersionResponse, Status> {
        let request = VersionRequest { version: "v1alpha1".to_owned() };
        Ok(self.client().version(request).await?.into_inner())
    }

    /// Calls `Mount`.
    ///
    /// # Errors
    /// The provider's status, or that of a failed connection.
    pub async fn call(&self, request: MountRequest) -> Result<MountResponse, Status> {
        self.call_within(request, None).await
    }

    /// Calls `Mount` with a deadline.
    ///
    /// # Errors
    /// The provider's status, or that of a failed connection.
    pub async fn call_within(
        &self,
        request: MountRequest,
        deadline: Option<Duration>,
    ) -> Result<MountResponse, Status> {
        let mut request = Request::new(request);
        if let Some(deadline) = deadline {
            request.set_timeout(deadline);
        }
        Ok(self.client().mount(request).await?.into_inner())
    }
}
