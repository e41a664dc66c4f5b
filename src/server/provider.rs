//! The gRPC methods `Version` and `Mount`: they convert between protocol and domain types, and decide nothing.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;
use tokio::time::Instant;
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::{
    build::Build,
    metrics::Metrics,
    mount::{Deadline, Expiry, LogDetails, MountError, MountQueue, Mounted, Mounter, Names, Volume, listed},
    proto::{
        File, MountRequest, MountResponse, ObjectVersion, VersionRequest, VersionResponse,
        csi_driver_provider_server::CsiDriverProvider,
    },
    spec::{MountSpec, mount_kind::MountKind},
};

use super::{
    drain::Drain,
    parsing::{Refusal, RequestParser, RequestTexts},
    receive::Received,
    status::{self, Failed},
    turnstile::Turnstile,
};

/// The version of the provider protocol.
const PROTOCOL: &str = "v1alpha1";

/// The name under which the driver knows the provider.
const RUNTIME_NAME: &str = "akv-provider";

/// The most files that a log line names.
const MAX_NAMED: usize = 10;

/// The gRPC service.
#[derive(Debug)]
pub struct Provider {
    mounter: Mounter,
    metrics: Metrics,
    drain: Drain,
    parser: RequestParser,
    starts: Turnstile,
}

impl Provider {
    /// Returns a service that mounts with `mounter`, as long as `drain` takes new mounts.
    pub fn new(mounter: Mounter, metrics: Metrics, drain: Drain) -> Self {
        Self { mounter, metrics, drain, parser: RequestParser::new(), starts: Turnstile::new() }
    }

    fn refuse(&self, target_path: &str) -> Status {
        let Failed { code, status, .. } = status::stopping();
        self.metrics.failure(code);
        tracing::warn!(code = ?status.code(), error = ?status.message(), target_path, "mount refused");
        status
    }

    async fn mount_one(
        &self,
        mut request: MountRequest,
        received: Received,
    ) -> Result<Response<MountResponse>, Status> {
        // The mount shares reads that are sent from now on.
        let began = Instant::now();
        let texts = RequestTexts::of(&mut request);
        // The next large request arrives when the texts of this one are gone, or wait for memory.
        let (room, deadline) = (received.take_permit(), received.deadline);
        // Few have a permit at once, and others wait for it.
        if room.is_none() {
            self.starts.pass().await;
        }
        let admitted = self.parser.admit(texts, room, deadline.until, || self.metrics.waiting()).await;
        let MountRequest { target_path, .. } = request;
        let (spec, _share) = admitted.map_err(|refusal| {
            let Failed { code, status, details } = match refusal {
                Refusal::Parameters(error) => status::from_parameters(&error),
                Refusal::Late(vault) => status::from_mount(&MountError::QueueTimeout {
                    vault,
                    budget: deadline.budget,
                    queue: MountQueue::LargeClasses,
                }),
                Refusal::Unread => status::not_received(deadline.budget),
                Refusal::Crowded => status::crowded(),
            };
            self.metrics.failure(code);
            tracing::warn!(
                code = ?status.code(), error = ?status.message(), all = details.all,
                target_path, "mount refused"
            );
            status
        })?;
        let span = tracing::info_span!(
            "mount", pod = %spec.pod, vault = %spec.vault, identity_mode = spec.identity.name(),
        );
        // In a box, so that a request that waits for memory does not hold the space of a mount as well.
        Box::pin(self.mount_spec(spec, &target_path, began, deadline).instrument(span)).await
    }

    async fn mount_spec(
        &self,
        spec: MountSpec,
        target_path: &str,
        began: Instant,
        deadline: Deadline,
    ) -> Result<Response<MountResponse>, Status> {
        let mounted = self.mounter.mount(spec, target_path, began, deadline).await;
        let Mounted { volume, kind, receipt } = mounted.map_err(|error| {
            let Failed { code, status, details: LogDetails { all, request_ids, seen } } =
                status::from_mount(&error);
            self.metrics.failure(code);
            let elapsed = began.elapsed();
            let (request_ids, seen) = (non_empty(request_ids), non_empty(seen));
            tracing::warn!(
                code = ?status.code(), error = ?status.message(), ?elapsed, request_ids, seen, all, "mount failed"
            );
            status
        })?;
        if !volume.left_out.is_empty() {
            let files: Vec<String> = volume.left_out.iter().map(ToString::to_string).collect();
            tracing::warn!(files = ?listed(files.iter().map(String::as_str), Names::UpTo(MAX_NAMED)), "files without content are left out");
        }
        if !volume.absent.is_empty() {
            for object in &volume.absent {
                self.metrics.absent(object.object_type);
            }
            let objects =
                listed(volume.absent.iter().map(|object| object.id.as_str()), Names::UpTo(MAX_NAMED));
            tracing::info!(?objects, "optional objects are absent");
        }
        if !volume.validity.outside.is_empty() {
            let objects = volume.validity.outside.iter().map(String::as_str);
            tracing::warn!(
                objects = ?listed(objects, Names::UpTo(MAX_NAMED)), "mounted objects that are not valid at this time"
            );
        }
        if kind == MountKind::Republish {
            self.metrics.rotates();
        }
        for Expiry { vault, object_type, name, expires } in &volume.validity.expiries {
            self.metrics.expires(vault, *object_type, name, *expires);
        }
        tracing::debug!(
            files = volume.files.len(), taken_apart = volume.taken_apart, elapsed = ?began.elapsed(), "mounted");
        let mut response = Response::new(volume.into());
        // The delivery layer confirms it.
        response.extensions_mut().insert(Arc::new(receipt));
        Ok(response)
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
        let Some(running) = self.drain.begin_mount() else {
            return Err(self.refuse(&request.get_ref().target_path));
        };
        let _in_flight = (running, self.metrics.mount());
        // A call within the process has no extension, and no deadline.
        let received = request.extensions().get::<Received>().cloned();
        let received = received.unwrap_or_else(|| Received::now(self.mounter.timeout(), None));
        let request = request.into_inner();
        // A panic would end the connection, and with it every other mount on it.
        let result = AssertUnwindSafe(self.mount_one(request, received)).catch_unwind().await;
        result.unwrap_or_else(|_| {
            let Failed { code, status, .. } = status::panicked();
            self.metrics.panic();
            self.metrics.failure(code);
            Err(status)
        })
    }
}

fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
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
