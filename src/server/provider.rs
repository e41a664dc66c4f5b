//! `Version` and `Mount`: protocol in, protocol out, no decisions.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};

use crate::{
    build::Build,
    mount::{Mounter, Volume},
    parameters::{self, MountTexts},
    proto::{
        File, MountRequest, MountResponse, ObjectVersion, VersionRequest, VersionResponse,
        csi_driver_provider_server::CsiDriverProvider,
    },
};

use super::status;

/// The protocol's version.
const PROTOCOL: &str = "v1alpha1";

/// The name that the driver knows the provider by.
const RUNTIME_NAME: &str = "akv-provider";

/// The provider service.
#[derive(Debug)]
pub struct Provider {
    mounter: Mounter,
    mounts: TaskTracker,
}

impl Provider {
    /// A service that mounts with `mounter`, and counts the mounts under way in `mounts`.
    pub fn new(mounter: Mounter, mounts: TaskTracker) -> Self {
        Self { mounter, mounts }
    }

    async fn mount_one(&self, request: &MountRequest) -> Result<MountResponse, Status> {
        let texts = MountTexts {
            attributes: &request.attributes,
            secrets: &request.secrets,
            permission: &request.permission,
        };
        let spec = parameters::parse(texts).map_err(|error| {
            tracing::warn!(error = ?error.to_string(), target_path = request.target_path, "mount refused");
            status::from_parameters(&error)
        })?;
        let (pod, vault, identity) = (spec.pod.clone(), spec.vault.clone(), spec.identity.name());
        let volume = self.mounter.mount(spec).await.map_err(|error| {
            let status = status::from_mount(&error);
            tracing::warn!(
                %pod, %vault, identity_mode = identity, code = ?status.code(), error = ?status.message(),
                "mount failed"
            );
            status
        })?;
        tracing::debug!(%pod, %vault, identity_mode = identity, files = volume.files.len(), "mounted");
        Ok(volume.into())
    }
}

#[tonic::async_trait]
impl CsiDriverProvider for Provider {
    async fn version(&self, _: Request<VersionRequest>) -> Result<Response<VersionResponse>, Status> {
        Ok(Response::new(VersionResponse {
            version: PROTOCOL.to_owned(),
            runtime_name: RUNTIME_NAME.to_owned(),
            runtime_version: Build::this().version.to_owned(),
        }))
    }

    async fn mount(&self, request: Request<MountRequest>) -> Result<Response<MountResponse>, Status> {
        let _under_way = self.mounts.token();
        let request = request.into_inner();
        // A panic would end the connection, and with it every other mount that the driver has on it.
        let result = AssertUnwindSafe(self.mount_one(&request)).catch_unwind().await;
        result.unwrap_or_else(|_| Err(status::panicked())).map(Response::new)
    }
}

impl From<Volume> for MountResponse {
    fn from(volume: Volume) -> Self {
        Self {
            object_version: volume
                .versions
                .into_iter()
                .map(|version| ObjectVersion { id: version.id, version: version.version })
                .collect(),
            error: None,
            files: volume
                .files
                .into_iter()
                .map(|file| File {
                    path: file.path.to_string(),
                    mode: file.mode.bits(),
                    contents: file.contents.into_exposed(),
                })
                .collect(),
        }
    }
}
